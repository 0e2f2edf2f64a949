"""keyseg predict --review: every segment of all videos, the least sure first."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from keyseg.formats.table_of_formats import find_sources
from keyseg.inference.bundle import load, save_bundle
from keyseg.inference.confidence import Calibration
from keyseg.inference.folder import predict_files
from keyseg.inference.review import ReviewRow, review_text
from keyseg.timeline import OutputExistsError


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def files(kitchen: Path) -> list[Path]:
    return sorted((kitchen / "features").iterdir())[:2]


def test_the_least_sure_come_first_and_equally_sure_ones_in_order() -> None:
    rows = [
        ReviewRow("b", 0.0, 1.0, "cut", 0.90004, "pour"),
        ReviewRow("b", 1.0, 2.5, "pour", 0.2, "cut"),
        ReviewRow("a", 0.0, 2.0, "a,b", 0.90001, ""),
        ReviewRow("a", 2.0, 3.0, "cut", 0.2, "pour"),
    ]
    assert review_text(rows).splitlines() == [
        "video,start,end,label,confidence,second_label",
        "b,1.0,2.5,pour,0.2,cut",
        "a,2.0,3.0,cut,0.2,pour",
        'a,0.0,2.0,"a,b",0.9,',
        "b,0.0,1.0,cut,0.9,pour",
    ]


def test_review_has_every_segment_of_all_videos(trained: Path, files: list[Path], keyseg: Any, tmp_path: Path) -> None:
    answer = keyseg("predict", trained, *files, "--out", tmp_path, "--format", "csv", "--review")
    assert answer.code == 0
    rows = rows_of(tmp_path / "review.csv")
    sure = [float(row["confidence"]) for row in rows]
    assert sure == sorted(sure)
    timelines = [row for file in files for row in rows_of(tmp_path / f"{file.stem}.csv")]
    assert sorted(float(row["confidence"]) for row in timelines) == sure  # rounded alike
    predictor, expected = load(trained), set()
    names = predictor.labels.names
    for file in files:
        prediction = predictor.predict(str(file))
        for segment, value, second in zip(
            prediction.segmentation, prediction.confidence, prediction.second_labels, strict=True
        ):
            edges = (segment.start_frame, segment.end_frame)
            times = (str(round(float(edge / predictor.timebase.fps), 3)) for edge in edges)
            label = names[segment.label]
            assert second is not None
            expected.add((file.stem, *times, label, str(round(value, 3)), names[second]))
    assert {tuple(row.values()) for row in rows} == expected
    assert len(rows) == len(expected)
    assert f"{tmp_path / 'review.csv'}: {len(rows)} segments, the least sure first" in answer.err
    assert set(find_sources(tmp_path).formats) == {tmp_path / f"{file.stem}.csv" for file in files}  # it is no timeline


def test_an_uncalibrated_confidence_is_said_to_be_one(
    trained: Path, files: list[Path], keyseg: Any, tmp_path: Path
) -> None:
    plain = save_bundle(replace(load(trained), calibration=None), tmp_path / "plain", {})
    sure = Calibration(intercept=0, mean=1, length=0, edges=0, segments=20)
    taught = save_bundle(replace(load(trained), calibration=sure), tmp_path / "taught", {})
    words = "the confidence is the mean probability of the segment's class, which is not calibrated"
    assert words in keyseg("predict", plain, files[0], "--out", tmp_path / "a", "--review").err
    assert words not in keyseg("predict", taught, files[0], "--out", tmp_path / "b", "--review").err
    assert words not in keyseg("predict", plain, files[0], "--out", tmp_path / "c").err
    assert not (tmp_path / "c" / "review.csv").exists()


def test_resume_covers_the_timelines_that_are_kept(
    trained: Path, files: list[Path], keyseg: Any, tmp_path: Path
) -> None:
    assert keyseg("predict", trained, files[0], "--out", tmp_path, "--review").code == 0
    kept = tmp_path / f"{files[0].stem}.txt"
    kept.write_text("corrected\n")
    answer = keyseg("predict", trained, *files, "--out", tmp_path, "--review")
    assert answer.code == 2
    assert "exists (2 such files)" in answer.err
    assert keyseg("predict", trained, *files, "--out", tmp_path, "--review", "--resume").code == 0
    assert {row["video"] for row in rows_of(tmp_path / "review.csv")} == {file.stem for file in files}
    assert kept.read_text() == "corrected\n"
    with pytest.raises(OutputExistsError, match=r"review\.csv exists \(1 such files\)"):
        predict_files(trained, files, out=tmp_path, formats=("vtt",), review=True)


def test_review_names_the_videos_that_it_lacks(trained: Path, files: list[Path], keyseg: Any, tmp_path: Path) -> None:
    broken = tmp_path / "broken.npy"
    np.save(broken, np.zeros((3, 2), np.float32))
    out = tmp_path / "out"
    answer = keyseg("predict", trained, broken, files[0], "--out", out, "--review")
    assert answer.code == 1
    assert "leaves out the videos that could not be predicted: broken" in answer.err
    assert {row["video"] for row in rows_of(out / "review.csv")} == {files[0].stem}
    (out / "broken.txt").write_text("x\n")  # even if its timeline is there from before
    assert keyseg("predict", trained, broken, files[0], "--out", out, "--review", "--resume").code == 1


def test_a_video_called_review_is_refused_where_both_would_be_one_file(
    trained: Path, files: list[Path], keyseg: Any, tmp_path: Path
) -> None:
    video = tmp_path / "Review.npy"
    video.write_bytes(files[0].read_bytes())
    answer = keyseg("predict", trained, video, "--out", tmp_path / "out", "--format", "csv", "--review")
    assert answer.code != 0
    assert "would both be written to" in answer.err
    assert keyseg("predict", trained, video, "--out", tmp_path / "out", "--format", "vtt", "--review").code == 0
