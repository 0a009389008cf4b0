"""Errors reach a real server of Sentry's protocol: all of them, once, and when it can take them."""

from __future__ import annotations

import socket
import sys
import threading
from contextlib import contextmanager
from email.utils import formatdate

import pytest

from tenuto import ErrorReporter, TenutoError
from tenuto.clock import SimulatedClock
from tenuto.errors import ConfigurationError
from tenuto.journal import SETTLED_AFTER, Transition, open_journal
from tenuto.reporting.delivery import delivery
from tenuto.reporting.sentry import SentryReader

pytest.importorskip("sentry_sdk", reason="the extra sentry is not installed")


@pytest.fixture
def clock():
    return SimulatedClock()


@pytest.fixture
def server(tmp_path):
    pytest.importorskip("foxray", reason="install foxray: a server of Sentry's protocol")
    from .sentry_server import SentryServer

    made = SentryServer(tmp_path)
    yield made
    made.stop()


@pytest.fixture
def journal(tmp_path, clock):
    with open_journal(tmp_path / "journal", clock=clock) as kept:
        yield kept


@pytest.fixture
def report(journal, clock):
    reporter = ErrorReporter("speech", journal=journal, log=False, clock=clock)

    def fail(message="down", times=1, error=ConnectionError, **context):
        for _ in range(times):
            try:
                try:
                    raise OSError(5, "disk")
                except OSError as cause:
                    raise error(message) from cause
            except error as raised:
                reporter.report(raised, context)

    return fail


def deliver(way, clock, turns=40):
    """Let time pass until everything is told."""
    for _ in range(turns):
        if way.deliver():
            return True
        clock.advance(10.0)
    return False


def total(events):
    return sum(event["extra"]["count"] for event in events)


def test_an_error_arrives_with_its_causes_frames_context_and_fingerprint(
    server, journal, report, clock
):
    server.start()
    report(audio_id="a17", password="hunter2")
    assert deliver(delivery(journal, SentryReader(server.dsn, release="1.2")), clock)
    (event,) = server.events()
    assert [each["type"] for each in event["exception"]["values"]] == ["OSError", "ConnectionError"]
    assert event["exception"]["values"][-1]["stacktrace"]["frames"][-1]["function"].endswith("fail")
    assert event["contexts"]["context"]["audio_id"] == "a17"
    assert event["fingerprint"] == [journal.groups()[0].fingerprint]
    assert event["release"] == "1.2"
    assert event["tags"]["fault_class"] == "infrastructure"
    assert "hunter2" not in str(event)


def test_a_server_that_was_down_for_the_whole_run_is_told_of_everything_once_it_is_up(
    server, journal, report, clock
):
    way = delivery(journal, SentryReader(server.dsn))
    report("first", times=500)
    report("second", times=3, error=TenutoError)
    assert not deliver(way, clock)
    assert journal.lags() == {f"sentry 127.0.0.1:{server.port}/1": 36}
    server.start()
    clock.advance(600.0)
    assert deliver(way, clock)
    assert total(server.events()) == 503
    assert server.groups() == len(journal.groups()) == 2
    assert journal.losses == {}


def test_the_repeats_of_a_storm_are_one_event_with_their_count(server, journal, report, clock):
    server.start()
    way = delivery(journal, SentryReader(server.dsn))
    report(times=5_000)
    assert not way.deliver()  # it may still grow
    clock.advance(SETTLED_AFTER)
    assert deliver(way, clock)
    events = server.events()
    assert len(events) == 33
    assert total(events) == 5_000


def test_a_reader_that_dies_before_it_notes_what_it_told_tells_nothing_twice(
    server, journal, report, clock, monkeypatch
):
    server.start()
    report(times=200)
    clock.advance(SETTLED_AFTER)
    with monkeypatch.context() as patched:
        patched.setattr(journal, "advance", killed)
        with pytest.raises(KeyboardInterrupt):
            delivery(journal, SentryReader(server.dsn)).deliver()
    assert len(server.events()) == 1
    assert deliver(delivery(journal, SentryReader(server.dsn)), clock)
    assert total(server.events()) == 200


