from __future__ import annotations

import json
import sys

import pytest

from tenuto import ErrorReporter, open_journal
from tenuto.errors import AudioProcessingError, DecodeError


@pytest.fixture
def journal(tenuto, private_journal):
    """Three errors of one kind and one of another, with context and a cause."""
    with open_journal(private_journal) as journal:
        reporter = ErrorReporter("service", journal=journal, log=False)
        for number in range(3):
            reporter.report(DecodeError(f"a{number}.wav", "is torn\x1b[2J"), {"take": number})
        try:
            try:
                raise OSError(5, "[red]disk[/red]")
            except OSError as cause:
                raise AudioProcessingError("no <b>sound</b>") from cause
        except AudioProcessingError as error:
            reporter.report(error, {"audio": "x" * 10_000, "password": "hunter2"})
    return private_journal


def test_an_empty_journal_says_so(tenuto):
    ended = tenuto("errors")
    assert ended.exit_code == 0
    assert ended.stdout.startswith("No errors in ")
    assert json.loads(tenuto("errors", "--json").stdout) == []


def test_groups_have_their_counts_most_frequent_first(tenuto, journal):
    groups = json.loads(tenuto("errors", "--json").stdout)
    assert [group["count"] for group in groups] == [3, 1]
    shown = tenuto("errors").stdout
    assert shown.index("DecodeError") < shown.index("AudioProcessingError")
    assert "4 errors in 2 groups" in shown
    assert "\x1b" not in shown
    assert all(len(line) <= 100 for line in shown.splitlines())


def test_one_error_is_told_in_full_with_chain_frames_and_context(tenuto, journal):
    latest = json.loads(tenuto("errors", "--json").stdout)[1]["latest"]
    ended = tenuto("errors", "show", latest)
    assert ended.exit_code == 0
    assert "no <b>sound</b>" in ended.stdout
    assert "[red]disk[/red]" in ended.stdout
    assert "Traceback" in ended.stdout
    assert "test_errors_command.py" in ended.stdout
    assert "hunter2" not in ended.stdout
    assert json.loads(tenuto("errors", "show", latest, "--json").stdout)["id"] == latest


def test_a_group_is_shown_by_the_beginning_of_its_fingerprint(tenuto, journal):
    group = json.loads(tenuto("errors", "--json").stdout)[0]
    ended = tenuto("errors", "show", group["fingerprint"][:11])
    assert ended.exit_code == 0
    assert "is torn" in ended.stdout
    assert "\x1b" not in ended.stdout


def test_an_id_that_is_nowhere_is_answered_with_status_2(tenuto, journal):
    ended = tenuto("errors", "show", "v1:\x1b[2Jnone")
    assert ended.exit_code == 2
    assert "no error and no group v1:\\x1b[2Jnone in " in ended.stderr


def test_the_journal_may_be_named_before_and_after_show(tenuto, journal, monkeypatch):
    monkeypatch.delenv("TENUTO_JOURNAL")
    latest = json.loads(tenuto("errors", "--journal", journal, "--json").stdout)[0]["latest"]
    assert tenuto("errors", "--journal", journal, "show", latest).exit_code == 0
    assert tenuto("errors", "show", latest, "--journal", journal).exit_code == 0


def test_without_the_extra_the_command_names_it(monkeypatch, capsys):
    from tenuto.cli import main

    monkeypatch.setitem(sys.modules, "click", None)
    monkeypatch.delitem(sys.modules, "tenuto.cli.app")
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 2
    assert "pip install 'tenuto[cli]'" in capsys.readouterr().err
