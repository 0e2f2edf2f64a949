"""The reader and its process: its frames, what it refuses, and that no process is left behind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from keyseg.data.feature_origin import Gap
from keyseg.timeline import ConfigError, DataError
from keyseg.video import decode_client
from keyseg.video.protocol import Limits, VideoInfo
from keyseg.video.reading import VideoReader, probe

_X264 = ("-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-g", "25", "-pix_fmt", "yuv420p")
_FAST = (*_X264, "-movflags", "faststart")


def test_frames_come_through_the_process_as_they_are_decoded(clip, decoded):
    video = clip("a.mp4", *_X264)
    info, expected, _ = decoded(video, 10)
    with VideoReader(video, Fraction(10)) as reader:
        process = reader._process.popen
        frames = list(reader)
        assert reader.gaps == ()
    assert process.returncode is not None
    assert reader.info == VideoInfo(
        64, 48, Fraction(info["time_base"]), 0, Fraction(2), Fraction(25), "h264", "yuv420p", info["container"]
    )
    assert [frame.pts for frame in frames] == [pts for _, pts in expected]
    assert all((frame.image == image).all() for frame, (image, _) in zip(frames, expected, strict=True))
    assert frames[0].image.dtype == np.uint8
    assert not frames[0].image.flags.writeable


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a pipe has the size that the system gives it")
def test_decoding_does_not_wait_for_its_reader(clip):
    """Two seconds of 25 pictures of 9 KiB fit into the pipe, beyond the 64 KiB that it would have."""
    with VideoReader(clip("a.mp4", *_X264), Fraction(25)) as reader:
        assert reader._process.popen.wait(30) == 0
        assert len(list(reader)) == 50


def test_images_have_the_requested_size(clip):
    with VideoReader(str(clip("a.mp4", *_X264)), Fraction(2), (20, 30)) as reader:
        assert [frame.image.shape for frame in reader] == [(20, 30, 3)] * 4
        assert (reader.info.height, reader.info.width) == (48, 64)


def test_frames_of_one_picture_share_its_image(clip):
    with VideoReader(clip("a.mp4", *_X264), Fraction(100)) as reader:
        frames = list(reader)
    assert len({id(frame.image) for frame in frames}) == 50
    assert len(frames) == 200


def test_a_small_pipe_will_do(clip, monkeypatch):
    monkeypatch.setattr(decode_client, "_AHEAD_BYTES", 2**40)
    with VideoReader(clip("a.mp4", *_X264), Fraction(25)) as reader:
        assert len(list(reader)) == 50


def test_gaps_are_known_after_the_last_frame(clip, tmp_path):
    data = clip("a.mp4", *_FAST).read_bytes()
    (tmp_path / "short.mp4").write_bytes(data[: len(data) * 7 // 10])
    strict = VideoReader(tmp_path / "short.mp4", Fraction(25))
    with pytest.raises(DataError, match=r"short\.mp4: damaged at [01]\.\d\d s of 2\.00 s .*--damaged"), strict:
        list(strict)
    with VideoReader(tmp_path / "short.mp4", Fraction(25), damaged=True) as reader:
        assert reader.gaps == ()
        assert len(list(reader)) == 50
        (gap,) = reader.gaps
    assert isinstance(gap, Gap)
    assert 0 < gap.start_frame < gap.end_frame == 50
    assert gap.reason


def test_probe_reports_what_the_file_declares(clip):
    info = probe(clip("a.mkv", *_X264))
    assert (info.width, info.height, info.codec, info.container) == (64, 48, "h264", "matroska,webm")
    assert info.declared_seconds == 2
    assert info.time_base == Fraction(1, 1000)


def test_leaving_early_ends_the_process(clip):
    video = clip("a.mp4", *_X264)

    class Stop(Exception):
        pass

    reader, processes = VideoReader(video, Fraction(1000)), []

    def leave():
        with reader:
            processes.append(reader._process.popen)
            next(iter(reader))
            raise Stop

    with pytest.raises(Stop):
        leave()
    assert processes[0].returncode is not None


def test_a_reader_is_read_once_inside_its_with(clip):
    reader = VideoReader(clip("a.mp4", *_X264), Fraction(10))
    with pytest.raises(ConfigError, match="inside `with"):
        list(reader)
    with reader:
        list(reader)
        with pytest.raises(ConfigError, match="read once"):
            list(reader)


def test_a_process_that_is_killed_is_a_data_error(clip):
    with VideoReader(clip("a.mp4", *_X264), Fraction(5000), (480, 640)) as reader:
        frames = iter(reader)
        next(frames)
        reader._process.popen.kill()
        ending = "ended with status 1" if os.name == "nt" else "was killed by signal 9"
        with pytest.raises(DataError, match=rf"a\.mp4: the process that decodes this video {ending}"):
            list(frames)


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="Windows cannot stop a process for a while")
def test_a_process_that_hangs_is_stopped(clip, monkeypatch):
    with VideoReader(clip("a.mp4", *_X264), Fraction(5000), (480, 640)) as reader:
        monkeypatch.setattr(decode_client, "_STALL_SECONDS", 0.1)
        os.kill(reader._process.popen.pid, signal.SIGSTOP)
        with pytest.raises(DataError, match=r"a\.mp4: decoding made no progress for 0\.1 s and was stopped"):
            list(reader)


_BOUNDED = pytest.mark.skipif(sys.platform != "linux", reason="only Linux bounds the address space of a process")


@_BOUNDED
def test_pictures_that_need_more_memory_than_allowed_are_refused(ffmpeg, tmp_path):
    source = ("-f", "lavfi", "-i", "color=size=8000x4000")
    ffmpeg(*source, "-frames:v", "1", "-c:v", "mpeg4", tmp_path / "large.mp4")
    with VideoReader(tmp_path / "large.mp4", Fraction(10), (48, 64)) as reader:
        assert len(list(reader)) == 1
    small = VideoReader(tmp_path / "large.mp4", Fraction(10), (48, 64), limits=Limits(memory_mib=256), damaged=True)
    with pytest.raises(DataError, match=r"large\.mp4: decoding it needs more memory than the limit of 256 MiB"), small:
        list(small)


@_BOUNDED
def test_memory_too_small_for_anything_is_named(clip):
    with (
        pytest.raises(DataError, match=r"a\.mp4: .*memory.*80 MiB"),
        VideoReader(clip("a.mp4", *_X264), Fraction(10), limits=Limits(memory_mib=80)) as reader,
    ):
        list(reader)


def test_pictures_larger_than_the_limit_are_refused(clip):
    with (
        pytest.raises(DataError, match=r"a\.mp4: pictures of 64 x 48 are larger than the limit of 3000 pixels"),
        VideoReader(clip("a.mp4", *_X264), Fraction(10), limits=Limits(pixels=3000)),
    ):
        pass


def test_a_header_that_promises_huge_pictures_takes_no_memory(clip, tmp_path):
    """An AVI whose header declares 60000 x 60000."""
    data = bytearray(clip("a.avi", "-c:v", "ffv1").read_bytes())
    place = data.index(b"strf") + 8  # size of the header, width, height
    data[place + 4 : place + 12] = (60000).to_bytes(4, "little") * 2
    (tmp_path / "bomb.avi").write_bytes(data)
    with pytest.raises(DataError, match=r"bomb\.avi: "):
        probe(tmp_path / "bomb.avi")


def test_a_video_longer_than_the_limit_is_refused(clip):
    with (
        pytest.raises(DataError, match=r"a\.mp4: longer than the limit of 1 s"),
        VideoReader(clip("a.mp4", *_X264), Fraction(10), limits=Limits(seconds=1)) as reader,
    ):
        list(reader)


@pytest.mark.parametrize("name", ["none.mp4", "https://localhost/a.mp4", "file:a.mp4", "concat:a.ts|a.ts", "pipe:0"])
def test_addresses_are_refused(clip, tmp_path, monkeypatch, name):
    (tmp_path / "a.mp4").write_bytes(clip("a.mp4", *_X264).read_bytes())
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="no such video file; give the path of a file on this machine"):
        probe(name)


def test_an_address_is_refused_where_it_is_an_invalid_argument(monkeypatch):
    """As on Windows, where a colon cannot be in a name."""

    def refuse(*_):
        raise OSError(22, "Invalid argument")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(DataError, match="no such video file; give the path of a file on this machine"):
        decode_client.open_file(Path("https://localhost/a.mp4"))


def test_data_in_an_address_is_refused():
    with pytest.raises(DataError, match="no such video file"):
        probe("data:video/mp4;base64,AAAA")
    with pytest.raises(DataError, match="cannot open this video file"):
        probe("a\0.mp4")
    with pytest.raises(DataError, match="cannot open this video file"):
        probe("a" * 5000)


def test_folders_and_devices_are_refused(tmp_path):
    for place in (tmp_path, Path(os.devnull)):
        with pytest.raises(DataError, match="no such video file"):
            probe(place)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no named pipes among its files")
def test_pipes_are_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe.mp4")
    with pytest.raises(DataError, match="no such video file"):
        probe(tmp_path / "pipe.mp4")
    writer = threading.Thread(target=lambda: (tmp_path / "pipe.mp4").open("wb").close(), daemon=True)
    writer.start()
    with pytest.raises(DataError, match="no such video file"):
        probe(tmp_path / "pipe.mp4")


_LISTS = {
    "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:2,\n{there}\n#EXT-X-ENDLIST\n",
    "concat": "ffconcat version 1.0\nfile '{there}'\n",
    "dash": '<?xml version="1.0"?>\n<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" profiles="urn:mpeg:dash:profile"/>\n',
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n",
}


@pytest.mark.parametrize("suffix", ["mp4", "m3u8"])
@pytest.mark.parametrize("kind", _LISTS)
def test_lists_of_other_files_are_not_followed(clip, decoded, tmp_path, kind, suffix):
    there = clip("a.ts", *_X264)
    (tmp_path / f"list.{suffix}").write_text(_LISTS[kind].format(there=there))
    with pytest.raises(RuntimeError, match=r"cannot read the video .* not a playlist"):
        decoded(tmp_path / f"list.{suffix}", 10)


def test_the_process_refuses_a_list_too(clip, tmp_path):
    (tmp_path / "list.mp4").write_text(_LISTS["concat"].format(there=clip("a.ts", *_X264)))
    with pytest.raises(DataError, match=r"list\.mp4: cannot read the video .* not a playlist"):
        probe(tmp_path / "list.mp4")


@pytest.mark.parametrize("content", [b"", b"hello\n" * 99, bytes(5000)], ids=["empty", "text", "zeros"])
def test_what_is_no_video_is_refused(decoded, tmp_path, content):
    (tmp_path / "a.mp4").write_bytes(content)
    with pytest.raises(RuntimeError, match=r"cannot read the video .*convert it with: ffmpeg"):
        decoded(tmp_path / "a.mp4", 10)


def test_an_empty_file_is_said_to_be_empty(tmp_path):
    (tmp_path / "a.mp4").touch()
    with pytest.raises(DataError, match=r"a\.mp4: the file is empty; fetch it again"):
        probe(tmp_path / "a.mp4")


@pytest.mark.parametrize(("name", "options"), [("a.gif", ()), ("a.h264", _X264), ("a.png", ("-update", "1"))])
def test_a_kind_of_file_that_is_not_read_is_named_with_those_that_are(clip, decoded, name, options):
    with pytest.raises(RuntimeError, match=r"it is none of the kinds mov,mp4,.*convert it with: ffmpeg"):
        decoded(clip(name, *options, pictures=1), 10)


def test_sound_alone_is_refused(ffmpeg, decoded, tmp_path):
    ffmpeg("-f", "lavfi", "-i", "sine=duration=1", tmp_path / "sound.mp4")
    with pytest.raises(RuntimeError, match="there is no video stream in this file; give the one with the pictures"):
        decoded(tmp_path / "sound.mp4", 10)


def test_a_cover_picture_is_not_a_video(clip, ffmpeg, decoded, tmp_path):
    cover = tmp_path / "cover.png"
    ffmpeg("-f", "lavfi", "-i", "color=red:size=32x32", "-frames:v", "1", cover)
    inputs = ("-f", "lavfi", "-i", "sine=duration=1", "-i", cover)
    ffmpeg(*inputs, "-map", "0", "-map", "1", "-c:v", "copy", "-disposition:v:0", "attached_pic", tmp_path / "song.mp4")
    with av.open(str(tmp_path / "song.mp4")) as container:
        assert len(container.streams.video) == 1
    with pytest.raises(RuntimeError, match="there is no video stream in this file"):
        decoded(tmp_path / "song.mp4", 10)


@pytest.mark.parametrize("damaged", [False, True])
def test_a_stream_without_a_good_picture_is_refused(clip, decoded, tmp_path, damaged):
    data = bytearray(clip("a.mp4", *_FAST).read_bytes())
    place = data.index(b"mdat") + 4
    data[place:] = bytes(len(data) - place)
    (tmp_path / "hollow.mp4").write_bytes(data)
    with pytest.raises(RuntimeError, match="no picture could be decoded" if damaged else "damaged at 0.00 s"):
        decoded(tmp_path / "hollow.mp4", 10, damaged=damaged)


@pytest.mark.parametrize(("fps", "size"), [(Fraction(0), None), (Fraction(-1), None), (Fraction(5), (0, 5))])
def test_options_out_of_range_are_refused(fps, size):
    with pytest.raises(ConfigError, match=r"fps must be positive|image_size is"):
        VideoReader("a.mp4", fps, size)


def test_limits_are_positive():
    with pytest.raises(ConfigError, match="the limit seconds must be positive, got 0"):
        Limits(seconds=0)


def peak_kib(video):
    """Number of frames, and peak memory of the decoding process in KiB."""
    with VideoReader(video, Fraction(25)) as reader:
        for count, _ in enumerate(reader, start=1):
            if count % 50 == 0 and reader._process is not None:
                status = Path(f"/proc/{reader._process.popen.pid}/status").read_text()
                result = re.search(r"VmHWM:\s+(\d+)", status)
                peak = int(result.group(1)) if result else 0
    return count, peak


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads the memory of a process from /proc")
def test_memory_does_not_grow_with_the_length(clip):
    (short, small), (long, large) = (peak_kib(clip("a.mkv", "-c:v", "mpeg4", pictures=n)) for n in (100, 1000))
    assert (short, long) == (100, 1000)
    assert large < small + 4 * 1024


def test_the_process_loads_neither_torch_nor_pydantic():
    program = "import sys, keyseg.video.decode_process; print([m for m in ('torch', 'pydantic') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
