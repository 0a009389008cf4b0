from __future__ import annotations

import asyncio
from collections import Counter
from types import SimpleNamespace

import pytest

from tenuto.errors import (
    BulkheadFullError,
    CircuitOpenError,
    ConfigurationError,
    DecodeError,
    FaultClass,
    LoadShedError,
    RefusalReason,
    ResourceLimitError,
)
from tenuto.policies import (
    Backoff,
    CircuitBreaker,
    DeadlinePassedError,
    EventKind,
    LoadShedding,
    Priority,
    State,
    StopReason,
    hook_failures,
    priority,
)
from tests.interleaving import interleaved, random_schedules

SHEDDABLE, SHEDDABLE_PLUS, CRITICAL, CRITICAL_PLUS = Priority


@pytest.fixture
def shedding(clock, events):
    def build(*args, **settings):
        return LoadShedding(*args, clock=clock, on_event=events.append, **settings)

    return build


class Backend:
    """Accepts ``capacity`` calls in each second, and turns the others away."""

    __name__ = __qualname__ = "backend"

    def __init__(self, clock, capacity):
        self.clock = clock
        self.capacity = capacity
        self.second = None
        self.inside = 0

    def __call__(self, *_):
        second = self.clock.monotonic() // 1
        if second != self.second:
            self.second, self.inside = second, 0
        self.inside += 1
        if self.inside > self.capacity:
            raise ResourceLimitError("too many")
        return "done"


# A second's traffic: 16 calls of the least important, 8, 12, and 4 of the most important.
MIX = [SHEDDABLE] * 16 + [SHEDDABLE_PLUS] * 8 + [CRITICAL] * 12 + [CRITICAL_PLUS] * 4
SHUFFLED = [MIX[place * 7 % 40] for place in range(40)]


class Traffic:
    """The same mix of calls, second after second, and what became of them."""

    def __init__(self, world, clock, guarded):
        self.world, self.clock, self.guarded = world, clock, guarded

    def run(self, seconds, mix=SHUFFLED):
        """How the calls ended: ``{(priority, "done", "shed" or "turned away"): number}``."""
        ends = Counter()
        for _ in range(seconds):
            for level in mix:
                ends[level, self.one(level)] += 1
                self.clock.advance(1 / len(mix))
        return ends

    def one(self, level):
        with priority(level):
            try:
                return self.world.call(self.guarded)
            except LoadShedError:
                return "shed"
            except ResourceLimitError:
                return "turned away"


@pytest.fixture
def overload(world, clock, shedding):
    """Traffic of 40 calls a second, a backend that takes 10, and what is between them."""
    policy = shedding("hub", window=20.0)
    backend = Backend(clock, 10)
    return Traffic(world, clock, policy(world.function(backend))), backend, policy


# --- under overload ---------------------------------------------------------------------------


def test_without_overload_nothing_is_shed(overload):
    traffic, backend, policy = overload
    backend.capacity = 50
    assert set(traffic.run(40)) == {(level, "done") for level in Priority}
    assert policy.rejection == 0


def test_the_share_that_is_shed_is_the_formula_of_the_book(overload):
    traffic, _, policy = overload
    traffic.run(40)
    ends = traffic.run(20)
    shed = sum(number for (_, end), number in ends.items() if end == "shed")
    # Of 40 calls a second 10 are accepted, so that 2 * 10 are sent.
    assert shed / ends.total() == pytest.approx(1 - 2 * 10 / 40, abs=0.02)
    assert policy.rejection == pytest.approx(0.5, abs=0.05)


def test_the_least_important_calls_are_shed_and_the_others_keep_passing(overload):
    traffic, _, _ = overload
    traffic.run(40)
    ends = traffic.run(20)
    # 20 of 40 calls are too many: all 16 of the least important, and 4 of the next 8.
    assert ends[SHEDDABLE, "shed"] / (20 * 16) > 0.97
    assert ends[SHEDDABLE_PLUS, "shed"] / (20 * 8) == pytest.approx(0.5, abs=0.1)
    assert ends[CRITICAL, "shed"] == ends[CRITICAL_PLUS, "shed"] == 0


def test_when_the_dependency_is_back_all_are_let_through_again(overload):
    traffic, backend, policy = overload
    traffic.run(60)
    backend.capacity = 1000
    traffic.run(40)
    assert policy.rejection == 0
    assert set(traffic.run(1)) == {(level, "done") for level in Priority}


def test_an_outage_sheds_nearly_everything_and_what_is_still_tried_is_what_matters_most(overload):
    traffic, backend, policy = overload
    backend.capacity = 0
    traffic.run(60)
    assert policy.rejection > 0.99
    tried = traffic.run(60)
    assert all(tried[level, "turned away"] == 0 for level in (SHEDDABLE, SHEDDABLE_PLUS, CRITICAL))
    assert 0 < tried[CRITICAL_PLUS, "turned away"] < 20
    backend.capacity = 1000
    traffic.run(240)
    assert policy.rejection == 0


