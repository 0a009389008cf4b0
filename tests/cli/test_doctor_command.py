from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tenuto.cli import doctor, trial


@pytest.fixture
def findings(tenuto):
    """What the doctor finds where the odd engines are installed too."""
    ended = tenuto("doctor", "--json")
    return ended.exit_code, {
        (each["subject"] if each["name"] == "extra" else each["name"]): each
        for each in json.loads(ended.stdout)
    }


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(doctor, "_PATIENCE", 20.0)
    real = subprocess.run

    def run(command, **settings):
        if command[-1] == "hanging":
            raise subprocess.TimeoutExpired(command, settings["timeout"])
        return real(command, **settings)

    monkeypatch.setattr(subprocess, "run", run)


def test_every_engine_is_tried_and_what_kills_its_process_is_named(findings):
    status, found = findings
    assert status == 0
    assert found["wiener"]["works"]
    assert found["dnsmos"]["works"]
    assert found["crashing"]["detail"] == "killed by SIGSEGV"
    assert "EngineError" in found["failing"]["detail"]
    assert found["hanging"]["detail"] == "has not answered in 20 s"
    assert found["audio"]["detail"] == "installed"


def test_what_the_usual_ladder_lacks_is_said_with_status_1(tenuto, monkeypatch):
    def nothing_works(subject, name):
        return doctor._Finding(subject, name, works=False, detail="pip install it\x1b[2J")

    monkeypatch.setattr(doctor, "_try", nothing_works)
    ended = tenuto("doctor")
    assert ended.exit_code == 1
    assert "Nothing works for: high_quality, medium_quality, basic, meter." in ended.stdout
    assert "\x1b" not in ended.stdout


def test_a_package_that_is_missing_is_named_with_its_extra(tenuto, monkeypatch):
    monkeypatch.setattr(doctor, "_is_installed", lambda name: name != "soxr")
    monkeypatch.setattr(doctor, "_try", lambda *what: doctor._Finding(*what, works=True, detail=""))
    monkeypatch.setenv("COLUMNS", "40")
    ended = tenuto("doctor")
    assert "without soxr: pip install 'tenuto[audio]'" in ended.stdout


@pytest.mark.parametrize("folder", ["file", "file/below"])
def test_a_journal_that_cannot_be_written_is_no_good(tenuto, tmp_path, monkeypatch, folder):
    (tmp_path / "file").touch()
    monkeypatch.setenv("TENUTO_JOURNAL", folder)
    monkeypatch.setattr(doctor, "_try", lambda *what: doctor._Finding(*what, works=True, detail=""))
    ended = tenuto("doctor")
    assert ended.exit_code == 1
    line = next(line for line in ended.stdout.splitlines() if "journal" in line)
    assert line.split()[0] == "no"
    assert "cannot be written: " in line
    assert "set TENUTO_JOURNAL" in line
    assert "Nothing works for: journal." in ended.stdout


def test_without_the_audio_extra_the_doctor_says_what_to_install(tenuto, monkeypatch):
    monkeypatch.setitem(sys.modules, "tenuto.audio.engines", None)
    ended = tenuto("doctor")
    assert ended.exit_code == 1
    assert "pip install 'tenuto[audio]'" in ended.stdout


@pytest.mark.parametrize("name", ["wiener", "dnsmos"])
def test_a_trial_that_works_is_silent(name, capsys):
    assert trial.main(name) == 0
    assert capsys.readouterr().out == ""


def test_a_trial_that_fails_says_why(plugin, capsys):
    assert trial.main("failing") == 1
    assert capsys.readouterr().out.startswith("EngineError: ")
