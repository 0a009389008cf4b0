"""One breaker, a circuit for each key, and bounded memory."""

from __future__ import annotations

import asyncio
import gc
import threading

import pytest

from tenuto.errors import CircuitOpenError, ConfigurationError
from tenuto.policies import CircuitBreaker, Fallback, Retry, State, hook_failures, stack
from tenuto.testing import force_open


@pytest.fixture
def breaker(clock, events):
    def build(**settings):
        settings = {"failure_threshold": 1, "key": lambda call: call.args[0], **settings}
        return CircuitBreaker("hub", clock=clock, on_event=events.append, **settings)

    return build


@pytest.fixture
def hosts(world):
    def ask(host):
        if host.startswith("bad"):
            raise ConnectionError(host)
        return host

    return world.function(ask)


def trip(world, guarded, *keys):
    for key in keys:
        with pytest.raises(ConnectionError):
            world.call(guarded, key)


def test_a_key_that_fails_leaves_the_others_alone(world, breaker, hosts, events):
    guarded = breaker()(hosts)
    trip(world, guarded, "bad")
    with pytest.raises(CircuitOpenError, match=r"hub\[bad\] was not called") as caught:
        world.call(guarded, "bad")
    assert caught.value.service == "hub[bad]"
    assert world.call(guarded, "good") == "good"
    assert {event.name for event in events} == {"hub[bad]"}


def test_functions_behind_one_breaker_share_the_circuits(world, breaker, hosts):
    policy = breaker()
    one, other = policy(hosts), policy(world.function(lambda host: "other"))
    trip(world, one, "bad")
    with pytest.raises(CircuitOpenError):
        world.call(other, "bad")


def test_a_circuit_is_looked_at_and_forced_by_its_key(world, breaker, hosts):
    policy = breaker()
    guarded = policy(hosts)
    policy.at("good").force_open()
    assert policy.at("good").state is State.FORCED_OPEN
    with pytest.raises(CircuitOpenError):
        world.call(guarded, "good")
    policy.at("good").force_closed()
    assert world.call(guarded, "good") == "good"
    policy.at("good").reset()
    assert policy.at("good").state is State.CLOSED
    policy.force_open()
    assert policy.at("good").state is State.FORCED_OPEN


def test_a_block_enters_the_circuit_of_its_key(breaker):
    policy = breaker()
    with pytest.raises(ConnectionError), policy.at("bad"):
        raise ConnectionError("bad")
    with pytest.raises(CircuitOpenError), policy.at("bad"):
        pass
    with policy.at("good"):
        pass
    with pytest.raises(ConfigurationError, match=r"breaker\.at"), policy:
        pass


def test_memory_is_bounded_and_the_key_not_used_for_longest_goes_first(world, breaker, hosts):
    policy = breaker(max_keys=3)
    guarded = policy(hosts)
    for host in ("a", "b", "c", "a", "d"):
        world.call(guarded, host)
    assert policy.circuits.keys() == ["c", "a", "d"]


def test_a_circuit_that_knows_of_trouble_stays_longer(world, breaker, hosts):
    policy = breaker(max_keys=2)
    guarded = policy(hosts)
    trip(world, guarded, "bad")
    for host in ("a", "b", "c"):
        world.call(guarded, host)
    assert policy.circuits.keys() == ["bad", "c"]
    trip(world, guarded, "bad too")
    assert policy.circuits.keys() == ["bad", "bad too"]
    trip(world, guarded, "bad as well")
    assert policy.circuits.keys() == ["bad too", "bad as well"]


@pytest.mark.parametrize("key", [lambda call: call.args[7], lambda call: []])
def test_calls_whose_key_cannot_be_told_share_a_circuit(world, breaker, hosts, key):
    before = hook_failures().count
    policy = breaker(key=key)
    guarded = policy(hosts)
    assert world.call(guarded, "good") == "good"
    assert hook_failures().count > before
    trip(world, guarded, "bad")
    assert policy.state is State.OPEN
    with pytest.raises(CircuitOpenError):
        world.call(guarded, "good")


def test_a_key_that_cannot_describe_itself_has_a_circuit_all_the_same(world, breaker, hosts):
    class Odd:
        def __str__(self):
            raise RuntimeError("no")

    odd = Odd()
    guarded = breaker(key=lambda call: odd)(hosts)
    trip(world, guarded, "bad")
    with pytest.raises(CircuitOpenError, match=r"hub\[Odd\]"):
        world.call(guarded, "good")


def test_it_is_fused_with_a_retry_and_a_fallback(world, breaker, hosts, clock):
    guarded = stack(Fallback("local"), Retry(clock=clock), breaker())(hosts)
    assert world.call(guarded, "bad") == "local"
    assert world.call(guarded, "good") == "good"
    assert clock.sleeps  # the retry tried, and found the circuit open


def test_generators_have_a_circuit_by_key_too(breaker):
    policy = breaker()

    @policy
    def items(host):
        yield host
        if host == "bad":
            raise ConnectionError(host)

    @policy
    async def items_later(host):
        yield host

    async def collect(host):
        return [item async for item in items_later(host)]

    assert list(items("good")) == ["good"]
    with pytest.raises(ConnectionError):
        list(items("bad"))
    with pytest.raises(CircuitOpenError):
        asyncio.run(collect("bad"))
    assert asyncio.run(collect("good")) == ["good"]


def test_many_threads_with_many_keys_hold_no_more_than_they_may(breaker):
    policy = breaker(max_keys=8)
    guarded = policy(lambda host: host)
    wrong = []

    def caller(start):
        for number in range(300):
            host = f"{(start + number) % 40}"
            if guarded(host) != host or len(policy.circuits.keys()) > 8 + len(threads):
                wrong.append(host)

    threads = [threading.Thread(target=caller, args=(start,)) for start in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert len(policy.circuits.keys()) == 8


def test_what_all_keys_are_forced_to_holds_for_new_ones_too(world, breaker, hosts):
    policy = breaker()
    guarded = policy(hosts)
    policy.force_open()
    with pytest.raises(CircuitOpenError):
        world.call(guarded, "good")
    policy.reset()
    assert world.call(guarded, "good") == "good"
    assert world.call(guarded, "better") == "better"


def test_a_test_forces_keys_that_are_not_known_yet_and_leaves_no_trace(world, breaker, hosts):
    policy = breaker()
    guarded = policy(hosts)
    with force_open("hub"), pytest.raises(CircuitOpenError):
        world.call(guarded, "good")
    assert policy.circuits.keys() == []
    assert world.call(guarded, "good") == "good"


def test_a_circuit_that_knows_of_trouble_by_now_has_lost_its_place_in_the_line(
    world, breaker, hosts
):
    policy = breaker(max_keys=3)
    guarded = policy(hosts)
    for host in ("a", "b", "c", "d"):  # a leaves; b and c are in line
        world.call(guarded, host)
    policy.at("b").force_open()
    world.call(guarded, "c")
    world.call(guarded, "e")
    assert policy.circuits.keys() == ["b", "c", "e"]


def test_what_is_guarded_no_more_takes_no_memory(breaker):
    policy = breaker()
    for _ in range(10):
        assert policy(lambda host: host)("good") == "good"
    gc.collect()
    member = policy.circuits.member(("good",), {})
    assert len(member.paths) == 0
