"""keyseg features, init, train and predict on tracks of two animals that walk alone or together."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from keyseg.data.feature_origin import read_sidecar
from video.pose_files import NETWORK, walks, write_dlc_csv, write_sleap_csv

FPS, SECONDS = 25, 12


def social(seed: int) -> np.ndarray:
    """Two rats, (frames, 2, 3, 2): apart, together from 4 to 8 s, and apart; a third of the points is missing."""
    walk = walks(FPS * SECONDS, seed=seed)
    walk[:, 1] += 400
    walk[100:200, 1] = walk[100:200, 0] + 15
    walk[np.random.default_rng(seed).random(walk.shape[:3]) < 0.3] = np.nan
    return walk


@pytest.fixture(scope="session")
def tracked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """tracks/, of DeepLabCut, and actions/, subtitles called like the videos. Tests must not change it."""
    root = tmp_path_factory.mktemp("tracked")
    (root / "actions").mkdir()
    for day in range(1, 5):
        write_dlc_csv(root / "tracks" / f"day{day}{NETWORK}_el.csv", social(day))
        cue = "00:00:04.000 --> 00:00:08.000\nsocial\n"
        (root / "actions" / f"day{day}.vtt").write_text(f"WEBVTT\n\n{cue}")
    return root


def test_features_of_tracks(tracked: Path, keyseg: Any, tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = ("features", tracked / "tracks", "--track-fps", FPS, "--fps", 10, "--cache", tmp_path / "cache")
    assert keyseg(*command, "--poses", "--out", out).code == 0
    assert {path.name for path in out.glob("*.npy")} == {f"day{day}.npy" for day in range(1, 5)}
    features = np.load(out / "day1.npy")
    assert features.shape == (120, 44)
    assert np.isfinite(features).all()
    far = features[:, 30]  # the distance of the two
    assert far[45:75].max() < far[:35].min()
    answer = keyseg(*command, "--extractor", "poses", "--out", out, "--workers", 2)
    assert answer.err.count("already extracted") == 4
    again = ("features", tracked / "tracks", "--poses", "--track-fps", 50, "--fps", 10, "--cache", tmp_path / "cache")
    answer = keyseg(*again, "--out", out)
    assert answer.code == 1
    assert "holds the features of another video or extractor" in answer.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--poses",), "files of tracks do not state a frame rate; give that of their videos: --track-fps 25"),
        (("--track-fps", "25"), "--track-fps is the frame rate of tracks, and motion reads videos"),
        (("--poses", "--track-fps", "25", "--extractor", "facebook/dinov2-small"), "--poses reads tracks, and"),
        (("--poses", "--track-fps", "25", "--sample-rate", "4"), "poses takes no sample_rate"),
        (("--poses", "--track-fps", "0"), "error: --track-fps: a frame rate is"),
    ],
)
def test_what_features_of_tracks_refuses(
    words: tuple[str, ...], message: str, tracked: Path, keyseg: Any, tmp_path: Path
) -> None:
    answer = keyseg("features", tracked / "tracks", "--out", tmp_path / "out", "--cache", tmp_path / "cache", *words)
    assert answer.code == 2
    assert message in answer.err


@pytest.mark.slow
def test_from_tracks_and_annotations_to_timelines_of_new_tracks(
    tracked: Path, keyseg: Any, options: tuple[str, ...], tmp_path: Path
) -> None:
    data, run, cache = tmp_path / "data", tmp_path / "run", ("--cache", tmp_path / "cache")
    files = ("--videos", tracked / "tracks", "--annotations", tracked / "actions")
    answer = keyseg(
        "init", data, *files, "--extractor", "poses", "--track-fps", FPS, "--fps", 10, "--splits", 2, *cache
    )
    assert answer.code == 0, answer.err
    assert answer.out.startswith(f"{data}: 4 videos, 480 frames at 10 fps, 2 classes, 2 splits\n")
    assert keyseg("check", data).code == 0
    answer = keyseg("train", data, "--out", run, *options)
    assert answer.code == 0
    assert "without its video" not in answer.err + answer.out  # tracks are no video that a page could show
    sidecar = read_sidecar(data / "features" / "day1.npy")
    assert sidecar is not None
    bundle = run / "split1" / "seed0" / "bundle"
    assert f"keyseg predict {bundle} TRACKS.csv --out" in answer.out
    assert json.loads((bundle / "config.json").read_text())["features"] == sidecar.origin.model_dump(mode="json")

    new, out = tmp_path / "new", tmp_path / "out"
    write_dlc_csv(new / f"day5{NETWORK}.csv", social(5))
    write_sleap_csv(new / "labels.000_day6.analysis.csv", social(5))
    answer = keyseg("predict", bundle, new, "--out", out, "--format", "txt", "--report", *cache)
    assert answer.code == 0, answer.err
    assert "<video" not in (out / "day5.html").read_text(encoding="utf-8")
    (out / "day5.html").unlink()
    (out / "day6.html").unlink()
    assert "tracks are read at 25 frames per second, as in training" in answer.err + answer.out
    assert {path.name for path in out.iterdir()} == {"day5.txt", "day6.txt"}
    assert (out / "day5.txt").read_text() == (out / "day6.txt").read_text()
    assert len((out / "day5.txt").read_text().split()) == 120
    made = tmp_path / "features"  # the same from their features
    assert keyseg("features", new, "--poses", "--track-fps", FPS, "--fps", 10, "--out", made, *cache).code == 0
    assert keyseg("predict", bundle, made / "day5.npy", "--out", tmp_path / "again", *cache).code == 0
    assert (tmp_path / "again" / "day5.txt").read_text() == (out / "day5.txt").read_text()
    answer = keyseg("predict", bundle, tracked / "actions", "--out", tmp_path / "none", *cache)
    assert answer.code == 1
    assert "no .npy file and no tracks in this folder" in answer.err
