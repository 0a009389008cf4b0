"""Which orders ``stack`` refuses, which it warns of, and why."""

from __future__ import annotations

import re
import warnings
from itertools import product
from pathlib import Path

import pytest

from tenuto.errors import ConfigurationError
from tenuto.policies import (
    Bulkhead,
    CircuitBreaker,
    ConcurrencyLimit,
    Fallback,
    Hedge,
    LoadShedding,
    RateLimit,
    Retry,
    Timeout,
    stack,
)
from tenuto.policies.members import MEMBERS, member
from tenuto.policies.order import QUESTIONABLE, REFUSED

PAGE = Path(__file__).parents[2] / "docs/policies/stack.md"

MAKE = {
    "fallback": lambda: Fallback("local"),
    "retry": Retry,
    "breaker": CircuitBreaker,
    "timeout": lambda: Timeout(5),
    "hedge": lambda: Hedge(1),
    "load shedding": LoadShedding,
    "bulkhead": Bulkhead,
    "concurrency limit": ConcurrencyLimit,
    "rate limit": lambda: RateLimit(5),
}
SENSIBLE = (
    "fallback",
    "load shedding",
    "retry",
    "hedge",
    "breaker",
    "rate limit",
    "bulkhead",
    "concurrency limit",
    "timeout",
)


def test_every_policy_is_tried_here():
    assert {found.kind for found in MEMBERS.values()} == set(MAKE)


def test_the_order_nearly_everybody_wants_is_not_doubted():
    stack(*[MAKE[kind]() for kind in SENSIBLE if kind in MAKE])


@pytest.mark.parametrize(("outer", "inner"), [*product(MAKE, MAKE)])
def test_of_every_two_one_order_at_least_is_let_pass(outer, inner):
    """It is refused or doubted only where it says something better."""
    if outer == inner:
        return
    with warnings.catch_warnings(record=True):
        warnings.simplefilter("always")
        passed = 0
        for pair in ((outer, inner), (inner, outer)):
            try:
                stack(*[MAKE[kind]() for kind in pair])
            except ConfigurationError:
                continue
            passed += 1
    assert passed


@pytest.mark.parametrize(
    ("outer", "inner"), [pair for pair in QUESTIONABLE if set(pair) <= {*MAKE}]
)
def test_what_seldom_works_is_warned_of_however_far_apart(outer, inner):
    with pytest.warns(UserWarning, match=re.escape(QUESTIONABLE[outer, inner])):
        stack(MAKE[outer](), LoadShedding(), MAKE[inner](), Timeout(5))


@pytest.mark.parametrize("pair", REFUSED)
def test_what_multiplies_is_refused_however_far_apart(pair):
    with pytest.raises(ConfigurationError, match="would multiply"):
        stack(MAKE[pair[0]](), CircuitBreaker(), MAKE[pair[1]]())


@pytest.mark.parametrize("kind", [kind for kind in MAKE if kind != "fallback"])
def test_a_fallback_for_everything_hides_failures_from_whatever_is_around_it(kind):
    with pytest.raises(ConfigurationError, match="hides every failure"):
        stack(MAKE[kind](), Fallback("local"))
    with pytest.raises(ConfigurationError, match="hides every failure"):
        stack(MAKE[kind](), Fallback("local", exceptions=KeyError).then("nothing"))
    stack(MAKE[kind](), Fallback("local", exceptions=KeyError))


def test_fallbacks_are_chained_not_stacked():
    with pytest.raises(ConfigurationError, match=r"chain them with then\(\)"):
        stack(Fallback("far"), Fallback("near"))


def test_one_object_has_one_place():
    breaker = CircuitBreaker("hub")
    with pytest.raises(ConfigurationError, match="twice"):
        stack(breaker, breaker)
    stack(breaker, CircuitBreaker("hub"))


def test_nothing_with_a_state_is_inside_of_another_process():
    with pytest.raises(ConfigurationError, match="put the isolated timeout last"):
        stack(Timeout(5, isolate=True), CircuitBreaker())
    stack(CircuitBreaker(), Timeout(5, isolate=True))


def test_of_two_timeouts_both_must_have_something_to_say():
    with pytest.raises(ConfigurationError, match="the shorter decides"):
        stack(Timeout(9), CircuitBreaker(), Timeout(5))
    with pytest.warns(UserWarning, match="before the inner limit is ever reached"):
        stack(Timeout(5), Retry(), Timeout(5))
    stack(Timeout(9), Retry(), Timeout(5))


def test_a_breaker_has_to_hear_of_what_is_stopped():
    with pytest.warns(UserWarning, match="put a timeout inside the breaker"):
        stack(Timeout(9), Retry(), CircuitBreaker())
    stack(Timeout(9), Retry(), CircuitBreaker(slow_after=5))
    stack(Timeout(9), Retry(), CircuitBreaker(), Timeout(5))


def test_a_circuit_does_not_take_a_queue_for_a_slow_dependency():
    waiting = RateLimit(5, max_wait=9)
    with pytest.warns(UserWarning, match="takes for a slow dependency: put the timeout inside"):
        stack(CircuitBreaker(), Timeout(5), waiting)
    stack(Timeout(5), Retry(), CircuitBreaker(), waiting, Timeout(1))
    stack(Timeout(5), waiting)
    stack(CircuitBreaker(), Timeout(5), RateLimit(5), Bulkhead(5))
    with pytest.warns(UserWarning, match="takes for a slow dependency: put the timeout inside"):
        stack(CircuitBreaker(), Timeout(5), Bulkhead(5, queue=1))


def test_what_is_no_policy_is_refused():
    with pytest.raises(ConfigurationError, match="is not a policy"):
        member(len)


@pytest.mark.parametrize(("outer", "inner"), [*QUESTIONABLE, *REFUSED])
def test_the_page_tells_of_every_pair(outer, inner):
    assert re.search(rf"^\| {outer} \| {inner} \|", PAGE.read_text(), re.MULTILINE)
