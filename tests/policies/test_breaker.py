from __future__ import annotations

import contextvars
import inspect
from datetime import timedelta

import pytest

from tenuto.errors import CircuitOpenError, ConfigurationError, ExternalServiceError, FaultClass
from tenuto.policies import CircuitBreaker, EventKind, Retry, State, hook_failures

BY_TIME = {"failure_rate": 0.5, "window": timedelta(seconds=10), "minimum_calls": 4}


@pytest.fixture
def breaker(clock, events):
    def build(*args, **settings):
        return CircuitBreaker(*args, clock=clock, on_event=events.append, **settings)

    return build


@pytest.fixture(
    params=[{}, BY_TIME, {"slow_after": 1000.0}], ids=["counting", "timing", "watching"]
)
def way(request):
    """Every way to count successes has a happy path of its own."""
    return request.param


def fail(world, guarded, times=1, error=ConnectionError):
    for _ in range(times):
        with pytest.raises(error):
            world.call(guarded, "x")


def test_five_failures_open_it_for_sixty_seconds(world, breaker, flaky, clock, way):
    dead = flaky(5)
    guarded = breaker("hub", **way)(world.function(dead))
    fail(world, guarded, 4 if "failure_rate" in way else 5)
    fail(world, guarded, 1, CircuitOpenError)
    clock.advance(59.0)
    fail(world, guarded, 1, CircuitOpenError)
    assert dead.calls == (4 if "failure_rate" in way else 5)
    clock.advance(1.0)
    dead.failures = 0
    assert world.call(guarded, "x") == "x"
    assert world.call(guarded, "y") == "y"


def test_a_success_in_between_starts_the_count_again(world, breaker, clock):
    answers = iter([1, 1, 0, 1, 1, 0, 1, 1, 1])

    def call(value):
        if next(answers):
            raise ConnectionError
        return value

    policy = breaker(failure_threshold=3)
    guarded = policy(world.function(call))
    for _ in range(8):
        try:
            world.call(guarded, "x")
        except ConnectionError:
            assert policy.state is State.CLOSED
    fail(world, guarded)
    assert policy.state is State.OPEN


def test_a_refusal_says_who_refused_since_when_and_when_to_come_back(world, breaker, flaky, clock):
    guarded = breaker("hub", 1)(world.function(flaky(1)))
    fail(world, guarded)
    clock.advance(15.0)
    with pytest.raises(CircuitOpenError) as caught:
        world.call(guarded, "x")
    refusal = caught.value
    assert isinstance(refusal, ExternalServiceError)
    assert (refusal.service, refusal.retry_after, refusal.open_for) == ("hub", 45.0, 15.0)
    assert refusal.last_fault == "ConnectionError: down"
    assert str(refusal) == (
        "hub was not called, its circuit is open; come back in 45 s; "
        "last fault: ConnectionError: down"
    )


def test_a_refusal_during_a_probe_says_so(breaker, flaky, clock):
    policy = breaker("hub", 1)

    @policy
    def probe(value):
        with pytest.raises(CircuitOpenError, match="a probe is under way") as caught:
            probe("second")
        assert caught.value.retry_after is None
        return value

    fail_once = policy(flaky(1))
    with pytest.raises(ConnectionError):
        fail_once("x")
    clock.advance(60.0)
    assert probe("first") == "first"
    assert policy.state is State.CLOSED


def test_without_a_name_it_goes_by_the_functions(breaker, flaky):
    guarded = breaker(failure_threshold=1)(flaky(1))
    with pytest.raises(ConnectionError):
        guarded("x")
    with pytest.raises(CircuitOpenError) as caught:
        guarded("x")
    assert caught.value.service == "flaky"


def test_an_error_that_cannot_describe_itself_is_summed_up_by_its_type(breaker):
    class Mute(ConnectionError):
        def __str__(self):
            raise RuntimeError

    policy = breaker(failure_threshold=1)

    @policy
    def call():
        raise Mute

    with pytest.raises(Mute):
        call()
    assert policy.circuit.last_fault == "Mute"


