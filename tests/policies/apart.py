"""What the tests run in processes of their own. It has to be importable there, and light."""

from __future__ import annotations

import collections
import itertools
import json
import os
import signal
import sys
import threading
import time

from tenuto.context import current_context
from tenuto.errors.hierarchy import LOCAL_PREFIX
from tenuto.policies import Backoff, Retry, Timeout, time_left


def whoami():
    return os.getpid()


def add(left, right=0):
    return left + right


def context():
    return dict(current_context())


def left():
    return time_left()


def sleep():
    time.sleep(1000)


def hang_in_c():
    """Never gives the interpreter back, so that no thread and no signal handler ever runs."""
    collections.deque(itertools.repeat(0), maxlen=0)


def die(exitcode):
    os._exit(exitcode)


def die_by(number):
    os.kill(os.getpid(), number)


def leave(status):
    sys.exit(status)


def ignores_interrupts():
    os.kill(os.getpid(), signal.SIGINT)
    return "still here"


class Awkward(Exception):
    """Cannot be built again from its message alone, as pickle tries to."""

    def __init__(self, code, reason):
        super().__init__(f"{code}: {reason}")


class Hostile(ConnectionError):
    def __reduce__(self):
        raise TypeError

    def __str__(self):
        raise TypeError


class Proud(Exception):
    add_note = None


def fail():
    raise ConnectionError("reset by peer")


def fail_because():
    try:
        fail()
    except ConnectionError as error:
        raise RuntimeError("no answer") from error


def fail_while():
    try:
        fail()
    except ConnectionError:
        raise RuntimeError("no answer")  # noqa: B904  # the implicit context is the point


def fail_unlike():
    try:
        fail()
    except ConnectionError:
        raise RuntimeError("no answer") from None


def fail_to_read():
    json.loads("no json")


def fail_with_baggage():
    error = ConnectionError("reset by peer")
    setattr(error, f"{LOCAL_PREFIX}lock", threading.Lock())
    error.code = 7
    raise error


@Retry(1, Backoff("fixed", initial=0.0))
def fail_for_good():
    raise ConnectionError("reset by peer")


def fail_awkwardly():
    raise Awkward(7, "odd")


def fail_hostilely():
    raise Hostile("x")


def fail_proudly():
    raise Proud("x")


def give_what_cannot_be_pickled():
    return lambda: None


class Doubler:
    def __init__(self, factor):
        self.factor = factor

    def double(self, value):
        return self.factor * value


@Retry(max_retries=0)
@Timeout(30, isolate=True)
def decorated(value):
    """Under two decorators, so that its name leads to the outer one."""
    return value, os.getpid()
