"""One noisy recording in, one enhanced recording and one honest outcome out."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from tenuto.clock import SYSTEM_CLOCK, Clock
from tenuto.context import scope
from tenuto.journal import Outcome, OutcomeStatus
from tenuto.reporting import ErrorReporter

from .codec import Recording, open_recording
from .faults import ShortageError, in_words, stop_if_fatal
from .names import path_text
from .output import Drafts
from .quality import Gate
from .rungs import Rungs, Take
from .setbacks import NO_SETBACKS, Setbacks
from .sound import Samples
from .trail import OnStep, Trail
from .writer import Writer

__all__ = ["DEFAULT_LADDER", "Enhancer", "MeterName", "enhance"]

MeterName: TypeAlias = Literal["dnsmos", "none"]

DEFAULT_LADDER = ("high_quality", "medium_quality", "basic")

_BYTES_PER_SECOND = 4_000
"""Of a rather small MP3: how long a recording is at most, as far as its size tells."""


def enhance(
    input: str | os.PathLike[str],  # noqa: A002 - the word for it
    output: str | os.PathLike[str],
    *,
    ladder: Sequence[str] = DEFAULT_LADDER,
    min_quality: float | None = None,
    meter: MeterName = "dnsmos",
    container: str | None = None,
    reporter: ErrorReporter | None = None,
) -> Outcome:
    """Enhance one recording, as ``Enhancer.enhance`` does. For many, keep an ``Enhancer``."""
    enhancer = Enhancer(
        ladder=ladder,
        min_quality=min_quality,
        meter=meter,
        container=container,
        reporter=reporter,
    )
    return enhancer.enhance(input, output)


class Enhancer:
    """Enhances recordings, one after the other. Models are loaded once, when first needed.

    ``ladder`` names the tiers to try, best first; when none passes its gate, the best there is is
    used. ``min_quality`` is what the meter must say of an output at least. ``container`` is the
    format to write; without one, that of the input, or what the output's name says. ``on_step`` is
    told before each piece of the work how many seconds of sound it is about; ``on_load`` in its
    place while an engine may have a model to load, which takes longer. Not for several threads at
    once.
    """

    def __init__(
        self,
        *,
        ladder: Sequence[str] = DEFAULT_LADDER,
        min_quality: float | None = None,
        meter: MeterName = "dnsmos",
        container: str | None = None,
        reporter: ErrorReporter | None = None,
        on_step: OnStep | None = None,
        on_load: OnStep | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._reporter = reporter or ErrorReporter("tenuto", clock=clock)
        self._rungs = Rungs(ladder, Gate(min_quality, meter=meter), clock)
        self._container = container
        self._on_step = on_step or (lambda _: None)
        self._on_load = on_load or self._on_step
        self._clock = clock

    def enhance(
        self,
        input: str | os.PathLike[str],  # noqa: A002 - the word for it
        output: str | os.PathLike[str],
        setbacks: Setbacks = NO_SETBACKS,
        *,
        make_do: bool = True,
    ) -> Outcome:
        """Enhance ``input`` and write it to ``output``, whole or not at all.

        The outcome is ``enhanced`` if a tier passed the gate and the input was whole. It is
        ``degraded`` if the input had to be repaired, or nothing passed, so that the best reject or
        the original is written. It is ``quarantined``, and nothing written, if there is no sound
        to be had from the input, or no way to write it. ``setbacks`` are those of earlier
        attempts. The outcome is in the journal, and so is every error on the way.

        Where a tier lacks memory, even for small chunks, the next one's turn begins; unless it is
        not to ``make_do``: then ShortageError is raised, for somebody who can see to more memory.
        Raises ConfigurationError and DiskFullError where no recording would fare better: the output
        folder cannot be written to, an engine is not installed, a disk is full.
        """
        started = self._clock.monotonic()
        work = path_text(input)
        trail = Trail(
            work,
            reporter=self._reporter,
            on_step=self._on_step,
            on_load=self._on_load,
            setbacks=setbacks,
            make_do=make_do,
        )
        with scope(input=work):
            fate = self._decide(Path(input), Path(output), trail, setbacks.without)
        written = fate.status is not OutcomeStatus.QUARANTINED
        take = fate.take
        outcome = Outcome(
            input=work,
            output=path_text(output) if written else None,
            status=fate.status,
            tier=take.tier if take and written else None,
            quality_before=take.quality_before if take else None,
            quality_after=take.quality_after if take and written else None,
            seconds=round(self._clock.monotonic() - started, 3),
            audio_seconds=fate.audio_seconds,
            errors=tuple(trail.errors),
            reason="; ".join(dict.fromkeys(trail.reasons)) or None,
            time=self._clock.now(),
            engine=take.engine if take and written else None,
            fault_class=trail.last.fault_class if trail.last else None,
            group=trail.last.fingerprint if trail.last else None,
        )
        self._reporter.journal.record(outcome)
        return outcome

    def _decide(self, source: Path, output: Path, trail: Trail, without: Collection[str]) -> _Fate:
        recording = take = None
        try:
            with Drafts(output) as drafts, ExitStack() as reading:
                with trail.step("decode", _most_seconds(source)):
                    recording = reading.enter_context(open_recording(source, on_block=trail.beat))
                trail.reasons.extend(recording.repairs)
                writer = Writer(drafts, self._container)
                take = self._rungs.best_take(recording, writer, trail, without=without)
                if take.path is not None:
                    trail.reasons.extend(recording.remarks)
                with _writing_to(output), trail.step("encode", recording.duration):
                    path = take.path or _as_it_is(source, recording, writer, trail)
                    reading.close()  # which tells if the file was changed meanwhile
                    drafts.publish(path)
                if change := writer.changes.get(path):
                    trail.reasons.append(change)
        except ShortageError:
            raise
        except Exception as error:  # every recording gets an outcome, whatever happens to it
            stop_if_fatal(error)
            trail.caught(error)
            trail.ask_for_more(error)
            trail.reasons.append(in_words(error))
            return _Fate(OutcomeStatus.QUARANTINED, take, recording.duration if recording else None)
        whole = take.accepted and not recording.repairs
        status = OutcomeStatus.ENHANCED if whole else OutcomeStatus.DEGRADED
        return _Fate(status, take, recording.duration)


@dataclass(frozen=True, slots=True)
class _Fate:
    """How a recording ended: what is written of it, and how long it is."""

    status: OutcomeStatus
    take: Take | None
    audio_seconds: float | None


@contextmanager
def _writing_to(output: Path) -> Iterator[None]:
    """Raise what ends the run for an OSError of the output folder that is such."""
    try:
        yield
    except OSError as error:
        stop_if_fatal(error, output.parent)
        raise


def _as_it_is(source: Path, recording: Recording, writer: Writer, trail: Trail) -> Path:
    """A draft of the recording itself: a copy of the file, where that is what is asked for."""
    if not recording.repairs and (path := writer.copy(source)) is not None:
        recording.check_unchanged()
        return path  # with all that is in the file
    trail.reasons.extend(recording.remarks)

    def blocks() -> Iterator[Samples]:
        for block in recording.blocks():
            trail.beat(len(block) / recording.rate)
            yield block

    return writer.write(recording.with_blocks(blocks()))


def _most_seconds(path: Path) -> float:
    try:
        return path.stat().st_size / _BYTES_PER_SECOND
    except (OSError, ValueError):  # it will be told by the decoder
        return 0.0
