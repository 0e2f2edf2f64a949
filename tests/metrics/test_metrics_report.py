"""Reports: JSON, means over splits, intervals over videos."""

import json

import numpy as np
import pytest

from keyseg.metrics import evaluate_labels, mean_reports
from keyseg.timeline import ConfigError, DataError

REFERENCE = {
    "one": ["a", "a", "b", "b", "b"],
    "two": ["a", "b", "b"],
    "three": ["background", "c", "c", "c", "c", "c", "c"],
}
PREDICTION = {
    "one": ["a", "a", "a", "b", "b"],
    "two": ["b", "b", "a"],
    "three": ["background", "background", "c", "c", "a", "c", "c"],
}
SUMMARY = ["acc", "edit", "f1@10", "f1@25", "f1@50", "videos", "frames", "protocol", "background"]


def test_json_holds_the_scores_first_and_details_only_on_request():
    report = evaluate_labels(REFERENCE, PREDICTION)
    assert list(report.to_json()) == SUMMARY
    assert list(report.to_json(details=True)) == [*SUMMARY, "per_class", "per_video", "intervals"]


def test_json_survives_a_round_trip():
    result = evaluate_labels(REFERENCE, PREDICTION, bootstrap=10).to_json(details=True)
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    assert result["acc"] == pytest.approx(100 * 10 / 15)
    assert (result["videos"], result["frames"], result["background"]) == (3, 15, ["background"])
    assert result["per_video"]["two"] == pytest.approx(
        {"acc": 100 / 3, "edit": 0, "f1@10": 50, "f1@25": 50, "f1@50": 0, "frames": 3}
    )
    assert result["per_class"]["b"]["f1@25"] == {"tp": 2, "fp": 0, "fn": 0, "f1": 100}
    assert result["per_class"]["background"]["ignored"] is True
    assert list(result["intervals"]) == ["acc", "edit", "f1@10", "f1@25", "f1@50"]


def test_ids_become_keys_of_json():
    result = evaluate_labels({"v": np.array([7, 7, 3])}, {"v": np.array([7, 3, 3])}, background=(7,)).to_json(
        details=True
    )
    assert json.loads(json.dumps(result)) == result
    assert list(result["per_class"]) == ["3", "7"]


def test_mean_over_splits():
    """Splits have equal weight, however many videos they have; counts are summed."""
    first = evaluate_labels({"one": REFERENCE["one"]}, {"one": PREDICTION["one"]})
    rest = {"two": REFERENCE["two"], "three": REFERENCE["three"]}
    second = evaluate_labels(rest, {video: PREDICTION[video] for video in rest})
    mean = mean_reports([first, second])
    assert mean.acc == pytest.approx((first.acc + second.acc) / 2)
    assert mean.edit == pytest.approx((first.edit + second.edit) / 2)
    assert mean.f1[0.25] == pytest.approx((first.f1[0.25] + second.f1[0.25]) / 2)
    assert (mean.videos, mean.frames) == (3, 15)
    assert mean.segments == evaluate_labels(REFERENCE, PREDICTION).segments
    assert list(mean.to_json()) == SUMMARY
    assert mean.acc != pytest.approx(evaluate_labels(REFERENCE, PREDICTION).acc)


def test_the_mean_of_one_report_is_its_scores():
    report = evaluate_labels(REFERENCE, PREDICTION)
    assert mean_reports([report]).to_json() == report.to_json()


def test_mean_refuses_nothing_and_reports_computed_in_different_ways():
    with pytest.raises(DataError, match="no reports to average"):
        mean_reports([])
    reports = [evaluate_labels(REFERENCE, PREDICTION, protocol=protocol) for protocol in ("ms-tcn", "tcn")]
    with pytest.raises(DataError, match=r"must share protocol and background, got 'ms-tcn' .* and 'tcn'"):
        mean_reports(reports)


def test_intervals_are_seeded_and_surround_the_scores():
    report = evaluate_labels(REFERENCE, PREDICTION, bootstrap=2000, seed=3)
    assert evaluate_labels(REFERENCE, PREDICTION, bootstrap=2000, seed=3).intervals == report.intervals
    # Of three videos the worst is drawn three times in 1 of 27 resamplings, which is more than 2.5 %; so is the best.
    assert report.intervals["acc"] == pytest.approx((100 / 3, 80))
    assert report.intervals["edit"] == pytest.approx((0, 100))


def test_intervals_follow_the_protocol():
    """Half of the videos are long and wrong, the others short and right: 20 % of frames, 50 % of videos."""
    reference = {f"long{i}": [0] * 8 for i in range(40)} | {f"short{i}": [0] * 2 for i in range(40)}
    prediction = {video: [int(video.startswith("long"))] * len(labels) for video, labels in reference.items()}
    pooled, averaged = (
        evaluate_labels(reference, prediction, protocol=protocol, bootstrap=200) for protocol in ("ms-tcn", "tcn")
    )
    (low, high), (averaged_low, averaged_high) = pooled.intervals["acc"], averaged.intervals["acc"]
    assert low < pooled.acc == 20 < high < averaged_low < averaged.acc == 50 < averaged_high


def test_one_video_has_no_interval():
    assert evaluate_labels({"one": REFERENCE["one"]}, {"one": PREDICTION["one"]}, bootstrap=5).intervals == {}


def test_intervals_are_empty_unless_asked_for_and_negative_numbers_refused():
    assert evaluate_labels(REFERENCE, PREDICTION).intervals == {}
    with pytest.raises(ConfigError, match="resamplings >= 0, got -1"):
        evaluate_labels(REFERENCE, PREDICTION, bootstrap=-1)
