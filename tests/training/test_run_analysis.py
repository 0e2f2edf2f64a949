"""The errors of a run, pooled over its trainings, and two runs compared, from the predictions that they left."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from keyseg.formats.frame_labels import read_frame_labels, write_frame_labels
from keyseg.metrics import evaluate_labels
from keyseg.timeline import DataError
from keyseg.timeline.files import write_json
from keyseg.training.analysis import analyse_fits, analysis_summary, compare_runs
from keyseg.training.run import Run
from keyseg.training.tables import analysis_blocks

GRID = {"splits": (1, 2), "seeds": (0, 1)}


@pytest.fixture
def pretend(workshop: Any, tmp_path: Path) -> Callable[..., Run]:
    """A run whose trainings are finished, with `wrong` of the frames of their predictions at random."""

    def make(name: str, wrong: float, *changes: str, **options: Any) -> Run:
        run: Run = workshop.start(tmp_path / name, *changes, **{**GRID, **options})
        random = np.random.default_rng(7)
        for fit in run.fits():
            (fit.folder / "predictions").mkdir(parents=True)
            for video in fit.dataset.names(fit.split, "test"):
                ids = fit.dataset.load(video, fit.split).segmentation.to_frames()
                ids = np.where(random.random(len(ids)) < wrong, random.integers(0, 3, len(ids)), ids)
                write_frame_labels(fit.folder / "predictions" / f"{video}.txt", fit.dataset.labels.decode(ids))
            write_json(fit.scores, {})
        return run

    return make


def test_all_trainings_count(pretend: Callable[..., Run], workshop: Any) -> None:
    run = pretend("run", 0.3)
    found = analyse_fits(run.fits())
    tests = [(fit, name) for fit in run.fits() for name in fit.dataset.names(fit.split, "test")]
    assert found.videos == len(tests) == 8  # two splits of two videos, two seeds
    assert found.fps == run.open_dataset().timebase.fps
    counts = {name: np.zeros(3, int) for name in ("annotated", "right")}
    for fit, name in tests:
        truth = read_frame_labels(workshop.data / "groundTruth" / f"{name}.txt")
        labels = read_frame_labels(fit.folder / "predictions" / f"{name}.txt")
        for i, label in enumerate(found.classes):
            counts["annotated"][i] += truth.count(str(label))
            counts["right"][i] += sum(a == b == label for a, b in zip(truth, labels, strict=True))
    assert found.confusion.sum(axis=1).tolist() == counts["annotated"].tolist()
    assert np.diag(found.confusion).tolist() == counts["right"].tolist()


def test_the_pictures_wait_for_the_last_training(pretend: Callable[..., Run]) -> None:
    run = pretend("run", 0.3)
    fits = run.fits()
    assert analysis_summary(run, []) == {}
    assert analysis_blocks({}) == []
    some = analysis_summary(run, fits[:3])
    assert (some["trainings"], some["pictures"]) == (3, [])
    assert not (run.folder / "analysis").exists()
    whole = analysis_summary(run, fits)
    assert whole["background"] == ["background"]
    names = {path.name for path in (run.folder / "analysis").iterdir()}
    assert names - {"analysis.json", "analysis.md"} == {Path(file).name for file in whole["pictures"]}
    text = "\n".join("\n".join(block) if isinstance(block, list) else block for block in analysis_blocks(whole))
    for words in ("4 training(s) together", "of the histograms: background", "| cut | "):
        assert words in text
    for picture in ("confusion", "segment_lengths", "boundary_errors"):
        assert f"![{picture.replace('_', ' ')}](analysis/{picture}.png)" in text
        assert (run.folder / "analysis" / f"{picture}.png").read_bytes().startswith(b"\x89PNG")


def test_a_training_is_analysed_as_it_was_scored(finished: Run) -> None:
    summary = json.loads((finished.folder / "results.json").read_text())["analysis"]
    (fit,) = finished.fits()
    scores = json.loads(fit.scores.read_text())["rtk"]
    counts = json.loads((finished.folder / "analysis" / "analysis.json").read_text())
    assert counts["per_class"] == summary["per_class"]
    frames = np.array(counts["confusion"]["frames"])
    assert 100 * np.trace(frames) / frames.sum() == pytest.approx(scores["acc"])
    assert frames.sum() == scores["frames"]
    text = (finished.folder / "results.md").read_text()
    assert "\n## By class\n" in text
    assert "![confusion](analysis/confusion.png)" in text


@pytest.mark.parametrize("lengths", ["trim", "resample"])
def test_cut_annotations_are_cut_as_they_were_scored(workshop: Any, tmp_path: Path, lengths: str) -> None:
    data = workshop.write(tmp_path / "data")
    video = workshop.test[0]
    features = np.load(data / "features" / f"{video}.npy")
    np.save(data / "features" / f"{video}.npy", features[:, :-3])
    changes = (f"data.lengths={lengths}", *(["data.tolerance=3"] if lengths == "trim" else []))
    run = workshop.start(tmp_path / "run", *changes, "optimiser.epochs=2", data=data)
    workshop.finish(run)
    (fit,) = run.fits()
    scores = json.loads(fit.scores.read_text())["rtk"]
    found = analyse_fits([fit])
    assert 100 * np.trace(found.confusion) / found.confusion.sum() == pytest.approx(scores["acc"])
    assert found.confusion.sum() == scores["frames"]


def test_runs_are_compared_as_their_tables_are_made(pretend: Callable[..., Run], workshop: Any) -> None:
    a, b = pretend("a", 0.6), pretend("b", 0.1, seeds=(3,))
    result = compare_runs(a, b)
    assert (result.videos, result.trainings, result.background) == (4, (4, 2), ("background",))
    for run, scores in ((a, result.a), (b, result.b)):
        reports = []
        for fit in run.fits():
            names = fit.dataset.names(fit.split, "test")
            truth = {name: read_frame_labels(workshop.data / "groundTruth" / f"{name}.txt") for name in names}
            labels = {name: read_frame_labels(fit.folder / "predictions" / f"{name}.txt") for name in names}
            reports.append(evaluate_labels(truth, labels).to_json())
        for key, score in scores.items():
            assert score == pytest.approx(np.mean([report[key] for report in reports]))
    assert result.intervals["acc"][0] > 0
    assert set(compare_runs(a, a).difference.values()) == {0.0}


def test_runs_that_do_not_fit_are_named(pretend: Callable[..., Run]) -> None:
    a = pretend("a", 0.2)
    with pytest.raises(DataError, match=r"only A was tested on \w+ of split 2, \w+ of split 2 \(2 in all\)$"):
        compare_runs(a, pretend("fewer", 0.2, splits=(1,)))
    counted = pretend("counted", 0.2, "data.background=[]")
    with pytest.raises(DataError, match="same background classes, got background in A and none in B"):
        compare_runs(a, counted)
    unfinished = pretend("unfinished", 0.2)
    (fit, *_) = unfinished.fits()
    fit.scores.unlink()
    with pytest.raises(DataError, match="this training is not finished"):
        compare_runs(a, unfinished)
    with pytest.raises(DataError, match=r"a has no split, so no video was tested; train with --split to compare"):
        compare_runs(a.model_copy(update={"splits": (), "final": True}), a)
