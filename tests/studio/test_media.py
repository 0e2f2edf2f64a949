"""Videos by ranges, pictures, and shapes of sounds."""

from __future__ import annotations

import io
import threading
import time
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from fastapi.testclient import TestClient

from keyseg.studio import media
from keyseg.studio.media import Waveforms
from keyseg.studio.store import Store
from keyseg.studio.waveform import MOST_PEAKS, Peaks, waveform
from moving_square import pictures
from served_folder import FILM, add_video, insertion, let_scan_end

RATE = 8000


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [
        ("bytes=0-9", 0, 9),
        ("bytes=5-5", 5, 5),
        ("bytes=100-", 100, len(FILM) - 1),
        ("bytes=-7", len(FILM) - 7, len(FILM) - 1),
        ("bytes=10-999999999", 10, len(FILM) - 1),
        ("bytes=-999999999", 0, len(FILM) - 1),
    ],
)
def test_a_range_of_a_video(client: TestClient, film: str, asked: str, first: int, last: int) -> None:
    answer = client.get(f"{film}/media", headers={"Range": asked})
    assert answer.status_code == 206
    assert answer.content == FILM[first : last + 1]
    assert answer.headers["content-range"] == f"bytes {first}-{last}/{len(FILM)}"
    assert answer.headers["content-length"] == str(last + 1 - first)
    assert answer.headers["content-type"] == "video/mp4"


@pytest.mark.parametrize("asked", [f"bytes={len(FILM)}-", f"bytes={len(FILM)}-{len(FILM) + 5}", "bytes=-0"])
def test_a_range_that_is_not_there(client: TestClient, film: str, asked: str) -> None:
    answer = client.get(f"{film}/media", headers={"Range": asked})
    assert answer.status_code == 416
    assert answer.headers["content-range"] == f"bytes */{len(FILM)}"


@pytest.mark.parametrize("asked", ["bytes=x-y", "lines=0-9", "bytes=9-0", "bytes", "bytes=" + "0-1," * 5000])
def test_a_range_that_is_none_does_no_harm(client: TestClient, film: str, asked: str) -> None:
    assert client.get(f"{film}/media", headers={"Range": asked}).status_code in (200, 400, 416)


def test_a_whole_video_and_its_head(client: TestClient, film: str) -> None:
    whole, head = client.get(f"{film}/media"), client.head(f"{film}/media")
    assert whole.content == FILM
    assert head.content == b""
    for answer in (whole, head):
        assert answer.status_code == 200
        assert answer.headers["accept-ranges"] == "bytes"
        assert answer.headers["content-length"] == str(len(FILM))
        assert answer.headers["etag"]


def test_a_range_of_a_video_that_has_changed_is_the_whole_video(client: TestClient, film: str, store: Store) -> None:
    tag = client.head(f"{film}/media").headers["etag"]
    part = client.get(f"{film}/media", headers={"Range": "bytes=0-9", "If-Range": tag})
    assert part.status_code == 206
    (store.folder / "film.mp4").write_bytes(FILM + b"more")
    whole = client.get(f"{film}/media", headers={"Range": "bytes=0-9", "If-Range": tag})
    assert (whole.status_code, len(whole.content)) == (200, len(FILM) + 4)
    assert whole.headers["etag"] != tag


@pytest.mark.parametrize(
    ("name", "kind"), [("a.MP4", "video/mp4"), ("a.webm", "video/webm"), ("a.mov", "video/quicktime")]
)
def test_the_type_of_a_video(client: TestClient, store: Store, name: str, kind: str) -> None:
    assert client.head(f"/api/videos/{add_video(store, name)}/media").headers["content-type"] == kind


def test_a_video_that_browsers_do_not_play_is_served_by_its_proxy(client: TestClient, store: Store) -> None:
    video = add_video(store, "old.avi", playable=False)
    assert client.get(f"/api/videos/{video}/media").status_code == 404
    (store.private / "proxies").mkdir()
    (store.private / "proxies" / f"{video}.mp4").write_bytes(b"proxy")
    answer = client.get(f"/api/videos/{video}/media", headers={"Range": "bytes=1-2"})
    assert (answer.status_code, answer.content, answer.headers["content-type"]) == (206, b"ro", "video/mp4")


def test_a_missing_video_says_so(client: TestClient, store: Store) -> None:
    video = add_video(store, "gone.mp4", None)
    for part in ("media", "thumbnail", "frame?frame=0", "waveform"):
        answer = client.get(f"/api/videos/{video}/{part}")
        assert answer.status_code == 404
        assert "gone.mp4" in answer.json()["error"]


