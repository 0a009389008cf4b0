"""A state by its URL."""

from __future__ import annotations

import threading
from urllib.parse import parse_qsl, urlencode, urlsplit
from weakref import WeakValueDictionary

from tenuto.errors import ConfigurationError

from .contract import State
from .memory import Memory, MemoryState
from .server import RedisState

__all__ = ["open_state", "state_at"]

_REMOTE = ("redis", "rediss", "unix")
_LIKE = "redis://host:6379/0"
_lock = threading.RLock()
_memories: WeakValueDictionary[str, Memory] = WeakValueDictionary()
_states: dict[str, State] = {}


def open_state(url: str) -> State:
    """A new node of the fleet that meets at ``url``.

    ``redis://host:6379/0``, ``rediss://…`` with TLS, ``unix://…``; ``?namespace=studio`` keeps
    fleets on one server apart. ``memory://name`` is for handlers of one process. Raises
    ConfigurationError for any other, or without the extra.
    """
    try:
        parts = urlsplit(url)
    except ValueError as wrong:  # of brackets that are no address
        raise ConfigurationError("state_url", f"give one such as {_LIKE} ({wrong})") from None
    if parts.scheme == "memory":
        with _lock:
            memory = _memories.get(url)
            if memory is None:
                memory = _memories[url] = Memory()
        return MemoryState(memory)
    if parts.scheme not in _REMOTE:
        raise ConfigurationError(
            "state_url", f"give one such as {_LIKE} or memory://, not {parts.scheme}://"
        )
    query = dict(parse_qsl(parts.query))
    namespace = query.pop("namespace", "tenuto")
    rest = f"?{urlencode(query)}" if query else ""
    return RedisState(url.partition("?")[0] + rest, namespace=namespace)


def state_at(url: str) -> State:
    """The node that all handlers of this process have in common at ``url``. See ``open_state``."""
    with _lock:
        found = _states.get(url)
        if found is None:
            found = _states[url] = open_state(url)
        return found
