"""The last rung: the recording as it is."""

from __future__ import annotations

import numpy as np

from tenuto.audio.sound import Samples

from .base import Engine
from .checking import blocks_of, check_out

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
        for block in blocks_of(samples):
            np.copyto(out[block], samples[block])
        return out
