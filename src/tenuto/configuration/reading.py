"""What file and environment say about the policies, checked before anybody goes by it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from tenuto.errors import ConfigurationError

from .finding import find_file, read_file
from .schema import KINDS, Kind
from .values import did_you_mean

__all__ = [
    "DEFAULT",
    "ON",
    "Configuration",
    "Given",
    "Layer",
    "kind_of",
    "overlay",
    "read_configuration",
    "settings_of",
]

DEFAULT = "default"
"""The name whose policies are those of every name, unless more is said of it."""
ON = "on"
"""Beside the settings of a policy: whether it is there at all."""

_VARIABLES = "TENUTO_POLICIES"
_STATE_VARIABLE = "TENUTO_STATE_URL"
_KEYS = ("policies", "state_url")
_DEEPEST = 3  # TENUTO_POLICIES__NAME__POLICY__SETTING


class Given(NamedTuple):
    """A value, and who says so, in words for an error."""

    value: Any
    source: str


Layer: TypeAlias = Mapping[str, Mapping[str, Given]]
"""What one source says of one name: by policy, by setting."""


@dataclass(frozen=True)
class Configuration:
    """What applies to the policies of a process, apart from what its code says."""

    file: Path | None
    variables: tuple[str, ...]
    """The environment variables that say something."""
    state_url: Given | None
    """Where processes meet that share their policies."""
    _file: Mapping[str, Layer]
    _environment: Mapping[str, Layer]

    @property
    def names(self) -> tuple[str, ...]:
        """The names something is said of, those of the environment in small letters."""
        known = {_spelt(name) for name in self._file}
        new = [name for name in self._environment if name not in known]
        return tuple(name for name in (*self._file, *new) if name != DEFAULT)

    def general(self) -> Layer:
        """What holds for every name of which nobody says otherwise."""
        return self.of(DEFAULT)

    def of(self, name: str) -> Layer:
        """What is said of ``name``; the environment outranks the file."""
        return overlay(self._file.get(name, {}), self._environment.get(_spelt(name), {}))


def overlay(below: Layer, above: Layer) -> Layer:
    """One layer where it says something, the one below it where it does not."""
    merged = {kind: dict(settings) for kind, settings in below.items()}
    for kind, settings in above.items():
        beneath = merged.setdefault(kind, {})
        beneath.pop(ON, None)  # who says how it shall be says that it shall be
        beneath.update(settings)
    return merged


def read_configuration(
    path: str | os.PathLike[str] | None = None, environ: Mapping[str, str] | None = None
) -> Configuration:
    """What the file found and the environment say; see ``find_file`` for where it is looked for.

    Raises ConfigurationError, which names the file or variable, the key, and what is allowed.
    """
    environ = os.environ if environ is None else environ
    file = find_file(path, environ)
    told = {} if file is None else read_file(file)
    where = "" if file is None else f"{_from_here(file)}: "
    for key in told:
        if key not in _KEYS:
            raise ConfigurationError(
                f"{where}{key}", f"there is only {' and '.join(_KEYS)}{did_you_mean(key, _KEYS)}"
            )
    policies = _table(told.get("policies", {}), f"{where}policies")
    variables = sorted(name for name in environ if name.startswith(_VARIABLES))
    return Configuration(
        file,
        tuple(variables),
        _state_url(told, where, environ),
        {
            name: _layer(_table(said, f"{where}policies.{name}"), f"{where}policies.{name}")
            for name, said in policies.items()
        },
        _from_environment(variables, environ),
    )


def _state_url(told: Mapping[str, object], where: str, environ: Mapping[str, str]) -> Given | None:
    said: object = environ.get(_STATE_VARIABLE)
    source = _STATE_VARIABLE
    if not said:
        said, source = told.get("state_url"), f"{where}state_url"
    if said is None:
        return None
    if not isinstance(said, str):
        raise ConfigurationError(source, f"give a text such as redis://host:6379/0, not {said!r}")
    return Given(said, source)


def _layer(table: Mapping[str, object], where: str) -> Layer:
    layer = {}
    for key, said in table.items():
        layer[key] = dict(settings_of(kind_of(key, f"{where}.{key}"), said, f"{where}.{key}"))
    return layer


def settings_of(kind: Kind, said: object, where: str) -> Iterator[tuple[str, Given]]:
    """The settings that ``said`` stands for: a table, a lone value, or yes or no."""
    if isinstance(said, Mapping):
        for key, value in said.items():
            yield key, _given(kind, key, value, f"{where}.{key}")
    elif isinstance(said, bool):
        yield ON, Given(said, where)
    else:
        yield kind.main, _given(kind, kind.main, said, where)


def _given(kind: Kind, key: str, value: object, where: str) -> Given:
    if key not in kind.settings:
        raise ConfigurationError(where, _unknown("setting", key, kind.settings))
    try:
        return Given(kind.settings[key].read(value), where)
    except ValueError as wrong:
        raise ConfigurationError(where, f"give {wrong}, not {value!r}") from None


def kind_of(key: str, where: str) -> Kind:
    """The policy called ``key``. Raises ConfigurationError where none is."""
    if key not in KINDS:
        raise ConfigurationError(where, _unknown("policy", key, KINDS))
    return KINDS[key]


def _unknown(what: str, said: str, known: Mapping[str, object]) -> str:
    return f"there is no such {what}{did_you_mean(said, known)}; there are {', '.join(known)}"


def _from_environment(variables: list[str], environ: Mapping[str, str]) -> Mapping[str, Layer]:
    layers: dict[str, Layer] = {}
    for variable in variables:
        prefix, *path = variable.split("__")
        if prefix != _VARIABLES or not 1 < len(path) <= _DEEPEST or not all(path):
            raise ConfigurationError(
                variable, f"write {_VARIABLES}__NAME__POLICY or {_VARIABLES}__NAME__POLICY__SETTING"
            )
        name, key, *setting = [part.lower() for part in path]
        kind, value = kind_of(key, variable), _value(environ[variable])
        if setting:
            said = {setting[0]: _given(kind, setting[0], value, variable)}
        else:
            said = dict(settings_of(kind, value, variable))
        layers[name] = overlay(layers.get(name, {}), {key: said})
    return layers


def _value(text: str) -> object:
    """``text`` as the value that it is in TOML; where it is none, the text itself."""
    import tomllib

    try:
        told = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return text
    return told["value"] if set(told) == {"value"} else text


def _table(said: object, where: str) -> Mapping[str, Any]:
    if not isinstance(said, Mapping):
        raise ConfigurationError(where, f"give a table, not {said!r}")
    return said


def _spelt(name: str) -> str:
    """``name`` as far as the name of an environment variable can tell it."""
    return re.sub(r"\W", "_", name).lower()


def _from_here(file: Path) -> Path:
    here = Path.cwd()
    return file.relative_to(here) if file.is_relative_to(here) else file
