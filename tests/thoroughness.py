"""How long random tests look for trouble: a short, repeatable part of it, or long and by chance.

``make proof`` sets ``TENUTO_PROOF``.
"""

from __future__ import annotations

import os

__all__ = ["REPEATABLE", "examples"]

REPEATABLE = "TENUTO_PROOF" not in os.environ
_LONGER = 30


def examples(short: int) -> int:
    """``short`` examples, or many more."""
    return short if REPEATABLE else short * _LONGER
