"""What guards cost besides time on the happy path: threads, memory, garbage, imports."""

from __future__ import annotations

import gc
import json
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import pybreaker

from bench.guards import functions as f
from bench.guards import peers
from bench.timing import table
from tenuto.policies import CircuitBreaker, Retry, stack

THREADS, CALLS, NAP = 8, 20, 0.01
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
    def sizes(make: Callable[[], Any], skip: tuple[type, ...]) -> int:
        made = make()
        seen: set[int] = set()

        def size(thing: Any) -> int:
            if id(thing) in seen or isinstance(thing, (type, str, float, bool, *skip)):
                return 0
            if thing is not made and (callable(thing) or thing is None or isinstance(thing, int)):
                return 0
            seen.add(id(thing))
            parts = list(thing.__dict__.values()) if hasattr(thing, "__dict__") else []
            for kind in type(thing).__mro__:
                slots = getattr(kind, "__slots__", ())
                for slot in (slots,) if isinstance(slots, str) else slots:
                    if not slot.startswith("__") and hasattr(thing, slot):
                        parts.append(getattr(thing, slot))
            own = sys.getsizeof(thing)
            if hasattr(thing, "__dict__"):
                own += sys.getsizeof(thing.__dict__)
            if isinstance(thing, (list, tuple, dict)):
                parts += thing.values() if isinstance(thing, dict) else thing
            return own + sum(map(size, parts))

        return size(made)

    from tenuto.machines import BreakerSettings

    configuration = (CircuitBreaker, BreakerSettings)
    rows = [
        (
            "CircuitBreaker, 5 in a row",
            f"{sizes(lambda: CircuitBreaker('hub').circuit, configuration)} B",
        ),
        (
            "CircuitBreaker, rate over 100 calls",
            f"{sizes(lambda: CircuitBreaker('hub', failure_rate=0.5).circuit, configuration)} B",
        ),
        ("pybreaker", f"{sizes(pybreaker.CircuitBreaker, ())} B"),
    ]
    return (
        "State of one breaker, its lock included, without configuration and wrapper; goal 500 B."
        "\n\n" + table(("breaker", "memory"), rows)
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
        for _ in range(IMPORTS):
            done = subprocess.run(
                [sys.executable, "-c", code.format(module)],
                capture_output=True,
                text=True,
                check=True,
            )
            runs.append(json.loads(done.stdout))
        took = statistics.median(run[0] for run in runs)
        return module, f"{took * 1000:.0f} ms", ", ".join(runs[0][1]) or "–"

    modules = ("tenuto", "tenuto.policies", "tenacity", "stamina", "pybreaker", "circuitbreaker")
    return "Imports; goal 40 ms for `import tenuto`.\n\n" + table(
        ("module", "time", f"of {', '.join(WATCHED)} it imports"), list(map(measure, modules))
    )
