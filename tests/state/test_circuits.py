"""What breakers of a fleet do, in memory and with a real server alike."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import math

import pytest

from tenuto.clock import SimulatedClock
from tenuto.errors import CircuitOpenError, ConfigurationError
from tenuto.machines import State
from tenuto.policies import CircuitBreaker
from tenuto.state import Effect, Memory, MemoryState, Operation, Script, open_state
from tenuto.state.bell import Bell
from tests.state.conftest import fail, succeed


class Mute:
    """It does not say what it is."""

    def __str__(self):
        raise RuntimeError("mine")


def is_open(breaker):
    """Or half open already, where whoever looks was held up."""
    return lambda: breaker.state in (State.OPEN, State.HALF_OPEN)


def is_closed(breaker):
    return lambda: breaker.state is State.CLOSED


def is_due(breaker):
    return lambda: breaker.state is State.HALF_OPEN


def trip_all(fleet, breakers):
    fail(breakers[0])
    for breaker in breakers:
        fleet.until(is_open(breaker))


def probe(fleet, breakers, number=1):
    """Enter wherever one is let in, once the open time is up: the ``number`` that were."""
    inside = []

    def entered():
        for breaker in breakers:
            if not _among(inside, breaker):
                try:
                    breaker.__enter__()
                except CircuitOpenError:
                    continue
                inside.append(breaker)
        return len(inside) >= number

    fleet.until(entered)
    assert len(inside) == number
    return inside


def _among(breakers, one):
    return any(each is one for each in breakers)  # by their settings, all of them are equal


def test_what_trips_one_is_refused_by_all(fleet):
    here, there = fleet.breakers(2, timeout=60.0)
    fail(here)
    fleet.until(is_open(there))
    with pytest.raises(CircuitOpenError, match="last fault: ConnectionError: down") as refused:
        succeed(there)
    assert 0 < refused.value.retry_after <= 60.0


def test_of_all_together_exactly_one_probes_and_its_success_closes_it_for_all(fleet):
    breakers = fleet.breakers(4)
    trip_all(fleet, breakers)
    (inside,) = probe(fleet, breakers)
    for breaker in breakers:
        with pytest.raises(CircuitOpenError):
            succeed(breaker)
    inside.__exit__(None, None, None)
    for breaker in breakers:
        fleet.until(is_closed(breaker))
        assert succeed(breaker)


def test_a_probe_that_fails_opens_it_again_for_all_and_for_longer(fleet):
    breakers = fleet.breakers(3, max_timeout=1000.0)
    trip_all(fleet, breakers)
    for streak in (1, 2):
        (inside,) = probe(fleet, breakers)
        inside.__exit__(ConnectionError, ConnectionError("still down"), None)
        for breaker in breakers:
            machine = breaker.circuit.machine
            fleet.until(lambda machine=machine, streak=streak: machine.reopenings == streak)
    shown = fleet.standing()
    assert shown.streak == 2
    assert shown.left > fleet.open_time * 2  # of 4, less a fifth by chance and what has passed


def test_three_probes_of_any_process_have_to_succeed(fleet):
    breakers = fleet.breakers(5, half_open_permits=3)
    trip_all(fleet, breakers)
    inside = probe(fleet, breakers, 3)
    inside[0].__exit__(None, None, None)
    fleet.until(lambda: fleet.standing().probing == 2)
    for breaker in breakers:  # three in total, not only at once
        if not _among(inside, breaker):
            with pytest.raises(CircuitOpenError):
                succeed(breaker)
    for breaker in inside[1:]:
        breaker.__exit__(None, None, None)
    for breaker in breakers:
        fleet.until(is_closed(breaker))


def test_a_probe_that_is_cancelled_proves_nothing_and_another_may_go(fleet):
    breakers = fleet.breakers(2)
    trip_all(fleet, breakers)
    (first,) = probe(fleet, breakers)
    first.__exit__(asyncio.CancelledError, asyncio.CancelledError(), None)
    (second,) = probe(fleet, breakers)
    second.__exit__(None, None, None)
    for breaker in breakers:
        fleet.until(is_closed(breaker))


def test_the_permit_of_a_process_that_died_is_given_to_another(fleet):
    nodes = fleet.nodes(3, lease=0.5)
    breakers = [fleet.breaker(node) for node in nodes]
    trip_all(fleet, breakers)
    (dead,) = probe(fleet, breakers[1:])
    at = 1 if dead is breakers[1] else 2
    fleet.keep_silent(nodes[at])
    alive = [breaker for breaker in breakers if breaker is not dead]
    (other,) = probe(fleet, alive)
    other.__exit__(None, None, None)
    for breaker in alive:
        fleet.until(is_closed(breaker))


def test_one_bad_process_does_not_trip_the_others_where_a_quorum_is_asked_for(fleet):
    bad, good, other = fleet.breakers(3, quorum=2, timeout=60.0)
    fail(bad)
    fleet.until(lambda: len(fleet.standing().votes) == 1)
    assert fleet.standing().state is State.CLOSED
    with pytest.raises(CircuitOpenError):
        succeed(bad)
    assert succeed(good)
    fail(good)
    fleet.until(is_open(other))


@pytest.mark.parametrize(("share", "needed"), [(0.5, 2), (0.2, 1), (0.9, 4)])
def test_a_quorum_may_be_a_share_of_those_that_use_it(fleet, share, needed):
    breakers = fleet.breakers(4, quorum=share, timeout=60.0)
    fleet.until(lambda: len(fleet.standing().nodes) == 4)
    for voted in range(needed - 1):
        fail(breakers[voted])
        fleet.until(lambda voted=voted: len(fleet.standing().votes) == voted + 1)
    assert fleet.standing().state is State.CLOSED
    fail(breakers[needed - 1])
    for breaker in breakers:
        fleet.until(is_open(breaker))


def test_two_breakers_of_one_process_have_one_vote(fleet):
    node, other = fleet.nodes(2)
    first, second = (fleet.breaker(node, quorum=2, timeout=60.0) for _ in range(2))
    third = fleet.breaker(other, quorum=2, timeout=60.0)
    fail(first)
    fail(second)
    fleet.until(lambda: len(fleet.standing().votes) == 1)
    assert succeed(third)


def test_one_that_the_others_do_not_believe_probes_and_closes_by_itself(fleet):
    bad, good = fleet.breakers(2, quorum=2)
    fail(bad)
    (inside,) = probe(fleet, [bad])
    inside.__exit__(ConnectionError, ConnectionError("for me alone"), None)
    assert bad.circuit.machine.reopenings == 1
    (inside,) = probe(fleet, [bad])
    inside.__exit__(None, None, None)
    assert bad.state is State.CLOSED
    fleet.until(lambda: not fleet.standing().votes)
    assert succeed(good)


def test_each_key_is_shared_by_itself(fleet):
    def ask(host):
        if host == "eu":
            raise ConnectionError(host)
        return host

    here, there = fleet.breakers(2, key=lambda call: call.args[0], timeout=60.0)
    with pytest.raises(ConnectionError):
        here(ask)("eu")
    there.at("eu")
    fleet.until(is_open(there.at("eu")))
    assert there(ask)("us") == "us"
    assert fleet.standing("hub[eu]").state is State.OPEN
    assert fleet.standing("hub[us]").state is State.CLOSED


def test_one_that_joins_later_hears_that_it_is_open(fleet):
    (here,) = fleet.breakers(1, timeout=60.0)
    fail(here)
    fleet.until(lambda: fleet.standing().state is State.OPEN)
    (late,) = fleet.breakers(1, timeout=60.0)
    fleet.until(is_open(late))


def test_in_shadow_it_trips_nobody_and_asks_nobody(fleet):
    shadow, real = fleet.breakers(2, shadow=True)[0], fleet.breakers(1)[0]
    fail(shadow)
    assert shadow.state is not State.CLOSED
    fleet.until(is_due(shadow))
    assert succeed(shadow)
    assert shadow.state is State.CLOSED
    assert succeed(real)
    assert fleet.standing().votes == ()


def test_what_somebody_has_forced_here_stays_so(fleet):
    here, closed, opened = fleet.breakers(3, timeout=60.0)
    closed.force_closed()
    opened.force_open()
    fail(here)
    fleet.until(lambda: closed.circuit.shared.seat.open and opened.circuit.shared.seat.open)
    assert closed.state is State.FORCED_CLOSED
    assert opened.state is State.FORCED_OPEN


def test_a_reset_takes_the_vote_back(fleet):
    bad, other = fleet.breakers(2, quorum=2, timeout=60.0)
    fail(bad)
    fleet.until(lambda: fleet.standing().votes)
    bad.reset()
    fleet.until(lambda: not fleet.standing().votes)
    fail(other)
    fleet.until(lambda: len(fleet.standing().votes) == 1)
    assert bad.state is State.CLOSED


def test_one_that_leaves_takes_its_vote_along(fleet):
    nodes = fleet.nodes(2)
    good, bad = (fleet.breaker(node, quorum=2, timeout=60.0) for node in nodes)
    fail(bad)
    fleet.until(lambda: fleet.standing().votes)
    nodes[1].close()
    fleet.until(lambda: not fleet.standing().votes)
    assert len(fleet.standing().nodes) == 1
    assert succeed(good)


def test_a_late_result_of_an_earlier_round_changes_nothing(fleet):
    nodes = fleet.nodes(2, lease=0.2)
    slow, quick = (fleet.breaker(node) for node in nodes)
    trip_all(fleet, [slow, quick])
    (inside,) = probe(fleet, [slow])
    token = next(iter(inside.circuit.shared._tokens.values()))
    fleet.keep_silent(nodes[0])
    (other,) = probe(fleet, [quick])
    other.__exit__(ConnectionError, ConnectionError("down"), None)
    fleet.until(lambda: fleet.standing().streak == 1)
    nodes[1].post(quick.circuit.shared, inside.circuit.shared._settle(token, "succeeded", 0.0))
    nodes[1].touch(quick.circuit.shared)
    fleet.until(lambda: nodes[1].status().waiting == 0)
    assert fleet.standing().state is not State.CLOSED
    assert quick.state is not State.CLOSED


def test_what_is_kept_may_be_lost_and_the_processes_still_know_it(fleet):
    here, there = fleet.breakers(2, timeout=60.0)
    trip_all(fleet, [here, there])
    fleet.forget_everything()
    here.circuit.shared.touch()
    fleet.until(lambda: fleet.standing().left > 1)
    (late,) = fleet.breakers(1, timeout=60.0)
    fleet.until(is_open(late))


def test_of_what_is_news_to_it_each_tells_its_listener(fleet):
    told = []
    here, there = fleet.nodes(2)
    first = fleet.breaker(here)
    second = fleet.breaker(there, on_event=lambda event: told.append((event.kind, event.before)))
    trip_all(fleet, [first, second])
    (inside,) = probe(fleet, [first])
    inside.__exit__(None, None, None)
    fleet.until(is_closed(second))
    fleet.until(lambda: len(told) == 2)
    assert told == [("tripped", State.CLOSED), ("closed", State.OPEN)]


def test_what_was_remembered_gives_way_to_what_the_fleet_knows(fleet):
    here, there = fleet.breakers(2)
    trip_all(fleet, [here, there])
    remembered = here.remember()
    (inside,) = probe(fleet, [here])
    inside.__exit__(None, None, None)
    fleet.until(is_closed(there))
    there.restore(remembered)
    assert there.state is State.CLOSED


def test_what_was_remembered_is_no_vote(fleet):
    (old,) = fleet.breakers(1, timeout=60.0)
    fail(old)
    remembered = old.remember()
    fleet.forget_everything()
    here, there = (fleet.breaker(node, "other", timeout=60.0) for node in fleet.nodes(2))
    here.restore(remembered)
    here.circuit.shared.touch()
    fleet.until(lambda: len(fleet.standing("other").nodes) == 2)
    assert here.state is State.OPEN
    assert fleet.standing("other").votes == ()
    assert succeed(there)


@pytest.mark.parametrize(
    "name",
    ["a{b}c:d", "two words\r\nSET x 1", "ümläut", "\ud800", "x" * 10_000, "*", "hub[eu]/7", "\x00"],
)
def test_a_name_may_be_anything(fleet, name):
    here, there = (fleet.breaker(node, name, timeout=60.0) for node in fleet.nodes(2))
    (other,) = fleet.breakers(1)
    fail(here)
    fleet.until(is_open(there))
    assert succeed(other)


def test_without_a_name_there_is_nothing_to_share(fleet):
    with pytest.raises(ConfigurationError, match="name"):
        CircuitBreaker(fleet=fleet.node())


@pytest.mark.parametrize("quorum", [0, -1, 1.5, True, "half"])
def test_a_quorum_that_cannot_be_is_refused(quorum):
    with pytest.raises(ConfigurationError, match="quorum"):
        CircuitBreaker("hub", quorum=quorum)


def test_settings_change_while_it_is_shared(fleet):
    here, there = fleet.breakers(2, timeout=60.0, quorum=2)
    fail(here)
    fleet.until(lambda: fleet.standing().votes)
    here.reconfigure(quorum=1)
    here.circuit.shared.touch()
    fleet.until(is_open(there))
    with pytest.raises(ConfigurationError, match="fleet"):
        here.reconfigure(fleet=None)


def test_one_that_is_closed_shares_nothing_any_more(fleet):
    closed, other = fleet.nodes(2)
    here, there = fleet.breaker(closed), fleet.breaker(other)
    fleet.until(lambda: len(fleet.standing().nodes) == 2)
    closed.close()
    closed.close()
    fleet.until(lambda: not closed.status().connected)
    fail(here)
    assert here.state is not State.CLOSED
    fleet.until(is_due(here))
    assert succeed(here)
    late = fleet.breaker(closed, "late")
    assert succeed(late)
    fleet.until(lambda: len(fleet.standing().nodes) == 1)
    assert there.state is State.CLOSED
    assert fleet.standing("late").nodes == ()


def test_it_says_how_it_is(fleet):
    node = fleet.node()
    here = fleet.breaker(node)
    fleet.until(lambda: node.status().connected)
    status = node.status()
    assert (status.members, status.lost, status.nonsense, status.trouble) == (1, 0, 0, None)
    assert status.where
    assert here.state is State.CLOSED


def test_what_makes_no_sense_is_counted(fleet):
    node = fleet.node()
    member = fleet.breaker(node).circuit.shared
    members = node.members if hasattr(node, "members") else node._members
    assert members.take(member, ["", "0", "nan", "1", "0", "0", "0", ""]) is None
    with pytest.raises(ValueError, match="unpack"):
        member.take(["too", "short"])
    assert node.status().nonsense == 1


def test_in_one_process_those_meet_that_say_the_same_name():
    one, other, apart = (
        CircuitBreaker("hub", failure_threshold=1, fleet=open_state(f"memory://{name}"))
        for name in ("studio", "studio", "stage")
    )
    fail(one)
    assert other.state is State.OPEN
    assert apart.state is State.CLOSED


def test_a_call_that_is_left_while_something_else_is_done_gives_its_permit_back_then():
    memory = Memory(SimulatedClock())
    done = []

    def rule(record, now, what):
        done.append(what)
        if what == "outer":
            assert memory.run(Operation(script, "hub", ("left",))) is None
            done.append("outer ends")
        return Effect([what], None)

    script = Script((), "", dict, rule)
    assert memory.run(Operation(script, "hub", ("outer",))) == ["outer"]
    assert done == ["outer", "outer ends", "left"]
    state = MemoryState(memory)
    member = CircuitBreaker("hub", fleet=state).circuit.shared

    def posts(record, now, what):
        if what == "outer":
            state.post(member, Operation(inner, "hub", ("left",)))
        done.append(what)
        return Effect(["", "0", "0", "0", "0", "0", "0", ""], None)

    inner = Script((), "", list, posts)
    state.post(member, Operation(inner, "hub", ("outer",)))
    assert done[-2:] == ["outer", "left"]


def test_a_bell_is_rung_once_however_often_and_heard_once():
    bell = Bell()
    assert not bell.wait(0.0)
    for _ in range(3):
        bell.set()
    assert bell.is_set()
    assert bell.wait(None)
    assert not bell.is_set()
    bell.set()
    bell.clear()
    assert not bell.wait(0.0)


def test_a_memory_forgets_the_oldest_names_and_their_members_do_not(monkeypatch):
    monkeypatch.setattr("tenuto.state.memory._MOST_RECORDS", 2)
    state = MemoryState()
    hub = CircuitBreaker("hub", failure_threshold=1, fleet=state)
    fail(hub)
    others = [CircuitBreaker(f"other {number}", fleet=state) for number in range(2)]
    assert [each.name for each in state.memory.circuits()] == ["other 0", "other 1"]
    hub.circuit.shared.touch()
    late = CircuitBreaker("hub", fleet=MemoryState(state.memory))
    assert late.state is State.OPEN
    assert all(succeed(other) for other in others)


def test_one_that_wants_fewer_probes_than_have_gone_well_closes_it(fleet):
    many = fleet.breaker(fleet.node(), half_open_permits=3)
    few = fleet.breaker(fleet.node(), half_open_permits=1)
    trip_all(fleet, [many, few])
    (inside,) = probe(fleet, [many])
    inside.__exit__(None, None, None)
    fleet.until(lambda: fleet.standing().probing == 0)

    def is_let_in():
        with contextlib.suppress(CircuitOpenError):
            return succeed(few)
        return False

    fleet.until(is_let_in)
    fleet.until(is_closed(many))


def test_after_the_server_was_away_what_trips_one_trips_all_again(fleet, monkeypatch):
    breakers = here, there = fleet.breakers(2)
    trip_all(fleet, breakers)
    for breaker in breakers:
        fleet.until(is_due(breaker))
    with monkeypatch.context() as away:
        for breaker in breakers:
            away.setattr(breaker.fleet, "ask", lambda *_: False)
            assert succeed(breaker)
    fail(here)
    fleet.until(is_open(there))


def test_a_probe_of_one_that_was_remembered_tells_all_how_it_failed(fleet):
    here, there = fleet.breakers(2)
    before = CircuitBreaker("hub", failure_threshold=1, timeout=0.01, clock=fleet.clock)
    fail(before)
    here.restore(before.remember())
    fleet.until(is_due(here))
    fail(here)
    fleet.until(is_open(there))


def test_long_keys_that_begin_alike_are_shared_each_by_itself(fleet):
    one, other = fleet.breakers(2, key=lambda call: call.args[0])
    base = "https://hub.example.org/" + "x" * 80
    fail(one.at(f"{base}/eu"))
    fleet.until(is_open(other.at(f"{base}/eu")))
    assert other.at(f"{base}/us").state is State.CLOSED


@pytest.mark.parametrize("keys", [("sk-" + "a" * 32, "sk-" + "b" * 32), (Mute(), Mute())])
def test_keys_that_cannot_be_told_apart_without_what_is_secret_are_not_shared(fleet, keys):
    breakers = fleet.breakers(2, key=lambda call: call.args[0])
    fail(breakers[0].at(keys[0]))
    assert breakers[0].at(keys[0]).state is State.OPEN
    assert breakers[0].at(keys[1]).state is State.CLOSED
    assert breakers[1].at(keys[0]).state is State.CLOSED


def test_one_that_stays_open_for_ever_cannot_be_shared(fleet):
    with pytest.raises(ConfigurationError, match="has to be told an end"):
        fleet.breaker(fleet.node(), timeout=math.inf)


def test_a_node_that_closes_while_it_probes_gives_its_permit_back():
    clock = SimulatedClock()
    memory = Memory(clock)
    here, there = (
        CircuitBreaker("hub", failure_threshold=1, timeout=1.0, fleet=each, clock=clock)
        for each in (MemoryState(memory), MemoryState(memory))
    )
    fail(here)
    clock.advance(2)
    here.__enter__()
    here.fleet.close()
    here.__exit__(None, None, None)
    assert there.state is State.CLOSED


def test_leave_that_comes_after_its_call_was_cancelled_is_given_back():
    clock = SimulatedClock()
    memory = Memory(clock)
    node = MemoryState(memory)
    hub = CircuitBreaker("hub", failure_threshold=1, timeout=1.0, fleet=node, clock=clock)
    fail(hub)
    clock.advance(2)
    asked = []
    node.ask = lambda *question: asked.append(question) or True  # on a slow connection
    steps = hub.circuit.enter("hub", None)
    next(steps)
    steps.close()
    ((operation, answered),) = asked
    answered(memory.run(operation))
    (shown,) = memory.circuits()
    assert shown.probing == 0


def test_a_breaker_that_is_gone_is_not_counted_any_more():
    node = MemoryState(Memory(SimulatedClock()))
    kept = CircuitBreaker("hub", fleet=node)
    for _ in range(100):
        CircuitBreaker("hub", fleet=node)
    gc.collect()
    assert sum(len(record.nodes) for record in node.memory._records.values()) == 1
    assert kept.state is State.CLOSED
