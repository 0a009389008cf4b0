"""Where a text holds the values of secret names: ``password=…``, ``"token": "…"``, ``--key …``.

Every name is looked at, also inside of what has turned out to be the value of another: what looks
like one may be the next name, after a name without a value, as in ``password= token: "…"``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from .secret_names import is_secret, is_secret_setting

__all__ = ["Span", "in_elements", "in_flags", "in_pairs"]

Span = tuple[int, int]
"""Where something begins in a text, and where it has ended."""

_NAME = re.compile(
    r"""
    (?<![\w-]) (?P<name>[\w-]{1,100}+(?:[ ]key\b)?+)
    (?:\\{0,3}["'])?+ \]?+                      # the end of a quotation, of environ["NAME"]
    (?P<sign>\s{0,3}+ [=:!]{1,3}+ >?+ \s{0,3}+)
    (?:(?:str|bytes|SecretStr|str[ ]\|[ ]None|Optional\[str\])\s{0,3}=\s{0,3})?+   # annotation
    (?!\[redacted|(?:bearer|basic)\s)
    """,
    re.VERBOSE | re.IGNORECASE,
)
_QUOTED = re.compile(
    r"""
    [bruf]{0,2} (?: \"{3}[\s\S]*?(?:\"{3}|\Z) | '{3}[\s\S]*?(?:'{3}|\Z)
                  | (["'])(?:\\[\s\S]|(?!\1)[^\\])*+ \1?+ )
    | (\\{1,3}["'])(?:(?!\2)[\s\S])*+ (?:\2)?+           # in a quotation itself
    | [|>][-+\d]{0,2}[ ]*+\r?\n[^\n]*+                    # a block of YAML
    """,
    re.VERBOSE | re.IGNORECASE,
)
_LISTED = re.compile(r"[\[({][^\])}\n]*+[\])}]?+")
_BARE = re.compile(
    r"""
    [^\s,;&"'<>)\]}]
    (?: [^\s,;&"'<>)\]}]
      | ["')\]}](?=[^\s,;&"'<>)\]}])
      | [,;&](?=[^\s,;&"'<>=:]{1,60}+(?:[\s,;&"'<>]|\Z))   # unless a next name begins
    )*+
    """,
    re.VERBOSE,
)
_FLAG = re.compile(
    r"""
    (?<![\w-]) (?P<name>--[a-z][\w-]{1,60}+)
    (?:["'],)?+ [ ]{1,3}+ ["']?+ (?P<value>(?![-\[])[^\s"',]++)
    """,
    re.VERBOSE | re.IGNORECASE,
)
_ELEMENT = re.compile(
    r"<(?P<name>[\w:.-]{1,100}+)(?:\s[^<>]{0,200}+)?+>(?P<value>(?!\[redacted)[^<]++)"
)


def in_pairs(text: str) -> Iterator[Span]:
    """The values of secret names before ``=``, ``:`` and the like."""
    # Of two values without quotes, one in the other, both end in the same place: looking again
    # would take time with the square of the length.
    listed = bare = 0
    for found in _NAME.finditer(text):
        place = found.end()
        if not is_secret_setting(found["name"], found["sign"]):
            continue
        value = _QUOTED.match(text, place)
        if value is None and place >= listed and (value := _LISTED.match(text, place)):
            listed = value.end()
        if value is None and place >= bare and (value := _BARE.match(text, place)):
            bare = value.end()
        if value:
            yield value.span()


def in_flags(text: str) -> Iterator[Span]:
    """What follows the secret options of a command line."""
    return (found.span("value") for found in _FLAG.finditer(text) if is_secret(found["name"]))


def in_elements(text: str) -> Iterator[Span]:
    """The content of XML elements with secret names."""
    return (found.span("value") for found in _ELEMENT.finditer(text) if is_secret(found["name"]))