def test_where_only_one_priority_is_in_use_chance_decides(overload):
    traffic, _, _ = overload
    traffic.run(40, [CRITICAL] * 40)
    ends = traffic.run(20, [CRITICAL] * 40)
    assert ends[CRITICAL, "shed"] / ends.total() == pytest.approx(0.5, abs=0.05)


def test_calls_under_way_are_not_taken_for_calls_turned_away(clock, shedding):
    policy = shedding()

    async def call():
        await asyncio.sleep(1.0)

    async def main():
        await asyncio.gather(*(policy(call)() for _ in range(50)))

    with asyncio.Runner(loop_factory=clock.new_event_loop) as runner:
        runner.run(main())


# --- what was turned away ---------------------------------------------------------------------


class StatusError(Exception):
    def __init__(self, status, *, on_response=True):
        super().__init__(status)
        if on_response:
            self.response = SimpleNamespace(status_code=status)
        else:
            self.status = status


class MuteError(Exception):
    @property
    def response(self):
        raise RuntimeError("no comment")


def _rejection_after(world, shedding, error, **settings):
    policy = shedding(**settings)

    def fail():
        raise error

    with pytest.raises(type(error)):
        world.call(policy(world.function(fail)))
    return policy.rejection


@pytest.mark.parametrize(
    "error",
    [
        ResourceLimitError("full"),
        MemoryError(),
        TimeoutError(),
        BulkheadFullError("inside"),
        StatusError(503),
        StatusError(429, on_response=False),
    ],
    ids=repr,
)
def test_a_call_was_turned_away(world, shedding, error):
    assert _rejection_after(world, shedding, error) == 0.5


@pytest.mark.parametrize(
    "error",
    [
        ValueError(),
        DecodeError("broken file"),
        ConnectionError(),
        StatusError(500),
        StatusError("429"),
        MuteError(),
        RuntimeError("nobody knows"),
    ],
    ids=repr,
)
def test_any_other_error_is_an_answer(world, shedding, error):
    assert _rejection_after(world, shedding, error) == 0


def test_an_error_raised_from_a_refusal_was_turned_away(world, shedding):
    policy = shedding()

    def fail():
        try:
            raise BulkheadFullError("inside")
        except BulkheadFullError as refusal:
            raise RuntimeError("no luck") from refusal

    with pytest.raises(RuntimeError):
        world.call(policy(world.function(fail)))
    assert policy.rejection == 0.5


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(), asyncio.CancelledError()])
def test_interruptions_count_as_nothing(shedding, flaky, error):
    policy = shedding()
    with pytest.raises(type(error)):
        policy(flaky(9, error))()
    assert sum(policy._gate._machine.counts) == 0


@pytest.mark.parametrize("error", [CircuitOpenError("hub"), DeadlinePassedError("hub")], ids=repr)
@pytest.mark.parametrize("settings", [{}, {"exceptions": Exception}], ids=str)
def test_an_open_circuit_and_a_deadline_that_has_passed_are_no_overload(
    shedding, flaky, error, settings
):
    policy = shedding(**settings)
    with pytest.raises(type(error)):
        policy(flaky(9, error))()
    assert sum(policy._gate._machine.counts) == 0


def test_what_turns_a_call_away_can_be_said(world, shedding):
    error = ConnectionError("reset")
    assert _rejection_after(world, shedding, error, exceptions=ConnectionError) == 0.5
    assert _rejection_after(world, shedding, error, exceptions=lambda e: "reset" in str(e)) == 0.5
    assert _rejection_after(world, shedding, TimeoutError(), exceptions=ConnectionError) == 0


def test_a_broken_rule_is_counted_and_the_error_is_the_callers(world, shedding):
    before = hook_failures().count
    assert _rejection_after(world, shedding, TimeoutError(), exceptions=lambda _: 1 / 0) == 0
    assert hook_failures().count == before + 1


# --- how much a call matters ------------------------------------------------------------------


@pytest.fixture
def dead(shedding):
    """A dependency that turned all of a thousand critical calls away."""

    def build(**settings):
        policy = shedding("hub", **settings)
        for _ in range(1000):
            policy._gate.settle(CRITICAL, TimeoutError(), "x")
        return policy

    return build


def _is_shed(world, policy, *args):
    try:
        world.call(policy(world.function(lambda *_: "done")), *args)
    except LoadShedError as refusal:
        return refusal.details["priority"]
    return None