@pytest.mark.parametrize(
    ("error", "counts"),
    [
        (ConnectionError, True),
        (MemoryError, True),
        (Exception, True),
        (ValueError, False),
        (TypeError, False),
        (ImportError, False),
    ],
)
def test_only_what_tells_of_a_failing_dependency_counts(world, breaker, flaky, error, counts):
    policy = breaker(failure_threshold=1)
    fail(world, policy(world.function(flaky(1, error))), 1, error)
    assert policy.state is (State.OPEN if counts else State.CLOSED)


def test_an_answer_with_an_error_is_an_answer(world, breaker, flaky, clock):
    policy = breaker(failure_threshold=2)
    dead, bad_input = flaky(99), flaky(99, ValueError)
    call_dead, call_bad = policy(world.function(dead)), policy(world.function(bad_input))
    fail(world, call_dead)
    fail(world, call_bad, 1, ValueError)
    fail(world, call_dead)
    assert policy.state is State.CLOSED
    fail(world, call_dead)
    assert policy.state is State.OPEN
    clock.advance(60.0)
    fail(world, call_bad, 1, ValueError)  # as a probe
    assert policy.state is State.CLOSED


def test_exceptions_say_what_counts_instead(world, breaker, flaky):
    policy = breaker(failure_threshold=1, exceptions=(KeyError, ValueError))
    fail(world, policy(world.function(flaky(1))))
    assert policy.state is State.CLOSED
    fail(world, policy(world.function(flaky(1, KeyError))), 1, KeyError)
    assert policy.state is State.OPEN


def test_a_rule_with_a_bug_counts_as_nothing(world, breaker, flaky):
    def broken(error):
        raise RuntimeError

    before = hook_failures().count
    policy = breaker(failure_threshold=1, exceptions=broken)
    fail(world, policy(world.function(flaky(1))))
    assert policy.state is State.CLOSED
    assert hook_failures().count == before + 1


def test_the_fallback_gets_the_same_arguments_and_only_refused_calls(world, breaker, flaky, way):
    asked = []

    def local(*args, **kwargs):
        asked.append((args, kwargs))
        return "local"

    policy = breaker(failure_threshold=1, fallback=world.function(local), **way)
    guarded = policy(world.function(flaky(1)))
    fail(world, guarded)
    assert asked == []
    assert world.call(guarded, "audio") == "local"
    assert world.call(guarded, value="audio") == "local"
    assert asked == [(("audio",), {}), ((), {"value": "audio"})]


def test_nobody_listening_the_fallback_answers_at_once(world, clock, flaky, way):
    policy = CircuitBreaker(
        failure_threshold=1, fallback=lambda value: f"local {value}", clock=clock, **way
    )
    dead = flaky(1)
    guarded = policy(world.function(dead))
    fail(world, guarded)
    assert world.call(guarded, "x") == "local x"
    assert dead.calls == 1
    clock.advance(60.0)
    assert world.call(guarded, "x") == "x"


def test_an_awaitable_fallback_is_awaited_in_async_code(world, clock, flaky, way):
    policy = CircuitBreaker(
        failure_threshold=1, fallback=world.function(lambda _: "local"), clock=clock, **way
    )
    guarded = policy(world.function(flaky(1)))
    fail(world, guarded)
    assert world.call(guarded, "x") == "local"


def test_exactly_n_probes_reach_the_dependency_and_all_must_succeed(breaker, flaky, clock):
    policy = breaker(failure_threshold=1, half_open_permits=2)
    with pytest.raises(ConnectionError):
        policy(flaky(1))("x")
    clock.advance(60.0)
    reached = []

    @policy
    def nested(depth):
        reached.append(depth)
        if depth < 9:
            try:
                nested(depth + 1)
            except CircuitOpenError:
                return "refused"
        return "through"

    nested(0)
    assert reached == [0, 1]
    assert policy.state is State.CLOSED


def test_open_time_grows_while_probes_fail(world, breaker, flaky, clock, events):
    guarded = breaker("hub", 1, timeout=10.0, max_timeout=25.0)(world.function(flaky(99)))
    for _ in range(4):
        fail(world, guarded)
        clock.advance(events[-1].wait)
    lengths = [event.wait for event in events if event.kind is EventKind.TRIPPED]
    assert lengths[0] == 10.0
    assert 16.0 <= lengths[1] <= 20.0
    assert 20.0 <= lengths[2] <= 25.0
    assert 20.0 <= lengths[3] <= 25.0


