"""What holds for whatever an error is made of. Random tests and the fuzzer try to break it."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Mapping
from contextlib import redirect_stderr
from typing import Any

import structlog

from tenuto.capture import (
    ErrorEvent,
    capture,
    captured_context,
    claim,
    identify,
    plain,
    scrub,
    sketch,
    stamp,
)
from tenuto.capture.clean import clean
from tenuto.carrying import extract, inject
from tenuto.context import scope
from tenuto.journal import Record
from tenuto.reporting.log import LogLines
from tenuto.reporting.oneline import one_line
from tenuto.reporting.traceback_text import traceback_text

__all__ = [
    "SECRET_FORMS",
    "a_carrier_gives_a_context",
    "a_secret_is_never_kept",
    "a_text_is_cleaned",
    "a_value_becomes_json",
    "an_error_becomes_an_event",
    "an_error_is_one_line",
]

SECRET_FORMS = (
    "password={}",
    "Bearer {}",
    "https://u:{}@h/",
    'token: "{}"',
    "Authorization: Digest a={}",
    '{{"apiKey": "{}"}}',
    r"{{\"apiKey\": \"{}\"}}",
    "--secret {} x",
    "<password>{}</password>",
    "GET /?a=1&sig={}&b=2",
    "Cookie: a={}",
    "os.environ['DB_PASSWORD'] = '{}'",
)
_LARGEST_EVENT = 400_000  # characters of JSON
_FINGERPRINT = re.compile(r"v\d+:[0-9a-f]{16}")
_PLACEHOLDERS = re.compile(r"<[a-z]+>")


def a_value_becomes_json(value: object) -> None:
    """Bounded, plain, such that UTF-8 can hold it, and the same when it is copied again."""
    copy = plain(value)
    text = json.dumps(copy, allow_nan=False)
    assert len(text) < _LARGEST_EVENT
    text.encode("utf-8")
    assert json.loads(text) == copy


def an_error_becomes_an_event(error: BaseException, context: Mapping[str, object]) -> None:
    """Whole, bounded, the same after JSON; one error has one id and one fingerprint."""
    event = capture(error, context=context)
    text = json.dumps(event.to_dict(), allow_nan=False)
    assert len(text) < _LARGEST_EVENT
    assert ErrorEvent.from_dict(json.loads(text)) == event
    text.encode("utf-8")
    traceback_text(event.to_dict()).encode("utf-8")
    assert _FINGERPRINT.fullmatch(event.fingerprint)
    assert identify(error, captured_context(context)) == event.fingerprint
    assert stamp(error, "another") == event.id == capture(error).id
    assert sketch(error, "x").type == event.type
    claim(error)
    assert not claim(error)


def a_text_is_cleaned(text: str) -> None:
    """Never in trouble, of bounded length, and soon the same when it is done again."""
    twice = scrub(scrub(text))
    assert scrub(twice) == twice
    cleaned = clean(text)
    assert len(_PLACEHOLDERS.sub("#", cleaned)) <= 1024
    assert "\n" not in cleaned
    line = one_line(text)
    assert line.isprintable()
    assert len(line) <= 10_000
    assert one_line(line)[:999] == line[:999]


def a_secret_is_never_kept(secret: str, form: str, around: str) -> None:
    """Wherever it stands: in messages, notes, containers, scopes, and behind the error."""
    if secret in around:  # which then says it without saying what it is
        return
    said = f"{around} {form.format(secret)}"
    error = ValueError(said)
    error.add_note(said)
    error.__cause__ = OSError(5, said, said)
    with scope(said=said, headers=[("Authorization", secret)], password=secret):
        event = capture(error, context={"deep": {"api_key": [secret], "list": [said]}})
        sent = inject()
    assert secret not in json.dumps(event.to_dict(), ensure_ascii=False)
    assert secret not in str(sent)


def an_error_is_one_line(message: str, context: Mapping[str, object]) -> None:
    """In the plain form, as JSON that is valid, and in colour; whatever is in it."""
    record = Record(1, "event", capture(ValueError(message), context=context).to_dict())
    plain_line = _logged(record, None)
    assert plain_line.endswith("\n")
    assert plain_line[:-1].isprintable()
    json_line = _logged(record, structlog.processors.JSONRenderer())
    assert json_line.count("\n") == 1
    assert json_line.isascii()
    told = json.loads(json_line, parse_constant=_is_no_json)
    assert (told["level"], told["fault"]) == ("warning", "data")
    coloured = _logged(record, structlog.dev.ConsoleRenderer(colors=False))
    assert coloured.count("\n") == 1
    assert coloured[:-1].isprintable()


def a_carrier_gives_a_context(carrier: Any) -> None:
    """A bounded one that can be used and sent on, and that soon is the same where it arrives."""
    context = extract(carrier)
    assert len(context) <= 34
    with scope(**context):
        first = inject()
    assert all(value.isascii() and value.isprintable() for value in first.values())
    with scope(**extract(first)):
        second = inject()
    with scope(**extract(second)):
        assert inject() == second


def _is_no_json(constant: str) -> None:
    raise AssertionError(constant)


def _logged(record: Record, renderer: Callable[..., Any] | None) -> str:
    out = io.StringIO()
    structlog.reset_defaults()
    try:
        if renderer is not None:
            structlog.configure(
                processors=[structlog.processors.add_log_level, renderer],
                logger_factory=structlog.PrintLoggerFactory(out),
            )
        with redirect_stderr(out):
            LogLines().receive(record)
    finally:
        structlog.reset_defaults()
    return out.getvalue()
