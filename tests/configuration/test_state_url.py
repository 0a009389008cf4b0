"""Where a handler's policies meet those of other processes: code, file and environment say it."""

from __future__ import annotations

import pytest

from tenuto.errors import ConfigurationError
from tenuto.machines import State
from tenuto.state import MemoryState, state_at


@pytest.fixture(autouse=True)
def apart(monkeypatch):
    """No state of an earlier test's."""
    monkeypatch.setattr("tenuto.state.opening._states", {})
    monkeypatch.setattr("tenuto.state.opening._memories", {})


def fleet_of(stack):
    return next(policy for policy in stack if hasattr(policy, "quorum")).fleet


def trip(handler, name="hub"):
    breaker = next(policy for policy in handler.policies[name] if hasattr(policy, "quorum"))
    for _ in range(5):
        with pytest.raises(ConnectionError), breaker:
            raise ConnectionError("down")
    return breaker


def test_without_one_nothing_is_shared(make):
    assert fleet_of(make().protect("hub")) is None


def test_handlers_of_one_url_share_the_circuits_of_a_name(make):
    one, other = make(state_url="memory://studio"), make(state_url="memory://studio")
    one.protect("hub")
    there = fleet_of(other.protect("hub")), other.policies["hub"]
    trip(one)
    breaker = next(policy for policy in there[1] if hasattr(policy, "quorum"))
    assert breaker.state is State.OPEN
    assert isinstance(there[0], MemoryState)


def test_a_circuit_breaker_with_a_name_is_shared_and_one_without_is_not(make):
    handler = make(state_url="memory://studio")
    named = handler.circuit_breaker(name="hub")
    assert named.fleet is state_at("memory://studio")
    assert handler.circuit_breaker(3).fleet is None
    assert handler.circuit_breaker(name="hub", fleet=None).fleet is None


def test_file_and_environment_outrank_the_code(make, write, monkeypatch):
    write('state_url = "memory://file"\n')
    handler = make(state_url="memory://code")
    assert fleet_of(handler.protect("hub")) is state_at("memory://file")
    monkeypatch.setenv("TENUTO_STATE_URL", "memory://environment")
    handler = make(state_url="memory://code")
    assert fleet_of(handler.protect("hub")) is state_at("memory://environment")


def test_an_empty_variable_says_nothing(make, monkeypatch):
    monkeypatch.setenv("TENUTO_STATE_URL", "")
    assert fleet_of(make().protect("hub")) is None


def test_the_table_in_pyproject_says_it_too(make, write):
    write('[tool.tenuto]\nstate_url = "memory://project"\n', "pyproject.toml")
    assert fleet_of(make().protect("hub")) is state_at("memory://project")


def test_a_quorum_is_a_setting_of_the_breaker(make, write):
    write("[policies.hub]\nbreaker = { quorum = 0.5 }\n")
    handler = make(state_url="memory://studio")
    handler.protect("hub")
    assert trip(handler).quorum == 0.5


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("state_url = 6379\n", "tenuto.toml: state_url is not usable: give a text such as redis"),
        ('state_url = "http://hub"\n', "tenuto.toml: state_url is not usable: give one such as"),
        ('state_url = "redis://hub:port"\n', "tenuto.toml: state_url is not usable: give one such"),
        ('state_url = "redis://hub/0?zzz=1"\n', "tenuto.toml: state_url is not usable"),
        ('state_url = "redis://[hub"\n', "tenuto.toml: state_url is not usable: give one such"),
    ],
)
def test_one_that_cannot_be_is_blamed_on_who_said_it(make, write, text, why):
    write(text)
    with pytest.raises(ConfigurationError, match=why):
        make().protect("hub")


def test_one_that_the_code_says_and_that_cannot_be_is_its_fault(make):
    with pytest.raises(ConfigurationError, match=r"^state_url is not usable"):
        make(state_url="hub:6379").protect("hub")


def test_a_server_that_is_not_there_is_no_reason_not_to_start(make):
    handler = make(state_url="redis://127.0.0.1:1/0")
    handler.protect("hub")
    assert trip(handler).state is State.OPEN
    fleet_of(handler.policies["hub"]).close()


def test_another_one_is_gone_by_in_the_next_process(make, write):
    write('state_url = "memory://one"\n')
    handler = make()
    handler.protect("hub")
    write('state_url = "memory://two"\n')
    assert handler.reload().restart == ("state_url",)
    assert handler.reload().restart == ()
    assert fleet_of(handler.policies["hub"]) is state_at("memory://one")


def test_the_same_one_said_elsewhere_is_no_change(make, write, monkeypatch):
    write('state_url = "memory://one"\n')
    handler = make()
    handler.protect("hub")
    monkeypatch.setenv("TENUTO_STATE_URL", "memory://one")
    assert handler.reload().restart == ()
