"""Many recordings, and every one accounted for: plan, run, resume."""

from .enhancing import Batch
from .plan import Item, Plan
from .run import Watcher
from .summary import Summary
from .watchdog import Patience

__all__ = ["Batch", "Item", "Patience", "Plan", "Summary", "Watcher"]
