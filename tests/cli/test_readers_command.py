"""``tenuto readers``: who is told of the journal, who is behind, and what keeps them."""

import json

import pytest

from tenuto.capture import capture
from tenuto.journal import Journal, Reader, open_journal

SENTRY = Reader("sentry hub/1")


@pytest.fixture
def journal(private_journal):
    with open_journal(private_journal) as journal:
        yield journal


def fail(journal, times=1):
    for _ in range(times):
        journal.append(capture(ConnectionError("down")))


def tell(journal, records):
    batch = journal.read(SENTRY, records)
    journal.advance(SENTRY, batch.position, batch.records)


def told(tenuto):
    (found,) = json.loads(tenuto("readers", "--json").stdout)
    return found


def test_nobody_is_told_by_default(tenuto, journal):
    assert tenuto("readers").stdout.startswith("Nobody is told of ")
    assert json.loads(tenuto("readers", "--json").stdout) == []


def test_one_that_has_heard_everything_is_up_to_date(tenuto, journal):
    fail(journal, 3)
    tell(journal, 3)
    assert tenuto("readers").stdout == "up to date sentry hub/1\n"
    assert told(tenuto)["state"] == "up to date"
    assert told(tenuto)["position"] == 3


def test_one_that_has_not_is_behind_since_what_it_has_not_heard(tenuto, journal):
    fail(journal, 3)
    tell(journal, 1)
    lines = tenuto("readers").stdout.splitlines()
    assert lines[0] == "behind     sentry hub/1"
    assert lines[1].startswith("           2 records behind, since ")
    assert lines[1].endswith("; told up to 1")
    assert len(lines) == 2
    _, second, _ = reversed(journal.events())
    found = told(tenuto)
    assert (found["state"], found["lag"]) == ("behind", 2)
    assert found["behind_since"] == second.time


def test_one_that_nobody_reaches_is_failing_with_its_last_error(tenuto, journal):
    fail(journal)
    tell(journal, 0)
    journal.note_trouble(SENTRY, "ConnectionError: \x1b[2Jno route")
    shown = tenuto("readers").stdout
    assert shown.startswith("failing    sentry hub/1\n")
    assert "not reached since 2" in shown
    assert shown.endswith("\n           ConnectionError: \\x1b[2Jno route\n")
    assert told(tenuto)["state"] == "failing"
    assert told(tenuto)["trouble"] == "ConnectionError: \x1b[2Jno route"


def test_one_that_wants_to_be_left_alone_is_refused_until_then(tenuto, journal):
    fail(journal)
    tell(journal, 0)
    now = journal.clock.now()
    journal.note_trouble(SENTRY, "over the quota", refused_until=now + 3600)
    shown = tenuto("readers").stdout
    assert shown.startswith("refused    sentry hub/1\n")
    assert "wants to be left alone until 2" in shown
    assert told(tenuto)["refused_until"] == now + 3600
    journal.note_trouble(SENTRY, "over the quota", refused_until=now - 1)
    assert told(tenuto)["state"] == "failing"


def test_hostile_names_stay_in_their_line_and_are_whole_for_forget(tenuto, journal, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    hostile = Reader("sentry \x1b[31m\n[red]" + "x" * 200)
    fail(journal)
    journal.read(hostile)
    journal.note_trouble(hostile, "y" * 200)
    lines = tenuto("readers").stdout.splitlines()
    assert len(lines) == 4
    assert all(len(line) <= 80 for line in lines[1:])
    assert lines[0].endswith(r"sentry \x1b[31m [red]" + "x" * 200)
    monkeypatch.delenv("COLUMNS")
    assert "y" * 200 in tenuto("readers").stdout


def test_one_that_is_gone_for_good_can_be_let_go_of(tenuto, journal):
    journal.read(Reader("sentry old.example"))
    ended = tenuto("readers", "--forget", "sentry old.example", "--journal", journal.path)
    assert (ended.exit_code, ended.stdout) == (0, "")
    assert journal.standings() == []
    ended = tenuto("readers", "--forget", "nobody", "--journal", journal.path)
    assert ended.exit_code == 2
    assert "is called nobody" in ended.stderr


def test_a_journal_that_cannot_be_written_forgets_nobody(tenuto, journal, monkeypatch):
    def fails(self, name):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Journal, "forget", fails)
    ended = tenuto("readers", "--forget", "sentry", "--journal", journal.path)
    assert ended.exit_code == 2
    assert "cannot be written" in ended.stderr
