"""Tracebacks, walked by hand: no source line is read, no frame is kept."""

from __future__ import annotations

import os
import re
import sys
from inspect import CO_OPTIMIZED
from types import CodeType, FrameType, TracebackType
from typing import Any

from .event import Frame, Plain
from .safe import plain_globals, plain_locals
from .text import text

__all__ = ["LocalsBudget", "Place", "frames", "home_of", "place_of", "places"]

_OUTERMOST, _INNERMOST = 10, 40  # of a deep traceback, the middle is left out
_LONGEST_WALK = 100_000
_PLACES = 8192
_VARIABLES_PER_FRAME = 12
_OURS_AND_THE_FRAMES = 3  # references: the frame's, the variable's, the argument's

_STDLIB = os.path.dirname(os.__file__) + os.sep  # noqa: PTH120 - pathlib would be imported for it
_LIBRARIES = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")
# The guards are plumbing around the user's call. The pipeline is an application like any other.
_PLUMBING = re.compile(r"tenuto(?!\.(?:audio|batch)\b)(?:\.|$)")
_COMPREHENSION = re.compile(r"(?:(?:\.<locals>)?\.)?<(?:listcomp|dictcomp|setcomp|genexpr)>")
# A time, an address, a hash; but not the 192000 of a function for one rate.
_GENERATED = re.compile(r"\d{7,}|(?=[a-f]*\d)[0-9a-f]{8,}")
_NO_FILE = re.compile(r"(?=[a-f]*\d)[0-9a-f]{6,}|\d+")  # generated, in <a name like this>
_MAIN = {"__main__", "__mp_main__"}


class Place:
    """What never changes about a line of code: where its function lives, and whose it is.

    ``key`` is what a fingerprint knows of it: no line number, no path above the module, no part
    of a name that a generator made.
    """

    __slots__ = ("code", "file", "function", "in_app", "key", "module")

    def __init__(self, code: CodeType, globals_: dict[str, Any]) -> None:
        name = dict.get(globals_, "__name__")
        module = str.__str__(name) if issubclass(type(name), str) else "?"
        self.code = code  # kept so that its id is not given to another
        self.file = text(code.co_filename, 1024)
        self.function = text(code.co_qualname, 200)
        self.module = text(module, 200)
        self.in_app = _is_in_app(code.co_filename, module)
        home = home_of(module, globals_, code.co_filename)
        self.key = _GENERATED.sub("#", f"{home}:{_COMPREHENSION.sub('', code.co_qualname)}")


def home_of(module: str, globals_: dict[str, Any], file: str = "?") -> str:
    """The name of a module when it is imported, which it may have been run instead."""
    if module not in _MAIN:
        return module
    spec_name = getattr(dict.get(globals_, "__spec__"), "name", None)
    if type(spec_name) is str:  # run with -m
        return spec_name
    own_file = dict.get(globals_, "__file__")
    name = os.path.basename(own_file if type(own_file) is str else file)  # noqa: PTH119
    return _NO_FILE.sub("#", name) if name.startswith("<") else name.removesuffix(".py")


_places: dict[int, Place] = {}


def place_of(frame: FrameType) -> Place:
    """The place a frame stands at."""
    code = frame.f_code
    place = _places.get(id(code))
    if place is None:
        if len(_places) >= _PLACES:
            _places.clear()
        place = _places[id(code)] = Place(code, frame.f_globals)
    return place


def _is_in_app(file: str, module: str) -> bool:
    if file.startswith("<frozen ") or _PLUMBING.match(module):
        return False
    if any(library in file for library in _LIBRARIES):
        return False
    return not file.startswith(_STDLIB)


def places(traceback: TracebackType | None) -> dict[Place, int]:
    """The places that a traceback leads through, from the outside in, and how often each."""
    found: dict[Place, int] = {}
    left = _LONGEST_WALK
    while traceback is not None and left:
        frame = traceback.tb_frame
        place = _places.get(id(frame.f_code)) or place_of(frame)
        found[place] = found.get(place, 0) + 1
        traceback = traceback.tb_next
        left -= 1
    return found


def _walk(traceback: TracebackType | None) -> list[TracebackType]:
    found: list[TracebackType] = []
    while traceback is not None and len(found) < _LONGEST_WALK:
        found.append(traceback)
        traceback = traceback.tb_next
    return found


def _ends(traceback: TracebackType | None) -> list[TracebackType]:
    """The steps of a traceback from the outside in: all of up to 50, else both of its ends."""
    found = _walk(traceback)
    if len(found) > _OUTERMOST + _INNERMOST:
        return [*found[:_OUTERMOST], *found[-_INNERMOST:]]
    return found


class LocalsBudget:
    """How many variables one event may still describe, over all its frames."""

    __slots__ = ("left",)

    def __init__(self, variables: int = 32) -> None:
        self.left = variables

    def locals_of(self, frame: FrameType) -> dict[str, Plain]:
        if self.left <= 0:
            return {}
        values = frame.f_locals
        is_function = frame.f_code.co_flags & CO_OPTIMIZED
        show = plain_locals if is_function else plain_globals
        kept = show(values, min(self.left, _VARIABLES_PER_FRAME))
        self.left -= len(kept)
        # Up to Python 3.12 a function's frame keeps the dict it has just made, and so the values
        # in it: a loop that runs on for days would hold what it had when it met this error.
        # Somebody who has called locals() there shares the dict; theirs is left alone.
        if is_function and type(values) is dict and sys.getrefcount(values) == _OURS_AND_THE_FRAMES:
            values.clear()
        return kept


def frames(traceback: TracebackType | None, budget: LocalsBudget) -> tuple[Frame, ...]:
    """The frames of a traceback, outermost first.

    The innermost frame and those of the user's own code show their variables, from the inside
    out until the budget is spent.
    """
    found: list[Frame] = []
    for step in reversed(_ends(traceback)):
        place = place_of(step.tb_frame)
        shown = place.in_app or not found
        found.append(
            Frame(
                file=place.file,
                function=place.function,
                line=step.tb_lineno,
                module=place.module,
                in_app=place.in_app,
                locals=budget.locals_of(step.tb_frame) if shown else {},
            )
        )
    found.reverse()
    return tuple(found)
