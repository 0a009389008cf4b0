"""One error, told in full."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

from rich.console import Console
from rich.text import Text

from tenuto.capture import ErrorEvent, Frame, Link, Plain
from tenuto.errors import FaultClass
from tenuto.reporting.source_lines import source_lines

from .history import attempt_lines, outcome_line, transition_lines, try_lines
from .surroundings import Surroundings
from .terminal import fit, moment, plain

__all__ = ["FAULT_STYLES", "show_event"]

FAULT_STYLES = {
    FaultClass.DATA: "yellow",
    FaultClass.QUALITY: "yellow",
    FaultClass.RESOURCE: "magenta",
    FaultClass.INFRASTRUCTURE: "magenta",
    FaultClass.CONFIGURATION: "red",
    FaultClass.BUG: "red",
    FaultClass.CANCELLED: "dim",
}

_LONGEST_VALUE = 2_000
"""Characters. The whole is in ``--json``."""

_RELATIONS = {
    "cause": "Caused by",
    "context": "While handling",
    "member": "Member",
}


def show_event(event: ErrorEvent, around: Surroundings, out: Console) -> None:
    """Print what is known of ``event``: what, whose fault, where, with what, because of what."""
    out.print(Text(plain(event.type), style="bold").append(f": {plain(event.message)}", "not bold"))
    _show_notes(event.notes, "", out)
    out.print()
    for name, text, style in _facts(event, around):
        out.print(Text(f"{name:10}", style="dim").append(plain(text), style))
    _show_lines("Attempts", attempt_lines(event), out)
    _show_lines("Tries at its input", try_lines(around.tries, around.asked), out)
    _show_lines("Policies around it", transition_lines(around.transitions, event.time), out)
    _show_values("Details", event.details, out)
    _show_values("Context", event.context, out)
    if event.frames:
        out.print(Text("\nTraceback, the innermost last", style="bold"))
    _show_frames(event.frames, event, "", out)
    for depth, link in _from_the_top(event.chain):
        indent = "  " * depth
        out.print(
            Text(f"\n{indent}{_RELATIONS[link.relation]} ", style="dim").append(
                f"{plain(link.type)}: {plain(link.message)}", "not dim bold"
            )
        )
        _show_notes(link.notes, indent, out)
        _show_frames(link.frames, event, indent, out)


def _facts(event: ErrorEvent, around: Surroundings) -> Iterator[tuple[str, str, str]]:
    yield "Fault", event.fault_class.value, FAULT_STYLES[event.fault_class]
    yield "When", moment(event.time), ""
    if event.where:
        yield "Where", event.where, ""
    yield "Process", f"{event.pid} on {event.host}, thread {event.thread}", ""
    if event.service:
        yield "Service", event.service, ""
    yield "Id", event.id, ""
    if around.asked != event.id:
        number = around.asked.rpartition("-")[2]
        yield "Asked for", f"repeat {number} of it, which was only counted", "yellow"
    yield "Group", event.fingerprint, ""
    if around.repeats:
        yield "Repeats", f"{around.repeats:,} more like it were only counted", ""
    if event.trace_id:
        yield "Trace", f"{event.trace_id}, span {event.span_id or 'unknown'}", ""
    if around.outcome is not None:
        yield "Outcome", outcome_line(around.outcome), ""


def _from_the_top(chain: Sequence[Link]) -> Iterator[tuple[int, Link]]:
    """Each exception before those behind it, and the number of groups that it is a member of."""
    behind: dict[int, list[int]] = {}
    for number in reversed(range(len(chain))):
        if chain[number].parent < number:  # what is behind comes later: no circles
            behind.setdefault(chain[number].parent, []).append(number)
    todo = [(number, 0) for number in behind.get(-1, ())]
    while todo:
        number, depth = todo.pop()
        within = depth + (chain[number].relation == "member")
        yield within, chain[number]
        todo += [(each, within) for each in behind.get(number, ())]


def _show_notes(notes: Sequence[str], indent: str, out: Console) -> None:
    for note in notes:
        for line in note.splitlines():
            out.print(Text(f"{indent}  {plain(line)}", style="italic"))


def _show_lines(title: str, lines: Iterator[str], out: Console) -> None:
    for number, line in enumerate(lines):
        if not number:
            out.print(Text(f"\n{title}", style="bold"))
        out.print(f"  {fit(line, _LONGEST_VALUE)}")


def _show_values(title: str, values: Mapping[str, Plain], out: Console) -> None:
    if not values:
        return
    out.print(Text(f"\n{title}", style="bold"))
    for name, value in values.items():
        text = value if isinstance(value, str) else json.dumps(value)
        first, *more = text.splitlines() or [""]
        out.print(Text(f"  {plain(name)}  ", style="dim").append(fit(first, _LONGEST_VALUE)))
        for line in more:
            out.print(f"      {fit(line, _LONGEST_VALUE)}")


def _show_frames(frames: Sequence[Frame], event: ErrorEvent, indent: str, out: Console) -> None:
    width = max(20, out.width - len(indent) - 6)
    for frame in frames:
        style = "" if frame.in_app else "dim"
        place = f"{plain(frame.file)}:{frame.line} in {plain(frame.function)}"
        out.print(Text(f"{indent}  {place}", style=style))
        source = source_lines(frame.file, frame.line, host=event.host, since=event.time)
        if source is not None:
            out.print(Text(f"{indent}    {fit(source.line.strip(), width + 2)}", style=style))
        for name, value in frame.locals.items():
            if name.startswith("__"):
                continue  # what every module has
            text = value if isinstance(value, str) else json.dumps(value)
            out.print(Text(f"{indent}      {fit(f'{name} = {text}', width)}", style="dim"))
