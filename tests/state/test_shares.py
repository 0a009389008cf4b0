"""Budgets, rates and bulkheads of a fleet do the same in memory and with a real server."""

from __future__ import annotations

import asyncio
import contextlib
import gc

import pytest

from tenuto.clock import SimulatedClock
from tenuto.errors import BulkheadFullError, ConfigurationError, RateLimitedError
from tenuto.policies import Bulkhead, RateLimit, RetryBudget
from tenuto.policies.engine.queue import QueuedGate
from tenuto.state import Memory, MemoryState

EVEN = pytest.approx(0.5, abs=0.01)


def budgets(fleet, number, **settings):
    settings = {"capacity": 100, "cost": 5, "costs": {}, "refund": 0, **settings}
    return [
        RetryBudget("hub", clock=fleet.clock, fleet=node, **settings)
        for node in fleet.nodes(number)
    ]


def rates(fleet, number, calls=10.0, **settings):
    return [
        RateLimit(calls, name="hub", clock=fleet.clock, fleet=node, **settings)
        for node in fleet.nodes(number)
    ]


def bulkheads(fleet, number, limit=8, **settings):
    return [
        Bulkhead(limit, name="hub", clock=fleet.clock, fleet=node, **settings)
        for node in fleet.nodes(number)
    ]


def shares(policies):
    return [policy.share for policy in policies]


def share_evenly(policies):
    return lambda: all(abs(each.share - 1 / len(policies)) < 0.01 for each in policies)


def until(fleet, condition):
    """Wait for ``condition``; in memory, where nobody reports who wants nothing, have all do so."""

    def reported():
        for node in fleet._nodes:
            if isinstance(node, MemoryState):
                for member in node.members.all():
                    node.touch(member)
        return condition()

    fleet.until(reported)


def starts(limit):
    """Whether a call may start under ``limit`` now."""
    try:
        with limit:
            return True
    except (RateLimitedError, BulkheadFullError):
        return False


def test_alone_a_node_has_all_of_it(fleet):
    for make in (budgets, rates, bulkheads):
        (policy,) = make(fleet, 1)
        assert policy.share == 1.0


@pytest.mark.parametrize("make", [budgets, rates, bulkheads])
def test_those_that_join_divide_it(fleet, make):
    policies = make(fleet, 4)
    until(fleet, share_evenly(policies))
    until(fleet, lambda: sum(shares(policies)) <= 1.0 + 1e-6)


def test_the_retries_of_all_are_no_more_than_one_budget_allows(fleet):
    shared = budgets(fleet, 4, refund=1)
    until(fleet, share_evenly(shared))
    for budget in shared:
        budget.tally.successes += 100  # who joins has to earn what the others have given back
    retries = sum(budget.spend(None, None) for budget in shared for _ in range(50))
    assert retries == 100 // 5
    assert sum(budget.suppressed for budget in shared) == 200 - 20


def test_successes_earn_tokens_up_to_the_share(fleet):
    shared = budgets(fleet, 2, refund=5)
    until(fleet, share_evenly(shared))
    for budget in shared:
        while budget.spend(None, None):
            pass
        budget.tally.successes += 1000
        assert budget.tokens == pytest.approx(50, abs=1)


def test_a_share_that_grows_brings_room_and_no_tokens(fleet):
    shared = budgets(fleet, 2, refund=1)
    until(fleet, share_evenly(shared))
    while shared[0].spend(None, None):
        pass
    fleet._nodes[1].close()
    until(fleet, lambda: shared[0].share == 1.0)
    assert shared[0].tokens < 5
    shared[0].tally.successes += 100
    assert shared[0].tokens >= 100


def test_the_share_goes_where_it_is_wanted(fleet):
    busy, idle = budgets(fleet, 2)

    def most_is_with_the_busy_one():
        busy.spend(None, None)
        return busy.share > 0.85

    until(fleet, share_evenly([busy, idle]))
    until(fleet, most_is_with_the_busy_one)
    until(fleet, lambda: busy.share + idle.share <= 1.0 + 1e-6)
    assert idle.share >= 0.05


def test_who_becomes_busy_gets_its_part_back(fleet):
    first, second = rates(fleet, 2)

    def most_is_with(limit):
        def condition():
            starts(limit)
            return limit.share > 0.6

        return condition

    until(fleet, share_evenly([first, second]))
    until(fleet, most_is_with(first))
    until(fleet, most_is_with(second))
    until(fleet, lambda: first.share + second.share <= 1.0 + 1e-6)


def test_the_places_of_all_are_no_more_than_one_bulkhead_has(fleet):
    shared = bulkheads(fleet, 3, limit=8)
    until(fleet, lambda: sorted(round(8 * each.share) for each in shared) == [2, 3, 3])
    with contextlib.ExitStack() as inside:
        entered = 0
        for bulkhead in shared:
            while True:
                try:
                    inside.enter_context(bulkhead)
                except BulkheadFullError:
                    break
                entered += 1
        assert entered == 8