@pytest.fixture
def square(client: TestClient, store: Store, make_clip: Callable[..., Path]) -> str:
    """The address of a real video, of 46 frames."""
    make_clip(store.folder / "square.mp4", pictures(0))
    client.get("/api/library")
    let_scan_end()
    video = next(one for one in store.videos() if one.path == "square.mp4")
    assert video.frames == 46
    return f"/api/videos/{video.id}"


def decoded(content: bytes) -> np.ndarray:
    with av.open(io.BytesIO(content)) as container:
        return next(container.decode(video=0)).to_ndarray(format="rgb24")


def place(picture: np.ndarray) -> float:
    """Where the square is, in pixels from the left."""
    columns = np.nonzero((picture.astype(int).max(2) > 130).any(0))[0]
    return float(columns.mean())


def test_a_frame_is_the_one_that_was_asked_for(client: TestClient, square: str) -> None:
    truth = pictures(0)
    for frame in (0, 7, 15, 45):
        answer = client.get(f"{square}/frame", params={"frame": frame})
        assert answer.headers["content-type"] == "image/jpeg"
        shown = decoded(answer.content)
        assert place(shown) == pytest.approx(place(truth[frame]) * shown.shape[1] / 80, abs=1.5)
    for frame in (46, 10**9):
        assert client.get(f"{square}/frame", params={"frame": frame}).status_code == 404
    for frame in ("-1", "x", "1.5", ""):
        assert client.get(f"{square}/frame", params={"frame": frame}).status_code == 422


def test_a_thumbnail_is_made_once(client: TestClient, square: str, store: Store) -> None:
    first = client.get(f"{square}/thumbnail")
    assert first.headers["content-type"] == "image/jpeg"
    (kept,) = (store.private / "thumbnails").iterdir()
    kept.write_bytes(b"kept")
    assert client.get(f"{square}/thumbnail").content == b"kept"


def test_two_threads_make_the_thumbnail_of_one_content(
    store: Store, make_clip: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    film, kept = make_clip(store.folder / "square.mp4", pictures(0)), store.private / "thumbnails" / "x.jpg"
    both = threading.Barrier(2)
    decode = media.read_key_frames
    monkeypatch.setattr(media, "read_key_frames", lambda *given: (both.wait(60), decode(*given))[1])
    busy, write = threading.Lock(), media.write_bytes

    def write_alone(path: Path, content: bytes) -> None:
        assert busy.acquire(blocking=False), "both write one file"
        time.sleep(0.05)
        write(path, content)
        busy.release()

    monkeypatch.setattr(media, "write_bytes", write_alone)
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda _: media.thumbnail(film, kept, 0.0), range(2)))
    assert found[0] == found[1] == kept.read_bytes()


def test_the_report_runs_apart_from_the_page_and_its_own_script_alone(client: TestClient, square: str) -> None:
    client.post(f"{square}/rows/correction/edits", json=insertion(0, 9, "pour"))
    answer = client.get(f"{square}/report")
    parts = [part.strip() for part in answer.headers["content-security-policy"].split(";")]
    assert parts[:2] == ["sandbox allow-scripts", "default-src 'none'"]
    assert f'content="{"; ".join(parts[1:])}"' in answer.text
    assert any(part.startswith("script-src 'sha256-") for part in parts)
    assert not any("unsafe" in part for part in parts)


def test_the_report_shows_every_row_and_escapes_names(client: TestClient, square: str) -> None:
    client.post(f"{square}/rows/correction/edits", json=insertion(0, 9, "<script>alert(1)</script>"))
    client.post(f"{square}/rows/reference/edits", json=insertion(0, 9, "pour"))
    answer = client.get(f"{square}/report")
    assert answer.status_code == 200
    assert "reference" in answer.text
    assert "<script>alert" not in answer.text
    assert answer.headers["content-security-policy"].startswith("sandbox allow-scripts; default-src 'none'")


def sound(path: Path, samples: np.ndarray, *, late: float = 0.0) -> Path:
    """Write samples at 8,000 per second, as they are, to a Matroska file. late: seconds until they begin."""
    with av.open(str(path), "w", format="matroska") as container:
        stream = container.add_stream("pcm_s16le", rate=RATE)
        stream.layout = "mono"
        for start in range(0, len(samples), 1000):
            frame = av.AudioFrame.from_ndarray(samples[None, start : start + 1000], format="s16", layout="mono")
            frame.rate, frame.time_base, frame.pts = RATE, Fraction(1, RATE), start + round(late * RATE)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def test_the_waveform_is_the_loudest_sample_of_each_span(tmp_path: Path) -> None:
    samples = np.random.default_rng(0).integers(-32768, 32768, 4 * RATE).astype(np.int16)
    with sound(tmp_path / "noise.mkv", samples).open("rb") as file:
        found = waveform(file)
    assert found["seconds"] == 4.0
    spans = np.abs(samples.astype(int)).reshape(-1, 64).max(1)
    assert found["peaks"] == np.minimum(spans >> 7, 255).tolist()


