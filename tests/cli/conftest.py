"""The command line, run in this process with a terminal of 100 columns."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from tenuto.cli.app import app
from tests.batch.conftest import plugin, recordings

__all__ = ["plugin", "recordings"]

FAST = ("--ladder", "steady", "--meter", "none", "--jobs", "1")


@pytest.fixture
def tenuto(monkeypatch, tmp_path, plugin):
    """Run ``tenuto`` with arguments, in the test's folder; gives exit_code, stdout, stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    return lambda *arguments, stdin=None: CliRunner().invoke(
        app, [str(each) for each in arguments], input=stdin
    )
