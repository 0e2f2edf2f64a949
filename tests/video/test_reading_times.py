"""Frames by time from real containers: planted numbers, and a slow oracle that decodes everything first."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import pairwise

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keyseg.video import decode_process

_X264 = ("-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-g", "12")
_MPEG4 = ("-c:v", "mpeg4", "-q:v", "3", "-bf", "2", "-g", "12")
_SPEEDS_UP = "setpts=(N+N*N/20)/25/TB"


def planted(pictures, rate, fps, early=Fraction(1, 1000)):
    """The picture at each i / fps of a video whose picture k starts at k / rate; one may be `early` s late."""
    rate, fps = Fraction(rate), Fraction(fps)
    frames = math.ceil(pictures / rate * fps)
    return [min(pictures - 1, int((i / fps + early) * rate)) for i in range(frames)]


def stamps(path):
    """(start, end) of each picture in seconds by FFmpeg's clock, in order."""
    with av.open(path) as container:
        stream = container.streams.video[0]
        usual = 1 / Fraction(stream.average_rate or 25) / stream.time_base
        return sorted(
            (f.pts * stream.time_base, (f.pts + (f.duration or usual)) * stream.time_base)
            for f in container.decode(stream)
        )


def looked_up(path, fps):
    """The picture that each frame should show, looked up among all pictures."""
    times = stamps(path)
    first, length = times[0][0], max(end for _, end in times) - times[0][0]
    frames = [i for i in range(math.ceil(length * fps) + 1) if i / Fraction(fps) < length]
    return [max(n for n, (at, _) in enumerate(times) if at - first <= i / fps + Fraction(1, 1000)) for i in frames]


@pytest.mark.parametrize("rate", ["24", "25", "30000/1001", "30"])
@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_a_constant_rate_at_rates_above_and_below(clip, numbers, name, rate):
    video = clip(name, *_X264, rate=rate, pictures=60)
    for fps in (15, 5, 50, Fraction(rate), Fraction(1, 10)):
        result = numbers(video, fps)
        if name == "a.mp4":
            assert result == planted(60, rate, fps)
        else:  # its clock is rounded to 1 ms, so a picture that is about 1 ms late may count or not
            both = zip(planted(60, rate, fps, 0), planted(60, rate, fps, Fraction(3, 2000)), strict=True)
            assert all(n in pair for n, pair in zip(result, both, strict=True))


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.avi", _MPEG4),
        ("a.avi", _X264),
        ("a.avi", ("-c:v", "mjpeg", "-pix_fmt", "yuvj420p")),
        ("a.mov", _X264),
        ("a.ts", _X264),
        ("a.flv", _X264),
        ("a.mpg", ("-c:v", "mpeg2video", "-bf", "2", "-g", "12")),
        ("a.m2v", ("-c:v", "mpeg2video", "-bf", "2", "-g", "12")),
        ("a.wmv", ("-c:v", "wmv2",)),
        ("a.webm", ("-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8")),
        ("a.mp4", (*_X264, "-movflags", "frag_keyframe+empty_moov")),
        ("a.mp4", (*_X264, "-x264-params", "bframes=5:b-pyramid=normal:open-gop=1:keyint=20")),
    ],
)  # fmt: skip
def test_containers_and_b_frames(clip, numbers, name, options):
    video = clip(name, *options)
    for fps in (25, 10, 60):
        assert numbers(video, fps) == planted(50, 25, fps)


@pytest.mark.parametrize("name", ["a.mkv", "a.mp4"])
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(fps=st.fractions(min_value=1, max_value=70, max_denominator=1001))
def test_a_rate_that_varies_against_the_oracle(clip, numbers, name, fps):
    video = clip(name, *_X264, "-fps_mode", "passthrough", filters=_SPEEDS_UP)
    result, expected = numbers(video, fps), looked_up(video, fps)
    assert result[: len(expected)] == expected[: len(result)]
    assert 0 <= len(expected) - len(result) <= (name == "a.mkv")  # the last tick in ms may be due to rounding


