"""A look inside a guard: the places where it keeps something."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import CellType, FunctionType
from typing import Any, TypeVar

__all__ = ["Place", "find_inside", "places_inside"]

T = TypeVar("T")

_OURS = "tenuto.policies."


@dataclass(frozen=True)
class Place:
    """Where a guard keeps a value: a variable that its functions share, or an attribute."""

    value: Any
    set: Callable[[Any], None]


def find_inside(guard: Any, kind: type[T]) -> list[T]:
    """The objects of one type that ``guard`` works with."""
    return [place.value for place in places_inside(guard) if isinstance(place.value, kind)]


def places_inside(guard: Any) -> Iterator[Place]:
    """Every place inside ``guard``, as far as the code of the policies reaches."""
    # What it is put around may be a guard itself, and is another matter.
    seen = {id(guard.__wrapped__)}
    todo = [guard]
    while todo:
        thing = todo.pop()
        if id(thing) in seen:
            continue
        seen.add(id(thing))
        for place in _places_of(thing):
            yield place
            if _is_ours(place.value):
                todo.append(place.value)


def _is_ours(value: object) -> bool:
    if isinstance(value, FunctionType):  # whose ``__module__`` may be that of what it wraps
        return str(value.__globals__["__name__"]).startswith(_OURS)
    return type(value).__module__.startswith(_OURS)


def _places_of(thing: Any) -> Iterator[Place]:
    if isinstance(thing, FunctionType):
        for cell in thing.__closure__ or ():
            yield _in_cell(cell)
        return
    slots = [name for kind in type(thing).__mro__ for name in getattr(kind, "__slots__", ())]
    for name in (*slots, *getattr(thing, "__dict__", ())):
        yield _in_attribute(thing, name)


def _in_cell(cell: CellType) -> Place:
    def put(value: Any) -> None:
        cell.cell_contents = value

    return Place(cell.cell_contents, put)


def _in_attribute(thing: Any, name: str) -> Place:
    def put(value: Any) -> None:
        object.__setattr__(thing, name, value)  # some are frozen

    return Place(getattr(thing, name, None), put)
