"""Learning the rules of Algorithm 1: they follow the heights of the heatmaps, and stay where nothing is gained."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from keyseg.inference.decoders import FrameDecoder, KeypointDecoder
from keyseg.inference.decoding import KeypointOutput, NetworkOutput, Rules, propose_keypoints
from keyseg.timeline import Segmentation
from keyseg.training import learnt_rules
from keyseg.training.inner_folds import HeldOutVideo, first_videos
from keyseg.training.learnt_rules import learn_rules, video_scores

CLASSES = 4
DECODER = KeypointDecoder()
Fold = dict[str, HeldOutVideo]


def video(seed: int, *, boundary: float = 0.9, doubt: float = 0.0, misled: bool = False) -> HeldOutVideo:
    """Twelve segments, each with a peak in its middle, and boundaries of a height between them.

    doubt: height of a boundary within each segment, which is none, and of a peak of a wrong class behind it. misled:
    whether the frames speak for a wrong class, else for none.
    """
    random = np.random.default_rng(seed)
    labels = np.cumsum(random.integers(1, CLASSES, 12)) % CLASSES
    reference = Segmentation(np.cumsum([0, *random.integers(16, 24, 12)]), labels)
    frames = np.full((CLASSES, reference.length), 0.05 if misled else 0.25, np.float32)
    if misled:
        frames[(reference.to_frames() + 1) % CLASSES, np.arange(reference.length)] = 0.85
    heat, edges = np.zeros_like(frames), np.zeros(reference.length, np.float32)
    edges[reference.boundaries[1:-1]] = boundary
    for label, (begin, end) in zip(labels, pairwise(reference.boundaries), strict=True):
        heat[label, (begin + end) // 2] = 0.9
        edges[(begin + end) // 2 + 3] = doubt
        heat[(label + 1) % CLASSES, end - 3] = doubt
    keypoints = propose_keypoints(heat, edges, DECODER.proposals)
    return HeldOutVideo(KeypointOutput(frames, frames[None], heat, edges, *keypoints), reference)


def fold(number: int, **options: Any) -> Fold:
    return {f"{number}-{i}": video(10 * number + i, **options) for i in range(3)}


def learn(*folds: Fold, decoder: KeypointDecoder = DECODER) -> Rules:
    return learn_rules(folds, decoder, ())


def test_low_boundaries_are_found() -> None:
    """By default a boundary needs a confidence of 0.2, and these have 0.12."""
    rules = learn(fold(1, boundary=0.12), fold(2, boundary=0.12))
    assert rules.boundary_threshold < 0.12
    assert rules.action_threshold == Rules().action_threshold


def test_boundaries_and_peaks_that_mislead_are_left_out() -> None:
    rules = learn(fold(1, doubt=0.27), fold(2, doubt=0.27))
    assert max(rules.action_threshold, rules.boundary_threshold) == 0.3


def test_frames_weigh_less_where_they_mislead() -> None:
    assert learn(fold(1, misled=True), fold(2, misled=True)).frame_weight <= 1  # by default 2


def test_what_is_right_by_default_stays() -> None:
    assert learn(fold(1), fold(2)) == Rules()
    assert learn(fold(1)) == Rules()


def test_one_fold_is_enough() -> None:
    assert learn(fold(1, boundary=0.12)).boundary_threshold < 0.12


def test_folds_that_disagree_change_nothing() -> None:
    """What is best for either misleads in the other."""
    assert learn(fold(1, boundary=0.12), fold(2, doubt=0.19)) == Rules()


def test_rules_of_a_recipe_stay() -> None:
    own = Rules(keep_threshold=0.5)
    assert learn(fold(1, boundary=0.12), decoder=DECODER.changed(rules=own)) == own


def learnt(
    monkeypatch: pytest.MonkeyPatch,
    *gains: dict[Rules, tuple[float, float, float]],
    scatter: float = 0.0,
    videos: int = 3,
) -> Rules:
    """The rules learnt from folds in which some rules gain so much, each video that much more or less."""
    folds = [dict(list(fold(number).items())[:videos]) for number in range(len(gains))]

    def score(of: Fold, decoder: KeypointDecoder, _: object) -> Any:
        numbers = [tuple(map(int, name.split("-"))) for name in of]
        more = np.mean([scatter * (video - 1) for _, video in numbers]) if decoder.rules != Rules() else 0.0
        return tuple(60.0 + more + np.array(gains[numbers[0][0]].get(decoder.rules, (0, 0, 0))))

    monkeypatch.setattr(learnt_rules, "_score", score)
    return learn(*folds)


GOOD, BEST = (Rules(action_threshold=0.15, boundary_threshold=0.1, frame_weight=weight) for weight in (1.0, 4.0))


def test_no_measure_may_fall(monkeypatch: pytest.MonkeyPatch) -> None:
    gain, falling = (0.0, 6.0, 0.0), (9.0, 9.0, -0.8)
    assert learnt(monkeypatch, {GOOD: gain}, {GOOD: gain}) == GOOD
    assert learnt(monkeypatch, {GOOD: gain, BEST: falling}, {GOOD: gain, BEST: falling}) == GOOD
    # Less than that is allowed.
    assert learnt(monkeypatch, {BEST: (9.0, 9.0, -0.3)}, {BEST: (9.0, 9.0, -0.3)}) == BEST
    # The first fold wants what the second falls by.
    assert learnt(monkeypatch, {BEST: (9.0, 9.0, 0.0)}, {BEST: falling}) == Rules()


def test_a_gain_has_to_stand_out_from_the_scatter_of_the_videos(monkeypatch: pytest.MonkeyPatch) -> None:
    """Six videos gain 2 + (-1, 0, 1) * scatter, twice: their standard error is 0.365 * scatter, and Student's t of five
    degrees of freedom is 2.571 at 2.5 %. So a scatter of 2.13 is the largest."""
    two = {GOOD: (2.0, 2.0, 2.0)}
    assert learnt(monkeypatch, two, two, scatter=2.12) == GOOD
    assert learnt(monkeypatch, two, two, scatter=2.14) == Rules()
    assert learnt(monkeypatch, two, scatter=1.0) == Rules()  # three videos, a limit of 0.8
    assert learnt(monkeypatch, two, scatter=0.8) == GOOD
    assert learnt(monkeypatch, two, videos=1) == Rules()  # one video says nothing of scatter


def test_background_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    given = []

    def kept(*_: object, background: tuple[int, ...]) -> object:
        given.append(background)
        raise RuntimeError

    monkeypatch.setattr(learnt_rules, "evaluate_labels", kept)
    with pytest.raises(RuntimeError):
        learn_rules([fold(1)], DECODER, (2,))
    assert given == [(2,)]


def test_a_video_scores_by_itself_the_mean_of_three_measures() -> None:
    labels = np.repeat([1, 2, 1, 2], [30, 10, 30, 10])
    found = np.repeat([1, 2, 3, 2], [30, 10, 30, 10])  # F1@50 3 of 4, Edit 3 of 4, Acc 50 of 80
    right = HeldOutVideo(output_that_says(labels), Segmentation.from_frames(labels))
    wrong = HeldOutVideo(output_that_says(found), Segmentation.from_frames(labels))
    scores = video_scores({"right": right, "wrong": wrong}, FrameDecoder(), ())
    assert scores.tolist() == pytest.approx([100, (75 + 75 + 62.5) / 3])
    assert video_scores({"wrong": wrong}, FrameDecoder(), (1, 3)).tolist() == pytest.approx([(100 + 100 + 62.5) / 3])


def output_that_says(labels: np.ndarray) -> NetworkOutput:
    frames = np.eye(CLASSES, dtype=np.float32)[labels].T
    return NetworkOutput(frames, frames[None])


def test_the_first_videos_are_enough() -> None:
    videos = {name: video(seed) for seed, name in enumerate("abc")}
    lengths = [video.reference.length for video in videos.values()]
    for most, names in ((lengths[0], "a"), (sum(lengths[:2]), "ab"), (sum(lengths) - 1, "ab"), (sum(lengths), "abc")):
        found = first_videos(videos, most)
        assert "".join(found) == names
        assert all(found[name] is videos[name] for name in names)


def test_a_first_video_of_more_steps_is_cut() -> None:
    whole = video(1)
    (cut,) = first_videos({"a": whole, "b": video(2)}, 100).values()
    assert isinstance(cut.output, KeypointOutput)
    assert isinstance(whole.output, KeypointOutput)
    assert cut.reference.to_frames().tolist() == whole.reference.to_frames()[:100].tolist()
    maps = cut.output.action, cut.output.boundary, cut.output.frames, cut.output.stages
    assert [part.shape[-1] for part in maps] == [100] * 4
    again = propose_keypoints(cut.output.action, cut.output.boundary, DECODER.proposals)
    assert cut.output.actions.time.tolist() == again[0].time.tolist()
    assert cut.output.boundaries.time.tolist() == again[1].time.tolist()
    frames = HeldOutVideo(NetworkOutput(whole.output.frames, whole.output.stages), whole.reference).beginning(100)
    assert frames.output.frames.tolist() == whole.output.frames[:, :100].tolist()
