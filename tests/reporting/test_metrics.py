"""A journal's counts, as a real scrape sees them."""

import sys
import urllib.request

import pytest

from tenuto.capture import capture
from tenuto.errors import ConfigurationError
from tenuto.journal import open_journal
from tenuto.reporting.metrics import exposition, serve

pytest.importorskip("prometheus_client", reason="the extra metrics is not installed")


@pytest.fixture
def journal(tmp_path):
    with open_journal(tmp_path) as kept:
        for _ in range(2):
            kept.append(capture(ConnectionError("down")))
        kept.append(capture(TypeError("odd")))
        kept.count("retry", 'hub "eu"\n', "suppressed", 3)
        kept.count_loss("disk full")
        yield kept


def test_errors_policies_and_losses_are_counted(journal):
    told = exposition(journal).decode().splitlines()
    assert 'tenuto_errors_total{fault_class="infrastructure",type="ConnectionError"} 2.0' in told
    assert 'tenuto_errors_total{fault_class="bug",type="TypeError"} 1.0' in told
    assert 'tenuto_dropped_total{reason="disk full"} 1.0' in told


def test_a_hostile_name_stays_inside_its_label(journal):
    (line,) = [
        line
        for line in exposition(journal).decode().splitlines()
        if line.startswith("tenuto_policy_events_total")
    ]
    assert line == (
        r'tenuto_policy_events_total{event="suppressed",name="hub \"eu\"\n",policy="retry"} 3.0'
    )


def test_a_scrape_is_answered_on_loopback(journal):
    port, server = serve(journal, 0)
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
            assert b"tenuto_errors_total" in answer.read()
    finally:
        server.shutdown()
        server.server_close()


def test_without_the_extra_the_error_names_it(journal, monkeypatch):
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    with pytest.raises(ConfigurationError, match=r"tenuto\[metrics\]"):
        exposition(journal)
