"""What errors say of themselves, and those that do not let one ask."""

from __future__ import annotations

import contextvars
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from tenuto.capture import capture, message, message_of


@pytest.fixture(autouse=True)
def nobody_was_asked_before(monkeypatch):
    monkeypatch.setattr(message, "_answering", set())
    monkeypatch.setattr(message, "_silent", set())


class Hostile:
    def __repr__(self):
        raise AssertionError("asked")

    __str__ = __repr__


def with_attribute(error, name, value):
    setattr(error, name, value)
    return error


class Own(Exception):
    def __str__(self):
        return f"own words on {self.args[0]}"


class Shout(str):
    __slots__ = ()

    def __str__(self):
        raise AssertionError("asked")


HOSTILE = f"<{__name__}.Hostile>"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ValueError(Hostile()), HOSTILE),
        (ValueError("a", Hostile()), f"(a, {HOSTILE})"),
        (KeyError(Hostile()), HOSTILE),
        (OSError(2, Hostile()), f"(2, {HOSTILE})"),
        (with_attribute(OSError(2, "gone", "a"), "filename", Hostile()), "(2, gone)"),
        (with_attribute(OSError(2, "gone"), "strerror", Hostile()), "(2, gone)"),
        (SyntaxError(Hostile()), HOSTILE),
        (with_attribute(SyntaxError("bad"), "msg", Hostile()), "bad"),
        (
            with_attribute(UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"), "reason", Hostile()),
            "(utf-8, <bytes of 1>, 0, 1, bad)",
        ),
        (
            with_attribute(UnicodeEncodeError("ascii", "ä", 0, 1, "bad"), "reason", Hostile()),
            "(ascii, ä, 0, 1, bad)",
        ),
        (
            with_attribute(UnicodeTranslateError("ä", 0, 1, "bad"), "reason", Hostile()),
            "(ä, 0, 1, bad)",
        ),
        (ImportError(Hostile()), HOSTILE),
        (ExceptionGroup(Shout("loud"), [ValueError()]), "loud (1 sub-exception)"),
        (ExceptionGroup("x" * 9000, [ValueError()]), "x" * 8191 + "…"),
        (ValueError(Shout("loud")), "loud"),
        (
            UnicodeDecodeError("utf-8", b"\xff" * 100_000, 0, 1, "bad"),
            "'utf-8' codec can't decode byte 0xff in position 0: bad",
        ),
        (ValueError(*range(100)), "(" + ", ".join(map(str, range(100))) + ")"),
        (ValueError(*[[]] * 100), "([], [], [], [], [], [], [], [])"),
        (Own("words"), "own words on words"),
        (Own(), "<unprintable>"),
    ],
)
def test_what_errors_say(error, said):
    assert message_of(error) == said


class Blocks(Exception):
    released = None
    asked = None

    def __str__(self):
        self.asked.append(self)
        self.released.wait(30)
        return "at last"


@pytest.fixture
def blocked(monkeypatch):
    """Errors of this type do not answer before the event is set; others are not waited for long."""
    monkeypatch.setattr(message, "_PATIENCE", 0.05)
    monkeypatch.setattr(Blocks, "released", threading.Event())
    monkeypatch.setattr(Blocks, "asked", [])
    yield Blocks.released
    Blocks.released.set()
    while message._silent:
        Blocks.released.wait(0.01)


def test_an_error_that_does_not_answer_is_told_by_its_arguments_and_not_asked_again(blocked):
    assert message_of(Blocks("a", 1)) == "(a, 1)"
    for _ in range(20):
        assert message_of(Blocks("b")) == "b"
    assert len(Blocks.asked) <= 1
    assert len(message._silent) == 1


def test_an_error_that_answers_late_is_asked_again(blocked):
    assert message_of(Blocks("a")) == "a"
    blocked.set()
    while message._silent:
        blocked.wait(0.01)
    assert message_of(Blocks("a")) == "at last"


