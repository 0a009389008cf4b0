"""Fixtures for pytest, there wherever Tenuto is installed. Nothing is loaded before it is used."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tenuto.capture import ErrorEvent
    from tenuto.clock import SimulatedClock
    from tenuto.journal import Journal

__all__ = ["tenuto_clock", "tenuto_errors", "tenuto_journal", "tenuto_run"]


@pytest.fixture
def tenuto_clock() -> SimulatedClock:
    """A clock that moves only when told to, or when somebody sleeps on it."""
    from tenuto.clock import SimulatedClock

    return SimulatedClock()


@pytest.fixture
def tenuto_run(
    tenuto_clock: SimulatedClock,
) -> Iterator[Callable[[Coroutine[Any, Any, Any]], Any]]:
    """Runs a coroutine to its end, in the time of ``tenuto_clock``."""
    import asyncio

    with asyncio.Runner(loop_factory=tenuto_clock.new_event_loop) as runner:
        yield runner.run


@pytest.fixture
def tenuto_errors() -> Iterator[list[ErrorEvent]]:
    """The errors captured during the test, as ``tenuto.testing.captured_errors`` lists them."""
    from tenuto.testing.capturing import captured_errors

    with captured_errors() as errors:
        yield errors


@pytest.fixture
def tenuto_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Journal]:
    """A journal of the test's own, and the default one while the test runs."""
    from tenuto.journal import open_journal

    path = tmp_path / "tenuto-journal"
    monkeypatch.setenv("TENUTO_JOURNAL", str(path))
    with open_journal(path) as journal:
        yield journal