def test_it_tells_what_happened_to_it(world, breaker, flaky, clock, events):
    guarded = breaker("hub", 2)(world.function(flaky(2)))
    fail(world, guarded, 2)
    fail(world, guarded, 1, CircuitOpenError)
    clock.advance(60.0)
    world.call(guarded, "x")
    assert [(event.kind, event.state, event.wait) for event in events] == [
        ("tripped", "open", 60.0),
        ("refused", "open", 60.0),
        ("probing", "half_open", None),
        ("closed", "closed", None),
    ]
    assert {(event.policy, event.name) for event in events} == {("breaker", "hub")}
    assert events[0].fault_class is FaultClass.INFRASTRUCTURE
    assert events[0].error is None  # it was there while the listener ran, and is not kept


def test_forced_open_closed_and_reset(world, breaker, flaky, events):
    policy = breaker("hub", 1)
    dead = flaky(99)
    guarded = policy(world.function(dead))
    policy.force_open()
    fail(world, guarded, 1, CircuitOpenError)
    assert (policy.state, dead.calls) == (State.FORCED_OPEN, 0)
    policy.force_closed()
    fail(world, guarded, 9)
    assert policy.state is State.FORCED_CLOSED
    policy.reset()
    assert policy.state is State.CLOSED
    fail(world, guarded)
    assert policy.state is State.OPEN
    assert [event.kind for event in events] == [
        "tripped",
        "refused",
        "closed",
        "closed",
        "tripped",
    ]


def test_forced_open_without_a_listener_the_fallback_answers(world, clock, flaky):
    policy = CircuitBreaker(fallback=lambda _: "local", clock=clock)
    guarded = policy(world.function(flaky(0)))
    policy.force_open()
    clock.advance(1e9)
    assert world.call(guarded, "x") == "local"


def test_the_rate_over_time_counts_successes_where_they_fell(world, breaker, clock):
    failing = False

    def call(value):
        if failing:
            raise ConnectionError
        return value

    policy = breaker(failure_threshold=None, **BY_TIME)
    guarded = policy(world.function(call))
    for _ in range(10):
        world.call(guarded, "x")
        clock.advance(0.5)
    failing = True
    fail(world, guarded, 9)
    assert policy.state is State.CLOSED  # nine of nineteen
    clock.advance(7.0)  # the first few successes have left the window
    fail(world, guarded)
    assert policy.state is State.OPEN


def test_with_refuses_to_run_the_body_while_the_circuit_is_open(breaker, clock):
    policy = breaker("hub", 1)
    ran = []
    with pytest.raises(ConnectionError), policy:
        raise ConnectionError
    with pytest.raises(CircuitOpenError), policy:
        ran.append("the body")
    assert ran == []
    clock.advance(60.0)
    with policy:
        ran.append("a probe")
    assert ran == ["a probe"]
    assert policy.state is State.CLOSED


def test_with_blocks_may_be_nested_and_interleaved(breaker, clock):
    policy, other = breaker("hub", 1), breaker("store", 1)

    def block():
        with policy:
            yield
            raise ConnectionError

    with pytest.raises(ConnectionError), policy, other:
        raise ConnectionError
    assert (policy.state, other.state) == (State.OPEN, State.OPEN)
    policy.reset()
    first, second = block(), block()
    next(first)
    next(second)
    with pytest.raises(ConnectionError):
        next(first)  # ends before the one begun after it
    second.close()
    assert policy.state is State.OPEN


def test_a_with_block_that_ends_in_another_context_raises_nothing_of_its_own(breaker):
    policy = breaker("hub", 1)
    contextvars.copy_context().run(policy.__enter__)
    policy.__exit__(None, None, None)
    assert policy.state is State.CLOSED


async def test_with_works_around_awaits(breaker):
    policy = breaker("hub", 1)
    with policy:
        pass
    assert policy.state is State.CLOSED


