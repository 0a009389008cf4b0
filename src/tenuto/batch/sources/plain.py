"""Values of others as JSON that every reader takes, and every encoding holds."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

__all__ = ["plain"]

_DEEPEST = 100
"""Far from where writing it would be too deep for Python, wherever that is done."""

_NO_TEXT = re.compile("[\ud800-\udfff]")
_FIRST_STRAY = 0xDC80
"""What stands for the byte 0x80 where bytes are no UTF-8; see PEP 383."""


def plain(value: Any, depth: int = 0) -> Any:
    r"""``value`` with what JSON has no form for in another.

    NaN and infinities are None. A byte that is no UTF-8 is ``\xe9``, half a pair of surrogates
    ``\ud83d``, in these characters. What is of no kind that JSON knows becomes its text. Raises
    ValueError where it is nested too deep.
    """
    if isinstance(value, str):
        return _NO_TEXT.sub(_escape, value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, (bool, int)):
        return value
    if depth == _DEEPEST:
        raise ValueError(f"it is nested more than {_DEEPEST} deep")
    if isinstance(value, Mapping):
        return {plain(str(name)): plain(part, depth + 1) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(part, depth + 1) for part in value]
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return plain(str(value))


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    stray = _FIRST_STRAY <= code < _FIRST_STRAY + 0x80
    return f"\\x{code - 0xDC00:02x}" if stray else f"\\u{code:04x}"
