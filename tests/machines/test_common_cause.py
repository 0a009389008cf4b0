"""Many who fail alike in a row have a cause in common; one who fails often has not."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tenuto.machines import CommonCause


def alarms(machine, *failures):
    return [machine.failed(step, how, who) for step, how, who in failures]


def test_a_row_of_different_ones_raises_the_alarm_and_keeps_it_up():
    machine = CommonCause(alike=3)
    row = [("decode", "gone", who) for who in "abcd"]
    assert alarms(machine, *row) == [False, False, True, True]
    assert machine.failed("decode", "gone", "a")


def test_it_takes_twenty_where_nobody_says_otherwise():
    machine = CommonCause()
    row = [("decode", "gone", str(number)) for number in range(20)]
    assert alarms(machine, *row) == [False] * 19 + [True]


def test_of_a_rarer_fault_fewer_are_enough_and_never_more():
    machine = CommonCause(alike=3)
    assert not machine.failed("read", "hung", "a", alike=2)
    assert not machine.failed("read", "hung", "a", alike=2)
    assert machine.failed("read", "hung", "b", alike=2)
    assert not machine.failed("read", "hung", "b")
    assert machine.failed("read", "hung", "c", alike=9)


def test_one_who_fails_again_and_again_counts_once():
    machine = CommonCause(alike=2)
    assert alarms(machine, *[("decode", "gone", "a")] * 9) == [False] * 9
    assert machine.failed("decode", "gone", "b")


def test_who_passes_ends_the_row_of_that_step_alone():
    machine = CommonCause(alike=2)
    alarms(machine, ("decode", "gone", "a"), ("encode", "full", "a"))
    machine.passed("decode")
    assert not machine.failed("decode", "gone", "b")
    assert machine.failed("encode", "full", "b")


def test_a_failure_of_another_kind_begins_another_row():
    machine = CommonCause(alike=2)
    row = [("decode", how, how + who) for who in "ab" for how in ("gone", "text")]
    assert alarms(machine, *row) == [False] * 4
    assert machine.failed("decode", "text", "c")


def test_the_acquitted_raise_no_alarm_until_somebody_passes():
    machine = CommonCause(alike=2)
    alarms(machine, ("decode", "text", "a"), ("decode", "text", "b"))
    assert not machine.is_acquitted("decode", "text")
    machine.acquit("decode", "text")
    assert machine.is_acquitted("decode", "text")
    assert not machine.is_acquitted("decode", "gone")
    assert not machine.is_acquitted("encode", "text")
    assert not machine.failed("decode", "text", "c")
    assert alarms(machine, ("decode", "gone", "d"), ("decode", "gone", "e")) == [False, True]
    machine.passed("decode")
    assert not machine.is_acquitted("decode", "text")
    assert alarms(machine, ("decode", "text", "f"), ("decode", "text", "g")) == [False, True]


@given(
    st.lists(st.tuples(st.sampled_from(["gone", "text", "pass"]), st.integers(0, 9)), max_size=60),
    st.integers(1, 4),
)
def test_the_alarm_is_that_of_counting_back_from_the_end(history, alike):
    machine = CommonCause(alike)
    for count, (how, who) in enumerate(history, start=1):
        if how == "pass":
            machine.passed("decode")
            continue
        alarm = machine.failed("decode", how, str(who))
        row = set()
        for earlier, other in reversed(history[:count]):
            if earlier != how:
                break
            row.add(other)
        assert alarm == (len(row) >= alike)
