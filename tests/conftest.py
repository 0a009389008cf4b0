"""What every test needs: a journal of its own, never the user's."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def private_journal(tmp_path, monkeypatch):
    """Point the default journal to the test's own folder."""
    path = tmp_path / "journal"
    monkeypatch.setenv("TENUTO_JOURNAL", str(path))
    return path
