"""One recording at a time, in this process."""

from __future__ import annotations

import errno
import os
import sqlite3

import numpy as np
import pytest
import soundfile

from tenuto import ErrorReporter
from tenuto.audio import output as writing
from tenuto.audio.enhance import Enhancer, enhance
from tenuto.audio.faults import DiskFullError, ShortageError, in_words
from tenuto.audio.writer import Writer
from tenuto.errors import (
    AudioProcessingError,
    ConfigurationError,
    FaultClass,
    ResourceLimitError,
    classify,
)
from tenuto.journal import open_journal
from tests.audio.codec.lossy import written
from tests.batch.conftest import RATE, record

pytestmark = pytest.mark.usefixtures("plugin")


@pytest.fixture
def noisy(tmp_path):
    return record(tmp_path / "noisy.wav")


def test_a_recording_is_enhanced_with_the_shape_it_had(noisy, result):
    outcome = enhance(noisy, result, ladder=("steady",), meter="none")
    assert (outcome.status, outcome.tier, outcome.reason) == ("enhanced", "steady", None)
    assert outcome.audio_seconds == 1.0
    before, after = soundfile.info(noisy), soundfile.info(result)
    assert (after.frames, after.samplerate, after.subtype) == (
        before.frames,
        before.samplerate,
        before.subtype,
    )


def test_the_meter_tells_of_input_and_output(noisy, result, enhancer):
    outcome = enhancer("steady", meter="dnsmos").enhance(noisy, result)
    assert 1 <= outcome.quality_before <= 5
    assert 1 <= outcome.quality_after <= 5


def test_what_no_tier_makes_good_enough_is_the_best_reject(noisy, result, enhancer):
    outcome = enhancer("steady", meter="dnsmos", min_quality=5).enhance(noisy, result)
    assert (outcome.status, outcome.tier) == ("degraded", "steady")
    assert "steady: quality " in outcome.reason
    assert result.exists()


def test_where_every_tier_fails_the_original_is_kept_byte_for_byte(noisy, result, enhancer):
    outcome = enhancer("failing", "muting").enhance(noisy, result)
    assert (outcome.status, outcome.tier) == ("degraded", "original")
    assert result.read_bytes() == noisy.read_bytes()
    assert len(outcome.errors) == 3  # an engine's failure is tried once more


def test_a_tier_that_killed_a_worker_before_is_left_out(noisy, result, enhancer):
    from tenuto.audio.setbacks import NO_SETBACKS

    setbacks = NO_SETBACKS.and_then("crashing: killed by SIGSEGV", "an-id", ("crashing",))
    outcome = enhancer("crashing", "steady").enhance(noisy, result, setbacks)
    assert (outcome.status, outcome.tier) == ("enhanced", "steady")
    assert outcome.reason == "crashing: killed by SIGSEGV"
    assert outcome.errors == ("an-id",)


def test_with_no_tier_left_the_original_is_kept(noisy, result, enhancer):
    from tenuto.audio.setbacks import NO_SETBACKS

    setbacks = NO_SETBACKS.and_then("crashing: killed by SIGSEGV", "an-id", ("crashing",))
    outcome = enhancer("crashing").enhance(noisy, result, setbacks)
    assert (outcome.status, outcome.tier) == ("degraded", "original")


@pytest.mark.parametrize(
    ("samples", "reason"),
    [
        (np.zeros(RATE, np.float32), "left as it is: it is silent"),
        (np.ones(1, np.float32), "left as it is: it is too short to tell speech from noise"),
    ],
)
def test_what_has_no_speech_to_find_is_left_as_it_is(tmp_path, result, enhancer, samples, reason):
    odd = tmp_path / "odd.wav"
    soundfile.write(odd, samples, RATE)
    outcome = enhancer("steady").enhance(odd, result)
    assert (outcome.status, outcome.tier, outcome.reason) == ("degraded", "original", reason)
    assert result.read_bytes() == odd.read_bytes()


def test_a_repaired_recording_is_degraded_and_says_what_was_done(tmp_path, result, enhancer):
    whole = record(tmp_path / "whole.wav", seconds=2)
    torn = tmp_path / "torn.wav"
    torn.write_bytes(whole.read_bytes()[: RATE * 2])
    outcome = enhancer("steady").enhance(torn, result)
    assert (outcome.status, outcome.tier) == ("degraded", "steady")
    assert outcome.reason == "kept 1.0 s of the 2.0 s its header declares"


