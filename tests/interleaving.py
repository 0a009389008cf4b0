"""Threads whose every interleaving can be asked for, and asked for again.

The threads are real, but only one runs at a time. Before every line of the machines and of the
policies, and wherever it meets a lock, an event or the clock, a thread may lose its turn to
another: where it does is a ``Schedule``. Where all wait, simulated time moves to the moment at
which the first of them may go on; where none ever may, that is a ``DeadlockError``.

    with interleaved(schedule) as stage:
        breaker = CircuitBreaker(clock=stage.clock)   # its lock is the stage's
        results = stage.run(call, call, other_call)
"""

from __future__ import annotations

import random
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType, ModuleType
from typing import Any, NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

import tenuto
from tenuto.clock import SimulatedClock

__all__ = [
    "DeadlockError",
    "Schedule",
    "Stage",
    "every_preemption",
    "explore",
    "interleaved",
    "random_schedules",
    "schedules",
]

_HERE = tenuto.__path__[0]
_TRACED = (f"{_HERE}/machines/", f"{_HERE}/policies/")
_PATCHED = ("tenuto.machines", "tenuto.policies")
_STUCK_AFTER = 60.0  # real seconds


class Preemption(NamedTuple):
    """After ``gap`` more points, the ``choice``-th of the other threads gets the turn."""

    gap: int
    choice: int


Schedule = Sequence[Preemption]
"""Where turns are lost. Otherwise each thread runs for as long as it can."""


class DeadlockError(AssertionError):
    """Every thread waits, and none for a time."""


def schedules(most: int = 8, longest_gap: int = 250) -> st.SearchStrategy[Schedule]:
    """Schedules for hypothesis, which shrinks them to the fewest preemptions that matter."""
    preemption = st.builds(Preemption, st.integers(0, longest_gap), st.integers(0, 3))
    return st.lists(preemption, max_size=most)


def random_schedules(count: int, most: int = 12, longest_gap: int = 120) -> Iterator[Schedule]:
    """The same ``count`` schedules each time, with more preemptions, and closer together."""
    for seed in range(count):
        chance = random.Random(seed)
        gaps = [int(longest_gap ** chance.random()) - 1 for _ in range(chance.randint(1, most))]
        yield [Preemption(gap, chance.randrange(4)) for gap in gaps]


def every_preemption(scenario: Callable[[Schedule], Stage], threads: int) -> Iterator[Schedule]:
    """Each schedule with a single preemption, and first the one without any.

    ``scenario`` plays one schedule and returns its stage, which tells how many points there are.
    """
    points = scenario([]).points
    yield []
    for gap in range(points):
        for choice in range(threads - 1):
            yield [Preemption(gap, choice)]


@contextmanager
def interleaved(schedule: Schedule = ()) -> Iterator[Stage]:
    """A stage; what policies make of locks and events in the block belongs to it."""
    stage = Stage(schedule)
    undo = []
    try:
        for module in [module for name, module in sys.modules.items() if _is_patched(name)]:
            for name, value in list(vars(module).items()):
                stand_in = stage.stand_in_for(value)
                if stand_in is not None:
                    undo.append((module, name, value))
                    setattr(module, name, stand_in)
        yield stage
    finally:
        for module, name, value in undo:
            setattr(module, name, value)


def _is_patched(name: str) -> bool:
    return name.startswith(_PATCHED)


@dataclass(eq=False)
class _Actor:
    """One thread on the stage, and what it waits for."""

    function: Callable[[], Any]
    turn: threading.Lock = field(default_factory=threading.Lock)
    may_go_on: Callable[[], bool] | None = None
    until: float | None = None
    over: bool = False
    result: Any = None
    error: BaseException | None = None

    def is_ready(self, now: float) -> bool:
        if self.over:
            return False
        if self.may_go_on is None or self.may_go_on():
            return True
        return self.until is not None and self.until <= now


