"""keyseg demo on a very small toy kitchen: videos, features, training, timelines from video files, the page."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import pytest

from keyseg.toy import demo


@pytest.mark.slow
def test_the_demo_runs_to_the_end_and_keeps_what_is_complete(
    keyseg: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "run_demo", functools.partial(demo.run_demo, videos=5, test_videos=1))
    out = tmp_path / "demo"
    answer = keyseg("demo", "--out", out, "--epochs", 1)
    assert answer.code == 0, answer.err
    for row in ("RTK", "frame-wise backbone", "classifier of single frames"):
        assert f"\n{row}  " in answer.out
    assert "RTK over the classifier of single frames: F1@50 " in answer.out
    page = (out / "report.html").read_text()
    assert page.count("data:video/mp4;base64,") == 1
    assert "<dt>seed</dt><dd>0</dd>" in page
    (video,) = (out / "toy-kitchen" / "splits" / "test.split1.bundle").read_text().split()
    stem = video.removesuffix(".txt")
    assert {path.name for path in (out / "timelines").iterdir()} == {
        f"{stem}.{end}" for end in ("txt", "csv", "eaf", "vtt")
    }
    labels = (out / "timelines" / f"{stem}.txt").read_text().split()
    assert len(labels) == len((out / "toy-kitchen" / "groundTruth" / video).read_text().split())

    bundle = (out / "run" / "split1" / "seed0" / "bundle" / "weights.safetensors").stat().st_mtime_ns
    again = keyseg("demo", "--out", out, "--epochs", 1)
    assert again.code == 0
    assert (out / "run" / "split1" / "seed0" / "bundle" / "weights.safetensors").stat().st_mtime_ns == bundle
    assert again.out.split("done in")[0] == answer.out.split("done in")[0]


def test_a_demo_without_epochs_draws_nothing(keyseg: Any, tmp_path: Path) -> None:
    answer = keyseg("demo", "--out", tmp_path / "demo", "--epochs", 0)
    assert (answer.code, answer.err) == (2, "error: epochs must be at least 1, got 0\n")
    assert not (tmp_path / "demo").exists()
