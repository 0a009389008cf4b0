"""An enhancer that keeps its errors in the test's journal, and the odd engines."""

from __future__ import annotations

import pytest

from tenuto import ErrorReporter, open_journal
from tenuto.audio.enhance import Enhancer
from tests.batch.conftest import plugin

__all__ = ["plugin"]


@pytest.fixture
def journal(private_journal):
    with open_journal(private_journal) as journal:
        yield journal


@pytest.fixture
def enhancer(journal):
    """Makes one with the ladder given, that keeps its errors in the test's journal."""

    def make(*ladder, **settings):
        reporter = ErrorReporter("tenuto", journal=journal, log=False)
        return Enhancer(ladder=ladder, reporter=reporter, **{"meter": "none", **settings})

    return make


@pytest.fixture
def result(tmp_path):
    return tmp_path / "result.wav"
