"""Who of a cluster's workers is given work, where some cannot do any."""

from __future__ import annotations

import pytest

from tenuto.batch.executors.wire import Undone
from tenuto.batch.executors.workforce import SPARED, Workforce
from tenuto.clock import SimulatedClock

FULL = "OSError: [Errno 28] No space left on device"


@pytest.fixture
def clock():
    return SimulatedClock()


@pytest.fixture
def workforce(clock):
    found = Workforce(clock)
    found.known = {"a": 1, "b": 8}
    return found


def test_one_that_cannot_work_is_left_alone_for_a_while_and_named_once(workforce, clock):
    assert workforce.choice() is None
    for _ in range(100):
        assert workforce.spare(Undone("b", "mill", FULL)) is None
    assert (workforce.choice(), workforce.threads) == (["a"], 1)
    clock.advance(SPARED)
    assert (workforce.choice(), workforce.threads) == (None, 9)
    assert workforce.spare(Undone("b", "mill", FULL)) is None
    (news,) = workforce.news()
    assert "b on mill cannot work: OSError: [Errno 28] No space left" in news
    assert workforce.news() == []


def test_while_one_can_work_the_run_goes_on_however_often_another_fails(workforce, clock):
    for _ in range(100):
        assert workforce.spare(Undone("b", "mill", FULL)) is None
        clock.advance(SPARED)


def test_where_time_after_time_nobody_can_work_it_is_no_use(workforce, clock):
    for _ in range(4):
        for worker in ("a", "b", "b", "b"):
            assert workforce.spare(Undone(worker, "mill", FULL)) is None
        assert (workforce.choice(), workforce.threads) == ([], 1)
        clock.advance(SPARED)
    workforce.spare(Undone("a", "mill", FULL))
    useless = workforce.spare(Undone("b", "mill", FULL))
    assert useless == f"none of the cluster's workers can work; the last was b on mill: {FULL}"


def test_one_that_works_in_between_shows_that_it_is_of_use(workforce, clock):
    for _ in range(20):
        workforce.spare(Undone("a", "mill", FULL))
        assert workforce.spare(Undone("b", "mill", FULL)) is None
        workforce.went_well()
        clock.advance(SPARED)
