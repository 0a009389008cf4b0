"""Objects are told in a few words, whatever they are."""

from __future__ import annotations

import array
import dataclasses
import enum
import sys
import types
import weakref
from datetime import UTC, datetime, time, timedelta, tzinfo
from decimal import Decimal
from fractions import Fraction
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from tenuto.capture import capture, plain
from tenuto.capture.peek import MISSING, kept_by


class Never:
    """Whoever asks anything of it fails the test."""

    def __getattribute__(self, name):
        raise AssertionError(f"asked for {name}")

    __repr__ = __str__ = __len__ = __iter__ = __bool__ = __hash__ = __getattribute__


def generated():
    yield 1


def dead_proxy():
    class Thing:
        pass

    return weakref.proxy(Thing())


def released():
    view = memoryview(b"abc")
    view.release()
    return view


class Zone(tzinfo):
    def utcoffset(self, when):
        raise AssertionError("asked")

    __reduce__ = dst = tzname = utcoffset


class Slotted:
    __slots__ = ("dtype", "shape")


def slotted(shape, dtype):
    thing = Slotted()
    if shape is not None:
        thing.shape = shape
    if dtype is not None:
        thing.dtype = dtype
    return thing


class Samples(np.ndarray):
    @property
    def shape(self):
        raise AssertionError("asked")

    def __repr__(self):
        raise AssertionError("asked")


class Bytes(bytes):
    def __len__(self):
        raise AssertionError("asked")


class Flags(enum.Flag):
    A = 1
    B = 2


class Hidden(enum.Enum):
    RED = "password=hunter2"


HIDDEN = Hidden.RED
Hidden.__getattribute__ = Hidden.__repr__ = Never.__getattribute__


HERE = __name__


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (Never, f"<{HERE}.Never>"),
        (generated, "<generator>"),
        (dead_proxy, "<weakref.ProxyType>"),
        (released, "<unprintable>"),
        (lambda: memoryview(bytearray(8)).cast("f"), "<memoryview of 8>"),
        (lambda: bytearray(3), "<bytearray of 3>"),
        (lambda: Bytes(b"1234"), f"<{HERE}.Bytes of 4>"),
        (lambda: array.array("f", [1.0, 2.0]), "<array.array of 2 f>"),
        (lambda: Flags.A, "Flags.A"),
        (lambda: Flags(0), "Flags.?"),
        (lambda: generated, "<function generated>"),
        (lambda: Never, "<type Never>"),
        (lambda: Decimal("1." + "0" * 10_000), "<decimal.Decimal>"),
        (lambda: Fraction(1, 3), "1/3"),
        (lambda: range(10**5000), "<unprintable>"),
        (lambda: timedelta(seconds=5), "0:00:05"),
        (lambda: datetime(2026, 1, 2, tzinfo=UTC), "2026-01-02 00:00:00+00:00"),
        (lambda: datetime(2026, 1, 2, tzinfo=ZoneInfo("UTC")), "2026-01-02 00:00:00+00:00"),
        (lambda: datetime(2026, 1, 2, tzinfo=Zone()), f"2026-01-02 00:00:00 <{HERE}.Zone>"),
        (lambda: time(3, 4, tzinfo=Zone()), f"03:04:00 <{HERE}.Zone>"),
        (lambda: np.array(7), 7),
        (lambda: np.array([True])[0], True),
        (lambda: np.array(None), "<numpy.ndarray shape=() dtype=object>"),
        (lambda: np.zeros(3, "c8"), "<numpy.ndarray shape=(3,) dtype=complex64>"),
        (
            lambda: np.zeros((1,) * 9),
            "<numpy.ndarray shape=(1, 1, 1, 1, 1, 1, 1, 1, …) dtype=float64>",
        ),
        (lambda: np.zeros(2, "i2,f4"), "<numpy.ndarray shape=(2,) dtype=void48>"),
        (lambda: np.zeros((2, 2)).view(Samples), f"<{HERE}.Samples shape=(2, 2) dtype=float64>"),
        (lambda: np.ma.masked_array([1.0, 2.0]), "<numpy.ma.MaskedArray shape=(2,) dtype=float64>"),
        (lambda: slotted((2, "x"), None), f"<{HERE}.Slotted shape=(2, ?)>"),
        (lambda: slotted((2,), "f4"), f"<{HERE}.Slotted shape=(2,) dtype=f4>"),
        (lambda: slotted((2,), Never()), f"<{HERE}.Slotted shape=(2,) dtype={HERE}.Never>"),
        (lambda: slotted((2,), [Never()]), f"<{HERE}.Slotted shape=(2,) dtype=list>"),
        (lambda: slotted(None, None), f"<{HERE}.Slotted>"),
        (lambda: slotted(Never(), None), f"<{HERE}.Slotted>"),
        (lambda: slotted((), None), f"<{HERE}.Slotted shape=()>"),
    ],
)
def test_objects(make, told):
    assert plain(make()) == told


