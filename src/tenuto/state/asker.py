"""Asks the server what a call is waiting for."""

from __future__ import annotations

from collections import deque
from typing import Any, NamedTuple

from tenuto.clock import Clock

from .bell import Bell
from .contract import Answered, Operation
from .line import Answer, Line, Unreachable

__all__ = ["Asker"]


class _Question(NamedTuple):
    operation: Operation
    answered: Answered
    expires: float


class Asker:
    """Its connection is kept ready, so that a question takes one way there and back.

    Whether the server answers is found out when nobody waits, too: where it did not last time,
    nobody is made to.
    """

    def __init__(self, line: Line, clock: Clock, patience: float, every: float) -> None:
        self.line = line
        self.due = Bell()
        self.failed = 0
        self.unanswered = 0
        self._clock = clock
        self._patience = patience
        self._every = every
        self._questions: deque[_Question] = deque()

    def ask(self, operation: Operation, answered: Answered) -> bool:
        """Have ``answered`` called with the answer, or None; False, where there will be none."""
        if not self.line.up:
            return False
        expires = self._clock.monotonic() + self._patience
        self._questions.append(_Question(operation, answered, expires))
        self.due.set()
        return True

    def step(self) -> float:
        self._answer(self._taken())
        return self._every if self.line.up else self.line.pause

    def end(self) -> None:
        self.line.trouble = "closed"
        for each in self._taken():
            self._give_up(each)
        self.line.hang_up()

    def _taken(self) -> list[_Question]:
        return [self._questions.popleft() for _ in range(len(self._questions))]

    def _answer(self, questions: list[_Question]) -> None:
        now = self._clock.monotonic()
        asked = [each for each in questions if each.expires > now]
        for each in questions:
            if each.expires <= now:  # whoever asked has gone on
                self._give_up(each)
        try:
            answers: list[Answer] = []
            if asked:
                answers = self.line.run([each.operation for each in asked])
            else:
                self.line.use(_ping)
        except Unreachable as gone:
            answers = [gone] * len(asked)
        for each, answer in zip(asked, answers, strict=True):
            if isinstance(answer, Exception):
                self._give_up(each)
            else:
                self.unanswered += self._clock.monotonic() > each.expires  # in time, that is
                each.answered(answer)

    def _give_up(self, question: _Question) -> None:
        self.unanswered += 1
        question.answered(None)


def _ping(client: Any) -> None:
    client.ping()
