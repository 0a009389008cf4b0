"""How a fleet divides a number: what holds at any moment, and that the server does the same."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tenuto.state.shares import (
    CALL_EVERY,
    FAIR_PART,
    REPORTS,
    SharesRecord,
    leave_shares,
    level,
    share_out,
)
from tenuto.state.shares_lua import LEAVE_SHARES, SHARE_OUT, SHARES
from tests.thoroughness import REPEATABLE, examples

MEMBERS = [f"{node}/1" for node in "abcdefg"]
WANTS = [0.0, 1 / 64, 1 / 8, 3 / 8, 1.0, 5.0]
SPANS = [0.0, 0.25, 1.0, 4.0, 11.0]
ALIVE = 10.0
ALMOST = 1e-9
QUICK = settings(max_examples=examples(100), deadline=None, derandomize=REPEATABLE)


class Table:
    """Nodes that report by turns, and go by what they are told."""

    def __init__(self, units=0):
        self.record = SharesRecord()
        self.units = units
        self.now = 0.0
        self.parts = {}
        self.called = False

    def report(self, member, wanted=0.0):
        held = self.parts.get(member, 0.0)
        effect = share_out(self.record, self.now, member, 7, wanted, held, self.units, ALIVE)
        number, share, count = effect.reply
        assert number == "7"
        assert int(count) == len(self.record.nodes)
        self.parts[member] = float(share)
        self.called = effect.news is not None
        return float(share)

    def reports(self, **wanted):
        for _ in range(3):  # at first some have not given back yet what others get
            for member, each in wanted.items():
                self.report(member, each)
        return [round(self.parts[member], 6) for member in wanted]

    def leave(self, member):
        effect = leave_shares(self.record, self.now, member)
        self.called = effect.news is not None
        self.parts.pop(member, None)


def test_one_node_has_all_of_it():
    table = Table()
    assert table.report("a") == 1.0
    assert table.report("a", wanted=9.0) == 1.0


def test_those_that_want_nothing_have_equal_shares():
    assert Table().reports(a=0.0, b=0.0, c=0.0, d=0.0) == [0.25] * 4


def test_who_wants_less_than_a_fair_share_gets_that_and_a_little_and_the_others_the_rest():
    assert Table().reports(a=9.0, b=9.0, c=0.2, d=0.0) == pytest.approx([0.35, 0.35, 0.25, 0.05])


def test_who_wants_nothing_while_others_want_all_keeps_a_part_of_a_fair_share():
    assert Table().reports(a=100.0, b=0.0) == [0.9, FAIR_PART / 2]


def test_what_nobody_wants_goes_to_all_alike():
    assert Table().reports(a=0.48, b=0.08) == [0.75, 0.25]


def test_a_number_of_things_is_divided_into_whole_ones_and_none_is_left_over():
    shares = Table(units=8).reports(a=0.0, b=0.0, c=0.0)
    assert sorted(share * 8 for share in shares) == [2, 3, 3]


def test_where_there_are_more_nodes_than_things_each_has_one():
    assert Table(units=2).reports(a=1.0, b=1.0, c=1.0) == [0.5] * 3


def test_who_joins_is_heard_by_all_and_has_little_until_the_others_have_given_back():
    table = Table()
    table.report("a", 0.5)
    assert table.called
    table.report("a", 0.5)
    assert not table.called
    assert table.report("b", 0.5) == FAIR_PART / 2
    assert table.called
    assert table.report("a", 0.5) == 0.5
    assert table.report("b", 0.5) == 0.5


def test_who_wants_more_has_all_report_but_not_all_the_time():
    table = Table()
    table.reports(a=0.75, b=0.0)
    table.now += CALL_EVERY
    table.report("b", 0.0)
    assert not table.called
    table.report("b", 1.0)
    assert table.called
    table.report("b", 1.0)
    assert not table.called
    table.now += CALL_EVERY
    table.report("b", 1.0)
    assert table.called
    table.report("a", 0.0)
    table.now += CALL_EVERY
    assert table.report("b", 0.5) == pytest.approx(0.7625)
    assert not table.called


def test_of_many_nodes_all_are_called_less_often():
    table = Table()
    table.reports(**{f"n{number}": 1.0 for number in range(3 * REPORTS)})
    table.now += 3.0
    table.report("n0", 1.0)
    assert table.called
    table.now += 2.9
    table.report("n0", 1.0)
    assert not table.called
    table.now += 0.1
    table.report("n0", 1.0)
    assert table.called


def test_what_a_dead_node_had_is_free_when_it_is_not_heard_of_for_long():
    table = Table()
    table.reports(a=1.0, b=1.0)
    table.now = ALIVE - 1
    assert table.report("a", 1.0) == 0.5
    table.now = ALIVE
    assert table.report("a", 1.0) == 1.0


def test_what_a_node_had_that_leaves_is_free_at_once():
    table = Table()
    table.reports(a=1.0, b=1.0)
    table.leave("b")
    assert table.called
    assert table.report("a", 1.0) == 1.0
    table.leave("b")
    assert not table.called


def test_a_server_that_has_forgotten_all_gives_nobody_more_than_it_holds():
    table = Table()
    table.reports(a=1.0, b=1.0, c=0.0)
    held = dict(table.parts)
    table.record = SharesRecord()
    for member in ("b", "c", "a"):
        assert table.report(member, 1.0) <= held[member]
        assert sum(each.share for each in table.record.nodes.values()) <= 1.0
    table.now += ALIVE / 2
    assert table.reports(a=1.0, b=1.0, c=1.0)[2] <= held["c"] + 1e-6
    table.now += ALIVE / 2
    assert table.reports(a=1.0, b=1.0, c=1.0) == pytest.approx([1 / 3] * 3, abs=1e-6)


@given(wants=st.lists(st.floats(0.0, 4.0), min_size=1, max_size=9), room=st.floats(0.001, 2.0))
@QUICK
def test_the_level_uses_all_the_room_or_is_none(wants, room):
    highest = level(wants, room)
    dealt = sum(min(each, highest) for each in wants)
    if highest == math.inf:
        assert sum(wants) <= room + ALMOST
    else:
        assert dealt == pytest.approx(room)


class Law(RuleBasedStateMachine):
    """The shares that are out sum to 1 at most, but for what those who join are given at once."""

    units = 0

    def __init__(self):
        super().__init__()
        self.table = Table(self.units)
        self.credit = 0.0
        self.unheard = set()

    def live(self):
        now = self.table.now
        return {name: each for name, each in self.table.record.nodes.items() if each.until > now}

    def total(self):
        return sum(each.share for each in self.live().values())

    @rule(member=st.sampled_from(MEMBERS), wanted=st.sampled_from(WANTS))
    def a_node_reports(self, member, wanted):
        live, before = self.live(), self.total()
        self.unheard &= live.keys()
        if member not in live:
            count = len(live) + 1
            least = FAIR_PART / count
            if self.units:
                least = max(1, math.floor(least * self.units)) / self.units
            limit = max(1.0, before + least)
            self.unheard = set(live)
        else:
            limit = max(1.0, before)
        self.table.report(member, wanted)
        self.unheard.discard(member)
        assert self.total() <= limit + ALMOST

    @rule(seconds=st.sampled_from(SPANS))
    def time_passes(self, seconds):
        self.table.now += seconds

    @rule(member=st.sampled_from(MEMBERS))
    def a_node_leaves(self, member):
        self.table.leave(member)
        self.unheard.discard(member)

    @rule()
    @precondition(lambda self: self.table.record.nodes)
    def the_server_forgets(self):
        self.table.record = SharesRecord()
        self.unheard.clear()

    @invariant()
    def once_all_are_heard_of_it_is_one_at_most(self):
        live = self.live()
        if not self.unheard & live.keys():
            most = max(1.0, len(live) / self.units) if self.units else 1.0
            assert self.total() <= most + ALMOST

    @invariant()
    def nobody_is_starved(self):
        for each in self.live().values():
            least = 1 / self.units if self.units else FAIR_PART / len(MEMBERS)
            assert each.share >= least - ALMOST


class LawOfThings(Law):
    units = 5


LONG = settings(
    max_examples=examples(60), stateful_step_count=40, deadline=None, derandomize=REPEATABLE
)
TestLaw = Law.TestCase
TestLaw.settings = LONG
TestLawOfThings = LawOfThings.TestCase
TestLawOfThings.settings = LONG


@given(
    wants=st.lists(st.sampled_from(WANTS), min_size=1, max_size=7),
    units=st.sampled_from([0, 3, 8, 100]),
    held=st.lists(st.floats(0.01, 1.0), min_size=7, max_size=7),
)
@QUICK
def test_whatever_was_before_a_few_turns_make_it_fair(wants, units, held):
    table = Table(units)
    members = MEMBERS[: len(wants)]
    table.parts.update(zip(members, held, strict=False))
    for _ in range(4):
        table.now += 6.0
        for member, wanted in zip(members, wants, strict=True):
            table.report(member, wanted)
    fresh = Table(units)
    right = fresh.reports(**dict(zip(members, wants, strict=True)))
    grain = 1 / units if units else 1e-6
    for share, other in zip(table.parts.values(), right, strict=False):
        assert abs(share - other) <= grain + 1e-6


@pytest.fixture
def redis_client(url):
    import redis

    with redis.Redis.from_url(url) as client:
        yield client


def test_the_server_does_what_the_rules_say(redis_client):
    class Both(RuleBasedStateMachine):
        def __init__(self):
            super().__init__()
            redis_client.flushall()
            self.record = SharesRecord()
            self.now = 1000.0
            self.number = 0
            self.ear = redis_client.pubsub(ignore_subscribe_messages=True)
            self.ear.subscribe("news")
            self.ear.get_message(timeout=5.0)

        def teardown(self):
            self.ear.close()

        def do(self, script, *args):
            effect = script.rule(self.record, self.now, *args)
            # The server's own clock cannot be set.
            time = f"{{'{int(self.now)}', '{self.now % 1 * 1e6:.0f}'}}"
            lua = script.lua.replace("redis.call('TIME')", time)
            assert lua != script.lua
            reply = redis_client.eval(lua, 1, SHARES, "news", "hub", *args)
            assert [each.decode() for each in reply] == effect.reply
            heard = self.ear.get_message(timeout=5.0 if effect.news else 0.0)
            assert (heard is not None) == (effect.news is not None)
            if heard is not None:
                assert json.loads(heard["data"]) == ["hub", *effect.news]

        @rule(seconds=st.sampled_from(SPANS))
        def time_passes(self, seconds):
            self.now += seconds

        @rule(
            member=st.sampled_from(MEMBERS[:4]),
            wanted=st.sampled_from(WANTS),
            held=st.sampled_from([0.0, 0.25, 1.0]),
            units=st.sampled_from([0, 5, 5, 8]),
        )
        def report(self, member, wanted, held, units):
            self.number += 1
            self.do(SHARE_OUT, member, self.number, wanted, held, units, ALIVE)

        @rule(member=st.sampled_from(MEMBERS[:4]))
        def leave(self, member):
            self.do(LEAVE_SHARES, member)

        @invariant()
        def it_expires(self):
            for key in redis_client.scan_iter():
                assert redis_client.ttl(key) > 3000

    run_state_machine_as_test(
        Both,
        settings=settings(
            max_examples=examples(25),
            stateful_step_count=25,
            derandomize=REPEATABLE,
            deadline=None,
        ),
    )
