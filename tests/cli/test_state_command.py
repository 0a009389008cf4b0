"""``tenuto state``: the circuits of a fleet, by a real server."""

from __future__ import annotations

import json
import os

import pytest
from click.testing import CliRunner

from tenuto.cli.app import app
from tenuto.machines import State
from tenuto.policies import CircuitBreaker
from tenuto.state import RedisState
from tests.state.conftest import fail, server, until, url

__all__ = ["server", "url"]


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    for name in list(os.environ):
        if name.startswith("TENUTO_"):
            monkeypatch.delenv(name)
    return tmp_path


@pytest.fixture
def fleet(url):
    """Two nodes."""
    with RedisState(url, patience=30.0) as one, RedisState(url, patience=30.0) as other:
        yield one, other


def state(*options):
    return CliRunner().invoke(app, ["state", *options])


def breaker(node, name, **settings):
    return CircuitBreaker(name, failure_threshold=1, timeout=300.0, fleet=node, **settings)


def test_nobody_shares_anything_yet(url):
    ended = state("--url", url)
    assert ended.exit_code == 0
    assert ended.stdout.startswith("Nobody shares a circuit at 127.0.0.1:")


def test_it_says_which_are_open_since_when_and_why(url, fleet):
    hub, _ = breaker(fleet[0], "hub"), breaker(fleet[1], "hub")
    bad = breaker(fleet[0], "mirror", quorum=2)
    fail(hub)
    fail(bad, TimeoutError)
    until(lambda: len(told(url)) == 2 and told(url)["hub"]["nodes"][1:])
    until(lambda: told(url)["hub"]["state"] == "open" and told(url)["mirror"]["votes"])
    ended = state("--url", url)
    lines = ended.stdout.splitlines()
    assert ended.exit_code == 0
    assert lines[:2] == ["hub  open", "  used by 2 processes"]
    assert lines[2].startswith("  open for 0:")
    assert "probes in " in lines[2]
    assert lines[3] == "  last fault: ConnectionError: down"
    assert lines[4:6] == ["mirror  closed", "  used by 1 process"]
    assert lines[6].startswith("  open for themselves: ")
    assert all(len(line) <= 80 for line in lines)
    assert "\x1b" not in ended.stdout


def told(url):
    return {each["name"]: each for each in json.loads(state("--url", url, "--json").stdout)}


def test_it_says_who_probes(url, fleet):
    hub = CircuitBreaker(
        "hub", failure_threshold=1, timeout=0.2, half_open_permits=2, fleet=fleet[0]
    )
    until(lambda: fleet[0].status().connected)
    fail(hub)
    until(lambda: hub.state is State.HALF_OPEN)
    fail(hub)
    until(lambda: hub.state is State.HALF_OPEN and hub.circuit.shared.seat.streak == 1)
    with hub:
        shown = state("--url", url).stdout
    assert "hub  half_open" in shown
    assert "1 probe under way, 1 probe failed" in shown


def test_names_and_faults_do_no_harm_to_a_terminal(url, fleet):
    name = "hub\x1b[2J" + "x" * 200
    fail(breaker(fleet[0], name))
    until(lambda: told(url))
    ended = state("--url", url)
    assert "\x1b" not in ended.stdout
    assert all(len(line) <= 80 for line in ended.stdout.splitlines())


def test_the_url_is_that_of_the_configuration(here, url, monkeypatch):
    (here / "tenuto.toml").write_text(f'state_url = "{url}"\n')
    assert state().exit_code == 0
    monkeypatch.setenv("TENUTO_STATE_URL", "redis://127.0.0.1:1/0")
    ended = state()
    assert ended.exit_code == 1
    assert ended.stderr.startswith("tenuto: 127.0.0.1:1: ConnectionError")


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ((), "say where the fleet meets"),
        (("--url", "memory://studio"), "what is in the memory of a process"),
        (("--url", "http://hub"), "give one such as redis://"),
    ],
)
def test_without_a_server_to_ask_it_ends_with_status_2(options, why):
    ended = state(*options)
    assert ended.exit_code == 2
    assert ended.stdout == ""
    assert why in ended.stderr
