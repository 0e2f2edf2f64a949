"""Proxies: frame n of the proxy is frame n of the film, whatever the film is, and browsers play it."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest

from drawn_films import number_of, numbered, write_film
from keyseg.studio.proxies import gather, save, work, write_proxy
from keyseg.studio.store import Store
from keyseg.timeline import DataError
from keyseg.video.reading import VideoReader, probe
from keyseg.viz.page_player import unplayable
from served_folder import add_video

pytestmark = pytest.mark.slow


def numbers(path, fps=25):
    with VideoReader(path, Fraction(fps), image_size=(60, 96)) as frames:
        return [number_of(frame.image) for frame in frames]


@pytest.mark.parametrize(
    ("name", "codec", "sound"),
    [
        ("film.mkv", "libx265", "ac3"),
        ("film.avi", "mpeg4", "ac3"),
        ("film.mpg", "mpeg2video", "mp2"),
        ("film.ts", "mpeg2video", "mp2"),
        ("film.mov", "libx265", ""),
    ],
)
def test_frame_n_is_frame_n(tmp_path, name, codec, sound):
    film = write_film(tmp_path / name, numbered(50), fps=25, codec=codec, sound=sound)
    assert unplayable(probe(film))
    shares = []
    write_proxy(film, tmp_path / "proxy.mp4", shares.append)
    assert not unplayable(probe(tmp_path / "proxy.mp4"))
    assert numbers(tmp_path / "proxy.mp4") == numbers(film) == list(range(50))
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1, abs=0.05)
    with av.open(str(tmp_path / "proxy.mp4")) as proxy:
        kinds = [stream.codec_context.name for stream in proxy.streams]
        assert sorted(kinds) == (["aac", "h264"] if sound else ["h264"])
    content = (tmp_path / "proxy.mp4").read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")  # a browser can jump before it has the whole file


def test_pictures_at_uneven_times_keep_them(tmp_path):
    film = tmp_path / "film.mkv"
    with av.open(str(film), "w") as written:
        stream = written.add_stream("mpeg4", rate=25)
        stream.height, stream.width, stream.pix_fmt = 120, 192, "yuv420p"
        for number, picture in enumerate(numbered(12)):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = number**2, Fraction(1, 25)
            written.mux(stream.encode(frame))
        written.mux(stream.encode())
    write_proxy(film, tmp_path / "proxy.mp4")
    shown = numbers(tmp_path / "proxy.mp4")
    assert shown[: 11**2] == numbers(film)[: 11**2]
    assert shown[100] == 10


def test_a_proxy_has_720_lines_at_most_and_even_sides(tmp_path):
    large = write_film(tmp_path / "large.avi", [np.zeros((1080, 1440, 3), np.uint8)] * 2, codec="mpeg4")
    write_proxy(large, tmp_path / "large.mp4")
    assert (probe(tmp_path / "large.mp4").width, probe(tmp_path / "large.mp4").height) == (960, 720)
    odd = write_film(tmp_path / "odd.mkv", [np.zeros((51, 77, 3), np.uint8)] * 2, codec="ffv1")
    write_proxy(odd, tmp_path / "odd.mp4")
    assert (probe(tmp_path / "odd.mp4").width, probe(tmp_path / "odd.mp4").height) == (76, 50)


def test_what_is_no_film_leaves_no_proxy(tmp_path):
    (tmp_path / "film.avi").write_bytes(b"no film at all" * 100)
    with pytest.raises(DataError, match=r"film\.avi"):
        write_proxy(tmp_path / "film.avi", tmp_path / "proxy.mp4")
    assert [path.name for path in tmp_path.iterdir()] == ["film.avi"]


def test_a_film_cannot_read_other_files(tmp_path):
    write_film(tmp_path / "other.mp4", numbered(3))
    (tmp_path / "list.avi").write_text("ffconcat version 1.0\nfile other.mp4\n")
    with pytest.raises(DataError, match=r"list\.avi"):
        write_proxy(tmp_path / "list.avi", tmp_path / "proxy.mp4")


@pytest.fixture
def store(tmp_path):
    (tmp_path / "folder").mkdir()
    opened = Store(tmp_path / "folder")
    yield opened
    opened.close()


def test_only_films_that_need_one_get_a_proxy_and_a_bad_one_stops_none(store, tmp_path):
    film = write_film(tmp_path / "film.avi", numbered(5), codec="mpeg4").read_bytes()
    bad = add_video(store, "bad.avi", b"no film", playable=False)
    good = add_video(store, "good.avi", film, playable=False)
    add_video(store, "played.mp4", film)
    request = gather(store, {"videos": None})
    assert [video["id"] for video in request["videos"]] == [bad, good]
    said = []
    result = work(request, lambda done, message, **more: said.append((done, more.get("part"))))
    assert result["made"] == [good]
    assert "bad.avi" in result["failed"][bad]
    assert [part for _, part in said if part] == [{"video": good}]
    assert list(save(store, request, {"video": good})) == [("library", {})]
    assert (store.private / "proxies" / f"{good}.mp4").exists()
    assert [video["id"] for video in gather(store, {})["videos"]] == [bad]
    with pytest.raises(DataError, match=r"bad\.avi"):
        work(gather(store, {"videos": [bad]}), lambda *_, **__: None)


def test_without_such_films_there_is_nothing_to_do(store):
    with pytest.raises(DataError, match="browsers play all videos"):
        gather(store, {"videos": None})
    with pytest.raises(DataError, match="no video 'x'"):
        gather(store, {"videos": ["x"]})
