"""Learning how sure a prediction is: planted probabilities are found, and little data or none gives no calibration."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from keyseg.inference.bundle import load
from keyseg.inference.confidence import Calibration, segment_confidence
from keyseg.inference.decoders import FrameDecoder
from keyseg.inference.decoding import NetworkOutput
from keyseg.inference.prediction import Prediction
from keyseg.matching.alignment import MatchWeights
from keyseg.metrics.reliability import calibration_error, log_loss, reliability
from keyseg.timeline import LabelMap, Segmentation, TimeBase
from keyseg.training import calibration, match_weights
from keyseg.training.calibration import Judged, fit_calibration, learn_calibration, pooled_summary
from keyseg.training.inner_folds import HeldOutVideo

PLANTED = Calibration(intercept=-1.5, mean=0.8, length=0.5, edges=1.2, segments=1)
LABELS = LabelMap(("background", "cut", "pour"), ("background",))


def drawn(count: int, seed: int, truth: Calibration = PLANTED) -> tuple[np.ndarray, np.ndarray]:
    """Facts, and outcomes drawn with the probability that `truth` says."""
    random = np.random.default_rng(seed)
    facts = np.column_stack((random.normal(1, 1.5, count), random.normal(3, 1, count), random.uniform(-0.2, 1, count)))
    return facts, random.random(count) < truth.confidence(facts)


def test_a_planted_calibration_is_found() -> None:
    found = fit_calibration(*drawn(20_000, 0))
    assert found is not None
    for name in ("intercept", "mean", "length", "edges"):
        assert getattr(found, name) == pytest.approx(getattr(PLANTED, name), abs=0.15)
    assert found.segments == 20_000
    facts, right = drawn(20_000, 1)
    assert calibration_error(reliability(found.confidence(facts), right)) < 1.5


def test_too_sure_scores_are_pulled_to_the_truth() -> None:
    """Scores are far above the share that is drawn as right; calibration leaves nearly no error on new segments."""
    truth = Calibration(intercept=-1.0, mean=0.4, length=0.0, edges=0.0, segments=1)
    found = fit_calibration(*drawn(4_000, 2, truth))
    assert found is not None
    facts, right = drawn(4_000, 3, truth)
    claimed = 1 / (1 + np.exp(-facts[:, 0] * 1.0))
    before, after = (
        (calibration_error(reliability(sure, right)), log_loss(sure, right))
        for sure in (claimed, found.confidence(facts))
    )
    assert before[0] > 20
    assert after[0] < 3
    assert after[1] < before[1]


@pytest.mark.parametrize("fact", range(3))
def test_more_of_a_fact_never_makes_less_sure(fact: int) -> None:
    against = PLANTED.model_dump() | {("mean", "length", "edges")[fact]: -2.0}
    truth = Calibration.model_construct(**against)  # what must not be learnt
    found = fit_calibration(*drawn(2_000, 4, truth))
    assert found is not None
    assert getattr(found, ("mean", "length", "edges")[fact]) == 0.0
    facts = np.tile([1.0, 3.0, 0.5], (20, 1))
    facts[:, fact] = np.linspace(-5, 5, 20)
    assert (np.diff(fit_calibration(*drawn(2_000, 4)).confidence(facts)) > 0).all()  # type: ignore[union-attr]


def test_weights_are_drawn_to_0_where_there_is_little_to_learn_from() -> None:
    few, many = (fit_calibration(*drawn(count, 6)) for count in (60, 6_000))
    assert few is not None
    assert many is not None
    facts = drawn(60, 6)[0]
    assert (few.mean, few.length, few.edges) != (many.mean, many.length, many.edges)
    perfect = fit_calibration(facts, facts[:, 0] > np.median(facts[:, 0]))  # no finite optimum without shrinkage
    assert perfect is not None
    assert perfect.mean < 10
    constant = fit_calibration(np.ones((40, 3)), np.arange(40) < 10)
    assert constant is not None
    assert constant.confidence(np.ones((1, 3))) == pytest.approx(0.25, abs=1e-3)


@pytest.mark.parametrize(("right", "wrong"), [(0, 0), (0, 500), (500, 0), (9, 500), (500, 9)])
def test_too_few_right_or_wrong_segments_give_no_calibration(right: int, wrong: int) -> None:
    facts, outcome = np.random.default_rng(0).normal(size=(right + wrong, 3)), np.arange(right + wrong) < right
    assert fit_calibration(facts, outcome) is None


def held_out(count: int, seed: int) -> dict[str, HeldOutVideo]:
    """Videos of a network that is more often right where its scores are high."""
    random, videos = np.random.default_rng(seed), {}
    for number in range(count):
        truth = np.repeat(random.permutation(3)[[0, 1, 2, 0]], random.integers(4, 15, 4))
        shown, sure = (
            truth.copy(),
            np.repeat(random.uniform(0.4, 0.99, 4), np.bincount(np.cumsum(np.r_[0, np.diff(truth) != 0]))),
        )
        shown[random.random(len(truth)) > sure] = random.integers(3)
        scores = np.full((3, len(truth)), 1.0) * (1 - sure) / 2
        scores[shown, np.arange(len(truth))] = sure
        output = NetworkOutput(scores.astype(np.float32), scores[None].astype(np.float32))
        videos[f"v{number}"] = HeldOutVideo(output, Segmentation.from_frames(truth))
    return videos


@pytest.mark.parametrize("weights", [None, MatchWeights()])
def test_it_is_learnt_from_the_segments_that_the_training_will_decode(weights: MatchWeights | None) -> None:
    """Each fold's videos are matched to that fold's annotations; the facts are of the decoded segments."""
    folds = [
        (held_out(12, 1), [Segmentation([0, 8, 20], [0, 1])]),
        (held_out(12, 2), [Segmentation([0, 9, 20], [2, 0])]),
    ]
    found = learn_calibration(folds, FrameDecoder(), weights, 3)
    assert found is not None
    count = 0
    for videos, seen in folds:
        match = None if weights is None else calibration.Match.to(seen, 3, weights)
        decoder = FrameDecoder(match=match)
        count += sum(len(decoder.segments(video.output).segmentation.merged()) for video in videos.values())
    assert found.segments == count
    assert learn_calibration([], FrameDecoder(), weights, 3) is None


def prediction(of: Calibration | None, seed: int = 0) -> tuple[Segmentation, Prediction]:
    video = next(iter(held_out(1, seed).values()))
    segmentation = FrameDecoder().segments(video.output).segmentation
    common = (segmentation, video.output.frames, video.output.stages, LABELS, TimeBase(), None)
    return video.reference, Prediction(*common, calibration=of)


def test_what_is_judged_is_summarised_with_and_without_calibration() -> None:
    both, plain = Judged(), Judged()
    for seed in range(4):
        both.add(*prediction(PLANTED, seed))
        plain.add(*prediction(None, seed))
    found, raw = both.summary(), plain.summary()
    assert set(raw) == {"segments", "mean probability"}
    assert set(found) == {"segments", "mean probability", "calibrated"}
    assert found["mean probability"] == raw["mean probability"]
    assert found["calibrated"]["bins"] != raw["mean probability"]["bins"]
    assert json.loads(json.dumps(found)) == found
    pooled = pooled_summary([found, found])
    assert pooled["segments"] == 2 * found["segments"]
    assert pooled["calibrated"]["calibration_error"] == pytest.approx(found["calibrated"]["calibration_error"])
    assert set(pooled_summary([found, raw])) == {"segments", "mean probability"}
    assert pooled_summary([]) == {"segments": 0}


def test_a_training_keeps_its_calibration_in_the_bundle_and_shows_its_reliability(
    workshop: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(match_weights, "_GENERATIONS", 1)
    monkeypatch.setattr(calibration, "_FEWEST", 1)
    changes = ("matching.fit=true", "matching.folds=2", "matching.join_epoch=null")
    run = workshop.start(tmp_path / "run", *changes)
    summary = workshop.finish(run)
    (fit,) = run.fits()
    predictor, chosen = load(fit.bundle), json.loads(fit.chosen.read_text())
    assert predictor.calibration is not None
    assert predictor.calibration.model_dump() == chosen["calibration"]
    found = predictor.predict(str(workshop.data / "features" / "v6.npy"))
    expected = segment_confidence(found.frame_scores, found.segmentation, 1, predictor.calibration)
    assert found.confidence == pytest.approx(expected.tolist())
    assert found.confidence != replace(found, calibration=None).confidence
    parts = predictor.predict(str(workshop.data / "features" / "v6.npy"), variant="frame-wise")
    assert parts.calibration is None
    kept = json.loads(fit.reliability.read_text())
    assert summary["confidence"]["by_training"] == {"split1/seed0": kept}
    lines = (run.folder / "results.md").read_text().splitlines()
    at = lines.index("## Confidence of segments, on the test videos")
    error = kept["calibrated"]["calibration_error"]
    assert lines[at + 4].startswith(f"- split1/seed0: {kept['segments']} segments, expected calibration error ")
    assert lines[at + 4].endswith(f"{error:.1f} % (calibrated)")
    assert lines[at + 5].startswith("- all: ")
    assert lines[at + 7] == "![reliability](reliability.png)"
    assert (run.folder / "reliability.png").read_bytes()[:4] == b"\x89PNG"


def test_without_inner_folds_there_is_no_calibration(workshop: Any, tmp_path: Path) -> None:
    run = workshop.start(tmp_path / "run")
    summary = workshop.finish(run)
    (fit,) = run.fits()
    assert load(fit.bundle).calibration is None
    assert "confidence" not in json.loads((fit.bundle / "config.json").read_text())
    assert set(summary["confidence"]["pooled"]) == {"segments", "mean probability"}
    assert "calibrated" not in (run.folder / "results.md").read_text()
