"""Sidecars of feature files, which training and checks rely on."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from keyseg.data import Dataset, check_dataset
from keyseg.data.feature_origin import FeatureOrigin, FeatureSidecar, read_sidecar, shared_origin, sidecar_path
from keyseg.timeline import DataError
from keyseg.timeline.files import file_sha256

ORIGIN = FeatureOrigin(extractor="motion", version="1", dimension=5, clip_length=9, fps="30000/1001", sample_rate=1)


def write(features: Path, frames: int, origin: FeatureOrigin = ORIGIN) -> Path:
    sidecar = FeatureSidecar(
        origin=origin,
        video="a.mp4",
        video_sha256="0" * 64,
        features_sha256=file_sha256(features) if features.exists() else "1" * 64,
        frames=frames,
        time_base="1/1000",
        pts=tuple(range(frames)),
    )
    path = sidecar_path(features)
    path.write_text(sidecar.model_dump_json())
    return path


def test_what_is_written_is_read(tmp_path: Path) -> None:
    write(tmp_path / "a.npy", 3)
    found = read_sidecar(tmp_path / "a.npy")
    assert found is not None
    assert (found.origin, found.frames, found.pts) == (ORIGIN, 3, (0, 1, 2))
    assert found.origin.timebase.fps == Fraction(30000, 1001)
    assert read_sidecar(tmp_path / "b.npy") is None


@pytest.mark.parametrize("text", ["{}", '{"format": "other"}', "[1, 2]", '{"frames": 1e99}', "3"])
def test_json_of_another_program_is_ignored(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_text(text)
    assert read_sidecar(tmp_path / "a.npy") is None


@pytest.mark.parametrize("text", ["", "[1, 2", '{"format": "keyseg-features"}', "[" * 100_000])
def test_damaged_sidecars(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(DataError, match=r"a\.json:.* a sidecar .* extract these features again"):
        read_sidecar(tmp_path / "a.npy")


@pytest.mark.parametrize("fps", ["0", "-1", "1/0", "fast", ""])
def test_a_rate_is_a_positive_number(fps: str) -> None:
    with pytest.raises(ValidationError):
        FeatureOrigin(extractor="motion", version="1", dimension=5, clip_length=9, fps=fps, sample_rate=1)


def test_equal_rates_are_equal_however_written() -> None:
    made = [FeatureOrigin(**(ORIGIN.model_dump() | {"fps": fps})) for fps in ("15", "30/2", "15.0")]
    assert made[0] == made[1] == made[2]
    assert made[0].differences(ORIGIN) == ["fps: 15, 30000/1001"]


def test_features_of_one_folder_must_be_made_in_one_way(disk_set: Any) -> None:
    folder = disk_set.root / "features"
    assert shared_origin(folder, ["S1_a", "S1_b"]) is None
    write(folder / "S1_a.npy", 23)
    with pytest.raises(DataError, match=r"S1_a.npy by motion version 1.*S1_b.npy by something unknown"):
        shared_origin(folder, ["S1_a", "S1_b"])
    write(folder / "S1_b.npy", 29)
    assert shared_origin(folder, ["S1_a", "S1_b"]) == ORIGIN
    write(folder / "S1_b.npy", 29, ORIGIN.model_copy(update={"version": "2"}))
    with pytest.raises(DataError, match=r"motion version 1, .*motion version 2"):
        shared_origin(folder, ["S1_a", "S1_b"])
    report = check_dataset(disk_set.root)
    assert [problem.kind for problem in report.problems] == ["origin"]


def test_a_data_set_takes_its_rate_from_the_sidecars(disk_set: Any) -> None:
    assert Dataset.open(disk_set.root).timebase.fps == 15
    for name, frames in (("S1_a", 23), ("S1_b", 29), ("S2_a", 31), ("S2_b", 37)):
        write(disk_set.root / "features" / f"{name}.npy", frames)
    dataset = Dataset.open(disk_set.root)
    assert dataset.timebase.fps == Fraction(30000, 1001)
    assert dataset.origin(1) == ORIGIN
    assert check_dataset(disk_set.root).ok
    with pytest.raises(DataError, match="are at 30000/1001 fps, but fps is 10; take it out of the options and"):
        Dataset.open(disk_set.root, fps=10).origin(1)


def test_the_sample_rate_of_the_sidecars_is_used(disk_set: Any) -> None:
    """Features with one row per 4 frames need no option."""
    lengths = {"S1_a": 23, "S1_b": 29, "S2_a": 31, "S2_b": 37}
    origin = ORIGIN.model_copy(update={"sample_rate": 4})
    for name, frames in lengths.items():
        write(
            disk_set.features(name, disk_set.generator.normal(size=(-(-frames // 4), 5))).with_suffix(".npy"),
            frames,
            origin,
        )
    assert check_dataset(disk_set.root).ok
    dataset = Dataset.open(disk_set.root)
    assert dataset.timebase.sample_rate == 4
    assert dataset.presampled(1)
    assert dataset.load("S2_b", 1).features.shape == (10, 5)


@pytest.mark.parametrize("per_step", [False, True])
def test_one_odd_video_does_not_say_whether_features_are_per_step(disk_set: Any, per_step: bool) -> None:
    """The first training video has a column too few, or so few frames that both readings fit."""
    lengths = {"S1_a": 24, "S1_b": 28, "S2_a": 32, "S2_b": 36}
    for first, missing in ((24, 1), (1, 0)):
        for name, frames in (lengths | {"S1_a": first}).items():
            columns = -(-frames // 2) if per_step else frames
            columns -= missing if name == "S1_a" else 0
            disk_set.features(name, disk_set.generator.normal(size=(columns, 5)))
            disk_set.labels(name, ["cut"] * frames)
        dataset = Dataset.open(disk_set.root, sample_rate=2, lengths="resample")
        assert dataset.names(1, "train")[0] == "S1_a"
        assert dataset.presampled(1) == per_step


def test_a_sidecar_of_another_file_is_a_problem_of_the_check(disk_set: Any) -> None:
    folder = disk_set.root / "features"
    for name, frames in (("S1_a", 23), ("S1_b", 29), ("S2_a", 31), ("S2_b", 37)):
        write(folder / f"{name}.npy", frames)
    (folder / "S1_b.json").write_text((folder / "S1_a.json").read_text())
    (problem,) = check_dataset(disk_set.root).problems
    assert (problem.kind, problem.path.name) == ("origin", "S1_b.npy")
    assert "its content is not what its sidecar says" in problem.message


def test_a_damaged_sidecar_is_a_problem_of_the_check(disk_set: Any) -> None:
    (disk_set.root / "features" / "S1_a.json").write_text("{")
    report = check_dataset(disk_set.root)
    assert not report.ok
    assert any("a sidecar that" in problem.message for problem in report.problems)
