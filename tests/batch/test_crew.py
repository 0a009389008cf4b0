"""Fewer workers while memory is short, each with more of it; then more again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tenuto.batch.crew import Crew


def go_well(crew, number, places):
    for _ in range(number):
        crew.went_well(crew.permit(), 1.0, crew.size(places) - 1)


def test_while_memory_suffices_all_places_are_used():
    crew = Crew()
    assert crew.permit() is None
    go_well(crew, 100, 8)
    assert crew.size(8) == 8
    assert crew.size(9) == 9


def test_a_shortage_takes_three_in_ten_and_success_gives_one_back_at_a_time():
    crew = Crew()
    crew.starved(None, 8)
    assert crew.size(8) == 5
    go_well(crew, 5, 8)
    assert crew.size(8) == 6
    go_well(crew, 6, 8)
    assert crew.size(8) == 7
    go_well(crew, 7, 8)
    assert crew.size(8) == 8
    assert crew.permit() is None


def test_those_that_starve_together_count_once():
    crew = Crew()
    crew.starved(None, 8)
    crew.starved(None, 8)
    permit = crew.permit()
    crew.starved(permit, 8)
    crew.starved(permit, 8)
    assert crew.size(8) == 3


def test_one_worker_is_left_whatever_happens():
    crew = Crew()
    for _ in range(20):
        crew.starved(crew.permit(), 4)
    assert crew.size(4) == 1
    go_well(crew, 5, 4)
    assert crew.size(4) == 2


def test_what_began_under_an_earlier_shortage_says_nothing_about_this_one():
    crew = Crew()
    crew.starved(None, 2)
    old = crew.permit()
    go_well(crew, 5, 2)
    assert crew.permit() is None
    crew.starved(None, 8)
    crew.starved(old, 8)
    for _ in range(9):
        crew.went_well(old, 1.0, 4)
    assert crew.size(8) == 5


@given(st.lists(st.sampled_from(["well", "starved"]), max_size=80), st.integers(1, 16))
def test_there_is_always_somebody_at_work_and_never_too_many(ends, places):
    crew = Crew()
    for end in ends:
        if end == "well":
            crew.went_well(crew.permit(), 1.0, crew.size(places) - 1)
        else:
            crew.starved(crew.permit(), places)
        assert 1 <= crew.size(places) <= places
    go_well(crew, 20 * places * places, places)
    assert crew.size(places) == places
