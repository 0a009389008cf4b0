from __future__ import annotations

import email.message
import math
import urllib.error
from datetime import timedelta
from email.utils import formatdate
from types import SimpleNamespace

import httpx
import pytest
import requests

from tenuto.errors import (
    CircuitOpenError,
    ConfigurationError,
    ExternalServiceError,
    RateLimitedError,
)
from tenuto.policies import (
    Backoff,
    Retry,
    StopReason,
    deadline,
    hook_failures,
    server_hint,
)

THREE = Backoff("fixed", initial=3.0, jitter=False)


def told_by(header):
    """What each client library raises when a server answers 503 with ``header``."""
    request = httpx.Request("GET", "http://hub")
    response = httpx.Response(503, headers={"retry-after": header}, request=request)
    by_httpx = httpx.HTTPStatusError("503", request=request, response=response)
    answer = requests.Response()
    answer.headers["Retry-After"] = header
    by_requests = requests.HTTPError("503", response=answer)
    headers = email.message.Message()
    headers["Retry-after"] = header
    by_urllib = urllib.error.HTTPError("http://hub", 503, "503", headers, None)
    return [by_httpx, by_requests, by_urllib]


@pytest.mark.parametrize("client", range(3), ids=["httpx", "requests", "urllib"])
def test_the_header_sets_the_wait_in_seconds_or_by_date(world, retry, flaky, clock, client):
    seconds = told_by("7")[client]
    world.call(retry()(world.function(flaky(1, seconds))), "x")
    date = told_by(formatdate(clock.now() + 20, usegmt=True))[client]
    world.call(retry()(world.function(flaky(1, date))), "x")
    assert clock.sleeps == [7.0, 20.0]


def test_a_date_of_unknown_zone_is_utc(clock):
    error = SimpleNamespace(retry_after=formatdate(clock.now() + 20), __cause__=None)
    assert error.retry_after.endswith("-0000")
    assert server_hint(error, clock) == 20.0


@pytest.mark.parametrize(
    ("hint", "seconds"),
    [
        (7, 7.0),
        (0.25, 0.25),
        (timedelta(minutes=2), 120.0),
        ("7", 7.0),
        (" 1.5 ", 1.5),
        (86_400, 86_400.0),
    ],
)
def test_the_attribute_says_it_in_many_ways(hint, seconds):
    error = ConnectionError()
    error.retry_after = hint
    assert server_hint(error) == seconds


@pytest.mark.parametrize(
    "hint",
    [
        0,
        -1,
        math.inf,
        math.nan,
        True,
        None,
        1e300,
        10**400,
        1_700_000_000,  # a timestamp, where seconds belong
        timedelta(seconds=-5),
        timedelta.max,
        "",
        "inf",
        "nan",
        "-3",
        "0",
        "soon",
        "9" * 5000,
        "Tue, 32 Foo 2023 99:99:99 GMT",
        "Sun, 06 Nov 1994 08:49:37 GMT",  # long past
        b"7",
        [7],
        pytest.param(object(), id="an object"),
    ],
    ids=repr,
)
def test_what_makes_no_sense_is_no_hint(world, retry, flaky, clock, hint):
    error = ConnectionError()
    error.retry_after = hint
    assert world.call(retry(backoff=THREE)(world.function(flaky(1, error))), "x") == "x"
    assert clock.sleeps == [3.0]


def test_a_client_library_that_fails_while_it_is_asked_gives_no_hint(world, retry, flaky, clock):
    class Hostile(ConnectionError):
        @property
        def retry_after(self):
            raise RuntimeError("no")

    class Broken(ConnectionError):
        headers = 7

    before = hook_failures().count
    for kind in (Hostile, Broken):
        world.call(retry(backoff=THREE)(world.function(flaky(1, kind))), "x")
    assert clock.sleeps == [3.0, 3.0]
    assert hook_failures().count == before


def test_a_header_that_is_no_text_is_no_hint():
    error = ConnectionError()
    error.headers = {"retry-after": 7}
    assert server_hint(error) is None
    error.headers = {"retry-after": "7"}
    assert server_hint(error) == 7.0
    error.headers = {}
    assert server_hint(error) is None


def test_an_error_raised_from_what_the_client_raised_still_knows(world, retry, flaky, clock):
    error = ExternalServiceError("the hub answers with 503")
    error.__cause__ = told_by("7")[0]
    world.call(retry()(world.function(flaky(1, error))), "x")
    assert clock.sleeps == [7.0]


def test_endless_causes_end_the_search_for_a_hint():
    error = ConnectionError()
    error.__cause__ = error
    assert server_hint(error) is None


