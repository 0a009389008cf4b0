"""Whether an output is worse than its input, judged by what happened to the speech.

An additive model: the log-odds that PESQ or STOI fell (by more than 0.05 or 0.01) are a sum over
the measures of ``survival`` and the change of the meter's opinion. Each term is a line through five
knots, at quantiles of 1392 outputs of eight enhancers (three of the project's own and five chosen
to do harm) for 174 mixtures. The weights were fitted to these by logistic regression with an L2
penalty: ``python -m bench.fit``. How well the model tells the outputs of other enhancers, for other
speakers and other noise, is in docs/quality-gate.md.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from .survival import Survival

__all__ = ["THRESHOLD", "confidence", "suspicion"]

THRESHOLD = 0.3
"""Outputs of a lower confidence are turned away."""

_Line = tuple[tuple[float, ...], tuple[float, ...]]

_INTERCEPT = 1.29
_LINES: Mapping[str, _Line] = {
    "residual_rise": ((-8.593, 0.187, 3.205, 7.905, 38.0), (0.29, -1.26, 0.36, 0.26, 0.36)),
    "coherence": ((0.7124, 0.9247, 0.9783, 0.9945, 1.0), (1.48, 1.46, -0.92, -0.56, -1.45)),
    "treble_change": ((-89.11, -8.295, -0.848, -0.114, 10.7), (2.29, -1.17, -1.78, -0.37, 1.04)),
    "bass_change": ((-15.36, -2.234, -0.145, 0.029, 2.406), (1.36, 0.7, -0.45, -1.51, -0.09)),
    "modulation_change": ((-1.47, 0.098, 0.403, 1.837, 7.695), (0.26, 0.74, 0.02, -0.4, -0.62)),
    "residual_fluctuation": ((2.271, 4.201, 5.793, 7.815, 19.51), (-0.19, -0.9, -0.47, 1.09, 0.47)),
    "contrast": ((2.476, 5.895, 9.735, 17.98, 38.74), (0.15, 0.28, -0.78, -0.76, 1.11)),
    "flutter": ((-0.637, 0.581, 1.109, 1.779, 4.394), (-0.23, -0.5, 0.1, 0.05, 0.58)),
    "residual_over_noise": (
        (-57.45, -14.08, -4.5, -1.818, 0.086),
        (0.41, 0.12, -0.31, -0.59, 0.39),
    ),
}
_OPINION: _Line = ((-1.061, 0.0, 0.153, 0.519, 2.033), (0.24, 0.93, 0.16, -0.05, -1.28))
_NO_OPINION = 0.27  # the mean of what an opinion adds

_SUSPICIONS: Mapping[str, str] = {
    "residual_rise": "what was taken away rises and falls with the speech",
    "coherence": "the speech does not match the input's",
    "treble_change": "the treble of the speech changed too much",
    "bass_change": "the bass of the speech changed too much",
    "modulation_change": "the syllables are blurred",
    "residual_fluctuation": "what was taken away fluctuates as speech does",
    "contrast": "the input is so clean that there is more to lose than to gain",
    "flutter": "the level of the speech flutters",
    "residual_over_noise": "the noise was hardly touched",
}


def confidence(survival: Survival, opinion_change: float | None = None) -> float:
    """The probability, 0 to 1, that the output is no worse than its input.

    ``opinion_change`` is how much the meter's overall opinion of the output is above that of the
    input; without one the judgement is less sure.
    """
    opinion = _NO_OPINION if opinion_change is None else _value(_OPINION, opinion_change)
    odds = _INTERCEPT + opinion + sum(_terms(survival).values())
    return 1 / (1 + math.exp(odds))


def suspicion(survival: Survival) -> str:
    """What speaks most against the output, as a sentence."""
    terms = _terms(survival)
    return f"the speech suffered: {_SUSPICIONS[max(terms, key=terms.__getitem__)]}"


def _terms(survival: Survival) -> dict[str, float]:
    return {name: _value(_LINES[name], value) for name, value in survival._asdict().items()}


def _value(line: _Line, at: float) -> float:
    return float(np.interp(at, *line))
