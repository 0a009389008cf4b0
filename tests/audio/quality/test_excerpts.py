from __future__ import annotations

import numpy as np
import pytest

from tenuto.audio.quality import excerpts as excerpting
from tenuto.audio.quality.excerpts import RATE, WINDOW, Excerpt, Excerpts
from tenuto.audio.survey import survey_of


def choose_excerpts(samples, rate, count=3):
    return excerpting.choose_excerpts(survey_of(samples, rate), count)


def cut(samples, rate, excerpt):
    excerpts = Excerpts([excerpt])
    excerpts.see(samples)
    (heard,) = excerpts.heard(rate)
    return heard


def minutes_of_hiss(minutes, rate, random):
    return (0.001 * random.standard_normal((int(60 * minutes * rate), 1))).astype(np.float32)


def speak(samples, rate, start, seconds, random):
    """Syllables: loud for a fifth of a second, quiet for a tenth."""
    for syllable in np.arange(start, start + seconds, 0.3):
        part = slice(int(syllable * rate), int((syllable + 0.2) * rate))
        samples[part] += 0.1 * random.standard_normal(samples[part].shape).astype(np.float32)


def test_a_short_recording_is_judged_whole(speech):
    assert choose_excerpts(speech, RATE) == (Excerpt(0, len(speech)),)


@pytest.mark.parametrize("frames", [0, 1, 100])
def test_a_recording_may_be_next_to_nothing(frames):
    samples = np.zeros((frames, 1), np.float32)
    assert choose_excerpts(samples, RATE) == (Excerpt(0, frames),)
    assert len(cut(samples, 48_000, Excerpt(0, frames))) <= frames


def test_a_long_recording_is_judged_in_a_few_places_at_bounded_cost(random):
    samples = minutes_of_hiss(5, 8_000, random)
    excerpts = choose_excerpts(samples, 8_000, count=3)
    assert len(excerpts) == 3
    for share, excerpt in enumerate(excerpts):
        assert excerpt.stop - excerpt.start == pytest.approx(WINDOW * 8_000, abs=160)
        assert share * 100 * 8_000 <= excerpt.start
        assert excerpt.stop <= len(samples)


def test_an_excerpt_is_taken_where_somebody_speaks(random):
    samples = minutes_of_hiss(3, 8_000, random)
    for start in (31, 95, 150):
        speak(samples, 8_000, start, 9, random)
    starts = [excerpt.start / 8_000 for excerpt in choose_excerpts(samples, 8_000, count=3)]
    assert starts == pytest.approx([31, 95, 150], abs=0.5)


def test_a_bang_is_not_taken_for_speech(random):
    samples = minutes_of_hiss(1, 8_000, random)
    speak(samples, 8_000, 40, 9, random)
    samples[10 * 8_000 : 10 * 8_000 + 400] = 0.9
    (excerpt,) = choose_excerpts(samples, 8_000, count=1)
    assert excerpt.start / 8_000 == pytest.approx(40, abs=0.5)


def test_a_recording_little_longer_than_a_window_has_no_more_excerpts_than_it_fills(random):
    samples = minutes_of_hiss(0.2, 8_000, random)  # 12 s
    assert len(choose_excerpts(samples, 8_000, count=3)) == 2


def test_the_meters_hear_one_channel_at_their_own_rate():
    seconds = np.arange(48_000) / 48_000
    left, right = np.sin(2 * np.pi * 440 * seconds), np.zeros(48_000)
    heard = cut(np.stack([left, right], axis=1).astype(np.float32), 48_000, Excerpt(0, 48_000))
    assert heard.shape == (RATE,)
    assert heard.dtype == np.float32
    expected = 0.5 * np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)
    assert np.max(np.abs(heard - expected)[200:-200]) < 1e-3
