"""A ladder gives the best there is, and says what it cost."""

import asyncio
import gc
import weakref

import pytest

from tenuto.errors import (
    AudioProcessingError,
    ConfigurationError,
    EngineError,
    FaultClass,
    QualityThresholdError,
    ResourceLimitError,
    classify,
)
from tenuto.recovery import Judgement, Ladder, Tier


@pytest.fixture(params=["sync", "async"])
def climb(request):
    """``climb`` as both worlds call it."""

    def call(ladder, *args, **kwargs):
        if request.param == "sync":
            return ladder.climb(*args, **kwargs)
        return asyncio.run(ladder.climb_async(*args, **kwargs))

    return call


def fails_with(error):
    def tier(*args):
        raise error

    return tier


def test_the_first_tier_that_works_is_taken(climb):
    result = climb(Ladder([("high", lambda x: x * 3), ("basic", lambda x: x * 2)]), 5)
    assert (result.output, result.tier, result.accepted, result.degraded) == (
        15,
        "high",
        True,
        False,
    )
    assert result.judgement is None
    assert result.falls == ()


def test_an_error_falls_to_the_next_tier_and_is_told(climb):
    told = []
    ladder = Ladder(
        [("high", fails_with(EngineError("broken"))), ("basic", lambda x: x)],
        on_fall=lambda tier, error: told.append((tier, str(error))),
    )
    result = climb(ladder, 5)
    assert (result.output, result.tier, result.accepted, result.degraded) == (
        5,
        "basic",
        True,
        True,
    )
    assert told == [("high", "broken")]
    (fall,) = result.falls
    assert (fall.tier, fall.error_type, fall.message) == ("high", "EngineError", "broken")
    assert fall.fault_class is FaultClass.INFRASTRUCTURE


def test_an_output_its_gate_rejects_falls_too(climb):
    told = []
    ladder = Ladder(
        [("high", lambda x: 1), ("basic", lambda x: 3)],
        gate=lambda out, x: Judgement(out >= x, score=out, threshold=x),
        on_fall=lambda tier, error: told.append(error),
    )
    result = climb(ladder, 2)
    assert (result.output, result.tier) == (3, "basic")
    assert result.judgement == Judgement(accepted=True, score=3, threshold=2)
    assert isinstance(told[0], QualityThresholdError)
    assert (told[0].quality_score, told[0].threshold) == (1, 2)


def test_the_best_reject_is_kept(climb):
    scores = {"high": 0.4, "medium": 0.5, "basic": 0.5}
    ladder = Ladder(
        [(name, lambda name=name: name) for name in scores],
        gate=lambda name: Judgement(accepted=False, score=scores[name], threshold=0.9),
    )
    result = climb(ladder)
    assert (result.output, result.tier, result.accepted) == ("medium", "medium", False)
    assert result.judgement.score == 0.5
    assert [fall.tier for fall in result.falls] == ["high", "medium", "basic"]


def test_of_rejects_without_a_score_the_first_is_kept(climb):
    ladder = Ladder([("high", lambda: "a"), ("basic", lambda: "b")], gate=lambda out: False)
    assert climb(ladder).output == "a"


def test_a_reject_is_better_than_nothing(climb):
    ladder = Ladder(
        [Tier("high", lambda: "a", gate=lambda out: False), ("basic", fails_with(OSError()))]
    )
    result = climb(ladder)
    assert (result.output, result.accepted) == ("a", False)


def test_a_tiers_own_gate_goes_before_the_ladders(climb):
    ladder = Ladder(
        [("high", lambda: "a"), Tier("original", lambda: "b", gate=lambda out: True)],
        gate=lambda out: False,
    )
    assert climb(ladder).tier == "original"


def test_when_every_tier_fails_the_error_says_all_of_it(climb):
    ladder = Ladder(
        [
            ("high", fails_with(EngineError("broken"))),
            ("medium", fails_with(ResourceLimitError("memory", 2, 1))),
            ("basic", fails_with(ValueError())),
        ]
    )
    with pytest.raises(AudioProcessingError) as caught:
        climb(ladder)
    text = str(caught.value)
    assert "high: broken" in text
    assert "medium: memory: 2 used, the limit is 1" in text
    assert "basic: ValueError" in text
    assert [fall.tier for fall in caught.value.falls] == ["high", "medium", "basic"]
    assert isinstance(caught.value.__cause__, ValueError)
    assert classify(caught.value) is FaultClass.RESOURCE


def test_a_configuration_fault_is_for_a_person_to_put_right(climb):
    ladder = Ladder([("high", fails_with(ConfigurationError("a", "b"))), ("basic", lambda: 1)])
    with pytest.raises(ConfigurationError):
        climb(ladder)


def test_an_interruption_is_nobodys_fall(climb):
    told = []
    ladder = Ladder(
        [("high", fails_with(KeyboardInterrupt())), ("basic", lambda: 1)],
        on_fall=lambda *what: told.append(what),
    )
    with pytest.raises(KeyboardInterrupt):
        climb(ladder)
    assert told == []


def test_a_gate_that_fails_lets_nothing_pass(climb):
    def gate(out):
        if out == "a":
            raise OSError("the meter is broken")
        return True

    assert climb(Ladder([("high", lambda: "a"), ("basic", lambda: "b")], gate=gate)).tier == "basic"


def test_a_ladder_needs_a_rung():
    with pytest.raises(ConfigurationError):
        Ladder([])


def test_a_ladder_can_be_read():
    assert str(Ladder([("high", len), ("basic", len)])) == "high → basic"


async def test_tiers_and_gates_may_be_asynchronous():
    async def high(x):
        await asyncio.sleep(0)
        return x

    async def gate(out, x):
        return True

    assert not Ladder([("basic", len)]).is_async
    ladder = Ladder([("high", high)], gate=gate)
    assert ladder.is_async
    assert (await ladder.climb_async(7)).output == 7


def test_an_asynchronous_tier_cannot_be_climbed_here():
    async def high():
        return 1

    with pytest.raises(ConfigurationError, match="await"):
        Ladder([("high", high), ("basic", lambda: 2)]).climb()


def test_nothing_of_a_failed_tier_is_kept_alive(climb):
    class Tensor:
        pass

    refs = []

    def high():
        tensor = Tensor()
        refs.append(weakref.ref(tensor))
        raise EngineError("broken")

    result = climb(Ladder([("high", high), ("basic", lambda: 1)]))
    gc.collect()
    assert result.output == 1
    assert refs[0]() is None


def test_a_ladder_can_tell_somebody_else_too_and_stays_as_it_was(climb):
    told = []
    ladder = Ladder([("high", fails_with(EngineError("broken"))), ("basic", lambda: 1)])
    climb(ladder.telling(lambda tier, error: told.append(tier)))
    climb(ladder)
    assert told == ["high"]
