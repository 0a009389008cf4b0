"""Telling other programs how a run gets on: one JSON object a line."""

from __future__ import annotations

import json
from typing import Any, Self, TextIO

from tenuto.audio.names import path_text
from tenuto.batch import Plan, Summary
from tenuto.journal import Outcome

from .progress import EVERY
from .summary import figures

__all__ = ["JsonReporter"]


class JsonReporter:
    """A watcher of runs for other programs. ``verbosity`` is as with ``Reporter``.

    Each object has an ``event``: ``began``, ``progress``, ``outcome``, ``note`` or ``error``.
    """

    def __init__(self, stream: TextIO, verbosity: int) -> None:
        self._stream = stream
        self._verbosity = verbosity
        self._told_at = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is held."""

    def began(self, plan: Plan, summary: Summary) -> None:
        if self._verbosity >= 0:
            self._tell(
                "began",
                folder=path_text(plan.folder),
                complete=plan.complete,
                again={why.name.lower(): number for why, number in plan.again.items()},
                without_input=plan.without_input,
                repeated=plan.repeated,
                renamed=plan.renamed,
                bad_rows_first=plan.bad_rows_first,
                **figures(summary),
            )

    def ended(self, outcome: Outcome, summary: Summary) -> None:  # noqa: ARG002
        if self._verbosity > 0:
            self._tell("outcome", **outcome.to_dict())

    def noted(self, text: str) -> None:
        self._tell("note", text=text)

    def ticked(self, summary: Summary) -> None:
        if self._verbosity >= 0 and summary.seconds - self._told_at >= EVERY:
            self._told_at = summary.seconds
            estimate = {"seconds_left": summary.seconds_left, "waiting": summary.waiting}
            self._tell("progress", **figures(summary), **estimate)

    def complain(self, text: str) -> None:
        """Say why the command ends."""
        self._tell("error", text=text)

    def _tell(self, event: str, **told: Any) -> None:
        print(json.dumps({"event": event, **told}), file=self._stream, flush=True)
