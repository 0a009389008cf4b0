"""``Bulkhead``: so many calls at once, and so many in a queue."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, field, replace
from types import TracebackType
from typing import Any, ClassVar, ParamSpec, TypeVar

from tenuto.clock import SYSTEM_CLOCK, Clock
from tenuto.errors import BulkheadFullError, ConfigurationError, RefusedError

from .engine.drive import drive, drive_async
from .engine.gates import gated
from .engine.queue import LONGEST_WAIT, QueuedGate
from .events import Listener
from .rules import check_number

__all__ = ["Bulkhead"]

P = ParamSpec("P")
R = TypeVar("R")

_MOST = 1_000_000  # places: each takes a few bytes


class _Gate(QueuedGate):
    __slots__ = ()

    kind: ClassVar[str] = "bulkhead"
    refusal: ClassVar[type[RefusedError]] = BulkheadFullError


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
    clock: Clock = field(default=SYSTEM_CLOCK, repr=False)
    on_event: Listener | None = field(default=None, repr=False)

    _gate: QueuedGate = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_number("limit", self.limit, least=1, most=_MOST, whole=True)
        check_number("queue", self.queue, least=0, whole=True)
        if self.max_wait is not None:
            check_number("max_wait", self.max_wait, least=0.0, most=LONGEST_WAIT)
        object.__setattr__(self, "_gate", _Gate(self, self.limit))

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

    def reconfigure(self, **settings: Any) -> None:
        """Go by other settings from now on. Calls under way, and those that wait, are kept."""
        if "clock" in settings:
            raise ConfigurationError("clock", "it cannot be changed while calls wait on it")
        changed = replace(self, **settings)
        for setting in settings:
            object.__setattr__(self, setting, getattr(changed, setting))
        self._gate.resize(self.limit)