def test_a_function_of_the_error_may_know_better(world, retry, flaky, clock):
    error = ConnectionError()
    error.retry_after = 7
    world.call(
        retry(hint=lambda error: error.retry_after * 2)(world.function(flaky(1, error))), "x"
    )
    assert clock.sleeps == [14.0]


def test_without_hints_nobody_is_asked(world, retry, flaky, clock):
    error = ConnectionError()
    error.retry_after = 7
    world.call(retry(backoff=THREE, hint=None)(world.function(flaky(1, error))), "x")
    assert clock.sleeps == [3.0]


@pytest.mark.parametrize("said", [None, "7", -7, math.nan])
def test_a_function_that_knows_no_better_leaves_it_to_the_backoff(world, retry, flaky, clock, said):
    world.call(retry(backoff=THREE, hint=lambda _: said)(world.function(flaky(1))), "x")
    assert clock.sleeps == [3.0]


def test_a_function_with_a_bug_leaves_it_to_the_backoff_and_is_counted(world, retry, flaky, clock):
    before = hook_failures().count
    world.call(retry(backoff=THREE, hint=lambda _: 1 / 0)(world.function(flaky(1))), "x")
    assert clock.sleeps == [3.0]
    assert hook_failures().count == before + 1


def test_who_is_told_to_wait_too_long_gives_up_at_once(world, retry, flaky, clock, events):
    tomorrow = ConnectionError("come back tomorrow")
    tomorrow.retry_after = 86_400
    failing = flaky(1, tomorrow)
    with pytest.raises(ConnectionError) as caught:
        world.call(retry(name="hub")(world.function(failing)), "x")
    assert events[-1].reason is StopReason.HINT_TOO_LONG
    assert caught.value.__notes__ == [
        "tenuto: hub, attempt 1: the server asks for a longer wait than is allowed"
    ]
    assert clock.sleeps == []

    patient = retry(max_hint=100_000)(world.function(flaky(1, tomorrow)))
    assert world.call(patient, "x") == "x"
    assert clock.sleeps == [86_400.0]


def test_a_retry_further_out_does_not_come_back_too_early_either(world, retry, flaky):
    tomorrow = ConnectionError("come back tomorrow")
    tomorrow.retry_after = 86_400
    failing = flaky(9, tomorrow)
    inner = retry()(failing)
    with pytest.raises(ConnectionError):
        world.call(retry(hint=None)(world.function(inner)), "x")
    assert failing.calls == 1


def test_the_deadline_is_the_reason_where_there_is_one(world, retry, flaky, clock, events):
    tomorrow = ConnectionError()
    tomorrow.retry_after = 86_400
    with deadline(10, clock=clock), pytest.raises(ConnectionError):
        world.call(retry()(world.function(flaky(1, tomorrow))), "x")
    assert events[-1].reason is StopReason.DEADLINE


def test_a_call_over_the_rate_limit_is_repeated_when_there_is_room_again(
    world, retry, flaky, clock
):
    limited = flaky(2, RateLimitedError(service="hub", retry_after=2.5))
    assert world.call(retry(backoff=THREE, hint=None)(world.function(limited)), "x") == "x"
    assert clock.sleeps == [2.5, 2.5]


def test_so_is_one_that_failed_because_of_it(world, retry, flaky, clock):
    error = ExternalServiceError("no answer")
    error.__cause__ = RateLimitedError(service="hub", retry_after=2.5)
    assert world.call(retry(backoff=THREE)(world.function(flaky(1, error))), "x") == "x"
    assert clock.sleeps == [2.5]


def test_a_rate_limit_that_cannot_say_when_is_met_with_the_backoff(world, retry, flaky, clock):
    limited = flaky(1, RateLimitedError(service="hub"))
    assert world.call(retry(backoff=THREE)(world.function(limited)), "x") == "x"
    assert clock.sleeps == [3.0]


def test_other_refusals_end_it_however_deep_they_are(world, retry, flaky, clock, events):
    error = ConnectionError("no answer")
    error.__cause__ = CircuitOpenError("hub", 5.0)
    with pytest.raises(ConnectionError):
        world.call(retry()(world.function(flaky(1, error))), "x")
    assert events[-1].reason is StopReason.REFUSED
    assert clock.sleeps == []


@pytest.mark.parametrize("settings", [{"hint": 7}, {"max_hint": -1}, {"max_hint": "an hour"}])
def test_settings_that_make_no_sense_are_refused(settings):
    with pytest.raises(ConfigurationError) as caught:
        Retry(**settings)
    assert caught.value.setting in settings
