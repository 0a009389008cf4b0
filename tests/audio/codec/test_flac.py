"""Of a damaged FLAC file every whole frame is kept where it was, and no other is."""

from __future__ import annotations

import numpy as np
import pytest

from tenuto.audio.codec import decode
from tenuto.audio.codec.flac import flac_frames

from .broken import RATE, encoded, tone

BLOCK = 4096


@pytest.fixture
def path(tmp_path):
    return tmp_path / "sound.flac"


def without_length(data: bytes) -> bytes:
    """As an encoder leaves it that could not go back to its header."""
    header = bytearray(data)
    header[21] &= 0xF0
    header[22:26] = bytes(4)
    return bytes(header)


def frame_offsets(data: bytes):
    """Where frames begin, after the headers."""
    first = data.index(b"\xff\xf8")
    return [(first + each.offset, each.start) for each in flac_frames(data[first:], BLOCK)]


def damaged(data: bytes, numbers) -> bytes:
    """Some frames of it with a few wrong bytes inside."""
    spoiled = bytearray(data)
    offsets = {start // BLOCK: offset for offset, start in frame_offsets(data)}
    for number in numbers:
        middle = offsets[number] + 500
        for at in range(middle, middle + 20):
            spoiled[at] ^= 0x5A
    return bytes(spoiled)


WHOLE = encoded("FLAC", samples=tone(8))
FRAMES = 8 * RATE // BLOCK


@pytest.mark.parametrize("numbers", [(7,), (7, 9), (7, 8), (3, 9, 20), (0,), (0, 1)])
@pytest.mark.parametrize("header", [bytes, without_length], ids=["a length", "no length"])
def test_only_the_damaged_frames_are_silent(path, numbers, header):
    path.write_bytes(WHOLE)
    clean = decode(path).samples
    path.write_bytes(damaged(header(WHOLE), numbers))
    sound = decode(path)
    assert len(sound.samples) == len(clean)
    assert any("filled with silence" in each for each in sound.repairs)
    for number in range(FRAMES):
        here = slice(number * BLOCK, (number + 1) * BLOCK)
        expected = np.zeros((BLOCK, 1)) if number in numbers else clean[here]
        np.testing.assert_array_equal(sound.samples[here], expected, err_msg=f"frame {number}")


def test_a_flipped_bit_in_a_file_without_a_length_does_not_pass_for_sound(path):
    data = bytearray(without_length(WHOLE))
    data[len(data) // 2] ^= 0x10
    path.write_bytes(data)
    sound = decode(path)
    path.write_bytes(WHOLE)
    clean = decode(path).samples
    wrong = (sound.samples != clean).any(axis=1)
    assert sound.repairs
    assert np.count_nonzero(wrong) <= BLOCK
    assert not sound.samples[wrong].any()


def test_a_file_without_a_length_that_breaks_off_says_so(path):
    path.write_bytes(without_length(WHOLE)[: len(WHOLE) // 2])
    sound = decode(path)
    assert sound.repairs
    assert 3.5 < sound.duration < 4.1


def test_a_whole_file_without_a_length_is_whole(path):
    path.write_bytes(WHOLE)
    clean = decode(path).samples
    path.write_bytes(without_length(WHOLE))
    sound = decode(path)
    assert sound.repairs == ()
    np.testing.assert_array_equal(sound.samples, clean)


def test_what_was_recorded_from_the_middle_of_a_broadcast_begins_where_it_begins(path):
    header = WHOLE[: frame_offsets(WHOLE)[0][0]]
    later = next(offset for offset, start in frame_offsets(WHOLE) if start == 10 * BLOCK)
    path.write_bytes(without_length(header) + WHOLE[later:])
    sound = decode(path)
    assert sound.repairs == ()
    assert sound.frames == 8 * RATE - 10 * BLOCK


@pytest.mark.parametrize("number", [0, 1, 127, 128, 2047, 2048, 65_536, 2**21, 2**31 - 1])
def test_the_number_of_a_frame_is_read_at_any_length(number):
    from tests.batch.corpus import _crc

    if number < 0x80:
        coded = bytes([number])
    else:
        length = next(n for n in range(2, 8) if number < 1 << (5 * n + 1))
        coded = bytes([0xFF << (8 - length) & 0xFF | number >> 6 * (length - 1)])
        coded += bytes(0x80 | number >> 6 * place & 0x3F for place in reversed(range(length - 1)))
    head = b"\xff\xf8\xc9\x08" + coded
    data = b"junk" + head + bytes([_crc(head, 0x07, 8)]) + bytes(20)
    assert [tuple(each) for each in flac_frames(data, BLOCK)] == [(4, number * BLOCK)]
