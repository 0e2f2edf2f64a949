"""Cameras and addresses: which requests they become, and frames of live sources as those of files, or a clear end."""

from __future__ import annotations

import io
import itertools
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import numpy as np
import pytest

from keyseg.timeline import ConfigError, DataError
from keyseg.video import live_decoding
from keyseg.video.decode_process import Output, answer_request
from keyseg.video.live import live_request, open_pictures
from keyseg.video.live_decoding import send_live_frames
from keyseg.video.opening import Refusal
from keyseg.video.protocol import ERROR, FRAMES, HEAD, Limits, LiveRequest
from keyseg.video.reading import VideoReader
from moving_square import pictures

FPS = Fraction(10)


def test_a_source_that_is_no_address_and_no_camera_is_a_file() -> None:
    for source in ("film.mp4", "./camera.mp4", r"C:\films\a.mp4", "/dev/video0x", "-"):
        assert live_request(source, FPS, None) is None


@pytest.mark.parametrize(
    ("source", "system", "device", "address"),
    [
        ("camera:0", "linux", "v4l2", "/dev/video0"),
        ("camera:/dev/v4l/by-id/front", "linux", "v4l2", "/dev/v4l/by-id/front"),
        ("/dev/video2", "linux", "v4l2", "/dev/video2"),
        ("camera:1", "darwin", "avfoundation", "1:none"),
        ("camera:FaceTime HD Camera", "darwin", "avfoundation", "FaceTime HD Camera:none"),
        ("camera:USB Camera", "win32", "dshow", "video=USB Camera"),
        ("rtsp://host/live", "linux", "", "rtsp://host/live"),
        ("HTTPS://host/live.ts", "win32", "", "HTTPS://host/live.ts"),
    ],
)
def test_what_a_source_is_for_ffmpeg(source: str, system: str, device: str, address: str) -> None:
    request = live_request(source, FPS, (48, 64), system)
    assert request == LiveRequest(address, device, FPS, (48, 64), Limits())


