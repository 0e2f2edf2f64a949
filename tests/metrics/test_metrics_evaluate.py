"""Hand-worked scores, protocols, degenerate videos, kinds of labels, and what `evaluate_labels` refuses."""

import itertools
import subprocess
import sys

import numpy as np
import pytest

import keyseg.metrics
from keyseg.metrics import evaluate_labels
from keyseg.metrics.accuracy import frame_accuracy
from keyseg.metrics.edit import edit_score
from keyseg.metrics.overlay import overlay_pair
from keyseg.metrics.protocols import PROTOCOLS
from keyseg.metrics.segmental_f1 import segment_counts, segmental_f1
from keyseg.timeline import ConfigError, DataError, Segmentation, TimelineError

pytestmark = pytest.mark.filterwarnings("error")  # NumPy warns of divisions by zero


def frames(text):
    """`"a4 b2"` -> four times `a`, two times `b`."""
    return list(itertools.chain.from_iterable([run[:-1]] * int(run[-1]) for run in text.split()))


def score(reference, prediction, **options):
    return evaluate_labels({"v": frames(reference)}, {"v": frames(prediction)}, **options)


def counts(report, overlap):
    result = report.segments[overlap]
    return result.tp, result.fp, result.fn


def test_hand_worked_video():
    """13 frames; segments a5 b3 c5 against a3 b7 d3: IoU of a is 3/5, of b 3/7."""
    report = score("a5 b3 c5", "a3 b7 d3")
    assert report.acc == pytest.approx(100 * 6 / 13)
    assert report.edit == pytest.approx(100 * 2 / 3)
    assert counts(report, 0.25) == (2, 1, 1)
    assert counts(report, 0.5) == (1, 2, 2)
    assert report.f1 == pytest.approx({0.1: 200 / 3, 0.25: 200 / 3, 0.5: 100 / 3})
    assert (report.videos, report.frames, report.protocol) == (1, 13, "ms-tcn")


def test_an_iou_equal_to_the_threshold_hits():
    assert counts(score("a5 b5", "a1 b9"), 0.1) == (2, 0, 0)
    assert counts(score("a4 b4", "a1 b7"), 0.25) == (2, 0, 0)
    assert counts(score("a4 b4", "a2 b6"), 0.5) == (2, 0, 0)


def test_of_equal_overlaps_the_first_reference_is_taken_and_no_second_choice_is_made():
    """The long `a` overlaps both annotated ones by 2 / 8. It takes the first, which the one-frame `a` has hit."""
    assert counts(score("a4 b2 a4", "a1 c1 a6 c2"), 0.25) == (1, 3, 2)


def test_the_best_overlap_is_taken_even_where_an_earlier_one_suffices():
    """The `a` from 1 to 9 overlaps the annotated ones by 1/9 and 6/8; if it took the first, both would miss at 0.5."""
    assert counts(score("a2 b1 a6", "b1 a8"), 0.5) == (1, 1, 2)


def test_the_second_prediction_on_a_reference_is_a_false_positive():
    assert counts(score("a9", "a3 b1 a5"), 0.1) == (1, 2, 0)


def test_background_counts_for_accuracy_only():
    report = score("background3 a4 background2", "background3 a4 b2")
    assert report.acc == pytest.approx(700 / 9)
    assert report.edit == 50
    assert counts(report, 0.5) == (1, 1, 0)
    assert score("background3 a4", "background3 a4", background=()).segments[0.5].tp == 2


def test_edit_compares_equal_neighbours_left_by_background():
    """Without background, `a a` is compared with `a`: one deletion of two."""
    assert score("a2 background2 a2", "a6").edit == 50


def test_protocol_ms_tcn2_eval_shortens_the_last_segment():
    """b overlaps by 2 / 4 frames; one frame less on both sides makes 1 / 3."""
    assert score("a4 b4", "a6 b2").f1[0.5] == 100
    short = score("a4 b4", "a6 b2", protocol="ms-tcn2-eval")
    assert counts(short, 0.5) == (1, 1, 1)
    assert (short.acc, short.edit) == (75, 100)


def test_protocol_ms_tcn2_eval_never_hits_a_last_segment_of_one_frame():
    """So a perfect prediction does not score 100; the same happens in the published program, from 0 / 0."""
    assert counts(score("a5 b1", "a5 b1", protocol="ms-tcn2-eval"), 0.1) == (1, 1, 1)
    assert counts(score("a1", "a1", protocol="ms-tcn2-eval"), 0.1) == (0, 1, 1)


