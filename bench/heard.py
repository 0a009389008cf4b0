"""Run every contender over a corpus once, and keep what it gave and how good that is.

    python -m bench.heard CORPORA

For each corpus, CORPORA/NAME/outputs/CONTENDER/ gets ``NNN.npy`` and ``scores.json``: PESQ
(wide band, ITU-T P.862.2) and STOI against the clean speech, and the three DNSMOS scores. The
contender ``noisy`` is the input itself. What is there is not made again. Needs ``pesq`` and
``pystoi`` (``pip install --target SITE --no-deps pesq pystoi``, and a C compiler).
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from pesq import PesqError, pesq
from pystoi import stoi

from bench import contenders
from bench.contenders import RATE, Enhance, Mono
from tenuto.audio.quality import Dnsmos

CONTENDERS = {"tune": contenders.TUNE, "heldout": contenders.HELD_OUT}
NOISY = "noisy"


def main() -> None:
    """Fill in what is missing of both corpora, or of the one named second."""
    root, *names = sys.argv[1:]
    meter = Dnsmos()
    for name in names or CONTENDERS:
        corpus = Path(root, name)
        score(corpus, NOISY, lambda noisy: noisy, meter)
        for contender, make in CONTENDERS[name].items():
            if not (corpus / "outputs" / contender / "scores.json").exists():
                score(corpus, contender, make(), meter)


def mixtures(corpus: Path) -> list[dict[str, Any]]:
    """The index of a corpus."""
    return json.loads((corpus / "index.json").read_text())


def mixture(corpus: Path, number: int) -> Mapping[str, Mono]:
    """``clean`` and ``noisy`` of one mixture."""
    return np.load(corpus / f"{number:03d}.npz")


def output(corpus: Path, contender: str, number: int) -> Mono:
    """What a contender made of a mixture."""
    if contender == NOISY:
        return mixture(corpus, number)["noisy"]
    return np.load(corpus / "outputs" / contender / f"{number:03d}.npy")


def scores(corpus: Path, contender: str) -> list[dict[str, float]]:
    """How good a contender's outputs are, in the order of the mixtures."""
    return json.loads((corpus / "outputs" / contender / "scores.json").read_text())


def score(corpus: Path, contender: str, enhance: Enhance, meter: Dnsmos) -> None:
    """Run one contender, and keep its outputs and their scores."""
    folder = corpus / "outputs" / contender
    if (folder / "scores.json").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    started, rows = time.monotonic(), []
    for number in range(len(mixtures(corpus))):
        sounds = mixture(corpus, number)
        clean, enhanced = sounds["clean"], enhance(sounds["noisy"])
        if contender != NOISY:
            np.save(folder / f"{number:03d}.npy", enhanced)
        rows.append(_score(clean, enhanced, meter))
    (folder / "scores.json").write_text(json.dumps(rows))
    means = {key: round(float(np.nanmean([row[key] for row in rows])), 3) for key in rows[0]}
    print(f"{corpus.name} {contender}: {time.monotonic() - started:.0f} s, {means}", flush=True)


def _score(clean: Mono, enhanced: Mono, meter: Dnsmos) -> dict[str, float]:
    try:
        opinion = float(pesq(RATE, clean, enhanced, "wb"))
    except PesqError:  # it found no utterance: there is hardly anything left
        opinion = 1.0
    heard = meter.measure(enhanced)
    assert heard is not None
    return {"pesq": opinion, "stoi": float(stoi(clean, enhanced, RATE)), **heard._asdict()}


if __name__ == "__main__":
    main()