def unreadable(path):
    path.write_text("no sound at all")


def absent(path):
    pass


def nothing(path):
    path.touch()


def folder(path):
    path.mkdir()


@pytest.mark.parametrize("make", [unreadable, absent, nothing, folder])
def test_what_holds_no_sound_is_quarantined_and_nothing_written(
    tmp_path, result, enhancer, journal, make
):
    source = tmp_path / "source.wav"
    make(source)
    outcome = enhancer("steady").enhance(source, result)
    assert (outcome.status, outcome.output, outcome.tier) == ("quarantined", None, None)
    assert outcome.reason
    assert not result.exists()
    (error,) = outcome.errors
    assert journal.event(error).context["input"] == str(source)
    assert journal.open_attempts() == []


def test_a_full_disk_stops_the_run_and_leaves_no_part_behind(noisy, result, enhancer, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("tenuto.audio.writer.encode", full)
    with pytest.raises(DiskFullError, match="make some, then run it again"):
        enhancer("steady").enhance(noisy, result)
    assert [path.name for path in result.parent.glob("*.wav")] == ["noisy.wav"]
    assert not list(result.parent.glob(".*part*"))


def test_a_place_that_may_not_be_written_to_stops_the_run(noisy, result, enhancer, monkeypatch):
    def forbidden(*_, **__):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr("tenuto.audio.writer.encode", forbidden)
    with pytest.raises(ConfigurationError, match="make it writable"):
        enhancer("steady").enhance(noisy, result)


def test_a_recording_that_cannot_be_encoded_is_quarantined(noisy, result, enhancer, monkeypatch):
    def unable(*_, **__):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr("tenuto.audio.writer.encode", unable)
    outcome = enhancer("steady").enhance(noisy, result)
    assert (outcome.status, outcome.output) == ("quarantined", None)
    assert not result.exists()


def test_a_model_that_is_not_installed_stops_the_run(noisy, result, enhancer):
    with pytest.raises(ConfigurationError, match="install it"):
        enhancer("unset", "steady").enhance(noisy, result)


def test_memory_that_runs_out_costs_one_tier(noisy, result, enhancer, monkeypatch):
    def hungry(*_, **__):
        raise MemoryError

    monkeypatch.setattr("odd_engines.Failing.enhance", hungry)
    outcome = enhancer("failing", "steady").enhance(noisy, result)
    assert (outcome.status, outcome.tier) == ("enhanced", "steady")
    assert outcome.reason == "failing: there was not enough memory"


@pytest.mark.parametrize(
    "place", ["odd_engines.Failing.enhance", "tenuto.audio.enhance.open_recording"]
)
def test_who_can_see_to_more_memory_is_asked_before_a_tier_is_given_up(
    noisy, result, enhancer, monkeypatch, place
):
    def hungry(*_, **__):
        raise MemoryError

    monkeypatch.setattr(place, hungry)
    with pytest.raises(ShortageError) as raised:
        enhancer("failing", "steady").enhance(noisy, result, make_do=False)
    with open_journal() as journal:
        types = [journal.event(error).type for error in raised.value.details["errors"]]
    assert types == ["MemoryError"]
    assert not result.exists()
    assert not list(result.parent.glob("*.part"))


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (MemoryError(), "there was not enough memory"),
        (MemoryError("Unable to allocate 4.00 GiB"), "there was not enough memory"),
        (sqlite3.DatabaseError("database or disk is full"), "database or disk is full"),
        (ResourceLimitError("film, of memory"), "film, of memory"),
    ],
)
def test_a_lack_of_memory_is_put_plainly_and_no_other(error, words):
    assert in_words(error) == words


def test_an_engine_that_keeps_failing_is_no_longer_asked(tmp_path, enhancer, monkeypatch):
    calls = []

    def fail(*_, **__):
        calls.append(1)
        raise AudioProcessingError("out of order")

    monkeypatch.setattr("odd_engines.Failing.enhance", fail)
    keen = enhancer("failing", "steady")
    for number in range(8):
        source = record(tmp_path / f"{number}.wav", seed=number)
        assert keen.enhance(source, tmp_path / f"out-{number}.wav").status == "enhanced"
    assert len(calls) < 16


