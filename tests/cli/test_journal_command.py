"""``tenuto journal``: check, prune and export."""

import json

import pytest

from tenuto.capture import capture
from tenuto.journal import Attempt, Outcome, OutcomeStatus, Transition, open_journal
from tenuto.journal.locks import FileLock


@pytest.fixture
def folder(tmp_path):
    with open_journal(tmp_path / "journal") as journal:
        journal.append(capture(ConnectionError("down\x1b[2J")))
        journal.record(Transition(policy="hub", before="closed", after="open"))
        journal.record(Outcome(input="a.wav", output=None, status=OutcomeStatus.QUARANTINED))
        journal.count("breaker", "hub", "refused", 3)
        journal.open_attempt(Attempt(work="a.wav", step="basic"))
    return tmp_path / "journal"


def test_a_whole_journal_is_said_to_be(tenuto, folder):
    ended = tenuto("journal", "check", "--journal", folder)
    assert ended.exit_code == 0
    assert "1 error\n" in ended.stdout
    assert "whole" in ended.stdout


def test_what_was_lost_is_said_with_its_reason(tenuto, folder):
    with open_journal(folder) as journal:
        journal.count_loss("disk \x1b[31mfull")
    ended = tenuto("journal", "check", "--journal", folder)
    assert ended.exit_code == 1
    assert r"1 record not kept: disk \x1b[31mfull" in ended.stdout


def test_an_export_tells_what_could_not_be_kept(tenuto, folder):
    with open_journal(folder) as journal:
        journal.count_loss("disk full", 2)
    last = tenuto("journal", "export", "--journal", folder).stdout.splitlines()[-1]
    assert json.loads(last) == {"record": "drop", "reason": "disk full", "count": 2}


def test_damage_is_found(tenuto, folder, monkeypatch):
    monkeypatch.setattr("tenuto.journal.Journal.check", lambda _: ["row 7 missing from index"])
    ended = tenuto("journal", "check", "--journal", folder)
    assert ended.exit_code == 1
    assert "damaged: row 7" in ended.stdout


def test_pruning_says_what_went(tenuto, folder):
    ended = tenuto("journal", "prune", "--journal", folder, "--max-age", "30d", "--max-size", "2G")
    assert ended.exit_code == 0
    assert ended.stdout.startswith("0 records gone, 0.")


def test_a_size_that_is_none_is_refused(tenuto, folder):
    ended = tenuto("journal", "prune", "--journal", folder, "--max-size", "a lot")
    assert ended.exit_code == 2
    assert "write 500M, 2GB or 1.5GiB" in ended.stderr
    for option, value in (("--max-size", "0"), ("--max-age", "0s")):
        ended = tenuto("journal", "prune", "--journal", folder, option, value)
        assert ended.exit_code == 2
        assert "give a number above zero" in ended.stderr


def test_an_age_is_said_as_everywhere(tenuto, folder):
    ended = tenuto("journal", "prune", "--journal", folder, "--max-age", "30")
    assert ended.exit_code == 2
    assert "write 30m, 12h or 2d" in ended.stderr


def test_the_help_tells_whole_sentences(tenuto):
    lines = tenuto("journal", "--help").stdout.partition("Commands:")[2].strip().splitlines()
    assert [line[-1] for line in lines] == ["."] * 3
    assert "..." not in "".join(lines)


def test_pruning_while_another_does_says_so(tenuto, folder):
    lease = FileLock.acquire(folder / "mover.lock")
    ended = tenuto("journal", "prune", "--journal", folder)
    lease.release()
    assert ended.exit_code == 1
    assert "another process" in ended.stderr


def test_the_export_has_every_record_as_a_line_of_json(tenuto, folder):
    lines = tenuto("journal", "export", "--journal", folder).stdout.splitlines()
    records = [json.loads(line) for line in lines]
    kinds = ["attempt", "event", "outcome", "tally", "transition"]
    assert sorted(each["record"] for each in records) == kinds
    assert {
        "record": "tally",
        "policy": "breaker",
        "name": "hub",
        "what": "refused",
        "count": 3,
    } in (records)
