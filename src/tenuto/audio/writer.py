"""Where results of one recording are written, in the format that they are to have."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path

from tenuto.errors import TenutoError

from .codec import encode, writable_under
from .faults import stop_if_fatal
from .output import Drafts
from .sound import Passage

__all__ = ["Writer"]


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes drafts of one output; in ``container``, or as the source was and its name says."""

    drafts: Drafts
    container: str | None
    changes: dict[Path, str] = field(default_factory=dict)
    """For each draft that is in another format than the source, unasked: why, in words."""

    def write(self, passage: Passage) -> Path:
        """A new draft, with all of the sound.

        Raises what ``encode`` raises, and what the sound raises while it goes by.
        """
        path = self.drafts.new()
        if self.container is not None:
            encode(passage, path, container=self.container)
            return path
        source = replace(passage.source, declared_frames=passage.frames)
        target = writable_under(source, self.drafts.output.suffix)
        encode(passage, path, container=target.container, subtype=target.subtype)
        if target.reason:
            name = f"{target.container} ({target.subtype})"
            self.changes[path] = f"written as {name}: {target.reason}"
        return path

    def copy(self, source: Path) -> Path | None:
        """A new draft with the bytes of the file ``source``, if that is what is to be written."""
        if self.container is not None or source.suffix.lower() != self.drafts.output.suffix.lower():
            return None
        path = self.drafts.new()
        shutil.copyfile(source, path)
        return path

    def met(self, error: Exception) -> Exception:
        """What an error from writing is: of the run as a whole, where it is such, or itself."""
        try:
            if isinstance(error, OSError):
                stop_if_fatal(error, self.drafts.output.parent)
        except TenutoError as fatal:
            return fatal
        return error
