"""Pools whose work sees the scopes around the line that submitted it. Nothing is patched."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from typing import ParamSpec, TypeVar

from tenuto.context import scope

from .carrier import extract, inject

__all__ = ["ContextProcessPoolExecutor", "ContextThreadPoolExecutor"]

P = ParamSpec("P")
R = TypeVar("R")


class ContextThreadPoolExecutor(ThreadPoolExecutor):
    """A pool of threads whose work sees what the line that submitted it sees.

    That is not only the scopes, but every context variable: deadlines, and other libraries' too.
    """

    def submit(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        here: Callable[..., R] = partial(copy_context().run, fn)
        return super().submit(here, *args, **kwargs)


class ContextProcessPoolExecutor(ProcessPoolExecutor):
    """A pool of processes whose work sees the scopes around the line that submitted it.

    The context goes there as ``inject`` writes it: redacted, shortened, and as plain values, so
    that a value that cannot be pickled harms nothing.
    """

    def submit(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        return super().submit(_run, inject(), fn, *args, **kwargs)


def _run(carrier: Mapping[str, str], fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
    with scope(**extract(carrier)):
        return fn(*args, **kwargs)
