"""``handler.protect``: what code, file and environment say of one name, together."""

from __future__ import annotations

import pytest

from tenuto.errors import CircuitOpenError, ConfigurationError
from tenuto.policies import (
    CircuitBreaker,
    EventKind,
    Fallback,
    RateLimit,
    Retry,
    RetryBudget,
    Timeout,
)


def kinds(stack):
    return [type(policy).__name__ for policy in stack]


def test_a_name_alone_gives_what_nearly_everybody_wants(make):
    retry, breaker = make().protect("hub")
    assert (retry.name, retry.calls, retry.budget.name) == ("hub", 4, "hub")
    assert (breaker.name, breaker.failure_threshold, breaker.timeout) == ("hub", 5, 60.0)


def test_each_policy_has_its_place_however_it_is_said(make):
    guarded = make().protect(
        "hub",
        fallback=len,
        timeout=20,
        concurrency=True,
        bulkhead=8,
        rate={"calls": 5, "per": 1},
        hedge=2.0,
        retry=Retry(1),
        shedding=True,
    )
    assert kinds(guarded) == [
        "Fallback",
        "LoadShedding",
        "Retry",
        "Hedge",
        "CircuitBreaker",
        "RateLimit",
        "Bulkhead",
        "ConcurrencyLimit",
        "Timeout",
    ]
    assert {policy.name for policy in guarded} == {"hub"}


def test_what_is_false_is_left_out(make):
    assert kinds(make().protect("hub", retry=False)) == ["CircuitBreaker"]
    assert make().protect("hub", budget=False).policies[0].budget is None
    bare = make().protect("hub", retry=False, breaker=False)
    assert bare(len) is len
    assert str(bare) == bare.table() == "no policies"


def test_what_is_true_is_there_by_its_defaults(make):
    assert kinds(make().protect("hub", retry=True)) == ["Retry", "CircuitBreaker"]
    with pytest.raises(ConfigurationError, match=r"timeout of hub .*: say its seconds as well"):
        make().protect("hub", timeout=True)


def test_a_budget_may_be_given_with_the_retry_or_beside_it_but_once(make, write):
    budget = RetryBudget("all")
    assert make().protect("hub", retry=Retry(budget=budget)).policies[0].budget is budget
    assert make().protect("hub", budget=budget).policies[0].budget is budget
    with pytest.raises(ConfigurationError, match="say it once"):
        make().protect("hub", retry=Retry(budget=budget), budget=9)
    write("[policies.hub]\nbudget = 50\n")
    handler = make()
    handler.protect("hub", retry=Retry(budget=budget))
    assert budget.capacity == 50
    assert not handler.reload()


def test_a_policy_given_is_the_one_in_force(make, journal):
    breaker = CircuitBreaker(failure_threshold=1)
    fallback = Fallback("local")
    guarded = make().protect("hub", breaker=breaker, retry=False, fallback=fallback)

    @guarded
    def call():
        raise ConnectionError

    assert [call(), call()] == ["local", "local"]
    assert breaker.state == "open"
    assert breaker.name == "hub"
    assert fallback.name is None  # it shares nothing, and so a copy is bound
    assert {tally.what for tally in journal.tallies()} == {"tripped", "refused", "fell_back"}


def test_all_functions_of_one_name_share_one_circuit_and_one_budget(make):
    handler = make()
    first, second = handler.protect("hub", retry=1), handler.protect("hub")
    assert first.policies[1] is second.policies[1]
    assert first.policies[0].budget is second.policies[0].budget
    assert make().protect("hub").policies[1] is not first.policies[1]


def test_a_name_means_one_set_of_policies(make):
    handler = make()
    handler.protect("hub", timeout=20)
    assert kinds(handler.protect("hub", timeout=20, fallback=len))[0] == "Fallback"
    for other in ({"timeout": 30}, {"rate": 5}):
        with pytest.raises(ConfigurationError, match="a name of its own"):
            handler.protect("hub", **other)


def test_a_policy_nobody_knows_is_refused(make):
    with pytest.raises(ConfigurationError, match=r"did you mean timeout\?"):
        make().protect("hub", time_out=20)
    with pytest.raises(ConfigurationError, match=r"timeout of hub is not usable: give a number of"):
        make().protect("hub", timeout="soon")