def test_who_needs_more_places_gets_those_that_others_leave_empty(fleet):
    busy, _idle = bulkheads(fleet, 2, limit=8)
    with contextlib.ExitStack() as inside:

        def more_than_half_is_inside():
            with contextlib.suppress(BulkheadFullError):
                inside.enter_context(busy)
            return busy.inside == 7

        until(fleet, more_than_half_is_inside)
        assert not starts(busy)


def test_whoever_is_inside_keeps_its_place_when_the_share_shrinks(fleet):
    first, *_ = bulkheads(fleet, 1, limit=4)
    with first, first, first, first:
        (second,) = bulkheads(fleet, 1, limit=4)
        until(fleet, lambda: first.share < 1.0)
        assert first.inside == 4
        assert not starts(first)
        until(fleet, lambda: starts(second))
    assert first.inside == 0


def test_whoever_waits_gets_a_place_when_the_share_grows(fleet):
    shared = bulkheads(fleet, 2, limit=4, queue=4)
    until(fleet, share_evenly(shared))
    entered = []

    async def run():
        all_are_inside = asyncio.Barrier(5)

        async def enter(number):
            async with shared[0]:
                entered.append(number)
                await all_are_inside.wait()

        waiting = [asyncio.create_task(enter(number)) for number in range(4)]
        for _ in range(10):
            await asyncio.sleep(0)
        assert (entered, shared[0].waiting) == ([0, 1], 2)
        fleet._nodes[1].close()
        await all_are_inside.wait()
        await asyncio.gather(*waiting)

    asyncio.run(asyncio.wait_for(run(), 60.0))
    assert entered == [0, 1, 2, 3]


@pytest.mark.parametrize("make", [budgets, rates, bulkheads])
def test_what_a_node_had_that_closes_the_others_have(fleet, make):
    policies = make(fleet, 2)
    until(fleet, share_evenly(policies))
    fleet._nodes[0].close()
    until(fleet, lambda: policies[1].share == 1.0)
    assert policies[0].share == EVEN  # it goes on by itself


def test_a_node_that_joins_late_gets_its_part(fleet):
    (first,) = rates(fleet, 1)
    assert first.share == 1.0
    (second,) = rates(fleet, 1)
    until(fleet, share_evenly([first, second]))


def test_others_with_the_same_name_are_others(fleet):
    node = fleet.node()
    budget = RetryBudget("hub", fleet=node, clock=fleet.clock)
    limit = RateLimit(5, name="hub", fleet=node, clock=fleet.clock)
    bulkhead = Bulkhead(name="hub", fleet=node, clock=fleet.clock)
    breaker = fleet.breaker(node)
    assert shares([budget, limit, bulkhead]) == [1.0] * 3
    assert breaker.fleet is node
    assert node.status().nonsense == 0


def test_two_budgets_of_one_process_divide_it_as_well(fleet):
    node = fleet.node()
    pair = [RetryBudget("hub", fleet=node, clock=fleet.clock) for _ in range(2)]
    until(fleet, share_evenly(pair))


def test_what_is_configured_anew_is_divided_as_before(fleet):
    shared = budgets(fleet, 2, refund=1)
    limits = rates(fleet, 2)
    places = bulkheads(fleet, 2)
    for pair in (shared, limits, places):
        until(fleet, share_evenly(pair))
    shared[0].tally.successes += 100
    shared[0].reconfigure(capacity=40)
    assert shared[0].tokens == pytest.approx(20, abs=2)
    limits[0].reconfigure(calls=4.0)
    assert sum(starts(limits[0]) for _ in range(9)) == 2
    places[0].reconfigure(limit=4)
    with places[0], places[0]:
        assert not starts(places[0])
    assert all(node.status().members == 1 for node in fleet._nodes)  # the copies never join


@pytest.mark.parametrize(
    "make",
    [
        lambda node: RetryBudget(fleet=node),
        lambda node: RateLimit(5, fleet=node),
        lambda node: Bulkhead(fleet=node),
    ],
)
def test_a_fleet_needs_a_name_to_find_it_by(make):
    with pytest.raises(ConfigurationError) as caught:
        make(MemoryState())
    assert caught.value.setting == "name"


@pytest.mark.parametrize(
    "make",
    [
        lambda **terms: RetryBudget("hub", **terms),
        lambda **terms: RateLimit(5, name="hub", **terms),
        lambda **terms: Bulkhead(name="hub", **terms),
    ],
)
def test_what_others_rely_on_cannot_change(make):
    node = MemoryState()
    shared, own = make(fleet=node), make()
    for policy, settings in (
        (shared, {"name": "other"}),
        (shared, {"fleet": None}),
        (own, {"fleet": node}),
        (own, {"clock": SimulatedClock()}),
    ):
        with pytest.raises(ConfigurationError) as caught:
            policy.reconfigure(**settings)
        assert caught.value.setting in settings
    own.reconfigure(name="other")
    assert own.name == "other"
    assert own.share == 1.0


