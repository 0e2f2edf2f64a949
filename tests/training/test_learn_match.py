"""Learning the weights of the match: it is used where the order of the annotations helps, and left out elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy.stats import ttest_rel

from keyseg.inference.decoders import FrameDecoder
from keyseg.inference.decoding import NetworkOutput
from keyseg.matching.alignment import MatchWeights
from keyseg.metrics import evaluate_labels
from keyseg.timeline import Segmentation
from keyseg.training import match_weights
from keyseg.training.inner_folds import HeldOutVideo
from keyseg.training.match_weights import LearntMatch, OutputsOfFold, beyond_chance, learn_match

CLASSES = 6


def video(random: np.random.Generator, order: Sequence[int], wrong: float) -> HeldOutVideo:
    """Segments in this order; `wrong`: share of segments whose frames speak for another class."""
    labels = np.array(order)
    reference = Segmentation(np.cumsum([0, *random.integers(8, 13, len(labels))]), labels)
    misled = random.random(len(labels)) < wrong
    shown = np.where(misled, (labels + random.integers(1, CLASSES, len(labels))) % CLASSES, labels)
    frames = np.full((CLASSES, reference.length), 0.06, np.float32)
    steps = np.arange(reference.length)
    frames[reference.to_frames(), steps] = 0.24  # the right class comes second where it does not come first
    frames[np.repeat(shown, np.diff(reference.boundaries)), steps] = 0.52
    frames /= frames.sum(0)
    return HeldOutVideo(NetworkOutput(frames, frames[None]), reference)


def folds(wrong: float, ordered: bool, seed: int = 0) -> list[OutputsOfFold]:
    """Two folds of four videos, and the annotations of six others."""
    random = np.random.default_rng(seed)

    def some(count: int) -> list[HeldOutVideo]:
        orders = [np.arange(CLASSES) if ordered else random.permutation(CLASSES) for _ in range(count)]
        return [video(random, order, wrong) for order in orders]

    found: list[OutputsOfFold] = []
    for fold in range(2):
        seen = [item.reference for item in some(6)]
        found.append(({f"{fold}-{i}": item for i, item in enumerate(some(4))}, seen))
    return found


def learn(some: list[OutputsOfFold], seed: int = 0) -> LearntMatch:
    return learn_match(some, FrameDecoder(), CLASSES, (), seed)


@pytest.fixture(scope="module")
def ordered() -> LearntMatch:
    return learn(folds(0.3, ordered=True))


def test_a_common_order_repairs_noisy_evidence(ordered: LearntMatch) -> None:
    assert ordered.weights is not None
    assert ordered.videos == 8
    assert max(ordered.plain) < 85
    assert min(ordered.matched) > 95


def test_scores_are_those_of_held_out_videos_and_a_mean_over_folds(ordered: LearntMatch) -> None:
    rows = []
    for held_out, _ in folds(0.3, ordered=True):
        plain = {name: Segmentation.from_frames(item.output.frames.argmax(0)) for name, item in held_out.items()}
        report = evaluate_labels({name: item.reference for name, item in held_out.items()}, plain, background=())
        rows.append((report.f1[0.5], report.edit, report.acc))
    assert ordered.plain == pytest.approx(np.mean(rows, 0), abs=0.01)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(match_weights, "_GENERATIONS", 1)


def test_the_background_does_not_count_in_segments(quick: None) -> None:
    some = folds(0.3, ordered=True)
    without, found = learn_match(some, FrameDecoder(), CLASSES, (0, 1, 2)), learn(some)
    assert without.plain[:2] != found.plain[:2]
    assert without.plain[2] == found.plain[2]


def test_a_seed_repeats_it_and_another_does_not(quick: None) -> None:
    first, again, other = (learn(folds(0.3, ordered=True), seed) for seed in (0, 0, 1))
    assert again == first
    assert other.weights != first.weights


@pytest.mark.parametrize("order", [True, False])
def test_without_anything_to_repair_nothing_is_matched(order: bool) -> None:
    found = learn(folds(0.0, ordered=order))
    assert found.plain == (100, 100, 100)
    assert found.weights is None


def test_without_a_common_order_a_match_gains_less_than_with_one(ordered: LearntMatch) -> None:
    found = learn(folds(0.3, ordered=False))
    assert found.weights is None or np.mean(found.matched) < 90 < np.mean(ordered.matched)


@pytest.mark.parametrize("videos", [2, 7, 30])
def test_a_gain_beyond_chance_is_that_of_a_paired_t_test(videos: int) -> None:
    random = np.random.default_rng(videos)
    answers = set()
    for gain in np.linspace(-2, 4, 25):
        before = random.normal(50, 10, videos)
        after = before + random.normal(gain, 3, videos)
        answer = beyond_chance(before, after)
        assert answer == (ttest_rel(after, before, alternative="greater").pvalue < 0.025)
        answers.add(answer)
    assert answers == {True, False}


@pytest.mark.filterwarnings("error")
def test_one_video_shows_nothing() -> None:
    assert not beyond_chance(np.array([1.0]), np.array([99.0]))


@pytest.mark.parametrize(
    ("matched", "helps"),
    [
        ((50.5, 50.5, 50.5), True),
        ((52, 50, 50), True),
        ((50.4, 50.4, 50.4), False),  # less than half a point
        ((60, 60, 49.75), True),  # one of the three is worse, but by less than noise
        ((60, 60, 49.65), False),
        ((49.65, 60, 60), False),
    ],
)
def test_a_match_must_help_by_half_a_point_and_lower_nothing_by_more_than_noise(
    matched: tuple[float, ...], helps: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def planned(_: Any, segments: Mapping[str, Any], **__: Any) -> Any:
        f1, edit, acc = matched if "matched" in segments.values() else (50.0, 50.0, 50.0)
        return SimpleNamespace(f1={0.5: f1}, edit=edit, acc=acc)

    monkeypatch.setattr(match_weights, "align", lambda *_: SimpleNamespace(segmentation="matched"))
    monkeypatch.setattr(match_weights, "evaluate_labels", planned)
    found = learn(folds(0.0, ordered=True)[:1])
    assert (found.weights is not None) == helps
    assert (found.plain, found.matched) == ((50, 50, 50), tuple(map(float, matched)))


def test_each_fold_is_scored_with_weights_of_the_others_and_the_match_has_those_of_all(
    quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name of a fold's first video stands for the fold."""
    learnt_from: list[list[str]] = []
    original = match_weights._learn

    def noted(some: Any, *rest: Any) -> MatchWeights:
        learnt_from.append([next(iter(fold.reference)) for fold in some])
        return original(some, *rest)

    monkeypatch.setattr(match_weights, "_learn", noted)
    some = folds(0.3, ordered=True)
    names = [next(iter(videos)) for videos, _ in some]
    assert learn(some).weights is not None
    assert learnt_from == [[other for other in names if other != name] for name in names] + [names]
    learnt_from.clear()
    learn(some[:1])
    assert learnt_from == [names[:1]] * 2


def test_of_many_steps_the_first_videos_are_learnt_from_and_all_of_them_decide(
    quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    scored: list[list[str]] = []
    original = match_weights.evaluate_labels

    def noted(reference: Any, *rest: Any, **options: Any) -> Any:
        scored.append(list(reference))
        return original(reference, *rest, **options)

    monkeypatch.setattr(match_weights, "evaluate_labels", noted)
    (only, *_) = folds(0.3, ordered=True)
    names, lengths = list(only[0]), [item.reference.length for item in only[0].values()]
    for steps, used in ((sum(lengths[:2]), 2), (sum(lengths[:2]) - 1, 1), (1, 1)):
        scored.clear()
        monkeypatch.setattr(match_weights, "_STEPS", steps)
        assert learn([only]).videos == len(names)
        assert names in scored
        assert {len(some) for some in scored if some != names} == {used}
        assert all(some == names[: len(some)] for some in scored)
