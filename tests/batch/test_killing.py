"""Runs and workers are killed at random, and nothing is lost. The long one: ``proof.killing``."""

from __future__ import annotations

from proof.killing import Harness


def test_whatever_is_killed_every_recording_ends_once_and_whole(tmp_path):
    harness = Harness(tmp_path / "harness", kills=4, seed=3, recordings=12)
    tally = harness.run()
    assert tally.kills >= 4  # of what, chance and the machine decide
    assert dict(tally.statuses) == {"enhanced": 11 * tally.folders, "quarantined": tally.folders}
