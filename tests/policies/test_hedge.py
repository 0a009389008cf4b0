from __future__ import annotations

import asyncio
import contextvars
import inspect
import math
import os
import threading

import pytest

from tenuto.errors import CallTimeoutError, ConfigurationError
from tenuto.policies import (
    Backoff,
    CircuitBreaker,
    EventKind,
    Hedge,
    Retry,
    State,
    Timeout,
    deadline,
    hook_failures,
)
from tenuto.policies.engine import hedging
from tenuto.policies.engine.crew import Crew

PATIENCE = 30.0  # real seconds: what a test waits for a thread that is about to come


@pytest.fixture
def hedge(clock, events):
    def build(delay, *args, **settings):
        return Hedge(delay, *args, clock=clock, on_event=events.append, **settings)

    return build


@pytest.fixture
def run(clock):
    """Run a coroutine function on a loop in simulated time."""
    with asyncio.Runner(loop_factory=clock.new_event_loop) as runner:
        yield lambda function, *args: runner.run(function(*args))


class Copies:
    """A coroutine function, of which each copy takes its own time and ends in its own way."""

    __qualname__ = "copies"

    def __init__(self, clock, *copies):
        self.clock = clock
        self.copies = copies
        self.begun = []
        self.cancelled = []

    async def call(self, value="x"):
        number = len(self.begun)
        self.begun.append(self.clock.monotonic())
        seconds, end = self.copies[number]
        try:
            await asyncio.sleep(seconds)
        except asyncio.CancelledError:
            self.cancelled.append(number + 1)
            raise
        if isinstance(end, BaseException):
            raise end
        return f"{value} from {end}"


# --- both kinds of functions ------------------------------------------------------------------


def test_an_answer_in_time_needs_no_other_copy(world, hedge, flaky, events):
    target = flaky(0)
    assert world.call(hedge(math.inf)(world.function(target)), "x") == "x"
    assert target.calls == 1
    assert events == []


def test_a_hedge_is_no_retry(world, hedge, flaky):
    target = flaky(1)
    error = None
    try:
        world.call(hedge(math.inf)(world.function(target)), "x")
    except ConnectionError as caught:
        error = caught
    assert str(error) == "down"
    assert not hasattr(error, "__notes__")
    assert target.calls == 1


def test_a_delay_whose_function_has_a_bug_costs_only_the_hedge(world, hedge, flaky):
    def broken():
        raise RuntimeError("no quantile yet")

    before = hook_failures().count
    assert world.call(hedge(broken)(world.function(flaky(0))), "x") == "x"
    assert hook_failures().count == before + 1


def test_context_goes_along(world, hedge):
    variable = contextvars.ContextVar("variable")
    variable.set("seen")
    assert world.call(hedge(math.inf)(world.function(variable.get))) == "seen"


@pytest.mark.parametrize(
    "settings",
    [
        {"delay": -1.0},
        {"delay": "soon"},
        {"delay": 1.0, "max_hedges": 0},
        {"delay": 1.0, "max_hedges": 1.5},
    ],
)
def test_settings_that_make_no_sense_are_refused(settings):
    with pytest.raises(ConfigurationError):
        Hedge(**settings)


def test_a_generator_is_refused_because_it_runs_on_in_its_consumer():
    def items():
        yield

    async def more_items():
        yield

    for function in (items, more_items):
        with pytest.raises(ConfigurationError, match="generator"):
            Hedge(1.0)(function)


def test_a_guarded_function_is_of_the_same_kind_and_name():
    def plain():
        """About plain."""

    async def coroutine(): ...

    assert Hedge(1.0)(plain).__doc__ == "About plain."
    assert not inspect.iscoroutinefunction(Hedge(1.0)(plain))
    assert inspect.iscoroutinefunction(Hedge(1.0)(coroutine))


