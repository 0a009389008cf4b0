"""Capture takes anything."""

from __future__ import annotations

import array
from string import ascii_letters, digits

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proof.fuzz_properties import (
    SECRET_FORMS,
    a_carrier_gives_a_context,
    a_secret_is_never_kept,
    a_text_is_cleaned,
    a_value_becomes_json,
    an_error_becomes_an_event,
    an_error_is_one_line,
)
from tenuto.capture import capture
from tests.thoroughness import REPEATABLE, examples

SETTINGS = settings(
    max_examples=examples(100),
    deadline=None,
    derandomize=REPEATABLE,
    suppress_health_check=[HealthCheck.too_slow],  # which is said of a busy machine
)
FEWER = settings(SETTINGS, max_examples=examples(25))  # of what takes long to make up

# Control characters, escapes, marks of direction, line separators and halves of characters are as
# likely as letters.
NASTY = st.sampled_from(
    [
        *("\0", "\n", "\r\n", "\x1b[31m", "\x1b]0;title\x07", "\x9b2J", "\x85", "\x7f"),
        *("\u202e", "\u2066", "\u200b", "\u2028", "\u2029", "\ufeff", "\ud800", "\udfff"),
        *("\U0001f3b5", "\N{COMBINING ACUTE ACCENT}", "%s", "{x}", "\\", "'", '"', "=", "://", "@"),
        *("password=", "token: ", "Bearer ", "--secret ", "<token>", "/home/", "eyJ", "[redacted]"),
        *(
            "pass=",
            '"token":"',
            "Cookie: ",
            "Authorization: ",
            "https://u:",
            "b'",
            "=> ",
            "--",
            '\\"',
        ),
        *("[", "]", "{", "}", "(", ")", ",", ";", "&", "|", "<", ">", " ", "str = ", "environ['"),
        *("0x", "1e9", "2026-01-02", "a.wav", "~/", "C:\\Users\\", "-----BEGIN PRIVATE KEY-----"),
    ]
)
TEXT = st.lists(st.text(st.characters(), max_size=40) | NASTY, max_size=12).map("".join)
SECRETS = st.text(ascii_letters + digits, min_size=12, max_size=30)


class Raises:
    def __repr__(self):
        raise RuntimeError("mine")

    __str__ = __eq__ = __bool__ = __len__ = __iter__ = __getattr__ = __repr__
    __hash__ = object.__hash__


HOSTILE = (
    st.builds(Raises)
    | st.integers(5000, 9000).map(lambda n: 10**n)
    | st.sampled_from(
        [
            *(
                object(),
                len,
                Raises,
                ...,
                NotImplemented,
                memoryview(b"abc"),
                array.array("d", [1.0]),
            ),
            *(np.zeros((2, 3)), np.float32(1.5), np.array(None), np.datetime64("2026-01-01")),
            *((n for n in range(3)), range(10**30)),
        ]
    )
)
KEYS = TEXT | st.integers() | st.none() | st.tuples(TEXT) | st.builds(Raises)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | TEXT
    | st.binary()
    | st.complex_numbers()
    | HOSTILE,
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(KEYS, inner)
        | st.tuples(inner, inner)
        | st.lists(inner).map(lambda items: [items, items])
    ),
    max_leaves=12,
)


@st.composite
def errors(draw, depth=3):
    """Errors of many kinds, with notes and a past, some of it their own."""
    args = draw(st.lists(VALUES, max_size=3))
    kind = draw(st.sampled_from([ValueError, KeyError, OSError, SyntaxError, StopIteration]))
    try:
        error = kind(*args)
    except TypeError:
        error = Exception(*args)
    if draw(st.booleans()):
        error.__notes__ = draw(st.lists(TEXT | HOSTILE, max_size=3) | VALUES)
    if draw(st.booleans()):
        error.__dict__.update(draw(st.dictionaries(TEXT, VALUES, max_size=3)))
    if depth:
        for link in draw(st.sets(st.sampled_from(["__cause__", "__context__"]))):
            setattr(error, link, draw(st.just(error) | errors(depth=depth - 1)))
        if draw(st.booleans()):
            members = [error, *draw(st.lists(errors(depth=depth - 1), max_size=3))]
            error = ExceptionGroup(draw(TEXT), members)
    if draw(st.booleans()):
        try:
            raise error
        except Exception as raised:
            error = raised
    return error


@SETTINGS
@given(VALUES)
def test_any_value_becomes_json(value):
    a_value_becomes_json(value)


@FEWER
@given(errors(), st.dictionaries(TEXT, VALUES, max_size=5))
def test_any_error_becomes_an_event_and_back(error, context):
    an_error_becomes_an_event(error, context)


@SETTINGS
@given(TEXT)
def test_cleaning_and_scrubbing_take_any_text(text):
    a_text_is_cleaned(text)


@SETTINGS
@given(SECRETS, st.sampled_from(SECRET_FORMS), TEXT | st.lists(NASTY, max_size=6).map("".join))
def test_a_secret_is_found_wherever_it_stands(secret, form, around):
    a_secret_is_never_kept(secret, form, around[:60])


@SETTINGS
@given(st.dictionaries(st.sampled_from(["password", "api_key", "authToken"]), SECRETS, min_size=1))
def test_a_named_secret_is_never_kept(context):
    kept = capture(ValueError(), context=context).context
    assert set(kept.values()) == {"[redacted]"}


@FEWER
@given(TEXT, st.dictionaries(TEXT, VALUES, max_size=4))
def test_any_error_is_one_line(message, context):
    an_error_is_one_line(message, context)


@FEWER
@given(st.dictionaries(TEXT | st.binary() | st.sampled_from(["tenuto-context"]), VALUES) | VALUES)
def test_any_carrier_gives_a_context(carrier):
    a_carrier_gives_a_context(carrier)


@SETTINGS
@given(st.integers(), st.integers(), st.uuids(), st.uuids(), st.dates(), st.dates(), TEXT)
def test_what_varies_is_not_part_of_a_fault(n, m, one, other, day, night, quoted):
    quoted = "".join(char for char in quoted if char.isalnum())
    said = f"item {n} of job {one} since {day} in 'a' at {n % 97}.5%"
    like = f"item {m} of job {other} since {night} in '{quoted}' at {m % 97}.5%"
    unlike = f"items {m} of job {other} since {night} in '{quoted}' at {m % 97}.5%"
    prints = [capture(ValueError(text)).fingerprint for text in (said, like, unlike)]
    assert prints[0] == prints[1] != prints[2]
