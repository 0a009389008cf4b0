"""A fleet's numbers while the server, or the way to it, is unwell."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import pytest

from tenuto.errors import RateLimitedError
from tenuto.policies import Bulkhead, RateLimit, RetryBudget
from tenuto.state import RedisState
from tests.faultproxy import FaultProxy
from tests.state.conftest import until
from tests.thoroughness import REPEATABLE

EVERY = 0.1  # seconds
WAYS = ["black hole"] if REPEATABLE else ["black hole", "refused", "cut short"]


@pytest.fixture
def proxy(server, url):
    with FaultProxy(server.port) as proxy:
        yield proxy


@pytest.fixture
def node():
    """Makes nodes, at the port of a server or of a proxy."""
    made = []

    def make(port):
        made.append(RedisState(f"redis://127.0.0.1:{port}/0", every=EVERY))
        return made[-1]

    yield make
    for each in made:
        each.close()


def total(policies):
    return sum(policy.share for policy in policies)


def fail(proxy, how):
    {
        "black hole": proxy.black_hole,
        "refused": lambda: (proxy.refuse(), proxy.reset()),
        "cut short": lambda: proxy.cut_after(11),
    }[how]()


@pytest.mark.parametrize("how", WAYS)
def test_while_nobody_answers_each_goes_by_an_equal_part_and_no_call_notices(proxy, node, how):
    nodes = [node(proxy.port) for _ in range(2)]
    busy, idle = (RateLimit(50, burst=1, name="hub", fleet=each) for each in nodes)

    def call():
        try:
            with busy:
                pass
        except RateLimitedError:
            pass

    until(lambda: busy.share == idle.share == 0.5)
    until(lambda: call() or (busy.share > 0.8 and idle.share < 0.2))
    fail(proxy, how)
    until(lambda: call() or busy.share == idle.share == 0.5)
    assert not nodes[0].status().connected
    proxy.pass_on()
    until(lambda: call() or busy.share > 0.8)


def test_the_others_have_what_a_node_had_that_is_cut_off_until_it_is_back(proxy, server, node):
    away, here = (RetryBudget("hub", fleet=node(port)) for port in (proxy.port, server.port))
    until(lambda: (away.share, here.share) == (0.5, 0.5))
    proxy.black_hole()
    until(lambda: here.share == 1.0)
    assert away.share == 0.5
    proxy.pass_on()
    until(lambda: (away.share, here.share) == (0.5, 0.5))


def test_a_node_whose_peer_has_vanished_in_the_midst_joins_again(proxy, node):
    first, second = (Bulkhead(8, name="hub", fleet=node(proxy.port)) for _ in range(2))
    until(lambda: (first.share, second.share) == (0.5, 0.5))
    before = proxy.accepted
    proxy.half_open()
    until(lambda: proxy.accepted >= before + 6)  # three connections each
    until(lambda: first.fleet.status().connected and second.fleet.status().connected)
    assert (first.share, second.share) == (0.5, 0.5)


def test_a_slow_server_costs_no_call_anything_but_is_gone_by(proxy, node):
    proxy.delay(to_client=0.3)
    first, second = (Bulkhead(8, name="hub", fleet=node(proxy.port)) for _ in range(2))
    until(lambda: (first.share, second.share) == (0.5, 0.5))


def test_a_server_that_comes_back_empty_learns_what_was_so(server, url, node):
    import redis

    budgets = [RetryBudget("hub", fleet=node(server.port)) for _ in range(3)]
    until(lambda: all(abs(each.share - 1 / 3) < 0.03 for each in budgets))
    with redis.Redis(port=server.port) as client:
        client.flushall()
        until(lambda: client.hlen("tenuto:{[budget]hub}:shares") == 5)
    assert total(budgets) <= 1.0 + 1e-6
    until(lambda: all(abs(each.share - 1 / 3) < 0.03 for each in budgets))


def test_a_full_server_is_one_that_does_not_answer(server, url, node):
    import redis

    budget = RetryBudget("hub", fleet=node(server.port))
    until(lambda: budget.fleet.status().connected)
    with redis.Redis(port=server.port) as client:
        client.config_set("maxmemory", 1)
        try:
            until(lambda: not budget.fleet.status().connected)
            assert budget.spend(None, None)
        finally:
            client.config_set("maxmemory", 0)
    until(lambda: budget.fleet.status().connected)


CHILD = """
    import sys
    from tenuto.policies import RateLimit
    from tenuto.state import RedisState

    node = RedisState(sys.argv[1], every=0.1)
    limit = RateLimit(100, name="hub", fleet=node)
    for line in sys.stdin:
        print(limit.share, flush=True)
"""


@pytest.fixture
def processes(url):
    """Real ones, which say their share when they are asked."""
    started = [
        subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(CHILD), url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    yield started
    for process in started:
        process.kill()
        process.communicate()


def share_of(process):
    process.stdin.write("?\n")
    process.stdin.flush()
    return float(process.stdout.readline())


def test_processes_divide_a_rate_and_inherit_from_those_that_are_killed(processes):
    until(lambda: all(abs(share_of(each) - 0.25) < 0.01 for each in processes))
    for process in processes[:2]:
        process.kill()
    rest = processes[2:]
    until(lambda: all(abs(share_of(each) - 0.5) < 0.01 for each in rest))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks here")
def test_a_fork_is_another_node(url, node):
    code = """
        import os, sys, threading
        from tenuto.policies import RateLimit
        from tenuto.state import RedisState

        def until(condition):
            for _ in range(6000):
                if condition():
                    return True
                threading.Event().wait(0.01)
            return False

        limit = RateLimit(100, name="hub", fleet=RedisState(sys.argv[1], every=0.1))
        assert until(lambda: limit.fleet.status().connected)
        child = os.fork()
        halved = until(lambda: limit.share == 0.5)
        if child == 0:
            os._exit(0 if halved else 1)
        _, status = os.waitpid(child, 0)
        assert halved and status == 0
        assert until(lambda: limit.share == 1.0)
    """
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(code), url],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
