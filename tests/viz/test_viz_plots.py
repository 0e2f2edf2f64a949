"""Timelines and predictions as figures: everything is drawn in its place, and nothing is cut off."""

from __future__ import annotations

import itertools
import re
import subprocess
import sys
import warnings
from fractions import Fraction

import numpy as np
import pytest
from matplotlib.collections import LineCollection, PathCollection, PolyCollection
from matplotlib.colors import to_rgba_array
from matplotlib.patches import Rectangle

from keyseg.keypoints.points import ActionKeypoints
from keyseg.timeline import LabelMap, Segmentation, TimeBase, TimelineError
from keyseg.viz import Followed, class_colours, plot_prediction, plot_timelines

pytestmark = pytest.mark.slow

_LABELS = LabelMap(("background", "pour", "take", "stir"), ("background",))
_TRUTH = Segmentation(np.array([0, 30, 75, 90, 150]), np.array([0, 2, 1, 2]))
_TIME = TimeBase(Fraction(15))
_NO_ACTIONS = ActionKeypoints.of([])


def _spans(collection):
    """(start, end) of each polygon, in x."""
    return sorted((path.vertices[:, 0].min(), path.vertices[:, 0].max()) for path in collection.get_paths())


def _bars(axes):
    return [c for c in axes.collections if isinstance(c, PolyCollection)]


def _texts(figure):
    texts = list(figure.texts) + [text for legend in figure.legends for text in legend.get_texts()]
    for axes in figure.axes:
        texts += [*axes.texts, *axes.get_xticklabels(), axes.xaxis.label, axes.title]
    return [text for text in texts if text.get_text()]


def _assert_all_text_readable(figure):
    renderer = figure.canvas.get_renderer()
    figure.draw(renderer)
    boxes = [(text.get_text(), text.get_window_extent(renderer)) for text in _texts(figure)]
    width, height = figure.bbox.size
    for text, box in boxes:
        assert box.x0 >= 0, text
        assert box.y0 >= 0, text
        assert box.x1 <= width, text
        assert box.y1 <= height, text
    for (one, a), (other, b) in itertools.combinations(boxes, 2):
        assert not (a.x0 < b.x1 and b.x0 < a.x1 and a.y0 < b.y1 and b.y0 < a.y1), f"{one!r} over {other!r}"


def test_bars_are_the_segments_in_seconds_and_colours():
    axes = plot_timelines([("truth", _TRUTH), ("RTK", _TRUTH)], _LABELS, _TIME).axes[0]
    assert len(_bars(axes)) == 2
    for bar in _bars(axes):
        np.testing.assert_allclose(_spans(bar), [(0, 2), (2, 5), (5, 6), (6, 10)])
    # Longest first: a segment narrower than a pixel is drawn over its neighbours, not under them.
    lengths = [np.ptp(path.vertices[:, 0]) for path in _bars(axes)[0].get_paths()]
    assert lengths == sorted(lengths, reverse=True)
    drawn = {tuple(np.round(face * 255).astype(int)) for face in _bars(axes)[0].get_facecolor()[:, :3]}
    colours = class_colours(_LABELS)
    assert drawn == {tuple(int(colours[i][k : k + 2], 16) for k in (1, 3, 5)) for i in (0, 1, 2)}


def test_neighbours_of_one_class_are_separated():
    twice = Segmentation(np.array([0, 30, 60, 90]), np.array([1, 1, 2]))
    axes = plot_timelines([("truth", twice)], _LABELS, _TIME).axes[0]
    (cuts,) = [c for c in axes.collections if isinstance(c, LineCollection)]
    assert [segment[0, 0] for segment in cuts.get_segments()] == [2.0]