class Stage:
    """Where threads take turns. Its clock, locks and events know about that."""

    def __init__(self, schedule: Schedule = ()) -> None:
        self.clock = StageClock(self)
        self.points = 0
        """How often a thread could have lost its turn."""
        self._preemptions = iter(schedule)
        self._next = next(self._preemptions, None)
        self._gap = 0
        self._actors: list[_Actor] = []
        self._here = threading.local()
        self._finished = threading.Event()
        self._deadlock: str | None = None

    def run(self, *functions: Callable[[], Any]) -> list[Any]:
        """Play ``functions`` to their end, one thread each; what they return.

        The first error among them, in their order, is raised.
        """
        self._actors = [_Actor(function) for function in functions]
        self._finished.clear()
        for actor in self._actors:
            actor.turn.acquire()
            # Daemons: those of a deadlock stay where they are.
            threading.Thread(target=self._play, args=(actor,), daemon=True).start()
        self._actors[0].turn.release()
        if not self._finished.wait(_STUCK_AFTER):
            raise DeadlockError("a thread waits for something that is not the stage's")
        if self._deadlock is not None:
            raise DeadlockError(self._deadlock)
        for actor in self._actors:
            if actor.error is not None:
                raise actor.error
        return [actor.result for actor in self._actors]

    def point(self) -> None:
        """Here the thread may lose its turn."""
        actor = self._current()
        if actor is None:
            return
        self.points += 1
        if self._next is None:
            return
        if self._gap < self._next.gap:
            self._gap += 1
            return
        choice, self._gap = self._next.choice, 0
        self._next = next(self._preemptions, None)
        others = [each for each in self._ready(actor) if each is not actor]
        if others:
            self._hand_over(actor, others[choice % len(others)])

    def wait(self, may_go_on: Callable[[], bool], seconds: float | None = None) -> bool:
        """Let others have the turn until ``may_go_on``, or for ``seconds``; whether it may."""
        actor = self._current()
        if actor is None:  # nobody else runs: only time can pass
            if not may_go_on():
                if seconds is None:
                    raise DeadlockError("the main thread waits, and nobody is on the stage")
                self.clock.advance(seconds)
            return may_go_on()
        self.point()
        if not may_go_on():
            actor.may_go_on = may_go_on
            actor.until = None if seconds is None else self.clock.elapsed + max(0.0, seconds)
            self._hand_over(actor, self._whose_turn(actor))
            actor.may_go_on = actor.until = None
        return may_go_on()

    def stand_in_for(self, value: object) -> Any:
        """What takes the place of ``value`` in a module, if anything does."""
        if value is threading:
            return _Threading(self)
        if isinstance(value, _REAL_LOCKS):  # one that a module made when it was loaded
            return (_RLock if isinstance(value, _REAL_LOCKS[1]) else _Lock)(self)
        for original, kind in _STAND_INS.items():
            if value is getattr(threading, original):
                return lambda: kind(self)
        return None

    def actor(self) -> _Actor | None:
        """Whose turn it is; None in a thread that is not on the stage."""
        return self._current()

    def _current(self) -> _Actor | None:
        return getattr(self._here, "actor", None)

    def _play(self, actor: _Actor) -> None:
        actor.turn.acquire()
        self._here.actor = actor
        sys.settrace(self._trace)
        try:
            actor.result = actor.function()
        except BaseException as error:
            actor.error = error
        finally:
            sys.settrace(None)
        actor.over = True
        following = None if all(each.over for each in self._actors) else self._whose_turn(actor)
        if following is None:
            self._finished.set()
        else:
            following.turn.release()

    def _trace(self, frame: FrameType, event: str, arg: Any) -> Any:
        return self._trace_line if frame.f_code.co_filename.startswith(_TRACED) else None

    def _trace_line(self, frame: FrameType, event: str, arg: Any) -> Any:
        if event == "line":
            self.point()
        return self._trace_line

    def _ready(self, actor: _Actor) -> list[_Actor]:
        """Who may have the turn, beginning with the one after ``actor``."""
        place = self._actors.index(actor) + 1
        now = self.clock.elapsed
        return [each for each in self._actors[place:] + self._actors[:place] if each.is_ready(now)]

    def _whose_turn(self, actor: _Actor) -> _Actor | None:
        ready = self._ready(actor)
        if not ready:
            moments = [
                each.until for each in self._actors if each.until is not None and not each.over
            ]
            if not moments:
                waiting = [n for n, each in enumerate(self._actors) if not each.over]
                self._deadlock = f"threads {waiting} wait for each other"
                return None
            self.clock.move_to(min(moments))
            ready = self._ready(actor)
        return ready[0]

    def _hand_over(self, actor: _Actor, to: _Actor | None) -> None:
        if to is actor:
            return
        if to is None:
            self._finished.set()
        else:
            to.turn.release()
        actor.turn.acquire()


