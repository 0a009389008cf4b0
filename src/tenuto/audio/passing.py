"""One pass of a recording through an engine into a draft, and whose fault it is if it fails."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from tenuto.errors import EngineError, FaultClass, TenutoError

from .codec import Recording
from .engines import Engine
from .engines.checking import check_finite
from .engines.original import Original
from .quality import Hearing
from .sound import Samples, chunked
from .writer import Writer

__all__ = ["AsideError", "Pass"]


class AsideError(TenutoError):
    """Something failed that is not the engine's fault: the cause of this error.

    It goes through the engine's guards like this, which neither repeat nor count it.
    """

    fault_class = FaultClass.DATA


@dataclass(frozen=True, slots=True)
class Pass:
    """The way of a recording: decoder, engine, the gate's ears, encoder, a chunk at a time."""

    recording: Recording
    hearing: Hearing
    writer: Writer
    beat: Callable[[float], None]
    """Told, before each piece of work, of how many seconds of sound it is."""

    def through(self, engine: Engine, frames: int) -> Path | None:
        """The draft of what ``engine`` makes of the recording, ``frames`` at a time.

        None where it leaves the recording as it is, so that there is nothing to write. The gate
        has then heard all of it. Raises what the engine raises, MemoryError wherever there is too
        little memory, and AsideError for what else goes wrong around the engine.
        """
        read, enhanced = _Errors(), _Errors()
        with closing(self.recording.blocks()) as blocks:
            chunks = self._chunks(read.noted(blocks), frames)
            made = self._checked(engine.stream(chunks, self.recording.survey), engine.name)
            output = self._heard(enhanced.noted(made))
            try:
                if isinstance(engine, Original):
                    deque(output, maxlen=0)
                    return None
                return self.writer.write(self.recording.with_blocks(output))
            except MemoryError:
                raise
            except Exception as error:  # whatever it is, it is told whose it is
                if error in enhanced and error not in read:
                    raise
                met = error if error in read else self.writer.met(error)
            finally:  # an error that is kept keeps, by its traceback, all that it passed through
                read.forget()
                enhanced.forget()
        raise AsideError from met

    def _chunks(self, blocks: Iterator[Samples], frames: int) -> Iterator[Samples]:
        for chunk in chunked(self.hearing.before(blocks), frames):
            self.beat(frames / self.recording.rate)
            yield chunk

    def _checked(self, output: Iterator[Samples], engine: str) -> Iterator[Samples]:
        """What the engine gives; what could not be written is its failure, not the encoder's."""
        left = self.recording.frames
        for block in output:
            if block.ndim != 2 or block.shape[1] != self.recording.channels:
                raise EngineError(f"{engine} returned the shape {block.shape}", engine=engine)
            left -= len(block)
            yield check_finite(block, engine)
        if left > 0:
            raise EngineError(f"{engine} returned {left:,} frames too few", engine=engine)

    def _heard(self, output: Iterator[Samples]) -> Iterator[Samples]:
        yield from self.hearing.after(output, self.recording.channels)
        self.beat(self.recording.duration)  # an encoder may have to go over the whole once more


class _Errors:
    """The errors that have come out of a stage; told from others by identity."""

    def __init__(self) -> None:
        self._seen: list[Exception] = []

    def noted(self, blocks: Iterator[Samples]) -> Iterator[Samples]:
        """The blocks of the stage."""
        try:
            yield from blocks
        except Exception as error:  # it is only noted in passing
            self._seen.append(error)
            raise

    def forget(self) -> None:
        """Let go of them."""
        self._seen.clear()

    def __contains__(self, error: Exception) -> bool:
        return any(error is each for each in self._seen)
