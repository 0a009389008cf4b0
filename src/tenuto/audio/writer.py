"""Where results of one recording are written, in the format that they are to have."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from tenuto.errors import TenutoError

from .codec import encode, writable_as
from .faults import stop_if_fatal
from .output import Drafts
from .sound import Passage, SourceFormat

__all__ = ["Writer"]


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes drafts of one output; in ``container``, or as the source was."""

    drafts: Drafts
    container: str | None

    def write(self, passage: Passage) -> Path:
        """A new draft, with all of the sound.

        Raises what ``encode`` raises, and what the sound raises while it goes by.
        """
        path = self.drafts.new()
        encode(passage, path, container=self._target(passage.source))
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

    def _target(self, source: SourceFormat) -> str | None:
        """The container to write; None for the input's own, where that can be written."""
        if self.container is not None:
            return self.container
        target = writable_as(source)
        return target.container if target.reason else None
