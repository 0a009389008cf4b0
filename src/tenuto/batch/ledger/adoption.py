"""A ledger that is gone is made again from ``outcomes.jsonl``, which has all that matters."""

from __future__ import annotations

import json
import os
import sqlite3
from pathlib import Path
from typing import Any

from tenuto.audio.names import path_from_text
from tenuto.journal import Outcome

from .keys import Naming, RealFolders, to_key
from .lines import read_lines
from .rows import values_of

__all__ = ["adopt"]

_TAKE_IN = """
INSERT OR REPLACE INTO outcomes (
    identity, input, key, place, carried, status, tier, engine, quality_before, quality_after,
    seconds, audio_seconds, attempts, fault_class, error_group, errors, reason, content, size,
    modified_ns, parameters
) VALUES (
    :identity, :input, :key, :place, :carried, :status, :tier, :engine, :quality_before,
    :quality_after, :seconds, :audio_seconds, :attempts, :fault_class, :error_group, :errors,
    :reason, :content, :size, :modified_ns, (SELECT id FROM parameters WHERE digest = :parameters)
)
"""


def adopt(db: sqlite3.Connection, lines: Path, folder: str, naming: Naming) -> None:
    """Fill a new ledger of ``folder`` from the file ``lines``; what is not ours is left out."""
    if db.execute("SELECT 1 FROM facts WHERE name = 'adopted'").fetchone():
        return
    real = RealFolders()
    db.execute("BEGIN IMMEDIATE")
    for line in read_lines(lines):
        try:
            told = json.loads(line)
            outcome = Outcome.from_dict(told)
            path = str(path_from_text(outcome.input))
            key, place = naming.pair(_place(outcome.output, folder))
            carried = told.get("manifest")
        except (ValueError, TypeError, KeyError, AttributeError):
            continue
        identity = real.path(path)
        values: dict[str, Any] = {
            **values_of(outcome),
            "identity": to_key(identity),
            "input": None if identity == path else to_key(path),
            "key": key,
            "place": place,
            "carried": None if carried is None else json.dumps(carried),
            "size": outcome.size,
            "modified_ns": outcome.modified_ns,
            "parameters": outcome.parameters,
        }
        db.execute(
            "INSERT OR IGNORE INTO parameters (digest) SELECT ? WHERE ? IS NOT NULL",
            (outcome.parameters, outcome.parameters),
        )
        db.execute(_TAKE_IN, values)
    db.execute("INSERT INTO facts VALUES ('adopted', 1)")
    db.execute("COMMIT")


def _place(output: str | None, folder: str) -> str | None:
    if output is None:
        return None
    place = os.path.relpath(path_from_text(output), folder)
    return None if place.startswith(os.pardir + os.sep) else place
