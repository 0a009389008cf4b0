"""Killed at random, and nothing is lost. The long ones: ``proof.killing``, ``killing_cluster``."""

from __future__ import annotations

from contextlib import closing

from proof.killing import Harness
from proof.killing_cluster import ClusterHarness


def test_whatever_is_killed_every_recording_ends_once_and_whole(tmp_path):
    harness = Harness(tmp_path / "harness", kills=4, seed=3, recordings=12)
    tally = harness.run()
    assert tally.kills >= 4  # of what, chance and the machine decide
    assert dict(tally.statuses) == {"enhanced": 11 * tally.folders, "quarantined": tally.folders}


def test_whatever_is_killed_of_a_cluster_as_well(tmp_path):
    with closing(ClusterHarness(tmp_path / "harness", kills=4, seed=3, recordings=12)) as harness:
        tally = harness.run()
    assert tally.kills >= 4
    assert dict(tally.statuses) == {"enhanced": 11 * tally.folders, "quarantined": tally.folders}
