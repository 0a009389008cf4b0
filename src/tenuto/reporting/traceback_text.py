"""What Python would have printed, from what the journal has kept of an error."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

__all__ = ["traceback_text"]

_AFTER = {
    "cause": "The above exception was the direct cause of the following exception:",
    "context": "During handling of the above exception, another exception occurred:",
}
_ITSELF = -1  # the parent of what is directly behind the error


def traceback_text(body: Mapping[str, Any]) -> str:
    """The traceback of an error that was kept whole, causes first; lines of code are not kept."""
    return "\n".join(_told(body, _ITSELF, body["chain"]))


def _told(
    link: Mapping[str, Any], number: int, chain: Sequence[Mapping[str, Any]]
) -> Iterator[str]:
    behind = [(n, each) for n, each in enumerate(chain) if each["parent"] == number]
    for n, each in behind:
        if each["relation"] in _AFTER:
            yield from _told(each, n, chain)
            yield f"\n{_AFTER[each['relation']]}\n"
    if link["frames"]:
        yield "Traceback (most recent call last):"
    for frame in link["frames"]:
        yield f'  File "{frame["file"]}", line {frame["line"]}, in {frame["function"]}'
    yield f"{link['type']}: {link['message']}" if link["message"] else str(link["type"])
    yield from link["notes"]
    for n, each in behind:
        if each["relation"] not in _AFTER:
            yield "\nMember of the group:\n"
            yield from _told(each, n, chain)
