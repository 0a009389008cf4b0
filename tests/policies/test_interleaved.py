"""What holds however the threads of a program are interleaved."""

import pytest

from tenuto.errors import BulkheadFullError, CircuitOpenError, RateLimitedError
from tenuto.policies import CircuitBreaker, Retry, State
from tenuto.policies.budget import RetryBudget
from tenuto.policies.bulkhead import Bulkhead
from tenuto.policies.engine.drive import pause
from tenuto.policies.engine.parking import Park, Waiter
from tenuto.policies.rate import RateLimit
from tests.interleaving import explore, interleaved

THREADS = 3


class Dependency:
    """Knows how many calls are in it, and how many were at most."""

    def __init__(self, stage):
        self._stage = stage
        self.inside = self.most = self.calls = 0

    def __call__(self, error=None, seconds=0.0):
        self.calls += 1
        self.inside += 1
        self.most = max(self.most, self.inside)
        self._stage.point()
        if seconds:
            self._stage.clock.sleep(seconds)
        self.inside -= 1
        if error is not None:
            raise error


def _swallowing(function, *args):
    """``function`` as a thread: what it raised is what it returns."""

    def thread():
        try:
            return function(*args)
        except Exception as error:
            return type(error)

    return thread


def _half_open(stage, **settings):
    """A circuit that is due to be probed, and what is behind it."""
    breaker = CircuitBreaker("hub", failure_threshold=1, clock=stage.clock, **settings)
    dependency = Dependency(stage)
    guarded = breaker(dependency)
    with pytest.raises(ConnectionError):
        guarded(ConnectionError())
    stage.clock.advance(breaker.timeout)
    dependency.calls = dependency.most = 0
    return breaker, dependency, guarded


def test_a_half_open_circuit_lets_exactly_one_probe_through():
    def scenario(schedule):
        with interleaved(schedule) as stage:
            breaker, dependency, guarded = _half_open(stage)
            results = stage.run(*[_swallowing(guarded, None, 1.0)] * THREADS)
            assert dependency.calls == 1
            assert results.count(CircuitOpenError) == THREADS - 1
            assert breaker.state is State.CLOSED
        return stage

    explore(scenario)


def test_a_half_open_circuit_lets_as_many_probes_through_as_it_has_permits():
    def scenario(schedule):
        with interleaved(schedule) as stage:
            breaker, dependency, guarded = _half_open(stage, half_open_permits=2)
            results = stage.run(*[_swallowing(guarded, ConnectionError(), 1.0)] * THREADS)
            assert dependency.calls == 2
            assert results.count(CircuitOpenError) == THREADS - 2
            assert breaker.state is State.OPEN
        return stage

    explore(scenario)


def test_probes_that_are_interrupted_give_their_permits_back_once():
    class Interrupted(BaseException):
        pass

    def scenario(schedule):
        with interleaved(schedule) as stage:
            breaker, dependency, guarded = _half_open(stage)

            def thread():
                try:
                    guarded(Interrupted())
                except (Interrupted, CircuitOpenError) as error:
                    return type(error)

            assert Interrupted in stage.run(*[thread] * THREADS)
            assert dependency.most == 1
            assert breaker.state is State.HALF_OPEN
            stage.run(guarded)  # the permit is there, and
            assert breaker.state is State.CLOSED
        return stage

    explore(scenario)


def test_late_results_of_an_earlier_era_change_nothing():
    def scenario(schedule):
        with interleaved(schedule) as stage:
            breaker = CircuitBreaker("hub", failure_threshold=1, clock=stage.clock)
            failing = _swallowing(breaker(Dependency(stage)), ConnectionError(), 1.0)

            def resetting():
                stage.clock.sleep(0.5)
                breaker.reset()

            stage.run(failing, resetting, failing)
            assert breaker.state is State.CLOSED
        return stage

    explore(scenario)


def test_a_retry_budget_is_never_overspent():
    def scenario(schedule):
        with interleaved(schedule) as stage:
            budget = RetryBudget("hub", capacity=10, cost=5)
            retry = Retry(max_retries=2, budget=budget, clock=stage.clock)
            dependency = Dependency(stage)
            stage.run(*[_swallowing(retry(dependency), ConnectionError)] * THREADS)
            assert dependency.calls == THREADS + 2
            assert budget.tokens == 0
            assert budget.suppressed == THREADS
        return stage

    explore(scenario, examples=40)


