"""What becomes of an exception."""

from __future__ import annotations

import asyncio
import gc
import json
import pickle
import sys
import types
import weakref

import pytest

from tenuto import scope
from tenuto.capture import (
    ATTEMPTS,
    ErrorEvent,
    capture,
    captured_context,
    captured_id,
    claim,
    identify,
    new_id,
    sketch,
    stamp,
)
from tenuto.clock import SimulatedClock
from tenuto.errors import DecodeError, FaultClass, QualityThresholdError, Severity


def raised(error):
    try:
        raise error
    except BaseException as caught:
        return caught


def decode(path, password="hunter22"):
    samples = [0.0] * 100
    raise DecodeError("no sound in it", path=path, frames=len(samples))


def failed_decode():
    try:
        decode("a.wav")
    except DecodeError as error:
        error.add_note("while the night run was on")
        return error


def test_an_event_says_what_where_when_and_whose_fault():
    clock = SimulatedClock(1_700_000_000.0)
    event = capture(failed_decode(), context={"audio_id": "a17"}, service="enhance", clock=clock)
    assert event.type == "tenuto.errors.hierarchy.DecodeError"
    assert event.message == "no sound in it"
    assert event.notes == ("while the night run was on",)
    assert event.details == {"path": "a.wav", "frames": 100}
    assert event.context == {"audio_id": "a17"}
    assert event.service == "enhance"
    assert event.time == 1_700_000_000.0
    assert event.fault_class is FaultClass.DATA
    assert event.severity is Severity.WARNING
    assert event.where == f"{__name__}:decode"
    assert [frame.function for frame in event.frames] == ["failed_decode", "decode"]
    assert event.frames[-1].line > 0
    assert event.frames[-1].in_app
    assert event.host
    assert event.pid
    assert event.thread


def test_the_variables_of_the_frames_are_shown_short_and_without_secrets():
    frame = capture(failed_decode()).frames[-1]
    assert frame.locals["path"] == "a.wav"
    assert frame.locals["password"] == "[redacted]"
    assert frame.locals["samples"][-1] == "… 92 more"


def test_an_event_survives_json_and_pickle():
    error = failed_decode()
    error.__cause__ = raised(OSError(5, "disk"))
    event = capture(error, context={"n": [1, {"x": 2.5}], "none": None}, service="s")
    assert ErrorEvent.from_dict(json.loads(json.dumps(event.to_dict()))) == event
    assert pickle.loads(pickle.dumps(event)) == event


def test_an_event_without_frames_is_nowhere():
    assert capture(ValueError("never raised")).where == ""


def test_context_comes_from_the_call_before_the_scopes_around():
    with scope(audio_id="outer", run=1):
        event = capture(ValueError(), context={"audio_id": "inner"})
    assert event.context == {"audio_id": "inner", "run": 1}


async def test_context_follows_tasks():
    async def work():
        return capture(ValueError())

    with scope(audio_id="a"):
        assert (await asyncio.create_task(work())).context == {"audio_id": "a"}


def test_nothing_live_is_kept():
    class Tensor:
        pass

    tensor = Tensor()
    gone = weakref.ref(tensor)

    def lose(tensor):
        raise ValueError("x")

    try:
        lose(tensor)
    except ValueError as error:
        event = capture(error, context={"tensor": tensor})
    del tensor
    gc.collect()
    assert gone() is None
    assert "Tensor" in event.context["tensor"]


def test_a_dict_of_locals_that_somebody_else_holds_is_left_alone():
    mine = {}

    def fail(tensor):
        mine["locals"] = locals()
        raise ValueError("x")

    try:
        fail(7)
    except ValueError as error:
        capture(error)
    assert mine["locals"]["tensor"] == 7


def test_the_namespace_of_a_module_is_left_alone():
    space = {"__name__": "m", "capture": capture}
    exec("x = 1\ntry:\n    1 / 0\nexcept ValueError.__base__ as e:\n    capture(e)\ny = x", space)
    assert space["y"] == 1


