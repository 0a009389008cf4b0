"""What a limit keeps to where nothing is said."""

from __future__ import annotations

from tenuto.machines import LimitSettings


def test_one_call_at_least_and_two_hundred_at_most_where_nothing_is_said():
    settings = LimitSettings()
    assert (settings.minimum, settings.maximum, settings.tolerance) == (1, 200, 1.5)
