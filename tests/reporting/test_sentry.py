"""Errors reach a real server of Sentry's protocol: all of them, once, and when it can take them."""

from __future__ import annotations

import os
import socket
import sys
import threading
from contextlib import contextmanager
from dataclasses import replace
from email.utils import formatdate

import pytest

from tenuto import ErrorReporter, TenutoError
from tenuto.capture import capture
from tenuto.errors import ConfigurationError
from tenuto.journal import SETTLED_AFTER, Record, Transition, open_journal
from tenuto.policies import Retry
from tenuto.reporting import PolicyNotes
from tenuto.reporting.delivery import delivery
from tenuto.reporting.sentry import SentryReader
from tenuto.reporting.sentry_event import event_of

from .conftest import deliver, distinct, killed

pytest.importorskip("sentry_sdk", reason="the extra sentry is not installed")


@pytest.fixture
def server(tmp_path):
    pytest.importorskip("foxray", reason="install foxray: a server of Sentry's protocol")
    from .sentry_server import SentryServer

    made = SentryServer(tmp_path)
    yield made
    made.stop()


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
    (standing,) = journal.standings()
    assert (standing.reader, standing.lag) == (f"sentry 127.0.0.1:{server.port}/1", 36)
    assert "did not answer" in standing.trouble
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
    for error in distinct(12):
        report(error=error)
    assert not deliver(way, clock, turns=3)
    assert way.trouble == "ExternalServiceError: over the quota"
    assert 0 < len(server.events()) < 12
    server.limit(None)
    clock.advance(3600.0)
    assert deliver(way, clock)
    assert len(server.events()) == 12
    assert journal.losses == {}


def messages(event):
    return [each["message"] for each in event["breadcrumbs"]]


def test_what_policies_did_are_breadcrumbs_of_what_came_after(server, journal, report, clock):
    server.start()
    journal.record(Transition(policy="hub", before="closed", after="open", reason="timeout"))
    report(policy="hub", retried=True)
    clock.advance(1)
    report(policy="hub", fell_back=True)
    report("at last", error=TenutoError)
    assert deliver(delivery(journal, SentryReader(server.dsn)), clock)
    first, second, third = server.events()
    assert messages(first) == ["hub: closed → open timeout"]
    assert messages(second)[1:] == ["hub retried after ConnectionError: down"]
    assert messages(third)[2:] == ["hub fell back after ConnectionError: down"]
    assert [each["category"] for each in third["breadcrumbs"]] == [
        "tenuto.policy",
        "tenuto.retried",
        "tenuto.fell_back",
    ]


def test_breadcrumbs_are_those_of_the_same_process(journal, clock):
    sent = []
    reader = SentryReader("http://key@127.0.0.1/1", clock=clock)
    reader._send = sent.append
    event = capture(ConnectionError("down"), clock=clock).to_dict()
    change = {"policy": "hub", "before": "closed", "after": "open", "reason": "", "time": 0.0}
    reader.receive(Record(1, "transition", change, "one"))
    reader.receive(Record(2, "event", event, "other"))
    reader.receive(Record(3, "event", event, "one"))
    assert [len(each["breadcrumbs"]["values"]) for each in sent] == [0, 1]
    for number in range(1000):
        reader.receive(Record(number, "transition", change, "one"))
        reader.receive(Record(number, "transition", change, str(number)))
    reader.receive(Record(3, "event", event, "one"))
    assert len(sent[-1]["breadcrumbs"]["values"]) == 50
    assert len(reader._trails) == 64


def test_the_tries_before_an_error_are_breadcrumbs_and_a_context(server, journal, clock):
    server.start()
    reporter = ErrorReporter("speech", journal=journal, log=False, clock=clock)

    @Retry(2, "fixed", name="hub", clock=clock, on_event=PolicyNotes(reporter))
    def fetch():
        raise ConnectionError("down")

    with pytest.raises(ConnectionError):
        fetch()
    assert deliver(delivery(journal, SentryReader(server.dsn)), clock)
    *_, told = server.events()
    assert told["tags"]["policy"] == "hub"
    assert told["tags"]["stop_reason"] == "attempts exhausted"
    (before, first, second) = told["breadcrumbs"]
    assert before["message"] == "hub retried after ConnectionError: down"  # in the attempt itself
    assert first["message"].startswith("attempt 1: infrastructure, repeated after ")
    assert second["message"].startswith("attempt 2: infrastructure, repeated after ")
    assert len(told["contexts"]["attempts"]) == 3


