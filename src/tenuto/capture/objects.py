"""Objects that are no plain values, told in a few words.

Nothing of a user's class is called: no ``__repr__``, no property, no ``__getattr__``. It may
raise, recurse, block, or return a hundred megabytes. Such an object is told by its type, and an
array or a tensor by its shape and the type of its numbers too. What Python's own classes of
values print is printed.
"""

from __future__ import annotations

import array
import enum
import math
import sys
import types
from collections.abc import Iterator
from itertools import islice
from typing import Any

from .peek import (
    MISSING,
    found_on_class,
    kept_by,
    module_of,
    mro_of,
    names_of,
    qualname_of,
    read_by_c,
)
from .text import text, type_name

__all__ = ["fields_of", "number", "tell"]

_LARGEST = 2**63 - 1  # what other languages read back from JSON
_LONGEST = 200  # characters
_DIMENSIONS = 8
_FIELDS = 16
_LARGEST_PRINTED = 4096  # bytes

# By name, so that their modules are not imported to recognise them.
_PRINTED = {
    *("pathlib.PurePosixPath", "pathlib.PosixPath", "pathlib.PureWindowsPath"),
    *("pathlib.WindowsPath", "pathlib._local.PosixPath", "pathlib._local.PurePosixPath"),
    *("datetime.datetime", "datetime.date", "datetime.time", "datetime.timedelta"),
    *("decimal.Decimal", "fractions.Fraction", "uuid.UUID", "complex", "range"),
}
_ZONES = {"datetime.timezone", "zoneinfo.ZoneInfo"}
_SIMPLE_NUMBERS = {"b", "i", "u", "f", "c"}  # as numpy calls them
_ARRAYS = {"numpy", "torch", "jax", "jaxlib", "tensorflow", "cupy", "pandas", "polars", "scipy"}


def number(value: float) -> int | float | str:
    """A number as JSON can hold it; of a subclass of ``int`` or ``float``, the number it is."""
    # The base's own operators give an exact int or float, whatever a subclass does.
    if issubclass(type(value), int):
        whole = int.__pos__(value)  # type: ignore[arg-type]
        return whole if abs(whole) <= _LARGEST else f"<int of {whole.bit_length()} bits>"
    real = float.__pos__(value)
    return real if math.isfinite(real) else str(real)


def tell(value: Any, kind: type) -> int | float | str:
    """An object of the type ``kind`` in a few words, or, of an array of one number, that."""
    name = type_name(kind)
    if issubclass(kind, (bytes, bytearray, memoryview)):
        return f"<{name} of {_bytes_in(value, kind)}>"
    if issubclass(kind, array.array):
        return f"<{name} of {array.array.__len__(value)} {kept_by(value, 'typecode')}>"
    if issubclass(kind, enum.Enum):
        return f"{name.rpartition('.')[2]}.{_exact(kept_by(value, '_name_'))}"
    if issubclass(kind, type):
        return f"<{name} {type_name(value).rpartition('.')[2]}>"
    if kind is types.FunctionType or kind is types.BuiltinFunctionType:
        return f"<{name} {text(value.__qualname__, _LONGEST)}>"
    if name in _PRINTED and _is_genuine(kind, name):
        return _printed(value, name)
    return _array(value, kind, name)


def fields_of(value: object, kind: type) -> Iterator[tuple[str, object]] | None:
    """The fields of a dataclass that its own ``repr`` would show; None of anything else."""
    _, fields = found_on_class(kind, "__dataclass_fields__")
    if type(fields) is not dict:
        return None
    return (
        (name, held)
        for name, field in islice(fields.items(), _FIELDS)
        if type(name) is str and kept_by(field, "repr") is True
        if (held := kept_by(value, name)) is not MISSING
    )


def _bytes_in(value: Any, kind: type) -> int:
    if kind is memoryview:
        return int(value.nbytes)
    return bytes.__len__(value) if issubclass(kind, bytes) else bytearray.__len__(value)


def _exact(name: object) -> str:
    return text(name, _LONGEST) if issubclass(type(name), str) else "?"  # type: ignore[arg-type]


def _is_genuine(kind: type, name: str) -> bool:
    """Whether the class is the one that is known by its name."""
    module, _, last = name.rpartition(".")
    return getattr(sys.modules.get(module or "builtins"), last, None) is kind


def _printed(value: Any, name: str) -> str:
    if value.__sizeof__() > _LARGEST_PRINTED:
        return f"<{name}>"
    zone = getattr(value, "tzinfo", None)  # Python's own class, so Python's own attribute
    if zone is not None:
        zone_name = type_name(type(zone))
        if zone_name not in _ZONES or not _is_genuine(type(zone), zone_name):
            return f"{value.replace(tzinfo=None)} <{zone_name}>"  # printing would ask the zone
    return text(str(value), _LONGEST)


def _array(value: object, kind: type, name: str) -> int | float | str:
    shape = _field(value, kind, "shape")
    if not issubclass(type(shape), tuple):
        return f"<{name}>"
    if shape == () and (single := _single(value, kind)) is not None:
        return number(single)
    sizes = [str(size) if type(size) is int else "?" for size in islice(shape, _DIMENSIONS)]
    more = ", …" if len(shape) > _DIMENSIONS else "," if len(sizes) == 1 else ""
    return f"<{name} shape=({', '.join(sizes)}{more}){_type_of_numbers(value, kind)}>"


def _single(value: object, kind: type) -> float | None:
    """The number in a numpy scalar, or in an array without dimensions."""
    owner, item = found_on_class(kind, "item")
    if type(item) is not types.MethodDescriptorType or _library(module_of(owner)) != "numpy":
        return None
    single = item(value)
    return single if type(single) in {int, float, bool} else None


def _type_of_numbers(value: object, kind: type) -> str:
    dtype = _field(value, kind, "dtype")
    if dtype is MISSING:
        return ""
    kind = type(dtype)
    if _field(dtype, kind, "kind") in _SIMPLE_NUMBERS:  # numpy makes up a name slowly
        name: Any = qualname_of(_field(dtype, kind, "type"))
    else:
        name = dtype if kind is str else _field(dtype, kind, "name")
    if type(name) is not str:
        name = repr(dtype) if _is_simple(kind) else type_name(kind)
    return f" dtype={text(name, 40)}"


def _is_simple(kind: type) -> bool:
    """Whether it is of an array library, and printed by C without asking what it is made of."""
    owner, prints = found_on_class(kind, "__repr__")
    by_c = owner is kind and type(prints) is types.WrapperDescriptorType
    return by_c and _library(module_of(kind)) is not None and mro_of(kind) == (kind, object)


def _field(value: object, kind: type, name: str) -> Any:
    """What an array library, or any extension in C, keeps as ``name``; an override is not asked."""
    for base in mro_of(kind):
        found = names_of(base).get(name)
        if found is None:
            continue
        read = read_by_c(found, value)
        if read is not MISSING:
            return read
        getter = found.fget if type(found) is property else None
        if type(getter) is types.FunctionType and _library(getter.__module__) is not None:
            return getter(value)
    return MISSING


def _library(module: object) -> str | None:
    """The array library that a module belongs to."""
    root = module.partition(".")[0] if type(module) is str else ""
    return root if root in _ARRAYS else None
