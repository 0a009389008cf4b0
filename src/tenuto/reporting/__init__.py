"""ErrorReporter, and the readers of the journal that tell others."""

from .policy_notes import PolicyNotes
from .remembering import remembered
from .reporter import ErrorReporter

__all__ = ["ErrorReporter", "PolicyNotes", "remembered"]
