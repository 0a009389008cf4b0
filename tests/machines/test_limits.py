from __future__ import annotations

import pytest

from tenuto.machines import Aimd, Gradient, LimitSettings

from .serving import Server

BOTH = pytest.mark.parametrize("kind", [Aimd, Gradient])


def build(kind, initial=20, **settings):
    return kind(LimitSettings(**settings), initial)


def play(limiter, latency=1.0, free=0, rounds=1):
    """Rounds of calls that all take ``latency`` seconds; the limits after each."""
    limits = []
    for _ in range(rounds):
        begun = limiter.round
        while not begun.note(latency, free):
            pass
        limiter.turn(begun)
        limits.append(limiter.limit)
    return limits


def measured(initial=20, latency=1.0, **settings):
    """A gradient that knows what calls take without load."""
    limiter = build(Gradient, initial, **settings)
    play(limiter, latency, rounds=2)
    assert limiter.limit == initial
    return limiter


def mean(limits):
    return sum(limits) / len(limits)


# --- rounds -----------------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize(("limit", "calls"), [(20, 20), (5, 5), (1, 5)])
def test_a_round_is_as_many_calls_as_the_limit_allows_but_not_too_few(kind, limit, calls):
    begun = build(kind, limit).round
    assert [begun.note(1.0, 0) for _ in range(calls)] == [False] * (calls - 1) + [True]


@BOTH
def test_the_average_of_the_last_round_can_be_seen(kind):
    limiter = build(kind, 5)
    assert limiter.latency is None
    begun = limiter.round
    for latency in (1, 2, 3, 4, 10):
        begun.note(latency, 0)
    limiter.turn(begun)
    assert limiter.latency == 4


@BOTH
def test_a_round_that_is_over_changes_nothing(kind):
    limiter = build(kind)
    play(limiter, rounds=3)
    begun, limit = limiter.round, limiter.limit
    play(limiter)
    now = limiter.limit
    begun.note(100.0, 0)
    limiter.turn(begun)
    assert limiter.limit == now >= limit


@BOTH
def test_calls_that_leave_half_of_the_limit_free_do_not_move_it(kind):
    limiter = build(kind, 20)
    assert play(limiter, free=11, rounds=50) == [20] * 50


def test_half_of_the_limit_is_enough_to_tell():
    assert play(build(Aimd, 20), free=10) == [21]


def test_the_fewest_free_places_of_a_round_count():
    limiter = build(Aimd, 5)
    for free in (4, 1, 4, 4, 4):
        limiter.round.note(1.0, free)
    limiter.turn(limiter.round)
    assert limiter.limit == 6


# --- overload ---------------------------------------------------------------------------------


@BOTH
def test_overload_takes_three_tenths(kind):
    limiter = build(kind, 20)
    limiter.drop(limiter.round)
    assert limiter.limit == 14


@BOTH
def test_overload_met_by_many_calls_at_once_counts_once(kind):
    limiter = build(kind, 20)
    begun = limiter.round
    for _ in range(20):
        limiter.drop(begun)
    assert limiter.limit == 14
    limiter.drop(limiter.round)  # one that began since
    assert limiter.limit == 9


@BOTH
def test_a_call_that_meets_overload_late_still_counts_if_none_did_since(kind):
    limiter = build(kind, 20)
    begun = limiter.round
    play(limiter, free=20, rounds=9)
    limiter.drop(begun)
    assert limiter.limit == 14


@BOTH
def test_the_limit_never_falls_below_the_minimum(kind):
    limiter = build(kind, 20, minimum=3)
    for _ in range(50):
        limiter.drop(limiter.round)
    assert limiter.limit == 3


@BOTH
def test_the_limit_never_rises_above_the_maximum(kind):
    assert play(build(kind, 20, maximum=30), rounds=200)[-1] == 30


@BOTH
def test_at_the_minimum_it_still_grows_as_soon_as_calls_go_well(kind):
    limiter = build(kind, 1)
    for _ in range(50):
        limiter.drop(limiter.round)
    assert limiter.limit == 1
    assert play(limiter, rounds=20)[-1] > 3


@BOTH
def test_other_settings_hold_at_once(kind):
    limiter = build(kind, 20)
    limiter.retune(LimitSettings(maximum=10))
    assert limiter.limit == 10
    limiter.retune(LimitSettings(minimum=15))
    assert limiter.limit == 15


# --- additive increase ------------------------------------------------------------------------


def test_aimd_grows_by_one_a_round_however_long_calls_take():
    limiter = build(Aimd, 20)
    assert [*play(limiter), *play(limiter, 9.0), *play(limiter, 0.1)] == [21, 22, 23]


