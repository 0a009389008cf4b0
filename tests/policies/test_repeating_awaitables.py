"""A plain function that fails at once, and then returns awaitables; and one that changes again."""

from __future__ import annotations

import asyncio

import pytest

from tenuto.policies import Backoff, EventKind

WAIT = Backoff("fixed", initial=1.0, jitter=False)


class Turns:
    """Does one thing after the other: raises it, returns it, or promises either."""

    __name__ = __qualname__ = "turns"

    def __init__(self, *turns):
        self.turns = list(turns)

    def __call__(self):
        kind, what = self.turns.pop(0)
        if kind == "later":
            return self._later(what)
        if isinstance(what, BaseException):
            raise what
        return what

    async def _later(self, what):
        await asyncio.sleep(0)
        if isinstance(what, BaseException):
            raise what
        return what


DOWN = ConnectionError("down")


@pytest.mark.parametrize(
    ("turns", "waits"),
    [
        ([("now", DOWN), ("later", "done")], [1.0]),
        ([("now", DOWN), ("later", DOWN), ("later", "done")], [1.0, 1.0]),
        ([("now", DOWN), ("later", DOWN), ("now", DOWN), ("now", "done")], [1.0] * 3),
        ([("later", DOWN), ("now", DOWN), ("later", "done")], [1.0, 1.0]),
    ],
)
def test_whatever_it_returns_is_seen_through(clock, retry, events, turns, waits):
    guarded = retry(3, WAIT)(Turns(*turns))

    async def call():
        return await guarded()

    with asyncio.Runner(loop_factory=clock.new_event_loop) as runner:
        assert runner.run(call()) == "done"
    assert clock.sleeps == waits
    assert [event.kind for event in events] == [
        *[EventKind.RETRIED] * len(waits),
        EventKind.RECOVERED,
    ]


def test_the_attempts_are_counted_through(clock, retry, events):
    guarded = retry(2, WAIT)(Turns(("now", DOWN), *[("later", DOWN)] * 9))

    async def call():
        await guarded()

    with (
        asyncio.Runner(loop_factory=clock.new_event_loop) as runner,
        pytest.raises(ConnectionError),
    ):
        runner.run(call())
    assert events[-1].attempt == 3