def test_a_hedge_is_shown_in_one_line():
    def quantile():
        raise AssertionError

    assert str(Hedge(0.3)) == "Hedge(1 more copy after 0.3 s)"
    assert str(Hedge(quantile, 2)) == "Hedge(2 more copies after quantile() s)"


# --- copies as tasks --------------------------------------------------------------------------


def test_a_second_copy_is_started_after_the_delay_and_may_win(run, hedge, clock, events):
    copies = Copies(clock, (60.0, "first"), (1.0, "second"))
    assert run(hedge(5.0, name="hub")(copies.call), "x") == "x from second"
    assert copies.begun == [0.0, 5.0]
    assert copies.cancelled == [1]
    assert clock.monotonic() == 6.0
    (event,) = events
    assert (event.kind, event.policy, event.name) == (EventKind.HEDGED, "hedge", "hub")
    assert (event.attempt, event.wait) == (2, 5.0)


def test_the_first_copy_may_win_after_all(run, hedge, clock):
    copies = Copies(clock, (7.0, "first"), (9.0, "second"))
    assert run(hedge(5.0)(copies.call)) == "x from first"
    assert copies.cancelled == [2]


def test_no_more_copies_than_allowed(run, hedge, clock, events):
    copies = Copies(clock, (60.0, "first"), (60.0, "second"), (60.0, "third"))
    assert run(hedge(5.0, 2)(copies.call)) == "x from first"
    assert copies.begun == [0.0, 5.0, 10.0]
    assert [event.attempt for event in events] == [2, 3]


def test_the_delay_may_be_measured(run, hedge, clock, events):
    delays = iter([2.0, -3.0, math.nan])
    copies = Copies(clock, *[(60.0, number) for number in range(4)])
    run(hedge(lambda: next(delays), 3)(copies.call))
    assert copies.begun == [0.0, 2.0, 2.0]
    assert [event.wait for event in events] == [2.0, 0.0]


def test_a_copy_that_fails_does_not_win_while_another_runs(run, hedge, clock):
    copies = Copies(clock, (6.0, ConnectionError("one")), (9.0, "second"))
    assert run(hedge(5.0)(copies.call)) == "x from second"
    assert clock.monotonic() == 14.0


def test_a_failure_before_the_delay_is_up_does_not_delay_the_next_copy(run, hedge, clock):
    copies = Copies(clock, (60.0, "first"), (2.0, ConnectionError()), (1.0, "third"))
    assert run(hedge(5.0, 2)(copies.call)) == "x from third"
    assert copies.begun == [0.0, 5.0, 10.0]


def test_when_all_fail_the_first_copys_error_is_raised_with_notes_on_the_others(run, hedge, clock):
    first = ConnectionError("one")
    guarded = hedge(5.0, name="hub")
    for _ in range(2):  # an error object that is raised again keeps the last notes only
        copies = Copies(clock, (8.0, first), (1.0, TimeoutError("two")))
        with pytest.raises(ConnectionError) as caught:
            run(guarded(copies.call))
        assert caught.value is first
        assert first.__notes__ == ["tenuto: hub, copy 2: TimeoutError: two"]


def test_an_error_that_refuses_notes_goes_without(run, hedge, clock):
    class Proud(Exception):
        add_note = None

    copies = Copies(clock, (8.0, Proud("one")), (1.0, TimeoutError("two")))
    with pytest.raises(Proud):
        run(hedge(5.0)(copies.call))


def test_a_cancellation_from_outside_cancels_all_copies(run, hedge, clock):
    copies = Copies(clock, (60.0, "first"), (60.0, "second"))

    async def main():
        task = asyncio.ensure_future(hedge(5.0)(copies.call)())
        await asyncio.sleep(8.0)
        task.cancel()
        await asyncio.wait([task])
        await asyncio.sleep(0)
        return task.cancelled()

    assert run(main)
    assert copies.cancelled == [1, 2]


def test_a_copy_that_somebody_cancels_has_failed(run, hedge, clock):
    copies = Copies(clock, (6.0, asyncio.CancelledError()), (9.0, "second"))
    assert run(hedge(5.0)(copies.call)) == "x from second"


