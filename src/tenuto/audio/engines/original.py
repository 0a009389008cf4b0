"""The last rung: the recording as it is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tenuto.audio.sound import Samples, blocks_of
from tenuto.audio.storage import gathered
from tenuto.audio.survey import Survey

from .base import Engine
from .checking import check_out

__all__ = ["Original"]


class Original(Engine):
    """Changes nothing, and so cannot fail: better than no output at all."""

    name = "original"
    tier = "original"
    native_rate = None

    def enhance(
        self,
        samples: Samples,
        rate: int,  # noqa: ARG002 - any will do
        *,
        out: Samples | None = None,
    ) -> Samples:
        """The input itself, or a copy of it in ``out``."""
        if out is None:
            return samples
        check_out(out, samples)
        return gathered(blocks_of(samples), out)

    def stream(self, chunks: Iterable[Samples], survey: Survey) -> Iterator[Samples]:  # noqa: ARG002 - any will do
        yield from chunks
