"""What every test needs: a journal of its own, never the user's."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def patience(monkeypatch):
    """An error is asked for its message in a thread, which a busy machine may start late."""
    monkeypatch.setattr("tenuto.capture.message._PATIENCE", 10.0)


@pytest.fixture(autouse=True)
def private_journal(tmp_path, monkeypatch):
    """Point the default journal to the test's own folder."""
    path = tmp_path / "journal"
    monkeypatch.setenv("TENUTO_JOURNAL", str(path))
    return path
