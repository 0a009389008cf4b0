"""Engines that misbehave in one way each, and one that does not: a plugin for the tests."""

from __future__ import annotations

import os
import signal

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