def test_a_call_is_critical_unless_said_otherwise(world, dead):
    policy = dead()
    assert _is_shed(world, policy) is CRITICAL
    with priority(CRITICAL_PLUS):
        assert _is_shed(world, policy) is None
        with priority(SHEDDABLE):
            assert _is_shed(world, policy) is SHEDDABLE
        assert _is_shed(world, policy) is None
    assert _is_shed(world, policy) is CRITICAL


def test_the_policy_may_give_all_its_calls_one_priority(world, dead):
    policy = dead(priority=CRITICAL_PLUS)
    with priority(SHEDDABLE):
        assert _is_shed(world, policy) is None


def test_the_priority_may_be_a_function_of_the_arguments(world, dead):
    policy = dead(priority=lambda customer: CRITICAL_PLUS if customer == "paying" else SHEDDABLE)
    assert _is_shed(world, policy, "paying") is None
    assert _is_shed(world, policy, "trial") is SHEDDABLE
    assert _is_shed(world, dead(priority=lambda _: 1), "a number will do") is SHEDDABLE_PLUS


@pytest.mark.parametrize("rule", [lambda: 1 / 0, lambda: "high", lambda: 4])
def test_a_broken_priority_function_is_counted_and_the_block_around_decides(world, dead, rule):
    policy = dead(priority=rule)
    before = hook_failures().count
    with priority(SHEDDABLE_PLUS):
        assert _is_shed(world, policy) is SHEDDABLE_PLUS
    assert hook_failures().count == before + 1


def test_the_priority_of_a_function_can_be_said_once(world, dead):
    policy = dead()

    @priority(SHEDDABLE)
    def nightly():
        return _is_shed(world, policy)

    assert nightly() is SHEDDABLE


def test_only_a_priority_is_one():
    with pytest.raises(ConfigurationError) as caught, priority("high"):
        pytest.fail("the body ran")
    assert caught.value.setting == "priority"


# --- refusals ---------------------------------------------------------------------------------


def test_a_shed_call_is_told_who_refused_and_why(world, dead, events):
    guarded = dead()(world.function(lambda: pytest.fail("it was called")))
    with pytest.raises(LoadShedError, match="overload") as caught:
        world.call(guarded)
    refusal = caught.value
    assert (refusal.service, refusal.policy, refusal.reason, refusal.retry_after) == (
        "hub",
        "load shedding",
        RefusalReason.SHED,
        None,
    )
    (event,) = events
    assert (event.kind, event.policy, event.name) == (EventKind.REFUSED, "load shedding", "hub")
    assert (event.reason, event.wait) == (RefusalReason.SHED, None)
    assert event.fault_class is FaultClass.RESOURCE


def test_a_retry_does_not_repeat_what_was_shed(world, dead, retry, events):
    guarded = retry(5, Backoff("fixed", initial=1.0))(dead()(world.function(lambda: None)))
    with pytest.raises(LoadShedError):
        world.call(guarded)
    assert [event.kind for event in events] == [EventKind.REFUSED, EventKind.GAVE_UP]
    assert events[-1].reason is StopReason.REFUSED


def test_a_breaker_around_does_not_count_what_was_shed(world, dead, clock):
    circuit = CircuitBreaker(failure_threshold=1, clock=clock)
    with pytest.raises(LoadShedError):
        world.call(circuit(dead()(world.function(lambda: None))))
    assert circuit.state is State.CLOSED


def test_nobody_has_to_listen(world, clock, flaky):
    policy = LoadShedding(clock=clock, priority=SHEDDABLE)
    policy._gate.settle(CRITICAL, TimeoutError(), "x")
    policy._gate.settle(CRITICAL, TimeoutError(), "x")
    guarded = policy(world.function(flaky(0)))
    with pytest.raises(LoadShedError) as caught:
        world.call(guarded)
    assert caught.value.service == "flaky"


# --- kinds of functions -----------------------------------------------------------------------


def test_a_generator_is_shed_before_its_first_item_and_counts_when_it_ends(shedding):
    policy = shedding()

    @policy
    def items():
        yield 1
        raise TimeoutError

    source = items()
    assert next(source) == 1
    assert policy.rejection == 0
    with pytest.raises(TimeoutError):
        next(source)
    assert policy.rejection == 0.5
    with priority(CRITICAL_PLUS):
        assert next(items()) == 1
    for _ in range(50):
        policy._gate.settle(CRITICAL, TimeoutError(), "x")
    with priority(SHEDDABLE), pytest.raises(LoadShedError):
        next(items())


def test_a_generator_that_is_left_early_counts_as_nothing(shedding):
    policy = shedding()

    @policy
    def items():
        yield 1

    source = items()
    next(source)
    source.close()
    assert sum(policy._gate._machine.counts) == 0