def test_a_loser_that_fails_while_it_is_cancelled_troubles_nobody(run, hedge, clock):
    ended = []

    async def call():
        try:
            await asyncio.sleep(60.0 if not ended else 1.0)
        except asyncio.CancelledError:
            await asyncio.sleep(1.0)
            raise ConnectionError from None
        finally:
            ended.append(clock.monotonic())
        return "second"

    async def main():
        ended.clear()
        first = hedge(5.0)(call)()
        task = asyncio.ensure_future(first)
        await asyncio.sleep(5.0)
        ended.append("let the second be quick")
        result = await task
        assert len(hedging._losers) == 1
        await asyncio.sleep(2.0)
        return result

    assert run(main) == "second"
    assert not hedging._losers


def test_a_function_that_returns_coroutines_is_hedged_too(run, hedge, clock):
    copies = Copies(clock, (60.0, "first"), (1.0, "second"))

    def begin(value):
        return copies.call(value)

    async def main():
        return await hedge(5.0)(begin)("y")

    assert run(main) == "y from second"


def test_a_coroutine_made_before_there_is_a_loop_is_hedged_on_it(hedge, clock):
    copies = Copies(clock, (60.0, "first"), (1.0, "second"))

    def begin(value):
        return copies.call(value)

    delays = iter([math.inf, 5.0])  # the first while the coroutine is made
    pending = hedge(lambda: next(delays))(begin)("y")
    with asyncio.Runner(loop_factory=clock.new_event_loop) as runner:
        assert runner.run(pending) == "y from second"


async def test_a_plain_function_called_on_a_loop_is_not_hedged_because_that_would_block_it(hedge):
    thread = hedge(0.0)(threading.current_thread)()
    assert thread is threading.current_thread()


def test_no_copy_is_started_that_the_deadline_would_not_wait_for(run, hedge, clock):
    copies = Copies(clock, (7.0, "first"), (0.0, "second"))

    async def main():
        with deadline(5.0, clock=clock):
            return await hedge(5.0)(copies.call)()

    assert run(main) == "x from first"
    assert copies.begun == [0.0]


def test_a_timeout_around_a_hedge_stops_all_copies(run, hedge, clock):
    copies = Copies(clock, (60.0, "first"), (60.0, "second"))
    with pytest.raises(CallTimeoutError):
        run(Timeout(9.0, clock=clock)(hedge(5.0)(copies.call)))
    assert copies.begun == [0.0, 5.0]


def test_a_timeout_inside_a_hedge_is_for_each_copy(run, hedge, clock):
    copies = Copies(clock, (60.0, "first"), (60.0, "second"))
    with pytest.raises(CallTimeoutError) as caught:
        run(hedge(5.0)(Timeout(9.0, "hub", clock=clock)(copies.call)))
    assert clock.monotonic() == 14.0
    assert "copy 2: CallTimeoutError" in caught.value.__notes__[0]


def test_a_retry_around_a_hedge_repeats_what_all_copies_failed_at(run, hedge, clock):
    copies = Copies(clock, (8.0, OSError()), (1.0, OSError()), (1.0, "third"))
    retry = Retry(1, Backoff("fixed", initial=0.0), clock=clock)
    assert run(retry(hedge(5.0)(copies.call))) == "x from third"


def test_a_copy_that_is_cancelled_is_neutral_to_the_circuit(run, hedge, clock):
    breaker = CircuitBreaker("hub", 1, clock=clock)
    copies = Copies(clock, (60.0, "first"), (1.0, "second"))
    assert run(hedge(5.0)(breaker(copies.call))) == "x from second"
    assert breaker.state is State.CLOSED


# --- copies in threads ------------------------------------------------------------------------


@pytest.fixture
def crew(monkeypatch):
    """Threads of the test's own."""
    crew = Crew(most=4)
    monkeypatch.setattr(hedging, "_crew", crew)
    return crew


