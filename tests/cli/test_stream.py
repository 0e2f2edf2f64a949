"""keyseg stream: a film, an address or lines of features in, committed segments out, whatever ends it."""

from __future__ import annotations

import io
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from fractions import Fraction
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import keyseg as package
from keyseg.data.feature_origin import FeatureOrigin
from keyseg.inference import streaming
from keyseg.inference.bundle import save_bundle
from keyseg.inference.systems import SYSTEMS
from keyseg.timeline.errors import DataError
from keyseg.video.extraction import origin_of
from keyseg.video.motion import Motion
from moving_square import pictures

FRAMES = 46
HEADER = "start_frame,end_frame,start_seconds,end_seconds,label,confidence"


def bundle_of(folder: Path, dimension: int, origin: FeatureOrigin | None, *, seed: int = 5, **options: Any) -> Path:
    """A bundle of a tiny network with random weights; with these seeds, its labels change."""
    torch.manual_seed(seed)
    system, labels = SYSTEMS["ms-tcn++"], package.LabelMap(("rest", "left", "right"), ("rest",))
    config = system.config(channels=8, generator_layers=2, refinements=1, refinement_layers=2)
    network = system.network(config, dimension, len(labels)).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += 0.5 * torch.randn(parameter.shape)
    values = {"timebase": package.TimeBase(10), "orientation": "TD", **options}
    predictor = package.Predictor(
        system=system.name, model=network, labels=labels, decoder=system.decoder(), origin=origin, **values
    )
    return save_bundle(predictor, folder, {})


