"""``tenuto outcomes``."""

from __future__ import annotations

import os
import shlex
from collections import Counter
from collections.abc import Iterable
from itertools import islice
from typing import Any

import click
from rich.console import Console
from rich.text import Text

from tenuto.batch.ledger.asking import Kind, Outcomes, Question
from tenuto.batch.ledger.parquet import write_parquet
from tenuto.batch.ledger.rows import line_of
from tenuto.errors import ConfigurationError, FaultClass
from tenuto.journal import OutcomeStatus

from .event import FAULT_STYLES
from .progress import STYLES, outcome_line
from .summary import left_out
from .terminal import TIERS, Refusal, count, make_console, pad, plain
from .values import NAME

__all__ = ["command"]

_TIERS = (*TIERS.values(), "basic", "original")
_MOST_LINES = 50
_MOST_BAD_ROWS = 10


@click.command("outcomes", short_help="Ask how the recordings of a run ended.")
@click.argument("folder", metavar="OUT", type=NAME)
@click.option("--status", type=click.Choice([each.value for each in OutcomeStatus]))
@click.option("--tier", metavar="TIER", help="By what did the work: high, medium, basic, original.")
@click.option(
    "--class",
    "fault_class",
    type=click.Choice([each.value for each in FaultClass]),
    help="By whose fault the last error was.",
)
@click.option("--error", "group", metavar="ID", help="By the group of the last error.")
@click.option(
    "--worse-than",
    type=click.FloatRange(1, 5),
    metavar="Q",
    help="By what the meter says of the result.",
)
@click.option("--limit", type=click.IntRange(1), metavar="N", help="Not more than N of them.")
@click.option("--json", "as_json", is_flag=True, help="Print them, as JSON Lines.")
@click.option("--parquet", type=NAME, metavar="FILE", help="Write them to a Parquet file.")
def command(
    folder: str, *, limit: int | None, as_json: bool, parquet: str | None, **wanted: Any
) -> None:
    """Ask how the recordings of `tenuto enhance -o OUT` ended, also while it is at work.

    Without an option: how many ended how. With some: those for which all of it holds, and why.
    """
    if as_json and parquet is not None:
        raise click.UsageError("give --json or --parquet, not both")
    question = _question(**wanted)
    out = make_console()
    try:
        with Outcomes(os.path.abspath(folder)) as outcomes:  # noqa: PTH100 - links are to stay
            _check_tier(question.tier, outcomes)
            found = islice(outcomes.find(question), limit)
            if parquet is not None:
                number = write_parquet(found, parquet)
                out.print(f"{count(number, 'outcome')} in {plain(parquet)}")
            elif as_json:
                for entry in found:
                    click.echo(line_of(entry.outcome, entry.carried), nl=False)
            elif question == Question() and limit is None:
                statuses = _show_kinds(outcomes.kinds(), out)
                _show_bad_rows(outcomes, out)
                _show_next_step(statuses, folder, out)
            else:
                most = limit or _MOST_LINES
                for entry in islice(found, most):
                    out.print(outcome_line(entry.outcome, out.width))
                _show_rest(outcomes.count(question), most, out)
    except ConfigurationError as error:
        raise Refusal(str(error)) from error
    except OSError as error:
        if parquet is None:  # nobody reads what is printed any more
            raise
        raise Refusal(f"{parquet}: {error.strerror or error}") from error


def _question(
    *, status: str | None, tier: str | None, fault_class: str | None, **rest: Any
) -> Question:
    return Question(
        status=None if status is None else OutcomeStatus(status),
        tier=None if tier is None else TIERS.get(tier, tier),
        fault_class=None if fault_class is None else FaultClass(fault_class),
        **rest,
    )


def _check_tier(tier: str | None, outcomes: Outcomes) -> None:
    """Raise Refusal where ``tier`` is a slip of the pen: "0 outcomes" would hide it."""
    if tier is None or tier in _TIERS:
        return
    there = {kind.tier for kind in outcomes.kinds() if kind.tier is not None}
    if tier not in there:
        known = ", ".join(sorted(there)) or "none yet"
        raise Refusal(f"nothing was done by a tier {tier}; those that are there: {known}")


def _show_kinds(kinds: Iterable[Kind], out: Console) -> Counter[OutcomeStatus]:
    """Print how many ended how, and by whose fault; returns the former."""
    statuses: Counter[OutcomeStatus] = Counter()
    tiers: dict[OutcomeStatus, Counter[str]] = {status: Counter() for status in OutcomeStatus}
    classes: Counter[FaultClass] = Counter()
    for kind in kinds:
        statuses[kind.status] += kind.count
        if kind.tier is not None:
            tiers[kind.status][kind.tier] += kind.count
        if kind.fault_class is not None:
            classes[kind.fault_class] += kind.count
    width = len(f"{statuses.total():,}")
    for status, style in STYLES.items():
        told = ", ".join(f"{n:,} {tier}" for tier, n in tiers[status].most_common())
        line = Text(f"  {statuses[status]:>{width},}  ").append(pad(status, 13), style)
        line.append(told, "dim").rstrip()
        out.print(line)
    out.print(f"  {'─' * width}\n  {statuses.total():>{width},}  in all")
    if classes:
        out.print("\nBy whose fault the last error on the way was:")
    for fault, number in classes.most_common():
        line = Text(f"  {number:>{width},}  ").append(pad(fault, 16), FAULT_STYLES[fault])
        out.print(line.append(f"--class {fault} names them", "dim"))
    return statuses


def _show_bad_rows(outcomes: Outcomes, out: Console) -> None:
    rows = outcomes.bad_rows()
    if rows:
        out.print(f"\n{left_out(len(rows))}:")
    for row in rows[:_MOST_BAD_ROWS]:
        out.print(Text(plain(f"  {row.source}, line {row.line}: {row.reason}"), style="red"))
    if len(rows) > _MOST_BAD_ROWS:
        out.print(f"  … and {len(rows) - _MOST_BAD_ROWS:,} more")


def _show_next_step(statuses: Counter[OutcomeStatus], folder: str, out: Console) -> None:
    for status in (OutcomeStatus.QUARANTINED, OutcomeStatus.DEGRADED):
        if statuses[status]:
            where = shlex.quote(plain(folder))
            out.print(f"\nWhich, and why: tenuto outcomes {where} --status {status}")
            return


def _show_rest(number: int, shown: int, out: Console) -> None:
    if number > shown:
        out.print(f"\n… and {number - shown:,} more: --limit {number}, --json or --parquet FILE")
    else:
        out.print(f"\n{count(number, 'outcome')}.")
