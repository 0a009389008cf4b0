from __future__ import annotations

import importlib.metadata
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from tenuto.audio.quality import Dnsmos
from tenuto.errors import ConfigurationError


@pytest.fixture(scope="module")
def meter():
    return Dnsmos()


def test_noisy_speech_scores_lower_than_the_same_words_in_a_quiet_room(
    meter, speech, clearer_speech
):
    noisy, quiet = meter.measure(speech[:, 0]), meter.measure(clearer_speech[:, 0])
    assert 1 <= noisy.overall < quiet.overall - 0.3
    assert noisy.background < quiet.background - 0.5
    assert all(1 <= value <= 5 for value in (*noisy, *quiet))


def test_it_is_the_model_for_any_listener_not_the_personal_one(meter, speech):
    # overall, signal, background: the published network and polynomials on this recording
    expected = (2.028, 3.456, 1.851)
    assert tuple(meter.measure(speech[:, 0])) == pytest.approx(expected, abs=0.02)


def test_a_short_excerpt_scores_as_if_it_went_on(meter, speech):
    word = speech[16_000:40_000, 0]
    assert meter.measure(word) == pytest.approx(meter.measure(np.tile(word, 7)), abs=1e-4)


@pytest.mark.parametrize(
    "nothing", [np.zeros(0), np.ones(1), np.zeros(32_000), np.full(32_000, 5e-5)]
)
def test_where_there_is_nothing_to_hear_there_is_no_score(meter, nothing):
    assert meter.measure(nothing.astype(np.float32)) is None


def test_samples_beyond_full_scale_are_heard_as_full_scale(meter, speech):
    hot = 4 * speech[:, 0]
    assert meter.measure(hot) == pytest.approx(meter.measure(np.clip(hot, -1, 1)))


def test_many_threads_may_use_one_meter_from_the_first_call_on(speech):
    meter = Dnsmos()
    with ThreadPoolExecutor(4) as pool:
        scores = list(pool.map(lambda _: meter.measure(speech[:, 0]), range(4)))
    assert len(set(scores)) == 1


def test_a_missing_package_is_a_fault_of_the_set_up_that_names_the_remedy(monkeypatch):
    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "distribution", missing)
    with pytest.raises(ConfigurationError, match="pip install speechmos"):
        Dnsmos().load()


def test_a_package_without_its_model_is_a_fault_of_the_set_up(monkeypatch, tmp_path):
    class Hollow:
        @staticmethod
        def locate_file(path):
            return Path(tmp_path) / path

    monkeypatch.setattr(importlib.metadata, "distribution", lambda _: Hollow())
    with pytest.raises(ConfigurationError, match="its model is missing"):
        Dnsmos().load()
