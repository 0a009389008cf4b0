"""The exception hierarchy, and whose fault an error is."""

from .classification import classify, most_urgent, register_fault
from .faults import FaultClass, Severity
from .hierarchy import (
    AudioProcessingError,
    ConfigurationError,
    DecodeError,
    EncodeError,
    EngineError,
    ExternalServiceError,
    QualityThresholdError,
    ResourceLimitError,
    TenutoError,
)
from .refusals import (
    BulkheadFullError,
    CallTimeoutError,
    CircuitOpenError,
    ConcurrencyLimitError,
    LoadShedError,
    RateLimitedError,
    RefusalReason,
    RefusedError,
)

__all__ = [
    "AudioProcessingError",
    "BulkheadFullError",
    "CallTimeoutError",
    "CircuitOpenError",
    "ConcurrencyLimitError",
    "ConfigurationError",
    "DecodeError",
    "EncodeError",
    "EngineError",
    "ExternalServiceError",
    "FaultClass",
    "LoadShedError",
    "QualityThresholdError",
    "RateLimitedError",
    "RefusalReason",
    "RefusedError",
    "ResourceLimitError",
    "Severity",
    "TenutoError",
    "classify",
    "most_urgent",
    "register_fault",
]
