"""Errors and counts reach a real server of OTLP: all of them, once, and when it can take them."""

from __future__ import annotations

import sys
from dataclasses import replace
from email.utils import formatdate

import pytest

from tenuto import TenutoError
from tenuto.capture import capture
from tenuto.errors import ConfigurationError
from tenuto.journal import SETTLED_AFTER, Outcome, OutcomeStatus, Reader, Transition
from tenuto.reporting.delivery import delivery
from tenuto.reporting.otel import OtlpLogs, OtlpMetrics, otlp_readers

from .conftest import deliver, distinct, killed

pytest.importorskip("opentelemetry.proto", reason="the extra otel is not installed")

from tenuto.reporting.otel_records import attributes

from .otlp_collector import OtlpCollector, plain


@pytest.fixture
def collector():
    made = OtlpCollector()
    yield made
    made.stop()


@pytest.fixture
def logs(collector, journal):
    return delivery(journal, OtlpLogs(collector.url, journal))


@pytest.fixture
def metrics(collector, journal):
    return delivery(journal, OtlpMetrics(collector.url, journal))


def total(records):
    return sum(record["tenuto.count"] for record in records)


def test_an_error_arrives_by_the_conventions_with_what_is_known_of_it(
    collector, journal, report, logs, clock
):
    collector.start()
    report(audio_id="a17", password="hunter2", nested={"tries": [1, 2.5, None, True]})
    assert deliver(logs, clock)
    (record,) = collector.records()
    assert record["body"] == "ConnectionError: down"
    assert record["severity"] == 17
    assert record["time"] == int(clock.now() * 1e9)
    assert record["service.name"] == "speech"
    assert record["exception.type"] == "ConnectionError"
    assert record["exception.message"] == "down"
    assert record["tenuto.fingerprint"] == journal.groups()[0].fingerprint
    assert record["tenuto.fault_class"] == "infrastructure"
    assert record["tenuto.context.audio_id"] == "a17"
    assert record["tenuto.context.nested"] == {"tries": [1, 2.5, None, True]}
    assert record["code.function.name"].endswith("fail")
    assert "hunter2" not in str(record)


def test_the_stack_trace_reads_as_python_prints_it(collector, report, logs, clock):
    collector.start()
    report()
    assert deliver(logs, clock)
    (record,) = collector.records()
    lines = record["exception.stacktrace"].splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[1].startswith('  File "')
    assert lines[1].endswith("fail")
    assert lines[2] == "OSError: [Errno 5] disk"
    assert lines[4] == ("The above exception was the direct cause of the following exception:")
    assert lines[-1] == "ConnectionError: down"


def test_members_of_a_group_and_what_was_being_handled_are_in_the_stack_trace(
    collector, journal, logs, clock
):
    collector.start()
    try:
        try:
            raise KeyError("first")
        except KeyError:
            raise ExceptionGroup("both", [ValueError("one"), TypeError("")])  # noqa: B904
    except ExceptionGroup as error:
        error.add_note("a note")
        journal.append(capture(error, clock=clock))
    assert deliver(logs, clock)
    trace = collector.records()[0]["exception.stacktrace"]
    before, _, after = trace.partition("During handling of the above exception")
    assert before.startswith("Traceback")
    assert "KeyError" in before
    assert "a note" in after
    assert after.index("ExceptionGroup") < after.index("ValueError: one")
    assert after.rstrip().endswith("TypeError")


def test_an_error_belongs_to_the_trace_it_happened_in(collector, journal, logs, clock):
    collector.start()
    event = capture(ConnectionError("down"), clock=clock)
    journal.append(replace(event, id="a", trace_id="ab" * 16, span_id="cd" * 8))
    journal.append(replace(event, id="b", trace_id="nonsense", span_id=None))
    assert deliver(logs, clock)
    first, second = collector.records()
    assert (first["trace_id"], first["span_id"]) == ("ab" * 16, "cd" * 8)
    assert (second["trace_id"], second["span_id"]) == ("", "")


def test_what_the_protocol_cannot_hold_is_told_as_text(collector, report, logs, clock):
    collector.start()
    report("half \ud800 a pair")
    assert deliver(logs, clock)
    (record,) = collector.records()
    assert record["exception.message"] == "half \\ud800 a pair"
    (huge,) = attributes({"huge": 2**63})
    assert huge.value.string_value == str(2**63)


def test_the_tries_before_an_error_come_with_it(collector, journal, logs, clock):
    collector.start()
    event = capture(ConnectionError("down"), clock=clock)
    journal.append(replace(event, attempts=({"number": 1, "wait": 0.5},)))
    assert deliver(logs, clock)
    assert collector.records()[0]["tenuto.attempts"] == [{"number": 1, "wait": 0.5}]


