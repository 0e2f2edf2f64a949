"""Key frames read back from videos of four colours, in several containers; damaged files, lists, other formats."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest

from keyseg.timeline import DataError, TimelineError
from keyseg.video.opening import Refusal
from keyseg.video.reading import read_key_frames
from keyseg.video.seeking import pictures_at

av = pytest.importorskip("av")

pytestmark = pytest.mark.slow
_COLOURS = np.array([(200, 0, 0), (0, 200, 0), (0, 0, 200), (200, 200, 200)], np.uint8)
# Container, codec, frames per second; MPEG does not allow 10.
_KINDS = [
    ("mp4", "mpeg4", 10),
    ("mov", "mpeg4", 10),
    ("mkv", "mpeg4", 10),
    ("avi", "mpeg4", 10),
    ("mpg", "mpeg1video", 25),
    ("ts", "mpeg2video", 25),
]


def _write(path, codec="mpeg4", fps=10, size=(64, 48), times=None, per_colour=None):
    """A video of four colours, each a second or `per_colour` frames long; or frames at `times`, in 1 / fps."""
    width, height = size
    per_colour = per_colour or fps
    with av.open(path, "w") as container:
        stream = container.add_stream(codec, rate=fps)
        stream.width, stream.height, stream.pix_fmt, stream.gop_size = width, height, "yuv420p", 12
        for tick in times or range(4 * per_colour):
            colour = _COLOURS[tick // per_colour]
            frame = av.VideoFrame.from_ndarray(np.tile(colour, (height, width, 1)), format="rgb24")
            frame.pts, frame.time_base = tick, Fraction(1, fps)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def _colours_shown(images):
    """The index of the colour of each image."""
    means = [image.reshape(-1, 3).mean(axis=0) for _, image in images]
    result = [int(np.abs(_COLOURS.astype(float) - mean).sum(axis=1).argmin()) for mean in means]
    for which, mean in zip(result, means, strict=True):
        np.testing.assert_allclose(mean, _COLOURS[which], atol=12)
    return result


@pytest.mark.parametrize(("suffix", "codec", "fps"), _KINDS)
def test_the_frame_on_screen_at_a_time_is_returned(tmp_path, suffix, codec, fps):
    video = _write(tmp_path / f"a.{suffix}", codec, fps)
    times = [2.5, 0.0, 0.99, 1.0, 3.95, 2.5, 1.98]  # in any order, twice, at a change of colour and just before
    result = read_key_frames(video, times)
    assert [seconds for seconds, _ in result] == times
    assert _colours_shown(result) == [2, 0, 0, 1, 3, 2, 1]


def test_times_of_frames_as_floats_are_met(tmp_path):
    """Frame 7 at 15 fps starts at 0.467 s in a container that counts milliseconds, a little after 7 / 15."""
    video = _write(tmp_path / "a.mkv", fps=15, per_colour=7)
    assert _colours_shown(read_key_frames(str(video), [n / 15 for n in (6, 7, 13, 14, 20, 21)])) == [0, 1, 1, 2, 2, 3]


def test_presentation_times_count_not_the_number_of_the_frame(tmp_path):
    video = _write(tmp_path / "a.mkv", times=[0, 1, 2, 3, 25, 38])  # a frame stays on screen until the next
    assert _colours_shown(read_key_frames(video, [0.3, 2.4, 2.5, 3.7, 3.8])) == [0, 0, 2, 2, 3]


@pytest.mark.parametrize(
    ("size", "shape"),
    [((64, 48), (48, 64, 3)), ((640, 480), (160, 213, 3)), ((960, 160), (80, 480, 3)), ((16, 640), (160, 4, 3))],
)
def test_images_are_small_and_keep_their_shape(tmp_path, size, shape):
    ((_, image),) = read_key_frames(_write(tmp_path / "a.mp4", size=size), [1.5])
    assert image.shape == shape
    assert image.dtype == np.uint8


def test_no_times_give_no_frames(tmp_path):
    assert read_key_frames(_write(tmp_path / "a.mp4"), []) == []


def test_a_time_after_the_end_is_refused(tmp_path):
    video = _write(tmp_path / "a.mp4")
    for late in (4.0, 100, 1e300):
        with pytest.raises(DataError, match=r"a\.mp4: the video ends at 4\.00 s.*is the frame rate"):
            read_key_frames(video, [late])


@pytest.mark.parametrize("seconds", [-0.1, float("nan"), float("inf")])
def test_negative_and_infinite_times_are_refused(tmp_path, seconds):
    with pytest.raises(TimelineError, match="time must be >= 0 seconds, got"):
        read_key_frames(tmp_path / "a.mp4", [seconds])


@pytest.mark.parametrize(
    "name", ["none.mp4", "", "https://localhost/a.mp4", "file:a.mp4", "concat:a.mp4|a.mp4", "pipe:0"]
)
def test_only_a_file_that_is_there_is_opened(tmp_path, monkeypatch, name):
    _write(tmp_path / "a.mp4")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="no such video file; give the path of a file on this machine"):
        read_key_frames(name, [0])


def test_folders_and_devices_are_refused(tmp_path):
    for place in (tmp_path, os.devnull):
        with pytest.raises(DataError, match="no such video file"):
            read_key_frames(place, [0])


def test_a_colon_in_a_name_is_not_a_protocol(tmp_path, monkeypatch):
    _write(tmp_path / "a.mp4").rename(tmp_path / "concat:a.mp4")
    monkeypatch.chdir(tmp_path)
    assert _colours_shown(read_key_frames("concat:a.mp4", [2.2])) == [2]


_LISTS = {
    "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:4,\na.ts\n#EXT-X-ENDLIST\n",
    "concat": "ffconcat version 1.0\nfile a.ts\n",
    "dash": '<?xml version="1.0"?>\n<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" profiles="urn:mpeg:dash:profile"/>\n',
}


@pytest.mark.parametrize("suffix", ["mp4", "m3u8", "txt"])
@pytest.mark.parametrize("kind", _LISTS)
def test_lists_of_other_files_are_not_followed(tmp_path, kind, suffix):
    _write(tmp_path / "a.ts", "mpeg2video", 25)
    (tmp_path / f"list.{suffix}").write_text(_LISTS[kind])
    with pytest.raises(DataError, match=r"cannot read the video .* not a playlist"):
        read_key_frames(tmp_path / f"list.{suffix}", [0])


@pytest.mark.parametrize("content", [b"hello\n" * 99, bytes(5000)], ids=["text", "zeros"])
def test_what_is_no_video_is_refused(tmp_path, content):
    (tmp_path / "a.mp4").write_bytes(content)
    with pytest.raises(DataError, match=r"a\.mp4: cannot read the video .*convert it with: ffmpeg"):
        read_key_frames(tmp_path / "a.mp4", [0])


@pytest.mark.parametrize(("suffix", "codec", "fps"), _KINDS)
@pytest.mark.parametrize("left", [0.02, 0.3, 0.6])
def test_a_file_cut_short_gives_the_right_frame_or_a_data_error(tmp_path, suffix, codec, fps, left):
    whole = _write(tmp_path / f"a.{suffix}", codec, fps).read_bytes()
    cut = tmp_path / f"cut.{suffix}"
    cut.write_bytes(whole[: int(left * len(whole))])
    with contextlib.suppress(DataError):
        assert _colours_shown(read_key_frames(cut, [3.5])) == [3]


def test_a_file_without_pictures_is_refused(tmp_path):
    with av.open(tmp_path / "sound.mp4", "w") as container:
        stream = container.add_stream("aac", rate=8000)
        stream.layout = "mono"
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    with pytest.raises(DataError, match="no video stream in this file"):
        read_key_frames(tmp_path / "sound.mp4", [0])


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_images_are_upright(tmp_path, degrees):
    picture = np.zeros((240, 640, 3), np.uint8)
    picture[:120, :320] = 255
    with av.open(tmp_path / "a.mp4", "w") as container:
        stream = container.add_stream("mpeg4", rate=5)
        stream.width, stream.height, stream.pix_fmt = 640, 240, "yuv420p"
        stream.set_display_rotation(degrees)
        container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    ((_, image),) = read_key_frames(tmp_path / "a.mp4", [0])
    assert image.shape == {0: (160, 427, 3), 180: (160, 427, 3)}.get(degrees, (160, 60, 3))
    expected = np.rot90(picture, degrees // 90)
    for down, right in [(0.25, 0.25), (0.25, 0.75), (0.75, 0.25), (0.75, 0.75)]:
        result, wanted = (p[int(down * p.shape[0]), int(right * p.shape[1])] for p in (image, expected))
        np.testing.assert_allclose(result.astype(int), wanted.astype(int), atol=12)


def test_nothing_is_decoded_in_this_process(tmp_path):
    program = (
        "import sys\nfrom keyseg.video.reading import read_key_frames\n"
        "assert len(read_key_frames(sys.argv[1], [0, 3])) == 2\n"
        "assert 'av' not in sys.modules, 'decoded in the main process'\n"
    )
    subprocess.run([sys.executable, "-c", program, _write(tmp_path / "a.mp4")], check=True)


@pytest.mark.parametrize(("suffix", "codec", "fps"), _KINDS[:4])
def test_a_long_video_is_not_decoded_as_a_whole(tmp_path, suffix, codec, fps):
    """Except transport and programme streams, whose clock may start anew."""
    video, packets = _write(tmp_path / f"a.{suffix}", codec, fps, per_colour=40 * fps), []

    def decode(seconds):
        packets.clear()
        with av.open(video) as container:
            stream, times = container.streams.video[0], [Fraction(seconds)]
            list(pictures_at(container, stream, times, 10**6, lambda: packets.append(1)))

    for seconds, most in ((100, 250), (0, 40)):
        decode(seconds)
        assert 0 < len(packets) <= most
    with pytest.raises(Refusal, match="the video ends at 160"):
        decode(200)
