"""Features of video files: complete files with times, a cache by content, many videos at once."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

import keyseg.video.jobs as jobs
from keyseg.data.feature_origin import read_sidecar, sidecar_path
from keyseg.timeline import DataError
from keyseg.timeline.files import file_sha256
from keyseg.video.engines import Engine, Event
from keyseg.video.extraction import READER, FeatureCache, extract_features, origin_of
from keyseg.video.find_videos import find_videos, one_a_name
from keyseg.video.jobs import Work, extract_all

FPS = Fraction(10)


class Means:
    """Mean red, green and blue of every `sample_rate`-th frame; counts the frames that it has seen."""

    def __init__(self, sample_rate: int = 1, version: str = "1", spoil: int | None = None) -> None:
        self.name, self.version, self.dimension, self.clip_length, self.sample_rate = (
            "means",
            version,
            3,
            1,
            sample_rate,
        )
        self.image_size = (24, 32)
        self.options: Mapping[str, str] = {}
        self.seen = 0
        self.spoil = spoil

    def rows(self, frames: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        for i, frame in enumerate(frames):
            self.seen += 1
            assert frame.shape == (24, 32, 3)
            if i % self.sample_rate == 0:
                row = frame.mean(axis=(0, 1), dtype=np.float32)[None]
                yield row if i != self.spoil else row * np.nan


@pytest.fixture(scope="module")
def clip(make_clip: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """23 grey pictures at 10 frames per second, each a little brighter than the last."""
    pictures = [np.full((48, 64, 3), 20 + 8 * i, np.uint8) for i in range(23)]
    return make_clip(tmp_path_factory.mktemp("clips") / "clip.mp4", pictures)


def test_rows_are_those_of_the_frames(clip: Path, tmp_path: Path) -> None:
    calls: list[tuple[int, int | None]] = []
    out = tmp_path / "deep" / "clip.npy"
    sidecar = extract_features(clip, Means(), FPS, out, progress=lambda *call: calls.append(call))
    stored = np.load(out)
    assert (stored.shape, stored.dtype) == ((23, 3), np.float16)
    np.testing.assert_allclose(stored, 20 + 8 * np.arange(23)[:, None] * np.ones(3), atol=6)
    assert read_sidecar(out) == sidecar
    assert (sidecar.frames, sidecar.video, sidecar.gaps) == (23, "clip.mp4", ())
    times = [Fraction(pts) * Fraction(sidecar.time_base) for pts in sidecar.pts]
    assert [time - times[0] for time in times] == [Fraction(i, 10) for i in range(23)]
    assert sidecar.video_sha256 == file_sha256(clip)
    assert sidecar.features_sha256 == file_sha256(out)
    assert calls[0][0] == 1
    assert calls[-1] == (23, 23)


@pytest.mark.parametrize(("fps", "sample_rate", "rows"), [(10, 4, 6), (20, 1, 46), (5, 5, 3)])
def test_rate_and_sample_rate_decide_the_rows(
    clip: Path, tmp_path: Path, fps: int, sample_rate: int, rows: int
) -> None:
    sidecar = extract_features(clip, Means(sample_rate), Fraction(fps), tmp_path / "a.npy")
    assert np.load(tmp_path / "a.npy").shape == (rows, 3)
    assert sidecar.origin == origin_of(Means(sample_rate), Fraction(fps))


def test_an_extractor_that_fails_is_named(clip: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"clip\.mp4: means gives NaN or infinite features at frame 7"):
        extract_features(clip, Means(spoil=7), FPS, tmp_path / "a.npy")
    assert not sidecar_path(tmp_path / "a.npy").exists()

    class Short(Means):
        def rows(self, frames: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
            yield from list(super().rows(frames))[:-1]

    with pytest.raises(DataError, match="made 22 rows from 23 frames, expected 23"):
        extract_features(clip, Short(), FPS, tmp_path / "a.npy")
    assert list(tmp_path.iterdir()) == []


def test_the_cache_is_keyed_by_content(clip: Path, tmp_path: Path) -> None:
    cache, extractor = FeatureCache(tmp_path / "cache"), Means()
    first = cache.features(clip, extractor, FPS)
    assert (first.fresh, extractor.seen) == (True, 23)
    assert sorted(p.suffix for p in (tmp_path / "cache").iterdir()) == [".json", ".lock", ".npy"]
    renamed = tmp_path / "renamed.mp4"
    renamed.write_bytes(clip.read_bytes())
    again = cache.features(renamed, extractor, FPS)
    assert (again.fresh, again.path, extractor.seen) == (False, first.path, 23)
    assert again.sidecar.video == "renamed.mp4"
    for other, fps in ((Means(version="2"), FPS), (Means(sample_rate=2), FPS), (Means(), Fraction(5))):
        assert cache.features(clip, other, fps).fresh
    with renamed.open("ab") as file:  # other content
        file.write(b"\0")
    assert cache.features(renamed, extractor, FPS).fresh


def test_features_of_an_earlier_reader_are_made_again(clip: Path, tmp_path: Path) -> None:
    cache, remade = FeatureCache(tmp_path / "cache"), list[str]()
    path = sidecar_path(cache.features(clip, Means(), FPS).path)
    path.write_text(path.read_text(encoding="utf-8").replace(f'"reader":{READER}', '"reader":1'), encoding="utf-8")
    assert cache.features(clip, Means(), FPS, remade=remade.append).fresh
    assert "could lose the last pictures" in remade[0]
    assert not cache.features(clip, Means(), FPS).fresh


def test_notes_are_kept_with_the_features(tmp_path: Path) -> None:
    video = Path(__file__).parents[1] / "field" / "video" / "still-end.mp4"
    work, events = Work("motion", FPS, tmp_path / "out", tmp_path / "cache"), list[Event]()
    for _ in range(2):
        extract_all([video], work, notify=events.append)
    (tmp_path / "out" / "still-end.npy").unlink()
    extract_all([video], work, notify=events.append)
    done = [event for event in events if event.kind != "frames"]
    assert [event.kind for event in done] == ["made", "kept", "cached"]
    note = "; note: the pictures end at 2.10 s, 0.90 s before the file, and so does the timeline"
    assert [(event.frames, event.message) for event in done] == [(21, note)] * 3


@pytest.mark.parametrize("damage", ["cut", "value", "sidecar", "no sidecar"])
def test_a_damaged_entry_is_found_and_made_again(clip: Path, tmp_path: Path, damage: str) -> None:
    cache = FeatureCache(tmp_path / "cache")
    path = cache.features(clip, Means(), FPS).path
    content = path.read_bytes()
    if damage == "cut":
        path.write_bytes(content[:-5])
    elif damage == "value":
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    elif damage == "sidecar":
        sidecar_path(path).write_text("{")
    else:
        sidecar_path(path).unlink()
    reasons: list[str] = []
    again = cache.features(clip, Means(), FPS, remade=reasons.append)
    assert again.fresh
    assert path.read_bytes() == content
    assert len(reasons) == (damage != "no sidecar")
    assert not cache.features(clip, Means(), FPS).fresh


def test_a_failure_leaves_no_entry(clip: Path, tmp_path: Path) -> None:
    cache = FeatureCache(tmp_path / "cache")
    with pytest.raises(DataError):
        cache.features(clip, Means(spoil=3), FPS)
    assert [path.suffix for path in (tmp_path / "cache").iterdir()] in ([], [".lock"])
    assert cache.features(clip, Means(), FPS).fresh


@pytest.fixture
def means(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make `means` the extractor of this process."""
    monkeypatch.setattr(jobs, "make_extractor", lambda *_, **__: Means())


