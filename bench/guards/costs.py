"""What guards cost besides time on the happy path: threads, memory, garbage, imports."""

from __future__ import annotations

import gc
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import tracemalloc
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import aiobreaker
import circuitbreaker
import hyx.circuitbreaker
import interlock
import purgatory
import pybreaker

from bench.guards import functions as f
from bench.guards import peers
from bench.timing import table
from tenuto.policies import CircuitBreaker, Retry, stack
from tenuto.policies.engine.circuit import Circuit

THREADS, CALLS, NAP = 8, 20, 0.01
ALIKE = 2_000
IMPORTS = 9
WATCHED = ("asyncio", "structlog", "tenacity", "redis")


def report() -> str:
    """The tables, in Markdown."""
    parts = (part() for part in (_threads, _memory, _garbage, _imports))
    return "\n\n".join(parts)


def _threads() -> str:
    def share(guard: Callable[..., Any]) -> float:
        guarded = guard(lambda: time.sleep(NAP))

        def caller() -> None:
            for _ in range(CALLS):
                guarded()

        threads = [threading.Thread(target=caller) for _ in range(THREADS)]
        started = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return time.perf_counter() - started

    guards = {
        "no guard": lambda function: function,
        "CircuitBreaker": CircuitBreaker(failure_rate=0.5),
        "circuitbreaker": peers.circuitbreaker_breaker,
        "purgatory": peers.purgatory_breaker,
        "pybreaker": peers.pybreaker_breaker,
    }
    took: dict[str, list[float]] = {name: [] for name in guards}
    for _ in range(3):
        for name, guard in guards.items():
            took[name].append(share(guard))
    ideal = statistics.median(took["no guard"])
    rows = [(name, f"{ideal / statistics.median(took[name]):.0%}") for name in list(guards)[1:]]
    return (
        f"{THREADS} threads, {CALLS} calls of {NAP * 1000:.0f} ms each through one breaker; "
        "goal 97 %.\n\n" + table(("breaker", "of the speed without a guard"), rows)
    )


def _memory() -> str:
    def each(make: Callable[[], Any]) -> str:
        """Of many alike, by the allocator: their registration and their locks are in it."""
        alike = [make() for _ in range(100)]
        gc.collect()
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        alike = [make() for _ in range(ALIKE)]
        gc.collect()
        taken = tracemalloc.get_traced_memory()[0] - before - sys.getsizeof(alike)
        tracemalloc.stop()
        return f"{taken / ALIKE:.0f} B"

    def ours(**settings: Any) -> tuple[str, str]:
        terms = CircuitBreaker("hub", **settings).circuit.terms
        return each(lambda: Circuit(terms)), each(lambda: CircuitBreaker("hub", **settings))

    def theirs(guard: Callable[..., Any]) -> tuple[str, str]:
        return "", each(guard)

    purgatory_circuits, name = purgatory.SyncCircuitBreakerFactory(), itertools.count()
    rows = [
        ("CircuitBreaker, 5 in a row", *ours()),
        ("CircuitBreaker, rate over 100 calls", *ours(failure_rate=0.5)),
        (
            "CircuitBreaker, rate over 60 s",
            *ours(failure_rate=0.5, window=timedelta(seconds=60)),
        ),
        ("CircuitBreaker, slow-call rate", *ours(failure_rate=0.5, slow_after=1.0, slow_rate=0.5)),
        ("hyx", *theirs(hyx.circuitbreaker.consecutive_breaker)),
        ("circuitbreaker", *theirs(circuitbreaker.CircuitBreaker)),
        ("aiobreaker", *theirs(aiobreaker.CircuitBreaker)),
        ("purgatory", *theirs(lambda: purgatory_circuits.get_breaker(str(next(name))))),
        ("pybreaker", *theirs(pybreaker.CircuitBreaker)),
        ("interlock", *theirs(lambda: interlock.CircuitBreaker(name="hub"))),
    ]
    return (
        "A breaker, its lock included, without wrapper; goal 500 B for its state. With keys, one "
        "configuration serves many states.\n\n"
        + table(("breaker", "state", "with its configuration"), rows)
    )


def _garbage() -> str:
    def left(guarded: Callable[[int], int]) -> float:
        calls = 1000
        for argument in range(100):
            guarded(argument)
        gc.collect()
        gc.disable()
        try:
            for argument in range(calls):
                guarded(argument)
            return gc.collect() / calls
        finally:
            gc.enable()

    guards = {
        "Retry + CircuitBreaker": stack(Retry(), CircuitBreaker())(f.work),
        "tenacity": peers.tenacity_retry(f.work),
        "stamina": peers.stamina_retry(f.work),
        "backoff": peers.backoff_retry(f.work),
        "pybreaker": peers.pybreaker_breaker(f.work),
    }
    rows = [(name, f"{left(guarded):.1f}") for name, guarded in guards.items()]
    return "Cyclic garbage of a call that succeeds; goal 0.\n\n" + table(
        ("guard", "objects a call"), rows
    )


def _imports() -> str:
    code = (
        "import sys, time, json; started = time.perf_counter(); import {0}; "
        "took = time.perf_counter() - started; "
        f"print(json.dumps([took, [name for name in {WATCHED} if name in sys.modules]]))"
    )

    def measure(module: str) -> tuple[str, str, str]:
        runs = []
        # All from compiled files, as an installed package is, whatever this process was told.
        with tempfile.TemporaryDirectory() as compiled:
            told = {**os.environ, "PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": compiled}
            for _ in range(1 + IMPORTS):
                done = subprocess.run(
                    [sys.executable, "-c", code.format(module)],
                    capture_output=True,
                    text=True,
                    check=True,
                    env=told,
                )
                runs.append(json.loads(done.stdout))
        del runs[0]  # it compiled them
        took = statistics.median(run[0] for run in runs)
        return module, f"{took * 1000:.0f} ms", ", ".join(runs[0][1]) or "–"

    modules = ("tenuto", "tenuto.policies", "tenacity", "stamina", "pybreaker", "circuitbreaker")
    return "Imports; goal 40 ms for `import tenuto`.\n\n" + table(
        ("module", "time", f"of {', '.join(WATCHED)} it imports"), list(map(measure, modules))
    )
