"""Hostile objects never hurt."""

from __future__ import annotations

import enum
import threading
import time
import tracemalloc
from collections import OrderedDict, deque
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import PurePosixPath
from typing import NamedTuple

import numpy as np
import pytest

from tenuto.capture import capture, message_of, plain, safe, type_name


class Raises:
    def __repr__(self):
        raise RuntimeError("mine")

    __str__ = __repr__


class Exits:
    def __repr__(self):
        raise SystemExit(3)


class Recurses:
    def __repr__(self):
        return repr([self])


class Huge:
    def __repr__(self):
        return "x" * 100_000_000


class Blocks:
    def __repr__(self):
        time.sleep(60)


class Lies:
    @property
    def __class__(self):
        raise RuntimeError("mine")


@pytest.mark.parametrize("kind", [Raises, Exits, Recurses, Huge, Blocks, Lies])
def test_a_hostile_object_is_told_by_its_type(kind):
    def fail(hostile):
        raise ValueError(hostile)

    try:
        fail(kind())
    except ValueError as error:
        started = time.perf_counter()
        tracemalloc.start()
        event = capture(error, context={"it": kind(), "many": [kind()] * 3})
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert event.message == f"<{__name__}.{kind.__name__}>"
    assert event.context["it"] == event.message
    assert event.frames[-1].locals["hostile"] == event.message
    assert peak < 1_000_000
    assert time.perf_counter() - started < 5


@pytest.mark.parametrize("raises", [RuntimeError, SystemExit, GeneratorExit, RecursionError])
def test_an_error_that_cannot_be_printed_says_so(raises):
    class Mute(Exception):
        def __str__(self):
            raise raises

    assert message_of(Mute("x")) == "<unprintable>"


@pytest.mark.parametrize("answer", [None, 7, b"bytes"])
def test_an_error_that_says_no_text_says_nothing(answer):
    class Odd(Exception):
        def __str__(self):
            return answer

    assert message_of(Odd("x")) == "<unprintable>"


def test_an_error_that_says_too_much_is_cut():
    class Talks(Exception):
        def __str__(self):
            return "x" * 10_000_000

    assert message_of(Talks()) == "x" * 8191 + "…"


def test_ctrl_c_in_the_middle_is_not_swallowed():
    class Slow(Exception):
        def __str__(self):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        message_of(Slow())


def test_the_end_of_the_program_in_the_middle_of_a_copy_is_not_swallowed(monkeypatch):
    def end(*_):  # as a handler of SIGTERM may at any point
        raise SystemExit(3)

    monkeypatch.setattr(safe, "tell", end)
    with pytest.raises(SystemExit):
        plain(object())


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ValueError(), ""),
        (ValueError("plain"), "plain"),
        (ValueError(1, "two"), "(1, 'two')"),
        (ValueError(None, 2.5), "(None, 2.5)"),
        (ValueError([1, 2]), "[1, 2]"),
        (ValueError([1], {2: 3}), "([1], {'2': 3})"),
        (ValueError(10**400), "<int of 1329 bits>"),
        (ExceptionGroup("both", [ValueError(), KeyError()]), "both (2 sub-exceptions)"),
        (SyntaxError("bad", ("f.py", 3, 1, "x")), "bad (f.py, line 3)"),
        (KeyError("rate"), "'rate'"),
        (FileNotFoundError(2, "No such file", "a.wav"), "[Errno 2] No such file: 'a.wav'"),
    ],
)
def test_messages(error, message):
    assert message_of(error) == message


def test_a_message_is_cut_at_8_kib():
    message = message_of(ValueError("é" * 1_000_000))
    assert len(message) == 8192
    assert message.endswith("…")
    assert len(message_of(KeyError("x" * 1_000_000))) <= 8192


def test_a_secret_is_not_split_by_the_cut():
    secret = "eyJhbGciOiJIUzI1NiJ9." + "a" * 300
    assert "eyJ" not in message_of(ValueError("x " * 4090 + secret))


class Colour(enum.Enum):
    RED = 1


class Level(enum.IntEnum):
    LOUD = 3


class Word(str):
    __slots__ = ()

    def __getitem__(self, _):
        raise RuntimeError("mine")

    def __len__(self):
        raise RuntimeError("mine")


class Point(NamedTuple):
    x: int
    y: int


