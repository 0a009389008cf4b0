"""A queue of no length, and a queue that is empty from one line to the next."""

from __future__ import annotations

from collections import OrderedDict

from tenuto.machines import Places


def test_where_nothing_is_said_nobody_may_wait():
    places = Places(1)
    assert places.take()
    assert not places.join("a")


class Emptied(OrderedDict):
    """A queue whose last ticket is given a place by somebody else, just now."""

    def popitem(self, *, last=True):
        self.clear()
        return super().popitem(last=last)


def test_a_place_that_nobody_waits_for_any_more_can_be_taken():
    places = Places(1, 1)
    places.queue = Emptied(a=None)
    assert places.hand_out() == []
    assert places.take()
    assert places.taken == 1
