"""``python -m proof.fuzz --seconds 60``: a fuzzer that sees which branches it reaches.

It looks for anything that breaks what ``fuzz_properties`` says. Ends with status 0 where nothing
was found, or where the fuzzer cannot be had, and says so; else with another, and the input that
did it is in ``build/fuzz``: ``python -m proof.fuzz build/fuzz/crash-…`` tries it again.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

__all__ = ["main"]

_FOLDER = Path(__file__).parents[1] / "build/fuzz"
_SLOWEST = 10  # seconds for one input
_LONGEST = 2000  # bytes of one input

# What a fuzzer would be long in coming to by itself.
_SEEDS = (
    "password=hunter2 token: 'x' --secret y <token>z</token>",
    "Authorization: Digest a=b, response=c\r\nCookie: a=b",
    "https://u:p@h/?sig=x&X-Amz-Signature=y /home/bob/a.wav C:\\Users\\bob\\a.wav",
    "-----BEGIN PRIVATE KEY-----\nx\n-----END PRIVATE KEY----- eyJhbGciOiJ.x.y",
    "take-17.wav of job_12ab at 0x7f3a, 2026-01-02T03:04:05Z, 10.0.0.1:80, 1e-3 \"q\" 'r'",
    '\0\n\x1b[31m\u202e\u2028\ud800 \\"x\\" password: |\n  y',
    '{"a":[[[[1]]]],"password":"x"}',
    "00-abababababababababababababababab-cdcdcdcdcdcdcdcd-01",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Fuzz for a while, or try the given inputs; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m proof.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=int, default=60, help="how long to look for trouble")
    parser.add_argument("inputs", nargs="*", help="files to try again, instead")
    chosen = parser.parse_args(arguments)
    if find_spec("atheris") is None:
        print("atheris is not installed (it has wheels for some systems only): nothing was fuzzed")
        return 0
    corpus = _FOLDER / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(_SEEDS):
        for which in range(6):
            file = corpus / f"seed-{number}-{which}"
            file.write_bytes(bytes([which]) + seed.encode("utf-8", "surrogatepass"))
    limits = [
        f"-timeout={_SLOWEST}",
        f"-max_len={_LONGEST}",
        "-len_control=0",
        f"-artifact_prefix={_FOLDER}/",
    ]
    # The fuzzer ends its process, so that it has one of its own.
    command = [sys.executable, "-m", "proof.fuzz_target", *limits]
    if chosen.inputs:
        return subprocess.call([*command, *chosen.inputs])
    log = _FOLDER / "log"
    longer = [f"-max_total_time={chosen.seconds}", "-print_final_stats=1", str(corpus)]
    with log.open("w") as said:
        status = subprocess.call([*command, *longer], stderr=said)
    lines = log.read_text("utf-8", "replace").splitlines()
    shown = lines[-40:] if status else [line for line in lines if line.startswith("stat::")]
    print("\n".join(shown))
    return status


if __name__ == "__main__":
    sys.exit(main())
