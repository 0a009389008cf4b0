"""What holds of a fleet's circuit, whoever asks what of it, in any order and more than once."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tenuto.state.rules import CircuitRecord, exchange, leave, settle
from tests.thoroughness import REPEATABLE, examples

PERMITS, LEASE, OPEN_TIME = 2, 10.0, 5.0
MEMBERS = ["a/1", "b/1", "c/1"]


class Circuit(RuleBasedStateMachine):
    """Members that know nothing, trip, probe, die; and a network that repeats what they say."""

    def __init__(self):
        super().__init__()
        self.record = CircuitRecord()
        self.now, self.serial = 1000.0, 0
        self.probes = {}  # token -> when its lease ends, and in which era it was given
        self.era = 0

    def tell(self, member, vote=0.0, token="", held=()):
        told = (0, 0, 0.0, 0.0, 0, "")
        effect = exchange(
            self.record, self.now, member, *told, vote, 0, "down", 1, 0.0, 10.0, LEASE, token,
            PERMITS, *held,
        )  # fmt: skip
        assert (effect.news is not None) == (self.record.era > self.era)
        self.era = self.record.era
        return effect.reply

    @rule(seconds=st.sampled_from([0.1, 1.0, OPEN_TIME, LEASE]))
    def time_passes(self, seconds):
        self.now += seconds

    @rule(member=st.sampled_from(MEMBERS))
    def one_trips(self, member):
        self.tell(member, vote=OPEN_TIME)
        assert self.record.open

    @rule(member=st.sampled_from(MEMBERS), times=st.integers(1, 2))
    def one_asks_to_probe(self, member, times):
        self.serial += 1
        token = f"{member}/{self.serial}"
        replies = [self.tell(member, token=token)[:2] for _ in range(times)]
        assert len({verdict for verdict, _ in replies}) == 1  # asked twice, it is one probe
        verdict, wait = replies[0]
        if verdict == "granted":
            assert self.record.open
            assert self.now >= self.record.until
            self.probes[token] = (self.now + LEASE, self.record.era)
        elif verdict == "refused":
            assert 0 < float(wait) <= max(1.0, self.record.until - self.now)
        else:
            assert not self.record.open

    @rule(index=st.integers(0, 9))
    def one_that_probes_is_alive(self, index):
        if self.probes:
            token = list(self.probes)[index % len(self.probes)]
            if token in self.record.leases:
                self.probes[token] = (self.now + LEASE, self.probes[token][1])
            self.tell(token.rpartition("/")[0], held=(token,))

    @rule(
        index=st.integers(0, 9),
        outcome=st.sampled_from(["failed", "succeeded", "released"]),
        times=st.integers(1, 2),
    )
    def a_probe_ends(self, index, outcome, times):
        if not self.probes:
            return
        token = list(self.probes)[index % len(self.probes)]
        _, era = self.probes.pop(token)
        before = self.record.era
        late = before != era or token not in self.record.leases
        for _ in range(times):
            settle(self.record, self.now, token, outcome, OPEN_TIME, PERMITS)
        if late:
            assert self.record.era == before
        if outcome == "failed" and not late:
            assert self.record.open
            assert self.record.until == self.now + OPEN_TIME
            assert self.record.era > before
        self.era = self.record.era

    @rule(member=st.sampled_from(MEMBERS))
    def one_leaves(self, member):
        leave(self.record, self.now, member)

    @invariant()
    def no_more_probe_than_may(self):
        going_on = [
            token
            for token, (until, era) in self.probes.items()
            if era == self.record.era and until > self.now
        ]
        assert len(going_on) + self.record.answered <= PERMITS

    @invariant()
    def eras_only_grow(self):
        assert self.record.era >= self.era


TestCircuit = Circuit.TestCase
TestCircuit.settings = settings(
    max_examples=examples(60), stateful_step_count=40, derandomize=REPEATABLE, deadline=None
)


def test_who_knows_of_a_later_era_is_right():
    record = CircuitRecord()
    told = (7, 1, 4.0, 2.0, 3, "down")
    effect = exchange(record, 100.0, "a/1", *told, 0.0, 0, "", 1, 0.0, 10.0, LEASE, "", PERMITS)
    assert effect.news == ["7", "1", "4.000000", "2.000000", "3", "down"]
    late = (6, 0, 0.0, 0.0, 0, "")
    effect = exchange(record, 101.0, "b/1", *late, 0.0, 0, "", 1, 0.0, 10.0, LEASE, "", PERMITS)
    assert effect.news is None
    assert effect.reply[2:5] == ["7", "1", "3.000000"]


def test_an_era_is_later_than_those_of_a_server_that_was_lost():
    record = CircuitRecord()
    exchange(
        record, 1e9, "a/1", 0, 0, 0.0, 0.0, 0, "", 5.0, 0, "", 1, 0.0, 10.0, LEASE, "", PERMITS
    )
    assert record.era == 10**12
