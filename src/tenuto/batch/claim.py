"""One run at a time in an output folder, and what the run before it left."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tenuto.audio.names import path_text
from tenuto.audio.output import is_draft
from tenuto.errors import ConfigurationError

__all__ = ["CLAIM_NAME", "Claim", "claim", "was_cut_short"]

CLAIM_NAME = ".tenuto-run"


@dataclass(frozen=True, slots=True)
class Claim:
    """An output folder that is ours.

    The mark of a run is a file that is empty until the work begins, and goes when the run ends in
    order. Where one was cut short at work, its drafts have been removed, and outputs that no
    outcome accounts for are its own.
    """

    mark: Path
    descriptor: int
    cut_short: bool
    """Whether the run before had begun its work, and did not end in order."""

    def holds(self) -> bool:
        """Whether the folder is still there, and still ours."""
        try:
            return os.path.samestat(os.fstat(self.descriptor), self.mark.stat())
        except OSError:
            return False

    def begin(self) -> None:
        """The work begins: from now on there may be outputs that no outcome accounts for.

        Raises ConfigurationError where that cannot be written down.
        """
        try:
            os.ftruncate(self.descriptor, 1)  # which takes no room, however full the disk is
        except OSError as error:
            raise _unusable(self.mark.parent, error) from error

    def release(self) -> None:
        """This run has ended in order."""
        with suppress(OSError):  # at worst the next run looks for drafts in vain
            self.mark.unlink()


@contextmanager
def claim(folder: Path, makes: Sequence[str] = ()) -> Iterator[Claim]:
    """Have ``folder``, which is made if need be, to ourselves.

    A run that is refused, by a ConfigurationError before its work begins, leaves no trace: neither
    the folder, where there was none, nor of what it ``makes`` in there. Raises ConfigurationError
    while another run has the folder, and where it cannot be written to.
    """
    path = folder / CLAIM_NAME
    new_folders = [each for each in (folder, *folder.parents) if not each.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o666)
    except OSError as error:
        raise _unusable(folder, error) from error
    try:
        _lock(descriptor, path)
        cut_short = os.fstat(descriptor).st_size > 0
        if cut_short:
            _remove_drafts(folder)
        traces = [folder / name for name in makes if not (folder / name).exists()]
        try:
            yield Claim(path, descriptor, cut_short)
        except ConfigurationError:
            if os.fstat(descriptor).st_size == 0:
                _remove_all((*traces, path), new_folders)
            raise
    finally:
        os.close(descriptor)


def was_cut_short(folder: Path) -> bool:
    """Whether a run in ``folder`` has begun its work, and has not ended in order."""
    try:
        return (folder / CLAIM_NAME).stat().st_size > 0
    except OSError:
        return False


def _unusable(folder: Path, error: OSError) -> ConfigurationError:
    return ConfigurationError("the output folder", f"{path_text(folder)}: {error.strerror}")


def _lock(descriptor: int, path: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        ours = path.exists() and os.path.samestat(os.fstat(descriptor), path.stat())
    except BlockingIOError:
        ours = False
    except OSError:
        return  # a file system without locks
    if not ours:  # or it was, until the run that had it ended a moment ago
        raise ConfigurationError(
            "the output folder",
            f"another run writes to {path_text(path.parent)}; wait until it ends, or stop it",
        )


def _remove_all(paths: Iterable[Path], folders: Iterable[Path]) -> None:
    for path in paths:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    with suppress(OSError):  # somebody else has put something there
        for folder in folders:
            folder.rmdir()


def _remove_drafts(folder: Path) -> None:
    waiting = [os.fspath(folder)]
    while waiting:
        # One entry at a time: os.walk has all of a folder in memory.
        with suppress(OSError), os.scandir(waiting.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    if not _is_of_another_run(entry.path):
                        waiting.append(entry.path)
                elif is_draft(entry.name):
                    with suppress(OSError):  # a draft that stays hurts nobody
                        os.unlink(entry.path)  # noqa: PTH108


def _is_of_another_run(folder: str) -> bool:
    """Whether it is an output folder itself: its drafts may be somebody's work in hand."""
    return os.path.lexists(os.path.join(folder, CLAIM_NAME))  # noqa: PTH118
