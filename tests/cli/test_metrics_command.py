"""``tenuto metrics``: what a journal counts, for Prometheus."""

import re
import signal
import subprocess
import sys
import urllib.request

import pytest

from tenuto.journal import open_journal

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


def test_scrapes_are_answered_until_ctrl_c(folder):
    server = subprocess.Popen(
        command("--journal", folder, "--serve", 0), stderr=subprocess.PIPE, text=True
    )
    with server:
        address = re.match(r"http://127\.0\.0\.1:\d+/metrics", server.stderr.readline()).group()
        with urllib.request.urlopen(address, timeout=10) as answer:
            assert b"tenuto_policy_events_total" in answer.read()
        server.send_signal(signal.SIGINT)
        assert server.wait(20) == 0
