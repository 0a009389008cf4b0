"""Nothing is missed for being in one channel of several, nor for channels that cancel out."""

from __future__ import annotations

import numpy as np
import pytest

from tenuto.audio.quality import Gate
from tenuto.audio.quality.excerpts import choose_excerpts
from tenuto.audio.survey import survey_of

from .test_gate import Opinions

RATE = 16_000


def chopped(samples):
    """A hole in every other 50 ms."""
    return samples * (np.arange(len(samples)) // 800 % 2)[:, None].astype(np.float32)


def side_by_side(*channels):
    return np.ascontiguousarray(np.concatenate(channels, axis=1), dtype=np.float32)


def faint_noise(shape, seed=0):
    return np.random.default_rng(seed).normal(0, 3e-3, shape).astype(np.float32)


@pytest.mark.parametrize("noise", [0.0, 1.0])
@pytest.mark.parametrize("other", [-1.0, -0.9])
def test_two_channels_that_cancel_out_are_judged_as_one_would_be(
    gate, speech, enhanced, noise, other
):
    """One wire swapped: in the mean of both there is nothing, or the noise alone."""
    before = side_by_side(speech, other * speech)
    before += noise * faint_noise(before.shape)
    bad = gate.judge(before, chopped(before), RATE)
    assert not bad.accepted
    assert bad.score == pytest.approx(gate.judge(speech, chopped(speech), RATE).score, abs=0.1)
    good = gate.judge(before, side_by_side(enhanced, other * enhanced), RATE)
    assert good.accepted
    assert good.score == pytest.approx(gate.judge(speech, enhanced, RATE).score, abs=0.1)


def test_two_channels_that_cancel_out_have_a_quality(speech, enhanced):
    before, after = side_by_side(speech, -speech), side_by_side(enhanced, -enhanced)
    verdict = Gate(3.5, meter=Opinions(2.9, 2.0)).judge(before, after, RATE)
    assert not verdict.accepted
    assert verdict.reason == "quality 2.90 is below 3.5"


def test_channels_that_cancel_out_for_a_while_are_heard_then_too(speech):
    half = np.tile(speech, (2, 1))
    before = np.concatenate((side_by_side(half, half), side_by_side(half, -half)))
    excerpts = choose_excerpts(survey_of(before, RATE), 2)
    assert [excerpt.channel for excerpt in excerpts] == [None, 0]


def test_ordinary_channels_are_heard_together(speech):
    other = np.roll(speech, 3 * RATE, axis=0)
    for before in (side_by_side(speech, speech), side_by_side(speech, other), speech):
        assert all(each.channel is None for each in choose_excerpts(survey_of(before, RATE)))


def test_where_channels_cancel_out_the_loudest_is_heard(speech):
    before = side_by_side(0.3 * speech, -0.9 * speech, 0.6 * speech)
    (excerpt,) = choose_excerpts(survey_of(before, RATE))
    assert excerpt.channel == 1


def test_an_output_that_lacks_the_loudest_channel_is_refused_for_its_shape(gate, speech):
    verdict = gate.judge(side_by_side(-0.9 * speech, speech), speech, RATE)
    assert "shape" in verdict.reason


@pytest.fixture
def eight(speech):
    """Eight microphones around one speaker, each with noise of its own."""
    channels = np.repeat(speech, 8, axis=1)
    return channels + faint_noise(channels.shape)


def test_one_channel_of_eight_that_was_silenced_is_found(gate, eight):
    after = eight * np.float32(0.9)
    assert gate.judge(eight, after, RATE).accepted
    after[:, 3] = 0
    verdict = gate.judge(eight, after, RATE)
    assert not verdict.no_worse
    assert verdict.reason == "channel 4 of the output is silent, that of the input is not"


def test_so_it_is_if_a_trace_is_left_of_what_the_others_kept(gate, eight):
    after = eight.copy()
    after[:, 3] *= np.float32(1e-4)
    verdict = gate.judge(eight, after, RATE)
    assert verdict.reason == "channel 4 of the output is silent, that of the input is not"


def test_one_channel_of_eight_that_was_turned_upside_down_is_found(gate, eight):
    after = eight.copy()
    after[:, 5] *= -1
    verdict = gate.judge(eight, after, RATE)
    assert not verdict.no_worse
    assert verdict.reason == "channel 6 of the output is upside down"


def test_a_channel_that_died_half_way_is_found(gate, speech):
    before = np.tile(side_by_side(speech, np.roll(speech, RATE, axis=0)), (3, 1))
    after = before.copy()
    after[8 * RATE :, 1] = 0
    verdict = gate.judge(before, after, RATE)
    assert verdict.reason == (
        "channel 2 of the output falls silent at 8 s, that of the input does not"
    )


def test_a_channel_of_mere_hum_may_be_taken_away(gate, speech, enhanced):
    """Some engines leave less than a hundredth of a thousandth of it, in whatever phase."""
    hum = 0.05 * np.sin(2 * np.pi * 50 / RATE * np.arange(len(speech)))[:, None]
    for left in (1e-5, -1e-5, -0.05):
        after = side_by_side(enhanced, left * hum)
        assert gate.judge(side_by_side(speech, hum), after, RATE).accepted


def test_a_silent_channel_may_stay_so(gate, speech, enhanced):
    nothing = np.zeros_like(speech)
    before, after = side_by_side(speech, nothing), side_by_side(enhanced, nothing)
    assert gate.judge(before, after, RATE).accepted


def test_an_input_that_was_heard_in_part_is_heard_again_from_its_beginning(gate, eight):
    """As when memory runs out and the tier begins again, after all excerpts have gone by."""
    hearing = gate.attend(survey_of(eight, RATE))
    halves = np.split(eight, 2)
    next(hearing.before(iter(halves)))
    list(hearing.before(iter(halves)))
    after = eight.copy()
    after[:, 7] *= -1
    assert "upside down" in hearing.judge(after).reason
    assert hearing.judge(eight).accepted
