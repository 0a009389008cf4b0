"""What fails time after time is done without, and is tried again, ever more seldom."""

from __future__ import annotations

import pytest

from tenuto.machines import Trust


@pytest.fixture
def trust():
    return Trust(fatal=2, pause=10.0, longest=35.0)


def test_failures_in_a_row_withdraw_a_way_and_no_other(trust):
    trust.failed("high", 0.0)
    trust.failed("low", 0.0)
    assert trust.withdrawn == ()
    trust.failed("high", 1.0)
    assert trust.withdrawn == ("high",)
    assert trust.due(10.9) is None
    assert trust.due(11.0) == "high"


def test_it_takes_three_and_a_minute_where_nobody_says_otherwise():
    trust = Trust()
    for _ in range(3):
        assert trust.withdrawn == ()
        trust.failed("high", 0.0)
    assert (trust.due(59.0), trust.due(60.0)) == (None, "high")
    for _ in range(9):
        trust.withdraw("high", 0.0)
    assert (trust.due(3_599.0), trust.due(3_600.0)) == (None, "high")


def test_to_get_through_ends_the_row(trust):
    trust.failed("high", 0.0)
    trust.worked("high")
    trust.failed("high", 0.0)
    assert trust.withdrawn == ()


def test_further_failures_of_one_that_is_withdrawn_put_nothing_off(trust):
    for now in (0.0, 0.0, 9.0, 9.0):
        trust.failed("high", now)
    assert trust.due(10.0) == "high"


def test_one_that_works_again_is_trusted_again(trust):
    for _ in range(2):
        trust.failed("high", 0.0)
    trust.worked("high")
    assert (trust.withdrawn, trust.due(1e9)) == ((), None)
    trust.failed("high", 0.0)
    assert trust.withdrawn == ()


def test_one_that_goes_on_failing_is_tried_more_and_more_seldom(trust):
    now, pauses = 0.0, []
    for _ in range(5):
        trust.withdraw("high", now)
        begun = now
        while trust.due(now) is None:
            now += 1.0
        pauses.append(now - begun)
        trust.worked("high")  # which forgets nothing of this
    assert pauses == [10, 20, 35, 35, 35]


def test_the_one_that_has_waited_is_tried_first(trust):
    trust.withdraw("low", 5.0)
    trust.withdraw("high", 0.0)
    assert trust.withdrawn == ("low", "high")
    assert trust.due(10.0) == "high"