def test_protocol_bcn_ignores_classes_that_are_not_actions():
    reference = "action_start2 SIL2 a3 background1 action_end2"
    prediction = "a2 SIL1 action_start1 a3 background1 SIL2"
    report = score(reference, prediction, protocol="bcn")
    assert counts(report, 0.1) == (1, 1, 0)
    assert report.edit == 50
    assert report.background == ("background",)
    assert counts(score(reference, prediction), 0.1) == (2, 3, 2)


def test_protocol_tcn_averages_videos():
    reference = {"long": frames("a4 b4"), "short": frames("c2")}
    prediction = {"long": frames("a8"), "short": frames("c2")}
    pooled = evaluate_labels(reference, prediction)
    averaged = evaluate_labels(reference, prediction, protocol="tcn")
    assert (pooled.acc, averaged.acc) == (60, 75)
    assert pooled.f1[0.5] == pytest.approx(100 * 4 / 5)
    assert averaged.f1[0.5] == pytest.approx((200 / 3 + 100) / 2)
    assert pooled.edit == averaged.edit == 75
    assert averaged.segments == pooled.segments


def test_unknown_protocol_names_the_nearest():
    with pytest.raises(ConfigError, match=r"unknown protocol 'mstcn' \(did you mean 'ms-tcn'\?\)"):
        score("a1", "a1", protocol="mstcn")


@pytest.mark.parametrize("protocol", sorted(PROTOCOLS))
@pytest.mark.parametrize(
    ("reference", "prediction", "expected"),
    [
        ("", "", (100, 100, 100)),
        ("background5", "background5", (100, 100, 100)),
        ("background5", "a5", (0, 0, 0)),
        ("a5", "background5", (0, 0, 0)),
        ("a1", "b1", (0, 0, 0)),
        ("background1", "background1", (100, 100, 100)),
    ],
)
def test_degenerate_videos(protocol, reference, prediction, expected):
    """No frames or no segments on both sides: 100. Segments on only one side: edit and F1 are 0."""
    report = score(reference, prediction, protocol=protocol)
    assert (report.acc, report.edit) == expected[:2]
    assert set(report.f1.values()) == {expected[2]}


@pytest.mark.parametrize("protocol", ["ms-tcn", "bcn", "tcn"])
def test_one_right_frame(protocol):
    report = score("a1", "a1", protocol=protocol)
    assert (report.acc, report.edit, report.f1[0.5]) == (100, 100, 100)


def test_plain_functions_are_defined_without_videos():
    assert (frame_accuracy([], []), edit_score([], []), segmental_f1([], [])) == (100, 100, 100)


def test_per_class_scores():
    report = score("background2 a4 b2", "background3 a1 c4")
    a = report.per_class["a"]
    assert (a.frame_precision, a.frame_recall, a.support, a.ignored) == (100, 25, 4, False)
    assert a.f1 == {0.1: 100, 0.25: 100, 0.5: 0}
    b, c, background = (report.per_class[name] for name in ("b", "c", "background"))
    assert (b.frame_precision, b.frame_recall, b.support) == (0, 0, 2)
    assert (c.frame_precision, c.frame_recall, c.support) == (0, 0, 0)
    assert background.ignored
    assert background.segments[0.5].tp == 1
    assert counts(report, 0.1) == (1, 1, 1)
    assert list(report.per_class) == ["a", "b", "background", "c"]


def test_every_kind_of_labels_scores_alike():
    names = frames("a3 b4 a2"), frames("a5 b4")
    ids = tuple(np.array(["ab".index(name) for name in side]) for side in names)
    expected = evaluate_labels({"v": names[0]}, {"v": names[1]})
    for kind in (np.array, tuple, lambda side: np.array(side, object)):
        assert evaluate_labels({"v": kind(names[0])}, {"v": kind(names[1])}) == expected
    by_id = evaluate_labels({"v": ids[0]}, {"v": ids[1]}, background=())
    for kind in (Segmentation.from_frames, list, lambda side: side.astype(np.uint8)):
        assert evaluate_labels({"v": kind(ids[0])}, {"v": kind(ids[1])}, background=()) == by_id
    assert (by_id.acc, by_id.edit, by_id.f1) == (expected.acc, expected.edit, expected.f1)
    assert evaluate_labels({"v": Segmentation.from_frames(ids[0])}, {"v": list(ids[1])}, background=()) == by_id


