"""Many who fail alike, one after the other: that is not their own doing.

When each of a row of different patients has the same complaint, one looks at the well. One patient
who complains to many doctors is ill himself: however often, it counts once.
"""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["CommonCause"]


@dataclass(slots=True)
class _Row:
    """The failures at one step since one last went well there, as far as they are alike."""

    how: str = ""
    who: set[str] = field(default_factory=set)


class CommonCause:
    """Watches the steps of many pieces of work; ``alike`` in a row have a cause in common.

    ``step`` names a step, ``how`` a way to fail: the same for the same fault. ``who`` is what was
    worked on, by what it is, not by what it is called.
    """

    __slots__ = ("_alike", "_innocent", "_rows")

    def __init__(self, alike: int = 20) -> None:
        self._alike = alike
        self._rows: dict[str, _Row] = {}
        self._innocent: dict[str, str] = {}

    def passed(self, step: str) -> None:
        """A piece of work got past ``step``: whatever failed there before was not the step."""
        self._rows.pop(step, None)
        self._innocent.pop(step, None)

    def failed(self, step: str, how: str, who: str, alike: int | None = None) -> bool:
        """``who`` failed at ``step``. True: so many failed alike that it is hardly their doing.

        It is said again for each further one, until somebody passes or they are acquitted. Of a
        fault that is rarer than others fewer are enough: ``alike``.
        """
        row = self._rows.get(step)
        if row is None or row.how != how:
            row = self._rows[step] = _Row(how)
        if len(row.who) < self._alike:
            row.who.add(who)
        enough = self._alike if alike is None else min(alike, self._alike)
        return len(row.who) >= enough and not self.is_acquitted(step, how)

    def is_acquitted(self, step: str, how: str) -> bool:
        """Whether those who fail so at ``step`` are known to do it by themselves."""
        return self._innocent.get(step) == how

    def acquit(self, step: str, how: str) -> None:
        """They did fail by themselves: no more alarms for this, until somebody passes."""
        self._innocent[step] = how