def test_peaks_agree_with_those_of_all_samples_at_once() -> None:
    random = np.random.default_rng(0)
    samples = random.integers(-32768, 32768, 10_007).astype(np.int16)
    peaks = Peaks(most=16)
    for part in np.split(samples, sorted(random.integers(0, len(samples), 40))):
        peaks.add(part)
    values = np.minimum(np.abs(samples.astype(int)) >> 7, 255)
    expected = [int(values[at : at + peaks.span].max()) for at in range(0, len(values), peaks.span)]
    assert peaks.values() == expected
    assert 8 < len(expected) <= 16


def test_silence_in_between_keeps_the_time() -> None:
    peaks = Peaks(most=10)
    peaks.add(np.full(64, 12800, np.int16))
    peaks.skip(64 * 8)
    peaks.add(np.full(64, -32768, np.int16))
    assert peaks.values() == [100, *[0] * 8, 255]
    peaks.skip(64 * 10)
    assert peaks.values() == [100, 0, 0, 0, 255, *[0] * 5]


def test_eight_hours_take_no_more_memory_than_one_minute() -> None:
    peaks, second = Peaks(), np.full(RATE, 1000, np.int16)
    tracemalloc.start()
    for _ in range(60):
        peaks.add(second)
    tracemalloc.reset_peak()
    for _ in range(8 * 3600 - 60):
        peaks.skip(RATE)
    peaks.add(second)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 2**20
    assert len(peaks.values()) <= MOST_PEAKS
    assert peaks.samples == (8 * 3600 + 1) * RATE


def test_a_video_without_sound_is_silent(make_clip: Callable[..., Path], tmp_path: Path) -> None:
    with make_clip(tmp_path / "silent.mp4", pictures(0)).open("rb") as file:
        assert waveform(file) == {"seconds": 0.0, "peaks": []}


@pytest.mark.slow
def test_a_waveform_is_made_in_the_background_and_kept(client: TestClient, store: Store, tmp_path: Path) -> None:
    made = sound(tmp_path / "x.mkv", np.full(RATE, 25600, np.int16)).read_bytes()
    video = add_video(store, "loud.mkv", made)
    assert client.get(f"/api/videos/{video}/waveform").status_code == 202
    client.app.state.studio.waveforms._pool.submit(lambda: None).result()  # type: ignore[attr-defined]
    answer = client.get(f"/api/videos/{video}/waveform")
    assert answer.status_code == 200
    assert answer.json() == {"seconds": 1.0, "peaks": [200] * 125}
    assert len(list((store.private / "waveforms").iterdir())) == 1


@pytest.mark.slow
def test_a_sound_that_cannot_be_read_is_silent(tmp_path: Path) -> None:
    (tmp_path / "bad.mp4").write_bytes(FILM)
    sounds, kept = Waveforms(), tmp_path / "kept.json"
    assert sounds.get(tmp_path / "bad.mp4", kept) is None
    sounds._pool.submit(lambda: None).result()
    assert sounds.get(tmp_path / "bad.mp4", kept) == {"seconds": 0.0, "peaks": []}
    sounds.close()


@pytest.mark.slow
def test_closing_stops_a_measurement_and_keeps_nothing(tmp_path: Path) -> None:
    path = sound(tmp_path / "long.mkv", np.zeros(600 * RATE, np.int16))
    sounds, kept = Waveforms(), tmp_path / "kept.json"
    sounds.get(path, kept)
    while sounds._process is None:
        pass
    sounds.close()
    assert sounds._process.wait() != 0
    assert not kept.exists()
    assert sounds.get(path, kept) is None


def test_a_playlist_opens_no_other_file(tmp_path: Path) -> None:
    secret = sound(tmp_path / "secret.mkv", np.full(RATE, 25600, np.int16))
    (tmp_path / "list.mp4").write_text(f"ffconcat version 1.0\nfile '{secret}'\n")
    with (tmp_path / "list.mp4").open("rb") as file, pytest.raises(av.FFmpegError):
        waveform(file)
