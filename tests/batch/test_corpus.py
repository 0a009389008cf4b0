"""Every bad recording ends as the table says, and none takes its worker with it."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from tenuto.audio.codec import decode
from tenuto.batch.executors import Answer, Task
from tenuto.batch.executors.local import LocalWorkers, Recycling
from tenuto.batch.plan import Item
from tenuto.batch.watchdog import Patience
from tenuto.batch.worker import WorkerSettings
from tenuto.errors import FaultClass
from tests.thoroughness import REPEATABLE, examples

from .corpus import CORPUS, QUARANTINED, cut_headers, flipped_bits, table

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def ward(tmp_path_factory):
    """One worker that sees all of them: ``ward(path)`` is what it answers of the one there."""
    folder = tmp_path_factory.mktemp("ward")
    settings = WorkerSettings(
        ("basic",),
        meter="none",
        journal=str(folder / "journal"),
        patience=Patience(120.0),
        memory_limit=2 << 30,
    )
    with LocalWorkers(settings, 1, recycling=Recycling(10**9)) as workers:

        def answer(path):
            workers.submit(Task(Item(str(path), str(path.parent / "out" / path.name))))
            ends = time.monotonic() + 600
            while not (ended := workers.wait(1.0)):
                assert time.monotonic() < ends
            assert isinstance(ended[0], Answer), f"{path.name}: {ended[0].cause}"
            assert workers._started == 1
            return ended[0]

        yield answer


def check(answer, path):
    """What holds of every outcome."""
    outcome = answer.result
    written = path.parent / "out" / path.name
    if outcome.status == QUARANTINED:
        assert outcome.output is None
        assert outcome.reason
        assert not written.exists()
        assert answer.troubles[-1].fault is FaultClass.DATA
        assert len(outcome.errors) == len(set(outcome.errors)) > 0
    else:
        assert outcome.output == str(written)
        assert written.stat().st_size > 0
    return outcome


@pytest.mark.parametrize("bad", CORPUS, ids=str)
def test_a_bad_recording_ends_as_the_table_says(ward, bad, tmp_path):
    path = tmp_path / bad.name
    bad.make(path)
    outcome = check(ward(path), path)
    assert (outcome.status, outcome.tier) == (bad.status, bad.tier)
    assert bad.says in (outcome.reason or "")
    if outcome.output is not None:
        assert decode(outcome.output).frames > 0


def test_a_header_that_is_cut_off_anywhere_is_quarantined(ward, tmp_path):
    ends = {}
    for name, data in cut_headers():
        path = tmp_path / name
        path.write_bytes(data)
        ends[name] = check(ward(path), path).status
    assert {name: end for name, end in ends.items() if end != QUARANTINED} == {}


def test_flipped_bits_end_somehow_and_kill_nobody(ward, tmp_path):
    seed = 1 if REPEATABLE else int.from_bytes(os.urandom(4))
    for name, data in flipped_bits(seed, examples(12)):
        path = tmp_path / f"{seed} {name}"
        path.write_bytes(data)
        check(ward(path), path)


def test_the_document_has_the_table():
    page = (ROOT / "docs/bad-inputs.md").read_text()
    assert table() in page, "python -m tests.batch.corpus prints what is to be in it"
