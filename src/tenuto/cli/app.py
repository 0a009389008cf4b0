"""The command and its subcommands, loaded as they are called."""

from __future__ import annotations

from importlib import import_module

import click

__all__ = ["app"]

_COMMANDS = {
    "enhance": "Enhance recordings: files, folders, patterns.",
    "outcomes": "Ask how the recordings of a run ended.",
    "errors": "Show what went wrong.",
    "journal": "Check, prune and export the journal.",
    "forward": "Tell Sentry, or a central journal, what is in the journal.",
    "collect": "Take the journals of other machines into a central one.",
    "readers": "Show who is told of the journal, and how far they are behind.",
    "metrics": "Print what the journal counts, for Prometheus.",
    "state": "Show the circuits that a fleet shares.",
    "policies": "Show which policies the configuration puts in force.",
    "doctor": "Check what works on this machine.",
}


class _Commands(click.Group):
    """Imports a subcommand when it is called: ``--help`` need not load what ``enhance`` needs."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = import_module(f"tenuto.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.group(
    cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 88}
)
@click.version_option(package_name="tenuto", prog_name="tenuto", message="%(prog)s %(version)s")
def app() -> None:
    """Enhance recordings of speech, whatever happens on the way, and account for every one."""
