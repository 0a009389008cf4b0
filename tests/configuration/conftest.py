"""Every test has a folder of its own to be in, and no variables of the machine's."""

from __future__ import annotations

import os

import pytest

from tenuto import ErrorHandler, ErrorReporter, open_journal
from tenuto.clock import SimulatedClock


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """The folder the program is started in."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    for name in list(os.environ):
        if name in ("TENUTO_CONFIG", "TENUTO_STATE_URL") or name.startswith("TENUTO_POLICIES"):
            monkeypatch.delenv(name)
    return folder


@pytest.fixture
def write(here):
    """Write a configuration; by default ``tenuto.toml`` here."""

    def put(text, name="tenuto.toml"):
        path = here / name
        path.write_text(text)
        return path

    return put


@pytest.fixture
def clock():
    return SimulatedClock()


@pytest.fixture
def journal(tmp_path, clock):
    with open_journal(tmp_path / "journal", clock=clock) as journal:
        yield journal


@pytest.fixture
def make(journal, clock):
    """Make a handler with that journal and that clock."""

    def build(**settings):
        reporter = ErrorReporter("speech", journal=journal, clock=clock, log=False)
        return ErrorHandler("speech", error_reporter=reporter, clock=clock, **settings)

    return build
