"""``Bulkhead``: so many calls at once, and so many in a queue."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import KW_ONLY, dataclass, field, replace
from types import TracebackType
from typing import Any, ClassVar, ParamSpec, TypeVar

from tenuto.clock import SYSTEM_CLOCK, Clock
from tenuto.errors import BulkheadFullError, ConfigurationError, RefusedError
from tenuto.state import Share
from tenuto.state import State as Fleet

from .engine.drive import drive, drive_async
from .engine.gates import gated
from .engine.parking import Park
from .engine.queue import LONGEST_WAIT, Args, Kwargs, QueuedGate
from .events import Listener
from .rules import check_number, check_same_fleet

__all__ = ["Bulkhead"]

P = ParamSpec("P")
R = TypeVar("R")

_MOST = 1_000_000  # places: each takes a few bytes
_CRUMB = 1e-6  # of a place: shares are no exact numbers


class _Gate(QueuedGate):
    __slots__ = ()

    kind: ClassVar[str] = "bulkhead"
    refusal: ClassVar[type[RefusedError]] = BulkheadFullError

    @property
    def part(self) -> float:
        """How much of the limit is this process's."""
        return 1.0


class _SharedGate(_Gate):
    """The gate of a bulkhead whose places a fleet shares: it goes by a part of them."""

    __slots__ = ("_peak", "share", "units")

    def __init__(self, bulkhead: Bulkhead, fleet: Fleet, name: str) -> None:
        super().__init__(bulkhead, bulkhead.limit)
        self._peak = 0
        """The most places that were wanted at once since the others were told."""
        self.units = bulkhead.limit
        self.share = Share(fleet, "bulkhead", name, self, bulkhead.clock)

    @property
    def part(self) -> float:
        return self.share.part

    def enter(self, name: str, args: Args, kwargs: Kwargs) -> Generator[Park, Any, object]:
        with self._lock:
            self._peak = max(self._peak, self._busy() + 1)
        if not self._free or self.places.contested:
            self.share.want()
        return (yield from super().enter(name, args, kwargs))

    def resize(self, limit: int) -> None:
        self.units = limit
        self.go_by(self.share.part)

    def wanted(self, seconds: float) -> float:  # noqa: ARG002  # no rate, but a height
        with self._lock:
            busy = self._busy()
            peak, self._peak = max(self._peak, busy), busy
        return peak / self.units

    def go_by(self, share: float) -> None:
        while True:
            units, share = self.units, self.share.part
            # Without a place no call could be made, and none would show that one is wanted.
            super().resize(max(1, int(units * share + _CRUMB)))
            if (units, share) == (self.units, self.share.part):
                return  # else another thread has changed one of them, and may have been first

    def _busy(self) -> int:
        return self.places.taken + len(self._queue)


@dataclass(frozen=True)
class Bulkhead:
    """At most ``limit`` calls at once, and at most ``queue`` that wait for one of them to end.

    Use it as a decorator, of any kind of function, or as ``with bulkhead:`` or ``async with
    bulkhead:``. Everything guarded by one object shares its places: threads and tasks alike.

    Who comes first is served first. Nobody waits longer than ``max_wait``, or past an outer
    ``deadline``. A call that finds the queue full, or waits too long, is refused with
    ``BulkheadFullError``; a fault of the class resource, so that no retry repeats it unasked.

    Raises ConfigurationError when it is built with settings that make no sense.
    """

    limit: int = 8
    """Calls at once."""
    queue: int = 0
    """Calls that wait, at most."""
    max_wait: float | None = None
    """The longest wait, in seconds; None: as long as it takes."""
    name: str | None = None
    """What is protected, for errors and events; the guarded function's name by default."""
    _: KW_ONLY
    fleet: Fleet | None = field(default=None, repr=False, compare=False)
    """Where the places are shared with those of other processes that have its name: what
    ``open_state(url)`` gives. ``limit`` is for all together, and each goes by its share."""
    clock: Clock = field(default=SYSTEM_CLOCK, repr=False)
    on_event: Listener | None = field(default=None, repr=False)

    _gate: _Gate = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_number("limit", self.limit, least=1, most=_MOST, whole=True)
        check_number("queue", self.queue, least=0, whole=True)
        if self.max_wait is not None:
            check_number("max_wait", self.max_wait, least=0.0, most=LONGEST_WAIT)
        if self.fleet is None:
            object.__setattr__(self, "_gate", _Gate(self, self.limit))
        elif self.name is None:
            raise ConfigurationError("name", "a fleet finds the bulkhead by it: give one")
        else:
            shared = _SharedGate(self, self.fleet, self.name)
            object.__setattr__(self, "_gate", shared)
            shared.share.join()

    def __str__(self) -> str:
        what = f"{self.name}: " if self.name else ""
        wait = "" if self.max_wait is None else f" for up to {self.max_wait:g} s"
        queue = f", {self.queue} more wait{wait}" if self.queue else ""
        return f"Bulkhead({what}{self.limit} at once{queue})"

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        return gated(function, self._gate, self.name)

    def __enter__(self) -> None:
        drive(self._gate.block(), self.clock, (), {}).unwrap()

    async def __aenter__(self) -> None:
        (await drive_async(self._gate.block(), self.clock, (), {})).unwrap()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._gate.release()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._gate.release()

    @property
    def inside(self) -> int:
        """How many calls are under way."""
        return self._gate.places.taken

    @property
    def waiting(self) -> int:
        """How many calls wait."""
        return len(self._gate.places.queue)

    @property
    def share(self) -> float:
        """The part of the places that this process goes by; 1 without a fleet."""
        return self._gate.part

    def reconfigure(self, **settings: Any) -> None:
        """Go by other settings from now on. Calls under way, and those that wait, are kept."""
        if "clock" in settings:
            raise ConfigurationError("clock", "it cannot be changed while calls wait on it")
        check_same_fleet(self.fleet, settings)
        changed = replace(self, fleet=None, **settings)
        for setting in settings:
            object.__setattr__(self, setting, getattr(changed, setting))
        self._gate.resize(self.limit)
