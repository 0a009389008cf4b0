"""``tenuto policies``: what the configuration found gives to which names."""

from __future__ import annotations

import json
import os

import pytest
from click.testing import CliRunner

from tenuto.cli.app import app

FILE = """
[policies.default]
timeout = 30

[policies.transcriber]
retry = { max_retries = 5, backoff = { shape = "linear", initial = 1 } }
breaker = { failure_rate = 0.5, window = "60s" }
hedge = { max_hedges = 2 }

[policies.bare]
retry = false
breaker = false
timeout = false
"""


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    for name in list(os.environ):
        if name == "TENUTO_CONFIG" or name.startswith("TENUTO_POLICIES"):
            monkeypatch.delenv(name)
    return tmp_path


def policies(*options):
    return CliRunner().invoke(app, ["policies", *map(str, options)])


def test_without_a_configuration_the_defaults_are_shown():
    ended = policies()
    assert ended.exit_code == 0
    assert ended.stdout.startswith("file: none\n\ndefault\n")
    assert "4 calls, exponential" in ended.stdout


def test_file_variables_and_a_table_for_each_name_are_shown(here, monkeypatch):
    (here / "tenuto.toml").write_text(FILE)
    monkeypatch.setenv("TENUTO_POLICIES__TRANSCRIBER__TIMEOUT", "20s")
    ended = policies()
    assert ended.exit_code == 0
    lines = ended.stdout.splitlines()
    assert lines[:2] == ["file: tenuto.toml", "environment: TENUTO_POLICIES__TRANSCRIBER__TIMEOUT"]
    assert [line for line in lines[2:] if line and not line.startswith(" ")] == [
        "default",
        "transcriber",
        "bare",
    ]
    shown = ended.stdout.partition("\ntranscriber\n")[2]
    assert "6 calls, linear from 1 s" in shown
    assert "20 s" in shown
    assert "  hedge: only where the code says the rest" in lines
    assert lines[-1] == "  no policies"
    assert all(len(line) <= 80 for line in lines)
    assert "\x1b" not in ended.stdout


def test_programs_are_told_in_json(here, monkeypatch):
    path = here / "elsewhere.toml"
    path.write_text(FILE)
    monkeypatch.setenv("TENUTO_POLICIES__TRANSCRIBER__RETRY__MAX_RETRIES", "1")
    told = json.loads(policies("--config", path, "--json").stdout)
    assert told["file"] == str(path)
    assert told["environment"] == ["TENUTO_POLICIES__TRANSCRIBER__RETRY__MAX_RETRIES"]
    assert list(told["policies"]) == ["default", "transcriber", "bare"]
    transcriber = told["policies"]["transcriber"]
    assert transcriber["retry"]["max_retries"] == 1
    assert transcriber["retry"]["backoff"] == {
        "shape": "linear",
        "initial": 1,
        "maximum": 30.0,
        "jitter": True,
    }
    assert transcriber["breaker"]["window"] == "60s"
    assert told["policies"]["bare"] == {}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[policies.hub]\nretrys = 1\n", "tenuto.toml: policies.hub.retrys is not usable"),
        ("[policies.hub]\nretry = -1\n", "tenuto.toml: policies.hub.retry is not usable"),
        ('[policies."\\u001b[2J"]\nretrys = 1\n', "tenuto.toml: policies.\\x1b[2J.retrys"),
    ],
)
def test_a_wrong_one_is_answered_with_status_2_and_why(here, text, why):
    (here / "tenuto.toml").write_text(text)
    ended = policies()
    assert ended.exit_code == 2
    assert ended.stdout == ""
    assert ended.stderr.startswith(f"tenuto: {why}")


def test_a_file_that_is_not_there_is_answered_with_status_2():
    ended = policies("--config", "gone.toml")
    assert ended.exit_code == 2
    assert "there is no file" in ended.stderr
