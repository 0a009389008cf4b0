"""The same fault is one group; different faults are different groups."""

from __future__ import annotations

import re
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from types import MappingProxyType, SimpleNamespace

import pytest

from tenuto import scope
from tenuto.capture import capture
from tenuto.capture.clean import clean
from tenuto.capture.frames import home_of
from tenuto.errors import AudioProcessingError


def error_of(
    source,
    *,
    file="/srv/app/pipeline.py",
    module="app.pipeline",
    call="main",
    more=MappingProxyType({}),
):
    space = {"__name__": module, **more}
    exec(compile(source, file, "exec"), space)
    try:
        space[call]()
    except Exception as error:
        return error.with_traceback(error.__traceback__.tb_next)


def print_of(source, context=None, **where):
    return capture(error_of(source, **where), context=context).fingerprint


def raising(expression, before="", function="main"):
    return f"{before}def {function}():\n    raise {expression}\n"


DEEP = "".join(f"def f{n}(k):\n    f{n + 1}(k)\n" for n in range(15)) + (
    "def f15(k):\n    if k: f15(k - 1)\n    raise ValueError('x')\n"
)
ENDLESS = "def k(): pass\ndef h(): k()\ndef f(): g()\ndef g(): h(); f()\n"
BASE = raising("ValueError('bad rate 8000')")

