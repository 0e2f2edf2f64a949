"""The functions against slow, obvious ones, and properties of every pair of segmentations."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keyseg.metrics import OVERLAPS, evaluate_labels
from keyseg.metrics.accuracy import frame_accuracy
from keyseg.metrics.edit import edit_score
from keyseg.metrics.overlay import overlay_pair
from keyseg.metrics.protocols import PROTOCOLS
from keyseg.metrics.segmental_f1 import segment_hits, segmental_f1
from keyseg.timeline import Segmentation

CLASSES = 4


@st.composite
def pairs(draw, min_frames=0):
    """Reference and prediction of one video, (T,) ids with runs: 0 <= T <= 40."""
    runs = st.lists(st.tuples(st.integers(0, CLASSES - 1), st.integers(1, 9)), min_size=1, max_size=10)
    sides = [np.concatenate([np.full(n, label) for label, n in draw(runs)]) for _ in range(2)]
    length = draw(st.integers(min_frames, 40))
    return tuple(np.resize(side, length) for side in sides)


videos = st.lists(pairs(), min_size=1, max_size=5)
backgrounds = st.sets(st.integers(0, CLASSES - 1), max_size=2)
few = settings(max_examples=60, deadline=None)


def slow_segments(frames, background, short):
    """Lists of [label, set of frames], frame by frame."""
    result = []
    for t, label in enumerate(frames.tolist()):
        if t == 0 or label != frames[t - 1]:
            result.append([label, set()])
        if not (short and t == len(frames) - 1):
            result[-1][1].add(t)
    return [segment for segment in result if segment[0] not in background]


def slow_counts(reference, prediction, overlap, background=(), short=False):
    annotated, predicted = (slow_segments(side, background, short) for side in (reference, prediction))
    hit = set()
    tp = 0
    for label, segment in predicted:
        best, best_iou = None, 0.0
        for i, (other_label, other) in enumerate(annotated):
            iou = len(segment & other) / len(segment | other) if segment | other else 0.0
            if label == other_label and iou > best_iou:
                best, best_iou = i, iou
        if best is not None and best_iou >= overlap and best not in hit:
            hit.add(best)
            tp += 1
    return tp, len(predicted) - tp, len(annotated) - tp


def slow_edit(reference, prediction, background):
    annotated, predicted = (
        [label for label, _ in slow_segments(side, background, False)] for side in (reference, prediction)
    )
    if not annotated and not predicted:
        return 100.0
    cost = {(i, j): max(i, j) for i in range(len(annotated) + 1) for j in range(len(predicted) + 1)}
    for i, j in itertools.product(range(1, len(annotated) + 1), range(1, len(predicted) + 1)):
        change = cost[i - 1, j - 1] + (annotated[i - 1] != predicted[j - 1])
        cost[i, j] = min(cost[i - 1, j] + 1, cost[i, j - 1] + 1, change)
    return 100 * (1 - cost[len(annotated), len(predicted)] / max(len(annotated), len(predicted)))


def slow_f1(counts):
    tp, fp, fn = (sum(column) for column in zip(*counts, strict=True))
    if tp + fp + fn == 0:
        return 100.0
    if tp == 0:
        return 0.0
    precision, recall = tp / (tp + fp), tp / (tp + fn)
    return 100 * 2 * precision * recall / (precision + recall)


def named(sides):
    return {f"video{i}": side for i, side in enumerate(sides)}


def scores(report):
    return [report.acc, report.edit, *report.f1.values()]


@few
@given(videos, backgrounds, st.sampled_from(OVERLAPS))
def test_plain_functions_agree_with_the_slow_ones(cases, background, overlap):
    reference, prediction = zip(*cases, strict=True)
    counts = [slow_counts(r, p, overlap, background) for r, p in cases]
    edits = [slow_edit(r, p, background) for r, p in cases]
    assert segmental_f1(reference, prediction, overlap=overlap, background=background) == pytest.approx(slow_f1(counts))
    assert edit_score(reference, prediction, background=background) == pytest.approx(sum(edits) / len(edits))
    right = [a == b for r, p in cases for a, b in zip(r.tolist(), p.tolist(), strict=True)]
    assert frame_accuracy(reference, prediction) == pytest.approx(100 * sum(right) / len(right) if right else 100)


@few
@given(videos, backgrounds)
def test_evaluate_agrees_with_the_slow_ones_under_every_protocol(cases, background):
    reference, prediction = (named(side) for side in zip(*cases, strict=True))
    right = [[a == b for a, b in zip(r.tolist(), p.tolist(), strict=True)] for r, p in cases]
    edit = sum(slow_edit(r, p, background) for r, p in cases) / len(cases)
    for protocol, short in (("ms-tcn", False), ("ms-tcn2-eval", True), ("tcn", False)):
        report = evaluate_labels(reference, prediction, background=background, protocol=protocol)
        groups = [[i] for i in range(len(cases))] if protocol == "tcn" else [range(len(cases))]
        for overlap in OVERLAPS:
            counts = [slow_counts(r, p, overlap, background, short) for r, p in cases]
            f1 = [slow_f1([counts[i] for i in group]) for group in groups]
            assert report.f1[overlap] == pytest.approx(sum(f1) / len(f1))
            result = report.segments[overlap]
            assert [result.tp, result.fp, result.fn] == [sum(column) for column in zip(*counts, strict=True)]
        pools = [list(itertools.chain.from_iterable(right[i] for i in group)) for group in groups]
        acc = [100 * sum(pool) / len(pool) if pool else 100 for pool in pools]
        assert report.acc == pytest.approx(sum(acc) / len(acc))
        assert report.edit == pytest.approx(edit)


@few
@given(pairs())
def test_details_add_up_to_the_summary(case):
    report = evaluate_labels({"v": case[0]}, {"v": case[1]}, background=(0,))
    assert scores(report) == pytest.approx(scores(report.per_video["v"]))
    counted = [scores for scores in report.per_class.values() if not scores.ignored]
    for overlap in OVERLAPS:
        for kind in ("tp", "fp", "fn"):
            total = sum(getattr(scores.segments[overlap], kind) for scores in counted)
            assert total == getattr(report.segments[overlap], kind)
    assert set(report.per_class) == set(np.concatenate(case).tolist())
    for label, result in report.per_class.items():
        right, wanted, predicted = ((case[0] == label) & (case[1] == label)).sum(), *((s == label).sum() for s in case)
        assert result.support == wanted
        assert result.frame_recall == pytest.approx(100 * right / max(wanted, 1))
        assert result.frame_precision == pytest.approx(100 * right / max(predicted, 1))


@few
@given(videos, backgrounds, st.sampled_from(["ms-tcn", "tcn"]))
def test_a_perfect_prediction_scores_100(cases, background, protocol):
    reference = named(r for r, _ in cases)
    assert scores(evaluate_labels(reference, reference, background=background, protocol=protocol)) == [100] * 5


@few
@given(videos, backgrounds, st.permutations(range(CLASSES)), st.sampled_from(["ms-tcn", "ms-tcn2-eval", "tcn"]))
def test_other_ids_for_the_same_classes_change_nothing(cases, background, other, protocol):
    other = np.array(other) * 1000
    reference, prediction = (named(side) for side in zip(*cases, strict=True))
    as_names = [{v: [f"class{i}" for i in side] for v, side in sides.items()} for sides in (reference, prediction)]
    expected = scores(evaluate_labels(reference, prediction, background=background, protocol=protocol))
    moved = [{v: other[side] for v, side in sides.items()} for sides in (reference, prediction)]
    assert scores(evaluate_labels(*moved, background=other[list(background)].tolist(), protocol=protocol)) == expected
    names = tuple(f"class{i}" for i in background)
    assert scores(evaluate_labels(*as_names, background=names, protocol=protocol)) == expected


@few
@given(videos, backgrounds, st.randoms(use_true_random=False))
def test_the_order_of_videos_does_not_matter(cases, background, random):
    reference, prediction = (named(side) for side in zip(*cases, strict=True))
    order = random.sample(sorted(reference), len(reference))
    turned = evaluate_labels({v: reference[v] for v in order}, prediction, background=background, bootstrap=7)
    assert turned == evaluate_labels(reference, prediction, background=background, bootstrap=7)


@few
@given(videos, backgrounds, st.sampled_from(sorted(PROTOCOLS)))
def test_every_score_lies_between_0_and_100(cases, background, protocol):
    reference, prediction = (
        {v: [str(i) for i in side] for v, side in named(sides).items()} for sides in zip(*cases, strict=True)
    )
    names = tuple(map(str, background))
    report = evaluate_labels(reference, prediction, background=names, protocol=protocol, bootstrap=5)
    every = [*scores(report), *itertools.chain.from_iterable(report.intervals.values())]
    every += itertools.chain.from_iterable(map(scores, report.per_video.values()))
    for result in report.per_class.values():
        every += [result.frame_precision, result.frame_recall, *result.f1.values()]
    assert all(math.isfinite(score) and 0 <= score <= 100 + 1e-9 for score in every)


@few
@given(pairs(min_frames=1), st.data())
def test_segments_cut_in_two_count_as_one(case, data):
    """A Segmentation may have neighbours of one class; scores depend only on the frames."""
    cuts = data.draw(st.sets(st.integers(1, len(case[0])), max_size=6))
    whole = Segmentation.from_frames(case[1])
    bounds = np.array(sorted({*whole.boundaries.tolist(), *cuts}))
    cut = Segmentation(bounds, case[1][bounds[:-1]])
    expected = evaluate_labels({"v": case[0]}, {"v": whole}, background=(0,))
    assert evaluate_labels({"v": case[0]}, {"v": cut}, background=(0,)) == expected


@few
@given(pairs(), st.booleans())
def test_a_reference_segment_is_hit_once_and_higher_overlaps_never_hit_more(case, short):
    pair = overlay_pair(*case)
    hits = segment_hits(pair, OVERLAPS, last_frame_short=short).sum(axis=1)
    assert hits[0] >= hits[1] >= hits[2]
    assert hits[0] <= min(len(pair.reference), len(pair.prediction))