@pytest.mark.usefixtures("means")
def test_many_videos_safe_to_run_twice(clip: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.mp4"
    bad.write_text("no video")
    work = Work("means", FPS, tmp_path / "out", tmp_path / "cache")
    events: list[Event] = []
    extract_all([bad, clip], work, notify=events.append)
    assert [(event.video, event.kind) for event in events if event.kind != "frames"] == [
        (bad, "failed"),
        (clip, "made"),
    ]
    assert "bad.mp4" in events[0].message
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["clip.json", "clip.npy"]
    stamp = (tmp_path / "out" / "clip.npy").stat().st_mtime_ns

    events.clear()
    extract_all([clip], work, notify=events.append)
    assert [event.kind for event in events] == ["kept"]
    assert (tmp_path / "out" / "clip.npy").stat().st_mtime_ns == stamp

    (tmp_path / "out" / "clip.json").unlink()  # as a kill between the two files leaves it
    events.clear()
    extract_all([clip], Work("means", FPS, tmp_path / "other", tmp_path / "cache"), notify=events.append)
    assert [event.kind for event in events] == ["cached"]


@pytest.mark.usefixtures("means")
def test_features_of_others_are_not_overwritten(clip: Path, tmp_path: Path) -> None:
    out = tmp_path / "out" / "clip.npy"
    out.parent.mkdir()
    np.save(out, np.ones((4, 4), np.float32))
    events: list[Event] = []
    work = Work("means", FPS, out.parent, tmp_path / "cache")
    extract_all([clip], work, notify=events.append)
    assert [event.kind for event in events] == ["failed"]
    assert "choose another --out or use --force" in events[0].message
    assert np.load(out).shape == (4, 4)
    extract_all([clip], Work("means", FPS, out.parent, tmp_path / "cache", force=True), notify=events.append)
    assert np.load(out).shape == (23, 3)


def test_workers_do_what_one_process_does(clip: Path, make_clip: Callable[..., Path], tmp_path: Path) -> None:
    other = make_clip(tmp_path / "other.mp4", [np.full((48, 64, 3), 90, np.uint8)] * 12)
    bad = tmp_path / "bad.mp4"
    bad.write_text("no video")
    events: list[Event] = []
    alone, together = (Work("motion", FPS, tmp_path / name, tmp_path / f"cache {name}") for name in ("1", "2"))
    extract_all([clip, other], alone, notify=lambda _: None)
    extract_all([clip, bad, other], together, engine=Engine(workers=2), notify=events.append)
    assert sorted(event.kind for event in events if event.kind != "frames") == ["failed", "made", "made"]
    for name in ("clip.npy", "other.npy"):
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes()


def test_videos_in_folders(tmp_path: Path) -> None:
    for name in ("b.mp4", "a.MKV", "notes.txt"):
        (tmp_path / name).touch()
    assert [path.name for path in find_videos([tmp_path])] == ["a.MKV", "b.mp4"]
    assert find_videos([tmp_path / "notes.txt"]) == [tmp_path / "notes.txt"]  # by its path: the reader will decide
    assert find_videos([tmp_path, tmp_path / "b.mp4"]) == [tmp_path / "a.MKV", tmp_path / "b.mp4"]
    (tmp_path / "a.mp4").touch()
    with pytest.raises(DataError, match=r"would both be called a; rename one"):
        one_a_name(find_videos([tmp_path]))
    (tmp_path / "none").mkdir()
    with pytest.raises(DataError, match="no video in this folder"):
        find_videos([tmp_path / "none"])
    with pytest.raises(DataError, match="no such file or folder"):
        find_videos([tmp_path / "gone.mp4"])


def runs(pid: int) -> bool:
    """Whether a process exists and has not ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at processes in /proc")
def test_workers_end_with_a_killed_parent(tmp_path: Path) -> None:
    """The main process is killed while two workers are busy; they end by themselves."""
    script = tmp_path / "parent.py"
    script.write_text(
        "import os, signal, time\n"
        "from keyseg.video.workers import worker_pool\n"
        "if __name__ == '__main__':\n"
        "    with worker_pool(2) as pool:\n"
        "        print(*{pool.submit(os.getpid).result() for _ in range(2)}, flush=True)\n"
        "        pool.submit(time.sleep, 600)\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=60)
    assert done.returncode == -signal.SIGKILL
    workers = [int(word) for word in done.stdout.split()]
    assert workers
    for _ in range(200):
        if not any(runs(pid) for pid in workers):
            return
        time.sleep(0.1)
    pytest.fail(f"processes {workers} are still running")
