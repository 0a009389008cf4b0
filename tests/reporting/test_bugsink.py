"""Another server of Sentry's protocol hears of everything too: once, and when it can take it."""

from __future__ import annotations

from collections import Counter

import pytest

from tenuto import TenutoError
from tenuto.journal import SETTLED_AFTER
from tenuto.reporting.delivery import delivery
from tenuto.reporting.sentry import SentryReader

from .bugsink_server import BugsinkServer
from .conftest import deliver, distinct, killed

pytest.importorskip("sentry_sdk", reason="the extra sentry is not installed")


@pytest.fixture
def server(tmp_path):
    made = BugsinkServer(tmp_path / "bugsink")
    yield made
    made.stop()


@pytest.fixture
def way(journal, server, clock):
    return delivery(journal, SentryReader(server.dsn, clock=clock))


def counts(events):
    """How many errors it was told of, by fingerprint."""
    found = Counter()
    for event in events:
        (fingerprint,) = event["fingerprint"]
        found[fingerprint] += event["extra"]["count"]
    return found


def known(journal):
    return {group.fingerprint: group.count for group in journal.groups()}


def test_a_server_that_was_down_for_the_whole_run_hears_of_each_error_once(
    server, journal, report, way, clock
):
    for error in distinct(20):
        report(error=error)
    for _ in range(6):  # a storm that goes on for a minute: several slices
        report(times=700)
        report("another", times=40, error=TenutoError)
        assert not way.deliver()
        clock.advance(11)
    assert "did not answer" in journal.standings()[0].trouble
    clock.advance(SETTLED_AFTER)
    server.start()
    clock.advance(600)
    assert deliver(way, clock)
    told = server.events()
    assert counts(told) == known(journal)
    assert sum(counts(told).values()) == 20 + 6 * 740
    assert server.groups() == len(journal.groups()) == 22
    slices = [event for event in journal.events(limit=10_000) if journal.repeats(event.id)]
    assert sum(event["tags"].get("repeats") == "yes" for event in told) == len(slices) > 2
    assert len(told) == len(slices) + len(journal.events(limit=10_000))
    assert len({event["event_id"] for event in told}) == len(told)
    assert journal.losses == {}
    assert journal.standings()[0].lag == 0


def test_a_reader_that_dies_before_it_notes_what_it_told_tells_nothing_twice(
    server, journal, report, way, clock, monkeypatch
):
    server.start()
    report(times=60)
    clock.advance(SETTLED_AFTER)
    with monkeypatch.context() as patched:
        patched.setattr(journal, "advance", killed)
        with pytest.raises(KeyboardInterrupt):
            way.deliver()
    assert len(server.events()) == 1
    assert deliver(delivery(journal, SentryReader(server.dsn)), clock)
    assert counts(server.events()) == known(journal)


def test_its_quota_is_obeyed_by_waiting_not_by_dropping(server, journal, report, way, clock):
    server.limit(5)
    server.start()
    for error in distinct(12):
        report(error=error)
    assert not deliver(way, clock, turns=3)
    assert way.trouble == "ExternalServiceError: over the quota"
    refused = journal.standings()[0]
    assert refused.refused_until > clock.now()
    told = len(server.events())
    assert 0 < told < 12
    assert refused.lag == 12 - told
    server.stop()
    clock.advance(refused.refused_until - clock.now() - 1)
    assert not way.deliver()
    assert way.trouble == "ExternalServiceError: over the quota"  # nobody has asked in between
    server.limit(1_000_000)
    server.start()
    clock.advance(3600)
    assert deliver(way, clock)
    assert counts(server.events()) == known(journal)
    assert journal.losses == {}


def test_what_it_keeps_is_what_there_was(server, journal, report, way, clock):
    server.start()
    report(audio_id="a17", password="hunter2")
    assert deliver(way, clock)
    (event,) = server.events()
    assert [each["type"] for each in event["exception"]["values"]] == ["OSError", "ConnectionError"]
    assert event["contexts"]["context"]["audio_id"] == "a17"
    assert event["tags"]["fault_class"] == "infrastructure"
    assert "hunter2" not in str(event)
