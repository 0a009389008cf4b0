"""Error handling for a pipeline that keeps its helpers in a ``utils`` folder of its own.

Everything here is Tenuto's; this file only gives it the path such a pipeline expects. Copy it
into yours, or import from ``tenuto``: it is the same.
"""

from tenuto.errors import (
    AudioProcessingError,
    CircuitOpenError,
    ConfigurationError,
    DecodeError,
    EncodeError,
    EngineError,
    ExternalServiceError,
    FaultClass,
    QualityThresholdError,
    ResourceLimitError,
    TenutoError,
    classify,
)
from tenuto.handler import ErrorHandler
from tenuto.recovery import Ladder, RecoveryManager, RecoveryResult
from tenuto.reporting import ErrorReporter

__all__ = [
    "AudioProcessingError",
    "CircuitOpenError",
    "ConfigurationError",
    "DecodeError",
    "EncodeError",
    "EngineError",
    "ErrorHandler",
    "ErrorReporter",
    "ExternalServiceError",
    "FaultClass",
    "Ladder",
    "QualityThresholdError",
    "RecoveryManager",
    "RecoveryResult",
    "ResourceLimitError",
    "TenutoError",
    "classify",
]
