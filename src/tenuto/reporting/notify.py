"""People are told of what is news, by mail, chat or webhook, through Apprise.

In digests: the first thing that is news opens a window of time, and when it is over, one message
tells of everything in it. The reader goes on when the message has been sent. A process that ends
in the middle of a window loses nothing: the next one finds the same news in the journal, and the
same end of the window.
"""

from __future__ import annotations

import hashlib
import math
import socket
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tenuto.errors import ConfigurationError, ExternalServiceError
from tenuto.journal import Journal, Reader, Record

from .delivery import NotYet
from .digest import Digest, digest_of

if TYPE_CHECKING:
    from apprise import Apprise

__all__ = ["NotifyReader"]

_WINDOW = 60.0
_QUIET = 3600.0


class NotifyReader:
    """A subscriber that tells somebody at ``url``, in Apprise's notation, what is news.

    New groups of errors, groups that are back after ``quiet`` seconds, wrong settings, and circuits
    that opened or closed; in at most one message in ``window`` seconds. A wrong setting is told
    again where it was not met for ``window`` seconds. For several people, use several readers.

    Raises ConfigurationError without the extra, or where Apprise does not know the URL.
    """

    at_once = 1000

    def __init__(
        self, url: str, journal: Journal, *, window: float = _WINDOW, quiet: float = _QUIET
    ) -> None:
        for setting, value in (("window", window), ("quiet", quiet)):
            if not (math.isfinite(value) and value >= 0):
                raise ConfigurationError(setting, "give a number of seconds, 0 or more")
        self._apprise = _apprise(url)
        self._journal = journal
        self._clock = journal.clock
        self._window = window
        self._quiet = quiet
        self._due: float | None = None
        self._next = -math.inf
        self.reader = Reader(_name(url))

    def receive_all(self, records: Sequence[Record]) -> int:
        """Tell what is news among ``records``, when its time has come.

        Raises NotYet before that, ExternalServiceError where it could not be sent.
        """
        digest = digest_of(
            records,
            self._journal,
            host=socket.gethostname(),
            quiet=self._quiet,
            quiet_setting=self._window,
        )
        if digest is not None:
            self._await_the_end_of_the_window(digest)
            self._send(digest)
            self._next = self._clock.monotonic() + self._window
        self._due = None
        return len(records)

    def _await_the_end_of_the_window(self, digest: Digest) -> None:
        monotonic = self._clock.monotonic()
        if self._due is None:
            # A clock that is ahead, here or on another machine, must not hold it for ever.
            left = digest.time + self._window - self._clock.now()
            self._due = max(monotonic + min(self._window, left), self._next)
        if monotonic < self._due:
            raise NotYet(self._due - monotonic)

    def _send(self, digest: Digest) -> None:
        from apprise import NotifyFormat, NotifyType

        sent = self._apprise.notify(
            title=digest.title,
            body="\n".join(digest.lines),
            notify_type=NotifyType.WARNING,
            body_format=NotifyFormat.TEXT,
        )
        if not sent:  # of no known type: what it is worth is its truth
            raise ExternalServiceError(
                service="notify", message=f"the message could not be sent: {self.reader.name}"
            )


def _apprise(url: str) -> Apprise:
    try:
        from apprise import Apprise
    except ImportError as missing:
        raise ConfigurationError(
            "notify", "install apprise: pip install 'tenuto[notify]'"
        ) from missing
    made = Apprise()
    if not made.add(url):
        raise ConfigurationError("notify", "give one of Apprise's URLs, such as mailto://…")
    return made


def _name(url: str) -> str:
    """What the reader is called: the same for the same URL, without what is secret in it."""
    digest = hashlib.sha256(url.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"notify {url.partition(':')[0]} {digest}"
