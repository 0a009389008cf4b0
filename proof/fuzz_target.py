"""The process that the fuzzer runs in: bytes become errors, texts and carriers."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import Any

import atheris

with atheris.instrument_imports(include=["tenuto.capture", "tenuto.carrying", "tenuto.reporting"]):
    from proof.fuzz_properties import (
        SECRET_FORMS,
        a_carrier_gives_a_context,
        a_secret_is_never_kept,
        a_text_is_cleaned,
        a_value_becomes_json,
        an_error_becomes_an_event,
        an_error_is_one_line,
    )

_KINDS = (ValueError, KeyError, OSError, SyntaxError, UnicodeError, RecursionError, ImportError)
_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


class _Source:
    """Values of all kinds, out of the bytes that the fuzzer gives."""

    def __init__(self, data: bytes) -> None:
        self._data = atheris.FuzzedDataProvider(data)

    def number(self, below: int) -> int:
        return int(self._data.ConsumeIntInRange(0, below - 1))

    def text(self, longest: int = 200) -> str:
        size = self.number(longest + 1)
        return str(self._data.ConsumeUnicode(size))

    def rest(self) -> str:
        taken = self._data.ConsumeBytes(self._data.remaining_bytes())
        return bytes(taken).decode("utf-8", "surrogateescape")

    def secret(self) -> str:
        return "".join(_LETTERS[self.number(len(_LETTERS))] for _ in range(16))

    def value(self, depth: int = 4) -> Any:
        which = self.number(12 if depth else 8)
        if which == 8:
            return [self.value(depth - 1) for _ in range(self.number(4))]
        if which == 9:
            return {self.key(): self.value(depth - 1) for _ in range(self.number(4))}
        if which == 10:
            return tuple(self.value(depth - 1) for _ in range(self.number(4)))
        if which == 11:
            held = self.value(depth - 1)
            return [held, held]
        return self._leaf(which)

    def _leaf(self, which: int) -> Any:
        if which == 0:
            return self._data.ConsumeInt(12)
        if which == 1:
            return self._data.ConsumeFloat()
        if which == 2:
            return bytes(self._data.ConsumeBytes(self.number(9)))
        if which == 3:
            return (None, True, object(), len, ..., range(3), 1 + 2j)[self.number(7)]
        return self.text()

    def key(self) -> Any:
        return self.text(20) if self.number(4) else self._leaf(self.number(4))

    def context(self) -> dict[Any, Any]:
        return {self.key(): self.value() for _ in range(self.number(5))}

    def error(self, depth: int = 3) -> BaseException:
        kind = _KINDS[self.number(len(_KINDS))]
        args = [self.value(2) for _ in range(self.number(4))]
        error: BaseException
        try:
            error = kind(*args)
        except TypeError:
            error = Exception(*args)
        if self.number(2):
            error.__dict__["__notes__"] = self.value(2)
        if depth and self.number(2):
            error.__cause__ = self.error(depth - 1) if self.number(8) else error
        if depth and self.number(2):
            members = [error, *(self.error(depth - 1) for _ in range(self.number(3)))]
            error = BaseExceptionGroup(self.text(40), members)
        return _raised(error) if self.number(2) else error


def _raised(error: BaseException) -> BaseException:
    with suppress(BaseException):
        raise error
    return error  # and with a traceback now


def _try(data: bytes) -> None:
    source = _Source(data[1:])
    which = data[0] % 6 if data else 0
    if which == 0:
        a_text_is_cleaned(source.rest())
    elif which == 1:
        an_error_is_one_line(source.text(), source.context())
    elif which == 2:
        an_error_becomes_an_event(source.error(), source.context())
    elif which == 3:
        a_value_becomes_json(source.value())
    elif which == 4:
        form = SECRET_FORMS[source.number(len(SECRET_FORMS))]
        a_secret_is_never_kept(source.secret(), form, source.rest()[:60])
    else:
        a_carrier_gives_a_context({"tenuto-context": source.rest()[:4096], **source.context()})


if __name__ == "__main__":
    atheris.enabled_hooks.add("RegEx")
    atheris.Setup(sys.argv, _try)
    atheris.Fuzz()
