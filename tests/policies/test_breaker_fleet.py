"""What a breaker makes of what the others say, and when: a fleet that a test speaks for."""

from __future__ import annotations

import pytest

from tenuto.errors import CircuitOpenError
from tenuto.machines import State
from tenuto.policies import CircuitBreaker
from tenuto.state import EXCHANGE, SETTLE, Status


class Spoken:
    """A fleet whose words are given, and which remembers what it is told."""

    node, patience, lease, alive = "here", 5.0, 10.0, 10.0

    def __init__(self):
        self.answers = []
        self.reports, self.settled = [], []

    def join(self, member):
        self.member = member

    def touch(self, member):
        self.reports.append(member.report())

    def post(self, member, operation):
        assert operation.script is SETTLE
        self.settled.append(operation.args)

    def ask(self, operation, answered):
        assert operation.script is EXCHANGE
        self.asked = operation
        if not self.answers:
            return False
        self.answered = answered
        answer = self.answers.pop(0)
        if callable(answer):
            answer = answer()
        if answer is not None:
            answered(answer)
        return True

    def hear(self, *, era, is_open, left=0.0, streak=0, fault=""):
        """News come in."""
        news = told(era=era, is_open=is_open, left=left, streak=streak, fault=fault)
        after = self.member.take(news)
        if after is not None:
            after()

    def status(self):
        return Status(
            "here",
            connected=True,
            trouble=None,
            members=1,
            waiting=0,
            lost=0,
            unanswered=0,
            nonsense=0,
            failed=0,
        )

    def close(self):
        pass


def told(verdict="", wait=0.0, *, era=1, is_open=True, left=0.0, streak=0, fault=""):
    return [
        verdict,
        f"{wait}",
        f"{era}",
        "1" if is_open else "0",
        f"{left}",
        "0",
        f"{streak}",
        fault,
    ]


@pytest.fixture
def fleet():
    return Spoken()


@pytest.fixture
def hub(fleet, clock, events):
    def make(**settings):
        settings = {"failure_threshold": 2, "timeout": 10.0, **settings}
        return CircuitBreaker("hub", fleet=fleet, clock=clock, on_event=events.append, **settings)

    return make


def outcome(fleet):
    """What was told of the last probe, by its token."""
    ((token, ended, open_for, _),) = fleet.settled
    assert token == fleet.asked.args[16]
    return ended, open_for


def test_while_it_is_closed_nobody_hears_of_its_calls(world, fleet, hub):
    breaker = hub()
    call = breaker(world.function(lambda: "text"))
    for _ in range(100):
        assert world.call(call) == "text"
    assert fleet.reports == fleet.settled == []


def test_a_trip_is_told_with_how_long_and_why(world, fleet, hub):
    def fails():
        raise ConnectionError("down")

    breaker = hub()
    for _ in range(2):
        with pytest.raises(ConnectionError):
            world.call(breaker(world.function(fails)))
    (report,) = fleet.reports
    assert report.name == "hub"
    assert report.args[7:12] == (10.0, 0, "ConnectionError: down", 1, 0.0)


def test_with_leave_it_probes_and_says_how_that_ended(world, fleet, hub, clock):
    breaker = hub()
    fleet.hear(era=1, is_open=True, left=10.0)
    clock.advance(10.0)
    fleet.answers = [told("granted")]
    assert world.call(breaker(world.function(lambda: "text"))) == "text"
    assert outcome(fleet) == ("succeeded", 0.0)
    assert breaker.state is State.CLOSED


def test_a_probe_that_fails_says_for_how_long_it_is_open_then(world, fleet, hub, clock):
    def fails():
        raise ConnectionError("down")

    breaker = hub()
    fleet.hear(era=1, is_open=True, left=10.0, streak=1)
    clock.advance(10.0)
    fleet.answers = [told("granted", streak=1)]
    with pytest.raises(ConnectionError):
        world.call(breaker(world.function(fails)))
    ended, open_for = outcome(fleet)
    assert ended == "failed"
    assert 32.0 <= open_for <= 40.0  # the fleet's second probe in vain, less a fifth by chance


