from __future__ import annotations

import pytest

from tenuto.errors import ConfigurationError
from tenuto.policies import deadline, time_left


def test_there_is_no_deadline_where_none_was_set(clock):
    assert time_left() is None
    with deadline(5.0, clock=clock):
        assert time_left() == 5.0
    assert time_left() is None


def test_time_runs_out_and_goes_below_zero(clock):
    with deadline(5.0, clock=clock):
        clock.advance(7.0)
        assert time_left() == -2.0


def test_an_inner_deadline_may_be_tighter_never_looser(clock):
    with deadline(5.0, clock=clock):
        with deadline(60.0, clock=clock):
            assert time_left() == 5.0
        with deadline(1.0, clock=clock):
            assert time_left() == 1.0
        assert time_left() == 5.0


def test_a_negative_deadline_is_refused():
    with pytest.raises(ConfigurationError), deadline(-1.0):
        pass
