"""keyseg demo on a very small toy kitchen: videos, features, training, timelines from video files, the page."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import pytest

from keyseg.toy import kitchen as toy_kitchen


def test_the_demo_goes_all_the_way_and_goes_on(keyseg: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = functools.partial(toy_kitchen.write_toy_videos, videos=5, test_videos=1)
    monkeypatch.setattr(toy_kitchen, "write_toy_videos", small)
    out = tmp_path / "demo"
    answer = keyseg("demo", "--out", out, "--epochs", 1)
    assert answer.code == 0, answer.err
    for row in ("RTK", "RTK without refinement", "frame-wise backbone", "classifier of single frames"):
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
