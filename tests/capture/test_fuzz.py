"""Capture takes anything."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from tenuto.capture import ErrorEvent, capture, plain, scrub
from tenuto.capture.clean import clean
from tests.thoroughness import REPEATABLE, examples

SETTINGS = settings(max_examples=examples(150), deadline=None, derandomize=REPEATABLE)
TEXT = st.text(st.characters(), max_size=300)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | TEXT
    | st.binary()
    | st.complex_numbers(),
    lambda inner: st.lists(inner) | st.dictionaries(st.integers() | TEXT, inner) | st.tuples(inner),
    max_leaves=30,
)
SECRETS = st.from_regex(r"\A[A-Za-z0-9]{12,30}\Z")


@SETTINGS
@given(VALUES)
def test_any_value_becomes_json(value):
    json.dumps(plain(value), allow_nan=False).encode()


@SETTINGS
@given(st.lists(VALUES, max_size=3), st.dictionaries(TEXT, VALUES, max_size=5), TEXT)
def test_any_error_becomes_an_event_and_back(args, context, note):
    error = ValueError(*args)
    error.add_note(note)
    event = capture(error, context=context)
    text = json.dumps(event.to_dict(), allow_nan=False)
    assert ErrorEvent.from_dict(json.loads(text)) == event
    text.encode()


@SETTINGS
@given(TEXT)
def test_cleaning_and_scrubbing_take_any_text(text):
    clean(text)
    assert scrub(scrub(text)) == scrub(text)


@SETTINGS
@given(
    TEXT, SECRETS, st.sampled_from(["password={}", "Bearer {}", "https://u:{}@h/", 'token: "{}"'])
)
def test_a_secret_is_found_wherever_it_stands(around, secret, form):
    event = capture(ValueError(f"{around[:50]} {form.format(secret)}"))
    assert secret not in event.message


@SETTINGS
@given(st.dictionaries(st.sampled_from(["password", "api_key", "authToken"]), SECRETS, min_size=1))
def test_a_named_secret_is_never_kept(context):
    kept = capture(ValueError(), context=context).context
    assert set(kept.values()) == {"[redacted]"}
