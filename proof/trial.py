"""One run of the machines' tests, in a child process that believes the mutant is the module."""

from __future__ import annotations

import ast
import importlib.abc
import importlib.util
import os
import re
import sys
import traceback
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType

import pytest
from hypothesis import HealthCheck, Phase, settings

from .mutants import Mutant

__all__ = ["BROKEN", "ROOT", "begin", "tests_for"]

ROOT = Path(__file__).parents[1]
BROKEN = 70
"""The status of a trial that says nothing: it went wrong itself."""

_TESTS = ROOT / "tests/machines"
_PACKAGE = "tenuto.machines"

# The same examples for every mutant, and none of the work of making a failure understandable.
settings.register_profile(
    "proof",
    derandomize=True,
    database=None,
    deadline=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)


def tests_for(source: Path) -> list[str]:
    """The tests of the machine in the file ``source``: the quickest to fail come first."""
    own = sorted(_TESTS.glob(f"test_{source.stem}*.py"), key=lambda file: "model" in file.name)
    names = re.compile(rf"\b({'|'.join(_offered(source))})\b")
    others = [
        file
        for file in sorted(_TESTS.glob("test_*.py"))
        if file not in own and names.search(file.read_text())
    ]
    return [str(file) for file in (*own, *others)]


def begin(mutant: Mutant | None, tests: Sequence[str]) -> int:
    """Start a trial; the process id of the child, whose status is that of pytest."""
    child = os.fork()
    if child:
        return child
    heard = os.dup(2)
    try:
        os._exit(_try(mutant, tests))
    except BaseException:  # whatever it is, there must be only one parent
        os.write(heard, traceback.format_exc().encode())
    finally:
        os._exit(BROKEN)


def _try(mutant: Mutant | None, tests: Sequence[str]) -> int:
    silence = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(silence, stream)
    if mutant is not None:
        sys.meta_path.insert(0, _Smuggler(mutant))
    settings.load_profile("proof")
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    own = ["-c", os.devnull, f"--rootdir={ROOT}", "-p", "no:cacheprovider", "-W", "error"]
    with TemporaryDirectory() as folder:  # its own: others at once would tidy up after each other
        return int(pytest.main([*own, f"--basetemp={folder}/tests", "-x", "-q", *tests]))


def _offered(source: Path) -> list[str]:
    for node in ast.parse(source.read_text()).body:
        match node:
            case ast.Assign(targets=[ast.Name("__all__")], value=value):
                return list(ast.literal_eval(value))
    return []


class _Smuggler(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Answers the import of one module with the mutant."""

    def __init__(self, mutant: Mutant) -> None:
        self._name = f"{_PACKAGE}.{mutant.module}"
        self._code = compile(mutant.tree, f"<mutant of {mutant.module}>", "exec")

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        del path, target
        if fullname != self._name:
            return None
        return importlib.util.spec_from_loader(fullname, self)

    def exec_module(self, module: ModuleType) -> None:
        exec(self._code, module.__dict__)  # the module itself
