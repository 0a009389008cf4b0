"""Whose fault is it?"""

import asyncio
import concurrent.futures
import errno
import sqlite3
import struct

import pytest

from tenuto import errors
from tenuto.clock import SimulatedClock
from tenuto.errors import FaultClass, classification, classify, most_urgent, register_fault
from tenuto.errors.classification import fault_of, told_by_type
from tenuto.policies import Retry

DATA, QUALITY, RESOURCE = FaultClass.DATA, FaultClass.QUALITY, FaultClass.RESOURCE
INFRASTRUCTURE, CONFIGURATION = FaultClass.INFRASTRUCTURE, FaultClass.CONFIGURATION
BUG, CANCELLED = FaultClass.BUG, FaultClass.CANCELLED


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (errors.DecodeError("x"), DATA),
        (errors.EncodeError("x"), DATA),
        (errors.EngineError("x"), INFRASTRUCTURE),
        (errors.QualityThresholdError(0.1, 0.2), QUALITY),
        (errors.ResourceLimitError("memory", 2, 1), RESOURCE),
        (errors.ConfigurationError("a", "b"), CONFIGURATION),
        (errors.ExternalServiceError("hub"), INFRASTRUCTURE),
        (errors.CircuitOpenError("hub"), INFRASTRUCTURE),
        (ConnectionResetError(), INFRASTRUCTURE),
        (TimeoutError(), INFRASTRUCTURE),
        (MemoryError(), RESOURCE),
        (ValueError("x"), DATA),
        (UnicodeDecodeError("utf-8", b"", 0, 1, "x"), DATA),
        (EOFError(), DATA),
        (struct.error(), DATA),
        (OverflowError(), DATA),
        (ZeroDivisionError(), BUG),
        (ModuleNotFoundError("x"), CONFIGURATION),
        (TypeError("x"), BUG),
        (KeyError("x"), BUG),
        (RecursionError(), BUG),
        (NotImplementedError(), BUG),
        (KeyboardInterrupt(), CANCELLED),
        (SystemExit(), CANCELLED),
        (GeneratorExit(), CANCELLED),
        (asyncio.CancelledError(), CANCELLED),
        (concurrent.futures.CancelledError(), CANCELLED),
        (concurrent.futures.BrokenExecutor(), INFRASTRUCTURE),
        (sqlite3.OperationalError("database or disk is full"), RESOURCE),
        (sqlite3.OperationalError("database is locked"), INFRASTRUCTURE),
        (sqlite3.ProgrammingError("x"), BUG),
    ],
)
def test_known_types(error, fault):
    assert classify(error) is fault


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        (errno.ENOSPC, RESOURCE),
        (errno.EMFILE, RESOURCE),
        (errno.ENOENT, DATA),
        (errno.EISDIR, DATA),
        (errno.EILSEQ, DATA),
        (errno.EACCES, CONFIGURATION),
        (errno.EROFS, CONFIGURATION),
        (errno.EIO, INFRASTRUCTURE),
        (errno.ESTALE, INFRASTRUCTURE),
        (errno.ECONNREFUSED, INFRASTRUCTURE),
        (None, INFRASTRUCTURE),
    ],
)
def test_an_os_error_by_its_number(code, fault):
    assert classify(OSError(code, "x") if code else OSError("x")) is fault


def _wrapped(wrapper, inner, *, explicit=True):
    try:
        try:
            raise inner
        except type(inner) as error:
            if explicit:
                raise wrapper from error
            raise wrapper  # noqa: B904 - that is what is tested
    except type(wrapper) as outer:
        return outer


def test_a_wrapper_is_classified_by_what_it_hides():
    assert classify(_wrapped(RuntimeError("engine failed"), ConnectionError())) is INFRASTRUCTURE
    assert classify(_wrapped(errors.AudioProcessingError("x"), MemoryError())) is RESOURCE
    assert classify(_wrapped(RuntimeError("x"), MemoryError(), explicit=False)) is RESOURCE


def test_a_wrapper_that_hides_it_on_purpose_is_believed():
    outer = _wrapped(RuntimeError("x"), MemoryError(), explicit=False)
    outer.__suppress_context__ = True
    assert classify(outer) is BUG


def test_an_error_that_knows_better_than_its_cause_is_believed():
    assert classify(_wrapped(errors.DecodeError("x"), ConnectionError())) is DATA


def test_nobody_knows_so_the_caller_says():
    assert classify(RuntimeError("x")) is BUG
    assert classify(RuntimeError("x"), default=INFRASTRUCTURE) is INFRASTRUCTURE


def test_a_chain_of_causes_that_never_ends():
    first, second = RuntimeError("a"), RuntimeError("b")
    first.__cause__, second.__cause__ = second, first
    assert classify(first) is BUG


def test_a_group_is_as_urgent_as_its_most_urgent_member():
    group = ExceptionGroup("x", [ValueError(), ExceptionGroup("y", [ConnectionError()])])
    assert classify(group) is INFRASTRUCTURE
    assert classify(ExceptionGroup("x", [ValueError(), ImportError()])) is CONFIGURATION
    assert classify(ExceptionGroup("x", [RuntimeError()])) is BUG
    assert most_urgent([None, QUALITY, DATA]) is DATA
    assert most_urgent([]) is None


