"""Repeats are counted, exactly, and cheaply."""

from __future__ import annotations

import threading

from tenuto.journal import Journal, Reader


def report(journal, event, number, kind="decode"):
    """What ErrorReporter does; the id it gives."""
    told = event(kind, number)
    folded = journal.fold(told.fingerprint, told.context)
    if folded is None:
        journal.append(told)
        return told.id
    return f"{folded[0].id}-{folded[1]}"


def test_the_first_of_a_group_are_whole_and_the_rest_are_counted(journal, event):
    ids = [report(journal, event, number) for number in range(100)]
    assert len(set(ids)) == 100
    assert len(journal.events()) == 32
    assert journal.groups()[0].count == 100
    last = journal.events()[0]
    assert ids[32:] == [f"{last.id}-{n}" for n in range(1, 69)]
    assert journal.repeats(last.id) == 68
    assert journal.repeats("other") == 0
    assert journal.event(ids[99]).id == last.id


def test_now_and_then_one_is_kept_whole_again(journal, event, clock):
    for number in range(100):
        report(journal, event, number)
    clock.advance(10.0)
    for number in range(50):
        report(journal, event, number)
    assert len(journal.events()) == 33
    assert journal.groups()[0].count == 150


def test_counts_are_exact_after_every_flush(journal, event, clock):
    for round_number in range(1, 6):
        for number in range(40):
            report(journal, event, number)
        journal.flush()
        clock.advance(0.1)
        assert journal.groups()[0].count == 40 * round_number


def test_a_count_is_in_memory_alone_for_a_second_at_most(private_journal, event, clock):
    journal = Journal(private_journal, clock=clock)
    for number in range(40):
        report(journal, event, number)
    clock.advance(1.0)
    report(journal, event, 40)  # nobody flushes; the call itself does
    with Journal(private_journal, clock=clock) as other:
        assert other.groups()[0].count == 41
    journal.close()


def test_groups_are_folded_apart(journal, event):
    for number in range(50):
        report(journal, event, number, "decode")
        report(journal, event, number, "engine")
    assert [group.count for group in journal.groups()] == [50, 50]
    assert len(journal.events()) == 64


def test_a_forgotten_group_begins_again_and_loses_nothing(journal, event, monkeypatch):
    monkeypatch.setattr("tenuto.journal.folding._GROUPS", 2)
    kinds = ["decode", "engine", "meter"]
    for number in range(150):
        report(journal, event, number, kinds[number // 50])
    for number in range(50):
        report(journal, event, number, "decode")
    assert {group.message: group.count for group in journal.groups()} == {
        "decode failed": 100,
        "engine failed": 50,
        "meter failed": 50,
    }


def test_a_slice_tells_what_its_repeats_are_like(journal, event, clock):
    for number in range(32):
        report(journal, event, number)
    start = clock.now()
    for number in range(32, 42):
        clock.advance(0.01)
        report(journal, event, number)
    journal.flush()
    [part] = [each for each in journal.read(Reader("x", own=True)).records if each.kind == "slice"]
    assert part.body["count"] == 10
    assert part.body["revision"] == 1
    assert part.body["first"] == start + 0.01
    assert [context["number"] for context in part.body["contexts"]] == [32, 33, 34, 35]
    group = journal.groups()[0]
    assert group.last == clock.now()


def test_threads_count_together(private_journal, event):
    with Journal(private_journal) as journal:
        told = event()
        journal.append(told)

        def storm():
            for _ in range(2000):
                if journal.fold(told.fingerprint, {}) is None:
                    journal.append(event())

        threads = [threading.Thread(target=storm) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert journal.groups()[0].count == 16_001