@pytest.mark.parametrize(
    ("source", "system", "words"),
    [
        ("camera:", "linux", "name a camera, such as camera:0"),
        ("camera:0", "sunos5", r"cameras of this system \(sunos5\) cannot be read"),
        ("ftp://me:secret@host/a.mp4", "linux", "ftp://host/a.mp4: an address starts with one of rtsp://, rtsps://"),
        ("file:///etc/passwd", "linux", "an address starts with"),
        ("concat://a|b", "linux", "an address starts with"),
    ],
)
def test_other_sources_are_refused(source: str, system: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        live_request(source, FPS, None, system)


class Sent(Output):
    """Keeps messages in place of writing them."""

    def __init__(self) -> None:
        super().__init__(io.BytesIO())

    @property
    def messages(self) -> list[tuple[bytes, int, Any]]:
        assert isinstance(self._file, io.BytesIO)
        data, place, found = self._file.getvalue(), 0, []
        while place < len(data):
            kind, _, frames, width, length = HEAD.unpack_from(data, place)
            body = data[place + HEAD.size : place + HEAD.size + length]
            place += HEAD.size + length
            content = np.frombuffer(body, np.uint8).reshape(-1, width, 3) if kind == FRAMES else json.loads(body)
            found.append((kind, frames, content))
        return found

    @property
    def frames(self) -> int:
        return sum(frames for kind, frames, _ in self.messages if kind == FRAMES)


def opened_as(**expected: Any) -> Callable[..., Any]:
    """A camera: opened as FFmpeg would be, it shows a test picture that changes, 25 times per second for 2 seconds."""

    def opened(address: str, **options: Any) -> Any:
        assert {"address": address, **options} == expected
        return av.open("testsrc=size=64x48:rate=25:duration=2", format="lavfi")

    return opened


def test_a_camera_is_opened_as_a_device_and_read_at_a_steady_rate() -> None:
    request = LiveRequest("/dev/video0", "v4l2", FPS, (24, 32), Limits())
    options = {"max_pixels": str(Limits().pixels), "protocol_whitelist": "none"}
    sent = Sent()
    send_live_frames(request, sent, opened_as(address="/dev/video0", format="v4l2", options=options, timeout=10.0))
    assert sent.frames == 20
    assert {message[2].shape for message in sent.messages[1:-1]} == {(24, 32, 3)}
    info = sent.messages[0][2]
    assert (info["width"], info["height"], info["fps"]) == (64, 48, "25")


def test_macos_cameras_are_asked_for_a_rate_that_they_have() -> None:
    request = LiveRequest("0:none", "avfoundation", FPS, None, Limits())
    options = {"max_pixels": str(Limits().pixels), "protocol_whitelist": "none", "framerate": "30"}
    send_live_frames(request, Sent(), opened_as(address="0:none", format="avfoundation", options=options, timeout=10.0))


@pytest.mark.parametrize(
    ("address", "protocols", "formats"),
    [
        ("rtsp://host/live", "rtsp,rtp,tcp", "rtsp"),
        ("rtsps://host/live", "rtsp,rtp,tcp,tls", "rtsp"),
        ("https://host/a.mp4", "https,tcp,tls", "mov,mp4,matroska"),
        ("HTTP://host/a.mp4", "http,https,tcp,tls", "mov,mp4,matroska"),
    ],
)
def test_an_address_opens_its_own_protocols_and_no_playlists(address: str, protocols: str, formats: str) -> None:
    seen: dict[str, Any] = {}

    def opened(address: str, **options: Any) -> Any:
        seen.update(options)
        return av.open("testsrc=size=64x48:rate=25:duration=0.2", format="lavfi")

    send_live_frames(LiveRequest(address, "", FPS, None, Limits()), Sent(), opened)
    assert seen["format"] is None
    assert seen["options"]["protocol_whitelist"] == protocols
    assert seen["options"]["format_whitelist"].startswith(formats)
    assert not {"hls", "dash", "concat", "sdp"} & set(seen["options"]["format_whitelist"].split(","))


class Camera:
    """A container whose pictures come at these ticks of 1/10 s; an exception is raised in its place."""

    def __init__(self, *ticks: int | Exception | None) -> None:
        self.ticks, self.format = ticks, SimpleNamespace(name="camera")
        codec = SimpleNamespace(width=64, height=48, name="raw", thread_count=0, options={})
        codec.codec = SimpleNamespace(canonical_name="raw")
        self.stream = SimpleNamespace(
            disposition=0, codec_context=codec, time_base=Fraction(1, 10), average_rate=Fraction(10), guessed_rate=None
        )
        self.streams = SimpleNamespace(video=[self.stream])

    def __enter__(self) -> Camera:
        return self

    def __exit__(self, *_: object) -> None: ...

    def demux(self, stream: Any) -> Iterator[Any]:
        for number, tick in enumerate(self.ticks):
            if isinstance(tick, av.ExitError):
                raise tick
            yield SimpleNamespace(is_corrupt=False, decode=partial(self._decode, number, tick))

    @staticmethod
    def _decode(number: int, tick: int | Exception | None) -> list[av.VideoFrame]:
        if isinstance(tick, Exception):
            raise tick
        frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), number, np.uint8), format="rgb24")
        frame.pts = tick
        return [frame]


def sent_by(*ticks: int | Exception | None) -> list[int]:
    """The numbers of the pictures that the frames of a camera show."""
    sent = Sent()
    request = LiveRequest("/dev/video0", "v4l2", FPS, None, Limits())
    send_live_frames(request, sent, lambda address, **options: Camera(*ticks))
    return [int(image[0, 0, 0]) for kind, count, image in sent.messages if kind == FRAMES for _ in range(count)]


BROKEN = av.InvalidDataError(1, "broken")


@pytest.mark.parametrize(
    ("ticks", "shown"),
    [
        ((50, 51, 52), [0, 1, 2]),  # the clock may start anywhere
        ((0, 3, 4), [0, 0, 0, 1, 2]),
        ((0, BROKEN, 2), [0, 0, 2]),  # what cannot be decoded is left out
        ((BROKEN, 7, 8), [1, 2]),
        ((None, None, None), [0, 1, 2]),  # without a clock, one after the other
        ((4, 2, 5), [0, 2]),  # what comes too late is left out
    ],
)
def test_pictures_stay_until_the_next_good_one(ticks: tuple[Any, ...], shown: list[int]) -> None:
    assert sent_by(*ticks) == shown


@pytest.mark.parametrize(
    ("ticks", "words"),
    [
        ((), "it ended before its first picture"),
        ((0, 1, 102), "its clock leaps by 10 s"),
        ((200, 201, 0), "its clock leaps by -20 s"),
        ((0, av.ExitError(1, "Immediate exit requested")), "nothing came for 10 s; check the source"),
        ((0, *[BROKEN] * 100), "its last 100 pictures cannot be decoded"),
    ],
)
def test_a_source_that_breaks_off_is_reported(ticks: tuple[Any, ...], words: str) -> None:
    with pytest.raises(Refusal, match=words):
        sent_by(*ticks)


