"""Tenuto keeps an audio enhancement pipeline sounding when something fails."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .context import carry, current_context, scope
from .errors import (
    AudioProcessingError,
    CallTimeoutError,
    CircuitOpenError,
    ConfigurationError,
    DecodeError,
    EncodeError,
    EngineError,
    ExternalServiceError,
    FaultClass,
    QualityThresholdError,
    RefusedError,
    ResourceLimitError,
    Severity,
    TenutoError,
    classify,
    register_fault,
)

if TYPE_CHECKING:
    from .carrying import (
        ContextProcessPoolExecutor,
        ContextThreadPoolExecutor,
        extract,
        inject,
    )
    from .handler import ErrorHandler
    from .journal import open_journal
    from .policies import CircuitBreaker, Fallback, Retry, stack
    from .recovery import Judgement, Ladder, LadderResult, RecoveryManager, RecoveryResult, Tier
    from .reporting import ErrorReporter

__all__ = [
    "AudioProcessingError",
    "CallTimeoutError",
    "CircuitBreaker",
    "CircuitOpenError",
    "ConfigurationError",
    "ContextProcessPoolExecutor",
    "ContextThreadPoolExecutor",
    "DecodeError",
    "EncodeError",
    "EngineError",
    "ErrorHandler",
    "ErrorReporter",
    "ExternalServiceError",
    "Fallback",
    "FaultClass",
    "Judgement",
    "Ladder",
    "LadderResult",
    "QualityThresholdError",
    "RecoveryManager",
    "RecoveryResult",
    "RefusedError",
    "ResourceLimitError",
    "Retry",
    "Severity",
    "TenutoError",
    "Tier",
    "carry",
    "classify",
    "current_context",
    "extract",
    "inject",
    "open_journal",
    "register_fault",
    "scope",
    "stack",
]

# Loaded when first asked for, so that importing tenuto costs next to nothing.
_LATER = {
    "ContextProcessPoolExecutor": "carrying",
    "ContextThreadPoolExecutor": "carrying",
    "extract": "carrying",
    "inject": "carrying",
    "ErrorHandler": "handler",
    "open_journal": "journal",
    "CircuitBreaker": "policies",
    "Fallback": "policies",
    "Retry": "policies",
    "stack": "policies",
    "Judgement": "recovery",
    "Ladder": "recovery",
    "LadderResult": "recovery",
    "RecoveryManager": "recovery",
    "RecoveryResult": "recovery",
    "Tier": "recovery",
    "ErrorReporter": "reporting",
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f".{_LATER[name]}", __name__), name)
    return value