SAME = {
    "another line": (BASE, raising("ValueError('bad rate 8000')", before="\n\n\nX = 1\n"), {}),
    "another number": (BASE, raising("ValueError('bad rate 16000')"), {}),
    "another checkout": (BASE, BASE, {"file": "/home/bob/src/x/app/pipeline.py"}),
    "another path": (
        raising("OSError('cannot open /data/a b/1.wav')"),
        raising("OSError('cannot open /mnt/x/77 b/1.wav')"),
        {},
    ),
    "another file name": (
        raising("OSError('cannot open take-one.wav')"),
        raising("OSError('cannot open second_take.flac')"),
        {},
    ),
    "another quotation": (
        raising("KeyError('left')"),
        raising("KeyError('right')"),
        {},
    ),
    "another address": (
        raising("ValueError('<Job object at 0x7f3a9c> died')"),
        raising("ValueError('<Job object at 0xdeadbeef> died')"),
        {},
    ),
    "another day": (
        raising("ValueError('stale since 2026-01-02T03:04:05Z')"),
        raising("ValueError('stale since 2025-11-12 13:14:15.123+01:00')"),
        {},
    ),
    "another uuid": (
        raising("ValueError('no job 123e4567-e89b-12d3-a456-426614174000')"),
        raising("ValueError('no job 00000000-0000-4000-8000-00000000000f')"),
        {},
    ),
    "another url": (
        raising("OSError('GET https://a.example/x?y=1 failed')"),
        raising("OSError('GET http://b.example:8080/ failed')"),
        {},
    ),
    "another generated name": (
        raising("ValueError('x')", function="step_1699999999") + "main = step_1699999999\n",
        raising("ValueError('x')", function="step_1700000000") + "main = step_1700000000\n",
        {},
    ),
    "another depth of recursion": (
        "def main(n=3):\n    if n: main(n - 1)\n    raise ValueError('x')\n",
        "def main(n=30):\n    if n: main(n - 1)\n    raise ValueError('x')\n",
        {},
    ),
    "run as a script": (BASE, BASE, {"module": "__main__"}),
    "in a comprehension": (
        "def f(x):\n    raise ValueError('x')\ndef main():\n    return [f(x) for x in 'a']\n",
        "def f(x):\n    raise ValueError('x')\ndef main():\n    for x in 'a': f(x)\n",
        {},
    ),
    "a longer comprehension": (
        "def f(x):\n    raise ValueError('x')\ndef main():\n    return {k: f(k) for k in 'a'}\n",
        "def f(x):\n    raise ValueError('x')\ndef main():\n    return {f(k) for k in 'abc'}\n",
        {},
    ),
    "another round of a recursion through three": (
        (
            "def f(n):\n    g(n)\ndef g(n):\n    h(n)\ndef h(n):\n    if n: f(n - 1)\n"
            "    raise ValueError('x')\ndef main(): f(2)\n"
        ),
        (
            "def f(n):\n    g(n)\ndef g(n):\n    h(n)\ndef h(n):\n    if n: f(n - 1)\n"
            "    raise ValueError('x')\ndef main(): f(100)\n"
        ),
        {},
    ),
    "a recursion below fifteen callers": (
        DEEP + "def main(): f0(3)\n",
        DEEP + "def main(): f0(300)\n",
        {},
    ),
    "a recursion without end, that ends in another place": (
        ENDLESS + "def main(): f()\n",
        ENDLESS + "import threading\ndef main(): threading.Thread(target=f).run()\n",
        {},
    ),
    "another checkout on windows": (BASE, BASE, {"file": r"C:\Users\bob\app\pipeline.py"}),
    "a module run with -m": (
        BASE,
        BASE,
        {"module": "__main__", "more": {"__spec__": SimpleNamespace(name="app.pipeline")}},
    ),
    "a lambda on another line": (
        "f = lambda x: 1 / x\ndef main():\n    f(0)\n",
        "X = 1\n\nf = lambda x: 1 / x\n\ndef main():\n    f(0)\n",
        {},
    ),
    "a partial": (
        "def f(x):\n    raise ValueError('x')\ndef main():\n    f(1)\n",
        (
            "from functools import partial\ndef f(x):\n    raise ValueError('x')\n"
            "def main():\n    partial(f, 1)()\n"
        ),
        {},
    ),
    "a decorator of the standard library": (
        "def f(x):\n    raise ValueError('x')\ndef main():\n    f(1)\n",
        (
            "import functools\n@functools.singledispatch\n"
            "def f(x):\n    raise ValueError('x')\ndef main():\n    f(1)\n"
        ),
        {},
    ),
    "a guard of ours": (
        "def f():\n    raise ValueError('x')\ndef main():\n    f()\n",
        (
            "from tenuto import scope\n@scope(stage='a')\n"
            "def f():\n    raise ValueError('x')\ndef main():\n    f()\n"
        ),
        {},
    ),
    "a pool of threads": (
        "def f():\n    raise ValueError('x')\ndef main():\n    f()\n",
        (
            "from concurrent.futures import ThreadPoolExecutor\n"
            "def f():\n    raise ValueError('x')\ndef main():\n"
            "    with ThreadPoolExecutor(1) as pool:\n        pool.submit(f).result()\n"
        ),
        {},
    ),
    "map in a pool of ours": (
        "def f(x):\n    raise ValueError('x')\ndef main():\n    f(1)\n",
        (
            "from tenuto import ContextThreadPoolExecutor\n"
            "def f(x):\n    raise ValueError('x')\ndef main():\n"
            "    with ContextThreadPoolExecutor(1) as pool:\n        list(pool.map(f, [1]))\n"
        ),
        {},
    ),
    "a coroutine in a task": (
        (
            "import asyncio\nasync def f():\n    raise ValueError('x')\n"
            "def main():\n    asyncio.run(f())\n"
        ),
        (
            "import asyncio\nasync def f():\n    raise ValueError('x')\n"
            "async def wait():\n    return await asyncio.gather(f())\n"
            "def main():\n    asyncio.run(asyncio.wait_for(f(), 30))\n"
        ),
        {},
    ),
    "asyncio.to_thread": (
        "def f():\n    raise ValueError('x')\ndef main():\n    f()\n",
        (
            "import asyncio\ndef f():\n    raise ValueError('x')\ndef main():\n"
            "    asyncio.run(asyncio.to_thread(f))\n"
        ),
        {},
    ),
    "raised again": (
        "def f():\n    raise ValueError('x')\ndef main():\n    f()\n",
        (
            "def f():\n    raise ValueError('x')\ndef main():\n"
            "    try:\n        f()\n    except ValueError:\n        raise\n"
        ),
        {},
    ),
    "more members of the same kinds": (
        raising("ExceptionGroup('g', [ValueError('a')] * 2)"),
        raising("ExceptionGroup('g', [ValueError('a')] * 200)"),
        {},
    ),
    "another item and size": (
        raising("IndexError('index 4096 is out of bounds for axis 0 with size 4000')"),
        raising("IndexError('index -1 is out of bounds for axis 0 with size 0')"),
        {},
    ),
    "another shape": (
        raising("ValueError('operands with shapes (2,3) (4,3)')"),
        raising("ValueError('operands with shapes (480,64) (12,9)')"),
        {},
    ),
    "another host and port": (
        raising("ConnectionError('10.0.0.1:6379 refused')"),
        raising("ConnectionError('192.168.7.9:7000 refused')"),
        {},
    ),
    "another person": (
        raising("ValueError('no quota for bob@example.org')"),
        raising("ValueError('no quota for eve.smith@mail.example.com')"),
        {},
    ),
    "another secret": (
        raising("ValueError('rejected token=abcdef')"),
        raising("ValueError('rejected token=0123456789')"),
        {},
    ),
    "another home": (
        raising("OSError('cannot write /home/bob/out/a.wav')"),
        raising("OSError('cannot write /Users/eve/out/b.wav')"),
        {},
    ),
    "another request id": (
        raising("ValueError('request req_8fZk21 was rejected')"),
        raising("ValueError('request req_77aBc0 was rejected')"),
        {},
    ),
    "quoted in quotes": (
        raising(r"""ValueError('got {\\"name\\": \\"left\\"}')"""),
        raising(r"""ValueError('got {\\"name\\": \\"right side\\"}')"""),
        {},
    ),
    "other white space": (
        raising("ValueError('no  such\\n\\tthing')"),
        raising("ValueError('no such thing')"),
        {},
    ),
    "members in another order": (
        raising("ExceptionGroup('g', [ValueError('a'), KeyError('b')])"),
        raising("ExceptionGroup('g', [KeyError('b'), ValueError('a'), ValueError('c')])"),
        {},
    ),
}

