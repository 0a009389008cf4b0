"""Context for work that is done elsewhere: over a network, in other threads and processes."""

from .carrier import extract, inject
from .executors import ContextProcessPoolExecutor, ContextThreadPoolExecutor

__all__ = ["ContextProcessPoolExecutor", "ContextThreadPoolExecutor", "extract", "inject"]
