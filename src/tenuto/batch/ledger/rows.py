"""Outcomes as rows of the ledger, and as lines of ``outcomes.jsonl``."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tenuto.audio.names import path_text
from tenuto.batch.sources.plain import plain
from tenuto.errors import FaultClass
from tenuto.journal import Outcome, OutcomeStatus

from .keys import from_key

__all__ = ["Entry", "entry_of", "line_of", "values_of"]


@dataclass(frozen=True, slots=True)
class Entry:
    """An outcome in the ledger, with what a manifest said of its input beside the path."""

    number: int
    outcome: Outcome
    carried: Mapping[str, Any] | None


def entry_of(row: tuple[Any, ...], folder: str) -> Entry:
    """The entry in the columns ``tables.ROW`` of the ledger of ``folder``."""
    number, identity, input_, key, place, carried, status, tier, engine, *rest = row
    before, after, seconds, audio_seconds, attempts, fault, group, errors, reason, *content = rest
    place = key if place is None else place
    written = place is not None and status != OutcomeStatus.QUARANTINED
    outcome = Outcome(
        input=path_text(from_key(identity if input_ is None else input_)),
        output=path_text(os.path.join(folder, from_key(place))) if written else None,  # noqa: PTH118
        status=OutcomeStatus(status),
        tier=tier,
        engine=engine,
        quality_before=before,
        quality_after=after,
        seconds=seconds,
        audio_seconds=audio_seconds,
        attempts=attempts,
        fault_class=None if fault is None else FaultClass(fault),
        group=group,
        errors=() if errors is None else tuple(json.loads(errors)),
        reason=reason,
        content=content[0],
        size=content[1],
        modified_ns=content[2],
        parameters=content[3],
    )
    # Earlier versions wrote NaN.
    columns = None if carried is None else json.loads(carried, parse_constant=lambda _: None)
    return Entry(number, outcome, columns)


def values_of(outcome: Outcome) -> dict[str, Any]:
    """The columns that come from the outcome itself."""
    return {
        "status": outcome.status.value,
        "tier": outcome.tier,
        "engine": outcome.engine,
        "quality_before": outcome.quality_before,
        "quality_after": outcome.quality_after,
        "seconds": outcome.seconds,
        "audio_seconds": outcome.audio_seconds,
        "attempts": outcome.attempts,
        "fault_class": None if outcome.fault_class is None else outcome.fault_class.value,
        "error_group": outcome.group,
        "errors": json.dumps(outcome.errors) if outcome.errors else None,
        "reason": _text(outcome.reason),
        "content": outcome.content,
    }


def line_of(outcome: Outcome, carried: Mapping[str, Any] | None) -> bytes:
    """The line of ``outcomes.jsonl``, with its end."""
    told = outcome.to_dict()
    if carried is not None:
        told["manifest"] = carried
    try:
        text = json.dumps(told, ensure_ascii=False, allow_nan=False).encode()
    except ValueError:
        text = json.dumps(plain(told), ensure_ascii=False).encode()
    return text + b"\n"


def _text(text: str | None) -> str | None:
    """Without lone surrogates: SQLite holds text."""
    return None if text is None else text.encode("utf-8", "replace").decode()
