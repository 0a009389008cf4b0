"""``tenuto enhance``."""

from __future__ import annotations

import glob
import json
import os
import re
import signal
import sys
from collections.abc import Iterable
from typing import Any

import click

from tenuto.audio.names import path_text
from tenuto.batch import Batch, Item, Plan
from tenuto.batch.budget import ErrorBudget
from tenuto.batch.replay import Replay
from tenuto.batch.sources.manifest import read_list
from tenuto.errors import ConfigurationError
from tenuto.journal import open_journal

from .opening import hindrance, journal_option
from .progress import Reporter
from .progress_json import JsonReporter
from .summary import as_dict, show_next_steps, show_plan, show_summary
from .terminal import TIERS, make_console, show_path
from .values import NAME, SIZE

__all__ = ["command"]


def _ladder(_: click.Context, __: click.Parameter, value: str) -> tuple[str, ...]:
    names = [name.strip() for name in value.split(",") if name.strip()]
    return tuple(TIERS.get(name, name) for name in names)


_SELECTION = re.compile(r"all|canary|group:.*|class:.*")


def _replay(_: click.Context, __: click.Parameter, value: tuple[str, ...]) -> Replay | None:
    try:
        return Replay.parse(value)
    except ConfigurationError as error:
        raise click.BadParameter(str(error)) from error


def _budget(_: click.Context, __: click.Parameter, value: str | None) -> ErrorBudget | None:
    try:
        return None if value is None else ErrorBudget.parse(value)
    except ConfigurationError as error:
        raise click.BadParameter(str(error.remedy)) from error


