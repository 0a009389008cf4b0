"""Workers that do nothing but say how it went, in this process: runs of thousands in a moment."""

from __future__ import annotations

from collections import deque
from pathlib import Path

from tenuto.audio.names import path_text
from tenuto.batch.content import content_of
from tenuto.batch.executors import Answer, Unchanged
from tenuto.journal import Outcome, OutcomeStatus


class FakeWorkers:
    """``judge(input)`` says how a recording ends: an Outcome's fields, or an object to answer with.

    What does not end in quarantine is written: its output says what it was made of.
    """

    def __init__(self, places=2, judge=lambda path: {}):
        self.places = places
        self.judge = judge
        self.begun = []
        self.killed = False
        self._tasks = deque()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def submit(self, task):
        self.begun.append(Path(task.item.input).name)
        self._tasks.append(task)

    def wait(self, timeout):
        return [self._answer(self._tasks.popleft())] if self._tasks else []

    def withdraw(self):
        return []

    def news(self):
        return []

    def kill(self):
        self.killed = True
        self._tasks.clear()

    def _answer(self, task):
        item = task.item
        content = content_of(item.input)
        if content and content == item.content:
            return Answer(task, Unchanged(), content=content)
        judged = self.judge(item.input)
        if not isinstance(judged, dict):
            return Answer(task, judged, content=content)
        fields = {"status": OutcomeStatus.ENHANCED, "tier": "steady", **judged}
        bad = fields["status"] is OutcomeStatus.QUARANTINED
        if not bad:
            output = Path(item.output)
            output.parent.mkdir(parents=True, exist_ok=True)
            output.write_text(f"made of {content}")
        outcome = Outcome(
            input=path_text(item.input), output=None if bad else path_text(item.output), **fields
        )
        return Answer(task, outcome, content=content)
