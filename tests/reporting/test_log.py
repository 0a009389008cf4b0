"""One event, one line, whatever an error says."""

from __future__ import annotations

import io
import json
import sys

import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st

from tenuto.capture import capture
from tenuto.clock import SimulatedClock
from tenuto.errors import ConfigurationError
from tenuto.journal import Record
from tenuto.reporting.log import LogLines
from tenuto.reporting.oneline import one_line, one_line_value
from tests.thoroughness import REPEATABLE, examples

SLICE = {
    "event_id": "e1",
    "fingerprint": "v1:f",
    "service": None,
    "type": "ValueError",
    "message": "",
    "where": "m:f",
    "fault_class": "data",
    "severity": "warning",
    "count": 4812,
    "last": 1e30,
}


@pytest.fixture(autouse=True)
def structlog_as_it_was():
    structlog.reset_defaults()
    yield
    structlog.reset_defaults()


def line_of(error, **context):
    event = capture(error, context=context, service="night", clock=SimulatedClock())
    return printed(Record(1, "event", event.to_dict()))


def printed(record):
    stream, sys.stderr = sys.stderr, io.StringIO()
    try:
        LogLines().receive(record)
        return sys.stderr.getvalue()
    finally:
        sys.stderr = stream


def raised(error):
    try:
        raise error
    except BaseException as caught:
        return caught


def test_a_line_says_when_how_bad_what_where_and_which(private_journal):
    line = line_of(raised(ConfigurationError("jobs", "give a number")), audio_id="a b", n=2)
    assert line.startswith("timestamp=2023-11-14T22:13:20.000+00:00 level=critical event=")
    assert '"tenuto.errors.hierarchy.ConfigurationError: jobs is not usable: give a number"' in line
    assert " service=night " in line
    assert " fault=configuration " in line
    assert f" where={__name__}:raised:" in line
    assert ' context.audio_id="a b" context.n=2' in line
    assert line.count("\n") == 1


def test_an_error_that_was_never_raised_is_nowhere():
    assert " where=" not in line_of(ValueError())
    assert "event=ValueError " in line_of(ValueError())


def test_repeats_are_one_line_with_their_count():
    line = printed(Record(1, "slice", SLICE))
    assert "event=ValueError fault=data repeats=4812 id=e1" in line
    assert "timestamp=1e+30" in line


def test_a_change_of_state_is_a_line():
    body = {"policy": "api", "before": "closed", "after": "open", "reason": "x", "time": 0.0}
    assert 'level=warning event="api: closed -> open"' in printed(Record(1, "transition", body))


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("two\nlines", "two\\nlines"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("a\u202eb", "a\\u202eb"),
        ("nul\0", "nul\\x00"),
        ("sep\u2028", "sep\\u2028"),
        ("lone\udce9", "lone\\udce9"),
        ("Käse 音", "Käse 音"),
        ("x" * 5000, "x" * 999 + "…"),
    ],
)
def test_nothing_moves_the_cursor(text, escaped):
    assert one_line(text) == escaped


def test_values_keep_their_types_and_containers_are_text():
    assert one_line_value(None) is None
    assert one_line_value(1.5) == 1.5
    assert one_line_value({"a": ["b\n"]}) == "{'a': ['b\\n']}"
    assert [one_line_value(float(odd)) for odd in ("nan", "-inf")] == ["nan", "-inf"]


@settings(max_examples=examples(200), deadline=None, derandomize=REPEATABLE)
@given(st.text(st.characters()), st.dictionaries(st.text(st.characters()), st.text(), max_size=4))
def test_any_error_is_one_printable_line(message, context):
    line = line_of(ValueError(message), **{f"k{key}": value for key, value in context.items()})
    assert line.endswith("\n")
    assert line[:-1].isprintable()
    assert line.count(" level=warning ") == 1


def test_the_programs_own_configuration_decides_what_a_line_looks_like():
    out = io.StringIO()
    structlog.configure(
        processors=[structlog.processors.add_log_level, structlog.processors.JSONRenderer()],
        logger_factory=structlog.PrintLoggerFactory(out),
    )
    assert line_of(ValueError("x\ny"), n=1) == ""
    told = json.loads(out.getvalue())
    assert (told["event"], told["level"], told["context.n"]) == ("ValueError: x\\ny", "warning", 1)


@pytest.mark.parametrize(
    "renderer",
    [
        structlog.processors.JSONRenderer(),
        structlog.processors.JSONRenderer(ensure_ascii=False),
        structlog.processors.KeyValueRenderer(),
        structlog.processors.LogfmtRenderer(bool_as_flag=False),
        structlog.dev.ConsoleRenderer(colors=False),
    ],
)
def test_an_event_is_one_line_in_every_form(renderer):
    out = io.StringIO()
    structlog.configure(
        processors=[structlog.processors.add_log_level, renderer],
        logger_factory=structlog.PrintLoggerFactory(out),
    )
    forged = "x\r\ntimestamp=1970 level=info event=fine\x1b[2K\x85\u2028\u202e\0\ud800"
    error = raised(ExceptionGroup(forged, [ValueError(forged)]))
    error.add_note(forged)
    line_of(error, **{forged: {forged: [forged]}, "n": float("nan")})
    assert out.getvalue().count("\n") == 1
    assert out.getvalue()[:-1].isprintable()


def test_what_json_has_no_number_for_is_text():
    out = io.StringIO()
    structlog.configure(
        processors=[structlog.processors.JSONRenderer()],
        logger_factory=structlog.PrintLoggerFactory(out),
    )
    body = {**SLICE, "count": float("inf")}
    LogLines().receive(Record(1, "slice", body))
    assert json.loads(out.getvalue())["repeats"] == "inf"


def test_a_program_without_standard_error_is_no_trouble(monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    LogLines().receive(Record(1, "slice", SLICE))