@pytest.fixture(scope="module")
def of_motion(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("motion") / "bundle"
    return bundle_of(folder, Motion.dimension, origin_of(Motion(), Fraction(10)), seed=3)


@pytest.fixture(scope="module")
def of_features(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bundle_of(tmp_path_factory.mktemp("features") / "bundle", 7, None)


@pytest.fixture(scope="module")
def film(make_clip: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("films") / "film.mkv", pictures(0))


@pytest.fixture(scope="module")
def steps() -> np.ndarray:
    return np.random.default_rng(8).normal(size=(60, 7)).astype(np.float32)


def typed(monkeypatch: pytest.MonkeyPatch, steps: np.ndarray, more: str = "") -> None:
    """Put steps on standard input."""
    lines = "".join(" ".join(map(repr, row)) + "\n" for row in steps.tolist())
    monkeypatch.setattr(sys, "stdin", io.StringIO(lines + more))


def lines_of(prediction: package.Prediction) -> list[str]:
    """What the verb prints of a prediction."""
    return [
        f"{float(one.start_seconds):10.2f} {float(one.end_seconds):10.2f}  {one.score:.2f}  {one.label}"
        for one in prediction.segments
    ]


def last_frame(table: Path) -> int:
    return int(table.read_text(encoding="utf-8").splitlines()[-1].split(",")[1])


@pytest.fixture
def address(film: Path) -> Iterator[Callable[..., str]]:
    """address(): of the film; address(half=True): of one whose connection breaks off in the middle."""

    class Half(SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            content = film.read_bytes()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content if self.path == "/film.mkv" else content[: len(content) // 2])
            self.close_connection = True

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Half)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield lambda half=False: f"http://127.0.0.1:{server.server_port}/{'half' if half else 'film'}.mkv"
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_film_streamed_with_a_long_delay_is_the_film_predicted(
    of_motion: Path, film: Path, keyseg: Any, tmp_path: Path, address: Callable[..., str]
) -> None:
    whole = package.load(of_motion).predict(film, cache=tmp_path / "cache")
    assert len(whole.segments) > 1
    whole.save(tmp_path / "whole.csv")
    wanted = [row.partition(",")[2] for row in (tmp_path / "whole.csv").read_text(encoding="utf-8").splitlines()]
    for number, source in enumerate((film, address())):
        table = tmp_path / "new" / f"{number}.csv"
        answer = keyseg("stream", of_motion, source, "--delay", 5, "--out", table)
        assert (answer.code, answer.err) == (0, "")
        assert answer.out.splitlines() == lines_of(whole)
        assert table.read_text(encoding="utf-8").splitlines() == wanted
    assert package.read(table)["1"].fps == 10  # a file of the format csv


def test_a_short_delay_commits_all_frames_too(of_motion: Path, film: Path, keyseg: Any, tmp_path: Path) -> None:
    answer = keyseg("stream", of_motion, film, "--delay", 0.3, "--out", tmp_path / "a.csv")
    assert answer.code == 0
    assert (tmp_path / "a.csv").read_text(encoding="utf-8").startswith(f"{HEADER}\n0,")
    assert len(answer.out.splitlines()) > 3
    assert last_frame(tmp_path / "a.csv") == FRAMES


def test_a_connection_that_breaks_off_keeps_what_came(
    of_motion: Path, keyseg: Any, tmp_path: Path, address: Callable[..., str]
) -> None:
    answer = keyseg("stream", of_motion, address(half=True), "--delay", 0.3, "--out", tmp_path / "a.csv")
    assert answer.code == 1
    assert f"error: {address(half=True)}: it cannot be read, or broke off (" in answer.err
    assert 5 < last_frame(tmp_path / "a.csv") < FRAMES
    assert len(answer.out.splitlines()) == len((tmp_path / "a.csv").read_text(encoding="utf-8").splitlines()) - 1


def test_features_from_a_file_and_from_lines(
    of_features: Path, steps: np.ndarray, keyseg: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "steps.npy"
    np.save(file, steps)
    for delay in (0.4, 7):
        from_file = keyseg("stream", of_features, file, "--delay", delay, "--window", 8)
        typed(monkeypatch, steps)
        assert keyseg("stream", of_features, "-", "--delay", delay, "--window", 8) == from_file
        assert from_file.code == 0
    assert from_file.out.splitlines() == lines_of(package.load(of_features).predict(file))


@pytest.mark.parametrize("presampled", [False, True])
def test_rows_per_frame_and_rows_per_step(
    presampled: bool, steps: np.ndarray, keyseg: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    time = package.TimeBase(10, sample_rate=4)
    bundle = bundle_of(tmp_path / "bundle", 7, None, timebase=time, presampled=presampled)
    given = steps[:59]
    whole = package.load(bundle).predict(given)
    typed(monkeypatch, given)
    assert keyseg("stream", bundle, "-", "--delay", 50).out.splitlines() == lines_of(whole)
    assert whole.segments[-1].end_seconds == Fraction(59 * (4 if presampled else 1), 10)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ("1 2 3\n", "standard input, line 61: expected 7 numbers, separated by spaces, got '1 2 3"),
        ("1 2 3 4 5 6 seven\n", "line 61: expected 7 numbers"),
        ("\n", "line 61: expected 7 numbers"),
        ("1 2 3 4 5 6 nan\n", "NaN or infinite values at step 60"),
        ("1" * 10_000, "line 61: expected 7 numbers"),
    ],
)
def test_wrong_lines_are_reported_and_what_came_before_is_kept(
    of_features: Path,
    steps: np.ndarray,
    more: str,
    words: str,
    keyseg: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    typed(monkeypatch, steps, more)
    answer = keyseg("stream", of_features, "-", "--delay", 0.4, "--out", tmp_path / "a.csv")
    assert answer.code == 1
    assert words in answer.err
    assert last_frame(tmp_path / "a.csv") == 60


def test_a_source_without_a_step(of_features: Path, keyseg: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    typed(monkeypatch, np.zeros((0, 7)))
    answer = keyseg("stream", of_features, "-")
    assert (answer.code, answer.out) == (1, "")
    assert "no features came" in answer.err


def test_an_interruption_keeps_what_was_committed(
    of_features: Path, steps: np.ndarray, keyseg: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Interrupted(io.StringIO):
        def readline(self, size: int | None = -1) -> str:  # type: ignore[override]
            line = super().readline(-1 if size is None else size)
            if not line:
                raise KeyboardInterrupt
            return line

    typed(monkeypatch, steps)
    monkeypatch.setattr(sys, "stdin", Interrupted(sys.stdin.read()))
    answer = keyseg("stream", of_features, "-", "--delay", 1, "--hop", 0.1, "--out", tmp_path / "a.csv")
    assert answer.code == 130
    assert answer.err == "interrupted; the segments that were committed are kept\n"
    assert last_frame(tmp_path / "a.csv") == 50  # one second of them is not committed
    assert len(answer.out.splitlines()) == len((tmp_path / "a.csv").read_text(encoding="utf-8").splitlines()) - 1


def test_each_segment_is_in_the_file_when_it_is_reported(
    of_features: Path, steps: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table, rows = tmp_path / "a.csv", []
    typed(monkeypatch, steps)
    count = package.stream(
        of_features, "-", delay=0.4, out=table, notify=lambda _: rows.append(table.read_text().count("\n") - 1)
    )
    assert rows == list(range(1, count + 1))
    assert count > 3


def test_an_interruption_between_two_segments_loses_none(of_features: Path, steps: np.ndarray, tmp_path: Path) -> None:
    np.save(tmp_path / "steps.npy", steps.T)

    def rows(*, interrupted: bool) -> list[list[str]]:
        seen: list[package.Interval] = []

        def notify(segment: package.Interval) -> None:
            seen.append(segment)
            if interrupted and len(seen) == 2:
                raise KeyboardInterrupt

        table = tmp_path / "a.csv"
        with suppress(KeyboardInterrupt):
            package.stream(of_features, tmp_path / "steps.npy", delay=0.4, out=table, force=True, notify=notify)
        content = [line.split(",") for line in table.read_text(encoding="utf-8").splitlines()[1:]]
        assert len(content) == len(seen)
        return content

    whole, part = rows(interrupted=False), rows(interrupted=True)
    assert len(part) > 3
    assert part[:-1] == whole[: len(part) - 1]  # the last one was cut short


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a disk that is always full")
def test_a_disk_that_gets_full_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "segments.csv"
    log = streaming.SegmentLog(path, package.TimeBase(10))
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, log._file.fileno())
    os.close(full)
    for fails in (lambda: log(package.Interval(0, 1, "rest")), log.__exit__):
        with pytest.raises(OSError, match="No space left") as caught:
            fails()
        assert caught.value.filename == str(path)


def test_the_newest_label_is_shown_in_place_on_a_terminal(
    of_features: Path, steps: np.ndarray, keyseg: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    typed(monkeypatch, steps)
    monkeypatch.setattr("keyseg.cli.stream._on_terminal", lambda: True)
    answer = keyseg("stream", of_features, "-", "--delay", 0.4, "--hop", 0.1)
    shown = [part.strip() for part in answer.err.split("\r") if part.strip()]
    assert len(shown) == 60
    assert all(text.endswith("(provisional)") for text in shown)
    assert shown[-1].startswith("6.00 s: ")
    assert answer.err.endswith("\r")
    assert "\n" not in answer.err
    assert "provisional" not in answer.out


def test_an_existing_file_is_kept_unless_forced(
    of_features: Path, steps: np.ndarray, keyseg: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = tmp_path / "a.csv"
    table.write_text("mine")
    command = ("stream", of_features, "-", "--out", table)
    answer = keyseg(*command)
    assert (answer.code, table.read_text()) == (2, "mine")
    assert "exists; choose another file, or use --force" in answer.err
    typed(monkeypatch, steps)
    assert keyseg(*command, "--force").code == 0
    assert table.read_text(encoding="utf-8").startswith(HEADER)


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (("--out", "a.eaf"), 2, "a.eaf: a stream is written as .csv; keyseg convert makes other formats of it"),
        (("--delay", "-1"), 2, "the delay is a number of seconds up to 86,400, got -1"),
        (("--window", "1"), 2, "the window, 1 s, must be longer than the delay, 2 s"),
        (("--device", "nowhere"), 2, "device 'nowhere' cannot be used here"),
    ],
)
def test_wrong_options(of_features: Path, options: tuple[str, ...], code: int, words: str, keyseg: Any) -> None:
    answer = keyseg("stream", of_features, "-", *options)
    assert answer.code == code
    assert words in answer.err


@pytest.mark.parametrize(
    ("source", "code", "words"),
    [
        ("nowhere.mp4", 1, "nowhere.mp4: no such video file"),
        ("ftp://host/a.mp4", 2, "an address starts with one of rtsp://"),
        ("camera:", 2, "name a camera, such as camera:0"),
    ],
)
def test_wrong_sources(of_motion: Path, source: str, code: int, words: str, keyseg: Any) -> None:
    answer = keyseg("stream", of_motion, source)
    assert (answer.code, answer.out) == (code, "")
    assert words in answer.err


def test_pictures_need_a_bundle_that_knows_its_extractor(of_features: Path, film: Path, keyseg: Any) -> None:
    answer = keyseg("stream", of_features, film)
    assert answer.code == 1
    assert "does not know what made its features" in answer.err


def test_a_long_source_takes_no_more_memory_than_a_short_one(
    of_features: Path, steps: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[int] = []

    class Watched(io.StringIO):
        def readline(self, size: int | None = -1) -> str:  # type: ignore[override]
            frame = sys._getframe()
            while frame.f_back is not None and "running" not in frame.f_locals:
                frame = frame.f_back
            kept.append(len(frame.f_locals["running"]._kept))
            return super().readline(-1 if size is None else size)

    typed(monkeypatch, np.tile(steps, (5, 1)))
    monkeypatch.setattr(sys, "stdin", Watched(sys.stdin.read()))
    package.stream(of_features, "-", delay=1, hop=1, window=2)
    assert len(kept) == 301
    assert max(kept) == 20


def test_poses_cannot_be_streamed(of_features: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class NoReader(streaming.Poses):  # type: ignore[misc]
        def __init__(self) -> None: ...

    predictor = package.load(of_features)
    monkeypatch.setattr(type(predictor), "extractor", lambda self, **_: NoReader())
    with pytest.raises(package.KeysegError, match="reads tracks of poses, which cannot be streamed"):
        package.stream(of_features, "film.mp4")


def test_features_that_are_not_finite_are_refused(of_motion: Path, film: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = Motion.rows

    def broken(self: Motion, frames: Any) -> Iterator[np.ndarray]:
        for number, block in enumerate(rows(self, frames)):
            yield block if number < 20 else np.full_like(block, np.inf)

    monkeypatch.setattr(Motion, "rows", broken)
    seen: list[package.Interval] = []
    with pytest.raises(DataError, match="motion gives NaN or infinite features at frame 20"):
        package.stream(of_motion, str(film), delay=0.3, notify=seen.append)
    assert seen[-1].end_seconds == 2
