"""Recordings too long for the memory: they go by, and what becomes of them is the same."""

from __future__ import annotations

import errno
import gc
import os
import re
import subprocess
import sys
import weakref

import numpy as np
import pytest
import soundfile

from tenuto.audio.codec import decode
from tenuto.audio.engines import Engine, engine_for
from tenuto.errors import ConfigurationError, EngineError, ResourceLimitError
from tests.batch.conftest import RATE, record

pytestmark = pytest.mark.usefixtures("plugin")


@pytest.fixture
def long(monkeypatch):
    """Nothing is kept in memory, and engines that want the whole get four seconds at a time."""
    monkeypatch.setattr("tenuto.audio.codec.recording.KEPT_BYTES", 0)
    monkeypatch.setattr("tenuto.audio.engines.base._ROOM", 1)


@pytest.fixture
def noisy(tmp_path):
    return record(tmp_path / "noisy.wav", seconds=15)


def left_beside(result):
    return [path.name for path in result.parent.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize(
    ("ladder", "suffix"),
    [
        (("basic",), ".wav"),
        (("steady",), ".flac"),
        (("muting", "basic"), ".ogg"),
        (("original",), ".flac"),
    ],
)
def test_a_long_recording_ends_as_a_short_one_does(tmp_path, enhancer, monkeypatch, ladder, suffix):
    source = record(tmp_path / f"noisy{suffix}", seconds=15)
    short, long = tmp_path / f"short{suffix}", tmp_path / f"long{suffix}"
    first = enhancer(*ladder).enhance(source, short)
    monkeypatch.setattr("tenuto.audio.codec.recording.KEPT_BYTES", 0)
    second = enhancer(*ladder).enhance(source, long)
    for told in ("status", "tier", "reason", "audio_seconds"):
        assert getattr(first, told) == getattr(second, told)
    np.testing.assert_array_equal(decode(short).samples, decode(long).samples)
    assert left_beside(short) == []


def test_the_gate_hears_what_it_would_of_the_whole(noisy, result, enhancer, long):
    from tenuto.audio.quality import Gate

    outcome = enhancer("basic", meter="dnsmos").enhance(noisy, result)
    sound = decode(noisy)
    enhanced = engine_for("basic", RATE).enhance(sound.samples, RATE)
    verdict = Gate().judge(sound.samples, enhanced, RATE)
    assert (outcome.quality_before, outcome.quality_after) == pytest.approx(
        (verdict.quality_before, verdict.quality_after)
    )


def test_the_original_tier_gives_the_file_byte_for_byte(tmp_path, enhancer, long):
    source = record(tmp_path / "noisy.ogg", seconds=5)
    outcome = enhancer("original").enhance(source, tmp_path / "result.ogg")
    assert (outcome.status, outcome.tier, outcome.engine) == ("enhanced", "original", None)
    assert (tmp_path / "result.ogg").read_bytes() == source.read_bytes()


def test_an_engine_that_wants_the_whole_is_given_parts_it_has_room_for(
    noisy, result, enhancer, long, monkeypatch
):
    heard = []

    def enhance(_, samples, rate, *, out=None):
        heard.append(len(samples) / rate)
        return samples * np.float32(0.5)

    monkeypatch.setattr("odd_engines.Steady.enhance", enhance)
    assert enhancer("steady").enhance(noisy, result).status == "enhanced"
    assert heard == [6, 8, 8, 5]  # of four, four, four and three, with two around them
    np.testing.assert_allclose(
        decode(result).samples, decode(noisy).samples * np.float32(0.5), atol=1e-4
    )


def test_a_tier_that_is_rejected_leaves_no_draft_and_the_next_hears_it_all(
    noisy, result, enhancer, long
):
    outcome = enhancer("muting", "steady").enhance(noisy, result)
    assert (outcome.status, outcome.tier) == ("enhanced", "steady")
    assert "muting: the output is silent" in outcome.reason
    assert decode(result).frames == 15 * RATE
    assert left_beside(result) == []


def test_the_best_reject_is_kept_as_a_draft(tmp_path, result, enhancer, long):
    noisy = record(tmp_path / "noisy.wav", seconds=2)
    keen = enhancer("muting", "steady", "basic", meter="dnsmos", min_quality=5)
    outcome = keen.enhance(noisy, result)
    assert outcome.status == "degraded"
    assert outcome.tier in {"steady", "basic"}
    alone = result.with_name("alone.wav")
    enhancer(outcome.tier).enhance(noisy, alone)
    assert result.read_bytes() == alone.read_bytes()
    assert left_beside(result) == []


# Whose fault it is ------------------------------------------------------------------------------


def breaking(engine, monkeypatch, error, *, at, times=1):
    """The engine raises ``error`` at the chunk numbered ``at``, so many times in all."""
    left = [times]

    def enhance(_, samples, rate, *, out=None):
        enhance.calls += 1
        if enhance.calls >= at and left[0]:
            left[0] -= 1
            enhance.calls = 0
            raise error
        return samples * np.float32(0.97)

    enhance.calls = 0
    monkeypatch.setattr(f"odd_engines.{engine}.enhance", enhance)


def test_an_engine_that_fails_half_way_starts_over(noisy, result, enhancer, long, monkeypatch):
    breaking("Steady", monkeypatch, EngineError("out of order"), at=3)
    outcome = enhancer("steady").enhance(noisy, result)
    assert (outcome.status, outcome.tier, len(outcome.errors)) == ("enhanced", "steady", 1)
    assert decode(result).frames == 15 * RATE
    assert left_beside(result) == []


def test_an_engine_that_keeps_failing_half_way_costs_its_tier(
    noisy, result, enhancer, long, monkeypatch
):
    breaking("Failing", monkeypatch, OSError(errno.EIO, "no card"), at=2, times=9)
    outcome = enhancer("failing", "steady").enhance(noisy, result)
    assert (outcome.status, outcome.tier) == ("enhanced", "steady")
    assert "failing: " in outcome.reason


def failing_reads(monkeypatch, error):
    """The first pass goes well, and each later one breaks in the middle."""
    from tenuto.audio.codec.sndfile import SndfileReader

    blocks, passes = SndfileReader.blocks, []

    def spoilt(self):
        passes.append(1)
        for number, block in enumerate(blocks(self)):
            if len(passes) > 1 and number == 7:
                raise error
            yield block

    monkeypatch.setattr(SndfileReader, "blocks", spoilt)
    return passes


def test_a_disk_that_fails_while_an_engine_is_at_work_is_not_the_engines_fault(
    noisy, result, enhancer, long, monkeypatch, journal
):
    passes = failing_reads(monkeypatch, OSError(errno.EIO, os.strerror(errno.EIO)))
    keen = enhancer("basic", "steady")
    for _ in range(8):
        outcome = keen.enhance(noisy, result)
        assert (outcome.status, outcome.output, len(outcome.errors)) == ("quarantined", None, 1)
        assert "Input/output error" in outcome.reason
        assert len(passes) == 2  # it was not decoded once more for the next tier
        passes.clear()
    assert not result.exists()
    assert left_beside(result) == []
    monkeypatch.undo()
    assert journal.open_attempts() == []


def test_no_circuit_opens_for_what_is_not_the_engines_fault(
    noisy, result, enhancer, long, monkeypatch
):
    keen = enhancer("steady")
    with monkeypatch.context() as patch:
        for _ in range(8):
            failing_reads(patch, OSError(errno.EIO, os.strerror(errno.EIO)))
            assert keen.enhance(noisy, result).status == "quarantined"
    assert keen.enhance(noisy, result).status == "enhanced"


def full_after(monkeypatch, blocks, code=errno.ENOSPC):
    """The disk is full, or the like, once ``blocks`` blocks are written."""
    from tenuto.audio.codec import writing

    original = writing._blocks

    def spoilt(sound):
        for number, block in enumerate(original(sound)):
            if number == blocks:
                raise OSError(code, os.strerror(code))
            yield block

    monkeypatch.setattr(writing, "_blocks", spoilt)


def test_a_disk_that_fills_up_half_way_stops_the_run(noisy, result, enhancer, long, monkeypatch):
    full_after(monkeypatch, 5)
    with pytest.raises(ResourceLimitError, match="make some, then run it again"):
        enhancer("basic", "steady").enhance(noisy, result)
    assert [path.name for path in result.parent.glob("*.wav")] == ["noisy.wav"]
    assert left_beside(result) == []


def test_a_folder_that_may_not_be_written_to_stops_the_run(
    noisy, result, enhancer, long, monkeypatch
):
    full_after(monkeypatch, 0, errno.EROFS)
    with pytest.raises(ConfigurationError, match="make it writable"):
        enhancer("basic", "steady").enhance(noisy, result)


def test_a_disk_that_cannot_be_written_for_once_is_not_the_tiers_fault(
    noisy, result, enhancer, long, monkeypatch
):
    full_after(monkeypatch, 3, errno.EIO)
    outcome = enhancer("basic", "steady").enhance(noisy, result)
    assert (outcome.status, outcome.output, len(outcome.errors)) == ("quarantined", None, 1)


def test_what_the_format_cannot_hold_is_told_before_an_engine_is_troubled(
    tmp_path, enhancer, long, monkeypatch
):
    odd = tmp_path / "odd.wav"
    soundfile.write(odd, np.full((RATE, 3), 0.1), 22_222)
    breaking("Steady", monkeypatch, AssertionError("it was asked"), at=0)
    outcome = enhancer("steady", container="mp3").enhance(odd, tmp_path / "odd.mp3")
    assert outcome.status == "quarantined"
    assert "and this is 22222" in outcome.reason


def test_a_file_that_is_changed_meanwhile_is_quarantined_and_nothing_written(
    noisy, result, enhancer, long, monkeypatch
):
    def enhance(_, samples, rate, *, out=None):
        os.utime(noisy, (1, 1))
        return samples

    monkeypatch.setattr("odd_engines.Steady.enhance", enhance)
    outcome = enhancer("steady").enhance(noisy, result)
    assert (outcome.status, outcome.output) == ("quarantined", None)
    assert "changed while it was read" in outcome.reason
    assert not result.exists()
    assert left_beside(result) == []


# Memory that runs out -----------------------------------------------------------------------------


def hungry(monkeypatch, engine, most_seconds, error=MemoryError):
    """There is memory for so many seconds at a time; returns the list of what was tried."""
    tried = []

    def enhance(_, samples, rate, *, out=None):
        tried.append(len(samples) / rate)
        if len(samples) > most_seconds() * rate:
            raise error()
        return samples * np.float32(0.97)

    monkeypatch.setattr(f"odd_engines.{engine}.enhance", enhance)
    return tried


@pytest.mark.parametrize("error", [MemoryError, ResourceLimitError])
def test_where_memory_runs_out_the_chunks_get_smaller(noisy, result, enhancer, monkeypatch, error):
    tried = hungry(monkeypatch, "Steady", lambda: 8, error)
    outcome = enhancer("steady").enhance(noisy, result)
    assert (outcome.status, outcome.tier) == ("enhanced", "steady")
    assert tried[:2] == [15, 9.5]
    assert max(tried[2:]) == 8
    assert len(outcome.errors) == 2
    assert decode(result).frames == 15 * RATE


def test_what_worked_is_remembered_and_larger_is_tried_again_later(tmp_path, enhancer, monkeypatch):
    room = [10]
    tried = hungry(monkeypatch, "Steady", lambda: room[0])
    keen = enhancer("steady")

    def first_try(name):
        tried.clear()
        outcome = keen.enhance(record(tmp_path / f"{name}.wav", seconds=15), tmp_path / "out.wav")
        assert outcome.status == "enhanced"
        return tried[0]

    assert first_try("short of memory") == 15
    assert [first_try(name) for name in "ab"] == [9.5, 9.5]
    assert first_try("again") == 15  # in vain
    assert [first_try(name) for name in "cdefg"] == [9.5] * 5
    room[0] = 60
    assert [first_try(name) for name in "hij"] == [15, 15, 15]


def test_another_shape_of_recording_is_not_made_to_suffer(tmp_path, enhancer, monkeypatch):
    room = [10]
    tried = hungry(monkeypatch, "Steady", lambda: room[0])
    keen = enhancer("steady")
    keen.enhance(record(tmp_path / "a.wav", seconds=15), tmp_path / "out.wav")
    room[0] = 60
    tried.clear()
    keen.enhance(record(tmp_path / "b.wav", seconds=40), tmp_path / "out.wav")
    assert tried == [40]


def test_where_the_smallest_chunks_are_too_large_a_lighter_tier_does_it(
    noisy, result, enhancer, monkeypatch
):
    tried = hungry(monkeypatch, "Failing", lambda: 0)
    outcome = enhancer("failing", "basic").enhance(noisy, result)
    assert (outcome.status, outcome.tier, outcome.reason) == (
        "enhanced",
        "basic",
        "failing: there was not enough memory",
    )
    assert tried == [15, 9.5, 6]


def test_a_shortage_that_shrinking_cures_does_not_open_the_circuit(tmp_path, enhancer, monkeypatch):
    hungry(monkeypatch, "Steady", lambda: 8)
    keen = enhancer("steady")
    for seconds in (9, 17, 33, 65, 130):
        source = record(tmp_path / f"{seconds}.wav", seconds=seconds)
        outcome = keen.enhance(source, tmp_path / "out.wav")
        assert (outcome.status, outcome.tier) == ("enhanced", "steady")


class Nonsense(Engine):
    name = "nonsense"
    native_rate = None

    def __init__(self, wrong):
        self._wrong = wrong

    def enhance(self, samples, rate, *, out=None):
        raise NotImplementedError

    def stream(self, chunks, survey):
        return (self._wrong(chunk) for chunk in chunks)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda chunk: chunk[1:], "nonsense returned 4 frames too few"),
        (lambda chunk: chunk * np.nan, "not finite"),
        (lambda chunk: np.repeat(chunk, 2, axis=1), r"returned the shape \(64000, 2\)"),
        (lambda chunk: chunk[:, 0], r"returned the shape \(64000,\)"),
    ],
)
def test_an_engine_that_streams_nonsense_costs_a_tier_and_no_recording(
    noisy, result, enhancer, long, monkeypatch, wrong, said
):
    given = {"failing": Nonsense(wrong), "basic": engine_for("basic", RATE)}
    monkeypatch.setattr("tenuto.audio.rungs.engine_for", lambda tier, rate: given[tier])
    outcome = enhancer("failing", "basic").enhance(noisy, result)
    assert (outcome.status, outcome.tier) == ("enhanced", "basic")
    assert re.search(said, outcome.reason)