def test_the_rate_of_that_clip_varies(clip):
    times = [at for at, _ in stamps(clip("a.mkv", *_X264, "-fps_mode", "passthrough", filters=_SPEEDS_UP))]
    assert len({round(b - a, 2) for a, b in pairwise(times)}) > 3


def test_pictures_that_an_avi_leaves_out_stay_longer(clip, numbers):
    left_out = range(20, 31)
    video = clip(
        "a.avi", "-c:v", "mpeg4", "-q:v", "3", "-fps_mode", "vfr", filters="select='not(between(n,20,30))'", pictures=39
    )
    expected = [19 if n in left_out else n for n in range(50)]
    assert numbers(video, 25) == expected
    assert numbers(video, 10) == [expected[int(i * 2.5)] for i in range(20)]


@pytest.mark.parametrize("name", ["late.mp4", "late.mkv", "late.ts"])
def test_a_start_that_is_not_zero_is_frame_zero(clip, ffmpeg, numbers, decoded, tmp_path, name):
    ffmpeg("-itsoffset", "1.5", "-i", clip("a.mp4", *_X264), "-c", "copy", tmp_path / name)
    info, frames, _ = decoded(tmp_path / name, 10)
    assert info["start_pts"] * Fraction(info["time_base"]) >= Fraction(3, 2)
    assert frames[0][1] == info["start_pts"]
    assert numbers(tmp_path / name, 10) == planted(50, 25, 10)


@pytest.mark.parametrize("name", ["sound.mp4", "sound.mkv", "sound.ts"])
def test_time_starts_with_the_sound_as_in_players(clip, ffmpeg, numbers, tmp_path, name):
    """If pictures begin a second after the sound, the first one is shown until then."""
    sound = ("-f", "lavfi", "-i", "sine=440:duration=3")
    streams = ("-map", "0:a", "-map", "1:v", "-c:v", "copy", "-c:a", "aac")
    ffmpeg(*sound, "-itsoffset", "1", "-i", clip("a.mp4", *_X264), *streams, tmp_path / name)
    result = numbers(tmp_path / name, 10)
    with av.open(tmp_path / name) as container:
        start = Fraction(container.start_time, 1_000_000)
    times = [at - start for at, _ in stamps(tmp_path / name)]
    assert Fraction(9, 10) <= times[0] <= Fraction(11, 10)
    assert result[:9] == [0] * 9
    for i, picture in enumerate(result):
        assert picture == max([n for n, at in enumerate(times) if at <= Fraction(i, 10) + Fraction(1, 1000)], default=0)
    assert result[-1] == 49 or times[49] > Fraction(len(result) - 1, 10)


def test_the_delay_of_a_sound_encoder_is_ignored(clip, numbers):
    sound = ("-f", "lavfi", "-i", "sine=duration=2")
    assert numbers(clip("a.mkv", *_X264, "-c:a", "aac", inputs=sound), 25) == planted(50, 25, 25)


def test_an_edit_list_hides_pictures_that_are_decoded_first(clip, ffmpeg, numbers, tmp_path):
    ffmpeg("-ss", "1.3", "-i", clip("a.mp4", *_X264), "-c", "copy", tmp_path / "cut.mp4")
    result = numbers(tmp_path / "cut.mp4", 25)
    with av.open(tmp_path / "cut.mp4") as container:
        assert container.streams.video[0].frames > len(result)  # the key frame before the cut is in the file
    assert result == list(range(result[0], 50))
    assert result[0] in (32, 33)


def test_time_stamps_are_those_of_the_pictures(clip, decoded):
    info, frames, gaps = decoded(clip("a.mp4", *_X264), 10)
    ticks = [Fraction(n, 25) / Fraction(info["time_base"]) for n in planted(50, 25, 10)]
    assert [pts - info["start_pts"] for _, pts in frames] == ticks
    assert Fraction(info["declared_seconds"]) == 2
    assert gaps == []


def test_only_pictures_that_are_shown_are_converted(clip, decoded, monkeypatch):
    converted = []
    original = decode_process.displayed
    monkeypatch.setattr(decode_process, "displayed", lambda f, *rest: (converted.append(f.pts), original(f, *rest))[1])
    for fps, pictures in [(2, 4), (100, 50)]:
        converted.clear()
        decoded(clip("a.mp4", *_X264), fps)
        assert len(converted) == len(set(converted)) == pictures


