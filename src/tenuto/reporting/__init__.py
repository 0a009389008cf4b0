"""ErrorReporter, and the readers of the journal that tell others."""

from .reporter import ErrorReporter

__all__ = ["ErrorReporter"]
