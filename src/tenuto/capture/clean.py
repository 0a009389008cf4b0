"""A message without what differs from one occurrence to the next."""

from __future__ import annotations

import re
from functools import lru_cache

__all__ = ["clean"]

_LONGEST = 1024  # characters of a message that tell faults apart

# Tried from the top at every position; what stands first wins. Linear in the length of the
# message: repetitions are possessive or short, and no place is a beginning twice.
_VARIABLE = re.compile(
    r"""
      (?P<uuid>\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b)
    | (?P<url>\b[a-z][a-z\d+.-]{1,15}://[^\s'"<>)\]]+)
    | (?P<email>(?<![\w.%+-])[\w.%+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8})
    | (?P<date>\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?
        | \b\d\d?/\d\d?/\d{4}\b | \b\d\d:\d\d:\d\d(?:[.,]\d+)?)
    | (?P<quoted>(?<!\\)"(?:[^"\\\n]|\\.)*+" | \\"[^"\\\n]*+\\"
        | (?<![\w\\])'(?:[^'\\\n]|\\.)*+'(?!\w) | `[^`\n]*` | “[^“”\n]*” | «[^«»\n]*»)
    | (?P<path>(?<![\w])(?:[a-z]:[\\/]|~?/|\.{1,2}/|\\\\)[^\s:'",;<>()\[\]]+
        | (?<![\w/.-])(?:[\w.-]++/)++[\w-]*+(?:\.[\w-]{1,32}+){1,4}+
        | (?<![\w/-])[\w-]++(?:\.[\w-]++){0,4}\.(?:wav|flac|ogg|oga|opus|mp3|m4a|aac|aiff?|au|caf
            |w64|rf64|wma|amr|onnx|pth?|json|jsonl|toml|ya?ml|txt|csv|py|so|db|tmp|log)\b)
    | (?P<ip>\b\d{1,3}(?:\.\d{1,3}){3}(?::\d{1,5})?\b
        | (?<![\w:])\[?(?:[0-9a-f]{0,4}:){2,7}[0-9a-f]{1,4}\]?(?![\w:]))
    | (?P<hex>\b0x[0-9a-f]+\b | \b(?=[a-f]*\d)(?=\d*[a-f])[0-9a-f]{6,}\b)
    | (?P<id>(?<![\w-])(?!\d+e-\d+\b)(?=[a-z_-]*+\d)(?=[\d_-]*+[a-z])
            (?:[a-z\d]+[_-])+[a-z\d]*\d[a-z\d]*\b
        | \b[A-Za-z]++\d{2,}+[A-Za-z\d]*+\b)
    | (?P<number>(?<![\w.])[-+]?\d[\d,_]*(?:\.\d+)?(?:e[-+]?\d+)?(?=\b|[a-z%µ]))
    """,
    re.VERBOSE | re.IGNORECASE,
)
_SPACE = re.compile(r"\s+")


@lru_cache(maxsize=2048)
def clean(message: str) -> str:
    """``message`` with numbers, ids, paths, dates, hex, addresses and quotations replaced.

    >>> clean("chunk 17 of '/data/a.wav' took 3.5 s at 0x7f3a")
    'chunk <number> of <quoted> took <number> s at <hex>'
    """
    cleaned = _VARIABLE.sub(lambda match: f"<{match.lastgroup}>", message[:_LONGEST])
    return _SPACE.sub(" ", cleaned).strip()
