"""When a server that answered over HTTP wants to be asked again."""

from __future__ import annotations

from collections.abc import Mapping

from tenuto.clock import Clock
from tenuto.policies import server_hint

__all__ = ["retry_after"]


class _Busy(Exception):  # noqa: N818 - never raised: what is read for a hint
    def __init__(self, headers: Mapping[str, str]) -> None:
        super().__init__()
        self.headers = headers


def retry_after(headers: Mapping[str, str], clock: Clock) -> float | None:
    """Seconds, by its ``Retry-After``, a number or a date; None where it says nothing sensible."""
    return server_hint(_Busy(headers), clock)