@pytest.mark.parametrize(
    ("value", "copy"),
    [
        (None, None),
        (True, True),
        (7, 7),
        (-(2**63) + 1, -(2**63) + 1),
        (2**100, "<int of 101 bits>"),
        (1.5, 1.5),
        (float("nan"), "nan"),
        (float("-inf"), "-inf"),
        (3 + 4j, "(3+4j)"),
        ("text", "text"),
        ("caf\udce9.wav", "caf\\udce9.wav"),
        (b"1234", "<bytes of 4>"),
        (Level.LOUD, 3),
        (Colour.RED, "Colour.RED"),
        (PurePosixPath("a/b.wav"), "a/b.wav"),
        (datetime(2026, 1, 2, tzinfo=UTC), "2026-01-02 00:00:00+00:00"),
        (Decimal("1.50"), "1.50"),
        (range(3), "range(0, 3)"),
        (len, "<builtin_function_or_method len>"),
        (int, "<type int>"),
        (Point(1, 2), [1, 2]),
        (OrderedDict(a=1), {"a": 1}),
        ({1: 2, (3, 4): 5}, {"1": 2, "<tuple of 2>": 5}),
        ({"x": {"api_key": 1, "ok": 2}}, {"x": {"api_key": "[redacted]", "ok": 2}}),
        (frozenset({1}), [1]),
        ([[[[[1]]]]], [[[["<list of 1>"]]]]),
        ({"a": {"a": {"a": {"a": {"a": 1}}}}}, {"a": {"a": {"a": {"a": "<dict of 1>"}}}}),
        (np.float32(1.5), 1.5),
        (np.float64("nan"), "nan"),
        (np.int16(3), 3),
        (np.datetime64("2026-01-01"), "<numpy.datetime64 shape=() dtype=datetime64[D]>"),
        (np.zeros((2, 3), "f4"), "<numpy.ndarray shape=(2, 3) dtype=float32>"),
        (np.random.RandomState, "<type RandomState>"),
        (np.dtype("f4").newbyteorder, "<builtin_function_or_method Float32DType.newbyteorder>"),
    ],
)
def test_values(value, copy):
    found = plain(value)
    assert found == copy
    assert type(found) is type(copy)


def test_an_object_of_an_array_library_without_a_shape_is_told_by_its_type():
    assert plain(np.random.default_rng(1)) == "<numpy.random._generator.Generator>"


def test_text_with_ideas_of_its_own_is_plain_text():
    assert plain(Word("word")) == "word"
    assert type(plain(Word("word"))) is str


def test_big_containers_are_cut_and_say_so():
    assert plain(list(range(100)))[-1] == "… 68 more"
    assert plain({str(n): n for n in range(100)})["…"] == 68


def test_the_work_on_one_value_is_bounded():
    wide = [[[list(range(50))] * 50] * 50] * 50
    assert len(str(plain(wide))) < 20_000


def test_a_container_that_holds_itself_ends():
    loop = []
    loop.append(loop)
    assert plain(loop) == [[[["<list of 1>"]]]]


def test_a_nameless_class_has_a_name_all_the_same():
    class Odd:
        __module__ = 7

    assert type_name(Odd) == "<nameless>"
    assert plain(Odd()) == "<<nameless>>"
    assert len(type_name(type("X" * 10_000, (), {}))) == 200


def test_a_pair_and_the_options_of_a_command_are_redacted_by_name():
    headers = [("Authorization", "abc"), ("Accept", "audio/wav")]
    assert plain(headers) == [["Authorization", "[redacted]"], ["Accept", "audio/wav"]]
    command = ["ffmpeg", "--token", "abc", "-i", "a.wav", "--api-key"]
    assert plain(command) == ["ffmpeg", "--token", "[redacted]", "-i", "a.wav", "--api-key"]
    assert plain(["token", "count", "of"]) == ["token", "count", "of"]


def test_a_secret_that_is_a_key_is_redacted_too():
    assert plain({"AKIAIOSFODNN7EXAMPLE": 1}) == {"[redacted]": 1}


def test_a_queue_shows_what_is_in_it():
    assert plain(deque([1, 2], maxlen=5)) == [1, 2]
    assert plain([[[[deque([1])]]]]) == [[[["<collections.deque of 1>"]]]]


def test_a_dict_that_is_being_changed_meanwhile_is_copied():
    stop = threading.Event()
    shared = {}

    def change():
        while not stop.is_set():
            shared[len(shared) % 50] = 1
            shared.pop(next(iter(shared)))

    thread = threading.Thread(target=change)
    thread.start()
    try:
        copies = [plain({"shared": shared})["shared"] for _ in range(500)]
    finally:
        stop.set()
        thread.join()
    # One that is changed at every try is only described.
    assert sum(type(copy) is dict for copy in copies) > 250