def test_the_classes_made_in_one_place_are_known_together(blocked):
    def made():
        class Made(Exception):
            def __str__(self):
                blocked.wait(30)
                return "x"

        return Made

    for _ in range(20):
        assert message_of(made()("a")) == "a"
    assert len(message._silent) == 1


def test_no_more_than_eight_threads_are_waited_for(blocked):
    asked = []
    for number in range(12):
        space = {"blocked": blocked, "asked": asked}
        source = f"def say(self):\n asked.append({number})\n blocked.wait(30)\n return 'x{number}'"
        exec(source, space)
        assert message_of(type("E", (Exception,), {"__str__": space["say"]})("a")) == "a"
    assert len(message._silent) == 8
    assert len(asked) <= 8


def test_an_answer_in_the_very_last_moment_counts(monkeypatch):
    class LateLock:
        """Taken when there was no more patience, and free a moment later."""

        def __init__(self):
            self.lock = threading.Lock()

        def acquire(self, *, blocking=True, timeout=-1):
            if timeout >= 0:
                self.lock.acquire(timeout=30)
                self.lock.release()
                return False
            return self.lock.acquire(blocking)

        def release(self):
            self.lock.release()

    monkeypatch.setattr(message._thread, "allocate_lock", LateLock)
    assert message_of(Own("words")) == "own words on words"
    assert message._silent == set()


def test_what_is_known_is_bounded(monkeypatch):
    monkeypatch.setattr(message, "_MOST_KNOWN", 4)
    for number in range(10):
        space = {}
        exec(f"def say(self): return 'x{number}'", space)
        assert message_of(type("E", (Exception,), {"__str__": space["say"]})()) == f"x{number}"
    assert len(message._answering) <= 4


def test_what_is_no_function_is_known_by_its_class(monkeypatch):
    monkeypatch.setattr(message, "_answering", set())

    class Speaks(Exception):
        __str__ = type("Speaker", (), {"__call__": lambda self: "spoken"})()

    assert message_of(Speaks()) == "spoken"
    assert message_of(Speaks()) == "spoken"
    assert len(message._answering) == 1


def test_without_another_thread_nobody_is_asked(monkeypatch):
    def no_more(*_):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(message._thread, "start_new_thread", no_more)
    assert message_of(Own("words")) == "words"


def test_many_threads_that_ask_at_once_all_hear_the_answer():
    barrier = threading.Barrier(16)

    def ask(number):
        barrier.wait(30)
        return message_of(Own(number))

    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(ask, range(16))) == [f"own words on {n}" for n in range(16)]


def test_a_first_answer_sees_the_context_variables_of_the_error():
    language = contextvars.ContextVar("language", default="en")

    class Translated(Exception):
        def __str__(self):
            return f"in {language.get()}"

    language.set("fr")
    assert message_of(Translated()) == "in fr"


def test_an_error_that_captures_itself_to_say_what_it_is_ends():
    class Vain(Exception):
        def __str__(self):
            return "see " + capture(self).message

    assert message_of(Vain("mirror")) == "see mirror"


def test_an_error_that_will_only_speak_on_its_own_thread_is_heard():
    class Local(threading.local):
        words = None

    local = Local()

    class Shy(Exception):
        def __str__(self):
            return "here: " + local.words

    local.words = "hello"
    assert message_of(Shy()) == "here: hello"


FORKS = """
import os, threading
from tenuto.capture import message_of

blocked = threading.Event()

class Blocks(Exception):
    def __str__(self):
        blocked.wait(60)
        return "answer"

first = message_of(Blocks("a"))
child = os.fork()
if not child:
    blocked.set()
    os._exit(0 if message_of(Blocks("a")) == "answer" else 1)
status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
print(first, status, flush=True)
os._exit(0)
"""


def test_a_child_process_asks_anew():
    run = [sys.executable, "-W", "ignore", "-c", FORKS]
    done = subprocess.run(run, capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.split() == ["a", "0"]