def test_a_queued_call_is_woken_whenever_its_place_is_granted():
    def scenario(schedule):
        with interleaved(schedule) as stage:
            waiter = Waiter()
            stage.run(lambda: pause(Park(waiter, None), stage.clock), waiter.grant)
            assert waiter.granted
        return stage

    explore(scenario, examples=50, threads=2)


def test_a_queued_call_waits_no_longer_than_it_was_willing_to():
    def scenario(schedule):
        with interleaved(schedule) as stage:
            waiter = Waiter()

            def waiting():
                pause(Park(waiter, 3), stage.clock)
                return stage.clock.monotonic()

            def granting():
                stage.clock.sleep(5)
                waiter.grant()

            assert stage.run(waiting, granting) == [3, None]
        return stage

    explore(scenario, examples=50, threads=2)


def test_a_full_bulkhead_lets_in_as_many_as_it_has_places():
    def scenario(schedule):
        with interleaved(schedule) as stage:
            bulkhead = Bulkhead(2, clock=stage.clock)
            dependency = Dependency(stage)
            results = stage.run(*[_swallowing(bulkhead(dependency), None, 1.0)] * THREADS)
            assert (dependency.most, dependency.calls) == (2, 2)
            assert results.count(BulkheadFullError) == THREADS - 2
            assert bulkhead._gate.places.taken == 0
        return stage

    explore(scenario)


def test_who_waits_for_a_place_gets_one_and_nobody_is_forgotten():
    def scenario(schedule):
        with interleaved(schedule) as stage:
            bulkhead = Bulkhead(1, queue=THREADS, clock=stage.clock)
            dependency = Dependency(stage)
            results = stage.run(*[_swallowing(bulkhead(dependency))] * THREADS)
            assert (dependency.most, dependency.calls) == (1, THREADS)
            assert results == [None] * THREADS
            assert (bulkhead._gate.places.taken, len(bulkhead._gate.places.queue)) == (0, 0)
        return stage

    explore(scenario)


def test_who_gives_up_waiting_holds_no_place():
    def scenario(schedule):
        with interleaved(schedule) as stage:
            bulkhead = Bulkhead(1, queue=THREADS, max_wait=1.0, clock=stage.clock)
            dependency = Dependency(stage)
            # The first call ends just when the others lose their patience.
            stage.run(*[_swallowing(bulkhead(dependency), None, 1.0)] * THREADS)
            assert dependency.most == 1
            assert (bulkhead._gate.places.taken, len(bulkhead._gate.places.queue)) == (0, 0)
        return stage

    explore(scenario)


def test_a_resized_bulkhead_loses_and_invents_no_place():
    def scenario(schedule):
        with interleaved(schedule) as stage:
            bulkhead = Bulkhead(1, queue=THREADS, clock=stage.clock)
            dependency = Dependency(stage)
            call = _swallowing(bulkhead(dependency))

            def resizing():
                bulkhead._gate.resize(2)
                bulkhead._gate.resize(1)

            stage.run(call, resizing, call)
            assert dependency.calls == 2
            places = bulkhead._gate.places
            assert (places.taken, places.surplus, len(places.free)) == (0, 0, 1)
        return stage

    explore(scenario)


def test_a_rate_limit_lets_no_more_through_than_its_burst():
    def scenario(schedule):
        with interleaved(schedule) as stage:
            limit = RateLimit(1, 10.0, burst=2, clock=stage.clock)
            dependency = Dependency(stage)
            results = stage.run(*[_swallowing(limit(dependency))] * THREADS)
            assert dependency.calls == 2
            assert results.count(RateLimitedError) == THREADS - 2
        return stage

    explore(scenario)


def test_calls_that_wait_for_their_turn_start_one_after_the_other():
    def scenario(schedule):
        with interleaved(schedule) as stage:
            limit = RateLimit(1, 10.0, max_wait=60.0, clock=stage.clock)
            started = []
            guarded = limit(lambda: started.append(stage.clock.monotonic()))
            stage.run(*[guarded] * THREADS)
            assert started == pytest.approx([0.0, 10.0, 20.0])
        return stage

    explore(scenario)
