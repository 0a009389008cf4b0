"""What Python would have printed, from what the journal has kept of an error."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .source_lines import source_lines

__all__ = ["traceback_text"]

_AFTER = {
    "cause": "The above exception was the direct cause of the following exception:",
    "context": "During handling of the above exception, another exception occurred:",
}
_ITSELF = -1  # the parent of what is directly behind the error


def traceback_text(body: Mapping[str, Any]) -> str:
    """The traceback of an error that was kept whole, causes first.

    Lines of code are not kept. They are looked up here, where this is the machine that they ran
    on and the file has not been changed since.
    """
    return "\n".join(_Traceback(body).told(body, _ITSELF))


class _Traceback:
    def __init__(self, event: Mapping[str, Any]) -> None:
        self._chain: Sequence[Mapping[str, Any]] = event["chain"]
        self._host: str = event["host"]
        self._time: float = event["time"]

    def told(self, link: Mapping[str, Any], number: int) -> Iterator[str]:
        """The lines on ``link``, which has this ``number`` in the chain, and all behind it."""
        behind = [(n, each) for n, each in enumerate(self._chain) if each["parent"] == number]
        for n, each in behind:
            if each["relation"] in _AFTER:
                yield from self.told(each, n)
                yield f"\n{_AFTER[each['relation']]}\n"
        if link["frames"]:
            yield "Traceback (most recent call last):"
        for frame in link["frames"]:
            yield f'  File "{frame["file"]}", line {frame["line"]}, in {frame["function"]}'
            yield from self._code(frame)
        yield f"{link['type']}: {link['message']}" if link["message"] else str(link["type"])
        yield from link["notes"]
        for n, each in behind:
            if each["relation"] not in _AFTER:
                yield "\nMember of the group:\n"
                yield from self.told(each, n)

    def _code(self, frame: Mapping[str, Any]) -> Iterator[str]:
        found = source_lines(frame["file"], frame["line"], host=self._host, since=self._time)
        if found is not None and (line := found.line.strip()):
            yield f"    {line}"
