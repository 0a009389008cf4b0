"""Small wrongs, one at a time: every way in which a module is changed to see who notices."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

__all__ = ["Mutant", "mutants_of"]

T = TypeVar("T", bound=ast.AST)

_COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
_OPERATIONS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Div,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
}
_CALLS = {"min": "max", "max": "min", "any": "all", "all": "any", "floor": "ceil", "ceil": "floor"}
_PLAIN_TESTS = (ast.Name, ast.Attribute, ast.Call)


@dataclass(frozen=True)
class Mutant:
    """A module with one thing changed, in the function or class ``where``."""

    module: str
    where: str
    line: int
    was: str
    now: str
    tree: ast.Module

    @property
    def key(self) -> tuple[str, str, str]:
        """What identifies it while lines move."""
        return f"{self.module}.{self.where}" if self.where else self.module, self.was, self.now


def mutants_of(path: Path) -> Iterator[Mutant]:
    """All mutants of the module in the file ``path``, in the order of its lines."""
    original = ast.parse(path.read_text())
    for route, node, where, statement in _places(original):
        for changed in _changes(node):
            tree = copy.deepcopy(original)
            _replace(tree, route, changed)
            was, now = _text(original, statement), _text(tree, statement)
            yield Mutant(path.stem, where, node.lineno, was, now, ast.fix_missing_locations(tree))


_Step = tuple[str, int | None]
_Route = tuple[_Step, ...]
_Node = ast.stmt | ast.expr


def _places(tree: ast.Module) -> Iterator[tuple[_Route, _Node, str, _Route]]:
    """Each statement and expression that runs: the way to it, its room, its statement's way."""
    todo: list[tuple[ast.AST, _Route, str, _Route]] = [(tree, (), "", ())]
    while todo:
        node, route, where, statement = todo.pop()
        if isinstance(node, ast.stmt):
            statement = route
        if isinstance(node, (ast.stmt, ast.expr)):
            yield route, node, where, statement
        if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            where = f"{where}.{node.name}" if where else node.name
        todo += [
            (child, (*route, step), where, statement) for step, child in reversed(_children(node))
        ]


def _children(node: ast.AST) -> list[tuple[_Step, ast.AST]]:
    found: list[tuple[_Step, ast.AST]] = []
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list", "bases", "type_comment"):
            continue  # they say what a thing is, not what it does
        if isinstance(value, ast.AST):
            found.append(((name, None), value))
        elif isinstance(value, list):
            found += [
                ((name, n), each) for n, each in enumerate(value) if isinstance(each, ast.AST)
            ]
    return found


def _at(tree: ast.AST, route: _Route) -> ast.AST:
    for name, place in route:
        value = getattr(tree, name)
        tree = value if place is None else value[place]
    return tree


def _replace(tree: ast.Module, route: _Route, changed: ast.AST) -> None:
    parent, (name, place) = _at(tree, route[:-1]), route[-1]
    if place is None:
        setattr(parent, name, changed)
    else:
        getattr(parent, name)[place] = changed


def _text(tree: ast.Module, statement: _Route) -> str:
    """A statement in a line; of a compound one, its head."""
    return ast.unparse(_at(tree, statement)).split("\n", 1)[0]


def _changes(node: _Node) -> Iterator[ast.AST]:
    match node:
        case ast.Compare() | ast.BinOp() | ast.BoolOp() | ast.UnaryOp():
            yield from _changed_operations(node)
        case ast.IfExp(test=test) if isinstance(test, _PLAIN_TESTS):
            yield _but(node, test=ast.UnaryOp(ast.Not(), test))
        case ast.Constant(value=bool() | int() | float() as value):
            yield ast.Constant(not value if isinstance(value, bool) else value + 1)
        case ast.Attribute(value=ast.Name("math"), attr="inf"):
            yield ast.UnaryOp(ast.USub(), node)
        case ast.Call(func=ast.Name(name)) if name in _CALLS:
            yield _but(node, func=ast.Name(_CALLS[name], ast.Load()))
        case ast.Call(func=ast.Attribute(ast.Name("math"), attr=name)) if name in _CALLS:
            yield _but(node, func=_but(node.func, attr=_CALLS[name]))
        case ast.stmt():
            yield from _changed_statements(node)


def _changed_operations(node: ast.expr) -> Iterator[ast.AST]:
    match node:
        case ast.Compare(ops=[op]):
            for other in _COMPARISONS[type(op)]:
                yield _but(node, ops=[other()])
        case ast.BinOp(op=op) if type(op) in _OPERATIONS:
            yield _but(node, op=_OPERATIONS[type(op)]())
        case ast.BoolOp(op=op):
            yield _but(node, op=ast.Or() if isinstance(op, ast.And) else ast.And())
        case ast.UnaryOp(op=ast.Not() | ast.USub(), operand=operand):
            yield operand


def _changed_statements(node: ast.stmt) -> Iterator[ast.stmt]:
    match node:
        case ast.If(test=test) | ast.While(test=test) if isinstance(test, _PLAIN_TESTS):
            yield _but(node, test=ast.UnaryOp(ast.Not(), test))
        case ast.AugAssign(target=target, op=op, value=value):
            if type(op) in _OPERATIONS:
                yield _but(node, op=_OPERATIONS[type(op)]())
            yield ast.Assign([target], value, lineno=node.lineno)
            yield ast.Pass()
        case ast.Return(value=value) if value is not None and not _is_none(value):
            yield ast.Return(ast.Constant(None))
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript(), *_]) | ast.Raise():
            yield ast.Pass()
        case ast.AnnAssign(target=ast.Attribute(), value=ast.expr()):
            yield ast.Pass()
        case ast.Expr(value=ast.Call()) | ast.Delete():
            yield ast.Pass()
        case ast.Break():
            yield ast.Continue()
        case ast.Continue():
            yield ast.Break()


def _is_none(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and value.value is None


def _but(node: T, **changes: object) -> T:
    changed = copy.copy(node)
    for name, value in changes.items():
        setattr(changed, name, value)
    return changed