def test_each_piece_of_work_is_told_with_its_seconds_of_sound(tmp_path, result, journal):
    heard = []
    reporter = ErrorReporter("tenuto", journal=journal, log=False)
    enhancer = Enhancer(ladder=("basic",), meter="none", reporter=reporter, on_step=heard.append)
    enhancer.enhance(record(tmp_path / "noisy.wav", seconds=3), result)
    opened, *decoded = heard[: heard.index(0.0)]
    begun, loading, *chunks, finishing, publishing = heard[heard.index(0.0) :]
    assert opened > 3
    assert sum(decoded) == pytest.approx(3)
    assert chunks == [1.0, 1.0, 1.0]
    assert (begun, loading, finishing, publishing) == (0.0, 0.0, 3.0, 3.0)


def test_an_engine_has_time_to_load_its_model_with_its_first_recording(tmp_path, journal):
    reporter = ErrorReporter("tenuto", journal=journal, log=False)
    source = record(tmp_path / "a.wav")
    steps, loads = [], []
    enhancer = Enhancer(
        ladder=("basic",),
        meter="none",
        reporter=reporter,
        on_step=steps.append,
        on_load=loads.append,
    )
    enhancer.enhance(source, tmp_path / "b.wav")
    first = len(loads)
    assert first >= 2
    enhancer.enhance(source, tmp_path / "c.wav")
    assert len(loads) == first
    assert len(steps) > first


def test_another_container_is_written_when_asked_for(noisy, tmp_path, enhancer):
    target = tmp_path / "result.flac"
    assert enhancer("steady", container="flac").enhance(noisy, target).status == "enhanced"
    assert soundfile.info(target).format == "FLAC"


def test_what_a_process_of_that_number_writes_on_another_machine_is_left_alone(
    tmp_path, monkeypatch
):
    monkeypatch.setattr("platform.node", lambda: "another")
    writing._where_pids_differ.cache_clear()
    theirs = writing.Drafts(tmp_path / "a.wav").new()
    monkeypatch.undo()
    writing._where_pids_differ.cache_clear()
    ours = writing.Drafts(tmp_path / "b.wav").new()
    for path in (theirs, ours):
        path.touch()
    writing.discard_drafts(tmp_path, os.getpid())
    assert list(tmp_path.glob(".tenuto-*")) == [theirs]


def test_a_draft_that_somebody_removes_is_no_fault_of_the_recording(tmp_path):
    def removed():
        with writing.draft(tmp_path / "result.wav") as part:
            part.write_bytes(b"all of it")
            part.unlink()

    with pytest.raises(OSError, match="was removed before it was done") as caught:
        removed()
    assert classify(caught.value) is FaultClass.INFRASTRUCTURE


def test_a_draft_that_is_given_up_leaves_nothing_behind(tmp_path):
    target = tmp_path / "out" / "result.wav"
    target.parent.mkdir()

    def give_up_halfway():
        with writing.draft(target) as part:
            part.write_bytes(b"half of it")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        give_up_halfway()
    assert list(target.parent.iterdir()) == []


def film(path):
    path.write_bytes(
        written(
            "mp4",
            "aac",
            soundfile.read(record(path.with_suffix(".wav")), always_2d=True)[0],
            RATE,
            picture=2.0,
        )
    )
    return path


def test_whoever_gives_a_film_is_told_that_its_picture_is_left_out(tmp_path, enhancer):
    outcome = enhancer("steady").enhance(film(tmp_path / "film.mp4"), tmp_path / "out.mp4")
    assert (outcome.status, outcome.reason) == ("enhanced", "its picture is left out")


def test_a_film_that_is_left_as_it_is_keeps_its_picture(tmp_path, enhancer):
    source, result = film(tmp_path / "film.mp4"), tmp_path / "out.mp4"
    outcome = enhancer("failing").enhance(source, result)
    assert outcome.tier == "original"
    assert "picture" not in outcome.reason
    assert result.read_bytes() == source.read_bytes()


def test_a_recording_that_is_rewritten_before_it_is_copied_is_not_copied_torn(
    noisy, result, enhancer, monkeypatch
):
    copy = Writer.copy

    def late(self, source):
        source.write_bytes(source.read_bytes()[:1000])
        return copy(self, source)

    monkeypatch.setattr(Writer, "copy", late)
    outcome = enhancer("failing").enhance(noisy, result)
    assert outcome.status == "quarantined"
    assert "changed while it was read" in outcome.reason
    assert outcome.fault_class == "infrastructure"
    assert not result.exists()