def test_an_async_generator_is_shed_before_its_first_item(dead):
    @dead()
    async def items():
        yield 1

    async def collect():
        return [item async for item in items()]

    async def collect_important():
        with priority(CRITICAL_PLUS):
            return await collect()

    with pytest.raises(LoadShedError):
        asyncio.run(collect())
    assert asyncio.run(collect_important()) == [1]


def test_a_function_that_returns_an_awaitable_counts_when_it_is_awaited(shedding):
    policy = shedding()

    async def fails():
        raise TimeoutError

    def hands_on():
        return fails()

    pending = policy(hands_on)()
    assert policy.rejection == 0
    with pytest.raises(TimeoutError):
        asyncio.run(pending)
    assert policy.rejection == 0.5


def test_a_block_counts_and_is_shed(shedding):
    policy = shedding()
    for _ in range(50):
        with pytest.raises(TimeoutError), policy:
            raise TimeoutError
        with priority(CRITICAL_PLUS), policy:
            pass  # half is accepted, and that will do
    assert policy.rejection == 0
    for _ in range(100):
        policy._gate.settle(CRITICAL, TimeoutError(), "x")
    with priority(SHEDDABLE), pytest.raises(LoadShedError, match="load shedding"), policy:
        pytest.fail("the body ran")


def test_an_async_block_counts_and_is_shed(dead):
    policy = dead(priority=SHEDDABLE)
    policy.reconfigure(k=1.0)

    async def block():
        async with policy:
            pytest.fail("the body ran")

    with pytest.raises(LoadShedError):
        asyncio.run(block())

    async def well():
        policy.reconfigure(priority=CRITICAL_PLUS)
        async with policy:
            return policy._gate._machine.accepts

    assert asyncio.run(well()) == 0
    assert policy._gate._machine.accepts == 1


def test_a_block_has_no_arguments_to_take_the_priority_from(shedding):
    with pytest.raises(ConfigurationError) as caught, shedding(priority=lambda: CRITICAL):
        pytest.fail("the body ran")
    assert caught.value.setting == "priority"


# --- settings ---------------------------------------------------------------------------------


def test_other_settings_hold_from_the_next_call_on(shedding):
    policy = shedding()
    policy._gate.settle(CRITICAL, None, "x")
    for _ in range(3):
        policy._gate.settle(CRITICAL, TimeoutError(), "x")
    assert policy.rejection == 2 / 5
    policy.reconfigure(k=3, exceptions=ConnectionError)
    assert policy == shedding(k=3, exceptions=ConnectionError)
    assert policy.rejection == 1 / 5
    policy._gate.settle(CRITICAL, TimeoutError(), "x")  # is an answer now
    assert policy.rejection == 0


@pytest.mark.parametrize(
    "settings", [{"k": 0}, {"k": 3, "window": 10.0}, {"clock": None}, {"priority": "high"}]
)
def test_other_settings_that_make_no_sense_change_nothing(shedding, settings):
    policy = shedding()
    with pytest.raises(ConfigurationError):
        policy.reconfigure(**settings)
    assert policy == shedding()


@pytest.mark.parametrize(
    ("settings", "about"),
    [
        ({"k": 0.9}, "k"),
        ({"k": "two"}, "k"),
        ({"window": 0}, "window"),
        ({"window": -1}, "window"),
        ({"priority": 2}, "priority"),
        ({"exceptions": int}, "exceptions"),
    ],
)
def test_settings_that_make_no_sense_are_refused_when_it_is_built(settings, about):
    with pytest.raises(ConfigurationError) as caught:
        LoadShedding(**settings)
    assert caught.value.setting == about


def test_load_shedding_is_a_value_with_the_numbers_of_the_book():
    assert LoadShedding("hub") == LoadShedding("hub", 2.0, 120.0)
    assert str(LoadShedding("hub")) == (
        "LoadShedding(hub: beyond 2 calls for each accepted in 120 s)"
    )
    assert str(LoadShedding(k=1.5)) == ("LoadShedding(beyond 1.5 calls for each accepted in 120 s)")


# --- threads ----------------------------------------------------------------------------------


def test_however_threads_are_interleaved_every_call_counts_once():
    for schedule in random_schedules(100):
        with interleaved(schedule) as stage:
            policy = LoadShedding(k=1e9, window=1e6, clock=stage.clock)
            policy(lambda: None)()  # with that k, one that is accepted is enough

            def well(policy=policy):
                policy(lambda: None)()

            def badly(policy=policy):
                with pytest.raises(TimeoutError), policy:
                    raise TimeoutError

            stage.run(well, badly, well, badly)
            machine = policy._gate._machine
            assert (sum(machine.counts), machine.accepts) == (5, 3)
