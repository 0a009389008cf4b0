"""Every bad input in the corpus ends as it should: refused with a reason, repaired, or whole."""

from __future__ import annotations

import numpy as np
import pytest

from tenuto.audio.codec import decode, probe
from tenuto.errors import DecodeError, FaultClass, classify

from .broken import BROKEN, REFUSED, REPAIRED


@pytest.fixture(params=BROKEN, ids=str)
def broken(request):
    return request.param


@pytest.fixture
def path(broken, tmp_path):
    path = tmp_path / broken.name
    broken.make(path)
    return path


def test_a_bad_input_meets_its_fate(broken, path):
    if broken.fate == REFUSED:
        with pytest.raises(DecodeError) as refusal:
            decode(path)
        assert broken.says in str(refusal.value)
        assert str(refusal.value).startswith(str(path))
        assert refusal.value.path == str(path)
        assert classify(refusal.value) is FaultClass.DATA
        return
    sound = decode(path)
    assert broken.says in " ".join(sound.repairs)
    assert bool(sound.repairs) == (broken.fate == REPAIRED)
    assert sound.samples.dtype == np.float32
    assert sound.samples.flags.c_contiguous
    assert sound.frames > 0
    assert np.isfinite(sound.samples).all()


def test_a_look_at_the_header_raises_nothing_but_decode_errors(broken, path):
    try:
        source = probe(path)
    except DecodeError:
        assert broken.fate == REFUSED
    else:
        assert source.rate >= 1
        assert source.channels >= 1


def test_a_folder_that_may_not_be_read_says_what_to_permit(tmp_path, monkeypatch):
    monkeypatch.setattr("os.access", lambda *_: False)  # of a user who is not allowed everything
    with pytest.raises(DecodeError, match="a folder that may not be read by this user"):
        decode(tmp_path)
