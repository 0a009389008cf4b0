"""Pieces get smaller where they were too large, and larger again when they were not for a while."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tenuto.machines import Shrink
from tests.thoroughness import REPEATABLE, examples


def after(shrink, outcomes):
    """How often the whole is halved after ``outcomes``: ``+`` went well, ``-`` was too large."""
    for outcome in outcomes:
        shrink.on_success() if outcome == "+" else shrink.on_failure()
    return shrink.halvings


def test_nothing_is_halved_at_first_and_nothing_becomes_larger_than_the_whole():
    assert Shrink().halvings == 0
    assert after(Shrink(), "++++++++") == 0


def test_each_failure_halves_once_more():
    assert after(Shrink(), "-") == 1
    assert after(Shrink(), "---") == 3


def test_three_successes_lead_back_one_step_at_a_time():
    shrink = Shrink()
    assert after(shrink, "--++") == 2
    assert after(shrink, "+") == 1
    assert after(shrink, "++") == 1
    assert after(shrink, "+") == 0


def test_a_failure_starts_the_count_anew():
    assert after(Shrink(), "-++-++") == 2


def test_a_step_back_that_fails_is_put_off_twice_as_long_the_next_time():
    shrink = Shrink()
    assert after(shrink, "-+++") == 0
    assert after(shrink, "-+++++") == 1
    assert after(shrink, "+") == 0
    assert after(shrink, "-" + 11 * "+") == 1
    assert after(shrink, "+") == 0


def test_a_step_back_that_holds_makes_it_bold_again():
    shrink = Shrink()
    assert after(shrink, "--+++-" + 6 * "+") == 1
    assert after(shrink, "+++") == 0


def test_a_shortage_of_its_own_later_does_not_count_against_the_last_step_back():
    shrink = Shrink()
    assert after(shrink, "-+++" + "+-++") == 1
    assert after(shrink, "+") == 0


def test_however_long_a_shortage_lasts_it_is_looked_for_again_now_and_then():
    shrink = Shrink()
    shrink.on_failure()
    for _ in range(20):
        tries = 0
        while shrink.halvings:
            shrink.on_success()
            tries += 1
        shrink.on_failure()
    assert tries == 96


@settings(max_examples=examples(200), deadline=None, derandomize=REPEATABLE)
@given(room=st.integers(0, 5), times=st.integers(1, 400))
def test_a_steady_shortage_is_met_ever_less_often(room, times):
    """Only what is halved ``room`` times or more fits."""
    shrink, failures = Shrink(), 0
    for _ in range(times):
        fits = shrink.halvings >= room
        failures += not fits
        shrink.on_success() if fits else shrink.on_failure()
    # To find the size, then one try each time that the wait has doubled.
    assert failures <= room + 5 + times / 96


@settings(max_examples=examples(200), deadline=None, derandomize=REPEATABLE)
@given(past=st.text("+-", max_size=200))
def test_whatever_was_it_comes_back_to_the_whole_when_all_goes_well(past):
    shrink = Shrink()
    halvings = after(shrink, past)
    assert halvings >= 0
    assert after(shrink, "+" * (96 + 3 * halvings)) == 0
