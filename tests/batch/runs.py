"""Whole runs with fake workers."""

from __future__ import annotations

from tenuto.batch import Batch

from .fake_workers import FakeWorkers


class Notes:
    """A watcher that remembers."""

    def __init__(self):
        self.texts = []
        self.plan = None
        self.outcomes = []
        self.on_note = self.on_tick = self.on_end = lambda *_: None

    def began(self, plan, summary):
        self.plan = plan

    def ended(self, outcome, summary):
        self.outcomes.append(outcome)
        self.on_end(outcome)

    def noted(self, text):
        self.texts.append(text)
        self.on_note(text)

    def ticked(self, summary):
        self.on_tick(summary)


class Runs:
    """``run`` works with fake workers, and checks that the sums are right."""

    def __init__(self, monkeypatch):
        self.workers = None
        self.notes = None
        self._judge = None
        self._watch = None
        monkeypatch.setattr("tenuto.batch.enhancing.LocalWorkers", self._hire)

    def _hire(self, settings, places):
        self.workers = FakeWorkers(2, self._judge)
        return self.workers

    def run(self, paths, out, judge=lambda path: {}, watch=None, sources=None, **settings):
        self._judge, self.notes = judge, Notes()
        if watch:
            watch(self.notes)
        batch = Batch(**{"ladder": ("basic",), "meter": "none", **settings})
        summary = batch.run(
            [paths] if not isinstance(paths, (list, tuple)) else paths,
            out,
            self.notes,
            **(sources or {}),
        )
        ended = sum(summary.statuses.values())
        earlier = summary.finished_earlier + summary.quarantined_earlier
        assert summary.inputs == ended + earlier + summary.left
        return summary

    @property
    def done(self):
        """The names of the recordings that the last run began, in order."""
        return self.workers.begun
