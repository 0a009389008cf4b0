"""What things are called where strangers may read along: bounded, and without anything special."""

from __future__ import annotations

import hashlib
import os
import re
from functools import lru_cache
from urllib.parse import quote, unquote

__all__ = ["escaped", "new_node", "unescaped"]

_LONGEST = 120  # characters of a name in a key
_DIGEST = 24


@lru_cache(maxsize=4096)
def escaped(name: str) -> str:
    """``name`` as part of a key: no braces, which Redis Cluster minds, no spaces, no colons.

    A long one is cut, and told from others like it by a digest of the whole.
    """
    text = quote(name, safe="-_.[]", errors="surrogatepass")
    if len(text) <= _LONGEST:
        return text
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGEST]
    return f"{text[: _LONGEST - _DIGEST - 1]}~{digest}"


def unescaped(text: str) -> str:
    """The name that ``escaped`` made ``text`` of, as far as it can be told."""
    return unquote(text, errors="replace")


def new_node() -> str:
    """A name for this process that no other has, now or later."""
    import socket  # as few modules as may be for those who share nothing

    host = re.sub(r"[^\w.-]", "-", socket.gethostname())[:60]
    return f"{host}:{os.getpid()}:{os.urandom(6).hex()}"
