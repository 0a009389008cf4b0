"""What the tiers are worth, and how well the gate tells harm, on the held-out corpus.

    python -m bench.quality CORPORA

CORPORA is what ``bench.corpus`` and ``bench.heard`` made.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from bench.contenders import HELD_OUT, Mono
from bench.heard import NOISY, mixture, mixtures, output, scores
from bench.timing import table
from tenuto.audio.quality.survival import Survival, compare
from tenuto.audio.quality.worsening import THRESHOLD, confidence

TIERS = {
    NOISY: "the noisy input",
    "deepfilternet": "high: `deepfilternet`",
    "dtln": "medium: `dtln`",
    "rnnoise": "medium: `rnnoise`",
    "wiener": "basic: `wiener`",
}
OWN = tuple(TIERS)[1:]


@dataclass(frozen=True)
class Heard:
    """What became of one mixture in the hands of one contender."""

    contender: str
    snr: float
    survival: Survival
    opinion_change: float
    pesq_change: float
    stoi_change: float

    @property
    def worse(self) -> bool:
        """By more than the noise of the two measures."""
        return self.stoi_change < -0.01 or self.pesq_change < -0.05

    @property
    def better(self) -> bool:
        """Clearly, by both."""
        return self.stoi_change > 0.01 and self.pesq_change > 0.1

    @property
    def suspicion(self) -> float:
        """The gate's."""
        return 1 - confidence(self.survival, self.opinion_change)


def hear(corpus: Path, contender: str) -> list[Heard]:
    """All mixtures that were not silent to PESQ, as one contender enhanced them."""
    before, after = scores(corpus, NOISY), scores(corpus, contender)
    return [
        Heard(
            contender,
            mix["snr"],
            compare(mixture(corpus, number)["noisy"], output(corpus, contender, number)),
            opinion_change=after[number]["overall"] - before[number]["overall"],
            pesq_change=after[number]["pesq"] - before[number]["pesq"],
            stoi_change=after[number]["stoi"] - before[number]["stoi"],
        )
        for number, mix in enumerate(mixtures(corpus))
        if np.isfinite(before[number]["pesq"])
    ]


def auc(positive: Sequence[bool], suspicion: Sequence[float]) -> float:
    """The chance that a harmful output is suspected more than a harmless one."""
    bad, ranks = np.asarray(positive, bool), rankdata(suspicion)
    harmful, harmless = np.count_nonzero(bad), np.count_nonzero(~bad)
    return float((ranks[bad].sum() - harmful * (harmful + 1) / 2) / (harmful * harmless))


def tiers(corpus: Path) -> str:
    """The table of the tiers, in Markdown."""
    rows = []
    for snr in (0.0, 5.0, 10.0):
        chosen = [n for n, mix in enumerate(mixtures(corpus)) if mix["snr"] == snr]
        for contender, name in TIERS.items():
            found = [scores(corpus, contender)[n] for n in chosen]
            pesq, stoi, overall = (
                float(np.nanmean([row[key] for row in found]))
                for key in ("pesq", "stoi", "overall")
            )
            ratio = np.mean(
                [si_sdr(mixture(corpus, n)["clean"], output(corpus, contender, n)) for n in chosen]
            )
            rows.append(
                (
                    f"{snr:.0f} dB",
                    name,
                    f"{pesq:.2f}",
                    f"{stoi:.3f}",
                    f"{ratio:.1f}",
                    f"{overall:.2f}",
                )
            )
    return (
        f"Means over the {len(chosen)} mixtures of each level, of speakers and noises that nothing "
        "here was tuned on.\n\n"
        + table(("SNR", "tier", "PESQ", "STOI", "SI-SDR, dB", "DNSMOS overall"), rows)
    )


def si_sdr(clean: Mono, heard: Mono) -> float:
    """Scale-invariant signal-to-distortion ratio in dB (Le Roux et al., ICASSP 2019)."""
    speech = clean.astype(float) - clean.mean()
    sound = heard.astype(float) - heard.mean()
    target: NDArray[np.float64] = (sound @ speech) / (speech @ speech) * speech
    return float(10 * np.log10((target @ target) / max((sound - target) @ (sound - target), 1e-12)))


def gate(corpus: Path) -> str:
    """The tables of the gate, in Markdown."""
    heard = [one for contender in HELD_OUT for one in hear(corpus, contender)]
    own = [one for one in heard if one.contender in OWN]
    rows = []
    for name, part in (("the four tiers", own), ("all ten contenders", heard)):
        worse = [one.worse for one in part]
        without = [1 - confidence(one.survival) for one in part]
        rows.append(
            (
                name,
                str(len(part)),
                f"{np.mean(worse):.0%}",
                f"{auc(worse, [one.suspicion for one in part]):.2f}",
                f"{auc(worse, without):.2f}",
                f"{auc(worse, [-one.opinion_change for one in part]):.2f}",
                f"{_rejected([one for one in part if one.worse]):.0%}",
                f"{_rejected([one for one in part if not one.worse]):.0%}",
                f"{_rejected([one for one in part if one.better]):.0%}",
            )
        )
    header = (
        "outputs of",
        "outputs",
        "worse",
        "AUC",
        "AUC, no meter",
        "AUC, meter alone",
        "worse: rejected",
        "not worse: rejected",
        "clearly better: rejected",
    )
    return (
        "Worse: STOI fell by more than 0.01 or PESQ by more than 0.05 against the noisy input. "
        "Clearly better: both rose, by more than 0.01 and 0.1.\n\n" + table(header, rows)
    )


def _rejected(outputs: Sequence[Heard]) -> float:
    return float(np.mean([one.suspicion > 1 - THRESHOLD for one in outputs]))


if __name__ == "__main__":
    print(tiers(Path(sys.argv[1], "heldout")), gate(Path(sys.argv[1], "heldout")), sep="\n\n")
