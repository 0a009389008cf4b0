"""The happy paths: what a call costs while nothing goes wrong.

One function for each way of counting successes, in two forms, plain and async. They are written
out, not composed, because each layer of calls would cost as much as everything they do: check that
the circuit is closed, make the call, count it. Whatever else happens goes to the slow path.

A tally is counted on without a lock: it belongs to one era of the circuit, so a late result counts
on a tally that nobody looks at any more. ``earned`` is that of a retry budget, if there is one.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, TypeAlias

from .circuit import Circuit
from .flights import Flights
from .lineage import giving_up
from .outcome import Outcome
from .slow import SlowPath

__all__ = [
    "careful",
    "careful_async",
    "counted",
    "counted_async",
    "counted_in_time",
    "counted_in_time_async",
    "plain",
    "plain_async",
    "watched",
    "watched_async",
]

Call: TypeAlias = Callable[..., Any]
AsyncCall: TypeAlias = Callable[..., Coroutine[Any, Any, Any]]


def careful(slow: SlowPath) -> Call:
    """For rules that have to see every result, or the time of every start."""

    def call(*args: Any, **kwargs: Any) -> Any:
        return slow.start(args, kwargs)

    return call


def careful_async(slow: SlowPath) -> AsyncCall:
    """The same for coroutine functions."""

    async def call(*args: Any, **kwargs: Any) -> Any:
        return await slow.start_async(args, kwargs)

    return call


def plain(slow: SlowPath) -> Call:
    """Without a circuit there is nothing to check and nothing to count."""
    function, earned = slow.guarded.function, slow.earned
    known: type | None = None  # the type of result last seen to be no awaitable

    def call(*args: Any, **kwargs: Any) -> Any:
        nonlocal known
        before = giving_up.count
        try:
            result = function(*args, **kwargs)
        except Exception as error:  # judged on the slow path, which raises it if it is final
            outcome = Outcome(None, error)
        else:
            if type(result) is not known:
                if hasattr(type(result), "__await__"):
                    return slow.go_on_awaiting(result, None, before, args, kwargs)
                known = type(result)
            if earned is not None:
                earned.successes += 1
            return result
        return slow.go_on(outcome, None, before, args, kwargs)

    return call


def plain_async(slow: SlowPath) -> AsyncCall:
    """The same for coroutine functions."""
    function, earned = slow.guarded.function, slow.earned

    async def call(*args: Any, **kwargs: Any) -> Any:
        before = giving_up.count
        try:
            result = await function(*args, **kwargs)
        except Exception as error:  # judged on the slow path, which raises it if it is final
            outcome = Outcome(None, error)
        else:
            if earned is not None:
                earned.successes += 1
            return result
        return await slow.go_on_async(outcome, None, before, args, kwargs)

    return call


def counted(slow: SlowPath, circuit: Circuit) -> Call:
    """A circuit that looks at calls in their order: one counter serves streak and window."""
    function, substitute, earned = slow.guarded.function, slow.substitute, slow.earned
    machine, monotonic = circuit.machine, circuit.monotonic
    known: type | None = None  # the type of result last seen to be no awaitable

    def call(*args: Any, **kwargs: Any) -> Any:
        nonlocal known
        tally = machine.tally
        if tally is None:
            if substitute is None or slow.returns_awaitables or monotonic() >= machine.until:
                return slow.start(args, kwargs)
            return substitute(*args, **kwargs)
        before = giving_up.count
        try:
            result = function(*args, **kwargs)
        except Exception as error:  # judged on the slow path, which raises it if it is final
            outcome = Outcome(None, error)
        else:
            if type(result) is not known:
                if hasattr(type(result), "__await__"):
                    return slow.go_on_awaiting(result, tally, before, args, kwargs)
                known = type(result)
            tally.successes += 1
            if earned is not None:
                earned.successes += 1
            return result
        return slow.go_on(outcome, tally, before, args, kwargs)

    return call


def counted_async(slow: SlowPath, circuit: Circuit) -> AsyncCall:
    """The same for coroutine functions."""
    function, substitute, earned = slow.guarded.function, slow.substitute, slow.earned
    machine, monotonic = circuit.machine, circuit.monotonic

    async def call(*args: Any, **kwargs: Any) -> Any:
        tally = machine.tally
        if tally is None:
            if substitute is None or monotonic() >= machine.until:
                return await slow.start_async(args, kwargs)
            result = substitute(*args, **kwargs)
            return await result if hasattr(type(result), "__await__") else result
        before = giving_up.count
        try:
            result = await function(*args, **kwargs)
        except Exception as error:  # judged on the slow path, which raises it if it is final
            outcome = Outcome(None, error)
        else:
            tally.successes += 1
            if earned is not None:
                earned.successes += 1
            return result
        return await slow.go_on_async(outcome, tally, before, args, kwargs)

    return call


def counted_in_time(slow: SlowPath, circuit: Circuit) -> Call:
    """A circuit with a time window has to know in which of its buckets a success falls."""
    function, substitute, earned = slow.guarded.function, slow.substitute, slow.earned
    machine, monotonic = circuit.machine, circuit.monotonic
    known: type | None = None  # the type of result last seen to be no awaitable

    def call(*args: Any, **kwargs: Any) -> Any:
        nonlocal known
        tally = machine.tally
        if tally is None:
            if substitute is None or slow.returns_awaitables or monotonic() >= machine.until:
                return slow.start(args, kwargs)
            return substitute(*args, **kwargs)
        before = giving_up.count
        try:
            result = function(*args, **kwargs)
        except Exception as error:  # judged on the slow path, which raises it if it is final
            outcome = Outcome(None, error)
        else:
            if type(result) is not known:
                if hasattr(type(result), "__await__"):
                    return slow.go_on_awaiting(result, tally, before, args, kwargs)
                known = type(result)
            if monotonic() >= machine.turn:
                circuit.turn_over()
            tally.successes += 1
            if earned is not None:
                earned.successes += 1
            return result
        return slow.go_on(outcome, tally, before, args, kwargs)

    return call


def counted_in_time_async(slow: SlowPath, circuit: Circuit) -> AsyncCall:
    """The same for coroutine functions."""
    function, substitute, earned = slow.guarded.function, slow.substitute, slow.earned
    machine, monotonic = circuit.machine, circuit.monotonic

    async def call(*args: Any, **kwargs: Any) -> Any:
        tally = machine.tally
        if tally is None:
            if substitute is None or monotonic() >= machine.until:
                return await slow.start_async(args, kwargs)
            result = substitute(*args, **kwargs)
            return await result if hasattr(type(result), "__await__") else result
        before = giving_up.count
        try:
            result = await function(*args, **kwargs)
        except Exception as error:  # judged on the slow path, which raises it if it is final
            outcome = Outcome(None, error)
        else:
            if monotonic() >= machine.turn:
                circuit.turn_over()
            tally.successes += 1
            if earned is not None:
                earned.successes += 1
            return result
        return await slow.go_on_async(outcome, tally, before, args, kwargs)

    return call


def watched(slow: SlowPath, circuit: Circuit, flights: Flights) -> Call:  # noqa: C901 - written out, see above
    """A circuit that minds how long calls take, and looks at those under way."""
    function, substitute, earned = slow.guarded.function, slow.substitute, slow.earned
    machine, monotonic = circuit.machine, circuit.monotonic
    flying, begin = flights.calls, flights.next
    known: type | None = None  # the type of result last seen to be no awaitable

    def call(*args: Any, **kwargs: Any) -> Any:
        nonlocal known
        started = monotonic()
        if started >= flights.look_at:
            circuit.look()
        tally = machine.tally
        if tally is None:
            if substitute is None or slow.returns_awaitables or started >= machine.until:
                return slow.start(args, kwargs)
            return substitute(*args, **kwargs)
        limit = flights.limit
        due = flights.due(started, args, kwargs) if callable(limit) else started + limit
        flight = begin()
        flying[flight] = due, tally
        before = giving_up.count
        try:
            result = function(*args, **kwargs)
        except BaseException as error:  # judged on the slow path, which raises it if it is final
            outcome = Outcome(None, error)
        else:
            if type(result) is not known:
                if hasattr(type(result), "__await__"):
                    return slow.go_on_awaiting(result, tally, before, args, kwargs, flight)
                known = type(result)
            ended = monotonic()
            if ended <= due and ended < machine.turn and flying.pop(flight, None) is not None:
                tally.successes += 1
                if earned is not None:
                    earned.successes += 1
                return result
            outcome = Outcome(result)
        return slow.go_on(outcome, tally, before, args, kwargs, flight)

    return call


def watched_async(slow: SlowPath, circuit: Circuit, flights: Flights) -> AsyncCall:
    """The same for coroutine functions."""
    function, substitute, earned = slow.guarded.function, slow.substitute, slow.earned
    machine, monotonic = circuit.machine, circuit.monotonic
    flying, begin = flights.calls, flights.next

    async def call(*args: Any, **kwargs: Any) -> Any:
        started = monotonic()
        if started >= flights.look_at:
            circuit.look()
        tally = machine.tally
        if tally is None:
            if substitute is None or started >= machine.until:
                return await slow.start_async(args, kwargs)
            result = substitute(*args, **kwargs)
            return await result if hasattr(type(result), "__await__") else result
        limit = flights.limit
        due = flights.due(started, args, kwargs) if callable(limit) else started + limit
        flight = begin()
        flying[flight] = due, tally
        before = giving_up.count
        try:
            result = await function(*args, **kwargs)
        except BaseException as error:  # judged on the slow path, which raises it if it is final
            outcome = Outcome(None, error)
        else:
            ended = monotonic()
            if ended <= due and ended < machine.turn and flying.pop(flight, None) is not None:
                tally.successes += 1
                if earned is not None:
                    earned.successes += 1
                return result
            outcome = Outcome(result)
        return await slow.go_on_async(outcome, tally, before, args, kwargs, flight)

    return call
