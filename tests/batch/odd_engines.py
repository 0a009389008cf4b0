"""Engines that misbehave in one way each, and one that does not: a plugin for the tests."""

from __future__ import annotations

import ctypes
import mmap
import os
import signal
import sys
import time
from pathlib import Path

import numpy as np

from tenuto.audio.engines import Engine
from tenuto.errors import ConfigurationError, EngineError


class Steady(Engine):
    name = tier = "steady"
    native_rate = None

    def enhance(self, samples, rate, *, out=None):
        return samples * 0.97


class Failing(Steady):
    name = tier = "failing"

    def enhance(self, samples, rate, *, out=None):
        raise EngineError("the engine is out of [bold]oil[/bold]\x1b[2J")


class Unset(Steady):
    name = tier = "unset"

    def enhance(self, samples, rate, *, out=None):
        raise ConfigurationError("the model", "install it")


class Muting(Steady):
    name = tier = "muting"

    def enhance(self, samples, rate, *, out=None):
        return samples * 0


class Crashing(Steady):
    name = tier = "crashing"

    def enhance(self, samples, rate, *, out=None):
        os.kill(os.getpid(), signal.SIGSEGV)


class Aborting(Steady):
    name = tier = "aborting"

    def enhance(self, samples, rate, *, out=None):
        os.abort()


class Leaving(Steady):
    name = tier = "leaving"

    def enhance(self, samples, rate, *, out=None):
        os._exit(0)


class Killed(Steady):
    name = tier = "killed"

    def enhance(self, samples, rate, *, out=None):
        os.kill(os.getpid(), signal.SIGKILL)


class Hanging(Steady):
    name = tier = "hanging"

    def enhance(self, samples, rate, *, out=None):
        while True:
            signal.pause()


class Gated(Steady):
    """Says that it is at work, and then waits until it may go on, both by files."""

    name = tier = "gated"

    def enhance(self, samples, rate, *, out=None):
        gate = Path(os.environ["TENUTO_TEST_GATE"])
        with gate.with_name("gate.waiting").open("a") as waiting:
            waiting.write(f"{os.getpid()}\n")
        while not gate.exists():
            time.sleep(0.02)
        return super().enhance(samples, rate)


class Clinging(Steady):
    """Hangs in native code, and holds the interpreter's lock while it does."""

    name = tier = "clinging"

    def enhance(self, samples, rate, *, out=None):
        ctypes.PyDLL(None).sleep(100_000)


class Overflowing(Steady):
    """Calls itself through native code until the stack ends."""

    name = tier = "overflowing"

    def enhance(self, samples, rate, *, out=None):
        sys.setrecursionlimit(2**31 - 1)
        deeper = ctypes.CFUNCTYPE(None)(lambda: deeper())  # noqa: PLW0108 - it is not there yet
        deeper()


class Hungry(Steady):
    """Asks for 4 GB of memory, politely."""

    name = tier = "hungry"

    def enhance(self, samples, rate, *, out=None):
        return samples + np.ones(2**29)[: len(samples), None]


class Wide(Steady):
    """Asks for 1 GB of memory."""

    name = tier = "wide"

    def enhance(self, samples, rate, *, out=None):
        return samples + np.ones(2**27)[: len(samples), None] * 0


class Gorging(Steady):
    """Ends as a program in C++ does that gets no memory."""

    name = tier = "gorging"

    def enhance(self, samples, rate, *, out=None):
        os.write(2, b"terminate called after throwing an instance of 'std::bad_alloc'\n")
        os.abort()


class Gorged(Steady):
    """Takes 1.2 GB, and uses them."""

    name = tier = "gorged"

    def enhance(self, samples, rate, *, out=None):
        return samples * np.ones(1200 << 17)[: len(samples), None].astype(np.float32)


class Sharing(Steady):
    """Takes 400 MB of a kind that a limit on private memory does not see."""

    name = tier = "sharing"

    def enhance(self, samples, rate, *, out=None):
        with mmap.mmap(-1, 400 << 20) as memory:
            for start in range(0, len(memory), mmap.PAGESIZE):
                memory[start] = 1
            signal.sigtimedwait([], 3.0)  # until somebody may have seen it
        return samples * 0.97


class Leaking(Steady):
    """Keeps 150 MB for ever, each time."""

    name = tier = "leaking"
    kept: list = []  # noqa: RUF012 - that is the leak

    def enhance(self, samples, rate, *, out=None):
        self.kept.append(np.ones(150 << 17))
        return samples * 0.97
