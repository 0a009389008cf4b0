"""Secrets are taken out where an error is captured, before anything is stored.

By key: the value of anything called ``password``, ``api_key``, ``sessionToken``, … is replaced,
in mappings and inside of text. By pattern: what looks like a secret inside any text is replaced.
Both are extended by ``register``.

All rules look at the text as it was, so that none hides from another what it needs to see. Every
pattern is linear in the length of the text, whatever is in it: repetitions are possessive or short,
and no place is a beginning twice.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from .pairs import Span, in_elements, in_flags, in_pairs
from .secret_names import add_secret_name, is_secret

__all__ = ["REDACTED", "is_secret", "register", "scrub"]

REDACTED = "[redacted]"

_TOKEN = 20  # characters: no token that is known by its form is shorter


@dataclass(frozen=True, slots=True)
class _Rule:
    needles: tuple[str, ...]  # lower case; without one of them there is nothing to find
    find: Callable[[str], Iterator[Span]]
    replacement: str = REDACTED
    shortest: int = 0  # characters of a text that it may apply to


def _spans(pattern: re.Pattern[str], text: str) -> Iterator[Span]:
    """Where ``pattern`` matches or, if it has a group, where that does."""
    group = min(1, pattern.groups)
    return (found.span(group) for found in pattern.finditer(text))


def _rule(needles: str, search: str, replacement: str = REDACTED, shortest: int = 0) -> _Rule:
    find = partial(_spans, re.compile(search, re.IGNORECASE))
    return _Rule(tuple(needles.split()), find, replacement, shortest)


_rules = [
    _rule(
        "private",
        r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY(?: BLOCK)?-----[\s\S]*?(?:-----END[^\n]*+|\Z)",
    ),
    _rule(
        "authorization:",
        r"authorization:\s{0,3}+(?:digest|token|negotiate|ntlm|hawk|apikey|aws4-hmac-sha256)\s{1,3}+"
        r"((?!\[redacted)[^\r\n]++)",
    ),
    _rule("cookie:", r"cookie:\s{0,3}+((?=[\w.-]++=)[^\r\n]++)"),
    _rule(
        "bearer",
        r"\bbearer\s{1,3}+"
        r"((?!\[redacted|(?:authentication|authorization|credentials?)\b)[\w.~+/=-]{8,}+)",
    ),
    # In prose, basic is an adjective.
    _rule("basic", r"\bbasic\s{1,3}+((?-i:(?=[a-z]*+[A-Z\d+/=]))[\w.~+/=-]{8,}+)"),
    _rule("eyj", r"\beyJ[\w-]{5,}+(?:\.[\w-]*+){0,4}+"),
    _rule("://", r"://([^\s/'\"<>]+)@"),
    _rule("akia asia", r"\bA(?:KI|SI)A[A-Z\d]{16}\b", shortest=_TOKEN),
    _rule("aiza", r"\bAIza[\w-]{30,}+", shortest=_TOKEN),
    _rule(
        "ghp_ gho_ ghu_ ghs_ ghr_ _pat_ xox sk- sk_ rk_ glpat- hf_ npm_ pypi- ya29. sg.",
        r"\b(?:gh[pousr]_|github_pat_|xox[a-z]-|sk-|[sr]k_(?:live|test)_|glpat-|hf_|npm_|pypi-"
        r"|ya29\.|SG\.)[\w.-]{16,}+",
        shortest=_TOKEN,
    ),
    _Rule(("--",), in_flags),
    _Rule(("</",), in_elements),
    _Rule(("=", ":"), in_pairs),
    # But the host of a URL stays.
    _rule(
        "@",
        r"://[^\s/'\"<>]+@|((?<![\w.%+-])[\w.%+-]++@(?:[\w-]{1,63}+\.){1,8}[^\W\d_]{2,24}\b)",
    ),
    _rule(
        "/home/ /users/ \\users\\",
        r"(?:/home/|/Users/)(?![~\[])[^\s/\\:'\"<>]++"
        r"|[a-z]:\\{1,4}Users\\{1,4}(?![~\[])(?:[^/\\:'\"<>\n]{1,64}+(?=\\)|[^\s/\\:'\"<>]++)",
        "~",
    ),
]


def _home() -> list[_Rule]:
    home = os.path.expanduser("~")  # noqa: PTH111 - pathlib raises where there is no home
    if home.count("/") < 1 or home in {"/", "~"}:
        return []
    pattern = re.compile(re.escape(home) + r"(?![\w.-])")
    return [_Rule((home.lower(),), partial(_spans, pattern), "~")]


_rules += _home()


def _needles_for(size: int) -> tuple[str, ...]:
    """What a text of ``size`` characters has to contain for any rule to apply."""
    applying = [rule for rule in _rules if size >= rule.shortest]
    return tuple(dict.fromkeys(needle for rule in applying for needle in rule.needles))


_needles = (_needles_for(0), _needles_for(_TOKEN))


def register(*keys: str, pattern: str | None = None, replacement: str = REDACTED) -> None:
    """Take out more: values named by any of ``keys``, and text matching the regex ``pattern``.

    A key is compared as words: ``"badge number"`` also hits ``badge_number`` and ``badgeNumber``.
    Of a pattern with a group, only what the first group matches is replaced. Raises ``re.error``
    for a pattern that is none. A pattern is searched on the thread that an error is captured on,
    so write it without nested repetitions.
    """
    global _needles  # noqa: PLW0603 - the registry is the process's
    if pattern is not None:
        _rules.append(_Rule(("",), partial(_spans, re.compile(pattern)), replacement))
        _needles = (_needles_for(0), _needles_for(_TOKEN))
    for key in keys:
        add_secret_name(key)


def scrub(text: str) -> str:
    """``text`` without what looks like a secret in it."""
    lowered = text.lower()
    for needle in _needles[len(text) >= _TOKEN]:
        if needle in lowered:
            return _without(_found(text, lowered), text)
    return text


def _found(text: str, lowered: str) -> list[tuple[int, int, str]]:
    found: list[tuple[int, int, str]] = []
    for rule in _rules:
        for needle in rule.needles:
            if needle in lowered:
                replacement = rule.replacement
                found += [(a, b, replacement) for a, b in rule.find(text) if a < b]
                break
    return found


def _without(found: list[tuple[int, int, str]], text: str) -> str:
    """``text`` with each of the places replaced; those that overlap are one, and a secret."""
    if not found:
        return text
    found.sort()
    kept: list[str] = []
    done = 0
    for begin, end, replacement in found:
        if begin < done:
            if kept[-1] != replacement:
                kept[-1] = REDACTED
            done = max(done, end)
        else:
            kept += text[done:begin], replacement
            done = end
    return "".join(kept) + text[done:]