def test_the_times_of_tries_are_told_as_far_as_they_are_known(journal, clock):
    event = capture(ConnectionError("down"), clock=clock)
    tries = ({"wait": 2.0}, {"wait": 4.0, "duration": 1.0, "number": 2}, "nonsense", {})
    told = event_of(replace(event, attempts=tries).to_dict())["breadcrumbs"]["values"]
    assert [each["timestamp"] - event.time for each in told] == [-7, -5]
    assert told[0]["message"] == "attempt 1: an unacceptable result, repeated after 2 s"


def test_whose_and_where_it_was_are_tags_and_contexts(server, journal, report, clock):
    server.start()
    report()
    reader = SentryReader(server.dsn, release="1.2", environment="night")
    assert deliver(delivery(journal, reader), clock)
    (event,) = server.events()
    assert event["tags"]["service"] == "speech"
    assert event["environment"] == "night"
    assert event["server_name"] == socket.gethostname()
    assert event["contexts"]["process"] == {"pid": os.getpid(), "thread": "MainThread"}
    assert event["level"] == "error"


def test_a_group_and_its_members_belong_together(journal, clock):
    try:
        try:
            raise KeyError("first")
        except KeyError:
            parts = [ValueError("one"), ExceptionGroup("inner", [TypeError("two")])]
            raise ExceptionGroup("both", parts)  # noqa: B904 - what is being handled is wanted
    except ExceptionGroup as error:
        body = capture(error, clock=clock).to_dict()
    values = {each["type"]: each for each in event_of(body)["exception"]["values"]}
    told = {name: each["mechanism"] for name, each in values.items()}
    inner = body["chain"][told["TypeError"]["parent_id"] - 1]
    assert inner["type"] == "ExceptionGroup"
    assert told["KeyError"]["source"] == "__context__"
    assert told["KeyError"]["parent_id"] == 0
    sources = {
        each["value"]: each["mechanism"].get("source")
        for each in event_of(body)["exception"]["values"]
    }
    assert sources["one"] == "exceptions[0]"
    assert sources["inner (1 sub-exception)"] == "exceptions[1]"
    assert sources["two"] == "exceptions[0]"
    groups = [
        each["value"]
        for each in event_of(body)["exception"]["values"]
        if each["mechanism"].get("is_exception_group")
    ]
    assert groups == ["inner (1 sub-exception)", "both (2 sub-exceptions)"]


def test_half_a_trace_is_none(journal, clock):
    event = capture(ConnectionError("down"), clock=clock)
    whole = event_of(replace(event, trace_id="ab" * 16, span_id="cd" * 8).to_dict())
    assert whole["contexts"]["trace"] == {"trace_id": "ab" * 16, "span_id": "cd" * 8}
    assert "trace" not in event_of(replace(event, trace_id="ab" * 16).to_dict())["contexts"]


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
        ("503 Busy\r\nRetry-After: 40", 40),
        ("500 Broken\r\nRetry-After: nonsense", 1),
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


def test_a_limit_that_comes_with_a_success_holds_for_the_next_event(journal, report, clock):
    report()
    report("again")
    limit = "200 OK\r\nX-Sentry-Rate-Limits: 7:transaction:key, 50:error:key"
    with answering(limit, "200 OK") as dsn:
        way = delivery(journal, SentryReader(dsn, clock=clock))
        assert not way.deliver()
        assert journal.standings()[0].refused_until == clock.now() + 50
        clock.advance(49.9)
        assert not way.deliver()
        assert journal.standings()[0].lag == 1
        clock.advance(0.2)
        assert way.deliver()
    assert journal.standings()[0].lag == 0


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
