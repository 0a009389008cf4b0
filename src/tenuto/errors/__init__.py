"""The exception hierarchy, and whose fault an error is."""

from .classification import classify, most_urgent, register_fault
from .faults import FaultClass, Severity
from .hierarchy import (
    AudioProcessingError,
    CircuitOpenError,
    ConfigurationError,
    DecodeError,
    EncodeError,
    EngineError,
    ExternalServiceError,
    QualityThresholdError,
    ResourceLimitError,
    TenutoError,
)

__all__ = [
    "AudioProcessingError",
    "CircuitOpenError",
    "ConfigurationError",
    "DecodeError",
    "EncodeError",
    "EngineError",
    "ExternalServiceError",
    "FaultClass",
    "QualityThresholdError",
    "ResourceLimitError",
    "Severity",
    "TenutoError",
    "classify",
    "most_urgent",
    "register_fault",
]
