"""The bytes that have killed workers, under whatever name, as the journal remembers them.

What is remembered is which step they killed, and by which error, so that the evidence is at hand
wherever the same bytes turn up: under another name, or in a later run.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence

from tenuto.journal import Attempt, AttemptEnd, Journal

__all__ = ["FATAL", "Poison"]

FATAL = 2
"""Deaths that prove it. One may be an accident."""

_WORK = "bytes that kill workers"
"""What the attempts are called in the journal that this is kept in."""

_MOST = 1_000
"""Contents that are remembered at once: who has more of them has another trouble."""


class Poison:
    """Which contents are deadly, and where. ``amnesty``: what earlier runs saw does not count."""

    def __init__(self, journal: Journal, *, amnesty: bool = False) -> None:
        self._journal = journal
        self._deaths: OrderedDict[str, dict[str, list[str]]] = OrderedDict()
        self.deadly: tuple[str, ...] = ()
        """The contents that have killed often enough in one way to be known by it."""
        for attempt in () if amnesty else journal.attempts(_WORK):
            content, _, step = attempt.step.partition(" ")
            if attempt.ended is AttemptEnd.FAILED:
                self._remember(content, step, attempt.error_id or "")
            else:
                self._forget(content, step)
        self._count()

    def killed(self, content: str, step: str, error: str) -> None:
        """Bytes with the hash ``content`` killed a worker at ``step``; ``error`` is the event."""
        self._remember(content, step, error)
        self._count()
        self._write(content, step, AttemptEnd.FAILED, error)

    def survived(self, content: str, steps: Iterable[str]) -> None:
        """A worker got through these ``steps`` with it: what was deadly about them is no more."""
        if content not in self._deaths:
            return
        for step in steps:
            if self._forget(content, step):
                self._write(content, step, AttemptEnd.SUCCEEDED)
        self._count()

    def deaths(self, content: str) -> Mapping[str, Sequence[str]]:
        """The events of the deaths of ``content``, by the step that they happened at."""
        return self._deaths.get(content, {})

    def _remember(self, content: str, step: str, error: str) -> None:
        self._deaths.setdefault(content, {}).setdefault(step, []).append(error)
        self._deaths.move_to_end(content)
        if len(self._deaths) > _MOST:
            self._deaths.popitem(last=False)

    def _forget(self, content: str, step: str) -> bool:
        steps = self._deaths.get(content, {})
        if step not in steps:
            return False
        del steps[step]
        if not steps:
            del self._deaths[content]
        return True

    def _count(self) -> None:
        self.deadly = tuple(
            content
            for content, steps in self._deaths.items()
            if any(len(errors) >= FATAL for errors in steps.values())
        )

    def _write(self, content: str, step: str, ended: AttemptEnd, error: str | None = None) -> None:
        self._journal.open_attempt(
            Attempt(work=_WORK, step=f"{content} {step}", ended=ended, error_id=error)
        )
