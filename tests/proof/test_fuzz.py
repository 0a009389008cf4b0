"""The fuzzer itself: it runs where it can be had, and says so where it cannot."""

from __future__ import annotations

import importlib.util

import pytest

from proof import fuzz


def test_without_the_fuzzer_nothing_is_claimed(monkeypatch, capfd):
    monkeypatch.setattr(fuzz, "find_spec", lambda name: None)
    assert fuzz.main(["--seconds", "1"]) == 0
    assert "nothing was fuzzed" in capfd.readouterr().out


@pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason="atheris is not installed")
def test_every_kind_of_input_is_tried(monkeypatch, tmp_path, capfd):
    monkeypatch.setattr(fuzz, "_FOLDER", tmp_path)
    inputs = []
    for kind in range(6):
        file = tmp_path / f"input-{kind}"
        file.write_bytes(bytes([kind]) + b"password=hunter2\n\xff\x00")
        inputs.append(str(file))
    assert fuzz.main(inputs) == 0
    assert capfd.readouterr().err.count("Executed ") == 6
