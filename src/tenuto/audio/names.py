"""How the path of a file is written down.

A path is bytes, and bytes need not be text. Outcomes, attempts and messages are text, and JSON is
UTF-8. A path that is UTF-8 is written as it is, made absolute. One that is not is written as a
``file:`` URI (RFC 8089) with the bytes in question as ``%XX``. An absolute path begins with a
slash, so the two cannot be mistaken for each other, and each can be turned back into the path.
"""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote_from_bytes, unquote_to_bytes

__all__ = ["path_from_text", "path_text"]

_SCHEME = "file://"


def path_text(path: str | os.PathLike[str]) -> str:
    """``path``, absolute, as text that every JSON reader accepts."""
    absolute = os.path.abspath(path)  # noqa: PTH100 - resolve() would follow links
    try:
        absolute.encode()
    except UnicodeEncodeError:
        return _SCHEME + quote_from_bytes(os.fsencode(absolute))
    return absolute


def path_from_text(text: str) -> Path:
    """The path that ``path_text`` wrote as ``text``."""
    if text.startswith(_SCHEME):
        return Path(os.fsdecode(unquote_to_bytes(text.removeprefix(_SCHEME))))
    return Path(text)
