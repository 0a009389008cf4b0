"""The error whose cost is measured."""

from __future__ import annotations

FRAMES = 20


def decode(depth: int, name: str, options: dict[str, object]) -> float:
    """Raise from ``depth`` frames further down."""
    samples = list(range(depth))
    title = f"{name} at {depth}"
    if depth == 1:
        raise ValueError(f"{name} cannot be decoded")
    return decode(depth - 1, name, options) + len(samples) + len(title)


def failure(name: str) -> ValueError:
    """An error with 20 frames."""
    try:
        decode(FRAMES, name, {"rate": 16_000, "path": "night/a17.wav", "channels": [0, 1]})
    except ValueError as error:
        return error
    raise AssertionError
