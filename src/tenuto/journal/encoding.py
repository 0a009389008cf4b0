"""Records as text: JSON, in ASCII, so that any store holds any name."""

from __future__ import annotations

import json
from typing import Any

from tenuto.capture import plain

__all__ = ["encode", "readable"]


def encode(body: dict[str, Any]) -> str:
    """``body`` as one line of JSON; what JSON cannot hold is described instead."""
    return _encoder.encode(body)


def readable(raw: bytes) -> str:
    """Stored text. What damage has made unreadable must not hide what is beside it."""
    return raw.decode("utf-8", "replace")


# Without the search for circles: what has one runs into the recursion limit, which is as good.
_encoder = json.JSONEncoder(separators=(",", ":"), default=plain, check_circular=False)
