"""The command ``tenuto``."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line, or say what it needs."""
    try:
        from tenuto.cli.app import app
    except ModuleNotFoundError as error:
        if error.name not in {"click", "rich"}:
            raise
        sys.stderr.write(
            f"tenuto: the command line needs {error.name}, which is not installed here.\n"
            "Install it with:  pip install 'tenuto[cli]'   (tenuto[audio] has it too)\n"
        )
        sys.exit(2)
    app()
