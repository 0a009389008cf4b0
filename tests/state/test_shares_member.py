"""What one node makes of what it hears, or does not hear, of its share."""

from __future__ import annotations

import pytest

from tenuto.clock import SimulatedClock
from tenuto.state import Share

ALIVE = 10.0
NEWS = ("", "0", "report")


class Silence:
    """A fleet that notes who wants to be heard, and says nothing by itself."""

    node = "here"
    alive = ALIVE

    def __init__(self):
        self.joined = []
        self.touched = 0

    def join(self, member):
        self.joined.append(member)

    def touch(self, member):
        self.touched += 1


class Number:
    units = 8

    def __init__(self):
        self.demand = 0.0
        self.parts = []
        self.spans = []

    def wanted(self, seconds):
        self.spans.append(seconds)
        return self.demand

    def go_by(self, share):
        self.parts.append(share)


@pytest.fixture
def clock():
    return SimulatedClock()


@pytest.fixture
def fleet():
    return Silence()


@pytest.fixture
def number():
    return Number()


@pytest.fixture
def share(fleet, number, clock):
    share = Share(fleet, "budget", "hub", number, clock)
    share.join()
    return share


def question(share):
    """What a report has to say: its number, what is wanted, and what is held."""
    operation = share.report()
    assert operation.name == "[budget]hub"
    member, asked, wanted, held, units, alive = operation.args
    assert (member.partition("/")[0], units, alive) == ("here", 8, ALIVE)
    return asked, wanted, held


def answer(share, part, nodes):
    return share.take([f"{question(share)[0]}", f"{part}", f"{nodes}"])


def test_it_goes_by_the_whole_until_it_hears_anything(share, number, clock):
    assert share.part == 1.0
    clock.advance(10 * ALIVE)
    assert question(share)[2] == 0.0
    assert share.part == 1.0
    assert number.parts == []


def test_it_goes_by_what_it_hears_and_says_so(share, number):
    assert answer(share, 0.25, 4) is None
    assert share.part == 0.25
    assert question(share)[2] == 0.25
    answer(share, 0.25, 4)
    assert number.parts == [0.25]  # nothing has changed


def test_only_the_answer_to_the_last_question_counts(share):
    first, second = question(share)[0], question(share)[0]
    share.take([f"{first}", "0.5", "2"])
    assert share.part == 1.0
    share.take([f"{second}", "0.25", "4"])
    assert share.part == 0.25
    share.take([f"{first}", "0.5", "2"])
    assert share.part == 0.25


@pytest.mark.parametrize(
    "reply",
    [
        ["1"],
        ["1", "half", "2"],
        ["1", "0.5", "2", "more"],
        ["1", "0", "2"],
        ["1", "-0.5", "2"],
        ["1", "1.5", "2"],
        ["1", "nan", "2"],
        ["1", "0.5", "0"],
        ["1", "0.5", "inf"],
        ["1", "0.5", "nan"],
    ],
)
def test_nonsense_changes_nothing(share, reply):
    question(share)
    with pytest.raises(ValueError):
        share.take(reply)
    assert share.part == 1.0


def test_it_keeps_its_share_for_as_long_as_others_keep_it_for_it(share, clock):
    answer(share, 0.75, 4)
    clock.advance(ALIVE - 0.001)
    question(share)
    assert share.part == 0.75


def test_who_hears_nothing_goes_by_a_fair_share_at_most_and_later_by_just_that(fleet, clock):
    large, small = (Share(fleet, "budget", "hub", Number(), clock) for _ in range(2))
    answer(large, 0.75, 2)
    answer(small, 0.25, 2)
    clock.advance(ALIVE)
    for share in (large, small):
        question(share)
    assert (large.part, small.part) == (0.5, 0.25)  # at no moment more than all of it
    clock.advance(ALIVE)
    for share in (large, small):
        question(share)
    assert (large.part, small.part) == (0.5, 0.5)


def test_what_counts_is_when_it_asked_not_when_the_answer_came(share, clock):
    asked = question(share)[0]
    clock.advance(ALIVE)
    share.take([f"{asked}", "0.75", "4"])
    question(share)
    assert share.part == 0.25


def test_what_is_heard_again_ends_all_that(share, clock):
    answer(share, 0.75, 4)
    clock.advance(2 * ALIVE)
    answer(share, 0.5, 3)
    question(share)
    assert share.part == 0.5


def test_who_is_called_reports(share, fleet):
    answer(share, 0.5, 2)
    share.take(NEWS)()
    assert fleet.touched == 1


def test_who_is_called_while_it_waits_for_an_answer_reports_after_that(share, fleet):
    asked = question(share)[0]
    assert share.take(NEWS) is None
    share.take([f"{asked}", "0.5", "2"])()
    assert fleet.touched == 1
    assert answer(share, 0.5, 2) is None


def test_wants_are_told_at_most_once_a_second(share, fleet, clock):
    for _ in range(5):
        share.want()
    assert fleet.touched == 1
    clock.advance(0.999)
    share.want()
    assert fleet.touched == 1
    clock.advance(0.001)
    share.want()
    assert fleet.touched == 2


def test_what_is_wanted_is_measured_over_a_second_at_least(share, number, clock):
    number.demand = 0.5
    clock.advance(0.5)
    assert question(share)[1] == 0.0
    assert number.spans == []
    clock.advance(0.75)
    assert question(share)[1] == 0.5
    assert number.spans == [1.25]


def test_what_was_wanted_is_believed_at_once_and_forgotten_by_and_by(share, number, clock):
    number.demand = 0.8
    clock.advance(2.0)
    assert question(share)[1] == 0.8
    number.demand = 0.0
    clock.advance(2.0)
    assert question(share)[1] == pytest.approx(0.4)
    clock.advance(4.0)
    assert question(share)[1] == pytest.approx(0.1)
    number.demand = 1e300
    clock.advance(1.0)
    assert question(share)[1] == 1.0  # nobody can have more than all


def test_the_child_of_a_fork_has_been_given_nothing(share):
    answer(share, 0.5, 2)
    share.begin_anew_in_child()
    assert share.part == 0.5
    assert question(share)[2] == 0.0


def test_it_leaves_by_its_name(share, fleet):
    operation = share.leave()
    assert operation.name == "[budget]hub"
    assert operation.args == question_member(share)
    assert share.take([]) is None


def question_member(share):
    return share.report().args[:1]


def test_two_in_one_process_are_two(fleet, clock):
    first, second = (Share(fleet, "budget", "hub", Number(), clock) for _ in range(2))
    assert question_member(first) != question_member(second)
