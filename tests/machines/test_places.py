from __future__ import annotations

import pytest

from tenuto.machines import Places


def full(limit=2, room=2, waiting=()):
    places = Places(limit, room)
    for _ in range(limit):
        assert places.take()
    for ticket in waiting:
        assert places.join(ticket)
    return places


def give_back(places):
    places.free.append(True)
    return places.hand_out() if places.contested else []


def test_there_are_so_many_places_and_no_more():
    places = Places(2)
    assert [places.take() for _ in range(3)] == [True, True, False]
    assert places.taken == 2


def test_a_place_that_is_given_back_can_be_taken_again():
    places = full(2)
    assert give_back(places) == []
    assert places.taken == 1
    assert [places.take(), places.take()] == [True, False]


def test_without_room_nobody_waits():
    assert not full(room=0).join("a")


def test_so_many_wait_and_no_more():
    places = full(room=2)
    assert [places.join(ticket) for ticket in "abc"] == [True, True, False]


def test_who_waits_longest_is_next():
    places = full(room=3, waiting="abc")
    assert [give_back(places) for _ in range(4)] == [["a"], ["b"], ["c"], []]
    assert places.taken == 1


def test_nobody_gets_in_before_those_who_wait():
    places = full(waiting="a")
    places.free.append(True)  # free, but not handed out yet
    assert not places.take()
    assert places.hand_out() == ["a"]


def test_several_free_places_go_to_as_many_at_once():
    places = full(3, 3, waiting="abc")
    places.free += [True, True]
    assert places.hand_out() == ["a", "b"]
    assert places.taken == 3


def test_who_leaves_the_queue_is_passed_over():
    places = full(room=2, waiting="ab")
    assert places.leave("a")
    assert places.join("c")
    assert [give_back(places), give_back(places)] == [["b"], ["c"]]


def test_who_has_a_place_already_is_told_so_on_leaving():
    places = full(waiting="a")
    give_back(places)
    assert not places.leave("a")


def test_more_places_go_to_those_who_wait_first():
    places = full(1, 3, waiting="abc")
    assert places.resize(3) == ["a", "b"]
    assert not places.take()
    assert places.resize(5) == ["c"]
    assert [places.take(), places.take()] == [True, False]


def test_fewer_places_take_none_away():
    places = full(3, 1, waiting="a")
    assert places.resize(1) == []
    assert (places.taken, places.contested) == (3, True)
    assert [give_back(places) for _ in range(3)] == [[], [], ["a"]]
    assert (places.taken, places.contested) == (1, False)


def test_fewer_places_are_first_taken_from_the_free_ones():
    places = Places(3)
    places.take()
    places.resize(1)
    assert not places.take()
    assert not places.contested
    give_back(places)
    assert places.take()


def test_what_was_to_go_may_stay_where_the_limit_rises_again():
    places = full(3, 2)
    places.resize(1)
    places.resize(2)
    assert [give_back(places), places.take()] == [[], False]
    give_back(places)
    assert places.take()


class Interrupted(list):
    """Free places, among which somebody comes between whoever takes one and what follows."""

    def __init__(self, places):
        super().__init__(places.free)
        self.places = places
        self.lucky = []

    def pop(self):
        taken = super().pop()
        if self.places is not None:
            places, self.places = self.places, None
            self.lucky += give_back(places)
        return taken


@pytest.mark.parametrize("waiting", ["a", "ab"])
def test_a_finalizer_in_the_midst_of_handing_out_loses_no_place(waiting):
    places = full(2, 2, waiting=waiting)
    places.free = finalizer = Interrupted(places)
    lucky = give_back(places)
    assert sorted(finalizer.lucky + lucky) == list(waiting)
    assert places.taken == len(waiting)
