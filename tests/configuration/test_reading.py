"""Where the configuration is found, what it may say, and what is said about a wrong one."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tenuto.configuration import read_configuration
from tenuto.errors import ConfigurationError
from tenuto.policies import Backoff

ONE = "[policies.hub]\nretry = 1\n"


def settings(configuration, name="hub"):
    return {
        kind: {key: given.value for key, given in said.items()}
        for kind, said in configuration.of(name).items()
    }


def test_without_a_file_nothing_is_said():
    configuration = read_configuration()
    assert configuration.file is None
    assert configuration.names == ()
    assert settings(configuration) == {}


def test_the_file_is_the_one_named_else_the_variables_else_tenuto_toml_else_pyproject(
    write, monkeypatch
):
    shared = write("[tool.tenuto.policies.hub]\nretry = 4\n", "pyproject.toml")
    assert read_configuration().file == shared
    own = write(ONE)
    assert read_configuration().file == own
    named = write(ONE, "elsewhere.toml")
    monkeypatch.setenv("TENUTO_CONFIG", "elsewhere.toml")
    assert read_configuration().file == named
    assert read_configuration("tenuto.toml").file == own


def test_one_file_counts_and_the_others_say_nothing(write):
    write("[tool.tenuto.policies.hub]\nretry = 4\ntimeout = 5\n", "pyproject.toml")
    write(ONE)
    assert settings(read_configuration()) == {"retry": {"max_retries": 1}}


def test_a_pyproject_that_says_nothing_of_tenuto_does_not_count(write):
    write("[tool.other]\nx = 1\n", "pyproject.toml")
    assert read_configuration().file is None
    write("tool = 1\n", "pyproject.toml")
    assert read_configuration().file is None


def test_a_broken_pyproject_is_told_of_where_it_speaks_of_tenuto(write):
    write("[tool.other\n", "pyproject.toml")
    assert read_configuration().file is None
    write("[tool.tenuto\n", "pyproject.toml")
    with pytest.raises(ConfigurationError, match=r"pyproject\.toml.*cannot be read"):
        read_configuration()


def test_a_pyproject_that_is_named_may_say_nothing(write):
    write("[project]\n", "pyproject.toml")
    assert settings(read_configuration("pyproject.toml")) == {}
    write("[tool]\ntenuto = 1\n", "pyproject.toml")
    with pytest.raises(ConfigurationError, match=r"pyproject\.toml: tool\.tenuto .*give a table"):
        read_configuration("pyproject.toml")


def test_a_file_that_was_named_has_to_be_there(monkeypatch):
    with pytest.raises(ConfigurationError, match=r"config is not usable: there is no file .*no\.t"):
        read_configuration("no.toml")
    monkeypatch.setenv("TENUTO_CONFIG", "gone.toml")
    with pytest.raises(ConfigurationError, match=r"TENUTO_CONFIG .*there is no file .*gone\.toml"):
        read_configuration()


def test_a_lone_value_is_the_main_setting(write):
    write('[policies.hub]\nretry = 5\ntimeout = "500ms"\nbreaker = false\n')
    assert settings(read_configuration()) == {
        "retry": {"max_retries": 5},
        "timeout": {"seconds": 0.5},
        "breaker": {"on": False},
    }


def test_what_toml_has_no_word_for_is_written_as_toml_can(write):
    write(
        "[policies.hub.breaker]\n"
        'failure_threshold = false\nfailure_rate = 0.5\nwindow = "2m"\ntimeout = "1h"\n'
        "[policies.hub.retry]\n"
        'backoff = { shape = "linear", initial = "2s", jitter = false }\n'
    )
    assert settings(read_configuration()) == {
        "breaker": {
            "failure_threshold": None,
            "failure_rate": 0.5,
            "window": timedelta(minutes=2),
            "timeout": 3600.0,
        },
        "retry": {"backoff": Backoff("linear", initial=2.0, jitter=False)},
    }


def test_a_word_is_taken_as_it_is(write):
    write('[policies.hub]\nconcurrency = { algorithm = "aimd" }\n')
    assert settings(read_configuration()) == {"concurrency": {"algorithm": "aimd"}}


def test_the_environment_outranks_the_file(write, monkeypatch):
    write("[policies.hub]\nretry = { max_retries = 5, max_hint = 60 }\n")
    monkeypatch.setenv("TENUTO_POLICIES__HUB__RETRY__MAX_RETRIES", "7")
    monkeypatch.setenv("TENUTO_POLICIES__HUB__BREAKER", "{ timeout = 30, window = 50 }")
    configuration = read_configuration()
    assert settings(configuration) == {
        "retry": {"max_retries": 7, "max_hint": 60},
        "breaker": {"timeout": 30, "window": 50},
    }
    assert configuration.variables == (
        "TENUTO_POLICIES__HUB__BREAKER",
        "TENUTO_POLICIES__HUB__RETRY__MAX_RETRIES",
    )


def test_a_variable_names_what_it_can_spell(write, monkeypatch):
    write('[policies."Hub-EU"]\nretry = 1\n')
    monkeypatch.setenv("TENUTO_POLICIES__HUB_EU__RETRY", "2")
    monkeypatch.setenv("TENUTO_POLICIES__NEW__RETRY", "3")
    monkeypatch.setenv("TENUTO_POLICIES__DEFAULT__RETRY__BACKOFF", "fixed")
    configuration = read_configuration()
    assert configuration.names == ("Hub-EU", "new")
    assert settings(configuration, "Hub-EU") == {"retry": {"max_retries": 2}}
    assert settings(configuration, "New") == {"retry": {"max_retries": 3}}
    assert settings(configuration, "default") == {"retry": {"backoff": "fixed"}}


def test_text_that_is_no_toml_is_text_and_more_than_a_value_is_none(monkeypatch):
    monkeypatch.setenv("TENUTO_POLICIES__HUB__TIMEOUT", "20s")
    assert settings(read_configuration()) == {"timeout": {"seconds": 20.0}}
    monkeypatch.setenv("TENUTO_POLICIES__HUB__TIMEOUT", "20\nother = 1")
    with pytest.raises(ConfigurationError, match="a number of seconds"):
        read_configuration()


def test_who_says_how_says_that(write, monkeypatch):
    write("[policies.hub]\ntimeout = false\nretry = false\n")
    monkeypatch.setenv("TENUTO_POLICIES__HUB__TIMEOUT", "20")
    assert settings(read_configuration()) == {"timeout": {"seconds": 20}, "retry": {"on": False}}


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        ("policies = 1", "tenuto.toml: policies", "give a table, not 1"),
        ("[policies]\nhub = 1", "tenuto.toml: policies.hub", "give a table, not 1"),
        (
            "[policy.hub]",
            "tenuto.toml: policy",
            "there is only policies and state_url (did you mean policies?)",
        ),
        ("[policies.hub]\nretries = 1", "policies.hub.retries", "(did you mean retry?)"),
        ("[policies.hub]\nzzz = 1", "policies.hub.zzz", "there is no such policy; there are "),
        (
            "[policies.hub]\nretry = { max_retry = 1 }",
            "tenuto.toml: policies.hub.retry.max_retry",
            "(did you mean max_retries?)",
        ),
        (
            "[policies.hub]\nretry = { max_retries = 1.5 }",
            "policies.hub.retry.max_retries",
            "give a whole number, not 1.5",
        ),
        (
            "[policies.hub]\nretry = { repeat_given_up = 1 }",
            "policies.hub.retry.repeat_given_up",
            "give true or false, not 1",
        ),
        (
            '[policies.hub]\nretry = { backoff = "exponentail" }',
            "policies.hub.retry.backoff",
            "(did you mean exponential?)",
        ),
        (
            "[policies.hub]\nretry = { backoff = { start = 1 } }",
            "policies.hub.retry.backoff",
            "give a table with shape, initial, maximum, jitter",
        ),
        (
            "[policies.hub]\nretry = { backoff = { initial = true } }",
            "policies.hub.retry.backoff",
            'give a number of seconds, or a duration such as "500ms", "30s" or "5m" as initial',
        ),
        (
            "[policies.hub]\nretry = { backoff = { initial = -1 } }",
            "policies.hub.retry.backoff",
            "give a number of 0 or more, not -1",
        ),
        (
            '[policies.hub]\nconcurrency = { algorithm = "gradiant" }',
            "policies.hub.concurrency.algorithm",
            "give one of gradient, aimd (did you mean gradient?), not 'gradiant'",
        ),
        (
            '[policies.hub]\nbreaker = { window = "long" }',
            "policies.hub.breaker.window",
            "give a whole number of calls, or a duration",
        ),
        (
            "[policies.hub]\nbreaker = { failure_rate = true }",
            "policies.hub.breaker.failure_rate",
            "give a number, or false for none, not True",
        ),
    ],
)
def test_a_wrong_file_is_told_of_with_key_and_what_is_allowed(write, text, where, what):
    write(text)
    with pytest.raises(ConfigurationError) as caught:
        read_configuration()
    assert caught.value.setting.endswith(where)
    assert what in str(caught.value)


@pytest.mark.parametrize(
    "variable",
    [
        "TENUTO_POLICIES",
        "TENUTO_POLICIES_HUB__RETRY",
        "TENUTO_POLICIES__HUB",
        "TENUTO_POLICIES__HUB____X",
        "TENUTO_POLICIES__HUB__RETRY__BACKOFF__SHAPE",
    ],
)
def test_a_variable_that_is_written_wrongly_is_not_passed_over(monkeypatch, variable):
    monkeypatch.setenv(variable, "1")
    with pytest.raises(ConfigurationError, match=r"write TENUTO_POLICIES__NAME__POLICY or"):
        read_configuration()


def test_a_variable_is_named_in_what_is_wrong_with_it(monkeypatch):
    monkeypatch.setenv("TENUTO_POLICIES__HUB__RETRY__MAX_RETRIES", "many")
    with pytest.raises(ConfigurationError, match="MAX_RETRIES is not usable: give a whole number"):
        read_configuration()
