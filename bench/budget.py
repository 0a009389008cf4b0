"""How soon ``--budget`` stops a run that is doomed, and how seldom one that is not.

python -m bench.budget
"""

from __future__ import annotations

import random
import statistics

from tenuto.batch.budget import FALSE_STOPS
from tenuto.machines import Allowance, Prospect

__all__ = ["report"]

_INPUTS = 1_000_000
_SHARE = 0.01
_BATCHES = 30
_RATES = (0.012, 0.015, 0.02, 0.05, 0.2)
_AT_THE_LIMIT = (100, 1_000, 10_000)


def report() -> str:
    """Both tables."""
    rows = [
        (
            f"Of {_INPUTS:,} recordings {_SHARE:.0%} may end badly, and more do: when a run is "
            f"stopped, over {_BATCHES} simulated runs each."
        ),
        "",
        "| end badly | stopped after (median) | at the latest | the budget is spent after |",
        "|---|---|---|---|",
    ]
    for rate in _RATES:
        stops = [_stopped_after(rate, seed) for seed in range(_BATCHES)]
        spent = _SHARE * _INPUTS / rate
        middle, latest = statistics.median(stops), max(stops)
        rows.append(f"| {rate:.1%} | {middle:,.0f} | {latest:,} | {spent:,.0f} |")
    rows += [
        "",
        (
            f"Exactly {_SHARE:.0%} end badly, the most that the budget allows: the chance that the "
            "run is stopped, summed over all orders that the recordings can come in."
        ),
        "",
        f"| recordings | with the risk that is in use, {FALSE_STOPS:g} | were it 0.05 |",
        "|---|---|---|",
    ]
    for inputs in _AT_THE_LIMIT:
        bad = int(inputs * _SHARE)
        rare, often = (_chance(Allowance(inputs, bad, risk)) for risk in (FALSE_STOPS, 0.05))
        rows.append(f"| {inputs:,} | {rare:.1e} | {often:.1e} |")
    return "\n".join(rows)


def _stopped_after(rate: float, seed: int) -> int:
    allowance = Allowance(_INPUTS, int(_INPUTS * _SHARE), FALSE_STOPS)
    chance, bad, ended = random.Random(seed), 0, 0
    for ended in range(1, _INPUTS + 1):
        bad += chance.random() < rate
        if allowance.prospect(ended, bad) is not Prospect.OPEN:
            break
    return ended


def _chance(allowance: Allowance) -> float:
    """That a batch with exactly as many bad ones as are allowed is stopped at any time."""
    silent = {0: 1.0}  # by how many bad ones were seen, without a stop so far
    stopped = 0.0
    for ended in range(allowance.inputs):
        coming: dict[int, float] = {}
        for seen, chance in silent.items():
            share = (allowance.allowed - seen) / (allowance.inputs - ended)
            for more, part in ((1, share), (0, 1 - share)):
                if part <= 0:
                    continue
                if allowance.prospect(ended + 1, seen + more) is Prospect.OPEN:
                    coming[seen + more] = coming.get(seen + more, 0.0) + chance * part
                else:
                    stopped += chance * part
        silent = coming
    return stopped


if __name__ == "__main__":
    print(report())