def test_actions_are_named_in_segments_that_are_wide_enough():
    (axes,) = plot_timelines([("truth", _TRUTH), ("RTK", _TRUTH)], _LABELS, _TIME).axes
    named = [(*text.get_position(), text.get_text()) for text in axes.texts if text.get_text() in _LABELS.names]
    middles = [(3.5, "take"), (5.5, "pour"), (8, "take")]  # and no background
    assert named == [(x, y, name) for y in (0, 1) for x, name in middles]
    short = Segmentation(np.array([0, 3, 150]), np.array([1, 2]))
    (axes,) = plot_timelines([("truth", short)], _LABELS, _TIME).axes
    assert [text.get_text() for text in axes.texts] == ["take", "truth"]


def test_legend_names_the_classes_that_occur_and_no_other():
    figure = plot_timelines([("truth", _TRUTH)], _LABELS, _TIME, title="a title")
    assert [text.get_text() for text in figure.texts] == ["a title", "background", "pour", "take"]


def test_boxes_surround_their_frames_over_all_rows():
    axes = plot_timelines([("a", _TRUTH), ("b", _TRUTH)], _LABELS, _TIME, boxes=[(30, 60), (0, 150)]).axes[0]
    boxes = [patch for patch in axes.patches if isinstance(patch, Rectangle)]
    assert [(box.get_x(), box.get_x() + box.get_width()) for box in boxes] == [(2, 4), (0, 10)]
    assert all(box.get_y() < -0.36 and box.get_y() + box.get_height() > 1.36 for box in boxes)


@pytest.mark.parametrize("box", [(-1, 5), (5, 5), (10, 151)])
def test_a_box_outside_the_video_is_refused(box):
    with pytest.raises(TimelineError, match=r"0 <= start < end <= 150"):
        plot_timelines([("truth", _TRUTH)], _LABELS, _TIME, boxes=[box])


def test_rows_of_different_length_are_refused_by_name():
    short = Segmentation.from_frames([0] * 140)
    with pytest.raises(TimelineError, match=r"'truth' has 150 frames and 'RTK' has 140"):
        plot_timelines([("truth", _TRUTH), ("RTK", short)], _LABELS, _TIME)


def test_no_row_and_an_unknown_class_are_refused():
    with pytest.raises(TimelineError, match="at least one row"):
        plot_timelines([], _LABELS, _TIME)
    with pytest.raises(TimelineError, match=r"row 'RTK': class id 4 is unknown.*ids 0 to 3"):
        plot_timelines([("RTK", Segmentation.from_frames([4]))], _LABELS, _TIME)


def test_ten_rows_and_48_classes_stay_readable():
    labels = LabelMap(tuple(f"some_longer_class_name_{i}" for i in range(48)))
    video = Segmentation.from_frames(np.repeat(np.arange(48), 200))
    names = ["ground truth", "a system whose name is far too long to be set beside a bar", *map(str, range(8))]
    _assert_all_text_readable(plot_timelines([(name, video) for name in names], labels, _TIME, title="all"))


def test_one_frame_one_class_and_an_empty_video():
    one = plot_timelines([("truth", Segmentation.from_frames([0]))], LabelMap(("a",)), _TIME)
    np.testing.assert_allclose(_spans(_bars(one.axes[0])[0]), [(0, 1 / 15)])
    empty = plot_timelines([("truth", Segmentation.from_frames([]))], _LABELS, _TIME)
    assert not empty.texts
    for figure in (one, empty):
        _assert_all_text_readable(figure)


def test_names_are_written_literally():
    labels = LabelMap(("_a$\\frac{$", "$b$"))
    figure = plot_timelines([("$x_", Segmentation.from_frames([0, 1]))], labels, _TIME, title="$\\broken{$")
    _assert_all_text_readable(figure)
    assert [text.get_text() for text in figure.texts][1:] == list(labels.names)