def test_without_leave_it_is_refused_and_does_not_ask_again_at_once(world, fleet, hub, clock):
    breaker = hub()
    call = breaker(world.function(lambda: "text"))
    fleet.hear(era=1, is_open=True, left=10.0)
    clock.advance(10.0)
    fleet.answers = [told("refused", 0.75), told("granted")]
    for _ in range(3):
        with pytest.raises(CircuitOpenError) as refused:
            world.call(call)
        assert refused.value.retry_after == 0.75
    assert len(fleet.answers) == 1
    clock.advance(0.75)
    assert world.call(call) == "text"


def test_nobody_waits_longer_because_of_what_others_say_than_it_may_be_open(fleet, hub, clock):
    breaker = hub(max_timeout=20.0)
    fleet.hear(era=1, is_open=True, left=1e9)
    assert breaker.circuit.machine.until == 20.0
    clock.advance(20.0)
    fleet.answers = [told("refused", 1e9)]
    with pytest.raises(CircuitOpenError), breaker:
        pass
    assert breaker.circuit.machine.until == 40.0


@pytest.mark.parametrize("answers", [[], [None]])
def test_where_nobody_answers_it_decides_by_itself(world, fleet, hub, clock, answers):
    breaker = hub()
    fleet.hear(era=1, is_open=True, left=10.0)
    clock.advance(10.0)
    fleet.answers = answers
    assert world.call(breaker(world.function(lambda: "text"))) == "text"
    assert breaker.state is State.CLOSED
    assert clock.monotonic() == (15.0 if answers == [None] else 10.0)  # its patience, or none


def test_while_one_waits_for_leave_no_other_of_the_process_asks(fleet, hub, clock):
    breaker = hub()
    fleet.hear(era=1, is_open=True, left=10.0)
    clock.advance(10.0)

    def meanwhile():
        with pytest.raises(CircuitOpenError), breaker:
            pass
        return told("granted")

    fleet.answers = [meanwhile, told("granted")]
    with breaker:
        pass
    assert len(fleet.answers) == 1


def test_what_it_waits_for_leave_does_not_make_its_call_slow(world, fleet, hub, clock):
    breaker = hub(slow_after=1.0)
    fleet.hear(era=1, is_open=True, left=10.0)
    clock.advance(10.0)
    fleet.answers = [None]
    assert world.call(breaker(world.function(lambda: clock.advance(0.9)))) is None
    assert breaker.state is State.CLOSED


def test_a_probe_that_is_slow_has_failed_for_the_fleet_too(world, fleet, hub, clock):
    breaker = hub(slow_after=1.0)
    fleet.hear(era=1, is_open=True, left=10.0)
    clock.advance(10.0)
    fleet.answers = [told("granted")]
    world.call(breaker(world.function(lambda: clock.advance(2.0))))
    assert outcome(fleet)[0] == "failed"


def test_leave_for_a_round_it_has_not_heard_of_counts_for_that_round(world, fleet, hub, clock):
    breaker = hub()
    fleet.hear(era=1, is_open=True, left=10.0)
    clock.advance(10.0)
    fleet.answers = [told("granted", era=2, streak=3)]
    assert world.call(breaker(world.function(lambda: "text"))) == "text"
    assert outcome(fleet) == ("succeeded", 0.0)
    assert breaker.state is State.CLOSED


def test_one_that_hears_meanwhile_that_it_is_closed_calls_and_gives_its_leave_back(
    world, fleet, hub, clock
):
    breaker = hub()
    fleet.hear(era=1, is_open=True, left=10.0)
    clock.advance(10.0)

    def meanwhile():
        fleet.hear(era=2, is_open=False)
        return told("granted", era=1)

    fleet.answers = [meanwhile]
    assert world.call(breaker(world.function(lambda: "text"))) == "text"
    assert outcome(fleet) == ("released", 0.0)


