"""``classify(error)``: whose fault an error is.

The first of these that has an answer decides:

1. ``error.fault_class``, where it is a ``FaultClass``;
2. a rule for the error's type or its nearest base, and of those a rule that looks at the error
   (an ``OSError`` by its ``errno``) may pass;
3. the members of an exception group: the class whose actor has to act first;
4. the exception this one was raised from, or, failing that, while handling;
5. the caller's ``default``: ``bug``, unless told otherwise.

Types of third-party packages are named by their dotted path, so that no package is imported to
recognise its errors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeAlias, TypeVar, overload

from .faults import FaultClass
from .known import BUILTINS, THIRD_PARTY, Rule

__all__ = ["Told", "classify", "fault_of", "most_urgent", "register_fault", "told_by_type"]

_F = TypeVar("_F", bound=Callable[[BaseException], FaultClass | None])

_MOST_URGENT_FIRST = (
    FaultClass.CONFIGURATION,
    FaultClass.BUG,
    FaultClass.RESOURCE,
    FaultClass.INFRASTRUCTURE,
    FaultClass.DATA,
    FaultClass.QUALITY,
    FaultClass.CANCELLED,
)
_MAX_DEPTH = 32  # of causes and nested groups: both can be made endless
_MAX_ASKED = 1024  # errors behind one: groups can share members, and double at every level

_by_type: dict[type[BaseException], Rule] = dict(BUILTINS)
_by_path: dict[str, Rule] = dict(THIRD_PARTY)
_found: dict[type[BaseException], tuple[Rule, ...]] = {}
_MAX_FOUND = 1024

Told: TypeAlias = tuple[FaultClass | None]
"""What a type alone says about whose fault its errors are, which may be nothing."""

_TELLING = frozenset({"exceptions", "headers", "response", "retry_after", "__getattr__"})
_USUAL = Exception.__getattribute__
_Look: TypeAlias = Callable[[BaseException], FaultClass | None]
_Answer: TypeAlias = Told | _Look | None
_told: dict[type[BaseException], _Answer] = {}


def classify(error: BaseException, default: FaultClass = FaultClass.BUG) -> FaultClass:
    """Whose fault ``error`` is; ``default`` where nothing tells. Never raises."""
    return fault_of(error) or default


@overload
def register_fault(target: type[BaseException] | str, rule: Rule) -> None: ...
@overload
def register_fault(target: type[BaseException] | str) -> Callable[[_F], _F]: ...


def register_fault(target: type[BaseException] | str, rule: Rule | None = None) -> object:
    """Say whose fault errors of a type are, instead of or in addition to the built-in rules.

    ``target`` is an exception type, or its dotted path (``"package.module.Error"``) where the
    package should not be imported for it. ``rule`` is a ``FaultClass``, or a function of the error
    that returns one, or None to pass. Without ``rule`` this is a decorator for such a function.
    The newest registration for a target wins; a rule for a subclass goes before its bases'.
    """
    if rule is None:

        def decorate(function: _F) -> _F:
            register_fault(target, function)
            return function

        return decorate
    if isinstance(target, str):
        _by_path[target] = rule
    else:
        _by_type[target] = rule
    _found.clear()
    _told.clear()
    return None


def most_urgent(faults: Iterable[FaultClass | None]) -> FaultClass | None:
    """Of several classes the one whose actor has to act first; None where there is none."""
    present = set(faults)
    return next((fault for fault in _MOST_URGENT_FIRST if fault in present), None)


def told_by_type(error: BaseException) -> Told | None:
    """What ``fault_of`` says of ``error``, where only the rule for its type tells; None: ask it.

    Such an error has no cause, no context and no attributes, so that nobody has asked it to wait,
    given up on it or refused it either. Most are like that, and one look saves several.
    """
    try:
        if error.__dict__ or error.__context__ is not None or error.__cause__ is not None:
            return None
        kind = type(error)
        told = _told[kind] if kind in _told else _learn(kind)
        # Asked each time: a class may be given one later.
        if told is None or getattr(error, "fault_class", None) is not None:
            return None
    except Exception:  # a hostile error: ``fault_of`` knows what to do about it
        return None
    return told if isinstance(told, tuple) else _by_rule(told, error)


def _learn(kind: type[BaseException]) -> _Answer:
    rule = next(iter(_rules_for(kind)), None)
    odd = kind.__getattribute__ is not _USUAL or any(hasattr(kind, name) for name in _TELLING)
    if len(_told) >= _MAX_FOUND:
        _told.clear()
    answer: _Answer = rule if callable(rule) else (rule,)
    _told[kind] = None if odd else answer
    return _told[kind]


def _by_rule(rule: _Look, error: BaseException) -> Told | None:
    try:
        fault = rule(error)
    except Exception:  # a faulty rule: ``fault_of`` knows what to do about it
        return None
    return None if fault is None else (fault,)


def fault_of(
    error: BaseException, depth: int = _MAX_DEPTH, asked: set[int] | None = None
) -> FaultClass | None:
    """Whose fault ``error`` is; None where nothing tells down to ``depth``. Never raises.

    Each of the errors behind it is ``asked`` once, and no more than 1,024 of them.
    """
    asked = set() if asked is None else asked
    if depth == 0 or id(error) in asked or len(asked) >= _MAX_ASKED:
        return None
    asked.add(id(error))
    try:
        declared = getattr(error, "fault_class", None)
        if declared is not None and isinstance(declared, FaultClass):
            return declared
        rules = _found.get(type(error))
        for rule in _rules_for(type(error)) if rules is None else rules:
            fault = rule if isinstance(rule, FaultClass) else rule(error)
            if fault is not None:
                return fault
        if isinstance(error, BaseExceptionGroup):
            fault = most_urgent(fault_of(member, depth - 1, asked) for member in error.exceptions)
            if fault is not None:
                return fault
        if error.__cause__ is None and error.__context__ is None:
            return None
        return _by_origin(error, depth, asked)
    except Exception:  # a hostile error, or a faulty rule: no answer is an answer
        return None


def _rules_for(kind: type[BaseException]) -> tuple[Rule, ...]:
    """The rules for ``kind`` and its bases, nearest first."""
    rules = tuple(
        rule
        for base in kind.__mro__
        if (rule := _by_type.get(base) or _by_path.get(_path(base))) is not None
    )
    if len(_found) >= _MAX_FOUND:  # types made at run time must not be kept for ever
        _found.clear()
    _found[kind] = rules
    return rules


def _path(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _by_origin(error: BaseException, depth: int, asked: set[int]) -> FaultClass | None:
    origin = error.__cause__
    if origin is None and not error.__suppress_context__:
        origin = error.__context__
    return None if origin is None else fault_of(origin, depth - 1, asked)