DIFFERENT = {
    "type": (BASE, raising("TypeError('bad rate 8000')")),
    "function": (BASE, raising("ValueError('bad rate 8000')", function="other") + "main = other\n"),
    "words": (BASE, raising("ValueError('bad channel count 8000')")),
    "numbered functions": (
        raising("ValueError('x')", function="stage_1") + "main = stage_1\n",
        raising("ValueError('x')", function="stage_2") + "main = stage_2\n",
    ),
    "cause": (
        "def main():\n    raise ValueError('x') from OSError('a')\n",
        "def main():\n    raise ValueError('x') from MemoryError('a')\n",
    ),
    "no cause": (BASE, "def main():\n    raise ValueError('bad rate 8000') from OSError()\n"),
    "cause of the cause": (
        (
            "def main():\n    try:\n        raise OSError('a') from KeyError('k')\n"
            "    except OSError as e:\n        raise ValueError('x') from e\n"
        ),
        (
            "def main():\n    try:\n        raise OSError('a') from IndexError('k')\n"
            "    except OSError as e:\n        raise ValueError('x') from e\n"
        ),
    ),
    "kind of member": (
        raising("ExceptionGroup('g', [ValueError('a')])"),
        raising("ExceptionGroup('g', [TypeError('a')])"),
    ),
    "functions for one rate each": (
        raising("ValueError('x')", function="to_44100") + "main = to_44100\n",
        raising("ValueError('x')", function="to_192000") + "main = to_192000\n",
    ),
    "methods of two classes": (
        "class A:\n    def f(self): raise ValueError('x')\ndef main(): A().f()\n",
        "class B:\n    def f(self): raise ValueError('x')\ndef main(): B().f()\n",
    ),
    "class of the same name elsewhere": (
        "class E(Exception): __module__ = 'a'\ndef main(): raise E('x')\n",
        "class E(Exception): __module__ = 'b'\ndef main(): raise E('x')\n",
    ),
    "function in a function": (
        "def f():\n    def g(): raise ValueError('x')\n    g()\ndef main(): f()\n",
        "def g(): raise ValueError('x')\ndef f():\n    g()\ndef main(): f()\n",
    ),
    "loops of a recursion": (
        "def f(): g()\ndef g(): f()\ndef main(): f()\n",
        "def f(): h()\ndef h(): f()\ndef main(): f()\n",
    ),
    "a number where words were": (
        raising("ValueError('no more than 3')"),
        raising("ValueError('no more than three')"),
    ),
    "unit": (raising("ValueError('after 3 s')"), raising("ValueError('after 3 bytes')")),
    "negation": (raising("ValueError('is a number')"), raising("ValueError('is no number')")),
    "a message and none": (raising("ValueError('bad')"), raising("ValueError()")),
    "errno in words": (
        raising("OSError(28, 'No space left on device')"),
        raising("OSError(13, 'Permission denied')"),
    ),
    "module": (BASE, BASE, {"module": "app.other"}),
    "exec'd code": (
        "def main():\n    exec('def f(): raise ValueError(1)\\nf()')\n",
        "def main():\n    exec('def g(): raise ValueError(1)\\ng()')\n",
    ),
    "caller": (
        "def f():\n    raise ValueError('x')\ndef main():\n    f()\n",
        "def f():\n    raise ValueError('x')\ndef g():\n    f()\ndef main():\n    g()\n",
    ),
}


@pytest.mark.parametrize("name", SAME)
def test_the_same_fault_with(name):
    one, other, where = SAME[name]
    if name == "run as a script":
        assert print_of(one, module="pipeline") == print_of(other, **where)
    else:
        assert print_of(one) == print_of(other, **where)


