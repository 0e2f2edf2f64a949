"""Two systems compared: against the evaluator on every set that is drawn, and on planted differences."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import pytest

from keyseg.metrics import compare_labels, evaluate_labels
from keyseg.metrics.paired import SplitPredictions, compare_trainings
from keyseg.metrics.protocols import PROTOCOLS
from keyseg.timeline import ConfigError, DataError

KEYS = ("acc", "edit", "f1@10", "f1@25", "f1@50")
Videos = dict[str, np.ndarray]


def annotated(random: np.random.Generator, videos: Sequence[str], segments: int = 6) -> Videos:
    """Videos of segments of four classes, 3 to 12 frames each, whose neighbours differ."""
    steps = {video: np.cumsum(random.integers(1, 4, segments)) % 4 for video in videos}
    return {video: np.repeat(order, random.integers(3, 13, segments)) for video, order in steps.items()}


def predicted(random: np.random.Generator, truth: Videos, wrong: float) -> Videos:
    """The annotation with this share of its frames, in blocks of four, set to class 0."""
    result = {}
    for video, labels in truth.items():
        mistaken = np.repeat(random.random(len(labels)) < wrong, 4)[: len(labels)]
        result[video] = np.where(mistaken, 0, labels)
    return result


def scores(reference: Videos, prediction: Videos, drawn: dict[str, int], protocol: str) -> np.ndarray:
    """(5,): what the evaluator says of a set that holds each video so many times."""
    copies = {f"{video}#{i}": video for video, count in drawn.items() for i in range(count)}
    sides = ({copy: side[video] for copy, video in copies.items()} for side in (reference, prediction))
    content = evaluate_labels(*sides, background=(0,), protocol=protocol).to_json()
    return np.array([content[key] for key in KEYS])


def draws(videos: list[str], resamplings: int, seed: int) -> list[dict[str, int]]:
    random = np.random.default_rng(seed)
    share = np.full(len(videos), 1 / len(videos))
    return [dict(zip(videos, random.multinomial(len(videos), share).tolist(), strict=True)) for _ in range(resamplings)]


@pytest.mark.parametrize("protocol", [name for name, rules in PROTOCOLS.items() if not rules.ignored])
def test_every_set_of_videos_is_scored_as_the_evaluator_scores_it(protocol: str) -> None:
    random = np.random.default_rng(1)
    truth = annotated(random, "abcdefg")
    a, b = predicted(random, truth, 0.3), predicted(random, truth, 0.1)
    result = compare_labels(truth, a, b, background=(0,), protocol=protocol, resamplings=150, seed=5)
    drawn = draws(sorted(truth), 150, seed=5)
    slow = np.array([scores(truth, b, one, protocol) - scores(truth, a, one, protocol) for one in drawn])
    low, high = np.percentile(slow, [2.5, 97.5], axis=0)
    once = dict.fromkeys(truth, 1)
    for i, key in enumerate(KEYS):
        assert result.intervals[key] == pytest.approx((low[i], high[i]))
        assert result.b_above[key] == pytest.approx((slow[:, i] > 1e-9).mean())
        assert result.a[key] == pytest.approx(scores(truth, a, once, protocol)[i])
        assert result.b[key] == pytest.approx(scores(truth, b, once, protocol)[i])
        assert result.difference[key] == pytest.approx(result.b[key] - result.a[key])
    assert len({result.difference[key] for key in KEYS}) >= 4
    means = [evaluate_labels({v: truth[v]}, {v: b[v]}, background=(0,)).f1[0.5] for v in truth]
    assert protocol == "tcn" or result.b["f1@50"] != pytest.approx(np.mean(means))  # F1 is not a mean over videos


def trainings(splits: dict[int, str], truth: Videos, systems: Sequence[Videos]) -> list[SplitPredictions]:
    """Tests of one training per split and seed; systems: the predictions of each seed."""
    return [
        SplitPredictions(split, {v: truth[v] for v in videos}, {v: one[v] for v in videos})
        for split, videos in splits.items()
        for one in systems
    ]


@pytest.mark.parametrize("splits", [{1: "abc", 2: "de"}, {1: "abc", 2: "cde", 4: "e"}])
def test_trainings_count_by_the_share_of_their_videos_that_was_drawn(splits: dict[int, str]) -> None:
    random = np.random.default_rng(2)
    truth = annotated(random, "abcde")
    seeds = [predicted(random, truth, wrong) for wrong in (0.4, 0.2, 0.1)]
    a, b = trainings(splits, truth, seeds[:1]), trainings(splits, truth, seeds[1:])
    result = compare_trainings(a, b, (0,), "ms-tcn", resamplings=200, seed=3)
    slow = []
    for drawn in draws(list("abcde"), 200, seed=3):
        means = []
        for side in (a, b):
            parts = [(sum(drawn[v] for v in one.reference) / len(one.reference), one) for one in side]
            found = [
                share
                * scores(dict(one.reference), dict(one.prediction), {v: drawn[v] for v in one.reference}, "ms-tcn")
                for share, one in parts
                if share
            ]
            means.append(sum(found) / sum(share for share, _ in parts))
        slow.append(means[1] - means[0])
    low, high = np.percentile(slow, [2.5, 97.5], axis=0)
    for i, key in enumerate(KEYS):
        assert result.intervals[key] == pytest.approx((low[i], high[i]))
    plain = [evaluate_labels(one.reference, one.prediction, background=(0,)).to_json() for one in b]
    assert result.b["f1@50"] == pytest.approx(np.mean([report["f1@50"] for report in plain]))
    assert (result.videos, result.trainings) == (5, (len(splits), 2 * len(splits)))


def test_with_one_video_per_split_the_videos_are_what_is_drawn() -> None:
    """Otherwise leave-one-out splits would have intervals without width."""
    random = np.random.default_rng(4)
    truth = annotated(random, "abcdefgh")
    a, b = predicted(random, truth, 0.3), predicted(random, truth, 0.1)
    alone = dict(enumerate(truth))
    result = compare_trainings(trainings(alone, truth, [a]), trainings(alone, truth, [b]), (0,), "ms-tcn", 500)
    averaged = compare_labels(truth, a, b, background=(0,), protocol="tcn", resamplings=500)
    assert result.intervals["acc"] == pytest.approx(averaged.intervals["acc"])
    assert result.intervals["acc"][0] < result.intervals["acc"][1]


def test_a_system_does_not_differ_from_itself() -> None:
    random = np.random.default_rng(6)
    truth = annotated(random, "abcdef")
    a = predicted(random, truth, 0.2)
    result = compare_labels(truth, a, a, background=(0,), resamplings=300)
    assert set(result.difference.values()) == {0.0}
    assert set(result.intervals.values()) == {(0.0, 0.0)}
    assert set(result.b_above.values()) == {0.0}
    assert result.a == result.b


def test_exchanged_systems_have_the_opposite_difference_and_the_seed_decides() -> None:
    random = np.random.default_rng(7)
    truth = annotated(random, "abcdef")
    a, b = predicted(random, truth, 0.3), predicted(random, truth, 0.2)
    there, back = (compare_labels(truth, *pair, background=(0,), resamplings=400) for pair in ((a, b), (b, a)))
    for key in KEYS:
        low, high = there.intervals[key]
        assert back.intervals[key] == pytest.approx((-high, -low))
        assert back.difference[key] == pytest.approx(-there.difference[key])
    assert compare_labels(truth, a, b, background=(0,), resamplings=400) == there
    assert compare_labels(truth, a, b, background=(0,), resamplings=400, seed=1).intervals != there.intervals


def test_blocks_of_draws_are_one_sequence(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(8)
    truth = annotated(random, "abcd")
    a, b = predicted(random, truth, 0.3), predicted(random, truth, 0.1)
    whole = compare_labels(truth, a, b, resamplings=103)
    monkeypatch.setattr("keyseg.metrics.resampling._BLOCK", 40)  # ten sets of four videos
    assert compare_labels(truth, a, b, resamplings=103) == whole


@pytest.mark.slow
def test_intervals_cover_a_planted_difference() -> None:
    """In 95 % of many samples of videos; fewer than that by a little, as percentile intervals of 30 videos have it."""
    random = np.random.default_rng(9)
    everything = annotated(random, [f"v{i:04}" for i in range(4000)])
    a, b = predicted(random, everything, 0.25), predicted(random, everything, 0.2)
    whole = compare_labels(everything, a, b, background=(0,), resamplings=1)
    covered = {"acc": 0, "edit": 0, "f1@50": 0}
    samples = 130
    for start in range(0, 30 * samples, 30):
        names = sorted(everything)[start : start + 30]
        sides = ({name: side[name] for name in names} for side in (everything, a, b))
        found = compare_labels(*sides, background=(0,), resamplings=400)
        for key in covered:
            low, high = found.intervals[key]
            covered[key] += low <= whole.difference[key] <= high
    assert whole.difference["acc"] > 2
    for key, times in covered.items():
        assert 0.88 <= times / samples <= 0.99, key


def test_what_cannot_be_paired_is_named() -> None:
    truth = {video: np.array([0, 1, 1, 2]) for video in "abc"}
    whole = trainings({1: "ab", 2: "c"}, truth, [truth])
    other = {**truth, "b": np.array([0, 1, 2, 2])}
    cases = {
        "only A was tested on c of split 2 (1 in all)": trainings({1: "ab"}, truth, [truth]),
        "only B was tested on c of split 1 (1 in all)": trainings({1: "abc", 2: "c"}, truth, [truth]),
        "the annotations differ for b of split 1 (1 in all)": trainings({1: "ab", 2: "c"}, other, [truth]),
    }
    for words, b in cases.items():
        with pytest.raises(DataError) as error:
            compare_trainings(whole, b, (), "ms-tcn")
        assert str(error.value) == f"A and B must be tested on the same videos; {words}"
    with pytest.raises(DataError, match=r"missing predictions \(1\): c"):
        compare_labels(truth, truth, {video: truth[video] for video in "ab"})
    with pytest.raises(ConfigError, match="resamplings must be a number of sets of videos >= 1, got 0"):
        compare_labels(truth, truth, truth, resamplings=0)
    with pytest.raises(ConfigError, match="unknown protocol 'mstcn'"):
        compare_labels(truth, truth, truth, protocol="mstcn")


def test_one_video_says_nothing_about_others() -> None:
    truth = {"a": ["take"] * 10}
    result = compare_labels(truth, {"a": ["take"] * 9 + ["pour"]}, truth)
    assert (result.difference["acc"], result.intervals, result.b_above) == (10, {}, {})
    assert repr(result).startswith("Comparison(b - a over 1 video: F1@10 +33.3, ")
    lines = result.to_markdown("one", "two").splitlines()
    assert lines[4] == "| two - one | +33.3 | +33.3 | +33.3 | +50.0 | +10.0 |"
    assert lines[5:7] == [
        "",
        "1 video, too few for an interval; protocol ms-tcn; left out of edit and F1: background.",
    ]
    assert json.loads(json.dumps(result.to_json()))["intervals"] == {}
    assert evaluate_labels(truth, truth, bootstrap=10).intervals == {}
    assert evaluate_labels(truth | {"b": ["pour"]}, truth | {"b": ["pour"]}, bootstrap=10).intervals != {}


def test_a_comparison_as_words_table_and_json() -> None:
    truth = {"a": ["take"] * 10, "b": ["pour"] * 10}
    a = {"a": ["take"] * 9 + ["pour"], "b": ["pour"] * 10}
    result = compare_labels(truth, a, truth, resamplings=2000)
    assert repr(result).startswith("Comparison(b - a over 2 videos: F1@10 +20.0 [+0.0, +33.3], ")
    assert repr(result).endswith("Acc +5.0 [+0.0, +10.0])")
    lines = result.to_markdown("one|two", "three").splitlines()
    assert [line.count("|") - line.count("\\|") for line in lines[:6]] == [7] * 6
    assert lines[2] == "| one\\|two | 80.0 | 80.0 | 80.0 | 75.0 | 95.0 |"
    assert lines[4].startswith("| three - one\\|two, 95 % interval | +20.0 [+0.0, +33.3] | ")
    assert lines[5].startswith("| three better | 7")  # in three of four sets of two videos
    assert lines[-1] == (
        "Paired bootstrap over 2 videos, 2,000 resamplings, seed 0; protocol ms-tcn; left out of edit and F1:"
        " background."
    )
    content = result.to_json()
    assert json.loads(json.dumps(content, allow_nan=False)) == content
    assert content["difference"]["acc"] == 5
    assert (content["videos"], content["resamplings"], content["seed"]) == (2, 2000, 0)
    assert 0.7 < content["b_above"]["f1@50"] < 0.8
