"""``tenuto forward``: the journal's errors, for Sentry or one other."""

import pytest

from tenuto.capture import capture
from tenuto.journal import open_journal
from tests.reporting.sentry_server import SentryServer

pytest.importorskip("sentry_sdk", reason="the extra sentry is not installed")
pytest.importorskip("foxray", reason="install foxray: a server of Sentry's protocol")


@pytest.fixture
def server(tmp_path):
    made = SentryServer(tmp_path)
    yield made
    made.stop()


@pytest.fixture
def folder(tmp_path):
    with open_journal(tmp_path / "journal") as journal:
        journal.append(capture(ConnectionError("down")))
    return tmp_path / "journal"


def test_errors_are_forwarded_once(tenuto, server, folder):
    server.start()
    for _ in range(2):
        ended = tenuto("forward", "--sentry", server.dsn, "--journal", folder)
        assert ended.exit_code == 0
    assert len(server.events()) == 1


def test_what_a_dead_server_was_not_told_is_said_and_kept(tenuto, server, folder):
    ended = tenuto("forward", "--sentry", server.dsn, "--journal", folder, "--wait", 0)
    assert ended.exit_code == 1
    assert "1 record left" in ended.stderr
    trouble = "ExternalServiceError: Sentry did not answer: NewConnectionError"
    assert f"tenuto: {trouble}\n" in ended.stderr
    server.start()
    assert tenuto("forward", "--sentry", server.dsn, "--journal", folder).exit_code == 0
    assert len(server.events()) == 1


def test_without_a_destination_the_ways_to_name_one_are_told(tenuto, folder, monkeypatch):
    monkeypatch.delenv("SENTRY_DSN", raising=False)
    ended = tenuto("forward", "--journal", folder)
    assert ended.exit_code == 2
    assert "--sentry, --redis, --otlp or --notify, or set SENTRY_DSN" in ended.stderr


def test_a_dsn_that_is_none_ends_the_command(tenuto, folder):
    ended = tenuto("forward", "--sentry", "nonsense", "--journal", folder)
    assert ended.exit_code == 2
    assert "SENTRY_DSN" in ended.stderr


def test_logs_and_counts_are_forwarded_to_a_collector_once(tenuto, folder):
    pytest.importorskip("opentelemetry.proto", reason="the extra otel is not installed")
    from tests.reporting.otlp_collector import OtlpCollector

    collector = OtlpCollector()
    collector.start()
    try:
        for _ in range(2):
            ended = tenuto("forward", "--otlp", collector.url, "--journal", folder)
            assert ended.exit_code == 0, ended.output
    finally:
        collector.stop()
    assert [record["exception.type"] for record in collector.records()] == ["ConnectionError"]
    assert len(collector.metrics) == 1


def test_a_dead_collector_is_said_once_for_logs_and_counts(tenuto, folder):
    pytest.importorskip("opentelemetry.proto", reason="the extra otel is not installed")
    ended = tenuto("forward", "--otlp", "http://127.0.0.1:9", "--journal", folder, "--wait", 0)
    assert ended.exit_code == 1
    assert "2 records left" in ended.stderr
    assert ended.stderr.count("did not answer") == 1


def test_people_are_told_at_once_where_nobody_goes_on_looking(tenuto, folder):
    pytest.importorskip("apprise", reason="the extra notify is not installed")
    from tests.reporting.webhook import Webhook

    webhook = Webhook()
    try:
        for _ in range(2):
            ended = tenuto("forward", "--notify", webhook.url, "--journal", folder)
            assert ended.exit_code == 0, ended.output
    finally:
        webhook.stop()
    assert webhook.lines()[0].startswith("new: ConnectionError: down")


def test_one_destination_is_told_at_a_time(tenuto, folder):
    ended = tenuto("forward", "--otlp", "http://x", "--notify", "json://x", "--journal", folder)
    assert ended.exit_code == 2
    assert "--otlp and --notify" in ended.stderr


def test_what_the_journal_lost_is_not_told_as_what_the_server_refused(
    tenuto, server, folder, monkeypatch
):
    server.start()
    monkeypatch.setenv("TENUTO_JOURNAL_DURABILITY", "ful")
    ended = tenuto("forward", "--sentry", server.dsn, "--journal", folder)
    assert (ended.exit_code, "passed over" in ended.stderr) == (0, False)