@pytest.mark.parametrize("name", DIFFERENT)
def test_different_faults_by(name):
    one, other, *where = DIFFERENT[name]
    assert print_of(one) != print_of(other, **(where[0] if where else {}))


def test_there_are_enough_hard_pairs():
    assert len(SAME) + len(DIFFERENT) >= 60


def test_the_pair_of_recursions_does_end_in_two_places():
    one, other, _ = SAME["a recursion without end, that ends in another place"]
    ends = [capture(error_of(source)).frames[-1].function for source in (one, other)]
    assert "h" in ends
    assert set(ends) & {"f", "g"}


def test_a_recursion_error_without_a_recursion_is_told_by_where_it_was_raised():
    one, other = raising("RecursionError('a')"), raising("RecursionError('b')", function="g")
    assert print_of(one) == print_of(raising("RecursionError('c')"))
    assert print_of(one) != print_of(other + "main = g\n")


def test_the_main_module_of_a_child_process_is_the_module_that_it_is(tmp_path):
    script = tmp_path / "pipeline.py"
    script.write_text(
        "import sys\nfrom tenuto.capture import capture\n"
        "class Bad(Exception): pass\n"
        "def fail(n):\n    raise Bad(f'item {n}')\n"
        "def told(n):\n    try:\n        fail(n)\n"
        "    except Bad as error:\n        return capture(error).fingerprint\n"
        "if __name__ == '__main__':\n"
        "    from concurrent.futures import ProcessPoolExecutor\n"
        "    from multiprocessing import get_context\n"
        "    with ProcessPoolExecutor(1, get_context('spawn')) as pool:\n"
        "        print(told(1), pool.submit(told, 2).result())\n"
    )
    imported = "import pipeline; print(pipeline.told(3))"
    prints = []
    for command in (["pipeline.py"], ["-m", "pipeline"], ["-c", imported]):
        run = [sys.executable, *command]
        done = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True, check=True)
        prints += done.stdout.split()
    assert len(prints) == 5
    assert len(set(prints)) == 1


def crash(number):
    raise ValueError(f"item {number}")


def crash_through(pool, number):
    if pool is None:
        return crash(number)
    return pool.submit(crash, number).result()


def test_the_traceback_that_a_pool_of_processes_sends_along_plays_no_part():
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        errors = []
        for number in (1, 2):
            with pytest.raises(ValueError) as caught:
                crash_through(pool, number)
            errors.append(caught.value)
    first, second = map(capture, errors)
    assert first.chain[0].type == "concurrent.futures.process._RemoteTraceback"
    assert "in crash" in first.chain[0].message
    assert first.fingerprint == second.fingerprint
    errors[1].__cause__ = None
    assert capture(errors[1]).fingerprint == first.fingerprint


@pytest.mark.parametrize(
    ("module", "file", "more", "home"),
    [
        ("app.a", "/x/a.py", {}, "app.a"),
        ("__main__", "/x/run.py", {}, "run"),
        ("__main__", "<string>", {"__file__": "/x/run.py"}, "run"),
        ("__mp_main__", "/x/run.py", {}, "run"),
        ("__main__", "/x/app/__main__.py", {"__spec__": SimpleNamespace(name="app")}, "app"),
        ("__main__", "<ipython-input-17-9f86d0818a>", {}, "<ipython-input-#-#>"),
        ("__main__", "<stdin>", {"__spec__": None, "__file__": 7}, "<stdin>"),
    ],
)
def test_code_is_at_home_in_a_module_however_it_was_started(module, file, more, home):
    assert home_of(module, more, file) == home


# What the recipe v1 makes of these. If one changes, the recipe has: count up its version.
KNOWN = {
    BASE: "v1:008a029ac4130468",
    SAME["in a comprehension"][0]: "v1:637740e8f119c3bf",
    SAME["members in another order"][0]: "v1:95afbdbb2f7233da",
    SAME["another home"][0]: "v1:ae33a0eed8fc5e57",
    SAME["a recursion without end, that ends in another place"][0]: "v1:8f065260fba783ca",
    DIFFERENT["cause of the cause"][0]: "v1:99cab4ec24e0de86",
}


@pytest.mark.parametrize("source", KNOWN)
def test_the_recipe_is_the_one_that_its_version_names(source):
    assert print_of(source) == KNOWN[source]


