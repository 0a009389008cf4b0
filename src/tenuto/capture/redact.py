"""Secrets are taken out where an error is captured, before anything is stored.

By key: the value of anything called ``password``, ``api_key``, ``sessionToken``, … is replaced.
By pattern: what looks like a secret inside any text is replaced. Both are extended by ``register``.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from functools import lru_cache

__all__ = ["REDACTED", "is_secret", "register", "scrub"]

REDACTED = "[redacted]"

_WORDS = {
    *("password", "passwords", "passwd", "passphrase", "pwd", "secret", "secrets", "token"),
    *("authorization", "cookie", "cookies", "dsn", "credential", "credentials", "jwt", "bearer"),
    *("auth", "otp"),
}
# Written as one word in the wild, or harmless when taken apart.
_RUNS = {
    *("password", "passwd", "apikey", "accesskey", "privatekey", "secretkey", "signingkey"),
    *("encryptionkey", "accesstoken", "refreshtoken", "authtoken", "sessiontoken", "sessionid"),
    *("setcookie", "clientsecret", "csrftoken"),
}
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


@lru_cache(maxsize=4096)
def is_secret(key: str) -> bool:
    """Whether a value of this name is not to be kept, however the name is spelled."""
    words = [word.lower() for word in _WORD.findall(key[:200])]
    run = "".join(words)
    return not _WORDS.isdisjoint(words) or any(secret in run for secret in _RUNS)


@dataclass(frozen=True, slots=True)
class _Pattern:
    needles: tuple[str, ...]  # lower case; without one of them the slow search cannot match
    search: re.Pattern[str]
    replacement: str


def _pattern(needles: str, search: str, replacement: str = REDACTED) -> _Pattern:
    return _Pattern(tuple(needles.split()), re.compile(search, re.IGNORECASE), replacement)


_NAMES = r"passw(?:or)?d|passphrase|pwd|secret|token|authorization|api[_-]?key|access[_-]?key|dsn"

_patterns = [
    _pattern("private", r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----[\s\S]*?(?:-----END[^\n]*|\Z)"),
    _pattern("bearer basic", r"\b(bearer|basic)\s+(?!\[redacted)[\w.~+/=-]{8,}", r"\1 " + REDACTED),
    _pattern("eyj", r"\beyJ[\w-]{5,}(?:\.[\w-]*){0,4}"),
    _pattern("://", r"([a-z][a-z\d+.-]{0,20}://)[^\s/@'\"<>]+@", r"\1" + REDACTED + "@"),
    _pattern("akia asia", r"\bA(?:KI|SI)A[A-Z\d]{16}\b"),
    _pattern("gh xox sk- glpat", r"\b(?:gh[pousr]_|xox[a-z]-|sk-|glpat-)[\w-]{16,}"),
    _pattern(
        "pass pwd secret token authorization key dsn",
        rf"((?<![a-z])(?:{_NAMES})\b[\"']?\s{{0,3}}[=:]\s{{0,3}})"
        rf"(?!\[redacted)(?!(?:bearer|basic) )(?:\"[^\"]*\"?|'[^']*'?|[^\s,;&\"']+)",
        r"\1" + REDACTED,
    ),
    _pattern("@", r"[\w.%+-]{1,64}@(?:[a-z\d-]{1,63}\.){1,8}[a-z]{2,24}\b"),
    _pattern("/home/ /users/ \\users\\", r"(?:/home/|/Users/|[a-z]:\\Users\\)[^\s/\\:'\"<>]+", "~"),
]


def _home() -> list[_Pattern]:
    home = os.path.expanduser("~")  # noqa: PTH111 - pathlib raises where there is no home
    if home.count("/") < 1 or home in {"/", "~"}:
        return []
    return [_Pattern((home.lower(),), re.compile(re.escape(home) + r"(?![\w.-])"), "~")]


_patterns += _home()


def _all_needles() -> tuple[str, ...]:
    return tuple({needle for pattern in _patterns for needle in pattern.needles})


_needles = _all_needles()


def register(*keys: str, pattern: str | None = None, replacement: str = REDACTED) -> None:
    """Take out more: values named by any of ``keys``, and text matching the regex ``pattern``.

    A key is compared as words: ``"badge number"`` also hits ``badge_number`` and ``badgeNumber``.
    """
    global _needles  # noqa: PLW0603 - the registry is the process's
    for key in keys:
        words = [word.lower() for word in _WORD.findall(key)]
        (_WORDS if len(words) == 1 else _RUNS).add("".join(words))
    is_secret.cache_clear()
    if pattern is not None:
        _patterns.append(_Pattern(("",), re.compile(pattern), replacement))
        _needles = _all_needles()


def scrub(text: str) -> str:
    """``text`` without what looks like a secret in it."""
    lowered = text.lower()
    for needle in _needles:
        if needle in lowered:
            return _replaced(text, lowered)
    return text


def _replaced(text: str, lowered: str) -> str:
    for pattern in _patterns:
        for needle in pattern.needles:
            if needle in lowered:
                text = pattern.search.sub(pattern.replacement, text)
                break
    return text
