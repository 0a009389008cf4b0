"""``tenuto state``."""

from __future__ import annotations

import json
import sys

import click
from rich.console import Console
from rich.text import Text

from tenuto.configuration import read_configuration
from tenuto.errors import ConfigurationError
from tenuto.machines import State
from tenuto.state import RedisState, Standing, Unreachable, open_state

from .terminal import Refusal, complain, count, duration, fit, make_console

__all__ = ["command"]

_COLORS = {State.OPEN: "red", State.HALF_OPEN: "yellow"}


@click.command("state")
@click.option(
    "--url",
    metavar="URL",
    help="redis://host:6379/0. By default that in TENUTO_STATE_URL, else the file's state_url.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(*, url: str | None, as_json: bool) -> None:
    """Show the circuits that a fleet shares: which are open, since when, and why.

    Status 1: the server does not answer. Status 2: there is no URL, or not one of a server.
    """
    try:
        state = _open(url)
    except ConfigurationError as wrong:
        raise Refusal(str(wrong)) from wrong
    try:
        circuits = state.circuits()
    except Unreachable as gone:
        complain(make_console(stderr=True), f"{state.where}: {gone}")
        sys.exit(1)
    if as_json:
        click.echo(json.dumps([each._asdict() for each in circuits]))
    else:
        _show(circuits, state.where, make_console())


def _open(url: str | None) -> RedisState:
    source = "--url"
    if url is None:
        said = read_configuration().state_url
        if said is None:
            raise ConfigurationError("state_url", "say where the fleet meets: --url redis://host/0")
        url, source = said.value, said.source
    state = open_state(url)
    if not isinstance(state, RedisState):
        raise ConfigurationError(source, "what is in the memory of a process only that can show")
    return state


def _show(circuits: list[Standing], where: str, out: Console) -> None:
    if not circuits:
        out.print(f"Nobody shares a circuit at {where}.")
    for each in circuits:
        line = Text(fit(each.name, max(20, out.width - 40)), style="bold")
        out.print(line.append(f"  {each.state.value}", style=_COLORS.get(each.state, "green")))
        for told in _told(each):
            out.print(f"  {fit(told, out.width - 2)}")


def _told(each: Standing) -> list[str]:
    number = len(each.nodes)
    told = [f"used by {number:,} process{'' if number == 1 else 'es'}"]
    if each.state is not State.CLOSED:
        since = f"open for {duration(each.open_for)}"
        if each.state is State.OPEN:
            since += f", probes in {duration(each.left)}"
        if each.probing:
            since += f", {count(each.probing, 'probe')} under way"
        if each.streak:
            since += f", {count(each.streak, 'probe')} failed"
        told.append(since)
    if each.fault:
        told.append(f"last fault: {each.fault}")
    if each.votes:
        told.append(f"open for themselves: {', '.join(each.votes)}")
    return told