def test_an_explicit_fingerprint_of_any_make_is_taken_or_left():
    class Odd(list):
        def __iter__(self):
            raise RuntimeError("mine")

        __bool__ = __len__ = __iter__

    error = error_of(BASE)
    error.fingerprint = Odd(["a", "b"])
    assert capture(error).fingerprint == print_of(BASE, {"fingerprint": ["a", "b"]})
    for nothing in ("", [], [7], None, {"a": 1}, Odd([""])):
        error.fingerprint = nothing
        assert capture(error).fingerprint == print_of(BASE)
    error.fingerprint = ["x" * 10_000_000] * 1000
    assert capture(error).fingerprint != print_of(BASE)


def test_library_frames_play_no_part_where_there_are_own_ones():
    through = "import json\ndef main():\n    json.loads('{')\n"
    event = capture(error_of(through))
    assert len(event.frames) > 2
    other = capture(error_of("import json\ndef main():\n    json.JSONDecoder().decode('{')\n"))
    assert event.fingerprint == other.fingerprint


def test_without_own_frames_all_frames_tell():
    lib = "/v/lib/site-packages/lib.py"
    assert print_of(BASE, file=lib, module="lib") != print_of(BASE, file=lib, module="lib2")


def test_a_fingerprint_is_versioned_and_stable():
    assert re.fullmatch("v1:[0-9a-f]{16}", print_of(BASE))
    assert print_of(BASE) == print_of(BASE)


def test_an_explicit_fingerprint_decides_alone():
    assert print_of(BASE, {"fingerprint": "mine"}) == print_of(
        SAME["another uuid"][0], {"fingerprint": "mine"}
    )
    assert print_of(BASE, {"fingerprint": ["a", "b"]}) == print_of(
        BASE, {"fingerprint": ["a", "b"]}
    )
    assert print_of(BASE, {"fingerprint": ["a", "b"]}) != print_of(BASE, {"fingerprint": ["a"]})
    assert print_of(BASE, {"fingerprint": "mine"}) != print_of(BASE)
    assert print_of(BASE, {"fingerprint": 7}) == print_of(BASE)


def test_an_error_or_a_scope_may_bring_the_fingerprint():
    error = error_of(BASE)
    error.fingerprint = "mine"
    with scope(fingerprint="mine"):
        assert capture(error_of(BASE)).fingerprint == capture(error).fingerprint


@pytest.mark.parametrize(
    ("message", "cleaned"),
    [
        (
            "took 3.5 s, 1,024 bytes, -7 dB, 1e-3",
            "took <number> s, <number> bytes, <number> dB, <number>",
        ),
        ("at 48kHz", "at <number>kHz"),
        ("sha 9f86d081884c7d65", "sha <hex>"),
        ("job_12ab failed", "<id> failed"),
        ("worker-17 died", "<id> died"),
        ("item a1234 lost", "item <id> lost"),
        ("from 10.0.0.1:80 and [fe80::1]", "from <ip> and <ip>"),
        ("mail bob@example.org", "mail <email>"),
        ('say "hello \\" you" and `code`', "say <quoted> and <quoted>"),
        ("don't and can't differ", "don't and can't differ"),
        ("C:\\data\\x.wav or ./rel/x or ~/y", "<path> or <path> or <path>"),
        ("in src/app/main.py", "in <path>"),
        ("and/or either", "and/or either"),
        ("on 1/2/2026 at 12:13:14", "on <date> at <date>"),
        ("several\n  lines\there", "several lines here"),
        ("", ""),
    ],
)
def test_what_varies_is_taken_out_of_a_message(message, cleaned):
    assert clean(message) == cleaned


@pytest.mark.parametrize("make", [str, Path], ids=["a text", "a path"])
def test_the_path_that_an_error_is_about_plays_no_part_whatever_is_in_it(make):
    def of(path):
        return capture(AudioProcessingError(f"{path} holds no sound", path=make(path))).fingerprint

    names = ("a.wav", "/data/take one, again.wav", 'it\'s [b] "quoted".wav', "plain")
    assert len({of(name) for name in names}) == 1
    other = capture(AudioProcessingError("a.wav is empty", path="a.wav")).fingerprint
    assert other != of("a.wav")


def test_what_only_says_that_it_is_a_path_is_not_asked():
    class Odd(str):
        __slots__ = ()

        def __str__(self):
            raise RuntimeError("mine")

    said = "a b holds no sound"
    odd = capture(AudioProcessingError(said, path=Odd("a b")))
    assert odd.fingerprint == capture(AudioProcessingError(said)).fingerprint


def test_a_long_message_is_cleaned_quickly():
    for nasty in (
        "a" * 5000,
        "1" * 5000,
        "a_" * 3000,
        "/" * 5000,
        "'" * 5000,
        "a." * 3000,
        ":" * 5000,
        "0:" * 3000,
    ):
        assert len(clean(nasty)) <= 5000
