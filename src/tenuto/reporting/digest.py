"""What somebody should be told of at once, out of what the journal has to tell; a line for each.

Not every error is news: a fault that was never seen before, one that is back after a quiet time, a
setting that is wrong, and a circuit that opened or closed are.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tenuto.errors import FaultClass
from tenuto.journal import Journal, Record

from .oneline import one_line

__all__ = ["Digest", "digest_of"]

_LINES = 20
_LINE = 240  # characters
_MESSAGE = 120
_SERVICE = 40
_TELLING = {"open", "closed"}  # the states of a circuit that somebody waits for
_CALLING = re.compile(r"(?<!\w)@(?=\w)|<(?=[!@#])")  # how chats are made to ring everybody's bell


class Digest(NamedTuple):
    """A message: a ``title`` and lines, and the ``time`` of the first thing that it is about."""

    title: str
    lines: tuple[str, ...]
    time: float


@dataclass(slots=True)
class _Fault:
    """A group of errors that is news, and how often it has struck since."""

    body: Mapping[str, Any]
    quiet: float | None  # seconds before it, since the group was last seen; None: it is new
    count: int = 1

    @property
    def wrong_setting(self) -> bool:
        return bool(self.body["fault_class"] == FaultClass.CONFIGURATION)


@dataclass(slots=True)
class _Circuit:
    time: float
    opened: int = 0
    open: bool = False
    reason: str = ""


@dataclass(slots=True)
class _News:
    faults: dict[str, _Fault] = field(default_factory=dict)
    circuits: dict[str, _Circuit] = field(default_factory=dict)


def digest_of(
    records: Sequence[Record], journal: Journal, *, host: str, quiet: float, quiet_setting: float
) -> Digest | None:
    """What is news in ``records``, which come next in ``journal``; None where nothing is.

    A group is back where it was not seen for ``quiet`` seconds; a wrong setting, for
    ``quiet_setting``.
    """
    news, known = _News(), set[str]()
    for record in records:
        body = record.body
        if record.kind == "transition":
            _add_transition(news, body)
            continue
        group = body["fingerprint"]
        if group in news.faults:
            news.faults[group].count += record.untold
        elif record.kind == "event" and group not in known:
            fault = _fault(record, journal, quiet, quiet_setting)
            if fault is None:
                known.add(group)
            else:
                news.faults[group] = fault
    times = [fault.body["time"] for fault in news.faults.values()]
    times += [circuit.time for circuit in news.circuits.values()]
    if not times:
        return None
    return Digest(_title(host, news), _bounded(_lines(news)), min(times))


def _fault(record: Record, journal: Journal, quiet: float, quiet_setting: float) -> _Fault | None:
    body = record.body
    if body["fault_class"] == FaultClass.CANCELLED:
        return None
    before = journal.seen_before(body["fingerprint"], record.position)
    if before is None:
        return _Fault(body, None)
    fault = _Fault(body, body["time"] - before)
    limit = quiet_setting if fault.wrong_setting else quiet
    return fault if body["time"] - before >= limit else None


def _add_transition(news: _News, body: Mapping[str, Any]) -> None:
    if body["after"] not in _TELLING:
        return
    circuit = news.circuits.setdefault(body["policy"], _Circuit(body["time"]))
    circuit.open = body["after"] == "open"
    if circuit.open:
        circuit.opened += 1
        circuit.reason = body["reason"]


def _title(host: str, news: _News) -> str:
    faults = Counter(map(_kind, news.faults.values()))
    parts = [f"{faults[kind]} {kind}" for kind in _KINDS if faults[kind]]
    still = sum(circuit.open for circuit in news.circuits.values())
    for number, state in ((still, "open"), (len(news.circuits) - still, "closed again")):
        if number:
            parts.append(f"{number} circuit{'s' if number > 1 else ''} {state}")
    return _plain(f"Tenuto on {host}: {', '.join(parts)}", _LINE)


_KINDS = ("wrong setting", "new", "back")


def _kind(fault: _Fault) -> str:
    if fault.wrong_setting:
        return "wrong setting"
    return "new" if fault.quiet is None else "back"


def _lines(news: _News) -> Iterable[str]:
    """The most urgent first."""
    faults = sorted(news.faults.values(), key=lambda fault: _KINDS.index(_kind(fault)))
    settings = sum(fault.wrong_setting for fault in faults)
    yield from map(_fault_line, faults[:settings])
    for name, circuit in news.circuits.items():
        yield _circuit_line(name, circuit)
    yield from map(_fault_line, faults[settings:])


def _fault_line(fault: _Fault) -> str:
    body = fault.body
    headline = _plain(f"{body['type']}: {body['message']}", _MESSAGE)
    service = f"{_plain(body['service'], _SERVICE)}, " if body["service"] else ""
    often = "" if fault.count == 1 else f", {fault.count} times"
    after = "" if fault.quiet is None else f", after {_span(fault.quiet)} of quiet"
    where = f"{service}{body['fault_class']}, {body['where']}{often}{after}"
    return _plain(f"{_kind(fault)}: {headline} ({where})", _LINE)


def _circuit_line(name: str, circuit: _Circuit) -> str:
    if not circuit.opened:
        return _plain(f"circuit {name}: closed again", _LINE)
    often = "" if circuit.opened == 1 else f" {circuit.opened} times"
    reason = f" ({circuit.reason})" if circuit.reason else ""
    now = "" if circuit.open else ", closed again"
    return _plain(f"circuit {name}: opened{often}{reason}{now}", _LINE)


def _bounded(lines: Iterable[str]) -> tuple[str, ...]:
    told = list(lines)
    more = len(told) - _LINES
    if more > 0:
        told[_LINES:] = [f"and {more} more: tenuto errors"]
    return tuple(told)


def _plain(text: str, longest: int) -> str:
    """Text of one line that rings nobody's bell."""
    text = _CALLING.sub(lambda found: f"{found[0]} ", one_line(text))
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def _span(seconds: float) -> str:
    for unit, name in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= unit:
            return f"{seconds / unit:.0f} {name}"
    return f"{seconds:.0f} s"