def test_background_may_be_one_name_ids_or_a_mixture():
    assert score("bg2 a2", "bg2 a2", background="bg").background == ("bg",)
    ids = {"v": np.array([7, 7, 3, 3])}
    assert evaluate_labels(ids, ids, background=(7, "background")).segments[0.5].tp == 1
    assert evaluate_labels(ids, ids, background=frozenset({np.int64(7)})).to_json()["background"] == [7]


def test_every_wrong_video_is_named_at_once():
    reference = {"m1": [0], "m2": [0], "same": [0, 1], "short": [0, 1, 1], "long": [0]}
    prediction = {"same": [0, 1], "short": [0, 1], "long": [0, 0], "x1": [0], "x2": [0]}
    with pytest.raises(DataError) as error:
        evaluate_labels(reference, prediction)
    message = str(error.value)
    assert "missing predictions (2): m1, m2" in message
    assert "extra predictions without a reference (2): x1, x2" in message
    assert "different numbers of frames (2): long (1 in the reference, 2 predicted)" in message
    assert "short (3 in the reference, 2 predicted)" in message
    assert "same" not in message.replace("same number", "")


@pytest.mark.parametrize(
    ("reference", "prediction", "words"),
    [
        ({}, {}, "no video to score"),
        ({"v": ["a", "b"]}, {"v": [0, 1]}, r"prediction of video 'v': 0 is a class id, but earlier labels \('a'\)"),
        ({"v": [0, 1]}, {"v": ["a", "b"]}, "prediction of video 'v': 'a' is a class name, but .* are ids"),
        ({"v": ["a", 1]}, {"v": ["a", "b"]}, "reference of video 'v': 1 is a class id"),
        ({"v": [0, 1]}, {"v": np.array([0.5, 1])}, "prediction of video 'v': frames must be integers, got float64"),
        ({"v": [0, 1]}, {"v": np.zeros((2, 3), int)}, r"prediction of video 'v': .* one dimension, got shape \(2, 3\)"),
        ({"v": [0, -1]}, {"v": [0, 1]}, "reference of video 'v': labels are class ids >= 0, got -1"),
        ({"v": "ab"}, {"v": "ab"}, "reference of video 'v': expected one label per frame, got the single string 'ab'"),
    ],
)
def test_unreadable_labels_are_refused(reference, prediction, words):
    with pytest.raises(DataError, match=words):
        evaluate_labels(reference, prediction)


def test_ids_are_refused_where_a_protocol_ignores_names():
    with pytest.raises(
        ConfigError, match="'bcn' ignores action_start, action_end, SIL by name, but the labels are ids"
    ):
        evaluate_labels({"v": [0]}, {"v": [0]}, protocol="bcn")


def test_plain_functions_refuse_what_does_not_fit():
    with pytest.raises(DataError, match="expected 2, got 3"):
        frame_accuracy([np.array([0, 1])], [np.array([0, 1, 1])])
    with pytest.raises(DataError, match="a prediction for each of 2 videos, got 1"):
        edit_score([np.array([0]), np.array([1])], [np.array([0])])
    with pytest.raises(ConfigError, match=r"0 < overlap <= 1, got 0"):
        segmental_f1([np.array([0])], [np.array([0])], overlap=0)
    with pytest.raises(TimelineError, match="one dimension"):
        frame_accuracy([np.zeros((1, 2), int)], [np.zeros((1, 2), int)])


def test_one_video_can_be_counted_separately():
    result = segment_counts(overlay_pair(np.array([0, 0, 1]), np.array([0, 1, 1])), 0.5, np.array([1]))
    assert (result.tp, result.fp, result.fn, result.f1) == (1, 0, 0, 100)


def test_public_names():
    names = {"OVERLAPS", "Comparison", "Report", "compare_labels", "evaluate_labels", "mean_reports"}
    assert set(keyseg.metrics.__all__) == names
    assert set(PROTOCOLS) == {"ms-tcn", "ms-tcn2-eval", "bcn", "tcn"}


def test_importing_the_room_does_not_import_torch():
    program = "import sys, keyseg.metrics; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_labels_in_two_unicode_forms_are_one_class() -> None:
    nfc, nfd = "caf\u00e9", "cafe\u0301"
    report = evaluate_labels({"a": [nfc, nfc, "tea"]}, {"a": [nfd, nfd, "tea"]}, background=(nfd,))
    assert (report.acc, report.f1[0.5], list(report.per_class)) == (100, 100, [nfc, "tea"])
    assert report.per_class[nfc].ignored
