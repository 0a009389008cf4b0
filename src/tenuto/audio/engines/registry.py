"""Which engines there are, and which of them to take.

Engines are entry points of the group ``tenuto.engines``, built-in ones and others alike:
the name is the engine's, the value its class.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import NamedTuple

from tenuto.errors import ConfigurationError

from .base import Engine

__all__ = ["GROUP", "available_engines", "engine_for", "missing_engines"]

GROUP = "tenuto.engines"


class _Found(NamedTuple):
    available: tuple[Engine, ...]
    missing: dict[str, str]


@cache
def _find() -> _Found:
    available: list[Engine] = []
    missing: dict[str, str] = {}
    for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name):
        try:
            engine = _construct(entry)
            remedy = engine.missing()
        except Exception as error:  # a plugin is anybody's code: a broken one must not hide others
            missing[entry.name] = f"{entry.value} cannot be loaded: {error!r}"
            continue
        if remedy is None:
            available.append(engine)
        else:
            missing[entry.name] = remedy
    return _Found(tuple(available), missing)


def _construct(entry: EntryPoint) -> Engine:
    engine = entry.load()()
    if not isinstance(engine, Engine):
        raise TypeError(f"{type(engine).__name__} is no Engine")
    return engine


def available_engines() -> tuple[Engine, ...]:
    """Every engine that can run here, in the order of their names; the same objects each time."""
    return _find().available


def missing_engines() -> dict[str, str]:
    """The engines that cannot run here: what to install, or what is wrong, by name."""
    return dict(_find().missing)


def engine_for(tier: str, rate: int) -> Engine:
    """The engine of a tier that suits recordings of ``rate`` Hz best.

    That is the one with the lowest native rate that still covers the whole band of the recording;
    where none does, the one that covers most. An engine for any rate covers every band. Raises
    ConfigurationError if the tier has no engine that can run here.
    """
    candidates = [engine for engine in available_engines() if engine.tier == tier]
    if not candidates:
        raise ConfigurationError(setting=f"tier {tier}", remedy=_remedy())
    return min(candidates, key=lambda engine: _misfit(engine, rate))


def _misfit(engine: Engine, rate: int) -> tuple[bool, int]:
    native = engine.native_rate or rate
    return native < rate, abs(native - rate)


def _remedy() -> str:
    if not available_engines() and not missing_engines():
        return f"no engine is registered in the group {GROUP}; reinstall tenuto"
    here = ", ".join(sorted({engine.tier for engine in available_engines()}))
    missing = (f"{name}: {what}" for name, what in missing_engines().items())
    return "; ".join([*missing, f"the tiers that work here: {here or 'none'}"])
