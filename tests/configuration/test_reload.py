"""``handler.reload``: what changes while the program runs, and what it keeps."""

from __future__ import annotations

import pytest

from tenuto.errors import (
    BulkheadFullError,
    CircuitOpenError,
    ConfigurationError,
    RateLimitedError,
)
from tenuto.policies import RateLimit


def down():
    raise ConnectionError("down")


def test_retries_and_timeouts_go_by_the_new_file(make, write, clock):
    write("[policies.hub]\nretry = 1\nbreaker = false\ntimeout = 5\n")
    handler = make()
    guarded = handler.protect("hub")(down)
    with pytest.raises(ConnectionError):
        guarded()
    write(
        "[policies.hub]\nbreaker = false\ntimeout = 7\n"
        "retry = { max_retries = 3, backoff = 'fixed' }\n"
    )
    reloaded = handler.reload()
    assert reloaded
    assert reloaded.changed == (
        "hub.retry: max_retries=3, backoff=fixed",
        "hub.timeout: seconds=7",
    )
    assert reloaded.restart == ()
    with pytest.raises(ConnectionError):
        guarded()
    assert len(clock.sleeps) == 1 + 3
    assert "4 calls" in str(handler.policies["hub"])
    assert "7 s" in str(handler.policies["hub"])


def test_a_setting_that_is_gone_is_what_it_was_before(make, write):
    write("[policies.hub]\nretry = 9\n")
    handler = make()
    (retry, _) = handler.protect("hub", retry=2)
    assert retry.max_retries == 9
    write("")
    assert handler.reload().changed == ("hub.retry: max_retries=2",)
    assert handler.policies["hub"].policies[0].max_retries == 2


def test_nothing_new_changes_nothing(make, write):
    write("[policies.hub]\nretry = 9\n")
    handler = make()
    handler.protect("hub", timeout=3)
    assert not handler.reload()


def test_an_open_circuit_stays_open(make, write, clock):
    handler = make()
    guarded = handler.protect("hub", retry=False, breaker=1)(down)
    with pytest.raises(ConnectionError):
        guarded()
    write("[policies.hub]\nbreaker = { failure_threshold = 3, timeout = 30 }\n")
    assert handler.reload().changed == ("hub.breaker: failure_threshold=3, timeout=30",)
    with pytest.raises(CircuitOpenError):
        guarded()
    clock.advance(60)
    with pytest.raises(ConnectionError):
        guarded()


def test_a_budget_keeps_its_tokens(make, write):
    write("[policies.hub]\nbudget = { capacity = 20, cost = 5 }\nbreaker = false\n")
    handler = make()
    guarded = handler.protect("hub")(down)
    with pytest.raises(ConnectionError):
        guarded()
    (retry,) = handler.policies["hub"]
    assert retry.budget.tokens == 5
    write("[policies.hub]\nbudget = { capacity = 100, cost = 5 }\nbreaker = false\n")
    assert handler.reload().changed == ("hub.budget: capacity=100",)
    assert retry.budget.tokens == 5


def test_a_rate_keeps_what_has_been_used_of_it(make, write):
    write("[policies.hub]\nrate = { calls = 1, per = 60 }\n")
    handler = make()
    guarded = handler.protect("hub", retry=False)(lambda: "alive")
    assert guarded() == "alive"
    write("[policies.hub]\nrate = { calls = 1, per = 30 }\n")
    assert handler.reload().changed == ("hub.rate: per=30",)
    with pytest.raises(RateLimitedError):
        guarded()


def test_who_is_in_a_bulkhead_stays_inside(make, write):
    handler = make()
    guarded = handler.protect("hub", retry=False, bulkhead=1)

    @guarded
    def call(inside=None):
        return inside() if inside else "alive"

    def meanwhile():
        with pytest.raises(BulkheadFullError):
            call()
        write("[policies.hub]\nbulkhead = 2\n")
        assert handler.reload().changed == ("hub.bulkhead: limit=2",)
        bulkhead = guarded.policies[1]
        assert (bulkhead.inside, bulkhead.limit) == (1, 2)
        return call()

    assert call(meanwhile) == "alive"
    assert guarded.policies[1].inside == 0


def test_a_circuit_may_begin_to_look_at_rates_and_times(make, write, clock):
    handler = make()
    guarded = handler.protect("hub", retry=False, breaker=5)(down)
    write("[policies.hub.breaker]\nfailure_rate = 0.5\nwindow = '60s'\nminimum_calls = 2\n")
    assert handler.reload().restart == ()
    for _ in range(2):
        with pytest.raises(ConnectionError):
            guarded()
    with pytest.raises(CircuitOpenError):
        guarded()


def test_what_cannot_change_in_force_is_named(make, write):
    handler = make()
    handler.protect("hub", timeout=5)
    write("[policies.hub]\nretry = { deadline = 9, max_retries = 1 }\ntimeout = false\nhedge = 2\n")
    reloaded = handler.reload()
    assert reloaded.changed == ("hub.retry: max_retries=1",)
    assert reloaded.restart == ("hub.retry.deadline", "hub.hedge: new", "hub.timeout: gone")


@pytest.mark.parametrize(
    "text",
    [
        "[policies.hub]\nretry = 1\ntimeout = 0\n",
        "[policies.hub]\nretry = 1\n[policies.disk]\nretry = -1\n",
        "[policies.hub]\nretry = 1\n[policies.disk]\nretrying = 1\n",
        "[policies.hub\n",
    ],
)
def test_a_bad_file_changes_nothing(make, write, text):
    write("")
    handler = make()
    handler.protect("hub", timeout=5)
    handler.protect("disk")
    before = str(handler.policies)
    write(text)
    with pytest.raises(ConfigurationError):
        handler.reload()
    assert str(handler.policies) == before
    handler.protect("later")


def test_the_same_file_is_read_again_wherever_the_program_is_by_then(
    make, write, monkeypatch, tmp_path
):
    path = write("[policies.hub]\nretry = 9\n")
    handler = make()
    handler.protect("hub")
    monkeypatch.chdir(tmp_path)
    write("[policies.hub]\nretry = 8\n")
    assert handler.reload().file == path
    path.unlink()
    with pytest.raises(ConfigurationError, match="there is no file"):
        handler.reload()


def test_the_environment_counts_again_too(make, monkeypatch):
    handler = make()
    handler.protect("hub")
    monkeypatch.setenv("TENUTO_POLICIES__HUB__RETRY", "7")
    assert handler.reload().changed == ("hub.retry: max_retries=7",)


def test_a_policy_that_will_not_be_changed_in_force_says_why(make, write, monkeypatch):
    def stubborn(self, **settings):
        raise ConfigurationError("calls", "not now")

    monkeypatch.setattr(RateLimit, "reconfigure", stubborn)
    handler = make()
    handler.protect("hub", rate=5)
    write("[policies.hub]\nrate = 6\n")
    reloaded = handler.reload()
    assert not reloaded
    assert reloaded.restart == ("hub.rate: calls=6 (calls is not usable: not now)",)
