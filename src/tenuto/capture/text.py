"""Text that may be kept: bounded, redacted, and such that UTF-8 can hold it."""

from __future__ import annotations

from .peek import module_of, qualname_of
from .redact import scrub

__all__ = ["text", "type_name"]

_OVERLAP = 1024  # characters: a secret that the cut would split is still recognised
_LONGEST_NAME = 200  # characters


def text(value: str, limit: int) -> str:
    """At most ``limit`` characters of ``value``, redacted, and such that UTF-8 can hold it."""
    # ``str``'s own methods, because a subclass may have another idea of them.
    size = str.__len__(value)
    part = str.__getitem__(value, slice(0, limit + _OVERLAP))
    if not part.isascii():
        part = part.encode("utf-8", "backslashreplace").decode("utf-8")
    part = scrub(part)
    return part if len(part) <= limit and size <= limit + _OVERLAP else part[: limit - 1] + "…"


def type_name(cls: type) -> str:
    """The dotted name of a class, at most 200 characters of it; bare for builtins."""
    module = module_of(cls)
    if not issubclass(type(module), str):
        return "<nameless>"
    # Exact copies, because a subclass of ``str`` may have another idea of comparing and printing.
    module, name = str.__str__(module), str.__str__(qualname_of(cls))
    dotted = name if module == "builtins" else f"{module}.{name}"
    if len(dotted) <= _LONGEST_NAME and dotted.isascii():
        return dotted
    return text(dotted, _LONGEST_NAME)