def test_changes_of_circuits_are_records_too(collector, journal, logs, clock):
    collector.start()
    journal.record(Transition(policy="hub", before="closed", after="open", reason="timeout"))
    assert deliver(logs, clock)
    (record,) = collector.records()
    assert record["event_name"] == "tenuto.transition"
    assert record["body"] == "hub: closed → open timeout"
    assert record["tenuto.transition.after"] == "open"


def test_a_collector_that_was_down_for_the_whole_run_is_told_of_everything_once_it_is_up(
    collector, journal, report, logs, clock
):
    report("first", times=500)
    report("second", times=3, error=TenutoError)
    assert not deliver(logs, clock)
    assert "did not answer" in logs.trouble
    collector.start()
    clock.advance(600.0)
    assert deliver(logs, clock)
    assert total(collector.records()) == 503
    assert journal.losses == {}


def test_the_repeats_of_a_storm_are_one_record_with_their_count(collector, report, logs, clock):
    collector.start()
    report(times=5_000)
    assert not logs.deliver()  # it may still grow
    clock.advance(SETTLED_AFTER)
    assert deliver(logs, clock)
    records = collector.records()
    assert len(records) == 33
    assert total(records) == 5_000
    assert len({record["log.record.uid"] for record in records}) == 33
    assert len(collector.logs) == 2


def test_repeats_that_were_told_are_not_told_again(collector, journal, report, clock):
    collector.start()
    reader = OtlpLogs(collector.url, journal)
    report(times=200)
    clock.advance(SETTLED_AFTER)
    assert deliver(delivery(journal, reader), clock)
    told = len(collector.records())
    (repeats,) = [each for each in journal.read(Reader("other")).records if each.kind == "slice"]
    journal.advance(reader.reader, repeats.position - 1)
    assert deliver(delivery(journal, reader), clock)
    assert len(collector.records()) == told


@pytest.mark.parametrize(
    ("answer", "seconds"),
    [
        ((429, {"Retry-After": "30"}), 30),
        ((503, {"Retry-After": "7"}), 7),
        ((502, {}), 1),
        ((504, {"Retry-After": "nonsense"}), 1),
        ((404, {}), 1),
        ((401, {}), 1),
    ],
)
def test_a_collector_that_cannot_take_it_now_is_left_alone_for_as_long_as_it_says(
    *, collector, report, logs, clock, answer, seconds
):
    report()
    collector.answers = [answer]
    collector.start()
    assert not logs.deliver()
    clock.advance(seconds - 0.1)
    assert not logs.deliver()
    assert collector.records() == []
    clock.advance(0.2)
    assert logs.deliver()
    assert len(collector.records()) == 1


def test_a_date_says_when_to_come_back(collector, report, logs, clock):
    report()
    collector.answers = [(429, {"Retry-After": formatdate(clock.now() + 20, usegmt=True)})]
    collector.start()
    assert not logs.deliver()
    clock.advance(19)
    assert not logs.deliver()
    clock.advance(1.1)
    assert logs.deliver()


def test_what_is_never_taken_is_passed_over_and_counted_and_nothing_else_is(
    collector, journal, report, logs, clock
):
    collector.never = "poison"
    collector.start()
    for number, error in enumerate(distinct(20)):
        report("poison" if number == 13 else "fine", error=error)
    assert deliver(logs, clock)
    assert len(collector.records()) == 19
    assert len({record["exception.type"] for record in collector.records()}) == 19
    assert list(journal.losses.values()) == [1]


def test_what_the_collector_says_it_dropped_is_counted_and_not_sent_again(
    collector, journal, report, logs, clock
):
    collector.rejected = 2
    collector.start()
    for error in distinct(5):
        report(error=error)
    assert deliver(logs, clock)
    assert len(collector.records()) == 5
    assert list(journal.losses.values()) == [2]


def test_an_answer_that_makes_no_sense_is_no_reason_to_send_again(
    collector, journal, report, logs, clock
):
    report()
    collector.take = lambda *_: (200, b"\xff\xff nonsense")
    collector.start()
    assert deliver(logs, clock)
    assert journal.losses == {}


def test_a_reader_that_dies_before_it_notes_what_it_told_sends_the_same_ids(
    collector, journal, report, clock, monkeypatch
):
    collector.start()
    report(times=40)
    clock.advance(SETTLED_AFTER)
    with monkeypatch.context() as patched:
        patched.setattr(journal, "advance", killed)
        with pytest.raises(KeyboardInterrupt):
            delivery(journal, OtlpLogs(collector.url, journal)).deliver()
    assert deliver(delivery(journal, OtlpLogs(collector.url, journal)), clock)
    told = {record["log.record.uid"]: record for record in collector.records()}
    assert total(told.values()) == 40


