"""How one attempt ended."""

from __future__ import annotations

from typing import Any

__all__ = ["Outcome"]


class Outcome:
    """A value or an error; to tenacity's rules, a future that is done."""

    __slots__ = ("error", "replayable", "value")

    def __init__(
        self, value: Any = None, error: BaseException | None = None, *, replayable: bool = True
    ) -> None:
        self.value = value
        self.error = error
        self.replayable = replayable
        """False once items have flowed to the caller: they must not flow twice."""

    @property
    def failed(self) -> bool:
        return self.error is not None

    def exception(self) -> BaseException | None:
        """The error, if it is one."""
        return self.error

    def result(self) -> Any:
        """The value; raises the error, if it is one."""
        if self.error is not None:
            raise self.error
        return self.value

    def unwrap(self) -> Any:
        """The value or the error for the caller; afterwards this object holds no error.

        The frames in the error's traceback hold this object. Were it to hold the error, the two
        would keep each other alive, and with them everything in those frames.
        """
        error, self.error = self.error, None
        if error is None:
            return self.value
        try:
            raise error
        finally:
            del error