def test_groups_that_share_their_members_are_asked_once_each():
    level = [ConnectionError(), MemoryError()]
    for _ in range(30):  # 2**30 ways lead to the bottom
        level = [ExceptionGroup("a", level), ExceptionGroup("b", level)]
    assert classify(level[0]) is RESOURCE


def test_of_a_huge_group_the_first_members_decide():
    members = [ConnectionError() for _ in range(5000)]
    assert classify(ExceptionGroup("many", [*members, MemoryError()])) is INFRASTRUCTURE
    assert classify(ExceptionGroup("many", [MemoryError(), *members])) is RESOURCE


def test_an_error_may_say_so_itself():
    class Mine(Exception):
        fault_class = FaultClass.RESOURCE

    class Confused(Exception):
        fault_class = "resource"

    assert classify(Mine()) is RESOURCE
    assert classify(Confused()) is BUG


def test_a_hostile_error_has_an_answer_too():
    class Hostile(Exception):
        @property
        def fault_class(self):
            raise OSError

    assert classify(Hostile()) is BUG


@pytest.fixture
def clean_registry(monkeypatch):
    from tenuto.errors import classification

    monkeypatch.setattr(classification, "_by_type", dict(classification._by_type))
    monkeypatch.setattr(classification, "_by_path", dict(classification._by_path))
    monkeypatch.setattr(classification, "_found", {})


@pytest.mark.usefixtures("clean_registry")
class TestRegistry:
    def test_a_type(self):
        class Mine(ValueError):
            pass

        register_fault(Mine, CONFIGURATION)
        assert classify(Mine()) is CONFIGURATION
        assert classify(ValueError()) is DATA

    def test_a_path_so_that_nothing_is_imported(self):
        class Mine(Exception):
            pass

        register_fault(f"{Mine.__module__}.{Mine.__qualname__}", RESOURCE)
        assert classify(Mine()) is RESOURCE

    def test_a_rule_that_looks_and_may_pass(self):
        class Mine(ValueError):
            pass

        @register_fault(Mine)
        def rule(error):
            return RESOURCE if "memory" in str(error) else None

        assert classify(Mine("memory")) is RESOURCE
        assert classify(Mine("other")) is DATA
        assert rule(Mine("other")) is None

    def test_a_faulty_rule_harms_nobody(self):
        class Mine(ValueError):
            pass

        register_fault(Mine, lambda error: error.missing)
        assert classify(Mine()) is BUG

    def test_types_made_at_run_time_are_not_kept_for_ever(self):
        from tenuto.errors import classification

        for number in range(3000):
            assert classify(type(f"Made{number}", (ValueError,), {})()) is DATA
        assert len(classification._found) <= 1024


class Bare(Exception):
    """Nothing but a type."""


def caused():
    error = Bare()
    error.__cause__ = TimeoutError()
    return error


def while_handling():
    error = Bare()
    error.__context__ = TimeoutError()
    return error


def noted():
    error = Bare()
    error.add_note("more")
    return error


class Hinting(Exception):
    retry_after = 5.0


class Declared(Exception):
    fault_class = FaultClass.DATA


class Odd(Exception):
    def __getattribute__(self, name):
        return super().__getattribute__(name)


class Unsure(Exception):
    """Its rule passes."""


class Broken(Exception):
    """Its rule is."""


register_fault(Unsure, lambda error: None)
register_fault(Broken, lambda error: 1 / 0)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (Bare(), (None,)),
        (ConnectionError(), (FaultClass.INFRASTRUCTURE,)),
        (PermissionError(errno.EACCES, "no"), (FaultClass.CONFIGURATION,)),
        (caused(), None),
        (while_handling(), None),
        (noted(), None),
        (Hinting(), None),
        (Declared(), None),
        (Odd(), None),
        (ExceptionGroup("", [TimeoutError()]), None),
        (Unsure(), None),
        (Broken(), None),
    ],
    ids=lambda value: type(value).__name__,
)
def test_only_an_error_with_nothing_but_its_type_is_told_by_it(error, told):
    assert told_by_type(error) == told == told_by_type(error)
    assert told is None or told == (fault_of(error),)


def test_what_is_told_by_type_follows_what_is_learnt_later():
    class Later(Exception):
        pass

    assert told_by_type(Later()) == (None,)
    register_fault(Later, FaultClass.DATA)
    assert told_by_type(Later()) == (FaultClass.DATA,)
    Later.fault_class = FaultClass.BUG
    assert told_by_type(Later()) is None


def test_types_made_at_run_time_are_not_kept_for_ever():
    for _ in range(2 * classification._MAX_FOUND):
        told_by_type(type("Made", (Exception,), {})())
    assert len(classification._told) <= classification._MAX_FOUND


class Unasked(Exception):
    @property
    def fault_class(self):
        raise RuntimeError("mine")


class Untouched(Exception):
    def __getattribute__(self, name):
        raise RuntimeError("mine")


@pytest.mark.parametrize("hostile", [Unasked, Untouched])
def test_an_error_that_answers_no_question_takes_nobodys_place(hostile):
    assert told_by_type(hostile()) is None

    @Retry(1, clock=SimulatedClock())
    def call():
        raise hostile

    with pytest.raises(hostile):
        call()
