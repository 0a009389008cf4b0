"""One error, told in full."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from rich.console import Console
from rich.text import Text

from tenuto.capture import ErrorEvent, Frame, Plain
from tenuto.errors import FaultClass

from .terminal import fit, plain

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


def show_event(event: ErrorEvent, repeats: int, out: Console) -> None:
    """Print what is known of ``event``: what, whose fault, where, with what, because of what."""
    out.print(Text(plain(event.type), style="bold").append(f": {plain(event.message)}", "not bold"))
    for note in event.notes:
        out.print(Text(f"  {plain(note)}", style="italic"))
    out.print()
    for name, text, style in _facts(event, repeats):
        out.print(Text(f"{name:10}", style="dim").append(plain(text), style))
    _show_values("Details", event.details, out)
    _show_values("Context", event.context, out)
    if event.frames:
        out.print(Text("\nTraceback", style="bold"))
    _show_frames(event.frames, out)
    for link in event.chain:
        out.print(
            Text(f"\n{_RELATIONS[link.relation]} ", style="dim").append(
                f"{plain(link.type)}: {plain(link.message)}", "not dim bold"
            )
        )
        _show_frames(link.frames, out)


_RELATIONS = {
    "cause": "Caused by",
    "context": "While handling",
    "member": "Member",
}


def _facts(event: ErrorEvent, repeats: int) -> Iterator[tuple[str, str, str]]:
    when = datetime.fromtimestamp(event.time).astimezone().strftime("%Y-%m-%d %H:%M:%S %z")
    yield "Fault", event.fault_class.value, FAULT_STYLES[event.fault_class]
    yield "When", when, ""
    if event.where:
        yield "Where", event.where, ""
    yield "Process", f"{event.pid} on {event.host}, thread {event.thread}", ""
    if event.service:
        yield "Service", event.service, ""
    yield "Id", event.id, ""
    yield "Group", event.fingerprint, ""
    if repeats:
        yield "Repeats", f"{repeats:,} more like it were only counted", ""
    if event.handled_by:
        yield "Handled", ", ".join(event.handled_by), ""


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


def _show_frames(frames: Sequence[Frame], out: Console) -> None:
    for frame in frames:
        style = "" if frame.in_app else "dim"
        out.print(
            Text(f"  {plain(frame.file)}:{frame.line} in {plain(frame.function)}", style=style)
        )
        for name, value in frame.locals.items():
            text = value if isinstance(value, str) else json.dumps(value)
            out.print(Text(f"      {fit(f'{name} = {text}', max(20, out.width - 6))}", style="dim"))