class _Command(click.Command):
    """A bare ``--replay`` is one of everything, also right before an input."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        end = args.index("--") if "--" in args else len(args)
        options = [
            "--replay=all" if arg == "--replay" and _is_bare(args[n + 1 : n + 2], ctx) else arg
            for n, arg in enumerate(args[:end])
        ]
        return super().parse_args(ctx, options + args[end:])


def _is_bare(after: list[str], ctx: click.Context) -> bool:
    """Whether ``--replay`` is without a selection: what comes ``after`` it is none.

    A selection that is misspelt would be an input that is not there, and have an outcome for ever.
    """
    if after and _SELECTION.fullmatch(after[0]):
        return False
    if after and not after[0].startswith("-") and not _may_be_input(after[0]):
        raise click.UsageError(
            f"{after[0]!r} after --replay is neither all, canary, group:ID or class:CLASS, "
            "nor a path that is there; give --replay last, or --replay=all",
            ctx,
        )
    return True


def _may_be_input(word: str) -> bool:
    return os.path.lexists(word) or glob.has_magic(word)


@click.command("enhance", cls=_Command, short_help="Enhance recordings: files, folders, patterns.")
@click.argument("inputs", nargs=-1, metavar="IN...", type=NAME)
@click.option(
    "-o",
    "--output",
    type=NAME,
    required=True,
    metavar="OUT",
    help="The folder for the results.",
)
@click.option(
    "-j",
    "--jobs",
    type=click.IntRange(1),
    metavar="N",
    help="Work on N recordings at once. By default as many as there are cores.",
)
@click.option(
    "--ladder",
    default="high,medium,basic",
    show_default=True,
    callback=_ladder,
    metavar="TIERS",
    help="What to try, best first: high, medium, basic.",
)
@click.option(
    "--min-quality",
    type=click.FloatRange(1, 5),
    metavar="Q",
    help="What the meter has to say of a result at least, from 1 (bad) to 5 (excellent).",
)
@click.option(
    "--meter",
    type=click.Choice(["dnsmos", "none"]),
    default="dnsmos",
    show_default=True,
    help="How quality is measured; none saves 0.2 s for every 9 s judged.",
)
@click.option(
    "--format",
    "container",
    metavar="F",
    help="Write wav, flac, ogg, opus, mp3 or m4a. "
    "By default each result is in the format of its recording.",
)
@click.option(
    "--manifest",
    "manifests",
    multiple=True,
    type=NAME,
    metavar="FILE",
    help="Take the recordings from a list: CSV, JSON Lines or Parquet, with a column "
    "input, path or audio_filepath.",
)
@click.option("-0", "--null", is_flag=True, help="Paths on standard input end with a NUL each.")
@click.option(
    "--replay",
    multiple=True,
    callback=_replay,
    metavar="[WHICH]",
    help="Try again what is in quarantine: all, or group:ID, class:CLASS; canary tries a few of "
    "each group first, and the others when those did well.",
)
@click.option(
    "--memory-limit",
    type=SIZE,
    metavar="SIZE",
    help="What each worker may have of the memory, such as 2G or 1.5GiB: K, M and G are powers of "
    "1000, KiB, MiB and GiB of 1024. By default they share nine tenths of what is free.",
)
@click.option(
    "--reserve",
    type=SIZE,
    metavar="SIZE",
    help="Begin nothing while less than this is free on the disk of OUT, and wait. "
    "By default 1G, or a twentieth of a small disk.",
)
@click.option(
    "--budget",
    callback=_budget,
    metavar="SHARE",
    help="Stop a run as soon as it cannot be expected to keep to this share of recordings that "
    "end degraded or quarantined, such as 1%; then they are worked on in random order.",
)
@click.option(
    "--cluster",
    metavar="ADDRESS",
    help="Have the work done by the Dask cluster whose scheduler is at tcp://HOST:PORT, or by "
    "one on this machine: local.",
)
@click.option("--overwrite", is_flag=True, help="Do again what is finished.")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print JSON: the summary on standard output, progress on standard error.",
)
@click.option("-q", "--quiet", is_flag=True, help="Only the summary.")
@click.option("-v", "--verbose", is_flag=True, help="A line for every recording.")
@journal_option
def command(
    inputs: tuple[str, ...],
    output: str,
    *,
    manifests: tuple[str, ...],
    null: bool,
    container: str | None,
    dry_run: bool,
    as_json: bool,
    quiet: bool,
    verbose: bool,
    **settings: Any,
) -> None:
    """Enhance the recordings IN (files, folders, patterns) into the folder OUT.

    If IN is -, it is a list on standard input, one path a line. Every recording ends as enhanced,
    degraded or quarantined, and has a line in OUT/outcomes.jsonl that says how, and why. Run the
    same command again to go on after a stop: what is finished is left alone, as long as recording,
    settings and versions are the same.

    Exit status: 0 if all is well, 1 if something is in quarantine or a row was left out, 2 if the
    run had to stop. A run that was asked to stop ends with 130 after Ctrl-C, and 143 after a TERM.
    """
    if not inputs and not manifests:
        raise click.UsageError("name recordings: IN..., or --manifest FILE")
    paths = [path for path in inputs if path != "-"]
    listed = read_list(sys.stdin.buffer, null=null) if "-" in inputs else ()
    sources: dict[str, Any] = {"manifests": manifests, "names": listed}
    batch = Batch(format=container, **settings)
    out, verbosity = make_console(), -1 if quiet else int(verbose)
    reporter = (
        JsonReporter(sys.stderr, verbosity)
        if as_json
        else Reporter(make_console(stderr=True), verbosity, replays=settings["replay"] is not None)
    )
    try:
        if dry_run:
            with batch.plan(paths, output, **sources) as (plan, items):
                _print_plan(plan, items) if as_json else show_plan(plan, items, out)
            sys.exit(1 if plan.quarantined or plan.bad_rows else 0)
        with reporter:
            with open_journal(settings["journal"]) as journal:
                trouble = hindrance(journal)
            if trouble is not None:
                name = show_path(str(journal.path))
                told = f"the journal {name} cannot be written: {trouble}"
                reporter.noted(f"Errors are not kept: {told}; set TENUTO_JOURNAL or --journal")
            summary = batch.run(paths, output, reporter, **sources)
    except ConfigurationError as error:
        reporter.complain(str(error))
        sys.exit(2)
    except KeyboardInterrupt:
        reporter.complain("left at once; the same command goes on where this run stopped")
        sys.exit(128 + signal.SIGINT)
    if as_json:
        click.echo(json.dumps(as_dict(summary, output)))
    else:
        show_summary(summary, out)
        show_next_steps(summary, output, settings["journal"], out, errors_kept=trouble is None)
    if summary.stopped is not None:
        reporter.complain(summary.stopped)
    sys.exit(summary.exit_status)


def _print_plan(plan: Plan, items: Iterable[Item]) -> None:
    for item in items:
        pair = {"input": path_text(item.input), "output": path_text(item.output)}
        click.echo(json.dumps(pair))
    for text in plan.bad_rows_first:
        click.echo(json.dumps({"event": "bad_row", "text": text}), err=True)
    if more := plan.bad_rows - len(plan.bad_rows_first):
        note = {"event": "note", "text": f"… and {more:,} more rows were left out"}
        click.echo(json.dumps(note), err=True)