def test_in_any_time_the_fleet_starts_no_more_calls_than_the_rate_allows():
    clock = SimulatedClock()
    memory = Memory(clock)
    limits = [
        RateLimit(20, name="hub", burst=4, clock=clock, fleet=MemoryState(memory)) for _ in range(5)
    ]
    wanted = [200, 200, 3, 1, 0]  # calls a second
    clock.advance(30.0)
    moments, due = [], [0.0] * 5
    began = clock.monotonic()
    while clock.monotonic() - began < 60.0:
        clock.advance(0.005)
        for number, limit in enumerate(limits):
            due[number] += wanted[number] * 0.005
            while due[number] >= 1.0:
                due[number] -= 1.0
                if starts(limit):
                    moments.append((clock.monotonic(), number))
    for span in (0.1, 1.0, 10.0, 50.0):
        for first in range(0, len(moments), 7):
            since = moments[first][0]
            within = sum(since <= when <= since + span for when, _ in moments)
            assert within <= 4 + len(limits) + 20 * (span + 0.005)
    late = [number for when, number in moments if when - began > 20.0]
    assert 0.9 * 40 * 20 <= len(late) <= 1.02 * 40 * 20
    assert late.count(2) >= 0.9 * 40 * 3  # who wants little gets it, whatever others want
    assert late.count(3) >= 0.9 * 40 * 1
    assert late.count(0) == pytest.approx(late.count(1), rel=0.1)


def test_a_dear_call_fits_wherever_it_would_fit_alone():
    clock = SimulatedClock()
    memory = Memory(clock)
    limits = [
        RateLimit(
            10, name="gpu", cost=lambda seconds: seconds, clock=clock, fleet=MemoryState(memory)
        )
        for _ in range(4)
    ]
    assert [limit(lambda seconds: seconds)(10) for limit in limits] == [10] * 4
    clock.advance(1.0)
    with pytest.raises(RateLimitedError):
        limits[0](lambda seconds: seconds)(10)
    clock.advance(100.0)
    assert limits[0](lambda seconds: seconds)(10) == 10


def test_costs_of_nothing_and_budgets_of_nothing_can_be_shared():
    memory = Memory()
    free = [RetryBudget("a", 10, 0, costs={}, fleet=MemoryState(memory)) for _ in range(2)]
    assert all(budget.spend(None, None) for budget in free)
    none = [RetryBudget("b", 0, 0, costs={}, fleet=MemoryState(memory)) for _ in range(2)]
    assert all(budget.spend(None, None) for budget in none)
    assert shares(none) == [EVEN, EVEN]


def test_a_policy_that_is_gone_takes_part_no_longer(fleet):
    node = fleet.node()
    kept, dropped = (RateLimit(5, name="hub", fleet=node, clock=fleet.clock) for _ in range(2))
    fleet.until(lambda: kept.share < 1.0)
    assert node.status().members == 2
    del dropped

    def it_is_alone():
        gc.collect()
        return node.status().members == 1

    fleet.until(it_is_alone)

    def it_has_all():
        node.touch(kept._gate.share)
        return kept.share == 1.0

    fleet.until(it_has_all)


def test_everybody_has_tokens_for_a_whole_retry(fleet):
    """A third of thirty is ten, however many digits a share has."""
    budgets = [
        RetryBudget("hub", 30, 10, costs={}, fleet=node, clock=fleet.clock)
        for node in fleet.nodes(3)
    ]

    def it_is_divided():
        for budget in budgets:
            budget.fleet.touch(budget._portion.share)
        return all(abs(share - 1 / 3) < 1e-6 for share in shares(budgets))

    fleet.until(it_is_divided)
    for budget in budgets:
        budget.tally.successes += 1000
    assert [budget.spend(None, None) for budget in budgets] == [True] * 3


@pytest.mark.parametrize(
    "make",
    [
        lambda node: Bulkhead(8, name="hub", fleet=node),
        lambda node: RateLimit(1e6, name="hub", fleet=node),
    ],
)
def test_who_is_let_in_at_once_wants_no_more(make, monkeypatch):
    policy, wanted = make(MemoryState()), []
    monkeypatch.setattr(policy._gate.share, "want", lambda: wanted.append(1))
    for _ in range(5):
        with policy:
            pass
    assert not wanted


def test_a_share_that_changes_while_the_limit_does_counts_too(monkeypatch):
    bulkhead, heard = Bulkhead(8, name="hub", fleet=MemoryState()), []
    resize = QueuedGate.resize

    def interrupted(gate, limit):
        if not heard:
            heard.append(limit)
            bulkhead._gate.share._go_by(0.5)
        resize(gate, limit)

    monkeypatch.setattr(QueuedGate, "resize", interrupted)
    bulkhead.reconfigure(limit=16)
    assert (bulkhead.share, bulkhead._gate.places.limit) == (0.5, 8)
