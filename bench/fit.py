"""Fit the gate's model, and print it as ``tenuto.audio.quality.worsening`` holds it.

    python -m bench.fit CORPORA

CORPORA is what ``bench.corpus`` and ``bench.heard`` made. Only ``tune`` is looked at. The outputs
of the project's own engines weigh as much as those of all other contenders together. Needs
scikit-learn.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import SplineTransformer, StandardScaler

from bench.contenders import TUNE
from bench.quality import OWN, hear
from tenuto.audio.quality.survival import Survival

KNOTS = 5


def main() -> None:
    """Print the intercept, the lines, and what stands in for an opinion."""
    heard = [one for contender in TUNE for one in hear(Path(sys.argv[1], "tune"), contender)]
    names = (*Survival._fields, "opinion")
    measures = np.array([(*one.survival, one.opinion_change) for one in heard])
    own = np.array([one.contender in OWN for one in heard])
    weights = np.where(own, 1 / own.sum(), 1 / (~own).sum()) * len(heard) / 2
    model = make_pipeline(
        StandardScaler(),
        SplineTransformer(n_knots=KNOTS, degree=1, knots="quantile"),
        LogisticRegression(C=0.3, max_iter=3000),
    ).fit(measures, [one.worse for one in heard], logisticregression__sample_weight=weights)
    scaler, splines, logistic = (step for _, step in model.steps)

    print(f"{len(heard)} outputs\n_INTERCEPT = {logistic.intercept_[0]:.2f}")
    for number, name in enumerate(names):
        inner = np.asarray(splines.bsplines_[number].t[1:-1])
        knots = inner * scaler.scale_[number] + scaler.mean_[number]
        points = logistic.coef_[0][number * KNOTS : (number + 1) * KNOTS]
        print(f"{name}: ({tuple(knots.round(4).tolist())}, {tuple(points.round(2).tolist())})")
    print(f"_NO_OPINION = {np.interp(measures[:, -1], knots, points).mean():.2f}")


if __name__ == "__main__":
    main()
