"""Secrets that stand in a text beside their name: ``password=…``, ``"token": "…"``, ``--key …``.

Every search is linear in the length of the text, whatever is in it: repetitions are possessive or
short, and no place is a beginning twice.
"""

from __future__ import annotations

import re

from .secret_names import is_secret, is_secret_setting

__all__ = ["REDACTED", "scrub_elements", "scrub_flags", "scrub_pairs"]

REDACTED = "[redacted]"

_SIGN_AFTER_NAME = r"""
    (?:\\{0,3}["'])?+ \]?+                      # the end of a quotation, of environ["NAME"]
    (?P<sign>\s{0,3}+ [=:!]{1,3}+ >?+ \s{0,3}+)
"""
_SIGN = re.compile(_SIGN_AFTER_NAME, re.VERBOSE)
_NAME = re.compile(
    rf"(?<![\w-]) (?P<name>[\w-]{{1,100}}+(?:[ ]key\b)?+) {_SIGN_AFTER_NAME}",
    re.VERBOSE | re.IGNORECASE,
)
_VALUE = re.compile(
    r"""
    (?!\[redacted|(?:bearer|basic)\s)
    (?:(?:str|bytes|SecretStr|str[ ]\|[ ]None|Optional\[str\])\s{0,3}=\s{0,3})?+   # annotation
    (?: [bruf]{0,2} (?: \"{3}[\s\S]*?(?:\"{3}|\Z) | '{3}[\s\S]*?(?:'{3}|\Z)
                      | (["'])(?:\\[\s\S]|(?!\1)[^\\])*+ \1?+ )
      | (\\{1,3}["'])(?:(?!\2)[\s\S])*+ (?:\2)?+           # quoted inside a quotation
      | [\[({] [^\])}\n]*+ [\])}]?+
      | [|>][-+\d]{0,2}[ ]*+\r?\n[^\n]*+                    # a block of YAML
      | (?P<bare> (?: [^\s,;&"'<>)\]}]
          | ["')\]}](?=[^\s,;&"'<>)\]}])
          | [,;&](?=[^\s,;&"'<>=:]{1,60}+(?:[\s,;&"'<>]|\Z)) )++ )  # not before a name
    )
    """,
    re.VERBOSE | re.IGNORECASE,
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


def scrub_pairs(text: str) -> str:
    """``text`` without the values of secret names before ``=``, ``:`` and the like."""
    kept: list[str] = []
    done = place = 0
    while found := _NAME.search(text, place):
        place = found.end()
        if is_secret_setting(found["name"], found["sign"]):
            end = _end_of_value(text, place)
            if end > place:
                kept += text[done:place], REDACTED
                done = place = end
    return "".join(kept) + text[done:] if kept else text


def _end_of_value(text: str, place: int) -> int:
    """Where the value at ``place`` ends; ``place`` where there is none.

    What seems to be the value may be the next name, after a name without a value, as in
    ``password= token: "…"``. Then the value of that goes as well.
    """
    end = place
    while value := _VALUE.match(text, end):
        end = value.end()
        bare = value["bare"]
        if bare is None:
            break
        is_name = bare[-1] in ":=" and is_secret(bare[:-1])
        sign = _SIGN.match(text, end - is_name)
        if sign is None:
            break
        end = sign.end()
    return end


def scrub_flags(text: str) -> str:
    """``text`` without what follows the secret options of a command line."""
    return _FLAG.sub(_without_value, text)


def scrub_elements(text: str) -> str:
    """``text`` without the content of XML elements with secret names."""
    return _ELEMENT.sub(_without_value, text)


def _without_value(match: re.Match[str]) -> str:
    if not is_secret(match["name"]):
        return match[0]
    begin = match.start("value") - match.start()
    return match[0][:begin] + REDACTED
