"""Everything that one handler protects, and how it is changed while it runs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from threading import RLock
from typing import Any

from tenuto.errors import ConfigurationError
from tenuto.policies import Stack
from tenuto.policies.reconfiguring import reconfigure
from tenuto.state import State, state_at

from .protecting import Protection, Surroundings
from .reading import Configuration, read_configuration

__all__ = ["Protections", "Reloaded"]


@dataclass(frozen=True)
class Reloaded:
    """What came of reading the configuration again. True where something changed."""

    file: Path | None
    changed: tuple[str, ...]
    """What is in force now, such as ``hub.breaker: timeout=30``."""
    restart: tuple[str, ...]
    """What is in force only in the next process, such as ``hub.timeout: new``."""

    def __bool__(self) -> bool:
        return bool(self.changed)


class Protections:
    """The names that one handler protects.

    The configuration is read with ``path`` at once, without one when it is first needed. Which
    file that was is remembered: a reload does not go by what is in another folder by then.
    ``state_url`` is where the fleet meets, unless the configuration says otherwise.
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        surroundings: Surroundings | None = None,
        state_url: str | None = None,
    ) -> None:
        self._surroundings = surroundings or Surroundings()
        self._state_url = state_url
        self._path = path
        self._lock = RLock()  # a signal handler may reload in the middle of anything
        self._named: dict[str, Protection] = {}
        self._configuration = None if path is None else self._read()

    def protect(self, name: str, code: Mapping[str, Any]) -> Protection:
        """What protects ``name``: what there is already, or else what all that is said makes."""
        with self._lock:
            found = self._named.get(name)
            if found is None:
                surroundings = replace(self._surroundings, fleet=self.fleet)
                found = Protection(name, code, self._now(), surroundings)
                self._named[name] = found
            else:
                found.check_same(code)
            return found

    @property
    def fleet(self) -> State | None:
        """What is shared with other processes. Raises ConfigurationError for a URL that is none."""
        with self._lock:
            said = self._now().state_url
            url = self._state_url if said is None else said.value
            try:
                return None if url is None else state_at(url)
            except ConfigurationError as wrong:
                source = "state_url" if said is None else said.source
                raise ConfigurationError(source, wrong.remedy) from None

    @property
    def stacks(self) -> Mapping[str, Stack]:
        """What is in force, by name, without the functions' own fallbacks."""
        with self._lock:
            return {name: protection.stack() for name, protection in self._named.items()}

    def reload(self) -> Reloaded:
        """Go by what file and environment say now.

        Raises ConfigurationError where they say something that cannot be; nothing has changed then.
        """
        with self._lock:
            configuration = self._read()
            changes = [protection.change(configuration) for protection in self._named.values()]
            before, self._configuration = self._configuration, configuration
            changed, restart = [], [each for change in changes for each in change.restart]
            if before is not None and _url(before) != _url(configuration):
                restart.insert(0, "state_url")
            for where, policy, settings in (each for change in changes for each in change.changes):
                said = ", ".join(f"{key}={value}" for key, value in settings.items())
                try:
                    reconfigure(policy, **settings)
                except ConfigurationError as refused:  # not wrong, but not while it is in force
                    restart.append(f"{where}: {said} ({refused})")
                else:
                    changed.append(f"{where}: {said}")
            return Reloaded(configuration.file, tuple(changed), tuple(restart))

    def _now(self) -> Configuration:
        if self._configuration is None:
            self._configuration = self._read()
        return self._configuration

    def _read(self) -> Configuration:
        configuration = read_configuration(self._path)
        if configuration.file is not None:
            self._path = configuration.file
        return configuration


def _url(configuration: Configuration) -> Any:
    """Where the fleet meets, whoever says so."""
    return None if configuration.state_url is None else configuration.state_url.value