def test_a_refusal_from_inside_does_not_count_outside(world, breaker, flaky):
    inner, outer = breaker("inner", 1), breaker("outer", 1)
    guarded = outer(inner(world.function(flaky(99))))
    with pytest.raises(ConnectionError):
        world.call(inner(world.function(flaky(1))), "x")
    fail(world, guarded, 3, CircuitOpenError)
    assert outer.state is State.CLOSED


def test_a_refusal_wrapped_in_the_users_own_error_does_not_count_either(world, breaker):
    policy = breaker(failure_threshold=1)

    def call():
        try:
            raise CircuitOpenError("inner")
        except CircuitOpenError as refusal:
            raise ConnectionError("the hub cannot be reached") from refusal

    with pytest.raises(ConnectionError):
        world.call(policy(world.function(call)))
    assert policy.state is State.CLOSED


def test_what_it_guards_keeps_its_face(breaker):
    policy = breaker()

    class Client:
        def enhance(self, audio: bytes, *, rate: int = 16_000) -> bytes:
            """Make it sound."""
            return audio

        guarded = policy(enhance)

    assert Client.guarded.__name__ == "enhance"
    assert Client.guarded.__doc__ == "Make it sound."
    assert inspect.signature(Client.guarded) == inspect.signature(Client.enhance)
    assert Client.guarded.__wrapped__ is Client.enhance
    assert Client().guarded(b"x") == b"x"
    assert policy(Client().enhance)(b"y") == b"y"


@pytest.mark.parametrize("kind", [staticmethod, classmethod])
def test_a_method_descriptor_is_refused_with_the_remedy(kind):
    with pytest.raises(ConfigurationError, match="on top"):
        CircuitBreaker()(kind(lambda: None))


@pytest.mark.parametrize(
    ("settings", "about"),
    [
        ({"failure_threshold": 0}, "failure_threshold"),
        ({"failure_threshold": None}, "failure_threshold"),
        ({"failure_threshold": 2.5}, "failure_threshold"),
        ({"timeout": -1}, "timeout"),
        ({"timeout": float("nan")}, "timeout"),
        ({"max_timeout": 5}, "max_timeout"),
        ({"half_open_permits": 0}, "half_open_permits"),
        ({"minimum_calls": 0}, "minimum_calls"),
        ({"fallback": "local"}, "fallback"),
        ({"failure_rate": 1.5}, "failure_rate"),
        ({"failure_rate": 0.5, "window": timedelta(0)}, "window"),
        ({"failure_rate": 0.5, "window": 0}, "window"),
        ({"failure_rate": 0.5, "window": 5}, "minimum_calls"),
        ({"exceptions": "x"}, "exceptions"),
    ],
)
def test_settings_that_make_no_sense_are_refused_when_it_is_built(settings, about):
    with pytest.raises(ConfigurationError) as caught:
        CircuitBreaker(**settings)
    assert caught.value.setting == about


def test_it_can_be_read():
    assert str(CircuitBreaker()) == "CircuitBreaker(5 failures in a row, open for 60 s)"
    by_rate = CircuitBreaker("hub", None, failure_rate=0.5)
    assert str(by_rate) == "CircuitBreaker(hub: 50% of 100 calls, open for 60 s)"
    both = CircuitBreaker(failure_rate=0.5, window=timedelta(minutes=1))
    assert "5 failures in a row or 50% of 0:01:00" in str(both)


def test_two_breakers_with_the_same_settings_are_equal_but_not_one_circuit(flaky):
    one, other = CircuitBreaker("hub", 1), CircuitBreaker("hub", 1)
    assert one == other
    with pytest.raises(ConnectionError):
        one(flaky(1))("x")
    assert (one.state, other.state) == (State.OPEN, State.CLOSED)


def test_a_retry_inside_a_with_block_is_one_call(breaker, clock, flaky):
    policy = breaker("hub", 2)
    with pytest.raises(ConnectionError), policy:
        Retry(3, clock=clock)(flaky(99))("x")
    assert policy.state is State.CLOSED


def test_a_circuit_that_closes_while_a_call_is_refused_was_open_for_no_time(breaker, clock):
    refusal = breaker("hub").circuit.refusal("hub")
    assert (refusal.open_for, refusal.since) == (0.0, clock.now())
