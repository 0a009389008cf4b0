"""Context goes through a network, and nothing that comes out of one is trusted."""

from __future__ import annotations

import json
import sys
import types

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tenuto
from tenuto import current_context, extract, inject, scope
from tenuto.capture import capture
from tests.thoroughness import REPEATABLE, examples

SETTINGS = settings(
    max_examples=examples(100),
    deadline=None,
    derandomize=REPEATABLE,
    suppress_health_check=[HealthCheck.too_slow],  # which is said of a busy machine
)
TRACEPARENT = f"00-{'ab' * 16}-{'cd' * 8}-01"


def test_what_the_scopes_say_arrives():
    with scope(audio_id="a17", run=3), scope(path="/data/Käse.wav"):
        headers = inject()
    assert list(headers) == ["tenuto-context"]
    with scope(**extract(headers)):
        assert current_context() == {"audio_id": "a17", "run": 3, "path": "/data/Käse.wav"}
        assert capture(ValueError()).context["audio_id"] == "a17"


def test_without_a_scope_there_is_nothing_to_send():
    assert inject() == {}
    assert extract({}) == {}


def test_nothing_secret_and_nothing_live_is_sent():
    with scope(password="hunter22", url="https://u:hunter22@h/", thing=object()):
        headers = inject()
    assert "hunter22" not in str(headers)
    assert extract(headers) == {
        "password": "[redacted]",
        "url": "https://[redacted]@h/",
        "thing": "<object>",
    }


def test_headers_are_ascii_on_one_line_and_of_a_size_that_servers_take():
    with scope(a="line\r\nX-Evil: 1\0é\ud800", **{f"k{n}": "x" * 500 for n in range(40)}):
        (value,) = inject().values()
    assert value.isascii()
    assert value.isprintable()
    assert len(value) <= 4096
    context = extract({"tenuto-context": value})
    assert context["a"] == "line\r\nX-Evil: 1\0é\\ud800"
    assert list(context) == ["a", *(f"k{n}" for n in range(7))]


def test_the_trace_goes_along(monkeypatch):
    here = types.SimpleNamespace(is_valid=True, trace_id=0xAB, span_id=0xCD, trace_flags=1)
    module = types.ModuleType("opentelemetry.trace")
    module.get_current_span = lambda: types.SimpleNamespace(get_span_context=lambda: here)
    monkeypatch.setitem(sys.modules, "opentelemetry.trace", module)
    headers = inject()
    assert headers == {"traceparent": f"00-{0xAB:032x}-{0xCD:016x}-01"}
    monkeypatch.delitem(sys.modules, "opentelemetry.trace")
    with scope(**extract(headers)):
        event = capture(ValueError())
        assert inject() == headers  # and on to the next
    assert (event.trace_id, event.span_id) == (f"{0xAB:032x}", f"{0xCD:016x}")


def test_a_trace_that_is_none_is_not_passed_on():
    with scope(traceparent="x\r\nEvil: 1"):
        assert inject() == {}
    assert extract({"traceparent": "nonsense"}) == {}
    assert extract({"traceparent": TRACEPARENT}) == {"traceparent": TRACEPARENT}


class Name(str):
    """As libraries have, for header names without case."""

    __slots__ = ()

    def lower(self):
        raise AssertionError("asked")

    __len__ = __getitem__ = __eq__ = lower
    __hash__ = str.__hash__


@pytest.mark.parametrize(
    "carrier",
    [
        {"Tenuto-Context": '{"a":1}'},
        {b"tenuto-context": b'{"a":1}'},
        {Name("TENUTO-CONTEXT"): Name('{"a":1}')},
        {"x": "y", "tenuto-context": '{"a":1}', "traceparent": "nonsense"},
    ],
)
def test_names_have_no_case_and_may_be_bytes(carrier):
    assert extract(carrier) == {"a": 1}


class Raises(dict):
    def items(self):
        raise RuntimeError("mine")


@pytest.mark.parametrize(
    "carrier",
    [
        None,
        7,
        "tenuto-context",
        [("tenuto-context", '{"a":1}')],
        Raises(a=1),
        {"tenuto-context": None},
        {"tenuto-context": 7},
        {"tenuto-context": ["x"]},
        {"tenuto-context": ""},
        {"tenuto-context": "{"},
        {"tenuto-context": "[1]"},
        {"tenuto-context": '"text"'},
        {"tenuto-context": "[" * 4000},
        {"tenuto-context": '{"a":' * 800 + "1" + "}" * 800},
        {"tenuto-context": '{"a":' + "1" * 4300},
        {"tenuto-context": "x" * 100_000_000},
        {"tenuto-context": b"x" * 100_000_000},
        {"x" * 10_000_000: "y"},
        {7: "x", None: "y", ("a",): "z"},
        {b"\xff\xfe": b"\xff"},
    ],
)
def test_a_broken_carrier_is_an_empty_one(carrier):
    assert extract(carrier) == {}


def test_what_arrives_is_bounded_and_redacted_again():
    deep = json.dumps({"a": [[[[[[1]]]]]], "password": "hunter22", "n": float("nan"), "b": 10**30})
    assert extract({"tenuto-context": deep}) == {
        "a": [[[["<list of 1>"]]]],
        "password": "[redacted]",
        "n": "nan",
        "b": "<int of 100 bits>",
    }
    many = json.dumps(dict.fromkeys(map(str, range(300)), 1))
    assert len(extract({"tenuto-context": many})) == 33


def test_only_the_first_fields_of_a_carrier_are_looked_at():
    carrier = {f"x{n}": "y" for n in range(1000)}
    assert extract({**carrier, "tenuto-context": '{"a":1}'}) == {}
    assert extract({"tenuto-context": '{"a":1}', **carrier}) == {"a": 1}


@SETTINGS
@given(
    st.dictionaries(
        st.sampled_from(["tenuto-context", "traceparent", b"tenuto-context"]) | st.text(),
        st.text() | st.binary() | st.integers() | st.from_regex(r'\{"\w+":.*\}'),
    )
)
def test_any_carrier_gives_a_context_that_can_be_used(carrier):
    with scope(**extract(carrier)):
        json.dumps(inject(), allow_nan=False).encode("ascii")


TEXT = st.text(st.characters(), max_size=30)


@SETTINGS
@given(st.dictionaries(TEXT, TEXT | st.integers(-9, 9) | st.booleans() | st.none(), max_size=5))
def test_what_was_sent_once_is_the_same_when_it_is_sent_on(context):
    with scope(**context):
        first = inject()
    with scope(**extract(first)):
        assert inject() == first


def test_the_door_is_the_package():
    assert tenuto.inject is inject
    assert tenuto.extract is extract