@pytest.mark.parametrize(
    ("options", "name", "size"),
    [
        (("-c:v", "ffv1", "-pix_fmt", "yuv420p"), "a.mkv", "321x241"),
        (("-c:v", "mjpeg", "-pix_fmt", "yuvj422p"), "a.avi", "321x241"),
        (("-c:v", "ffv1", "-pix_fmt", "gray"), "a.mkv", "64x48"),
        (("-c:v", "ffv1", "-pix_fmt", "yuva420p"), "a.mkv", "64x48"),
        (("-c:v", "png", "-pix_fmt", "rgba"), "a.mov", "66x50"),
        (("-c:v", "libx264", "-pix_fmt", "yuv420p10le"), "a.mp4", "64x48"),
        (("-c:v", "libx264", "-pix_fmt", "yuv444p"), "a.mp4", "65x49"),
    ],
)
def test_sizes_and_formats_of_pictures(clip, decoded, numbers, options, name, size):
    video = clip(name, *options, size=size, pictures=10)
    width, height = map(int, size.split("x"))
    info, frames, _ = decoded(video, 25)
    assert (info["width"], info["height"]) == (width, height)
    assert {image.shape for image, _ in frames} == {(height, width, 3)}
    assert numbers(video, 25) == list(range(10))
    assert numbers(video, 25, image_size=(24, 40)) == list(range(10))


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "gray", "bgr0"])
def test_pictures_of_two_by_two(clip, decoded, pix_fmt):
    video = clip("a.mkv", "-c:v", "ffv1", "-pix_fmt", pix_fmt, size="2x2", pictures=3)
    assert [image.shape for image, _ in decoded(video, 25)[1]] == [(2, 2, 3)] * 3
    assert decoded(video, 25, image_size=(7, 5))[1][0][0].shape == (7, 5, 3)


def test_colours_are_red_green_blue(ffmpeg, decoded, tmp_path):
    ffmpeg("-f", "lavfi", "-i", "color=red:size=64x48:duration=0.2", "-c:v", "libx264", tmp_path / "red.mp4")
    image = decoded(tmp_path / "red.mp4", 5)[1][0][0]
    np.testing.assert_allclose(image.reshape(-1, 3).mean(axis=0), [254, 0, 0], atol=4)


_PICTURE = np.zeros((32, 64, 3), np.uint8)
_PICTURE[:16, :32] = 255  # white at the upper left
_PICTURE[16:, 32:] = (255, 0, 0)  # red at the lower right


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_rotated_and_mirrored_pictures_are_shown_upright(decoded, tmp_path, degrees, flip):
    with av.open(tmp_path / "a.mp4", "w") as container:
        stream = container.add_stream("mpeg4", rate=5)
        stream.width, stream.height, stream.pix_fmt = 64, 32, "yuv420p"
        stream.set_display_rotation(degrees, hflip=flip)
        container.mux(stream.encode(av.VideoFrame.from_ndarray(_PICTURE, format="rgb24")))
        container.mux(stream.encode())
    expected = np.rot90(_PICTURE, degrees // 90)  # PyAV counts degrees against the clock, as NumPy does
    expected = expected[:, ::-1] if flip else expected
    info, frames, _ = decoded(tmp_path / "a.mp4", 5)
    assert (info["height"], info["width"]) == expected.shape[:2]
    far = np.abs(frames[0][0].astype(int) - expected)
    assert np.median(far) < 12
    assert (far > 100).mean() < 0.05
    scaled = decoded(tmp_path / "a.mp4", 5, image_size=(16, 20))[1][0][0]
    assert scaled.shape == (16, 20, 3)
    corners = [
        (scaled[y, x].astype(int), expected[y * expected.shape[0] // 16, x * expected.shape[1] // 20])
        for y in (2, 13)
        for x in (2, 17)
    ]
    assert all(np.abs(a - b).max() < 80 for a, b in corners)
