"""What a handler protects goes by its share of a budget, a rate and a bulkhead."""

from __future__ import annotations

import pytest

from tenuto.errors import ConfigurationError
from tenuto.policies import Retry


@pytest.fixture(autouse=True)
def apart(monkeypatch):
    """No state of an earlier test's."""
    monkeypatch.setattr("tenuto.state.opening._states", {})
    monkeypatch.setattr("tenuto.state.opening._memories", {})


def shares(stack):
    """Of everything that is shared, the budget of the retry included."""
    every = [*stack, *(policy.budget for policy in stack if isinstance(policy, Retry))]
    return [policy.share for policy in every if hasattr(policy, "share")]


def protect(handler):
    return handler.protect("hub", rate=10, bulkhead=8)


def test_alone_it_goes_by_all_of_them(make):
    assert shares(protect(make(state_url="memory://studio"))) == [1.0] * 3
    assert shares(protect(make())) == [1.0] * 3


def test_handlers_of_one_url_divide_what_has_the_same_name(make):
    stacks = [protect(make(state_url="memory://studio")) for _ in range(2)]
    for stack in stacks:
        assert shares(stack) == pytest.approx([0.5] * 3)


def test_a_reload_that_is_only_looked_at_takes_no_share(make, write):
    handlers = [make(state_url="memory://studio") for _ in range(2)]
    stacks = [protect(handler) for handler in handlers]
    write("[policies.hub]\nrate = { calls = 0 }\n")
    for handler in handlers:
        with pytest.raises(ConfigurationError):
            handler.reload()
    write("[policies.hub]\nrate = { calls = 20 }\n")
    for handler in handlers:
        assert handler.reload()
    for stack in stacks:
        assert shares(stack) == pytest.approx([0.5] * 3)
    members = next(policy for policy in stacks[0] if hasattr(policy, "fleet")).fleet.status()
    assert members.members == 2 * 4
