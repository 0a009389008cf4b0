"""What becomes of an exception."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import itertools
import json
import pickle
import sys
import threading
import types
import weakref
from collections.abc import Mapping

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
    valid = types.SimpleNamespace(is_valid=True, trace_id=0xAB, span_id=0xCD, trace_flags=1)
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


TRACEPARENT = f"00-{'ab' * 16}-{'cd' * 8}-01"


def test_a_span_that_the_context_brought_along_is_noted(monkeypatch):
    with scope(traceparent=TRACEPARENT):
        event = capture(ValueError())
    assert (event.trace_id, event.span_id) == ("ab" * 16, "cd" * 8)
    here = types.SimpleNamespace(is_valid=True, trace_id=1, span_id=2)
    monkeypatch.setitem(sys.modules, "opentelemetry.trace", span_module(lambda: here))
    with scope(traceparent=TRACEPARENT):
        assert capture(ValueError()).span_id == "2".rjust(16, "0")


@pytest.mark.parametrize(
    "nonsense",
    [7, "", "00-1-2-3", TRACEPARENT.upper(), TRACEPARENT + "\n", TRACEPARENT.replace("ab", "00")],
)
def test_a_span_that_is_none_is_not_noted(nonsense):
    with scope(traceparent=nonsense):
        assert capture(ValueError()).trace_id is None


class NoDict(Exception):
    @property
    def __dict__(self):
        raise RuntimeError("mine")


class OddDict(Exception):
    __dict__ = None


class Liar(Exception):
    """Answers nothing that anybody asks of it."""

    def __getattribute__(self, name):
        raise SystemExit(3)


class Pretender(Exception):
    @property
    def __class__(self):
        raise RuntimeError("mine")

    __cause__ = __context__ = __traceback__ = args = __notes__ = fault_class = property(
        lambda self: 1 / 0
    )


class Meta(type):
    def __getattribute__(cls, name):
        raise RuntimeError("mine")

    def __hash__(cls):
        raise RuntimeError("mine")

    def __eq__(cls, other):
        raise RuntimeError("mine")


class OddClass(Exception, metaclass=Meta):
    pass


@pytest.mark.parametrize("kind", [NoDict, OddDict, Liar, Pretender])
def test_what_an_error_puts_before_its_own_fields_is_not_asked(kind):
    error = raised(kind("x"))
    BaseException.__dict__["__cause__"].__set__(error, raised(OSError("behind")))
    event = capture(error, context={"a": 1}, service="s")
    assert captured_id(error) == event.id
    assert claim(error)
    assert not claim(error)
    assert event.type == f"{__name__}.{kind.__name__}"
    assert event.message == "x"
    assert event.frames[-1].function == "raised"
    assert [link.message for link in event.chain] == ["behind"]
    assert event.context == {"a": 1}
    assert event.service == "s"
    assert event.fingerprint == identify(error, {})
    assert not event.fingerprint.endswith("0" * 16)


def test_a_class_whose_class_is_hostile_is_told_by_its_name():
    event = capture(raised(OddClass("x")))
    assert event.type == f"{__name__}.OddClass"
    assert event.message == "<unprintable>"
    assert event.frames[-1].function == "raised"


@pytest.mark.parametrize("problem", [RuntimeError, SystemExit, GeneratorExit])
def test_an_error_that_will_not_say_whose_fault_it_is_is_a_bug(problem):
    class Odd(ConnectionError):
        @property
        def fault_class(self):
            raise problem

    assert capture(Odd("x")).fault_class is FaultClass.BUG


def test_ctrl_c_while_it_is_asked_whose_fault_it_is_is_not_swallowed():
    class Slow(Exception):
        @property
        def fault_class(self):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        capture(Slow())


def test_what_is_no_error_at_all_has_an_event_too():
    event = capture("not an error", context={"a": 1})
    assert captured_id("not an error") is None
    assert claim("not an error")
    assert (event.type, event.context) == ("str", {"a": 1})
    assert event.fingerprint == "v1:" + "0" * 16


def test_details_that_are_no_dict_are_left_out():
    error = DecodeError("x", rate=8000)
    assert capture(error).details == {"rate": 8000}
    error.details = "mine"
    assert capture(error).details == {}


def test_an_error_stamped_with_nonsense_keeps_the_new_id():
    error = ValueError()
    error.__dict__["__tenuto_event__"] = 7
    assert captured_id(error) is None
    assert stamp(error, "mine") == "mine"


class Mine(Mapping):
    def __init__(self, problem):
        self.problem = problem

    def __getitem__(self, key):
        raise self.problem

    def __iter__(self):
        yield "a"

    def __len__(self):
        return 1


@pytest.mark.parametrize("problem", [RuntimeError("mine"), SystemExit(3)])
def test_a_hostile_mapping_costs_only_itself(problem):
    with scope(run=1):
        kept = captured_context(Mine(problem))
    assert kept == {"run": 1, "context": f"<lost: {type(problem).__name__}>"}
    with pytest.raises(KeyboardInterrupt):
        captured_context(Mine(KeyboardInterrupt()))


def test_a_mapping_without_end_is_cut():
    class Endless(Mine):
        def __iter__(self):
            return (f"k{n}" for n in itertools.count())

        def __getitem__(self, key):
            return key

    kept = captured_context(Endless(None))
    assert len(kept) == 33
    assert kept["k31"] == "k31"
    assert kept["…"] > 900


def test_a_dict_with_ideas_of_its_own_is_a_dict():
    class Odd(dict):
        def keys(self):
            raise RuntimeError("mine")

        __iter__ = items = __len__ = __bool__ = keys

    assert captured_context(Odd(a=1)) == {"a": 1}


def test_what_the_call_says_is_kept_however_much_the_scopes_say():
    with scope(**{f"k{n}": n for n in range(100)}):
        kept = captured_context({"mine": 1})
    assert kept["mine"] == 1
    assert kept["…"] == 101 - 32


def test_notes_that_are_not_text_are_passed_over():
    error = ValueError()
    error.__notes__ = ["good", 7]
    assert capture(error).notes == ("good",)
    error.__notes__ = "not a list"
    assert capture(error).notes == ()


def test_notes_that_hide_what_they_are_made_of_are_read_all_the_same():
    class Notes(list):
        def __getitem__(self, _):
            raise RuntimeError("mine")

        __iter__ = __len__ = __getitem__

    class Note(str):
        __slots__ = ()

        def __str__(self):
            raise RuntimeError("mine")

        __getitem__ = __len__ = __str__

    class Lies:
        @property
        def __class__(self):
            raise RuntimeError("mine")

    error = ValueError()
    error.__notes__ = Notes([Note("good"), Lies(), "x" * 5000])
    assert capture(error).notes == ("good", "x" * 1023 + "…")


def test_a_group_of_ten_thousand_keeps_the_first_and_says_how_many():
    event = capture(ExceptionGroup("many", [ValueError(n) for n in range(10_000)]))
    assert event.message == "many (10000 sub-exceptions)"
    assert len(event.chain) == 16


def test_groups_within_a_thousand_groups_end():
    error = ValueError("bottom")
    for depth in range(1000):
        error = ExceptionGroup(f"level {depth}", [error])
    event = capture(error)
    assert event.message == "level 999 (1 sub-exception)"
    assert [link.parent for link in event.chain] == list(range(-1, 15))


def test_groups_that_share_their_members_are_told_once_each():
    level = [ValueError("a"), MemoryError("b")]
    for depth in range(40):  # 2**40 ways lead to the bottom
        level = [ExceptionGroup(f"{name}{depth}", level) for name in "ab"]
    event = capture(level[0])
    assert len(event.chain) == 32
    assert len({link.message for link in event.chain}) == 32


def test_code_that_runs_in_a_mapping_of_somebodys_own_is_left_alone():
    space = Mine(KeyError("mine"))
    with pytest.raises(ValueError) as caught:
        exec("raise ValueError('x')", {}, space)
    event = capture(caught.value)
    assert event.frames[-1].locals == {}
    assert event.message == "x"


def test_of_a_module_only_the_variables_are_shown():
    source = "import json\npath = 'a.wav'\ntoken = 'abc'\nraise ValueError('x')"
    with pytest.raises(ValueError) as caught:
        exec(compile(source, "/srv/app/run.py", "exec"), {"__name__": "run", 7: "odd"})
    assert capture(caught.value).frames[-1].locals == {
        "7": "odd",
        "path": "a.wav",
        "token": "[redacted]",
    }


def test_a_frame_of_a_module_without_a_name_has_a_place():
    class Name(str):
        __slots__ = ()

        def __eq__(self, other):
            raise RuntimeError("mine")

        __hash__ = str.__hash__

    with pytest.raises(ValueError) as caught:
        exec(compile("raise ValueError('x')", "/srv/a.py", "exec"), {"__name__": Name("odd.name")})
    assert capture(caught.value).where == "odd.name:<module>"


def test_an_event_has_the_release_that_the_environment_names(monkeypatch):
    monkeypatch.delenv("TENUTO_RELEASE", raising=False)
    monkeypatch.delenv("SENTRY_RELEASE", raising=False)
    assert capture(ValueError()).release is None
    monkeypatch.setenv("SENTRY_RELEASE", "enhance@1.4")
    assert capture(ValueError()).release == "enhance@1.4"
    monkeypatch.setenv("TENUTO_RELEASE", "enhance@1.5")
    event = capture(ValueError())
    assert event.release == "enhance@1.5"
    row = event.to_dict()
    assert ErrorEvent.from_dict(row) == event
    del row["release"]  # as it was written before there was one
    assert ErrorEvent.from_dict(row).release is None


def test_a_thread_with_a_name_of_any_kind_is_told():
    events = []

    class Odd(threading.Thread):
        name = property(lambda self: 1 / 0, lambda self, value: None)

    for kind, name in ((threading.Thread, "password=hunter2 " + "x" * 500), (Odd, "odd")):
        thread = kind(target=lambda: events.append(capture(ValueError())), name=name)
        thread.start()
        thread.join()
    assert [len(event.thread) for event in events] == [200, 0]
    assert "hunter2" not in events[0].thread


@pytest.mark.parametrize("part", ["frames", "chain", "notes_of", "fingerprint", "plain"])
def test_a_part_that_cannot_be_had_costs_only_itself(part, monkeypatch):
    from tenuto.capture import capturing

    def no_memory(*_):
        raise MemoryError

    monkeypatch.setattr(capturing, part, no_memory)
    event = capture(failed_decode())
    assert event.message == "no sound in it"
    whole = [event.frames, event.notes, event.fingerprint != "v1:" + "0" * 16]
    assert whole.count(()) + whole.count(False) == (part not in {"chain", "plain"})


def test_where_there_is_hardly_any_stack_left_what_can_be_told_is_told():
    told = []

    def fall(n):
        try:
            fall(n + 1)
        except RecursionError as error:
            if not told:
                with contextlib.suppress(RecursionError):  # not even room for a call
                    told.append(capture(error))
            raise

    with pytest.raises(RecursionError):
        fall(0)
    assert told[0].type == "RecursionError"
    assert told[0].severity is Severity.ERROR


def test_a_sketch_asks_the_error_nothing():
    event = sketch(ValueError("x"), "<lost>")
    assert (event.type, event.message) == ("ValueError", "<lost>")
