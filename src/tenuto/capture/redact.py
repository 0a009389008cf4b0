"""Secrets are taken out where an error is captured, before anything is stored.

By key: the value of anything called ``password``, ``api_key``, ``sessionToken``, … is replaced,
in mappings and inside of text. By pattern: what looks like a secret inside any text is replaced.
Both are extended by ``register``.

Every pattern is linear in the length of the text, whatever is in it: repetitions are possessive
or short, and no place is a beginning twice.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from .pairs import REDACTED, scrub_elements, scrub_flags, scrub_pairs
from .secret_names import add_secret_name, is_secret

__all__ = ["REDACTED", "is_secret", "register", "scrub"]

_TOKEN = 20  # characters: no token that is known by its form is shorter


@dataclass(frozen=True, slots=True)
class _Rule:
    needles: tuple[str, ...]  # lower case; without one of them there is nothing to find
    apply: Callable[[str], str]
    shortest: int = 0  # characters of a text that it may apply to


def _rule(needles: str, search: str, replacement: str = REDACTED, shortest: int = 0) -> _Rule:
    pattern = re.compile(search, re.IGNORECASE)
    return _Rule(tuple(needles.split()), partial(pattern.sub, replacement), shortest)


_rules = [
    _rule(
        "private",
        r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY(?: BLOCK)?-----[\s\S]*?(?:-----END[^\n]*+|\Z)",
    ),
    _rule(
        "authorization:",
        r"(authorization:\s{0,3}+(?:digest|token|negotiate|ntlm|hawk|apikey|aws4-hmac-sha256)\s{1,3}+)"
        r"(?!\[redacted)[^\r\n]++",
        r"\1" + REDACTED,
    ),
    _rule("cookie:", r"(cookie:\s{0,3}+)(?=[\w.-]++=)[^\r\n]++", r"\1" + REDACTED),
    _rule(
        "bearer",
        r"\b(bearer\s{1,3}+)(?!\[redacted|(?:authentication|authorization|credentials?)\b)[\w.~+/=-]{8,}+",
        r"\1" + REDACTED,
    ),
    # In prose, basic is an adjective.
    _rule(
        "basic",
        r"\b(basic\s{1,3}+)(?-i:(?=[a-z]*+[A-Z\d+/=]))[\w.~+/=-]{8,}+",
        r"\1" + REDACTED,
    ),
    _rule("eyj", r"\beyJ[\w-]{5,}+(?:\.[\w-]*+){0,4}+"),
    _rule("://", r"(://)[^\s/'\"<>]+@", r"\1" + REDACTED + "@"),
    _rule("akia asia", r"\bA(?:KI|SI)A[A-Z\d]{16}\b", shortest=_TOKEN),
    _rule("aiza", r"\bAIza[\w-]{30,}+", shortest=_TOKEN),
    _rule(
        "ghp_ gho_ ghu_ ghs_ ghr_ _pat_ xox sk- sk_ rk_ glpat- hf_ npm_ pypi- ya29. sg.",
        r"\b(?:gh[pousr]_|github_pat_|xox[a-z]-|sk-|[sr]k_(?:live|test)_|glpat-|hf_|npm_|pypi-"
        r"|ya29\.|SG\.)[\w.-]{16,}+",
        shortest=_TOKEN,
    ),
    _Rule(("--",), scrub_flags),
    _Rule(("</",), scrub_elements),
    _Rule(("=", ":"), scrub_pairs),
    _rule("@", r"(?<![\w.%+-])[\w.%+-]++@(?:[\w-]{1,63}+\.){1,8}[^\W\d_]{2,24}\b"),
    _rule(
        "/home/ /users/ \\users\\",
        r"(?:/home/|/Users/)[^\s/\\:'\"<>]++"
        r"|[a-z]:\\{1,4}Users\\{1,4}(?:[^/\\:'\"<>\n]{1,64}+(?=\\)|[^\s/\\:'\"<>]++)",
        "~",
    ),
]


def _home() -> list[_Rule]:
    home = os.path.expanduser("~")  # noqa: PTH111 - pathlib raises where there is no home
    if home.count("/") < 1 or home in {"/", "~"}:
        return []
    pattern = re.compile(re.escape(home) + r"(?![\w.-])")
    return [_Rule((home.lower(),), partial(pattern.sub, "~"))]


_rules += _home()


def _needles_for(size: int) -> tuple[str, ...]:
    """What a text of ``size`` characters has to contain for any rule to apply."""
    applying = [rule for rule in _rules if size >= rule.shortest]
    return tuple(dict.fromkeys(needle for rule in applying for needle in rule.needles))


_needles = (_needles_for(0), _needles_for(_TOKEN))


def register(*keys: str, pattern: str | None = None, replacement: str = REDACTED) -> None:
    """Take out more: values named by any of ``keys``, and text matching the regex ``pattern``.

    A key is compared as words: ``"badge number"`` also hits ``badge_number`` and ``badgeNumber``.
    Raises ``re.error`` for a pattern or a replacement that is none. A pattern is searched on the
    thread that an error is captured on, so write it without nested repetitions.
    """
    global _needles  # noqa: PLW0603 - the registry is the process's
    if pattern is not None:
        search = re.compile(pattern)
        search.sub(replacement, "")  # here, and not when there is an error to tell
        _rules.append(_Rule(("",), partial(search.sub, replacement)))
        _needles = (_needles_for(0), _needles_for(_TOKEN))
    for key in keys:
        add_secret_name(key)


def scrub(text: str) -> str:
    """``text`` without what looks like a secret in it."""
    lowered = text.lower()
    for needle in _needles[len(text) >= _TOKEN]:
        if needle in lowered:
            return _replaced(text, lowered)
    return text


def _replaced(text: str, lowered: str) -> str:
    for rule in _rules:
        for needle in rule.needles:
            if needle in lowered:
                text = rule.apply(text)
                break
    return text