def test_a_password_in_what_ffmpeg_says_is_not_repeated() -> None:
    def refused(address: str, **options: Any) -> Any:
        raise av.ConnectionRefusedError(111, f"Connection to {address} failed")

    request = LiveRequest("rtsp://me:secret@host/live", "", FPS, None, Limits())
    with pytest.raises(Refusal, match=r"broke off \(Connection to rtsp://host/live failed\)"):
        send_live_frames(request, Sent(), refused)


def test_a_leap_of_ten_seconds_is_the_longest() -> None:
    assert sent_by(0, 100) == [0] * 100 + [1]
    assert sent_by(0, *[BROKEN] * 99, 1, *[BROKEN] * 99, 2) == [0, 100, 200]


def test_pictures_that_are_too_large_are_refused() -> None:
    request = LiveRequest("/dev/video0", "v4l2", FPS, None, Limits(pixels=64 * 48 - 1))
    with pytest.raises(Refusal, match="larger than the limit of 3071 pixels"):
        send_live_frames(request, Sent(), lambda address, **options: Camera(0, 1))


def test_the_process_answers_with_the_reason() -> None:
    sent = Sent()
    answer_request(LiveRequest("http://127.0.0.1:0/a.mp4", "", FPS, None, Limits()), io.BytesIO(), sent)
    assert [message[0] for message in sent.messages] == [ERROR]
    assert sent.messages[0][2].startswith("it cannot be read, or broke off (")


@pytest.mark.slow
def test_a_source_without_an_end_is_read_for_as_long_as_one_wants() -> None:
    request = LiveRequest("testsrc=size=64x48:rate=10", "lavfi", FPS, None, Limits())
    with VideoReader.live("camera:0", request) as frames:
        assert (frames.info.width, frames.info.fps) == (64, 10)
        assert len({frame.image.tobytes() for frame in itertools.islice(frames, 300)}) > 20
        process = frames._process
    assert process is not None
    assert process.popen.poll() is not None  # it ends with the reader


@contextmanager
def served(handler: Callable[..., Any]) -> Iterator[str]:
    """The address of a server on this machine."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://me:secret@127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class Quiet(SimpleHTTPRequestHandler):
    """Serves a folder without a log."""

    def log_message(self, *_: object) -> None: ...


@pytest.fixture(scope="module")
def films(make_clip: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("films")
    make_clip(folder / "film.mkv", pictures(0))
    (folder / "list.m3u8").write_text("#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nfilm.mkv\n#EXT-X-ENDLIST\n")
    (folder / "text.mkv").write_text("no film")
    return folder


def test_a_film_from_an_address_has_the_frames_of_the_file(films: Path) -> None:
    def shown(source: str) -> list[bytes]:
        with open_pictures(source, FPS, (24, 32)) as frames:
            return [frame.image.tobytes() for frame in frames]

    with served(partial(Quiet, directory=str(films))) as address:
        assert shown(f"{address}/film.mkv") == shown(str(films / "film.mkv"))


@pytest.mark.parametrize("name", ["list.m3u8", "text.mkv", "nowhere.mkv"])
def test_what_is_no_film_is_refused_and_no_password_is_shown(films: Path, name: str) -> None:
    with served(partial(Quiet, directory=str(films))) as address:
        reader = open_pictures(f"{address}/{name}", FPS)
        with pytest.raises(DataError) as refused:
            reader.__enter__()
    assert f"127.0.0.1:{address.rpartition(':')[2]}/{name}: it cannot be read, or broke off (" in str(refused.value)
    assert "secret" not in str(refused.value)


def test_a_connection_that_breaks_off_gives_what_came_and_then_an_error(films: Path) -> None:
    content = (films / "film.mkv").read_bytes()

    class Half(Quiet):
        """Promises the whole film, and sends the first part of it."""

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[: len(content) // 2])
            self.close_connection = True

    seen: list[Any] = []
    with (
        served(Half) as address,
        open_pictures(f"{address}/film.mkv", FPS) as frames,
        pytest.raises(DataError, match="broke off"),
    ):
        seen.extend(frames)
    assert 5 < len(seen) < 46


def test_a_server_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_decoding, "SILENCE_SECONDS", 1)
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes the connection, and never answers
        request = LiveRequest(f"http://127.0.0.1:{silent.getsockname()[1]}/a.mkv", "", FPS, None, Limits())
        with pytest.raises(Refusal, match="nothing came for 1 s"):
            send_live_frames(request, Sent())


def test_an_address_that_nobody_serves() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(DataError, match=r"rtsp://127\.0\.0\.1:[0-9]+/live: it cannot be read"):
        open_pictures(f"rtsp://me:secret@127.0.0.1:{port}/live", FPS).__enter__()
