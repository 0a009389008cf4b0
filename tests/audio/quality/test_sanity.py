from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from tenuto.audio.engines.wiener import Wiener
from tenuto.audio.quality import sanity
from tenuto.audio.survey import survey_of

RATE = 16_000


def broken_law(before, after, rate):
    return sanity.broken_law(survey_of(before, rate), survey_of(after, rate))


def test_an_untouched_recording_breaks_no_law(speech):
    assert broken_law(speech, speech, RATE) is None


@given(gain=st.floats(0.01, 1.9))
def test_a_little_louder_or_much_softer_is_no_fault(gain):
    tone = np.sin(np.arange(8_000, dtype=np.float32))[:, None] * 0.2
    assert broken_law(tone, (tone * gain).astype(np.float32), RATE) is None


def test_an_output_of_another_length_is_refused(speech):
    assert "shape" in broken_law(speech, speech[:-1], RATE)


def test_an_output_with_fewer_channels_is_refused(speech):
    assert "shape" in broken_law(np.repeat(speech, 2, axis=1), speech, RATE)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_one_sample_that_is_no_number_is_found_at_the_very_end(speech, value):
    spoilt = speech.copy()
    spoilt[-1] = value
    assert "not numbers" in broken_law(speech, spoilt, RATE)


def test_silence_in_place_of_sound_is_refused(speech):
    assert "silent" in broken_law(speech, speech * np.float32(1e-4), RATE)


def test_silence_in_place_of_silence_is_right():
    silence = np.zeros((RATE, 1), np.float32)
    assert broken_law(silence, silence, RATE) is None


def test_sound_out_of_nothing_is_refused(speech):
    assert "input is silent" in broken_law(np.zeros_like(speech), speech, RATE)


def test_an_empty_recording_breaks_no_law():
    empty = np.zeros((0, 2), np.float32)
    assert broken_law(empty, empty, RATE) is None


def test_a_clipped_output_is_refused_and_a_clipped_input_is_not_held_against_it(speech):
    clipped = np.clip(speech * 4, -1, 1).astype(np.float32)
    assert "clipped" in broken_law(speech, clipped, RATE)
    assert broken_law(clipped, clipped, RATE) is None


def as_file(samples, subtype):
    file = io.BytesIO()
    soundfile.write(file, samples, RATE, subtype=subtype, format="WAV")
    file.seek(0)
    return soundfile.read(file, dtype="float32", always_2d=True)[0]


@pytest.mark.parametrize("gain", [6, 12])
@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_U8", "ULAW", "ALAW"])
def test_a_recording_that_was_clipped_is_judged_alike_whatever_its_file_can_hold(
    speech, gain, subtype
):
    """The topmost sample of µ-law is 0.980, that of A-law 0.984; an enhanced one may pass that."""
    clipped = as_file(np.clip(speech * gain, -1, 1), subtype)
    assert broken_law(clipped, Wiener().enhance(clipped, RATE), RATE) is None


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_U8", "ULAW", "ALAW"])
def test_a_recording_that_was_not_clipped_excuses_no_clipped_output(speech, subtype):
    loud = as_file(speech / np.abs(speech).max() * 0.9, subtype)
    clipped = np.clip(loud * 1.9, -1, 1)
    assert "clipped, 0.0% of the input" in broken_law(loud, clipped, RATE)


def test_an_output_that_was_cut_off_below_full_scale_is_clipped_too(speech):
    loud = speech / np.abs(speech).max() * np.float32(0.95)
    assert "clipped" in broken_law(loud, np.clip(loud, -0.6, 0.6), RATE)


def test_a_much_louder_output_is_refused(speech):
    quiet = (speech * 0.1).astype(np.float32)
    assert "12 dB louder" in broken_law(quiet, quiet * np.float32(4), RATE)


def test_an_engine_that_died_half_way_is_found(speech):
    long = np.tile(speech, (3, 1))
    died = long.copy()
    died[8 * RATE :] = 0
    assert broken_law(long, died, RATE) == "the output falls silent at 8 s, the input does not"


def test_a_muted_pause_is_no_fault(speech):
    long = np.tile(speech, (3, 1))
    muted = long.copy()
    muted[5 * RATE : 9 * RATE] = 0
    assert broken_law(long, muted, RATE) is None
