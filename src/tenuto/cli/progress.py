"""Telling people how a run gets on: a bar on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import textwrap
from typing import Self

from rich.cells import cell_len
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn
from rich.text import Text

from tenuto.audio.names import path_text
from tenuto.batch import Plan, Summary
from tenuto.batch.plan import Again
from tenuto.journal import Outcome, OutcomeStatus

from .terminal import TIERS, UNBOUNDED, complain, count, duration, fit, pad, plain, show_path

__all__ = ["EVERY", "STYLES", "Reporter", "outcome_line"]

STYLES = {
    OutcomeStatus.ENHANCED: "green",
    OutcomeStatus.DEGRADED: "yellow",
    OutcomeStatus.QUARANTINED: "red",
}

EVERY = 10.0
"""Seconds between two lines where there is no terminal."""

_WIDTH_OF_FILES = 100
"""Columns by which names are aligned where there is no terminal."""

_SHORT_TIERS = {name: short for short, name in TIERS.items()}

_MOST_LINES = 40
"""Of trouble, on a terminal or not; what is more is in the ledger."""


class Reporter:
    """A watcher of runs that prints.

    ``verbosity`` 0 tells of what went less than well, 1 of every recording, -1 only
    of what people ought to know. ``replays``: something in quarantine was to be tried again.
    """

    def __init__(self, console: Console, verbosity: int, *, replays: bool = False) -> None:
        self._console = console
        self._verbosity = verbosity
        self._replays = replays
        self._lines = 0
        self._told_at = 0.0
        self._bar = Progress(
            SpinnerColumn(),
            BarColumn(bar_width=_bar_width(console)),
            MofNCompleteColumn(),
            TextColumn("{task.description}", markup=False),
            console=console,
            transient=True,
            disable=verbosity < 0 or not console.is_interactive,
        )
        self._task = self._bar.add_task("", total=None)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def began(self, plan: Plan, summary: Summary) -> None:
        if self._verbosity < 0:
            return
        self._say(f"{count(summary.inputs, 'recording')} into {show_path(path_text(plan.folder))}")
        in_vain = self._replays and not plan.again[Again.REPLAYED]
        for number, what in (
            (summary.finished_earlier, "finished earlier, and left alone"),
            (plan.without_input, "of these are kept although their input is gone"),
            (
                summary.quarantined_earlier,
                f"in quarantine, and left there{': --replay asks for others' if in_vain else ''}",
            ),
            (plan.ignored, "ignored: not called like sound, or written by an earlier run"),
            (plan.repeated, "named more than once, and done once"),
        ):
            if number:
                self._say(f"{number:,} {what}", "dim")
        if not plan.complete:
            self._say("the search was interrupted: there may be more", "bold")
        for why, number in plan.again.items():
            self._say(f"{number:,} done again: {why}", "dim")
        for item in plan.renamed_first:
            text = f"{show_path(path_text(item.input))} becomes {show_path(path_text(item.output))}"
            self._say(text, "dim")
        if plan.renamed > len(plan.renamed_first):
            more = plan.renamed - len(plan.renamed_first)
            self._say(f"… and {more:,} more under another name", "dim")
        for text in plan.bad_rows_first:
            self._say(text, "red")
        if plan.bad_rows > len(plan.bad_rows_first):
            more = plan.bad_rows - len(plan.bad_rows_first)
            self._say(f"… and {more:,} more rows were left out", "red")
        self._bar.update(self._task, total=summary.inputs, completed=_done(summary))

    def ended(self, outcome: Outcome, summary: Summary) -> None:  # noqa: ARG002
        worth_telling = self._verbosity > 0 or outcome.reason is not None
        if self._verbosity < 0 or not worth_telling:
            return
        self._lines += 1
        if self._verbosity == 0 and self._lines > _MOST_LINES:
            if self._lines == _MOST_LINES + 1:
                self._say("… more of these are in outcomes.jsonl", "dim")
            return
        self._console.print(outcome_line(outcome, self._console.width))

    def noted(self, text: str) -> None:
        self._say(text, "bold")

    def ticked(self, summary: Summary) -> None:
        done = _done(summary)
        figures = 2 * len(str(summary.inputs)) + 1
        # A spinner, and a blank between the columns; what does not fit, rich would take from all.
        room = self._console.width - _bar_width(self._console) - figures - 4
        pace = fit(_pace(summary, room), max(0, room))
        self._bar.update(self._task, completed=done, description=pace)
        due = summary.seconds - self._told_at >= EVERY
        if due and self._verbosity >= 0 and not self._console.is_interactive:
            self._told_at = summary.seconds
            self._say(f"{done:,} of {summary.inputs:,}  {_pace(summary)}".rstrip())

    def complain(self, text: str) -> None:
        """Say why the command ends."""
        complain(self._console, text)

    def _say(self, text: str, style: str = "") -> None:
        self._console.print(Text(plain(text), style=style))


def outcome_line(outcome: Outcome, width: int) -> Text:
    """One recording on one line; on more, where the reason does not fit beside it."""
    bounded = width < UNBOUNDED
    name_width = max(30, (width if bounded else _WIDTH_OF_FILES) - 64)
    name = show_path(outcome.input, name_width if bounded else None)
    how = outcome.tier if outcome.status is OutcomeStatus.ENHANCED else outcome.status
    line = Text(pad(f"{name}  ", name_width + 2))
    line.append(f"{how or '':14}", STYLES[outcome.status])
    if outcome.reason:
        reason = plain(outcome.reason)
        if line.cell_len + 2 + cell_len(reason) <= width:
            line.append(f"  {reason}", "dim")
        else:  # the advice is at its end: nothing is cut
            line.rstrip()
            for part in textwrap.wrap(reason, width - 4, break_on_hyphens=False):
                line.append(f"\n    {part}", "dim")
    line.rstrip()
    return line


def _done(summary: Summary) -> int:
    return summary.inputs - summary.left


def _bar_width(console: Console) -> int:
    return min(24, console.width // 5)


def _pace(summary: Summary, room: int = UNBOUNDED) -> str:
    """What is told beside the count, in ``room`` columns: what went badly longest of all."""
    if summary.waiting:
        return f"waiting: {plain(summary.waiting)}"
    left = summary.seconds_left
    if left is None or summary.seconds <= 0:
        return ""
    time = f"{duration(left)} left"
    pace = f"{summary.times_real_time:.1f} × real time, {time}"  # noqa: RUF001
    sound = f"{duration(summary.audio_seconds)} of sound at {pace}"
    tiers = [(number, tier) for tier, number in summary.tiers.most_common()]
    long = [f"{number:,} {tier}" for number, tier in tiers]
    short = [f"{number:,} {_SHORT_TIERS.get(tier, tier)}" for number, tier in tiers]
    bad = [
        f"{summary.statuses[status]:,} {status}"
        for status in (OutcomeStatus.DEGRADED, OutcomeStatus.QUARANTINED)
        if summary.statuses[status]
    ]
    ways = ((sound, *long), (sound, *short), (pace, *short), (time, *short), (pace,), (time,), ())
    for way in ways:
        told = " · ".join((*way, *bad))
        if cell_len(told) <= room:
            return told
    return " · ".join(bad[-1:])
