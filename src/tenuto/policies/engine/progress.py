"""How far one call under a retry has come, and what to do next.

Made after a first failure, so that a call that goes well pays nothing for it. To tenacity's
``wait_*``, ``stop_*`` and ``retry_if_*`` it looks like a ``RetryCallState``.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from tenuto.errors import FaultClass, TenutoError, classify
from tenuto.policies.deadline import time_left
from tenuto.policies.events import (
    Attempt,
    EventKind,
    PolicyEvent,
    StopReason,
    announce,
    hook_failed,
)

from .contracts import RetryTerms
from .lineage import given_up_since, is_refusal, mark_given_up
from .outcome import Outcome

__all__ = ["Progress", "ResultRejectedError"]

_LONGEST_HISTORY = 50  # attempts: an endless retry must not grow an endless list
_NOTE = "tenuto: "


class ResultRejectedError(TenutoError):
    """The attempts are used up and the last ``result`` is still not acceptable."""

    fault_class = FaultClass.QUALITY
    fields = ("result",)

    def describe(self) -> str:
        return "no attempt returned an acceptable result"


class Progress:
    """The state of one call: ``attempt_number`` counts from 1; times are monotonic seconds."""

    __slots__ = (
        "_attempt_started",
        "_given_up_before",
        "_history",
        "_name",
        "_retry",
        "args",
        "attempt_number",
        "clock",
        "fn",
        "idle_for",
        "kwargs",
        "next_action",
        "outcome",
        "outcome_timestamp",
        "start_time",
        "upcoming_sleep",
    )

    def __init__(
        self,
        retry: RetryTerms,
        name: str,
        call: tuple[Callable[..., Any], tuple[Any, ...], Mapping[str, Any]],
        *,
        given_up_before: int,
        begun: bool,
    ) -> None:
        self._retry = retry
        self._name = name
        self._given_up_before = given_up_before
        self._history: deque[Attempt] = deque(maxlen=_LONGEST_HISTORY)
        self.clock = retry.clock
        self.fn, self.args, self.kwargs = call
        self.attempt_number = 1
        self.idle_for = 0.0
        self.upcoming_sleep = 0.0
        self.next_action = None
        self.outcome: Outcome | None = None
        self.outcome_timestamp: float | None = None
        # A first attempt that began before anybody looked at the clock counts from its end.
        self.start_time = self.clock.monotonic()
        self._attempt_started = None if begun else self.start_time

    @property
    def seconds_since_start(self) -> float | None:
        if self.outcome_timestamp is None:
            return None
        return self.outcome_timestamp - self.start_time

    def begin_again(self) -> None:
        """The wait is over, the next attempt starts."""
        self.attempt_number += 1
        self._attempt_started = self.clock.monotonic()

    def judge(self, outcome: Outcome) -> float | None:
        """Seconds to wait before the next attempt; None: ``outcome`` is final.

        A result that is not acceptable becomes an error when no further attempt is made.
        """
        self.outcome, self.outcome_timestamp = outcome, self.clock.monotonic()
        error = outcome.error
        fault = None if error is None else classify(error, FaultClass.INFRASTRUCTURE)
        if error is None:
            if self._accepts_result():
                if self._history:
                    self._tell(EventKind.RECOVERED)
                return None
        elif fault is FaultClass.CANCELLED or not isinstance(error, Exception):
            return None
        reason = self._why_stop(outcome, fault)
        wait = self.upcoming_sleep if reason is None else None
        began = self._attempt_started
        duration = None if began is None else self.outcome_timestamp - began
        self._history.append(Attempt(self.attempt_number, fault, wait, duration))
        if reason is not None:
            self._give_up(outcome, fault, reason)
            return None
        self._tell(EventKind.RETRIED, error, fault)
        self.idle_for += self.upcoming_sleep
        self.outcome = None  # nothing of the failed attempt is held during the wait
        return wait

    def _why_stop(self, outcome: Outcome, fault: FaultClass | None) -> StopReason | None:
        retry, error = self._retry, outcome.error
        if not outcome.replayable:
            return StopReason.ITEMS_FLOWED
        try:
            if error is not None:
                if not retry.repeat_given_up and given_up_since(error, self._given_up_before):
                    return StopReason.GIVEN_UP_INSIDE
                if retry.shuns_refusals and is_refusal(error):
                    return StopReason.REFUSED
                if not self._wants_another(error, fault):
                    return StopReason.NOT_RETRYABLE
            self.upcoming_sleep = self._next_wait(error)
            if retry.calls is not None:
                if self.attempt_number >= retry.calls:
                    return StopReason.ATTEMPTS
            elif retry.stop is not None and retry.stop(self):
                return StopReason.CONDITION
        except Exception as broken:  # a rule's bug must not replace the user's own error
            hook_failed(broken)
            return StopReason.BROKEN_RULE
        left = time_left()
        return StopReason.DEADLINE if left is not None and self.upcoming_sleep >= left else None

    def _accepts_result(self) -> bool:
        retry = self._retry
        if retry.retry is None or not retry.judges_results:
            return True
        try:
            return not retry.retry(self)
        except Exception as broken:  # a rule's bug must not cost the user the result
            hook_failed(broken)
            return True

    def _wants_another(self, error: BaseException, fault: FaultClass | None) -> bool:
        retry = self._retry
        return retry.matches(error, fault) if retry.retry is None else bool(retry.retry(self))

    def _next_wait(self, error: BaseException | None) -> float:
        hint = getattr(error, "retry_after", None)
        if isinstance(hint, (int, float)) and not isinstance(hint, bool) and 0 < hint < math.inf:
            return float(hint)
        wait = float(self._retry.waits(self))
        return wait if 0 < wait < math.inf else 0.0

    def _give_up(self, outcome: Outcome, fault: FaultClass | None, reason: StopReason) -> None:
        if outcome.error is None:
            outcome.error = ResultRejectedError(outcome.value)
        error = outcome.error
        if reason is not StopReason.GIVEN_UP_INSIDE:
            self._annotate(error, reason)
        # One call, because repeating was never on, multiplies nothing further out.
        if self.attempt_number > 1 or reason in {StopReason.CONDITION, StopReason.DEADLINE}:
            mark_given_up(error)
        self._tell(EventKind.GAVE_UP, error, fault, reason)

    def _annotate(self, error: BaseException, reason: StopReason) -> None:
        head = f"{_NOTE}{self._name}, attempt {self.attempt_number}: {reason.value}"
        steps = [_describe(attempt) for attempt in self._history]
        note = "; ".join([head, *steps]) if self.attempt_number > 1 else head
        try:
            # An exception object that is raised again and again keeps the last note only.
            before = getattr(error, "__notes__", [])
            prefix = f"{_NOTE}{self._name}, "
            before[:] = [kept for kept in before if not str(kept).startswith(prefix)]
            error.add_note(note)
        except Exception as broken:  # an error that refuses notes goes without
            hook_failed(broken)

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
                history=tuple(self._history),
            ),
        )


def _describe(attempt: Attempt) -> str:
    what = attempt.fault_class.value if attempt.fault_class else "unacceptable result"
    took = "" if attempt.duration is None else f" after {attempt.duration:.3g} s"
    waited = "" if attempt.wait is None else f", waited {attempt.wait:.3g} s"
    return f"{attempt.number}: {what}{took}{waited}"
