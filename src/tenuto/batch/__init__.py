"""Many recordings, and every one accounted for: plan, run, resume."""

from .enhancing import enhance_all
from .plan import Item, Plan
from .run import Watcher
from .summary import Summary

__all__ = ["Item", "Plan", "Summary", "Watcher", "enhance_all"]
