"""What tests of programs that use Tenuto need: simulated time, captured errors, forced faults.

With pytest there are fixtures as well: ``tenuto_clock``, ``tenuto_run``, ``tenuto_errors`` and
``tenuto_journal``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tenuto.clock import SimulatedClock

    from .capturing import captured_errors
    from .circuits import force_open
    from .failing import Failures, fail_next

__all__ = ["Failures", "SimulatedClock", "captured_errors", "fail_next", "force_open"]

# Loaded when first asked for: pytest loads the plugin beside this for every run, used or not.
_LATER = {
    "Failures": "tenuto.testing.failing",
    "SimulatedClock": "tenuto.clock",
    "captured_errors": "tenuto.testing.capturing",
    "fail_next": "tenuto.testing.failing",
    "force_open": "tenuto.testing.circuits",
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_LATER[name]), name)
    return value