def test_one_that_hears_meanwhile_that_it_is_open_again_does_not_call(world, fleet, hub, clock):
    breaker = hub()
    fleet.hear(era=1, is_open=True, left=10.0)
    clock.advance(10.0)
    fleet.answers = [told("refused", 30.0, era=2, left=30.0)]
    with pytest.raises(CircuitOpenError) as refused:
        world.call(breaker(world.function(lambda: "text")))
    assert refused.value.retry_after == 30.0
    assert fleet.settled == []


def test_one_that_the_fleet_calls_closed_goes_by_that(world, fleet, hub, clock):
    breaker = hub()
    fleet.hear(era=1, is_open=True, left=10.0)
    clock.advance(10.0)
    fleet.answers = [told("closed", era=2, is_open=False)]
    assert world.call(breaker(world.function(lambda: "text"))) == "text"
    assert breaker.state is State.CLOSED


def test_the_result_of_a_probe_of_an_earlier_round_counts_as_nothing(fleet, hub, clock):
    breaker = hub()
    fleet.hear(era=1, is_open=True, left=10.0)
    clock.advance(10.0)
    fleet.answers = [told("granted")]
    with breaker:
        fleet.hear(era=2, is_open=True, left=30.0, streak=1)
    assert outcome(fleet) == ("released", 0.0)
    assert breaker.state is State.OPEN


def test_its_own_trip_outlives_the_news_that_an_earlier_one_is_over(fleet, hub, clock):
    breaker = hub(failure_threshold=1)
    fleet.hear(era=1, is_open=True, left=10.0)
    clock.advance(10.0)
    fleet.answers = [told("granted")]
    with breaker:
        pass
    with pytest.raises(ConnectionError), breaker:
        raise ConnectionError("down again")
    fleet.hear(era=2, is_open=False)  # of its probe
    assert breaker.state is State.OPEN
    assert fleet.member.report().args[7] == 10.0  # it votes
    fleet.hear(era=3, is_open=True, left=5.0)
    assert fleet.member.report().args[7] == 0.0  # and was heard
    assert breaker.circuit.machine.until == 15.0


def test_old_news_change_nothing(fleet, hub):
    breaker = hub()
    fleet.hear(era=5, is_open=False)
    for era in (4, 5):
        fleet.hear(era=era, is_open=True, left=10.0)
    assert breaker.state is State.CLOSED


def test_a_lost_server_is_told_what_was_so(fleet, hub, clock):
    breaker = hub()
    fleet.hear(era=7, is_open=True, left=10.0, streak=2, fault="ConnectionError: down")
    clock.advance(4.0)
    report = breaker.circuit.shared.report()
    assert report.args[1:7] == (7, 1, 6.0, 4.0, 2, "ConnectionError: down")
    fleet.hear(era=8, is_open=False)
    assert breaker.circuit.shared.report().args[1:7] == (8, 0, 0.0, 0.0, 0, "")


def test_its_events_are_those_of_any_breaker(fleet, hub, clock, events):
    hub()
    fleet.hear(era=1, is_open=True, left=10.0, fault="ConnectionError: down")
    fleet.hear(era=2, is_open=False)
    assert [(event.kind, event.wait, event.before) for event in events] == [
        ("tripped", 10.0, State.CLOSED),
        ("closed", None, State.OPEN),
    ]
    assert events[0].memory["last_fault"] == "ConnectionError: down"


def test_a_child_of_a_fork_has_said_nothing(fleet, hub, clock):
    breaker = hub(failure_threshold=1)
    with pytest.raises(ConnectionError), breaker:
        raise ConnectionError("down")
    assert fleet.member.report().args[7] == 10.0
    fleet.member.begin_anew_in_child()
    assert fleet.member.report().args[7] == 0.0
