"""Where the circuits of a fleet stand, for people to read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from tenuto.machines import State

from .circuits import PARTS
from .client import as_text
from .naming import unescaped
from .rules import CircuitRecord

__all__ = ["Standing", "standing", "standings"]

_AT_ONCE = 500  # keys


class Standing(NamedTuple):
    """One circuit. Lengths of time are in seconds."""

    name: str
    state: State
    """Half open, where its time is up: whoever calls next may probe."""
    open_for: float
    left: float
    """Until probes are let through."""
    streak: int
    """How many probes have failed since it opened."""
    probing: int
    """Probes that are under way."""
    votes: tuple[str, ...]
    """The processes that have tripped by themselves, and have not convinced the others."""
    nodes: tuple[str, ...]
    """All that use it."""
    fault: str
    """What opened it."""


def standing(name: str, record: CircuitRecord, now: float) -> Standing:
    """How things are at ``now``."""
    left = max(0.0, record.until - now) if record.open else 0.0
    state = State.CLOSED
    if record.open:
        state = State.OPEN if left > 0 else State.HALF_OPEN
    return Standing(
        name,
        state,
        max(0.0, now - record.opened_at) if record.open else 0.0,
        left,
        record.streak,
        sum(until > now for until in record.leases.values()),
        _nodes(record.votes, now),
        _nodes(record.nodes, now),
        record.fault if record.open else "",
    )


def standings(client: Any, namespace: str) -> list[Standing]:
    """Those that a server knows of, by name. Raises what ``client``, a redis.Redis, raises."""
    seconds, microseconds = client.time()
    now = seconds + microseconds / 1_000_000
    prefix, suffix = f"{namespace}:{{", f"}}:{PARTS[0]}"
    names = set()
    for key in client.scan_iter(match=f"*:{PARTS[0]}", count=_AT_ONCE):
        text = as_text(key)
        if text.startswith(prefix) and text.endswith(suffix):
            names.add(text[len(prefix) : -len(suffix)])
    read = ((name, _read(client, prefix, name)) for name in sorted(names))
    return [standing(unescaped(name), record, now) for name, record in read if record is not None]


def _read(client: Any, prefix: str, name: str) -> CircuitRecord | None:
    """What is kept of a circuit; None where one of its keys is a stranger's."""
    from redis.exceptions import ResponseError

    circuit, *others = PARTS
    with client.pipeline(transaction=False) as pipe:
        pipe.hgetall(f"{prefix}{name}}}:{circuit}")
        for part in others:
            pipe.zrange(f"{prefix}{name}}}:{part}", 0, -1, withscores=True)
        answers = pipe.execute(raise_on_error=False)
    if any(isinstance(each, ResponseError) for each in answers):
        return None
    kept, *ranges = answers
    leases, votes, nodes = (_texts(dict(each)) for each in ranges)
    told = _texts(kept)
    return CircuitRecord(
        era=int(told.get("era", 0)),
        open=told.get("open") == "1",
        until=float(told.get("until", 0)),
        opened_at=float(told.get("opened_at", 0)),
        streak=int(told.get("streak", 0)),
        answered=int(told.get("answered", 0)),
        fault=told.get("fault", ""),
        leases=leases,
        votes=votes,
        nodes=nodes,
    )


def _texts(pairs: Mapping[Any, Any]) -> dict[str, Any]:
    return {
        as_text(key): value if isinstance(value, float) else as_text(value)
        for key, value in pairs.items()
    }


def _nodes(members: Mapping[str, float], now: float) -> tuple[str, ...]:
    return tuple(sorted(_distinct(each for each, until in members.items() if until > now)))


def _distinct(members: Iterable[str]) -> set[str]:
    return {member.partition("/")[0] for member in members}
