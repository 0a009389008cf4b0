"""How a retry ends without success: the error for the caller, and what it says of the attempts."""

from __future__ import annotations

from collections.abc import Sequence

from tenuto.errors import FaultClass, TenutoError
from tenuto.policies.events import Attempt, StopReason, hook_failed

from .lineage import mark_given_up

__all__ = ["ResultRejectedError", "final_error"]

_NOTE = "tenuto: "

_USED_UP = frozenset(
    {
        StopReason.CONDITION,
        StopReason.DEADLINE,
        StopReason.HINT_TOO_LONG,
        StopReason.BUDGET,
    }
)
"""Another try might well do, but there must not be one; not even by a retry further out."""

_WORTH_A_TRY = _USED_UP | {StopReason.ATTEMPTS, StopReason.GIVEN_UP_INSIDE}


class ResultRejectedError(TenutoError):
    """The attempts are used up and the last ``result`` is still not acceptable."""

    fault_class = FaultClass.QUALITY
    fields = ("result",)

    def describe(self) -> str:
        return "no attempt returned an acceptable result"


def final_error(
    error: BaseException,
    name: str,
    reason: StopReason,
    history: Sequence[Attempt],
    raise_as: type[Exception] | None,
) -> BaseException:
    """``error`` for the caller, with a note; as another type where that was asked for.

    Only what was, or might have been, repeated is raised as another type: a bug stays a bug.
    """
    number = history[-1].number
    if reason in _WORTH_A_TRY and raise_as is not None and not _stays(error, raise_as):
        error = _raised_as(raise_as, error, f"{name}, attempt {number}: {reason.value}")
    if reason is not StopReason.GIVEN_UP_INSIDE:
        _annotate(error, name, reason, history)
    # One call, because repeating was never on, multiplies nothing further out.
    if number > 1 or reason in _USED_UP:
        mark_given_up(error)
    return error


def _stays(error: BaseException, raise_as: type[Exception]) -> bool:
    return isinstance(error, (raise_as, ResultRejectedError))


def _raised_as(raise_as: type[Exception], error: BaseException, message: str) -> BaseException:
    try:
        raised = raise_as(f"{message}; {type(error).__name__}: {error}")
    except Exception as broken:  # a type that wants other arguments: the user's own error is left
        hook_failed(broken)
        return error
    raised.__cause__ = error
    return raised


def _annotate(
    error: BaseException, name: str, reason: StopReason, history: Sequence[Attempt]
) -> None:
    number = history[-1].number
    head = f"{_NOTE}{name}, attempt {number}: {reason.value}"
    steps = [_describe(attempt) for attempt in history]
    note = "; ".join([head, *steps]) if number > 1 else head
    try:
        # An exception object that is raised again and again keeps the last note only.
        before = getattr(error, "__notes__", [])
        prefix = f"{_NOTE}{name}, "
        before[:] = [kept for kept in before if not str(kept).startswith(prefix)]
        error.add_note(note)
    except Exception as broken:  # an error that refuses notes goes without
        hook_failed(broken)


def _describe(attempt: Attempt) -> str:
    what = attempt.fault_class.value if attempt.fault_class else "unacceptable result"
    took = "" if attempt.duration is None else f" after {attempt.duration:.3g} s"
    waited = "" if attempt.wait is None else f", waited {attempt.wait:.3g} s"
    return f"{attempt.number}: {what}{took}{waited}"
