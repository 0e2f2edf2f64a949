"""Files joined end to end with cat: all their pictures in order, or a report of what is missing."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from keyseg.video.reading import read_key_frames
from video.conftest import number

FIELD = Path(__file__).parents[1] / "field" / "video"
_X264 = ("-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-g", "12", "-pix_fmt", "yuv420p")
_MPEG2 = ("-c:v", "mpeg2video", "-bf", "2", "-g", "12", "-q:v", "2")
_KINDS = [("a.ts", _X264), ("a.ts", _MPEG2), ("a.vob", _MPEG2), ("a.mpg", _MPEG2), ("a.m2ts", _X264)]
_AUDIO = ("-c:a", "mp2", "-ar", "44100")
_SOUND = ("-f", "lavfi", "-i", "sine=duration=1")


@pytest.fixture
def joined(clip, ffmpeg, tmp_path):
    """joined(name, options, seconds at which each part's clock starts, sound): parts of 25 pictures, numbered on."""

    def make(name, options, starts, *, sound=True):
        path = tmp_path / name
        with path.open("wb") as file:
            for part, start in enumerate(starts):
                later = f"select='gte(n,{25 * part})',setpts=PTS-STARTPTS"
                made = clip("a.mkv", *options, pictures=25, filters=later, seconds=len(starts) + 1)
                inputs = ("-i", made, *(_SOUND if sound else ()))
                ffmpeg(*inputs, "-c:v", "copy", *_AUDIO, "-output_ts_offset", start, tmp_path / f"part.{name}")
                file.write((tmp_path / f"part.{name}").read_bytes())
        return path

    return make


@pytest.mark.parametrize(("name", "options"), _KINDS)
def test_parts_whose_clock_goes_on_are_read_whole(joined, numbers, decoded, name, options):
    path = joined(name, options, (10, 11, 12))
    assert numbers(path, 25) == list(range(75))
    assert decoded(path, 10)[2] == []
    assert decoded.notes == []


def test_segments_of_one_recording_are_read_whole(ffmpeg, clip, numbers, tmp_path):
    whole = clip("a.mp4", *_X264, "-g", "25", pictures=75, inputs=("-f", "lavfi", "-i", "sine=duration=3"))
    ffmpeg("-i", whole, "-c", "copy", "-f", "segment", "-segment_time", "1", tmp_path / "part%d.ts")
    parts = sorted(tmp_path.glob("part*.ts"))
    assert len(parts) == 3
    (tmp_path / "all.ts").write_bytes(b"".join(part.read_bytes() for part in parts))
    assert numbers(tmp_path / "all.ts", 25) == list(range(75))


# A clock that starts an hour earlier would be 26 hours ahead, as FFmpeg thinks that it ran over.
@pytest.mark.parametrize(
    ("starts", "sound"), [((10, 10, 10), True), ((10, 10), False), ((3600, 3600, 10), False), ((3600, 1200), True)]
)
@pytest.mark.parametrize(("name", "options"), _KINDS)
def test_parts_whose_clock_starts_anew_are_refused_or_read_whole(
    joined, numbers, decoded, name, options, starts, sound
):
    path = joined(name, options, starts, sound=sound)
    with pytest.raises(
        RuntimeError, match=r"damaged at [12]\.00 s .the clock of the pictures goes back by .*; read all .*--damaged"
    ):
        decoded(path, 25)
    assert numbers(path, 25, damaged=True) == list(range(25 * len(starts)))
    gaps = decoded(path, 25, damaged=True)[2]
    assert [gap[:2] for gap in gaps] == [(25 * n, 25 * n) for n in range(1, len(starts))]
    assert all("goes back by" in reason for _, _, reason in gaps)
    assert decoded.notes == []


@pytest.mark.parametrize(("name", "options"), _KINDS)
@pytest.mark.parametrize("starts", [(10, 10), (3600, 10), (10, 10.6)])
def test_key_frames_of_joined_parts_are_those_of_the_timeline(joined, name, options, starts):
    path = joined(name, options, starts)
    times = [number / 25 + 0.01 for number in (37, 12, 24, 25, 12)]
    assert [number(image) for _, image in read_key_frames(path, times)] == [37, 12, 24, 25, 12]


def test_the_field_clip_is_refused_or_read_whole(decoded):
    with pytest.raises(RuntimeError, match=r"damaged at 1\.00 s"):
        decoded(FIELD / "joined-anew.ts", 10)
    _, frames, gaps = decoded(FIELD / "joined-anew.ts", 10, damaged=True)
    assert [image.mean(axis=(0, 1)).argmax() for image, _ in frames] == [0] * 10 + [1] * 10 + [2] * 10
    assert [gap[:2] for gap in gaps] == [(10, 10), (20, 20)]


@pytest.mark.parametrize(("name", "options"), _KINDS)
def test_parts_that_overlap_a_little_are_read_whole_with_a_note(joined, numbers, decoded, name, options):
    path = joined(name, options, (10, 10.6))
    assert numbers(path, 25) == list(range(50))
    (note,) = decoded.notes
    assert re.fullmatch(r"at 1\.00 s the clock of the pictures goes back by 0\.4\d s, as in joined files", note)


@pytest.mark.parametrize(("name", "options"), _KINDS)
def test_a_clock_that_leaps_ahead_is_damage_and_its_span_a_gap(joined, numbers, decoded, name, options):
    path = joined(name, options, (10, 30))
    with pytest.raises(RuntimeError, match=r"damaged at [01]\.\d\d s .*--damaged"):
        decoded(path, 25)
    gaps = decoded(path, 25, damaged=True)[2]
    lost = {frame for start, end, _ in gaps for frame in range(start, end)}
    assert any("there is no new picture for " in reason for _, _, reason in gaps)
    right = [*range(25), *[None] * 475, *range(25, 50)]
    for frame, shown in enumerate(numbers(path, 25, damaged=True)):
        # FFmpeg takes the last picture of MPEG-2, which has no time of its own, for one that is shown before the next.
        assert shown == right[frame] or frame in lost or shown == 24
    assert len(lost) < 475 + 12


@pytest.mark.parametrize(("name", "options"), [("a.vob", _MPEG2), ("a.mpg", _MPEG2)])
def test_a_hole_of_seconds_is_noted(joined, numbers, decoded, name, options):
    path = joined(name, options, (10, 14))
    result = numbers(path, 25)
    assert (list(dict.fromkeys(result)), len(result)) == ([*range(50)], 125)
    (note,) = decoded.notes
    assert re.fullmatch(r"at (1\.00|0\.96) s there is no new picture for [23]\.\d\d s", note)


@pytest.mark.parametrize("codec", [_X264, _MPEG2])
def test_a_hole_between_parts_of_a_transport_stream_is_damage(joined, decoded, codec):
    with pytest.raises(RuntimeError, match="damaged at 0"):
        decoded(joined("a.ts", codec, (10, 11.2)), 25)


def _fragments(ffmpeg, clip, folder):
    """The header and the four fragments, of a second each, of an MP4 file."""
    made = clip("a.mp4", *_X264, "-g", "25", pictures=100, inputs=("-f", "lavfi", "-i", "sine=duration=4"))
    options = ("-f", "hls", "-hls_time", "1", "-hls_segment_type", "fmp4", "-hls_segment_filename", folder / "%d.m4s")
    ffmpeg("-i", made, "-c", "copy", *options, folder / "a.m3u8")
    return [(folder / name).read_bytes() for name in ("init.mp4", "0.m4s", "1.m4s", "2.m4s", "3.m4s")]


@pytest.mark.parametrize(
    ("kept", "notes"),
    [
        ((0, 1, 2, 3, 4), []),
        ((0, 1, 4), ["at 1.00 s there is no new picture for 2.00 s"]),
        ((0, 1, 2, 4), ["at 2.00 s there is no new picture for 1.00 s"]),
    ],
)
def test_a_lost_fragment_is_noted(ffmpeg, clip, numbers, decoded, tmp_path, kept, notes):
    parts = _fragments(ffmpeg, clip, tmp_path)
    (tmp_path / "a.mp4").write_bytes(b"".join(parts[part] for part in kept))
    shown = numbers(tmp_path / "a.mp4", 25)
    assert (len(shown), shown[-25:]) == (100, list(range(75, 100)))
    assert decoded.notes == notes


@pytest.mark.parametrize("options", [_X264, (*_X264, "-bf", "0", "-movflags", "frag_keyframe+empty_moov")])
def test_a_picture_of_an_mp4_may_stay_for_long(clip, decoded, options):
    stay = "setpts='N+60*floor(N/5)'"
    assert len(decoded(clip("a.mp4", *options, "-vsync", "vfr", pictures=12, filters=stay), 10)[1]) > 50
    assert decoded.notes == []


def test_of_many_notes_on_places_only_some_are_given(clip, decoded):
    stay = "setpts='N+60*floor(N/2)'"
    decoded(clip("a.ts", *_X264, "-bf", "0", "-vsync", "vfr", pictures=20, filters=stay), 10)
    assert len(decoded.notes) == 6
    assert decoded.notes[0] == "at 0.08 s there is no new picture for 2.40 s"
    assert decoded.notes[-1] == "and 4 more places like these"


def test_a_wmv_that_is_shorter_than_it_declares_is_noted(clip, decoded, tmp_path):
    data = clip("a.wmv", "-c:v", "wmv2").read_bytes()
    (tmp_path / "a.wmv").write_bytes(data[: len(data) // 3200 * 2000])
    assert 0 < len(decoded(tmp_path / "a.wmv", 25, damaged=True)[1]) < 50
    assert decoded.notes == [
        "it is not as long as its header declares; if it was cut short, pictures at its end are missing"
    ]


def test_packets_lost_before_a_key_frame_are_damage(clip, decoded, tmp_path):
    """Not taken for the end of a part: the half of a picture that is left shows it."""
    noise = "noise=alls=12:allf=t:all_seed=7"
    data = clip("a.ts", *_X264, "-bf", "0", size="128x64", filters=noise).read_bytes()
    packets = [data[start : start + 188] for start in range(0, len(data), 188)]
    starts = [n for n, packet in enumerate(packets) if packet[1] == 0x41 and packet[2] == 0]  # of each picture
    (tmp_path / "a.ts").write_bytes(b"".join(packets[: starts[23] + 2] + packets[starts[24] :]))
    with pytest.raises(RuntimeError, match=r"damaged at 0\.\d\d s"):
        decoded(tmp_path / "a.ts", 25)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.mp4", _X264),
        ("a.mov", (*_X264, "-movflags", "faststart")),
        ("a.flv", _X264),
        ("a.wmv", ("-c:v", "wmv2")),
    ],
)
def test_a_file_that_is_joined_and_not_read_is_noted(joined, numbers, decoded, name, options):
    path = joined(name, options, (0, 0), sound=name != "a.flv")
    assert numbers(path, 25) == list(range(25))
    *_, note = decoded.notes
    assert re.fullmatch(
        r"another file of \d+,\d+ bytes is joined to its end and is not read; join files with: .*", note
    )


@pytest.mark.parametrize("options", [_MPEG2, (*_MPEG2, "-bf", "0"), ("-c:v", "mpeg2video", "-g", "1")])
def test_joined_mxf_files_are_refused(joined, decoded, options):
    """FFmpeg takes the index of the last one for that of all, so that pictures of the first one are missing."""
    path = joined("a.mxf", options, (0, 0), sound=False)
    for damaged in (False, True):
        with pytest.raises(RuntimeError, match=r"another file of \d+,\d+ bytes is joined to its end, and .* concat"):
            decoded(path, 25, damaged=damaged)


def _with_other_numbers(joined, clip, ffmpeg, starts, *more):
    """Parts of a transport stream of which the last one has its pictures under another number, or another program."""
    path = joined("a.ts", _X264, starts)
    part = clip("a.mkv", *_X264, pictures=25, filters="select='gte(n,25)',setpts=PTS-STARTPTS", seconds=3)
    other = path.with_name("other.ts")
    ffmpeg("-i", part, "-c", "copy", "-output_ts_offset", 11, "-mpegts_start_pid", "0x200", *more, other)
    path.write_bytes(path.read_bytes() + other.read_bytes())
    return path


_PROGRAM = ("-mpegts_service_id", "7", "-mpegts_pmt_start_pid", "0x1100")


@pytest.mark.parametrize("starts", [(10,), (10, 11)])
def test_a_picture_stream_that_begins_inside_the_file_is_noted(joined, clip, ffmpeg, numbers, decoded, starts):
    path = _with_other_numbers(joined, clip, ffmpeg, starts, *_PROGRAM)
    assert numbers(path, 25) == list(range(25 * len(starts)))
    (note,) = decoded.notes
    assert re.match(r"another picture stream begins inside .* is not read \(up to (9|1\d),\d+ bytes at the end", note)


def test_key_frames_are_found_before_a_stream_that_begins_inside_the_file(joined, clip, ffmpeg):
    path = _with_other_numbers(joined, clip, ffmpeg, (10,), *_PROGRAM)
    ((_, image),) = read_key_frames(path, [0.97])
    assert number(image) == 24


@pytest.mark.parametrize("name", ["a.mkv", "a.webm"])
def test_two_matroska_files_are_read_and_the_third_is_noted(joined, numbers, decoded, name):
    options = ("-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8") if name == "a.webm" else _X264
    path = joined(name, options, (0, 0, 0), sound=name == "a.mkv")
    with pytest.raises(RuntimeError, match=r"damaged at 1\.00 s .*goes back by"):
        decoded(path, 25)
    assert numbers(path, 25, damaged=True) == list(range(50))
    assert "is joined to its end and is not read" in decoded.notes[0]


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.flv", "a.avi", "a.wmv", "a.ogv", "a.mov", "a.mxf", "a.ts"])
def test_a_single_file_is_not_taken_for_joined(clip, decoded, name):
    codecs = {"a.wmv": "wmv2", "a.ogv": "libtheora", "a.avi": "mpeg4", "a.mxf": "mpeg2video"}
    rate = "48000" if name == "a.mxf" else "44100"
    sound = ("-f", "lavfi", "-i", "sine=duration=2")
    decoded(clip(name, "-c:v", codecs.get(name, "libx264"), "-ar", rate, inputs=sound), 10)
    assert decoded.notes == []
