"""Pass a generator's items on, and remember whether any have flowed."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Iterable
from typing import Any

__all__ = ["Relay", "as_async_generator"]


class Relay:
    """What a ``yield from`` delegates to, in place of the source itself."""

    __slots__ = ("_source", "flowed")

    def __init__(self, source: Iterable[Any]) -> None:
        self._source: Any = iter(source)
        self.flowed = False

    def __iter__(self) -> Any:  # enough of a generator for ``yield from``
        return self

    def __next__(self) -> Any:
        item = next(self._source)
        self.flowed = True
        return item

    def send(self, value: Any) -> Any:
        return self._source.send(value)

    def throw(self, *error: Any) -> Any:
        throw = getattr(self._source, "throw", None)
        if throw is None:  # a plain iterator cannot be told
            raise error[0]
        return throw(*error)

    def close(self) -> None:
        """Let the source clean up, if it can."""
        close = getattr(self._source, "close", None)
        if close is not None:
            close()


def as_async_generator(source: Any) -> AsyncGenerator[Any, Any]:
    """``source`` itself, or one with its items, where it is another kind of iterable."""
    if hasattr(source, "asend"):
        return source  # type: ignore[no-any-return]
    return _items(source)


async def _items(source: AsyncIterable[Any] | Iterable[Any]) -> AsyncGenerator[Any, Any]:
    if isinstance(source, AsyncIterable):
        async for item in source:
            yield item
    else:
        for item in source:
            yield item
