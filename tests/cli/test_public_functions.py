"""Each verb is one call of a public function, which returns a plain result and prints nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from keyseg.formats.conversion import convert
from keyseg.inference.folder import predict_files
from keyseg.metrics.label_folders import evaluate_folders
from keyseg.reproduction.figures import fig1
from keyseg.reproduction.plots import plot
from keyseg.timeline import ConfigError, DataError
from keyseg.video.user_dataset import UserDataset, init


@pytest.fixture(autouse=True)
def silent(capsys: pytest.CaptureFixture[str]) -> Any:
    yield
    assert tuple(capsys.readouterr()) == ("", "")


def test_predict_files(trained: Path, kitchen: Path, tmp_path: Path) -> None:
    good, bad = sorted((kitchen / "features").iterdir())[0], tmp_path / "bad.npy"
    np.save(bad, np.zeros((3, 5), np.float32))
    lines: list[str] = []
    out = tmp_path / "out"
    result = predict_files(trained, [bad, good], out=out, formats=("txt", "csv"), report=lines.append)
    files = tuple(out / f"{good.stem}.{suffix}" for suffix in ("txt", "csv"))
    assert (result.inputs, result.written, list(result.failed)) == (2, {good: files}, [bad])
    assert all(path.is_file() for path in files)
    frames = len(files[0].read_text().split())
    segments = len(files[1].read_text().splitlines()) - 1
    assert lines[0].startswith(f"error: {bad}: ")
    assert lines[1:] == [f"{files[0]}: {segments} segments, {frames} frames"]
    with pytest.raises(ConfigError, match="unknown format 'tx'"):
        predict_files(trained, [good], out=out, formats=("tx",))


def test_convert(tmp_path: Path) -> None:
    source = tmp_path / "tea.txt"
    source.write_text("idle\npour\npour\n")
    notes: list[str] = []
    target = tmp_path / "tea.labels.txt"
    options: Any = {"fps": Fraction(2), "background": ("idle", "rest"), "report": notes.append}
    assert convert(source, target, **options) == (target,)
    assert target.read_text() == "0.500000\t1.500000\tpour\n"
    assert notes == ["nothing is labelled 'rest'; gaps are called so"]


def test_evaluate_folders(tmp_path: Path) -> None:
    for name, labels in {"ref": "rest\npour\n", "pred": "rest\nrest\n"}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.txt").write_text(labels)
    (tmp_path / "ref" / "b.txt").write_text("pour\n")
    notes: list[str] = []
    report = evaluate_folders(tmp_path / "ref", tmp_path / "pred", background=("rest", "idle"), report=notes.append)
    assert (report.acc, report.videos, report.background) == (50, 1, ("rest", "idle"))
    assert notes == [
        "1 of 2 annotated videos have no prediction and are not scored",
        "no frame is labelled 'idle', so leaving it out changes nothing",
    ]
    assert evaluate_folders(tmp_path / "ref", tmp_path / "pred").background == ("background",)


def test_init_and_what_it_leaves_after_a_failure(make_clip: Callable[..., Path], tmp_path: Path) -> None:
    pictures = [np.full((48, 64, 3), i, np.uint8) for i in range(20)]
    videos = [make_clip(tmp_path / "videos" / f"{name}.mp4", pictures) for name in "ab"]
    (tmp_path / "labels").mkdir()
    for video in videos:
        (tmp_path / "labels" / f"{video.stem}.txt").write_text("wave\n" * 20)
    events: list[tuple[str, int]] = []
    data, options = tmp_path / "data", {"fps": Fraction(10), "cache": tmp_path / "cache"}
    made = init(
        data,
        videos=[tmp_path / "videos"],
        annotations=[tmp_path / "labels"],
        notify=lambda event, videos: events.append((event.kind, videos)),
        **options,  # type: ignore[arg-type]
    )
    assert made == UserDataset(data, videos=2, frames=40, fps=Fraction(10), classes=2, splits=2)
    assert [event for event in events if event[0] != "frames"] == [("made", 2), ("cached", 2)]
    assert (data / "groundTruth" / "a.txt").read_text() == "wave\n" * 20

    videos[1].write_text("no video")
    before = sorted(tmp_path.iterdir())
    with pytest.raises(DataError, match="1 of 2 videos could not be read, so there is no data set yet"):
        init(tmp_path / "other", videos=videos, annotations=[tmp_path / "labels"], **options)  # type: ignore[arg-type]
    assert sorted(tmp_path.iterdir()) == before


def test_plot_and_fig1(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("take\npour\n")
    assert plot([tmp_path / "a.txt"], out=tmp_path / "a.svg", title="A title") == tmp_path / "a.svg"
    assert "A title" in (tmp_path / "a.svg").read_text()
    assert fig1(out=tmp_path / "fig1.png") == tmp_path / "fig1.png"
    assert (tmp_path / "fig1.png").read_bytes().startswith(b"\x89PNG")


def test_figures_that_need_no_training_do_not_load_lightning(tmp_path: Path) -> None:
    import subprocess
    import sys

    (tmp_path / "a.txt").write_text("take\npour\n")
    code = (
        "import json, sys; from pathlib import Path; from keyseg.cli.main import run\n"
        f"codes = [run(['plot', {str(tmp_path / 'a.txt')!r}, '--out', {str(tmp_path / 'a.png')!r}]),"
        f" run(['reproduce', 'fig1', '--out', {str(tmp_path / 'fig1.png')!r}])]\n"
        "print(json.dumps([codes, 'lightning' in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=600)
    assert json.loads(done.stdout.splitlines()[-1]) == [[0, 0], False], done.stderr
