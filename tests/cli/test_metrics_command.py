"""``tenuto metrics``: what a journal counts, for Prometheus."""

import re
import signal
import socket
import subprocess
import sys
import urllib.request

import pytest

from tenuto.capture import capture
from tenuto.journal import open_journal
from tests.reporting.prometheus_server import PrometheusServer, prometheus_or_skip

pytest.importorskip("prometheus_client", reason="the extra metrics is not installed")


@pytest.fixture
def folder(tmp_path):
    with open_journal(tmp_path) as journal:
        journal.count("retry", "hub", "suppressed", 3)
    return tmp_path


def command(*options):
    return [sys.executable, "-m", "tenuto", "metrics", *map(str, options)]


def test_the_counts_are_printed(folder):
    told = subprocess.run(
        command("--journal", folder), capture_output=True, text=True, check=True, timeout=60
    )
    assert 'event="suppressed",name="hub",policy="retry"} 3.0' in told.stdout


def test_promtool_finds_nothing_wrong_with_them(folder):
    _, promtool = prometheus_or_skip()
    with open_journal(folder) as journal:
        journal.append(capture(ConnectionError("down")))
        journal.count("retry", 'a "hub" \\\n é \x1b', "retried")
        journal.count_loss("disk full")
    told = subprocess.run(command("--journal", folder), capture_output=True, check=True, timeout=60)
    checked = subprocess.run(
        [promtool, "check", "metrics"],
        input=told.stdout,
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")


def test_a_port_that_is_taken_is_named_with_a_remedy(folder):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        told = subprocess.run(
            command("--journal", folder, "--serve", port),
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    assert told.returncode == 2
    assert f"port {port}: Address already in use; give another" in told.stderr


@pytest.fixture
def serving(folder):
    """``tenuto metrics --serve`` in a process of its own; gives it and its address."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:  # what is started in the background of a script is deaf to Ctrl-C, and so its children
        server = subprocess.Popen(
            command("--journal", folder, "--serve", 0), stderr=subprocess.PIPE, text=True
        )
    finally:
        signal.signal(signal.SIGINT, before)
    with server:
        yield server, re.match(r"http://(127\.0\.0\.1:\d+)/metrics", server.stderr.readline())[1]
        server.kill()


def test_a_real_prometheus_knows_the_counts_and_that_they_grow(tmp_path, folder, serving):
    _, address = serving
    prometheus = PrometheusServer(tmp_path, address)
    try:
        events = prometheus.query("tenuto_policy_events_total", bool)
        labels = {"policy": "retry", "name": "hub", "event": "suppressed"}
        assert [(value, {**labels, **series}) for series, value in events] == [(3.0, events[0][0])]
        with open_journal(folder) as journal:  # another process
            journal.append(capture(ConnectionError("down")))
            journal.count("retry", "hub", "suppressed", 4)
        prometheus.query("tenuto_policy_events_total", lambda found: found[0][1] == 7.0)
        kind = '{type="ConnectionError", fault_class="infrastructure"}'
        (errors,) = prometheus.query(f"tenuto_errors_total{kind}", bool)
        assert errors[1] == 1.0
        assert [value for _, value in prometheus.query("up", bool)] == [1.0]
        growth = "sum(increase(tenuto_policy_events_total[1m]))"
        prometheus.query(growth, lambda found: found and found[0][1] > 0)
    finally:
        prometheus.stop()


def test_scrapes_are_answered_until_ctrl_c(serving):
    server, address = serving
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=10) as answer:
        assert b"tenuto_policy_events_total" in answer.read()
    server.send_signal(signal.SIGINT)
    assert server.wait(60) == 0
