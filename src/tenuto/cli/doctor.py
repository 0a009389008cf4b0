"""``tenuto doctor``."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib import metadata

import click
from rich.console import Console
from rich.text import Text

from tenuto.journal import open_journal

from .opening import hindrance
from .terminal import make_console, plain, show_path

__all__ = ["command"]

_PATIENCE = 60.0
"""Seconds for loading a model and running it on 0.1 s of sound, on a machine with much to do."""

_METER = "dnsmos"
_LADDER = ("high_quality", "medium_quality", "basic")


@dataclass(frozen=True, slots=True)
class _Finding:
    subject: str
    name: str
    works: bool
    detail: str


@click.command("doctor", short_help="Check what works on this machine.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(*, as_json: bool) -> None:
    """Check what works on this machine, and say what to install.

    Every engine is loaded and run on a tenth of a second of sound. Exit status: 0 if recordings
    can be enhanced here with the usual ladder, and errors be kept, 1 if not.
    """
    out = make_console()
    findings = []
    for finding in _examine():
        findings.append(finding)
        if not as_json:
            _show(finding, out)
    lacking = _lacking(findings)
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings]))
    elif lacking:
        out.print(Text(f"\nNothing works for: {', '.join(lacking)}.", style="bold red"))
    else:
        out.print(Text("\nReady to enhance.", style="bold green"))
    sys.exit(1 if lacking else 0)


def _lacking(findings: Sequence[_Finding]) -> list[str]:
    """What the usual ladder needs and nothing here does."""
    working = {finding.subject for finding in findings if finding.works}
    needed = ("audio", *_LADDER, "meter", "journal")
    return [subject for subject in needed if subject not in working]


def _examine() -> Iterator[_Finding]:
    yield from _extras()
    try:
        from tenuto.audio.engines import available_engines, missing_engines
    except ImportError as error:
        yield _Finding("audio", str(error.name), works=False, detail=_install("audio"))
        yield _journal()
        return
    for engine in sorted(available_engines(), key=lambda each: _rung(each.tier)):
        yield _try(engine.tier, engine.name)
    for name, remedy in missing_engines().items():
        yield _Finding("engine", name, works=False, detail=remedy)
    yield _try("meter", _METER)
    yield _journal()


def _extras() -> Iterator[_Finding]:
    """Each extra, and which of its packages are missing."""
    missing: dict[str, list[str]] = {}
    for requirement in metadata.requires("tenuto") or ():
        extra = re.search(r"extra\s*==\s*['\"]([\w-]+)", requirement)
        name = re.match(r"[\w.-]+", requirement)
        if extra is None or name is None or name[0] == "tenuto":
            continue
        lacks = missing.setdefault(extra[1], [])
        if not _is_installed(name[0]):
            lacks.append(name[0])
    for extra_name, lacks in sorted(missing.items()):
        detail = f"without {', '.join(lacks)}: {_install(extra_name)}" if lacks else "installed"
        yield _Finding(extra_name, "extra", works=not lacks, detail=detail)


def _is_installed(distribution: str) -> bool:
    try:
        metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return False
    return True


def _install(extra: str) -> str:
    return f"pip install 'tenuto[{extra}]'"


def _rung(tier: str) -> int:
    return _LADDER.index(tier) if tier in _LADDER else len(_LADDER)


def _try(subject: str, name: str) -> _Finding:
    """Run it in a process of its own: broken native code may crash, or never come back."""
    trial = [sys.executable, "-P", "-m", "tenuto.cli.trial", name]
    try:
        ended = subprocess.run(  # noqa: S603 - this interpreter, and a name from the registry
            trial, capture_output=True, text=True, timeout=_PATIENCE, check=False
        )
    except subprocess.TimeoutExpired:
        detail = f"has not answered in {_PATIENCE:g} s"
        return _Finding(subject, name, works=False, detail=detail)
    if ended.returncode == 0:
        return _Finding(subject, name, works=True, detail="loaded and tried")
    answer = (ended.stdout.strip().splitlines() or [""])[-1]
    if ended.returncode < 0:
        answer = f"killed by {signal.Signals(-ended.returncode).name}"
    return _Finding(subject, name, works=False, detail=answer or f"status {ended.returncode}")


def _journal() -> _Finding:
    with open_journal() as journal:
        why = hindrance(journal)
    works = why is None
    state = "can be written" if works else f"cannot be written: {why}; set TENUTO_JOURNAL"
    return _Finding("journal", show_path(str(journal.path)), works=works, detail=state)


def _show(finding: _Finding, out: Console) -> None:
    line = Text("  ok  ", style="green") if finding.works else Text("  no  ", style="bold red")
    line.append(f"{finding.subject:15} {finding.name:15} ", "default not bold")
    # Not cut: what is to be done is at its end.
    line.append(plain(finding.detail), "dim not bold")
    out.print(line)
