"""A mistake in the decoding process is reported as one of keyseg, with its traceback in a log."""

from __future__ import annotations

import io
import json
import os
import re
import tempfile
from fractions import Fraction
from pathlib import Path
from types import FunctionType

import av
import pytest

from keyseg.timeline import DataError, InternalError
from keyseg.video import decode_client, decode_process, protocol
from keyseg.video.engines import Event
from keyseg.video.jobs import Work, extract_all
from keyseg.video.reading import VideoReader, read_key_frames

# Run by every new Python process.
MISTAKES = {
    "in sampling": (
        "import keyseg.video.sampling\ndef show(*_): return [][3]\nkeyseg.video.sampling.Sampler.show = show\n",
        "IndexError: list index out of range",
    ),
    "while starting": ("import sys\nsys.modules['av'] = None\n", "ModuleNotFoundError: import of av halted"),
}


@pytest.fixture
def logs(tmp_path, monkeypatch):
    """The folder of new logs."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture(params=MISTAKES)
def mistaken(request, tmp_path, monkeypatch):
    """The message of a mistake that the decoding process now makes."""
    code, message = MISTAKES[request.param]
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "sitecustomize.py").write_text(code, encoding="utf-8")
    paths = (tmp_path / "code", Path(decode_client.__file__).parents[2])
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(map(str, paths)))
    return message


def test_a_mistake_is_reported_as_ours_with_a_log(clip, mistaken, logs):
    video = clip("a.mp4")
    with pytest.raises(InternalError) as raised, VideoReader(video, Fraction(10)) as reader:
        list(reader)
    message = str(raised.value)
    assert f"{video}: {mistaken}" in message
    assert "This is a bug in keyseg, not a fault of the video; please report it with " in message
    assert "hostile" not in message
    (log,) = logs.iterdir()
    assert message.endswith(str(log))
    text = log.read_text(encoding="utf-8")
    assert text.startswith(f"{video}\nTraceback (most recent call last):\n")
    assert mistaken in text


def test_a_mistake_does_not_stop_the_other_videos(clip, mistaken, logs, tmp_path):
    events = []
    videos = [clip("a.mp4"), clip("b.mp4")]
    work = Work("motion", Fraction(10), tmp_path / "out", tmp_path / "cache")
    assert list(extract_all(videos, work, notify=events.append)) == videos
    assert [type(event) for event in events] == [Event, Event]
    assert all("please report it" in event.message for event in events)
    assert len(list(logs.iterdir())) == 2


def answer(video, request):
    """Kind and content of the last message."""
    with io.BytesIO() as messages:
        decode_process.answer_request(request, video, decode_process.Output(messages))
        data, place = messages.getvalue(), 0
    while place < len(data):
        kind, *_, length = protocol.HEAD.unpack_from(data, place)
        place += protocol.HEAD.size + length
    return kind, json.loads(data[place - length : place])


FRAMES = protocol.FrameRequest(Fraction(10), None, protocol.Limits(), damaged=False)
KEY_FRAMES = protocol.KeyFrameRequest((Fraction(0),), protocol.Limits())
ERRORS = ["ValueError('x')", "AssertionError('x')", "KeyError('x')", "ZeroDivisionError('x')", "RecursionError('x')"]


@pytest.mark.parametrize("request_", [FRAMES, KEY_FRAMES], ids=["frames", "key frames"])
@pytest.mark.parametrize("error", ERRORS)
def test_an_error_in_our_code_is_ours(clip, monkeypatch, error, request_):
    ours = compile(f"def displayed_size(frame):\n    raise {error}", decode_process.__file__, "exec").co_consts[0]
    monkeypatch.setattr(decode_process, "displayed_size", FunctionType(ours, vars(decode_process)))
    with clip("a.mp4").open("rb") as video:
        kind, trace = answer(video, request_)
    assert kind == protocol.BUG
    assert trace.startswith("Traceback")
    assert trace.strip().splitlines()[-1].startswith(error.split("(")[0])


@pytest.mark.parametrize(
    "error",
    [ValueError("x"), OSError("x"), av.error.InvalidDataError(1, "x"), UnicodeDecodeError("utf-8", b"", 0, 1, "x")],
)
def test_an_error_about_the_file_is_not(clip, monkeypatch, error):
    """Raised outside the package, as PyAV does."""

    def refuse(*_):
        raise error

    monkeypatch.setattr(decode_process, "displayed_size", refuse)
    with clip("a.mp4").open("rb") as video:
        kind, reason = answer(video, FRAMES)
    assert kind == protocol.ERROR
    assert re.fullmatch(r"cannot read the video \(.*x.*\); .*", reason)


def test_an_error_for_want_of_memory_is_not_ours(clip, monkeypatch):
    def fail(*_):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(decode_process, "displayed_size", fail)
    monkeypatch.setattr(decode_process, "memory_is_short", lambda: True)
    with clip("a.mp4").open("rb") as video:
        kind, reason = answer(video, FRAMES)
    assert (kind, reason.split(";")[0]) == (protocol.ERROR, "decoding it needs more memory than the limit of 2048 MiB")


class ClosedPipe(io.RawIOBase):
    """What Windows makes of a pipe without a reader."""

    def writable(self):
        return True

    def write(self, _):
        raise OSError(22, "Invalid argument")


def test_a_reader_that_is_gone_ends_the_decoding(clip):
    with clip("a.mp4").open("rb") as video, pytest.raises(decode_process.ReaderGoneError):
        decode_process.answer_request(FRAMES, video, decode_process.Output(ClosedPipe()))


@pytest.mark.parametrize(
    ("code", "text"),
    [(-9, "was killed by signal 9"), (1, "ended with status 1"), (0xC0000005, "with status 0xc0000005")],
)
def test_how_a_process_ended_is_said(code, text):
    assert text in decode_client._ending(code)


def test_a_crash_is_not_called_a_bug(clip, monkeypatch, logs):
    monkeypatch.setattr(decode_client, "_MODULE", "keyseg.timeline.version")  # ends at once, without a message
    with pytest.raises(DataError, match=r"ended with status 0: the file may be damaged or hostile"):
        read_key_frames(clip("a.mp4"), [0])
    assert list(logs.iterdir()) == []