def _prediction(timebase=_TIME, **keywords):
    """The figure of a prediction that is right, with keypoints at its centres."""
    rate, steps = timebase.sample_rate, timebase.steps(_TRUTH.length)
    centres = [((s.start_frame + s.end_frame) / (2 * rate) - 0.5, s.label, 0.5 + 0.1 * s.label) for s in _TRUTH]
    keywords = {
        "boundary": np.linspace(0, 1, steps),
        "cuts": np.array([4, 10, 25, 30, 44]) * 3 / rate,
        "proposed": ActionKeypoints.of(centres),
        "chosen": ActionKeypoints.of(centres[1:]),
    } | keywords
    rows = [("annotation", _TRUTH), ("with the match", _TRUTH)]
    return plot_prediction(np.random.default_rng(5).random((4, steps)), rows, _LABELS, timebase, **keywords)


def _panels(figure):
    """Axes of the image, the curve and the timelines."""
    image, _, _, curve, rows = figure.axes
    return image, curve, rows


def _points(axes):
    """Proposed and chosen keypoints."""
    return [c for c in axes.collections if isinstance(c, PathCollection)]


def _drawn_at(lines):
    return [segment[0, 0] for segment in lines.get_segments()]


@pytest.mark.parametrize("sample_rate", [1, 3])
def test_keypoints_are_at_the_centres_of_their_segments_in_the_colours_of_their_classes(sample_rate):
    image, _, rows = _panels(_prediction(TimeBase(Fraction(15), sample_rate)))
    middles = np.array(_spans(_bars(rows)[0])).mean(axis=1)
    proposed, chosen = _points(image)
    colours = to_rgba_array([class_colours(_LABELS)[label] for label in _TRUTH.labels])
    np.testing.assert_allclose(proposed.get_offsets(), np.stack([middles, _TRUTH.labels], axis=1))
    np.testing.assert_allclose(chosen.get_offsets(), np.stack([middles, _TRUTH.labels], axis=1)[1:])
    np.testing.assert_allclose(proposed.get_edgecolors(), colours)
    assert not len(proposed.get_facecolors())
    np.testing.assert_allclose(chosen.get_facecolors(), colours[1:])
    # Confidence is 0.5, 0.7, 0.6, 0.7 in time order.
    sizes = proposed.get_sizes()
    assert sizes[0] < sizes[2] < sizes[1] == sizes[3]


