"""``tenuto enhance``."""

from __future__ import annotations

import json
import signal
import sys
from typing import Any

import click

from tenuto.audio.names import path_text
from tenuto.batch import Batch, Plan
from tenuto.errors import ConfigurationError

from .progress import Reporter
from .summary import as_dict, show_next_steps, show_plan, show_summary
from .terminal import complain, make_console

__all__ = ["command"]

_TIERS = {"high": "high_quality", "medium": "medium_quality"}


def _ladder(_: click.Context, __: click.Parameter, value: str) -> tuple[str, ...]:
    names = [name.strip() for name in value.split(",") if name.strip()]
    return tuple(_TIERS.get(name, name) for name in names)


@click.command("enhance", short_help="Enhance recordings: files, folders, patterns.")
@click.argument("inputs", nargs=-1, required=True, metavar="IN...")
@click.option("-o", "--output", required=True, metavar="OUT", help="The folder for the results.")
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
@click.option("--overwrite", is_flag=True, help="Do again what is finished.")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
@click.option("-q", "--quiet", is_flag=True, help="Only the summary.")
@click.option("-v", "--verbose", is_flag=True, help="A line for every recording.")
@click.option(
    "--journal",
    metavar="PATH",
    help="The folder of the journal of errors. By default "
    "that in TENUTO_JOURNAL, else one of your own.",
)
def command(
    inputs: tuple[str, ...],
    output: str,
    *,
    container: str | None,
    dry_run: bool,
    as_json: bool,
    quiet: bool,
    verbose: bool,
    **settings: Any,
) -> None:
    """Enhance the recordings IN (files, folders, patterns) into the folder OUT.

    Every recording ends as enhanced, degraded or quarantined, and has a line in
    OUT/outcomes.jsonl that says how, and why. Run the same command again to go on after a stop:
    what is finished is left alone.

    Exit status: 0 if all is well, 1 if something was quarantined, 2 if the run had to stop.
    """
    batch = Batch(format=container, **settings)
    out, err = make_console(), make_console(stderr=True)
    try:
        if dry_run:
            plan = batch.plan(inputs, output)
            _print_plan(plan) if as_json else show_plan(plan, out)
            return
        with Reporter(err, -1 if quiet else int(verbose)) as watcher:
            summary = batch.run(inputs, output, watcher)
    except ConfigurationError as error:
        complain(err, str(error))
        sys.exit(2)
    except KeyboardInterrupt:
        complain(err, "left at once; the same command goes on where this run stopped")
        sys.exit(128 + signal.SIGINT)
    if as_json:
        click.echo(json.dumps(as_dict(summary, output)))
    else:
        show_summary(summary, out)
        show_next_steps(summary, output, settings["journal"], out)
    if summary.stopped is not None:
        complain(err, summary.stopped)
    sys.exit(summary.exit_status)


def _print_plan(plan: Plan) -> None:
    for item in plan.items:
        pair = {"input": path_text(item.input), "output": path_text(item.output)}
        click.echo(json.dumps(pair))
