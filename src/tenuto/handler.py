"""``ErrorHandler``: the one door to everything below."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from typing import Any

from tenuto.capture import ErrorEvent, captured_id
from tenuto.clock import SYSTEM_CLOCK, Clock
from tenuto.configuration import Protections, Reloaded, Surroundings
from tenuto.context import scope
from tenuto.errors import TenutoError
from tenuto.journal import Journal
from tenuto.policies import CircuitBreaker, Fallback, Policy, Retry, Stack
from tenuto.policies.stack import compose
from tenuto.recovery import (
    Ladder,
    LadderResult,
    RecoveryManager,
    RecoveryResult,
    Tier,
    hold_context,
)
from tenuto.reporting import ErrorReporter, PolicyNotes, remembered

__all__ = ["ErrorHandler"]


class ErrorHandler:
    """What a pipeline needs when something fails, for one service.

    ``journal`` is where errors are kept: by default the journal of the user, opened when the
    first error comes. Whatever the handler makes (retries, breakers, ladders) works for plain and
    for coroutine functions, and tells the journal what it did. At ``state_url``, such as
    ``redis://host:6379/0``, it meets other processes: circuits that have a name, and what
    ``protect`` makes, are shared with theirs.
    """

    def __init__(
        self,
        service_name: str,
        *,
        journal: Journal | None = None,
        error_reporter: ErrorReporter | None = None,
        recovery_manager: RecoveryManager | None = None,
        config: str | os.PathLike[str] | None = None,
        state_url: str | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.service_name = service_name
        self.error_reporter = error_reporter or ErrorReporter(
            service_name, journal=journal, clock=clock
        )
        self.recovery_manager = recovery_manager or RecoveryManager(clock=clock)
        if self.recovery_manager.on_escalation is None:
            self.recovery_manager.on_escalation = self._escalated
        self._clock = clock
        self._notes = PolicyNotes(self.error_reporter)
        self._surroundings = Surroundings(clock, self._notes, self._breaker)
        self._protections = Protections(config, self._surroundings, state_url)

    def handle_error(
        self, error: BaseException, context: Mapping[str, Any] | None = None
    ) -> ErrorEvent:
        """Keep ``error`` in the journal, with ``context`` and that of the scopes around.

        Handled again, by another layer, the same exception stays one event and gains the context
        given there. Returns the event; never raises. ``context`` itself, as it is, is held by the
        exception for the recovery strategies; the journal gets a redacted copy.
        """
        if not isinstance(error, BaseException):  # a message, from a log line turned into a call
            error = TenutoError(f"{error}")
        if context is not None:
            hold_context(error, context)
        return self.error_reporter.report(error, context)

    def recover(
        self,
        error: BaseException,
        strategy: str | None = None,
        context: Mapping[str, Any] | None = None,
    ) -> RecoveryResult:
        """Try to make good for ``error``; see ``RecoveryManager.recover``. Never raises."""
        return self._note(error, self.recovery_manager.recover(error, strategy, context))

    async def recover_async(
        self,
        error: BaseException,
        strategy: str | None = None,
        context: Mapping[str, Any] | None = None,
    ) -> RecoveryResult:
        """``recover`` for strategies that may be asynchronous."""
        result = await self.recovery_manager.recover_async(error, strategy, context)
        return self._note(error, result)

    def scope(self, **context: Any) -> AbstractContextManager[None]:
        """Add ``context`` to every error captured inside the block."""
        return scope(**context)

    def with_retry(
        self,
        func: Callable[..., Any] | None = None,
        max_retries: int = 3,
        backoff: Any = "exponential",
        exceptions: Any = None,
        **settings: Any,
    ) -> Callable[..., Any]:
        """Repeat a call that failed: at most ``max_retries`` times, so ``1 + max_retries`` calls.

        ``@with_retry``, ``@with_retry(max_retries=5)`` and ``with_retry(func, max_retries=5)`` all
        give a guarded function. The settings are those of ``tenuto.policies.Retry``.
        """
        policy = Retry(
            max_retries, backoff, exceptions, clock=self._clock, on_event=self._notes, **settings
        )
        return policy if func is None else policy(func)

    def circuit_breaker(
        self,
        failure_threshold: int | Callable[..., Any] = 5,
        timeout: float = 60.0,
        fallback: Callable[..., Any] | None = None,
        **settings: Any,
    ) -> Callable[..., Any]:
        """Stop calling what keeps failing: after ``failure_threshold`` failures in a row, refuse.

        After ``timeout`` seconds a probe is let through. ``fallback`` stands in for refused calls,
        and for those only, with the same arguments; without one they raise CircuitOpenError.
        The settings are those of ``tenuto.policies.CircuitBreaker``. One with a ``name`` goes on
        where it stood when the process ended, if this handler was given a journal. Raises
        ConfigurationError where a setting, or what the configuration says of ``state_url``, makes
        no sense.
        """
        if callable(failure_threshold):  # @circuit_breaker, without arguments
            return self._breaker()(failure_threshold)
        if settings.get("name") is not None:
            settings.setdefault("fleet", self._protections.fleet)
        return self._breaker(
            failure_threshold=failure_threshold, timeout=timeout, fallback=fallback, **settings
        )

    def protect(
        self,
        name: str,
        *,
        fallback: Callable[..., Any] | Fallback | None = None,
        **policies: Any,
    ) -> Stack:
        """Guard calls to the dependency ``name`` with what nearly everybody wants.

        A retry, paid from a budget, around a circuit breaker; all with their defaults. ``retry``,
        ``budget``, ``breaker``, ``timeout`` (of each attempt), ``bulkhead``, ``concurrency``,
        ``rate``, ``shedding`` and ``hedge`` say otherwise, or add to it, each in its place: by a
        number, a mapping of settings, a policy, or False for none. File and environment outrank
        what is said here.

        All functions that this handler protects under one name share these policies, and so one
        circuit, one budget and one bulkhead. ``fallback`` is each function's own: it stands in,
        with the same arguments, when a policy refuses or the retries are used up.

        Raises ConfigurationError for what makes no sense, here or in the configuration.
        """
        return self._protections.protect(name, policies).stack(fallback)

    def stack(self, *policies: Policy | Stack) -> Stack:
        """``tenuto.policies.stack``, with policies that tell the journal what they do.

        Those without a listener get that of this handler, and its clock if they have none of their
        own. A breaker, a bulkhead or a limit stays the same object.
        """
        bound = (self._surroundings.bind(policy) for policy in compose(policies, stacklevel=2))
        return Stack(tuple(bound))

    @property
    def policies(self) -> Mapping[str, Stack]:
        """What is in force, by the names that are protected. To be printed: see ``Stack.table``."""
        return self._protections.stacks

    def reload(self) -> Reloaded:
        """Read the configuration again, and go by it from the next call on.

        Open circuits stay open, budgets keep their tokens, and who is in a bulkhead stays inside.
        Raises ConfigurationError where something in it is wrong; nothing has changed then.
        """
        return self._protections.reload()

    def degrade(
        self, ladder: Ladder | Iterable[Tier | tuple[str, Callable[..., Any]]]
    ) -> Callable[..., Any]:
        """A function that does the work by the best tier of ``ladder`` that manages it.

        It returns a ``LadderResult``, so that a loss of quality is never hidden, and keeps every
        fall in the journal. It has to be awaited where a tier or a gate is a coroutine function.
        """
        rungs = ladder if isinstance(ladder, Ladder) else Ladder(ladder)
        rungs = rungs.telling(self.log_degradation)
        if rungs.is_async:

            async def climb_async(*args: Any, **kwargs: Any) -> LadderResult:
                return await rungs.climb_async(*args, **kwargs)

            return climb_async

        @functools.wraps(rungs.climb)
        def climb(*args: Any, **kwargs: Any) -> LadderResult:
            return rungs.climb(*args, **kwargs)

        return climb

    def log_degradation(self, name: str, error: BaseException) -> ErrorEvent:
        """Keep the fact that tier ``name`` was left because of ``error``. Never raises."""
        return self.error_reporter.report(error, {"degraded_from": name})

    def _breaker(self, **settings: Any) -> CircuitBreaker:
        breaker = CircuitBreaker(clock=self._clock, on_event=self._notes, **settings)
        journal = self.error_reporter.given_journal
        if journal is not None and breaker.name is not None:
            for key, memory in remembered(journal, breaker.name).items():
                breaker.restore(memory, key=key)
        return breaker

    def _escalated(self, strategy: str, error: BaseException) -> None:
        self.error_reporter.report(error, {"escalated_from": strategy})

    def _note(self, error: BaseException, result: RecoveryResult) -> RecoveryResult:
        """Keep what recovering from ``error`` came to, beside the error, where that is kept."""
        if captured_id(error) is not None:
            told = {"recovery": result.strategy, "recovery_result": result.reason.value}
            self.error_reporter.report(error, told)
        return result
