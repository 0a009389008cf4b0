"""``python -m tenuto.cli.trial NAME`` tries whether an engine, or the meter, really works here.

It is a process of its own, because native code that is broken may take its process with it, or
never come back.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np

from tenuto.audio.engines import available_engines
from tenuto.audio.quality import Dnsmos
from tenuto.audio.sound import Samples

__all__ = ["main"]

_METER = "dnsmos"

_RATE = 16_000


def main(name: str) -> int:
    """Exit status 0, or 1 and a sentence that says what is wrong."""
    try:
        _load(name)(_hum(0.1))
    except Exception as error:  # whatever it is, the answer is that it does not work
        sys.stdout.write(f"{type(error).__name__}: {error}\n")
        return 1
    return 0


def _load(name: str) -> Callable[[Samples], object]:
    if name == _METER:
        meter = Dnsmos()
        meter.load()
        return lambda samples: meter.measure(np.ascontiguousarray(samples[:, 0]))
    engine = next(each for each in available_engines() if each.name == name)
    engine.load()
    return lambda samples: engine.enhance(samples, _RATE)


def _hum(seconds: float) -> Samples:
    """A tone in noise, always the same."""
    time_axis = np.arange(int(seconds * _RATE)) / _RATE
    tone = 0.3 * np.sin(2 * np.pi * 200 * time_axis)
    noise = np.random.default_rng(0).normal(0, 0.05, len(time_axis))
    return (tone + noise).astype(np.float32)[:, None]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