class StageClock(SimulatedClock):
    """Simulated time, in which several threads sleep at once."""

    def __init__(self, stage: Stage) -> None:
        super().__init__()
        self._stage = stage

    @property
    def elapsed(self) -> float:
        """``monotonic``, without a point."""
        return self._elapsed

    def move_to(self, moment: float) -> None:
        """Let time pass until ``moment``."""
        self._elapsed = max(self._elapsed, moment)

    def monotonic(self) -> float:
        self._stage.point()
        return super().monotonic()

    def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self._stage.wait(lambda: False, seconds)

    def wait(self, event: Any, seconds: float | None) -> bool:
        return event.wait(seconds)


class _Lock:
    """A lock of the stage; ``threading.Lock``."""

    reentrant = False

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._owner: object = None
        self._depth = 0

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:  # noqa: FBT001, FBT002
        me = self._stage.actor() or self._stage
        if self.reentrant and self._owner is me:
            self._depth += 1
            return True
        if blocking:
            self._stage.wait(lambda: self._owner is None, None if timeout < 0 else timeout)
        else:
            self._stage.point()
        if self._owner is not None:
            return False
        self._owner, self._depth = me, 1
        return True

    def release(self) -> None:
        if self._owner is None or (
            self.reentrant and self._owner is not (self._stage.actor() or self._stage)
        ):
            raise RuntimeError("release unlocked lock")
        self._depth -= 1
        if self._depth == 0:
            self._owner = None
            self._stage.point()

    def locked(self) -> bool:
        return self._owner is not None

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()


class _RLock(_Lock):
    """A lock that its owner may take again; ``threading.RLock``."""

    reentrant = True


class _Event:
    """A flag of the stage; ``threading.Event``."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._set = False

    def is_set(self) -> bool:
        self._stage.point()
        return self._set

    def set(self) -> None:
        self._set = True
        self._stage.point()

    def clear(self) -> None:
        self._set = False
        self._stage.point()

    def wait(self, timeout: float | None = None) -> bool:
        return self._stage.wait(lambda: self._set, timeout)


_REAL_LOCKS = (type(threading.Lock()), type(threading.RLock()))
_STAND_INS: dict[str, Any] = {"Lock": _Lock, "RLock": _RLock, "Event": _Event}
_UNKNOWN = {"Condition", "Semaphore", "BoundedSemaphore", "Barrier"}


class _Threading(ModuleType):
    """The module ``threading`` as it is on a stage."""

    def __init__(self, stage: Stage) -> None:
        super().__init__("threading")
        self.__dict__.update(
            {name: stage.stand_in_for(getattr(threading, name)) for name in _STAND_INS}
        )

    def __getattr__(self, name: str) -> Any:
        if name in _UNKNOWN:
            raise NotImplementedError(f"the stage has no {name} yet")
        return getattr(threading, name)


def explore(
    scenario: Callable[[Schedule], Stage], *, threads: int = 3, examples: int = 150
) -> None:
    """Play ``scenario`` under every single preemption, and under many schedules of several."""
    for schedule in every_preemption(scenario, threads):
        scenario(schedule)
    for schedule in random_schedules(examples):
        scenario(schedule)

    @settings(max_examples=examples, deadline=None, database=None)
    @given(schedules())
    def drawn(schedule: Schedule) -> None:
        scenario(schedule)

    drawn()
