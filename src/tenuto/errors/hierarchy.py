"""The exceptions Tenuto raises, and that users subclass.

Every one of them can be subclassed with ``class MyError(AudioProcessingError): pass``, takes a
message and any keyword details, shows the details as attributes, and survives pickling, whatever
the signature of a subclass's own ``__init__``.
"""

from __future__ import annotations

import pickle  # only to learn whether a pool could carry a value
import types
from typing import Any, ClassVar

from .faults import FaultClass

__all__ = [
    "LOCAL_PREFIX",
    "AudioProcessingError",
    "ConfigurationError",
    "DecodeError",
    "EncodeError",
    "EngineError",
    "ExternalServiceError",
    "QualityThresholdError",
    "ResourceLimitError",
    "TenutoError",
]


LOCAL_PREFIX = "__tenuto_local_"
"""Attributes of an exception that begin so are for this process only, and never pickled."""


class TenutoError(Exception):
    """The root of every error that Tenuto raises.

    ``TenutoError("what happened", audio_id="a17")`` has the message ``"what happened"``, the
    mapping ``details == {"audio_id": "a17"}`` and the attribute ``audio_id``.

    A class may name its leading details in ``fields``. They may then be given by position, in that
    order, or by keyword; a lone string is always the message. Without a message, one is made of
    the fields.
    """

    fault_class: ClassVar[FaultClass | None] = None
    """Whose fault errors of this class are; None where the cause decides."""

    fields: ClassVar[tuple[str, ...]] = ()
    """The names of the details that may be given by position. Those that are not given are what
    the class says, or None."""

    def __init__(self, *args: object, message: str | None = None, **details: Any) -> None:
        given, rest = self._by_position(args)
        absent = {name: getattr(type(self), name, None) for name in self.fields}
        self.details: dict[str, Any] = {**absent, **given, **details}
        for name, value in self.details.items():
            if not _is_behaviour(type(self), name):
                setattr(self, name, value)
        if message is not None:
            rest = (message, *rest)
        elif not rest and (described := self.describe()):
            rest = (described,)
        super().__init__(*rest)

    def _by_position(
        self, args: tuple[object, ...]
    ) -> tuple[dict[str, object], tuple[object, ...]]:
        lone_message = len(args) == 1 and isinstance(args[0], str)
        if not self.fields or lone_message:
            return {}, args
        return dict(zip(self.fields, args, strict=False)), args[len(self.fields) :]

    def describe(self) -> str:
        """The message of an error that was raised without one."""
        return ""

    def __reduce__(self) -> tuple[Any, ...]:
        # The default would call the class with ``args``, which fails for every subclass whose
        # ``__init__`` asks for more.
        state = {
            name: _portable(value)
            for name, value in self.__dict__.items()
            if not name.startswith(LOCAL_PREFIX)
        }
        return _rebuild, (type(self), tuple(map(_portable, self.args)), state)


def _portable(value: Any) -> Any:
    """``value``, or its type's name where it cannot be pickled: the error has to get through."""
    if type(value) is dict:
        return {key: _portable(item) for key, item in value.items()}
    try:
        pickle.dumps(value)
    except Exception:  # pickling runs the value's own code
        return f"<{type(value).__qualname__}>"
    return value


def _is_behaviour(cls: type, name: str) -> bool:
    """Whether ``name`` is something the class does, so that a detail must not hide it."""
    found = getattr(cls, name, None)
    return (
        name in {"args", "details"}
        or name.startswith("__")
        or isinstance(
            found, (property, types.FunctionType, types.MethodType, types.MethodDescriptorType)
        )
    )


def _rebuild(
    cls: type[TenutoError], args: tuple[object, ...], state: dict[str, Any]
) -> TenutoError:
    error = cls.__new__(cls, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class AudioProcessingError(TenutoError):
    """Something went wrong while audio was processed.

    ``quality_score`` and ``threshold`` are None unless they were given, so that a handler may
    read them from any error of this family.
    """

    quality_score: float | None = None
    threshold: float | None = None


class DecodeError(AudioProcessingError):
    """The input is not sound that can be read."""

    fault_class = FaultClass.DATA


class EncodeError(AudioProcessingError):
    """The result cannot be written in the format asked for."""

    fault_class = FaultClass.DATA


class EngineError(AudioProcessingError):
    """An enhancement engine failed, or returned something that is not the enhanced input."""

    fault_class = FaultClass.INFRASTRUCTURE


class QualityThresholdError(AudioProcessingError):
    """A result is worse than it has to be: ``QualityThresholdError(quality_score, threshold)``."""

    fault_class = FaultClass.QUALITY
    fields: ClassVar[tuple[str, ...]] = ("quality_score", "threshold")

    def describe(self) -> str:
        if self.quality_score is None or self.threshold is None:
            return "quality is below the threshold"
        return f"quality {self.quality_score:.3g} is below the threshold {self.threshold:.3g}"


class ResourceLimitError(TenutoError):
    """A resource ran out: ``ResourceLimitError(resource, used, limit)``, in the same unit."""

    fault_class = FaultClass.RESOURCE
    fields: ClassVar[tuple[str, ...]] = ("resource", "used", "limit")
    resource: str | None
    used: float | None
    limit: float | None

    def describe(self) -> str:
        what = self.resource or "a resource"
        if self.used is None or self.limit is None:
            return f"{what} is exhausted"
        return f"{what}: {self.used:g} used, the limit is {self.limit:g}"


class ConfigurationError(TenutoError):
    """The run is set up wrongly: ``ConfigurationError(setting, remedy)``."""

    fault_class = FaultClass.CONFIGURATION
    fields: ClassVar[tuple[str, ...]] = ("setting", "remedy")
    setting: str | None
    remedy: str | None

    def describe(self) -> str:
        what = (
            f"{self.setting} is not usable" if self.setting else "the configuration is not usable"
        )
        return f"{what}: {self.remedy}" if self.remedy else what


class ExternalServiceError(TenutoError):
    """A service failed: ``ExternalServiceError(service, retry_after)``, the latter in seconds."""

    fault_class = FaultClass.INFRASTRUCTURE
    fields: ClassVar[tuple[str, ...]] = ("service", "retry_after")
    service: str | None
    retry_after: float | None

    def describe(self) -> str:
        what = f"{self.service} failed" if self.service else "a service failed"
        return f"{what}; come back in {self.retry_after:g} s" if self.retry_after else what