def test_what_was_too_large_is_let_go_of_before_something_smaller_is_tried(
    noisy, result, enhancer, monkeypatch
):
    alive, pinned = weakref.WeakSet(), []

    class Chunk:
        """What an attempt holds on to."""

    class Greedy(Nonsense):
        def stream(self, chunks, survey):
            held = Chunk()
            pinned.append(len(alive))
            alive.add(held)
            for _ in chunks:
                raise MemoryError
            yield held

    given = {"failing": Greedy(None), "basic": engine_for("basic", RATE)}
    monkeypatch.setattr("tenuto.audio.rungs.engine_for", lambda tier, rate: given[tier])
    gc.disable()
    try:
        outcome = enhancer("failing", "basic").enhance(noisy, result)
    finally:
        gc.enable()
    assert outcome.tier == "basic"
    assert len(pinned) > 1
    assert max(pinned) == 0


# Flat memory --------------------------------------------------------------------------------------

MEASURED = """
import sys
from pathlib import Path
from tenuto import ErrorReporter, open_journal
from tenuto.audio.codec import recording
from tenuto.audio.enhance import Enhancer

recording.KEPT_BYTES = 2 ** 20
with open_journal(sys.argv[1]) as journal:
    reporter = ErrorReporter("tenuto", journal=journal, log=False)
    enhancer = Enhancer(ladder=("basic",), meter="none", reporter=reporter)
    for name in sys.argv[2:]:
        assert enhancer.enhance(name, name + ".out.wav").status == "enhanced"
        print(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the peak includes the parent's")
def test_ten_minutes_need_hardly_more_memory_than_one(tmp_path):
    """As an array, the ten would take 38 MB, and as much again for the result."""
    minute = record(tmp_path / "minute.wav", seconds=60)
    samples, _ = soundfile.read(minute, dtype="int16")
    soundfile.write(tmp_path / "ten.wav", np.tile(samples, 10), RATE)
    ended = subprocess.run(
        [sys.executable, "-c", MEASURED, tmp_path / "journal", minute, tmp_path / "ten.wav"],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert ended.returncode == 0, ended.stderr
    one, ten = (int(line) * 1024 for line in ended.stdout.split())
    assert ten - one < 20e6
