from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import butter, sosfilt

from tenuto.audio.quality import Gate, Score, Verdict
from tenuto.audio.quality.survival import compare
from tenuto.audio.quality.worsening import confidence, suspicion
from tenuto.errors import ConfigurationError, QualityThresholdError

RATE = 16_000


class Opinions:
    """A meter that likes what is quiet, and counts what it was asked."""

    def __init__(self, *opinions: float) -> None:
        self.opinions = list(opinions)

    def measure(self, excerpt):
        if not excerpt.any():
            return None
        return Score(self.opinions.pop(0), 3.0, 3.0)


def test_an_enhancement_passes_and_is_told_in_opinions_of_both(speech, enhanced):
    verdict = Gate().judge(speech, enhanced, RATE)
    assert verdict.accepted
    assert verdict.no_worse
    assert verdict.reason == ""
    assert verdict.quality_after > verdict.quality_before


def test_the_input_itself_passes(gate, speech):
    assert gate.judge(speech, speech.copy(), RATE).accepted


def muffle(samples):
    low = butter(6, 500, fs=RATE, output="sos")
    return sosfilt(low, samples, axis=0).astype(np.float32)


def scramble(samples):
    rng = np.random.default_rng(1)
    return rng.permutation(samples, axis=0)


@pytest.mark.parametrize("harm", [muffle, scramble, np.negative, np.flipud])
def test_an_output_that_lost_the_speech_is_turned_away(gate, speech, harm):
    verdict = gate.judge(speech, harm(speech), RATE)
    assert not verdict.accepted
    assert not verdict.no_worse
    assert 0 <= verdict.score < verdict.threshold <= 1
    assert verdict.reason.startswith("the speech suffered: ")


def test_an_output_that_breaks_a_law_has_no_confidence_at_all(gate, speech):
    verdict = gate.judge(speech, np.zeros_like(speech), RATE)
    assert (verdict.accepted, verdict.no_worse, verdict.score) == (False, False, 0.0)
    assert verdict.reason == "the output is silent, the input is not"


def test_an_output_that_is_no_worse_but_not_good_enough_may_still_be_used(speech, enhanced):
    gate = Gate(min_quality=3.5, meter=Opinions(2.9, 2.0))
    verdict = gate.judge(speech, enhanced, RATE)
    assert not verdict.accepted
    assert verdict.no_worse
    assert (verdict.score, verdict.threshold) == (2.9, 3.5)
    assert verdict.reason == "quality 2.90 is below 3.5"


def test_a_rejection_is_an_error_with_its_score_and_threshold():
    verdict = Verdict(accepted=False, score=2.9, threshold=3.5, reason="quality 2.90 is below 3.5")
    error = verdict.error()
    assert isinstance(error, QualityThresholdError)
    assert (error.quality_score, error.threshold) == (2.9, 3.5)
    assert "quality 2.90 is below 3.5" in str(error)


def test_the_input_is_judged_once_however_many_outputs_it_has(speech, enhanced):
    meter = Opinions(2.6, 2.0, 2.7, 2.8)
    hearing = Gate(meter=meter).listen(speech, RATE)
    assert [hearing.judge(enhanced).quality_after for _ in range(3)] == [2.6, 2.7, 2.8]
    assert hearing.quality == 2.0
    assert meter.opinions == []


def test_an_opinion_that_fell_speaks_against_the_output(speech, enhanced):
    survival = compare(speech[:, 0], enhanced[:, 0])
    better, unknown, worse = (confidence(survival, change) for change in (0.8, None, -0.1))
    assert better > unknown > worse


def test_the_reason_names_what_speaks_most_against_the_output(speech):
    survival = compare(speech[:, 0], -speech[:, 0])
    assert suspicion(survival) == "the speech suffered: the speech does not match the input's"


@pytest.mark.parametrize("frames", [0, 1, 3_000])
def test_what_is_too_short_to_compare_is_not_suspected(gate, speech, frames):
    short = speech[20_000 : 20_000 + frames]
    assert gate.judge(short, short * 0.9, RATE).accepted


def test_silence_that_stays_silent_passes(speech):
    silence = np.zeros_like(speech)
    verdict = Gate().judge(silence, silence, RATE)
    assert verdict.accepted
    assert verdict.quality_before is None
    assert verdict.quality_after is None


@pytest.mark.parametrize(
    ("length", "level"), [(4_000, 1.0), (4_001, 1e-4), (40_000, 1.0), (40_000, 1e-4)]
)
def test_a_comparison_is_finite_for_any_sound(length, level):
    rng = np.random.default_rng(7)
    before = (level * rng.standard_normal(length)).astype(np.float32)
    for after in (before, 0 * before, rng.standard_normal(length).astype(np.float32)):
        survival = compare(before, after)
        assert survival is not None
        assert np.isfinite(survival).all()
        assert 0 <= confidence(survival) <= 1


def test_a_steady_tone_without_pauses_is_compared_too():
    tone = np.sin(2 * np.pi * 440 / RATE * np.arange(RATE)).astype(np.float32)
    assert np.isfinite(compare(tone, tone * 0.5)).all()


def test_channels_and_rates_do_not_matter(gate, speech, enhanced):
    wide = gate.judge(np.repeat(speech, 6, axis=1), np.repeat(enhanced, 6, axis=1), RATE)
    assert wide.score == pytest.approx(gate.judge(speech, enhanced, RATE).score, abs=0.02)


@pytest.mark.parametrize("quality", [0.9, 5.1, -1.0])
def test_a_quality_off_the_scale_is_a_fault_of_the_configuration(quality):
    with pytest.raises(ConfigurationError, match="choose one from 1"):
        Gate(min_quality=quality)


def test_a_quality_without_a_meter_to_tell_it_is_a_fault_of_the_configuration():
    with pytest.raises(ConfigurationError, match="choose a meter"):
        Gate(min_quality=3.0, meter="none")


def test_a_model_is_loaded_ahead_of_use_if_there_is_one():
    Gate(meter="none").load()
    gate = Gate()
    gate.load()
    assert gate.meter.measure(np.ones(RATE, np.float32)) is not None