@pytest.mark.parametrize("sample_rate", [1, 3])
def test_proposed_cuts_are_thin_and_those_of_the_prediction_bold(sample_rate):
    _, curve, _ = _panels(_prediction(TimeBase(Fraction(15), sample_rate)))
    proposed, chosen = [c for c in curve.collections if isinstance(c, LineCollection)]
    np.testing.assert_allclose(_drawn_at(proposed), np.array([12, 30, 75, 90, 132]) / 15)
    np.testing.assert_allclose(_drawn_at(chosen), _TRUTH.boundaries[1:-1] / 15)
    assert proposed.get_linewidths()[0] < 0.5 < 1 < chosen.get_linewidths()[0]
    (line,) = curve.lines
    np.testing.assert_allclose(line.get_data()[0], np.arange(150 // sample_rate) * sample_rate / 15)


def test_rows_are_the_timelines_and_the_last_one_the_annotations():
    *_, rows = _panels(_prediction())
    assert [text.get_text() for text in rows.texts if text.get_text() not in _LABELS.names] == [
        "annotation",
        "with the match",
    ]
    for bar in _bars(rows):
        np.testing.assert_allclose(_spans(bar), [(0, 2), (2, 5), (5, 6), (6, 10)])


def test_a_panel_is_drawn_for_what_is_given_only():
    figure = plot_prediction(np.zeros((4, 150)), [("frame-wise", _TRUTH)], _LABELS, _TIME)
    assert len(figure.axes) == 4  # the image with its strip and scale, and the timelines
    assert not figure.legends
    _assert_all_text_readable(figure)


def _followed(**keywords):
    """Annotation 2 from its third segment on, a switch to annotation 11, a segment without, a jump back to 2."""
    return Followed(
        cuts=np.array([0, 10, 25, 50, 60, 90, 100]),
        annotation=np.array([1, 1, 10, -1, 1, 1]),
        position=np.array([2, 4, 6, -1, 7, 6]),
        arrival=("move", "move", "switch", "jump", "jump", "move"),
        **keywords,
    )


_BLOCKS = [(0, 25), (25, 50), (50, 60), (60, 100)]


@pytest.mark.parametrize("sample_rate", [1, 3])
def test_each_block_of_moves_is_named_by_the_annotation_that_it_follows(sample_rate):
    timebase = TimeBase(Fraction(15), sample_rate)
    video = Segmentation.from_frames([1] * 100 * sample_rate)
    figure = plot_prediction(np.zeros((4, 100)), [("a", video)], _LABELS, timebase, followed=_followed())
    rows = figure.axes[-1]
    boxes = [patch for patch in rows.patches if isinstance(patch, Rectangle)]
    step = sample_rate / 15
    spans = [(box.get_x(), box.get_x() + box.get_width()) for box in boxes]
    np.testing.assert_allclose(spans, np.array(_BLOCKS) * step)
    assert [box.get_hatch() for box in boxes] == [None, None, "/////", None]
    written = {text.get_text(): text.get_position()[0] for text in rows.texts if ":" in text.get_text()}
    assert written == pytest.approx({"2: 3–5": 12.5 * step, "11: 7": 37.5 * step, "2: 7–8": 80 * step})
    cuts = [_drawn_at(lines) for lines in rows.collections if isinstance(lines, LineCollection)]
    np.testing.assert_allclose(np.concatenate(cuts), np.array([10, 90]) * step)


def test_switches_and_jumps_have_different_signs():
    video = Segmentation.from_frames([1] * 100)
    figure = plot_prediction(np.zeros((4, 100)), [("a", video)], _LABELS, _TIME, followed=_followed())
    signs = [(line.get_marker(), *line.get_xdata()) for line in figure.axes[-1].lines]
    switch, jump = signs[0][0], signs[1][0]
    assert switch != jump
    assert signs == [(switch, 25 / 15), (jump, 50 / 15), (jump, 60 / 15)]
    (key,) = figure.legends
    assert [text.get_text() for text in key.get_texts()] == [
        "switch at a common class",
        "jump",
        "3: 5–8  segments 5–8 of annotation 3",
        "no annotation",
    ]


def test_a_block_without_room_has_the_number_alone_or_nothing():
    cuts = np.array([0, 30, 33, 1000])  # 3 % of 7 inches, then 0.3 %
    followed = Followed(cuts, np.array([0, 1, 2]), np.array([10, 11, 12]), ("move", "jump", "jump"))
    video = Segmentation.from_frames([1] * 1000)
    figure = plot_prediction(np.zeros((4, 1000)), [("a", video)], _LABELS, _TIME, followed=followed)
    assert [t.get_text() for t in figure.axes[-1].texts][1:-2] == ["1", "3: 13"]


def test_names_of_the_annotations_that_are_followed_are_listed_where_known():
    names = [f"video-{i}" for i in range(12)]
    video = Segmentation.from_frames([1] * 100)
    figure = plot_prediction(np.zeros((4, 100)), [("a", video)], _LABELS, _TIME, followed=_followed(names=names))
    assert [text.get_text() for text in figure.texts] == ["training annotations: 2\xa0video-1, 11\xa0video-10"]
    many = Followed(np.arange(41), np.arange(40), np.arange(40), ("move",) * 40, [f"video-{i}" for i in range(40)])
    lines = many.names_of_numbers()
    assert len(lines) > 1
    assert re.findall(r"(\d+)\xa0video-(\d+)", "".join(lines)) == [(str(i + 1), str(i)) for i in range(40)]
    free = Followed(np.array([0, 100]), np.array([-1]), np.array([-1]), ("move",), names)
    figure = plot_prediction(np.zeros((4, 100)), [("a", video)], _LABELS, _TIME, followed=free)
    assert not figure.texts


def test_a_narrow_peak_survives_in_a_long_video():
    image = np.zeros((2, 20_000))
    image[1, 12_345] = 1
    long = Segmentation.from_frames(np.zeros(20_000, np.int64))
    figure = plot_prediction(image, [("long", long)], LabelMap(("a", "b")), TimeBase(Fraction(15), 1))
    drawn = figure.axes[0].images[0]
    row, column = np.argwhere(drawn.get_array() == 1).T
    left, right, _, _ = drawn.get_extent()
    width = (right - left) / drawn.get_array().shape[1]
    assert row.tolist() == [1]
    assert column[0] * width <= 12_345 / 15 < (column[0] + 1) * width


def test_a_prediction_of_one_step_and_of_none_is_drawn():
    none = Followed(np.zeros(1, np.int64), np.zeros(0, np.int64), np.zeros(0, np.int64), ())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for steps in (1, 0):
            figure = plot_prediction(
                np.zeros((1, steps)),
                [("a", Segmentation.from_frames([0] * steps))],
                LabelMap(("a",)),
                _TIME,
                boundary=np.zeros(steps),
                proposed=_NO_ACTIONS,
                chosen=_NO_ACTIONS,
                followed=none,
            )
            figure.draw(figure.canvas.get_renderer())


def test_a_prediction_of_48_classes_that_follows_many_annotations_stays_readable():
    labels = LabelMap(tuple(f"some_longer_class_name_{i}" for i in range(48)))
    video = Segmentation.from_frames(np.repeat(np.arange(48), 100))
    follows = Followed(
        cuts=np.arange(0, 4801, 100),
        annotation=np.arange(48) * 7 - 1,
        position=np.arange(48),
        arrival=("switch", "jump", "jump") * 16,
        names=[f"{'$' * (i % 60)}_SUBJECT_{i}" for i in range(400)],
    )
    figure = plot_prediction(
        np.zeros((48, 4800)),
        [(name, video) for name in ("annotation", "frame-wise", "without the match", "with the match")],
        labels,
        _TIME,
        boundary=np.zeros(4800),
        cuts=np.arange(4800),
        proposed=ActionKeypoints.of([(i, i % 48, 0.5) for i in range(4000)]),
        followed=follows,
        title="all",
    )
    _assert_all_text_readable(figure)


def test_predictions_that_do_not_fit_together_are_refused():
    rows = [("a", _TRUTH)]
    with pytest.raises(TimelineError, match=r"C = 4 classes, got \(4, 150\) and \(149,\)"):
        plot_prediction(np.zeros((4, 150)), rows, _LABELS, _TIME, boundary=np.zeros(149))
    with pytest.raises(TimelineError, match=r"C = 4 classes, got \(3, 150\) and None"):
        plot_prediction(np.zeros((3, 150)), rows, _LABELS, _TIME)
    for kind in ("proposed", "chosen"):
        unknown = {kind: ActionKeypoints.of([(3, 4, 1)])}
        with pytest.raises(
            TimelineError, match="action keypoints: class id 4 is unknown, the label map has ids 0 to 3"
        ):
            plot_prediction(np.zeros((4, 150)), rows, _LABELS, _TIME, **unknown)
    with pytest.raises(TimelineError, match=r"150 frames, 75 steps at sample_rate 2, but the scores have 150 steps"):
        plot_prediction(np.zeros((4, 150)), rows, _LABELS, TimeBase(Fraction(15), 2))
    with pytest.raises(TimelineError, match="expected at least one row"):
        plot_prediction(np.zeros((4, 150)), [], _LABELS, _TIME)


def test_importing_needs_no_matplotlib_and_drawing_no_pyplot():
    program = (
        "import sys, keyseg.viz as viz\n"
        "assert 'matplotlib' not in sys.modules, 'imported too early'\n"
        "viz.plot_curves({'a': ([0, 1], [1, 2])})\n"
        "assert 'matplotlib.figure' in sys.modules\n"
        "assert 'matplotlib.pyplot' not in sys.modules, 'pyplot keeps global state'\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