def test_the_default_outranks_what_is_built_in_the_code_that_the_file_that_the_environment(
    make, write, monkeypatch
):
    write(
        "[policies.default]\nretry = 1\nbreaker = 1\ntimeout = 1\nrate = 1\n"
        "[policies.hub]\ntimeout = 3\nrate = 3\n"
    )
    monkeypatch.setenv("TENUTO_POLICIES__HUB__RATE", "4")
    retry, breaker, rate, timeout = make().protect("hub", breaker=2, timeout=2, rate=2)
    assert retry.max_retries == 1
    assert breaker.failure_threshold == 2
    assert timeout.seconds == 3
    assert rate.calls == 4


def test_what_the_file_says_of_a_policy_given_changes_only_that(make, write):
    write("[policies.hub]\ntimeout = 3\nrate = { max_wait = 7 }\n")
    limit = RateLimit(9)
    rate, timeout = make().protect(
        "hub", retry=False, breaker=False, timeout=Timeout(1, isolate=True), rate=limit
    )
    assert (timeout.seconds, timeout.isolate) == (3, True)
    assert rate is limit
    assert (rate.calls, rate.max_wait) == (9, 7)


def test_the_file_may_switch_a_policy_on_and_off(make, write):
    write("[policies.hub]\ntimeout = 3\nbreaker = false\n[policies.other]\nretry = true\n")
    assert kinds(make().protect("hub")) == ["Retry", "Timeout"]
    assert kinds(make().protect("other", retry=False)) == ["Retry", "CircuitBreaker"]


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        ("retry = -1", "tenuto.toml: policies.hub.retry", "a whole number of 0 or more"),
        (
            "breaker = { failure_rate = 2 }",
            "tenuto.toml: policies.hub.breaker.failure_rate",
            "from 0 to 1, not 2",
        ),
        (
            "breaker = { failure_rate = 0.5, window = 5 }",
            "tenuto.toml: policies.hub.breaker.failure_rate",
            "minimum_calls: a window of 5 calls never holds that many",
        ),
        ("timeout = 0", "tenuto.toml: policies.hub.timeout", "above 0"),
        ("hedge = { max_hedges = 2 }", "policies.hub.hedge.max_hedges", "say its delay as well"),
    ],
)
def test_a_bad_value_is_told_of_with_who_gave_it(make, write, text, where, what):
    write(f"[policies.hub]\n{text}\n")
    with pytest.raises(ConfigurationError) as caught:
        make().protect("hub")
    assert caught.value.setting.endswith(where)
    assert what in str(caught.value)


def test_a_file_that_is_named_is_read_at_once_and_any_other_when_it_is_needed(make, write):
    write("[nonsense]\n")
    handler = make()
    with pytest.raises(ConfigurationError, match="nonsense"):
        handler.protect("hub")
    with pytest.raises(ConfigurationError, match="nonsense"):
        make(config="tenuto.toml")


def test_a_stack_of_the_handlers_tells_its_journal(make, journal, clock):
    breaker = CircuitBreaker("hub", 1)
    told = []
    guarded = make().stack(
        Fallback("local", on_event=lambda event: told.append(event.kind)),
        make().stack(Retry(1), breaker),
        Timeout(9),
    )

    @guarded
    def call():
        raise ConnectionError

    assert [call(), call()] == ["local", "local"]
    assert guarded.policies[2] is breaker
    assert breaker.clock is clock
    assert told == [EventKind.FELL_BACK] * 2
    assert {tally.what: tally.count for tally in journal.tallies()} == {
        "tripped": 1,
        "retried": 1,
        "refused": 2,
        "gave_up": 2,
    }


def test_a_stack_of_the_handlers_shows_whose_line_is_questionable(make):
    with pytest.warns(UserWarning, match="put the retry first") as warned:
        make().stack(CircuitBreaker(), Retry())
    assert warned[0].filename == __file__


def test_a_breaker_stays_itself_in_every_stack(make):
    handler, breaker = make(), CircuitBreaker("hub", 1)
    one = handler.stack(Retry(0), breaker)(lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        one()
    breaker.force_open()
    other = handler.stack(breaker)(len)
    with pytest.raises(CircuitOpenError):
        other("x")
    with pytest.raises(CircuitOpenError):
        one()


def test_what_is_in_force_is_listed_by_name(make):
    handler = make()
    handler.protect("hub", fallback=len, timeout=20)
    handler.protect("disk", breaker=False, retry=False)
    assert {name: kinds(stack) for name, stack in handler.policies.items()} == {
        "hub": ["Retry", "CircuitBreaker", "Timeout"],
        "disk": [],
    }
