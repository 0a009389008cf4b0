"""The client of a Redis server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tenuto.errors import ConfigurationError

if TYPE_CHECKING:
    from redis import Redis

__all__ = ["as_text", "connect", "whereabouts"]


def connect(url: str, timeout: float, *, setting: str) -> Redis:
    """A client that tries nothing twice, and waits ``timeout`` seconds at most for an answer.

    Nothing is sent before it is needed. Raises ConfigurationError without the extra, or where the
    URL, which came by ``setting``, is none.
    """
    try:
        from redis import Redis
        from redis.backoff import NoBackoff
        from redis.retry import Retry
    except ImportError as missing:
        raise ConfigurationError(
            "redis", "install the client: pip install 'tenuto[redis]'"
        ) from missing
    try:
        client = Redis.from_url(
            url,
            socket_timeout=timeout,
            socket_connect_timeout=timeout,
            # Whether a write arrived whose answer was lost, the client cannot know.
            retry=Retry(NoBackoff(), 0),
        )
        pool = client.connection_pool
        pool.connection_class(**pool.connection_kwargs)  # it knows which options there are
    except (TypeError, ValueError) as error:
        raise ConfigurationError(
            setting, f"give one such as redis://host:6379/0 ({error})"
        ) from None
    return client


def as_text(value: Any) -> str:
    """What a server says, whether or not its client has been told to decode it."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def whereabouts(client: Redis) -> str:
    """Where ``client`` finds its server, without a password."""
    at = client.connection_pool.connection_kwargs
    path = at.get("path")
    return str(path) if path else f"{at.get('host', 'localhost')}:{at.get('port', 6379)}"
