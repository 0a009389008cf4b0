"""The same fault is one group; different faults are different groups."""

from __future__ import annotations

import re

import pytest

from tenuto import scope
from tenuto.capture import capture
from tenuto.capture.clean import clean


def error_of(source, *, file="/srv/app/pipeline.py", module="app.pipeline", call="main"):
    space = {"__name__": module}
    exec(compile(source, file, "exec"), space)
    try:
        space[call]()
    except Exception as error:
        return error.with_traceback(error.__traceback__.tb_next)


def print_of(source, context=None, **where):
    return capture(error_of(source, **where), context=context).fingerprint


def raising(expression, before="", function="main"):
    return f"{before}def {function}():\n    raise {expression}\n"


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
    one, other = DIFFERENT[name]
    assert print_of(one) != print_of(other)


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