def test_a_type_of_numbers_that_only_prints_itself_is_printed():
    class Printed:
        __module__ = "torch"
        __repr__ = object.__repr__  # in C, as the library's own

    assert "dtype=<torch." in plain(slotted((2,), Printed()))


def test_an_enum_that_hides_its_name_is_told_by_it_all_the_same():
    assert plain(HIDDEN) == "Hidden.RED"


def library(monkeypatch, name="torch"):
    """A library in Python that has tensors, as far as one can tell from outside."""
    module = types.ModuleType(name)
    monkeypatch.setitem(sys.modules, name, module)
    source = """
class dtype:
    name = property(lambda self: "bfloat16")
class Tensor:
    shape = property(lambda self: (2, 3))
    dtype = property(lambda self: dtype())
    def __repr__(self):
        raise AssertionError("asked")
class Lazy(Tensor):
    shape = property(lambda self: 1 / 0)
"""
    exec(source, module.__dict__)
    return module


def test_a_tensor_is_told_by_its_shape_and_the_type_of_its_numbers(monkeypatch):
    torch = library(monkeypatch)
    assert plain(torch.Tensor()) == "<torch.Tensor shape=(2, 3) dtype=bfloat16>"

    class Mine(torch.Tensor):
        shape = property(lambda self: pytest.fail("asked"))

    assert plain(Mine()).endswith("Mine shape=(2, 3) dtype=bfloat16>")


def test_trouble_in_a_library_costs_only_that_value(monkeypatch):
    lazy = library(monkeypatch).Lazy()
    assert plain({"bad": lazy, "good": 1}) == {"bad": "<unprintable>", "good": 1}


def test_who_only_claims_to_be_of_a_library_is_not_asked():
    class Tensor:
        __module__ = "torch"
        shape = property(lambda self: pytest.fail("asked"))

    assert plain(Tensor()).startswith("<torch.")

    class Date(Never):
        __module__, __qualname__ = "datetime", "datetime"

    assert plain(Date()) == "<datetime.datetime>"
    Date.__module__, Date.__qualname__ = "pathlib._local", "PosixPath"
    assert plain(Date()) == "<pathlib._local.PosixPath>"


@dataclasses.dataclass
class Sound:
    samples: np.ndarray
    rate: int
    api_token: str = "x"
    key: str = dataclasses.field(default="hunter2", repr=False)
    kind: ClassVar[str] = "class"
    odd: Any = None

    def __repr__(self):
        raise AssertionError("asked")


@dataclasses.dataclass(frozen=True, slots=True)
class Small:
    a: int
    b: int = 2


def test_an_audio_buffer_is_told_by_its_fields():
    assert plain(Sound(np.zeros((4, 1), "f4"), 48_000)) == {
        "": f"<{HERE}.Sound>",
        "samples": "<numpy.ndarray shape=(4, 1) dtype=float32>",
        "rate": 48_000,
        "api_token": "[redacted]",
        "odd": None,
    }
    assert plain(Small(1)) == {"": f"<{HERE}.Small>", "a": 1, "b": 2}
    assert plain(Small) == "<type Small>"


def test_the_fields_of_a_buffer_in_a_variable_are_shown():
    def fail(sound):
        raise ValueError("x")

    with pytest.raises(ValueError) as caught:
        fail(Sound(np.zeros(2), 8000))
    assert capture(caught.value).frames[-1].locals["sound"]["rate"] == 8000


def test_a_field_that_was_never_set_or_is_computed_is_left_out():
    half = object.__new__(Small)
    object.__setattr__(half, "a", 1)
    assert plain(half) == {"": f"<{HERE}.Small>", "a": 1}

    @dataclasses.dataclass
    class Computed:
        a: int = 1
        b: int = 2

    Computed.b = property(lambda self: pytest.fail("asked"))
    computed = object.__new__(Computed)
    assert set(plain(computed)) == {""}


def test_fields_that_are_none_are_no_fields():
    class Pretends:
        __dataclass_fields__ = "mine"

    assert plain(Pretends()).endswith("Pretends>")

    class Odd:
        __dataclass_fields__: ClassVar[dict] = {7: None, "a": Never()}

    assert set(plain(Odd())) == {""}


def test_a_buffer_holding_itself_ends():
    loop = Sound(None, 1)
    loop.odd = loop
    assert "Sound>" in str(plain(loop)["odd"]["odd"]["odd"]["odd"])


def test_what_an_instance_keeps_is_found_without_asking_it():
    assert kept_by(object(), "x") is MISSING
    assert kept_by(Small(1), "a") == 1

    class Open:
        def __getattribute__(self, name):
            raise AssertionError("asked")

    thing = Open()
    object.__setattr__(thing, "a", 5)
    assert kept_by(thing, "a") == 5

    class Odd:
        __dict__ = property(lambda self: pytest.fail("asked"))

    assert kept_by(Odd(), "a") is MISSING