class Threads:
    """A plain function, of which each copy waits for its own sign."""

    __qualname__ = "threads"

    def __init__(self, *ends):
        self.ends = ends
        self.begun = [threading.Event() for _ in ends]
        self.signs = [threading.Event() for _ in ends]
        self.over = [threading.Event() for _ in ends]
        self._numbers = iter(range(len(ends)))

    def __call__(self):
        number = next(self._numbers)
        self.begun[number].set()
        assert self.signs[number].wait(PATIENCE)
        self.over[number].set()
        end = self.ends[number]
        if isinstance(end, BaseException):
            raise end
        return end

    def let(self, *numbers):
        for number in numbers:
            self.signs[number].set()


def test_a_second_thread_is_started_after_the_delay_and_may_win(crew, hedge, clock, events):
    threads = Threads("first", "second")
    threads.let(1)
    assert hedge(5.0, name="hub")(threads)() == "second"
    assert clock.monotonic() == 5.0
    (event,) = events
    assert (event.kind, event.name, event.attempt, event.wait) == ("hedged", "hub", 2, 5.0)
    assert not threads.over[0].is_set()  # it cannot be stopped, and nobody waits for it
    threads.let(0)
    assert threads.over[0].wait(PATIENCE)


def test_a_thread_that_fails_does_not_win_while_another_runs(crew, clock):
    threads = Threads(ConnectionError("one"), "second")

    def on_event(event):
        threads.let(0)
        threads.over[0].wait(PATIENCE)
        threads.let(1)

    assert Hedge(5.0, clock=clock, on_event=on_event)(threads)() == "second"


def test_when_all_threads_fail_the_first_copys_error_is_raised(crew, clock):
    first = ConnectionError("one")
    threads = Threads(first, TimeoutError("two"))
    policy = Hedge(5.0, name="hub", clock=clock, on_event=lambda event: threads.let(0, 1))
    with pytest.raises(ConnectionError) as caught:
        policy(threads)()
    assert caught.value is first
    assert first.__notes__ == ["tenuto: hub, copy 2: TimeoutError: two"]


def test_an_interruption_in_a_thread_ends_the_call_at_once(crew, clock):
    threads = Threads(KeyboardInterrupt(), "second")
    policy = Hedge(5.0, clock=clock, on_event=lambda event: threads.let(0))
    with pytest.raises(KeyboardInterrupt):
        policy(threads)()
    threads.let(1)


def test_threads_are_kept_for_the_next_call(crew, clock):
    policy = Hedge(math.inf, clock=clock)
    policy(lambda: None)()
    for _ in range(1000):  # the thread is free a moment after its answer
        if crew._free:
            break
        threading.Event().wait(0.001)
    policy(lambda: None)()
    assert crew._threads == 1


def test_without_a_free_thread_a_call_is_made_here_and_not_hedged(monkeypatch, hedge, events):
    monkeypatch.setattr(hedging, "_crew", Crew(most=0))
    assert hedge(0.0)(threading.current_thread)() is threading.current_thread()
    assert events == []


def test_without_a_free_thread_no_copy_is_added(monkeypatch, hedge, clock, events):
    monkeypatch.setattr(hedging, "_crew", Crew(most=1))
    threads = Threads("first", "second")
    waits = []

    def wait(news, seconds):
        waits.append(seconds)
        if seconds is not None:
            return False
        threads.let(0)
        return news.wait(PATIENCE)

    monkeypatch.setattr(clock, "wait", wait)
    assert hedge(5.0)(threads)() == "first"
    assert waits == [5.0, None]
    assert events == []


def test_after_a_fork_threads_are_started_anew(crew, clock):
    policy = Hedge(math.inf, clock=clock)
    policy(lambda: None)()
    crew._begin()
    assert (crew._threads, crew._free) == (0, 0)
    assert policy(os.getpid)() == os.getpid()
