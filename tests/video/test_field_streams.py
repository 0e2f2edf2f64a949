"""Clips as cameras and phones make them: streams in any order, other streams beside them, ends that differ."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path

import pytest

from keyseg.video.reading import VideoReader, read_key_frames

FIELD = Path(__file__).parents[1] / "field" / "video"
_X264 = ("-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-g", "12", "-pix_fmt", "yuv420p")
_MPEG2 = ("-c:v", "mpeg2video", "-bf", "2")
_SOUND_FIRST = ("-map", "1", "-map", "0")
_DATA_FIRST = ("-map", "2", "-map", "1", "-map", "0")
_TIMECODE = ("-timecode", "01:00:00:00")


def sound(seconds):
    return ("-f", "lavfi", "-i", f"sine=duration={float(seconds)}")


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
    assert (len(shown), gaps, decoded.notes) == (frames, [], [])


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.mp4", _X264),
        ("a.mp4", (*_X264, *_TIMECODE)),
        ("a.mov", (*_X264, *_TIMECODE)),
        ("a.mkv", _X264),
        ("a.ts", _X264),
        ("a.mpg", _MPEG2),
        ("a.avi", ("-c:v", "mpeg4", "-bf", "2")),
    ],
)
@pytest.mark.parametrize("order", [(), _SOUND_FIRST])
@pytest.mark.parametrize(("rate", "pictures"), [(25, 30), (5, 8), (1, 2)])
def test_the_order_of_streams_makes_no_difference(clip, numbers, decoded, name, options, order, rate, pictures):
    if rate < 24 and name == "a.mpg":
        pytest.skip("MPEG-2 has no such rate")
    video = clip(name, *order, *options, rate=rate, pictures=pictures, inputs=sound(Fraction(pictures, rate)))
    assert numbers(video, rate) == list(range(pictures))
    assert numbers(video, 2 * rate) == [number for number in range(pictures) for _ in (0, 1)]


@pytest.fixture
def beside(clip, tmp_path):
    """beside(name, *inputs with what is beside the pictures and the sound, options): a clip of 30 pictures."""

    def make(name, more, *options):
        return clip(name, *options, *_X264, pictures=30, inputs=(*sound(1.2), *map(str, more)))

    return make


@pytest.mark.parametrize("order", [("-map", "0", "-map", "2", "-map", "1"), _DATA_FIRST])
def test_data_such_as_telemetry_is_beside_the_pictures(beside, numbers, tmp_path, order):
    (tmp_path / "data.bin").write_bytes(bytes(range(256)) * 8)
    video = beside("a.ts", ("-f", "data", "-i", tmp_path / "data.bin"), *order, "-c:d", "copy")
    assert numbers(video, 25) == list(range(30))


@pytest.mark.parametrize(("name", "codec"), [("a.mp4", "mov_text"), ("a.mkv", "srt")])
@pytest.mark.parametrize("order", [("-map", "0", "-map", "2", "-map", "1"), _DATA_FIRST])
def test_subtitles_are_beside_the_pictures(beside, numbers, tmp_path, name, codec, order):
    (tmp_path / "a.srt").write_text("1\n00:00:00,000 --> 00:00:05,000\npour\n", encoding="utf-8")
    video = beside(name, ("-i", tmp_path / "a.srt"), *order, "-c:s", codec)
    assert numbers(video, 25) == list(range(30))


@pytest.mark.parametrize("name", ["a.mp4", "a.mov", "a.mkv"])
@pytest.mark.parametrize("order", [("-map", "0", "-map", "1"), _SOUND_FIRST])
def test_chapters_are_beside_the_pictures(beside, numbers, tmp_path, name, order):
    chapters = "".join(f"[CHAPTER]\nTIMEBASE=1/10\nSTART={a}\nEND={a + 6}\ntitle=part {a}\n" for a in (0, 6))
    (tmp_path / "a.txt").write_text(f";FFMETADATA1\n{chapters}", encoding="utf-8")
    assert numbers(beside(name, ("-i", tmp_path / "a.txt"), *order, "-map_chapters", "2"), 25) == list(range(30))


@pytest.mark.parametrize("order", [_SOUND_FIRST, ("-map", "0", "-map", "1")])
def test_a_font_is_attached(beside, numbers, tmp_path, order):
    (tmp_path / "a.ttf").write_bytes(bytes(999))
    attached = ("-attach", str(tmp_path / "a.ttf"), "-metadata:s:t", "mimetype=application/x-truetype-font")
    assert numbers(beside("a.mkv", (), *order, *attached), 25) == list(range(30))


@pytest.mark.parametrize("order", [("2", "1", "0"), ("0", "1", "2")])
def test_a_cover_picture_is_beside_the_pictures(ffmpeg, clip, numbers, decoded, tmp_path, order):
    ffmpeg("-f", "lavfi", "-i", "color=red:size=32x32", "-frames:v", "1", tmp_path / "cover.png")
    inputs = ("-i", clip("a.mp4", *_X264, pictures=30), *sound(1.2), "-i", tmp_path / "cover.png")
    streams = [part for stream in order for part in ("-map", stream)]
    cover = f"-disposition:v:{int(order[0] == '0')}"
    ffmpeg(*inputs, *streams, "-c:v", "copy", cover, "attached_pic", tmp_path / "a.mp4")
    assert numbers(tmp_path / "a.mp4", 25) == list(range(30))
    assert decoded.notes == []


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
@pytest.mark.parametrize(("marked", "expected"), [(0, 0), (1, 9)])
def test_of_several_picture_streams_the_one_that_players_show_is_read(
    ffmpeg, clip, numbers, decoded, tmp_path, name, marked, expected
):
    """The second one is the same video from its tenth picture on, with its clock at 0."""
    first, later = clip("a.mp4", *_X264), clip("b.mp4", *_X264, filters="select='gte(n,9)',setpts=PTS-STARTPTS")
    marks = (f"-disposition:v:{marked}", "default", f"-disposition:v:{1 - marked}", "0")
    ffmpeg("-i", first, "-i", later, "-map", "0", "-map", "1", "-c", "copy", *marks, tmp_path / name)
    assert numbers(tmp_path / name, 25) == list(range(expected, expected + 50))
    assert decoded.notes == [f"it has 2 picture streams; stream {marked} is read, which players show"]


@pytest.mark.parametrize("name", ["timecode.mp4", "sound-first.mp4", "chapters.mp4"])
def test_key_frames_are_found_beside_other_streams(name):
    red, green, blue = (image.mean(axis=(0, 1)).argmax() for _, image in read_key_frames(FIELD / name, [0.5, 1.5, 2.9]))
    assert (red, green, blue) == (0, 1, 2)


def test_pictures_that_end_before_the_sound_are_noted():
    with VideoReader(FIELD / "still-end.mp4", Fraction(10)) as reader:
        assert len(list(reader)) == 21
    assert reader.gaps == ()
    assert reader.notes == ("the pictures end at 2.10 s, 0.90 s before the file, and so does the timeline",)


@pytest.mark.parametrize("name", ["a.mp4", "a.mov", "a.mkv", "a.ts", "a.mpg", "a.avi"])
@pytest.mark.parametrize(("seconds", "noted"), [(1, False), (2, False), (Fraction("2.05"), False), (3, True)])
def test_only_an_end_well_before_that_of_the_sound_is_noted(clip, ffmpeg, decoded, tmp_path, name, seconds, noted):
    pictures = clip("a.m2v", *_MPEG2) if name == "a.mpg" else clip("a.mp4", *_X264, "-bf", "0")
    codec = "pcm_s16le" if name == "a.avi" else "mp2"
    ffmpeg("-i", pictures, *sound(seconds), "-c:v", "copy", "-c:a", codec, tmp_path / name)
    _, shown, gaps = decoded(tmp_path / name, 10)
    assert (len(shown), gaps) == (20, [])
    ends = [float(note.removeprefix("the pictures end at ").split()[0]) for note in decoded.notes]
    assert ends == pytest.approx([2] * noted, abs=0.03)  # an AVI rounds its rate


def test_another_picture_stream_that_is_longer_is_noted(ffmpeg, clip, decoded, tmp_path):
    inputs = ("-i", clip("a.mp4", *_X264, pictures=25), "-i", clip("a.mp4", *_X264))
    ffmpeg(*inputs, "-map", "0", "-map", "1", "-c", "copy", tmp_path / "a.mp4")
    assert len(decoded(tmp_path / "a.mp4", 10)[1]) == 10
    assert "the pictures end at 1.00 s, 1.00 s before the file, and so does the timeline" in decoded.notes


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts"])
def test_pictures_that_begin_after_the_sound_are_noted(clip, ffmpeg, decoded, tmp_path, name):
    streams = ("-map", "0:a", "-map", "1:v", "-c:v", "copy", "-c:a", "aac")
    ffmpeg(*sound(3), "-itsoffset", "1", "-i", clip("a.mp4", *_X264), *streams, tmp_path / name)
    decoded(tmp_path / name, 10)
    (note,) = decoded.notes
    assert note.startswith(("the pictures begin 1.0", "the pictures begin 0.9"))
    assert note.endswith(" s after the sound; the first one is shown until then")


def test_an_edit_list_of_two_parts_is_not_taken_for_joined_files(clip, numbers, decoded, tmp_path):
    """Pictures 25-49 and then 45-69: the packets of the second part that are not shown go back in time."""
    data = clip("a.mp4", *_X264, pictures=75).read_bytes()
    place = data.index(b"elst") - 4
    size, _, start = int.from_bytes(data[place : place + 4], "big"), *struct.unpack_from(">Ii", data, place + 16)
    edits = [(1000, start + 12800, 65536), (1000, start + 12800 * 9 // 5, 65536)]
    parts = b"".join(struct.pack(">IiI", *edit) for edit in edits)
    edited = bytearray(data[:place] + struct.pack(">I4sII", 40, b"elst", 0, 2) + parts + data[place + size :])
    for name in (b"moov", b"trak", b"edts"):  # the boxes around it
        box = edited.index(name) - 4
        edited[box : box + 4] = (int.from_bytes(edited[box : box + 4], "big") + 40 - size).to_bytes(4, "big")
    (tmp_path / "a.mp4").write_bytes(edited)
    assert [n for n in dict.fromkeys(numbers(tmp_path / "a.mp4", 25)) if n < 45] == list(range(25, 45))
    assert numbers(tmp_path / "a.mp4", 25)[-25:] == list(range(45, 70))
    assert decoded.notes == []