# --- gradient ---------------------------------------------------------------------------------


def test_at_first_the_limit_is_lowered_for_one_round_to_measure_what_calls_take():
    assert play(build(Gradient, 20), rounds=2) == [5, 20]


def test_it_need_not_be_where_little_was_going_on():
    limiter = build(Gradient, 20)
    play(limiter, free=15)
    assert play(limiter, free=0)[0] > 19


def test_it_grows_by_a_share_of_its_root_while_latency_is_normal():
    assert play(measured(100), 1.5, rounds=3) == [102, 104, 106]


def test_it_shrinks_where_calls_take_longer_than_is_normal():
    limiter = measured(100)
    assert play(limiter, 3.0) == [92]  # 100 + 0.2 * (100 * 1.5 / 3 + 10 - 100)


def test_an_outlier_takes_no_more_than_that():
    assert play(measured(100), 1000.0) == [92]


def test_more_tolerance_takes_more_for_normal():
    assert play(measured(100, tolerance=3.0), 3.0) == [102]


def test_less_latency_than_was_seen_before_is_the_new_normal():
    limiter = measured(100, latency=2.0)
    assert play(limiter, 1.0) == [102]
    assert play(limiter, 2.0) == [98]


def test_calls_that_take_no_time_do_no_harm():
    limiter = measured(20, latency=0.0)
    assert play(limiter, 0.0, rounds=9)[-1] > 20
    assert play(limiter, 1.0)[0] < 28


def test_what_is_slow_for_good_becomes_normal():
    limiter = measured(100)
    slow = play(limiter, 4.0, rounds=30)
    assert min(slow[-2:]) == slow[-1] == slow[-2] // 4  # measured anew
    assert play(limiter, 4.0, rounds=20)[-1] > 2 * slow[-2]


def test_while_latency_is_normal_nothing_is_measured_anew():
    limits = play(measured(20), 1.2, rounds=200)
    assert limits == sorted(limits)


def test_overload_during_a_measurement_ends_it():
    limiter = build(Gradient, 40)
    assert play(limiter, 1.0) == [10]
    limiter.drop(limiter.round)
    assert limiter.limit == 28
    assert play(limiter, 9.0)[0] < 28  # not taken for the latency without load


# --- a server ---------------------------------------------------------------------------------


@pytest.mark.parametrize("initial", [1, 20, 80])
@pytest.mark.parametrize("spread", [0.0, 0.2, 0.8])
@pytest.mark.parametrize("workers", [4, 10, 40])
def test_gradient_finds_the_capacity_of_a_server_and_stays_there(workers, spread, initial):
    server = Server(build(Gradient, initial), workers, spread=spread)
    server.run(15_000 + workers * 1000)
    settles = (0.5 + (0.25 + 1.5 * workers) ** 0.5) ** 2  # n = 1.5 * workers + sqrt(n)
    assert workers <= mean(server.run(workers * 300)) <= 1.05 * settles + 1
    began, done = server.now, server.done
    server.run(workers * 300)
    assert (server.done - done) / (server.now - began) > 0.93 * workers  # and none of it idles


@pytest.mark.parametrize("initial", [1, 20, 200])
@pytest.mark.parametrize("workers", [4, 10, 40])
def test_aimd_stays_at_the_most_that_a_server_accepts(workers, initial):
    room = workers // 2
    server = Server(build(Aimd, initial), workers, room=room)
    server.run(workers * 300)
    limits = server.run(workers * 100)
    assert workers <= mean(limits) <= workers + room + 1
    assert max(limits) <= workers + room + 1
    assert server.overloads < 0.05 * server.done


def test_gradient_gives_way_when_a_server_loses_workers_and_grows_back_when_it_has_them():
    server = Server(build(Gradient), 40)
    server.run(8000)
    server.workers = 5
    assert mean(server.run(3000)[-500:]) < 15
    server.workers = 40
    server.run(6000)
    assert mean(server.run(2000)) > 40


def test_gradient_takes_what_became_slow_for_all_callers_as_it_is():
    server = Server(build(Gradient), 40)
    server.run(8000)
    server.service = 4.0
    server.run(12000)
    assert 40 <= mean(server.run(4000)) < 88


def test_gradient_does_not_drift_upward_under_a_load_that_never_ends():
    server = Server(build(Gradient), 10)
    server.run(20_000)
    early = mean(server.run(10_000))
    server.run(100_000)
    assert mean(server.run(10_000)) < 1.2 * early


def test_gradient_never_shuts_out_a_load_that_the_server_can_carry():
    server = Server(build(Gradient, 40), 40, demand=12)
    assert min(server.run(8000)) >= 12