def test_one_exception_object_has_one_id():
    error = ValueError()
    assert captured_id(error) is None
    first = capture(error)
    assert captured_id(error) == first.id
    assert capture(error).id == first.id
    assert stamp(error, "other") == first.id


def test_the_identity_travels_with_a_pickled_error():
    error = DecodeError("x")
    event = capture(error)
    assert claim(error)
    copy = pickle.loads(pickle.dumps(error))
    assert captured_id(copy) == event.id
    assert not claim(copy)


def test_only_the_first_may_claim_an_error():
    error = ValueError()
    assert claim(error)
    assert not claim(error)


def test_ids_sort_by_time_even_within_a_millisecond():
    clock = SimulatedClock()
    ids = []
    for _ in range(100):
        ids.append(new_id(clock))
        clock.advance(0.0004)
    assert ids == sorted(ids) or ids[0][12:16] > ids[-1][12:16]
    assert len(set(ids)) == 100
    assert all(len(each) == 32 for each in ids)


def test_causes_contexts_and_members_are_kept():
    def nested():
        try:
            try:
                raise OSError(5, "disk")
            except OSError as error:
                raise ValueError("header") from error
        except ValueError:
            raise ExceptionGroup("both", [KeyError("a"), TypeError("b")])  # noqa: B904

    try:
        nested()
    except ExceptionGroup as error:
        event = capture(error)
    links = [(link.relation, link.parent, link.type) for link in event.chain]
    assert links == [
        ("context", -1, "ValueError"),
        ("member", -1, "KeyError"),
        ("member", -1, "TypeError"),
        ("cause", 0, "OSError"),
    ]
    assert event.chain[0].frames[-1].function.endswith("nested")
    assert event.chain[3].message == "[Errno 5] disk"


def test_a_context_that_was_suppressed_is_left_out():
    error = ValueError("b")
    error.__context__ = KeyError("a")
    assert len(capture(error).chain) == 1
    error.__suppress_context__ = True
    assert capture(error).chain == ()


def test_a_chain_that_bites_its_tail_ends():
    first, second = ValueError("a"), ValueError("b")
    first.__cause__, second.__cause__ = second, first
    assert [link.message for link in capture(first).chain] == ["b"]
    first.__cause__ = first
    assert capture(first).chain == ()


def test_endless_chains_and_groups_are_cut():
    error = ValueError("end")
    for _ in range(100):
        wrapper = ValueError("wrap")
        wrapper.__cause__ = error
        error = wrapper
    assert len(capture(error).chain) == 16
    members = [ExceptionGroup("g", [ValueError(), KeyError()]) for _ in range(99)]
    wide = ExceptionGroup("wide", members)
    assert len(capture(wide).chain) == 32


def test_a_deep_traceback_keeps_both_ends():
    def fall(n):
        if n:
            fall(n - 1)
        raise ValueError("bottom")

    try:
        fall(200)
    except ValueError as error:
        event = capture(error)
    assert len(event.frames) == 50
    assert event.frames[0].function == "test_a_deep_traceback_keeps_both_ends"
    assert event.frames[-1].function.endswith("fall")
    assert sum(bool(frame.locals) for frame in event.frames) < 50


def test_library_frames_keep_their_variables_to_themselves():
    try:
        json.loads("{")
    except ValueError as error:
        frames = capture(error).frames
    inner = [frame for frame in frames if frame.module.startswith("json")]
    assert not any(frame.in_app for frame in inner)
    assert not any(frame.locals for frame in inner[:-1])
    assert inner[-1].locals


def test_frames_of_the_guards_and_of_site_packages_are_not_the_users():
    def frame_in(module, file):
        space = {"__name__": module}
        exec(compile("def f():\n    raise ValueError('x')", file, "exec"), space)
        try:
            space["f"]()
        except ValueError as error:
            return capture(error).frames[-1]

    assert not frame_in("tenuto.policies.retry", "/x/tenuto/policies/retry.py").in_app
    assert frame_in("tenuto.audio.enhance", "/x/tenuto/audio/enhance.py").in_app
    assert frame_in("tenutoish", "/x/tenutoish.py").in_app
    assert not frame_in("numpy.core", "/v/lib/site-packages/numpy/core.py").in_app
    assert not frame_in("importlib", "<frozen importlib._bootstrap>").in_app
    assert frame_in(7, "/srv/app.py").module == "?"


