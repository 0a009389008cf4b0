"""A port for a server that a test starts."""

from __future__ import annotations

import socket


def free_port():
    """One of loopback that nobody has, chosen by the system: not what another test chooses too."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]
