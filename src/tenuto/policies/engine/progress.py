"""How far one call under a retry has come, and what to do next.

Made after a first failure, so that a call that goes well pays nothing for it. To tenacity's
``wait_*``, ``stop_*`` and ``retry_if_*`` it looks like a ``RetryCallState``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from tenuto.clock import Clock
from tenuto.errors import FaultClass
from tenuto.errors.classification import Told, fault_of, told_by_type
from tenuto.policies.deadline import limit, time_left
from tenuto.policies.events import (
    Attempt,
    EventKind,
    PolicyEvent,
    StopReason,
    announce,
    hook_failed,
)
from tenuto.policies.hints import sane_seconds, server_hint

from .contracts import RetryTerms
from .ending import ResultRejectedError, final_error
from .lineage import past_of
from .outcome import Outcome

__all__ = ["Progress", "ResultRejectedError"]

_LONGEST_HISTORY = 50  # attempts: an endless retry must not grow an endless list

# Looking a member up in its class takes as long as three attributes.
_INFRASTRUCTURE, _CANCELLED = FaultClass.INFRASTRUCTURE, FaultClass.CANCELLED


class Progress:
    """The state of one call: ``attempt_number`` counts from 1; times are monotonic seconds."""

    __slots__ = (
        "_attempt_started",
        "_call",
        "_courses",
        "_given_up_before",
        "_history",
        "_name",
        "_retry",
        "attempt_number",
        "clock",
        "idle_for",
        "outcome",
        "outcome_timestamp",
        "start_time",
        "upcoming_sleep",
    )

    next_action = None
    """Nothing: tenacity's ``sleep`` callbacks are not called."""

    def __init__(
        self,
        retry: RetryTerms,
        name: str,
        call: tuple[Callable[..., Any] | None, tuple[Any, ...], Mapping[str, Any]],
        given_up_before: int,
        *,
        begun: bool,
    ) -> None:
        self._retry = retry
        self._name = name
        self._given_up_before = given_up_before
        self._history: list[tuple[int, FaultClass | None, float | None, float | None]] = []
        self._courses: dict[int, _Course] | None = None
        self.clock: Clock = retry.clock
        self._call = call
        self.attempt_number = 1
        self.idle_for = 0.0
        self.upcoming_sleep = 0.0
        self.outcome: Outcome | None = None
        self.outcome_timestamp: float | None = None
        # A first attempt that began before anybody looked at the clock counts from its end.
        self.start_time = now = retry.clock.monotonic()
        self._attempt_started = None if begun else now

    @property
    def fn(self) -> Callable[..., Any] | None:
        return self._call[0]

    @property
    def args(self) -> tuple[Any, ...]:
        return self._call[1]

    @property
    def kwargs(self) -> Mapping[str, Any]:
        return self._call[2]

    @property
    def seconds_since_start(self) -> float | None:
        if self.outcome_timestamp is None:
            return None
        return self.outcome_timestamp - self.start_time

    def begin_again(self) -> None:
        """The wait is over, the next attempt starts."""
        self.attempt_number += 1
        # Where there was no wait, the attempt begins when the one before it ended.
        self._attempt_started = (
            self.clock.monotonic() if self.upcoming_sleep > 0.0 else self.outcome_timestamp
        )

    def judge(self, outcome: Outcome, handled: BaseException | None = None) -> float | None:
        """Seconds to wait before the next attempt; None: ``outcome`` is final.

        A result that is not acceptable becomes an error when no further attempt is made.
        ``handled`` is what the caller was handling when it made the call, where that cannot be
        seen from here.
        """
        error, fault, duration, told = outcome.error, None, None, None
        if error is None and not self._retry.judges_results:
            self.succeed()
            return None
        self.outcome = outcome
        if self._attempt_started is None:
            self.outcome_timestamp = self.start_time
        else:
            self.outcome_timestamp = self.clock.monotonic()
            duration = self.outcome_timestamp - self._attempt_started
        if error is not None:
            told = told_by_type(error)
            fault = (fault_of(error) if told is None else told[0]) or _INFRASTRUCTURE
            if fault is _CANCELLED or not isinstance(error, Exception):
                return None
        elif self._accepts_result():
            self.succeed()
            return None
        reason = self._why_stop(outcome, fault, handled, told)
        wait = self.upcoming_sleep if reason is None else None
        self._history.append((self.attempt_number, fault, wait, duration))
        if self.attempt_number > _LONGEST_HISTORY:
            del self._history[0]
        if wait is None:
            self._give_up(outcome, fault, reason)
            return None
        if self._retry.on_event is not None:
            self._tell(EventKind.RETRIED, error, fault)
        self.idle_for += wait
        self.outcome = None  # nothing of the failed attempt is held during the wait
        return wait

    def succeed(self) -> None:
        """The call went well."""
        budget = self._retry.budget
        if budget is not None:
            budget.tally.successes += 1
        if self._history and self._retry.on_event is not None:
            self._tell(EventKind.RECOVERED)

    def _why_stop(  # noqa: C901, PLR0912  # written out: each layer of calls would cost as much
        self,
        outcome: Outcome,
        fault: FaultClass | None,
        handled: BaseException | None,
        told: Told | None,
    ) -> StopReason | None:
        """What speaks against one more attempt: first of all the failure, then the terms."""
        if not outcome.replayable:
            return StopReason.ITEMS_FLOWED
        error, retry = outcome.error, self._retry
        terms, hint, refusal = retry, None, None
        state: Progress | _Course = self
        try:
            if error is not None:
                if told is None:
                    given_up, refusal = past_of(error, handled)
                    if given_up > self._given_up_before and not terms.repeat_given_up:
                        return StopReason.GIVEN_UP_INSIDE
                if terms.rules is not None:
                    terms = terms.rules(error, fault) or terms
                if refusal is not None and terms.shuns_refusals and not refusal.passes_soon:
                    return StopReason.REFUSED
                if terms.retry is not None:
                    wanted = terms.retry(self)
                elif terms.matches is not None:
                    wanted = terms.matches(error)
                else:
                    wanted = fault is _INFRASTRUCTURE
                if not wanted:
                    return StopReason.NOT_RETRYABLE
                if refusal is not None and refusal.passes_soon:
                    hint = sane_seconds(refusal.retry_after)
                hints = terms.hints
                if told is not None and hints is server_hint:
                    hints = None  # it has no attributes to tell how long to wait
                if hint is None and hints is not None:
                    hint = hints(error)
            if retry.rules is not None:
                state = self._course(terms)
            if hint is None:
                wait = terms.waits(state)
                wait = float(wait) if 0.0 < wait < math.inf else 0.0
            else:
                wait = hint
            self.upcoming_sleep = state.upcoming_sleep = wait
            if terms.calls is not None:
                if state.attempt_number >= terms.calls:
                    return StopReason.ATTEMPTS
            elif terms.stop is not None and terms.stop(state):
                return StopReason.CONDITION
            if limit() is not None and wait >= (time_left() or 0.0):
                return StopReason.DEADLINE
            if hint is not None and hint > retry.max_hint:
                return StopReason.HINT_TOO_LONG
            # A call that was refused burdens nobody, and nor does its repetition.
            if retry.budget is not None and refusal is None:
                return None if retry.budget.spend(error, fault) else StopReason.BUDGET
            return None
        except Exception as broken:  # a rule's bug must not replace the user's own error
            hook_failed(broken)
            return StopReason.BROKEN_RULE

    def _course(self, terms: RetryTerms) -> _Course:
        """The errors so far that went by ``terms``, and this one."""
        if self._courses is None:
            self._courses = {}
        course = self._courses.setdefault(id(terms), _Course(self))
        course.attempt_number += 1
        return course

    def _accepts_result(self) -> bool:
        retry = self._retry.retry
        try:
            return retry is None or not retry(self)
        except Exception as broken:  # a rule's bug must not cost the user the result
            hook_failed(broken)
            return True

    def _give_up(
        self, outcome: Outcome, fault: FaultClass | None, reason: StopReason | None
    ) -> None:
        assert reason is not None
        if outcome.error is None:
            outcome.error = ResultRejectedError(outcome.value)
        if reason is StopReason.BUDGET:
            self._tell(EventKind.SUPPRESSED, outcome.error, fault, reason)
        outcome.error = final_error(
            outcome.error, self._name, reason, self._told_history(), self._retry.raise_as
        )
        self._tell(EventKind.GAVE_UP, outcome.error, fault, reason)

    def _told_history(self) -> tuple[Attempt, ...]:
        return tuple(map(Attempt._make, self._history))

    def _tell(
        self,
        kind: EventKind,
        error: BaseException | None = None,
        fault: FaultClass | None = None,
        reason: StopReason | None = None,
    ) -> None:
        if self._retry.on_event is None:
            return
        announce(
            self._retry.on_event,
            PolicyEvent(
                kind,
                "retry",
                self._name,
                error=error,
                fault_class=fault,
                attempt=self.attempt_number,
                wait=self.upcoming_sleep if kind is EventKind.RETRIED else None,
                reason=reason,
                history=self._told_history(),
            ),
        )


class _Course:
    """The state of one call as the rule for some of its errors sees it: with their number."""

    __slots__ = ("_progress", "attempt_number", "upcoming_sleep")

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self.attempt_number = 0
        self.upcoming_sleep = 0.0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._progress, name)
