"""The policies in force under one name: what code, file and environment say of it, together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields, replace
from typing import Any

from tenuto.clock import SYSTEM_CLOCK, Clock
from tenuto.errors import ConfigurationError
from tenuto.policies import Fallback, Policy, Stack, stack
from tenuto.policies.binding import bind
from tenuto.policies.events import Listener
from tenuto.policies.reconfiguring import reconfigure
from tenuto.state import State

from .reading import ON, Configuration, Given, Layer, kind_of, overlay, settings_of
from .schema import KINDS, ORDER

__all__ = ["Change", "Protection", "Surroundings"]


@dataclass(frozen=True)
class Surroundings:
    """What the policies of one handler have in common."""

    clock: Clock = SYSTEM_CLOCK
    on_event: Listener | None = None
    breaker: Callable[..., Any] | None = None
    """What makes a breaker of its settings, in place of the class."""
    fleet: State | None = None
    """What they share with those of other processes that have their names."""

    def make(self, kind: str, name: str, settings: Mapping[str, Any]) -> Any:
        """A policy under ``name``."""
        policy = KINDS[kind].policy
        shared = {"fleet": self.fleet} if any(f.name == "fleet" for f in fields(policy)) else {}
        if kind == "breaker" and self.breaker is not None:
            return self.breaker(name=name, **shared, **settings)
        told = {} if kind == "budget" else {"on_event": self.on_event}
        return policy(name=name, clock=self.clock, **told, **shared, **settings)

    def bind(self, policy: Any, name: str | None = None) -> Any:
        """``policy``, which somebody else made, with what it leaves open."""
        return bind(policy, name=name, clock=self.clock, on_event=self.on_event)


@dataclass(frozen=True)
class Change:
    """What another configuration means to the policies under one name."""

    changes: tuple[tuple[str, Any, Mapping[str, Any]], ...]
    """Where a policy is, the policy, and the settings that are new."""
    restart: tuple[str, ...]
    """What cannot change while it is in force."""


class Protection:
    """The policies under one name. All functions protected under it share them.

    ``partial`` is for who does not know the code: a policy of which only that says enough is left
    out, and named in ``incomplete``.
    """

    def __init__(
        self,
        name: str,
        code: Mapping[str, Any],
        configuration: Configuration,
        surroundings: Surroundings,
        *,
        partial: bool = False,
    ) -> None:
        self.name = name
        self.incomplete: list[str] = []
        self._partial = partial
        self._surroundings = surroundings
        self._given = _with_budget(code)
        self._code = _code_layer(name, self._given)
        wanted = self._wanted(configuration)
        self._made = {kind: self._make(kind, given) for kind, given in wanted.items()}
        retry, budget = self._made.get("retry"), self._made.get("budget")
        if retry is not None and retry.budget is None and budget is not None:
            self._made["retry"] = replace(retry, budget=budget)

    def check_same(self, code: Mapping[str, Any]) -> None:
        """Raise ConfigurationError where ``code`` says otherwise than what was said before."""
        for kind, said in code.items():
            if kind not in self._given or self._given[kind] != said:
                raise ConfigurationError(
                    kind,
                    f"{self.name} is protected already, and not so: say it where that is done "
                    "first, or give this function a name of its own",
                )

    def stack(self, fallback: Callable[..., Any] | Fallback | None = None) -> Stack:
        """The policies in their order, with the fallback of one function around them."""
        inside: list[Policy] = [self._made[kind] for kind in ORDER if kind in self._made]
        if fallback is not None:
            if not isinstance(fallback, Fallback):
                fallback = Fallback(fallback)
            inside.insert(0, self._surroundings.bind(fallback, self.name))
        return stack(*inside) if inside else Stack(())  # somebody has switched everything off

    def settings(self) -> Mapping[str, Mapping[str, Any]]:
        """What may be configured, as it is in force, by policy."""
        return {
            kind: {key: getattr(policy, key) for key in KINDS[kind].settings}
            for kind, policy in self._made.items()
        }

    def change(self, configuration: Configuration) -> Change:
        """What ``configuration`` would change; nothing is changed here.

        Raises ConfigurationError where its settings make no sense.
        """
        changes, restart = [], []
        wanted = self._wanted(configuration)
        for kind in KINDS:
            where = f"{self.name}.{kind}"
            if (kind in wanted) != (kind in self._made):
                restart.append(f"{where}: {'new' if kind in wanted else 'gone'}")
            elif kind in wanted:
                policy = self._made[kind]
                new = _different(policy, _complete(kind, wanted[kind]))
                apart = {"fleet": None} if hasattr(policy, "fleet") else {}  # it is only a trial
                _blaming(wanted[kind], replace, policy, **apart, **new)
                fixed = [key for key in new if not KINDS[kind].settings[key].live]
                restart += [f"{where}.{key}" for key in fixed]
                live = {key: value for key, value in new.items() if key not in fixed}
                if live:
                    changes.append((where, policy, live))
        return Change(tuple(changes), tuple(restart))

    def _wanted(self, configuration: Configuration) -> dict[str, Mapping[str, Given]]:
        """What is said of each policy that shall be there."""
        said = overlay(configuration.general(), self._code)
        said = overlay(said, configuration.of(self.name))
        wanted: dict[str, Mapping[str, Given]] = {}
        for kind, terms in KINDS.items():
            given = dict(said.get(kind, {}))
            switch = given.pop(ON, None)
            if switch is None and not given and not terms.always:
                continue
            if switch is not None and not switch.value:
                continue
            missing = [key for key in _required(kind) if key not in given]
            if missing and self._partial:
                self.incomplete.append(kind)
                continue
            if missing:
                source = next(each.source for each in (switch, *given.values()) if each)
                raise ConfigurationError(source, f"say its {missing[0]} as well")
            wanted[kind] = given
        if "retry" not in wanted:
            wanted.pop("budget", None)
        return wanted

    def _make(self, kind: str, given: Mapping[str, Given]) -> Any:
        base = self._given.get(kind)
        values = {key: each.value for key, each in given.items()}
        if not isinstance(base, KINDS[kind].policy):
            return _blaming(given, self._surroundings.make, kind, self.name, values)
        policy = self._surroundings.bind(base, self.name)
        if new := _different(policy, values):
            _blaming(given, reconfigure, policy, **new)
        return policy


def _with_budget(code: Mapping[str, Any]) -> dict[str, Any]:
    """``code``, with a budget that a retry has of its own in the place where others say theirs."""
    own = getattr(code.get("retry"), "budget", None)
    if own is None:
        return dict(code)
    if "budget" in code:
        raise ConfigurationError("budget", "the retry has one of its own: say it once")
    return {**code, "budget": own}


def _code_layer(name: str, code: Mapping[str, Any]) -> Layer:
    """What the code says, as if a file said it."""
    layer: dict[str, Mapping[str, Given]] = {}
    for key, said in code.items():
        where = f"{key} of {name}"
        kind = kind_of(key, where)
        if isinstance(said, kind.policy):
            layer[key] = {each: Given(getattr(said, each), where) for each in kind.settings}
        else:
            layer[key] = dict(settings_of(kind, said, where))
    return layer


def _required(kind: str) -> list[str]:
    return [
        field.name
        for field in fields(KINDS[kind].policy)
        if field.init and field.default is MISSING and field.default_factory is MISSING
    ]


def _complete(kind: str, given: Mapping[str, Given]) -> dict[str, Any]:
    """Every setting that can be configured: as it is given, or what it is by default."""
    defaults = {field.name: field.default for field in fields(KINDS[kind].policy)}
    return {
        key: given[key].value if key in given else defaults[key] for key in KINDS[kind].settings
    }


def _different(policy: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if getattr(policy, key) != value}


def _blaming(
    given: Mapping[str, Given], build: Callable[..., Any], *args: Any, **named: Any
) -> Any:
    """``build(…)``; what is wrong about a setting is said of whoever gave it."""
    try:
        return build(*args, **named)
    except ConfigurationError as wrong:
        blamed = given.get(str(wrong.setting))
        if blamed is not None:
            raise ConfigurationError(blamed.source, wrong.remedy) from None
        first = next(iter(given.values()))
        raise ConfigurationError(first.source, f"{wrong.setting}: {wrong.remedy}") from None
