"""Make docs/demo.svg: the demo as a terminal shows it.

python docs/picture.py
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).parents[1]
WIDTH = 96
COMMAND = "tenuto enhance samples -o enhanced"


def main() -> None:
    """Run the demo in colour, and draw what it prints."""
    tenuto = Path(sys.executable).with_name("tenuto")
    with tempfile.TemporaryDirectory() as folder:
        run = subprocess.run(
            [tenuto, "enhance", "samples", "-o", folder, "--journal", f"{folder}/journal"],
            cwd=ROOT,
            env={**os.environ, "FORCE_COLOR": "1", "TTY_INTERACTIVE": "0", "COLUMNS": str(WIDTH)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,  # 1: some of the samples are beyond help
        )
    printed = run.stdout.replace(folder, "enhanced")
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True)
    console.print(Text(f"$ {COMMAND}", style="bold"), Text.from_ansi(printed), sep="\n")
    console.save_svg(str(ROOT / "docs" / "demo.svg"), title="tenuto", unique_id="demo")


if __name__ == "__main__":
    main()
