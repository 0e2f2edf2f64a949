"""Clips as cameras and phones make them: streams in any order, beside others, and ends that differ."""

from __future__ import annotations

from pathlib import Path

import pytest

FIELD = Path(__file__).parents[1] / "field" / "video"
_X264 = ("-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-g", "12")
_SOUND = ("-f", "lavfi", "-i", "sine=duration=2")


@pytest.mark.parametrize(
    ("name", "frames"),
    [
        ("plain.mp4", 30),
        ("timecode.mp4", 30),
        ("chapters.mp4", 30),
        ("sound-first.mp4", 30),
        ("sound-first-5fps.mp4", 30),
        ("sound-first-two-pictures.mp4", 20),
    ],
)
def test_no_picture_of_a_field_clip_is_lost(decoded, name, frames):
    _, shown, gaps = decoded(FIELD / name, 10)
    assert (len(shown), gaps) == (frames, [])
