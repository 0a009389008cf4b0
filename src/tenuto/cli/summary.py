"""The end of a run, in figures that add up."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from rich.console import Console
from rich.text import Text

from tenuto.audio.names import path_text
from tenuto.batch import Item, Plan, Summary
from tenuto.batch.budget import Objection
from tenuto.batch.ledger.lines import OUTCOMES_NAME
from tenuto.journal import OutcomeStatus

from .progress import STYLES
from .terminal import count, duration, pad, plain, show_path

__all__ = ["as_dict", "figures", "left_out", "show_next_steps", "show_plan", "show_summary"]

_REMARKS = {
    OutcomeStatus.DEGRADED: "the best there was is written; its line says why",
    OutcomeStatus.QUARANTINED: "nothing is written; --replay tries it again",
}
_MOST_PAIRS = 20


def show_summary(summary: Summary, out: Console) -> None:
    """What has become of the recordings, and that none is missing."""
    out.print(Text(f"\n{count(summary.inputs, 'recording')}, {_work(summary)}\n", style="bold"))
    rows = list(_rows(summary))
    width = len(f"{summary.inputs:,}")
    for number, what, style, remark in rows:
        line = Text(f"  {number:>{width},}  ")
        line.append(pad(what, 21), style).append(remark, "dim")
        line.rstrip()
        out.print(line)
    out.print(f"  {'─' * width}\n  {summary.inputs:>{width},}  in all")
    if summary.bad_rows:
        out.print(Text(f"\n{left_out(summary.bad_rows)}.", style="red"))


def _rows(summary: Summary) -> Iterator[tuple[int, str, str, str]]:
    for status, style in STYLES.items():
        number = summary.statuses[status]
        tiers = ", ".join(f"{n:,} {tier}" for tier, n in summary.tiers.most_common())
        if number or status is OutcomeStatus.ENHANCED:
            remark = tiers if status is OutcomeStatus.ENHANCED else _REMARKS[status]
            yield number, status.value, style, remark
    if summary.finished_earlier:
        yield summary.finished_earlier, "finished earlier", "", "not done again"
    if summary.quarantined_earlier:
        remark = _REMARKS[OutcomeStatus.QUARANTINED]
        yield summary.quarantined_earlier, "quarantined earlier", "red", remark
    if summary.left:
        yield summary.left, "left", "bold", "for the next run"


def left_out(rows: int) -> str:
    """What to say of rows that have no outcome, whatever was wrong with them."""
    return "1 row was left out" if rows == 1 else f"{rows:,} rows were left out"


def _work(summary: Summary) -> str:
    if not summary.ended:
        return "nothing to do" if not summary.left else "none of them done"
    sound, took = duration(summary.audio_seconds), duration(summary.seconds)
    return f"{sound} of sound in {took}: {summary.times_real_time:.1f} × real time"  # noqa: RUF001


def show_next_steps(
    summary: Summary, folder: str, journal: str | None, out: Console, *, errors_kept: bool
) -> None:
    """The commands that show more."""
    where = shlex.quote(show_path(path_text(folder)))
    option = "" if journal is None else f" --journal {shlex.quote(show_path(path_text(journal)))}"
    steps = []
    if summary.left and not isinstance(summary.stopped, Objection):
        steps.append(("the same command again", "goes on where this run stopped"))
    if summary.with_errors and errors_kept:
        steps.append((f"tenuto errors{option}", "what went wrong, by cause"))
    quarantined = summary.statuses[OutcomeStatus.QUARANTINED] or summary.quarantined_earlier
    if quarantined or summary.statuses[OutcomeStatus.DEGRADED]:
        status = OutcomeStatus.QUARANTINED if quarantined else OutcomeStatus.DEGRADED
        steps.append((f"tenuto outcomes {where} --status {status}", "which, and why"))
    else:
        steps.append((f"tenuto outcomes {where}", "how many recordings ended how"))
    if quarantined:
        steps.append(("the same command with --replay", "tries the quarantined again"))
    out.print()
    width = max(len(command) for command, _ in steps) + 2
    for command, what in steps:
        out.print(Text(f"  {pad(command, width)}").append(what, "dim"))


def show_plan(plan: Plan, items: Iterable[Item], out: Console) -> None:
    """What would be done."""
    for item in islice(items, _MOST_PAIRS):
        out.print(
            Text(show_path(path_text(item.input)))
            .append(" → ", "dim")
            .append(show_path(path_text(item.output)))
        )
    if plan.left > _MOST_PAIRS:
        out.print(Text(f"… and {plan.left - _MOST_PAIRS:,} more", style="dim"))
    for why, number in plan.again.items():
        out.print(Text(f"{number:,} done again: {why}", style="dim"))
    for text in plan.bad_rows_first:
        out.print(Text(plain(text), style="red"))
    told = [
        count(plan.inputs, "recording"),
        f"{plan.finished:,} finished" if plan.finished else "",
        f"{plan.quarantined:,} left in quarantine" if plan.quarantined else "",
        left_out(plan.bad_rows) if plan.bad_rows else "",
        f"{count(plan.ignored, 'other file')} ignored",
    ]
    out.print("; ".join(filter(None, told)) + ". Nothing was done.")


def figures(summary: Summary) -> dict[str, Any]:
    """How far a run has got, for machines."""
    return {
        "inputs": summary.inputs,
        **{status.value: summary.statuses[status] for status in OutcomeStatus},
        "finished_earlier": summary.finished_earlier,
        "quarantined_earlier": summary.quarantined_earlier,
        "left": summary.left,
        "ignored": summary.ignored,
        "bad_rows": summary.bad_rows,
        "tiers": dict(summary.tiers),
        "audio_seconds": round(summary.audio_seconds, 3),
        "seconds": round(summary.seconds, 3),
        "times_real_time": round(summary.times_real_time, 2),
    }


def as_dict(summary: Summary, folder: str) -> dict[str, Any]:
    """The summary for machines."""
    return {
        **figures(summary),
        "outcomes": path_text(os.path.join(folder, OUTCOMES_NAME)),  # noqa: PTH118 - as given
        "stopped": summary.stopped,
        "exit_status": summary.exit_status,
    }
