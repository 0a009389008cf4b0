"""The scripts of the server do what the rules say, whatever is asked of them and in which order."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from tenuto.state import EXCHANGE, LEAVE, SETTLE
from tenuto.state.circuits import PARTS
from tenuto.state.rules import CircuitRecord
from tests.thoroughness import REPEATABLE, examples

MEMBERS = ["a/1", "a/2", "b/1", "c/1"]
TOKENS = ["a/1/1", "b/1/2", "c/1/3"]
LENGTHS = st.sampled_from([0, 0.25, 1, 2.5, 7])
_TIME = "redis.call('TIME')"


@pytest.fixture
def redis_client(url):
    import redis

    with redis.Redis.from_url(url) as client:
        yield client


def test_both_say_the_same(redis_client):  # noqa: C901 - the rules want the server
    class Both(RuleBasedStateMachine):
        def __init__(self):
            super().__init__()
            redis_client.flushall()
            self.record = CircuitRecord()
            self.now = 1000.0
            self.ear = redis_client.pubsub(ignore_subscribe_messages=True)
            self.ear.subscribe("news")
            self.ear.get_message(timeout=5.0)

        def teardown(self):
            self.ear.close()

        def do(self, script, *args):
            effect = script.rule(self.record, self.now, *args)
            # The server's own clock cannot be set.
            lua = script.lua.replace(_TIME, f"{{'{int(self.now)}', '{self.now % 1 * 1e6:.0f}'}}")
            assert lua != script.lua
            reply = redis_client.eval(lua, len(PARTS), *PARTS, "news", "hub", *args)
            assert [each.decode() for each in reply] == effect.reply
            heard = self.ear.get_message(timeout=5.0 if effect.news else 0.0)
            assert (heard is not None) == (effect.news is not None)
            if heard is not None:
                import json

                assert json.loads(heard["data"]) == ["hub", *effect.news]

        @rule(seconds=LENGTHS)
        def time_passes(self, seconds):
            self.now += seconds

        @rule(
            member=st.sampled_from(MEMBERS),
            era=st.sampled_from([0, 0, 0, 1, 10**9]),
            ahead=st.sampled_from([0, 0, 0, 1]),
            is_open=st.integers(0, 1),
            left=LENGTHS,
            vote=LENGTHS,
            count=st.sampled_from([0, 1, 1, 2, 3]),
            share=st.sampled_from([0.2, 1 / 3, 0.5, 0.99]),
            token=st.sampled_from(["", "", *TOKENS]),
            permits=st.integers(1, 3),
            held=st.lists(st.sampled_from(TOKENS), max_size=2),
        )
        def exchange(
            self, member, era, ahead, is_open, left, vote, count, share, token, permits, held
        ):
            era = self.record.era + 1 if ahead else min(era, self.record.era)
            told = (era, is_open, left, left, is_open, "told")
            voted = (vote, 2, "voted", count, share)
            self.do(EXCHANGE, member, *told, *voted, 3, 4, token, permits, *held)

        @rule(
            token=st.sampled_from(TOKENS),
            outcome=st.sampled_from(["failed", "succeeded", "released"]),
            open_for=LENGTHS,
            permits=st.integers(1, 3),
        )
        def settle(self, token, outcome, open_for, permits):
            self.do(SETTLE, token, outcome, open_for, permits)

        @rule(member=st.sampled_from(MEMBERS))
        def leave(self, member):
            self.do(LEAVE, member)

        @invariant()
        def both_keep_the_same(self):
            for part, kept in (
                ("leases", self.record.leases),
                ("votes", self.record.votes),
                ("nodes", self.record.nodes),
            ):
                pairs = redis_client.zrange(part, 0, -1, withscores=True)
                assert {member.decode(): until for member, until in pairs} == kept

        @invariant()
        def everything_expires(self):
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