def test_two_readers_of_one_machine_send_everything_once(server, journal, report, clock, tmp_path):
    server.start()
    report(times=300)
    clock.advance(SETTLED_AFTER)
    with open_journal(journal.path, clock=clock) as other:
        ways = [delivery(each, SentryReader(server.dsn)) for each in (journal, other)]
        threads = [threading.Thread(target=deliver, args=(way, clock)) for way in ways]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert deliver(ways[0], clock)
    assert total(server.events()) == 300


def test_a_quota_is_obeyed_by_waiting_not_by_dropping(server, journal, report, clock):
    server.limit(5)
    server.start()
    way = delivery(journal, SentryReader(server.dsn))
    for number in range(12):
        report(f"error number {'x' * number}", error=type(f"Error{number}", (TenutoError,), {}))
    assert not deliver(way, clock, turns=3)
    assert "quota" in way.trouble
    assert 0 < len(server.events()) < 12
    server.limit(None)
    clock.advance(3600.0)
    assert deliver(way, clock)
    assert len(server.events()) == 12
    assert journal.losses == {}


def test_what_policies_did_are_breadcrumbs_of_what_came_after(server, journal, report, clock):
    server.start()
    journal.record(Transition(policy="hub", before="closed", after="open", reason="timeout"))
    report()
    assert deliver(delivery(journal, SentryReader(server.dsn)), clock)
    (event,) = server.events()
    assert "hub: closed → open timeout" in str(event["breadcrumbs"])


@contextmanager
def answering(*answers):
    """A server that answers each request with the next of ``answers``: status line and headers."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve():
            for answer in answers:
                connection, _ = listening.accept()
                with connection:
                    while b"\r\n\r\n" not in connection.recv(1 << 20):
                        pass
                    connection.sendall(f"HTTP/1.1 {answer}\r\nContent-Length: 0\r\n\r\n".encode())

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://key@127.0.0.1:{listening.getsockname()[1]}/1"
        thread.join(10)


@pytest.mark.parametrize(
    ("answer", "seconds"),
    [
        ("429 Slow\r\nRetry-After: 30", 30),
        ("429 Slow\r\nX-Sentry-Rate-Limits: 90:error:org, 7:transaction:key", 90),
        ("429 Slow\r\nX-Sentry-Rate-Limits: 7:transaction:key\r\nRetry-After: 5", 5),
        ("429 Slow\r\nX-Sentry-Rate-Limits: 45::organization", 45),
        ("429 Slow\r\nRetry-After: nonsense", 60),
        ("429 Slow", 60),
        ("503 Busy", 1),
        ("404 Nowhere", 1),
    ],
)
def test_a_server_that_cannot_take_an_event_is_left_alone_for_as_long_as_it_says(
    journal, report, clock, answer, seconds
):
    report()
    with answering(answer, "200 OK") as dsn:
        way = delivery(journal, SentryReader(dsn, clock=clock))
        assert not way.deliver()
        clock.advance(seconds - 0.1)
        assert not way.deliver()
        clock.advance(0.2)
        assert way.deliver()
    assert journal.losses == {}


def test_a_date_says_when_to_come_back(journal, report, clock):
    report()
    date = formatdate(clock.now() + 20, usegmt=True)
    with answering(f"429 Slow\r\nRetry-After: {date}", "200 OK") as dsn:
        way = delivery(journal, SentryReader(dsn, clock=clock))
        assert not way.deliver()
        clock.advance(19)
        assert not way.deliver()
        clock.advance(1)
        assert way.deliver()


def test_an_event_the_server_will_never_take_is_passed_over_and_counted(journal, report, clock):
    report()
    with answering(*["413 Too large"] * 3) as dsn:
        way = delivery(journal, SentryReader(dsn, clock=clock))
        assert deliver(way, clock)
    assert list(journal.losses.values()) == [1]


def test_a_dsn_that_is_none_is_refused(monkeypatch):
    monkeypatch.delenv("SENTRY_DSN", raising=False)
    for dsn in (None, "nonsense"):
        with pytest.raises(ConfigurationError, match="SENTRY_DSN"):
            SentryReader(dsn)


def test_without_the_extra_the_error_names_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "sentry_sdk.utils", None)
    with pytest.raises(ConfigurationError, match=r"tenuto\[sentry\]"):
        SentryReader("http://key@127.0.0.1/1")


def killed(*_):
    raise KeyboardInterrupt
