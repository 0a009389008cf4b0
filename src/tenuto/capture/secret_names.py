"""Which names are those of secrets, however they are spelled."""

from __future__ import annotations

import re
from functools import lru_cache

__all__ = ["add_secret_name", "is_secret", "is_secret_setting"]

_WORDS = {
    *("password", "passwords", "passwd", "passphrase", "passcode", "pwd", "secret", "secrets"),
    *("token", "authorization", "cookie", "cookies", "dsn", "credential", "credentials", "jwt"),
    *("bearer", "auth", "otp", "signature", "sig"),
}
# Written as one word in the wild, or harmless when taken apart.
_RUNS = {
    *("password", "passwd", "apikey", "accesskey", "accountkey", "privatekey", "secretkey"),
    *("signingkey", "encryptionkey", "accesstoken", "refreshtoken", "authtoken", "apitoken"),
    *("sessiontoken", "idtoken", "bottoken", "sessionid", "setcookie", "clientsecret", "csrftoken"),
    *("connectionstring", "userpwd", "dbpass", "userpass", "smtppass", "ftppass", "mailpass"),
    *("redispass", "adminpass", "rootpass"),
}
# Secret only if there is nothing else to the name: a low_pass is a filter.
_WHOLE = {"pass", "pw"}
# Before a colon, these begin a sentence more often than a secret.
_PROSE = {"auth", "otp", "pass", "pw", "sig", "signature"}
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_LONGEST = 200  # characters of a name that are looked at


@lru_cache(maxsize=4096)
def is_secret(name: str) -> bool:
    """Whether a value of this name is not to be kept."""
    words = [word.lower() for word in _WORD.findall(name[:_LONGEST])]
    run = "".join(words)
    if run in _WHOLE or not _WORDS.isdisjoint(words):
        return True
    return any(secret in run for secret in _RUNS)


def is_secret_setting(name: str, sign: str) -> bool:
    """Whether ``name`` and ``sign``, such as ``=``, in the middle of a text announce a secret."""
    return is_secret(name) and not (":" in sign and name.lower() in _PROSE)


def add_secret_name(name: str) -> None:
    """From now on, treat values called ``name`` as secrets; it is compared word for word."""
    words = [word.lower() for word in _WORD.findall(name)]
    if words:
        (_WORDS if len(words) == 1 else _RUNS).add("".join(words))
        is_secret.cache_clear()
