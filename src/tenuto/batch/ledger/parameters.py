"""What results depend on beside the input: settings, and the versions of what does the work."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # heavy
    from tenuto.audio.enhance import MeterName

__all__ = ["Parameters", "parameters_of"]

_DIGEST = 6  # bytes: of the few that one output folder sees, no two will be alike


@dataclass(frozen=True, slots=True)
class Parameters:
    """With other ones, a finished recording is done again."""

    body: str
    """JSON."""

    @property
    def digest(self) -> str:
        """What they are called in ``outcomes.jsonl``."""
        return hashlib.blake2b(self.body.encode(), digest_size=_DIGEST).hexdigest()


def parameters_of(
    ladder: Sequence[str], min_quality: float | None, meter: MeterName, container: str | None
) -> Parameters:
    """Those of a run: its settings, Tenuto's version, and those of its engines and its meter."""
    from tenuto.audio.engines import available_engines
    from tenuto.audio.quality import Dnsmos

    packages = {"tenuto"}
    for engine in available_engines():
        if engine.tier in ladder:
            packages.update(engine.packages)
    if meter != "none":
        packages.update(Dnsmos.packages)
    told = {
        "ladder": list(ladder),
        "min_quality": min_quality,
        "meter": meter,
        "format": container,
        "versions": {name: _version(name) for name in sorted(packages)},
    }
    return Parameters(json.dumps(told, sort_keys=True))


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
