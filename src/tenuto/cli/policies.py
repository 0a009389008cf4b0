"""``tenuto policies``."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import click
from rich.console import Console
from rich.text import Text

from tenuto.configuration import Configuration, Protection, Surroundings, read_configuration
from tenuto.configuration.reading import DEFAULT
from tenuto.errors import ConfigurationError
from tenuto.policies import Backoff

from .terminal import Refusal, make_console, plain, show_path
from .values import NAME

__all__ = ["command"]


@click.command("policies")
@click.option(
    "--config",
    type=NAME,
    metavar="PATH",
    help="A tenuto.toml or pyproject.toml. By default the one a program started here would find.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(*, config: str | None, as_json: bool) -> None:
    """Show which policies the configuration gives to which names, outermost first.

    "default" is any name that nothing is said of. What code says besides is not known here.
    Status 2: the configuration is wrong.
    """
    try:
        configuration = read_configuration(config)
        protections = [
            Protection(name, {}, configuration, Surroundings(), partial=True)
            for name in (DEFAULT, *configuration.names)
        ]
    except ConfigurationError as wrong:
        raise Refusal(str(wrong)) from wrong
    if as_json:
        click.echo(json.dumps(_as_json(configuration, protections)))
    else:
        _show(configuration, protections, make_console())


def _show(configuration: Configuration, protections: list[Protection], out: Console) -> None:
    file = configuration.file
    out.print(f"file: {'none' if file is None else show_path(str(file), out.width - 6)}")
    for variable in configuration.variables:
        out.print(plain(f"environment: {variable}"))
    for protection in protections:
        out.print()
        out.print(Text(plain(protection.name), style="bold"))
        for line in protection.stack().table(out.width - 2).splitlines():
            out.print(f"  {plain(line)}")
        for kind in protection.incomplete:
            out.print(f"  {kind}: only where the code says the rest")


def _as_json(configuration: Configuration, protections: list[Protection]) -> dict[str, Any]:
    return {
        "file": None if configuration.file is None else str(configuration.file),
        "environment": list(configuration.variables),
        "policies": {
            protection.name: {
                kind: {key: _plain(value) for key, value in settings.items()}
                for kind, settings in protection.settings().items()
            }
            for protection in protections
        },
    }


def _plain(value: object) -> object:
    if isinstance(value, timedelta):
        return f"{value.total_seconds():g}s"
    if isinstance(value, Backoff):
        return {name: getattr(value, name) for name in ("shape", "initial", "maximum", "jitter")}
    return value
