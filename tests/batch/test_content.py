"""Which bytes a recording is, whatever it is called, and whatever it turns out to be."""

from __future__ import annotations

import hashlib
import os

import pytest

from tenuto.batch.content import content_of


def test_the_same_bytes_are_the_same_content_under_any_name(tmp_path):
    bytes_ = os.urandom((2 << 20) + 7)
    one, other = tmp_path / "one.wav", tmp_path / os.fsdecode(b"caf\xe9")
    one.write_bytes(bytes_)
    other.write_bytes(bytes_)
    blocks = []
    assert content_of(one, lambda: blocks.append(1)) == content_of(other)
    assert content_of(one) == hashlib.blake2b(bytes_, digest_size=16).hexdigest()
    assert len(blocks) == 3


@pytest.mark.parametrize(
    "make",
    [
        os.mkfifo,
        os.mkdir,
        lambda path: path.symlink_to("/dev/zero"),
        lambda path: path.touch(),
        lambda path: None,
    ],
    ids=["a pipe", "a folder", "a device", "empty", "missing"],
)
def test_what_cannot_be_read_has_none_and_nobody_waits_for_it(tmp_path, make):
    path = tmp_path / "x.wav"
    make(path)
    assert content_of(path) == ""