def test_what_was_remembered_of_code_is_bounded(monkeypatch):
    from tenuto.capture import fingerprint, frames

    monkeypatch.setattr(frames, "_PLACES", 4)
    monkeypatch.setattr(fingerprint, "_KNOWN", 4)
    prints = set()
    for number in range(10):
        space = {"__name__": f"m{number}"}
        exec(f"def f{number}x():\n    raise ValueError('x')", space)
        try:
            space[f"f{number}x"]()
        except ValueError as error:
            prints.add(capture(error).fingerprint)
    assert len(prints) == 10
    assert len(frames._places) <= 4
    assert len(fingerprint._known) <= 4


def test_earlier_attempts_are_told():
    error = ValueError()
    setattr(error, ATTEMPTS, [{"number": 1, "wait": 0.5}])
    assert capture(error).attempts == ({"number": 1, "wait": 0.5},)
    setattr(error, ATTEMPTS, "nonsense")
    assert capture(error).attempts == ()


def test_a_quality_error_shows_its_numbers():
    event = capture(QualityThresholdError(1.5, 2.5))
    assert event.details == {"quality_score": 1.5, "threshold": 2.5}


def span_module(context):
    module = types.ModuleType("opentelemetry.trace")
    module.get_current_span = lambda: types.SimpleNamespace(get_span_context=context)
    return module


def test_the_current_span_is_noted_where_opentelemetry_is_in_use(monkeypatch):
    valid = types.SimpleNamespace(is_valid=True, trace_id=0xAB, span_id=0xCD)
    monkeypatch.setitem(sys.modules, "opentelemetry.trace", span_module(lambda: valid))
    event = capture(ValueError())
    assert event.trace_id == "ab".rjust(32, "0")
    assert event.span_id == "cd".rjust(16, "0")


def test_no_span_is_no_trouble(monkeypatch):
    assert capture(ValueError()).trace_id is None
    absent = types.SimpleNamespace(is_valid=False)
    monkeypatch.setitem(sys.modules, "opentelemetry.trace", span_module(lambda: absent))
    assert capture(ValueError()).trace_id is None
    monkeypatch.setitem(sys.modules, "opentelemetry.trace", span_module(lambda: 1 / 0))
    assert capture(ValueError()).span_id is None


class NoDict(Exception):
    @property
    def __dict__(self):
        raise RuntimeError("mine")


class OddDict(Exception):
    __dict__ = None


@pytest.mark.parametrize("kind", [NoDict, OddDict])
def test_an_error_that_hides_its_dict_is_still_told(kind):
    error = raised(kind("x"))
    event = capture(error, context={"a": 1}, service="s")
    assert captured_id(error) is None
    assert claim(error)
    assert claim(error)
    assert event.type == kind.__name__
    assert event.context == {"a": 1}
    assert event.service == "s"
    assert "lost" in event.message
    assert event.fingerprint == identify(error, {})


def test_an_error_stamped_with_nonsense_keeps_the_new_id():
    error = ValueError()
    error.__dict__["__tenuto_event__"] = 7
    assert captured_id(error) is None
    assert stamp(error, "mine") == "mine"


def test_a_hostile_mapping_costs_only_the_context():
    class Hostile(dict):
        def keys(self):
            raise RuntimeError("mine")

        def __bool__(self):
            raise RuntimeError("mine")

    assert captured_context(Hostile(a=1)) == {"context": "<lost: RuntimeError>"}


def test_notes_that_are_not_text_are_passed_over():
    error = ValueError()
    error.__notes__ = ["good", 7]
    assert capture(error).notes == ("good",)
    error.__notes__ = "not a list"
    assert capture(error).notes == ()


def test_a_sketch_asks_the_error_nothing():
    event = sketch(ValueError("x"), "<lost>")
    assert (event.type, event.message) == ("ValueError", "<lost>")