def test_counts_are_cumulative_sums(collector, journal, report, metrics, clock):
    collector.start()
    report(times=70)
    journal.count("retry", "hub", "suppressed", 3)
    assert deliver(metrics, clock)
    assert collector.points() == {
        ("tenuto.errors", "ConnectionError", "infrastructure"): 70,
        ("tenuto.policy.events", "suppressed", "retry", "hub"): 3,
    }
    for metric in collector.sums():
        assert metric.sum.is_monotonic
        assert metric.sum.aggregation_temporality == 2
    errors = collector.sums()[0].sum.data_points[0]
    assert errors.start_time_unix_nano == int(journal.groups()[0].first * 1e9)
    journal.count("retry", "hub", "suppressed", 2)
    assert deliver(metrics, clock)
    assert collector.points()["tenuto.policy.events", "suppressed", "retry", "hub"] == 5
    (part,) = collector.metrics[-1].resource_metrics
    assert journal.identity() in str(part.resource)


def test_counts_that_a_dead_collector_missed_arrive_when_it_is_back(
    collector, journal, metrics, clock
):
    for _ in range(3):
        journal.count("retry", "hub", "suppressed")
        assert not metrics.deliver()
        clock.advance(5)
    collector.start()
    clock.advance(600)
    assert deliver(metrics, clock)
    assert collector.points()["tenuto.policy.events", "suppressed", "retry", "hub"] == 3
    assert len(collector.metrics) == 1


def test_what_was_lost_is_counted_too(collector, journal, metrics, clock):
    collector.start()
    journal.count_loss("disk full", 4)
    journal.count("retry", "hub", "retried")
    assert deliver(metrics, clock)
    assert collector.points()["tenuto.dropped", "disk full"] == 4


def test_nothing_is_sent_where_no_count_has_grown(collector, journal, metrics, clock):
    collector.start()
    journal.record(Outcome(input="a.wav", output=None, status=OutcomeStatus.QUARANTINED))
    assert deliver(metrics, clock)
    assert collector.metrics == []


def test_the_variables_of_opentelemetry_are_heard(collector, journal, report, monkeypatch, clock):
    collector.start()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"{collector.url}/")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-key=a%20b, nonsense")
    report()
    for reader in otlp_readers(None, journal):
        assert deliver(delivery(journal, reader), clock)
    assert [headers["x-key"] for headers in collector.headers] == ["a b", "a b"]
    port = collector.url.rpartition(":")[2]
    told = {standing.reader for standing in journal.standings()}
    assert told == {f"otlp 127.0.0.1:{port} {what}" for what in ("logs", "metrics")}


def test_release_and_environment_are_those_of_opentelemetrys_variable(
    collector, journal, report, monkeypatch, clock
):
    collector.start()
    told = "service.version=1.2,deployment.environment.name=the%20night,service.name=other"
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", told)
    report()
    for reader in otlp_readers(collector.url, journal):
        assert deliver(delivery(journal, reader), clock)
    (record,) = collector.records()
    assert record["service.version"] == "1.2"
    assert record["deployment.environment.name"] == "the night"
    assert record["service.name"] == "speech"  # the reporter's own
    assert counted_by(collector) == "other"
    monkeypatch.setenv("OTEL_SERVICE_NAME", "named")
    report("again")
    assert deliver(delivery(journal, OtlpMetrics(collector.url, journal)), clock)
    assert counted_by(collector) == "named"


def counted_by(collector):
    (part,) = collector.metrics[-1].resource_metrics
    return plain(part.resource.attributes)["service.name"]


def test_headers_of_ones_own_are_sent(collector, journal, report, clock):
    collector.start()
    report()
    reader = OtlpLogs(collector.url, journal, headers={"x-key": "mine"})
    assert deliver(delivery(journal, reader), clock)
    assert collector.headers[0]["x-key"] == "mine"


@pytest.mark.parametrize("endpoint", [None, "nonsense", "ftp://host", "http://"])
def test_an_endpoint_that_is_none_is_refused(journal, endpoint, monkeypatch):
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT", raising=False)
    with pytest.raises(ConfigurationError, match="OTEL_EXPORTER_OTLP_ENDPOINT"):
        OtlpLogs(endpoint, journal)


def test_without_the_extra_the_error_names_it(journal, monkeypatch):
    monkeypatch.setitem(sys.modules, "opentelemetry.proto.logs.v1", None)
    with pytest.raises(ConfigurationError, match=r"tenuto\[otel\]"):
        OtlpLogs("http://127.0.0.1:4318", journal)
