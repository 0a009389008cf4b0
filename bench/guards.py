"""What it costs to guard a call that succeeds, against a hand-written try/except.

python -m bench.guards
"""

from __future__ import annotations

import functools
import tempfile

import pybreaker
import tenacity

from bench.timing import async_seconds, sync_seconds, table
from tenuto import ErrorHandler, ErrorReporter, open_journal

CALLS = 20_000


def work(x: int) -> int:
    return x


async def work_async(x: int) -> int:
    return x


def by_hand(function):
    @functools.wraps(function)
    def guarded(*args, **kwargs):
        try:
            return function(*args, **kwargs)
        except Exception as error:
            guarded.last = error
            raise

    return guarded


def by_hand_async(function):
    @functools.wraps(function)
    async def guarded(*args, **kwargs):
        try:
            return await function(*args, **kwargs)
        except Exception as error:
            guarded.last = error
            raise

    return guarded


def report() -> str:
    """The table, in Markdown."""
    with tempfile.TemporaryDirectory() as folder, open_journal(folder) as journal:
        handler = ErrorHandler(
            "bench", error_reporter=ErrorReporter("bench", journal=journal, log=False)
        )

        def guards(function):
            return {
                "`with_retry`": handler.with_retry(function),
                "`circuit_breaker`": handler.circuit_breaker(function),
                "`protect` (retry + breaker)": handler.protect("it")(function),
                "`protect(fallback=)`": handler.protect("that", fallback=function)(function),
            }

        peers = {
            "tenacity, retry alone": tenacity.retry(stop=tenacity.stop_after_attempt(4))(work),
            "pybreaker, breaker alone": pybreaker.CircuitBreaker()(work),
            "tenacity + pybreaker": tenacity.retry(stop=tenacity.stop_after_attempt(4))(
                pybreaker.CircuitBreaker()(work)
            ),
        }
        base = "hand-written try/except"
        times = sync_seconds({base: by_hand(work), **guards(work), **peers}, CALLS)
        peers_async = {
            "tenacity, retry alone": tenacity.retry(stop=tenacity.stop_after_attempt(4))(work_async)
        }
        times_async = async_seconds(
            {base: by_hand_async(work_async), **guards(work_async), **peers_async}, CALLS
        )
    rows = [
        (
            name,
            f"{seconds / times[base]:.2f}",
            f"{times_async[name] / times_async[base]:.2f}" if name in times_async else "–",
        )
        for name, seconds in times.items()
    ]
    return (
        f"Multiples of a hand-written try/except wrapper ({times[base] * 1e9:.0f} ns sync, "
        f"{times_async[base] * 1e9:.0f} ns async here), the call succeeds.\n\n"
        + table(("guard", "sync", "async"), rows)
    )


if __name__ == "__main__":
    print(report())
