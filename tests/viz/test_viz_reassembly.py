"""The picture of the re-assembly: every point is in its place, and lines lead to what became of it."""

from __future__ import annotations

import itertools
import warnings

import numpy as np
import pytest
from matplotlib.collections import LineCollection, PathCollection, PolyCollection
from matplotlib.colors import to_hex

from keyseg.keypoints import example_keypoints, reassembly_steps
from keyseg.timeline import LabelMap, TimelineError
from keyseg.viz import class_colours, plot_reassembly

pytestmark = pytest.mark.slow

_LABELS = LabelMap(("take", "pour", "stir", "drink", "unused"))
_COLOURS = class_colours(_LABELS)
_STEPS = reassembly_steps(*example_keypoints())
_GREY = "#767676"


def _axes(steps=_STEPS, labels=_LABELS, **keywords):
    return plot_reassembly(steps, labels, **keywords).axes[0]


def _marks(axes):
    """(x, y, colour, size) of everything that is drawn as a mark."""
    for marks in (c for c in axes.collections if isinstance(c, PathCollection)):
        faces, sizes = marks.get_facecolors(), marks.get_sizes()
        for i, (x, y) in enumerate(marks.get_offsets()):
            yield round(float(x), 6), round(float(y), 6), to_hex(faces[i % len(faces)]), float(sizes[i % len(sizes)])


def _dots(axes):
    """Keypoints only: sentinels are white, crosses lie between the rows."""
    return [mark for mark in _marks(axes) if mark[2] != "#ffffff" and mark[1] % 1 == 0]


def _links(axes):
    """((x, y), (x, y), colour, width) of all lines between rows."""
    links = []
    for lines in (c for c in axes.collections if isinstance(c, LineCollection)):
        widths, colours = lines.get_linewidths(), lines.get_colors()
        for i, (start, end) in enumerate(lines.get_segments()):
            if start[1] != end[1]:
                links.append((tuple(start), tuple(end), to_hex(colours[i % len(colours)]), widths[i % len(widths)]))
    return links


def _texts(figure):
    texts = [*figure.texts, *itertools.chain.from_iterable(legend.get_texts() for legend in figure.legends)]
    for axes in figure.axes:
        texts += [*axes.texts, *axes.get_xticklabels(), axes.xaxis.label]
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


def test_dots_are_the_points_of_each_step_in_their_colours():
    """Action points in the middle of their frame, boundaries at the start of theirs."""
    expected = []
    for y, step in enumerate(_STEPS[:-1]):
        expected += [
            (round(t + 0.5, 6), y, _COLOURS[i]) for t, i in zip(step.actions.time, step.actions.label, strict=True)
        ]
        expected += [(t, y, _GREY) for t in step.boundaries.time]
    assert sorted(dot[:3] for dot in _dots(_axes())) == sorted(expected)


def test_dots_grow_with_confidence_and_show_its_number():
    axes = _axes()
    sizes = {x: size for x, y, colour, size in _dots(axes) if y == 0 and colour != _GREY}
    first = _STEPS[0].actions
    order = np.argsort(first.confidence, kind="stable")
    assert np.all(np.diff([sizes[first.time[i] + 0.5] for i in order]) >= 0)
    drawn = [size for _, y, _, size in _dots(axes) if y == 0]
    assert drawn == sorted(drawn)  # where dots overlap, the most confident is on top
    numbers = {(text.get_position()[0], text.get_text()) for text in axes.texts if text.get_position()[1] == 0}
    assert {(7.5, ".5"), (14.5, ".8"), (27.0, ".8"), (114.0, ".2")} <= numbers


def test_start_and_end_are_marked_on_every_row_of_points():
    sentinels = [(x, y) for x, y, colour, _ in _marks(_axes()) if colour == "#ffffff"]
    assert sorted(sentinels) == sorted((x, y) for x in (0, 120) for y in range(len(_STEPS) - 1))


def test_lines_lead_from_each_point_to_the_one_it_became():
    links = {(start, end): (colour, width) for start, end, colour, width in _links(_axes())}
    for y, (before, after) in enumerate(itertools.pairwise(_STEPS[:-1])):
        for j, i in enumerate(after.actions_into):
            if i >= 0:
                colour, width = links[(before.actions.time[j] + 0.5, y), (after.actions.time[i] + 0.5, y + 1)]
                assert colour == _COLOURS[before.actions.label[j]]
                assert (width > 1) == (np.count_nonzero(after.actions_into == i) > 1)  # merged ones are thick
        for j, i in enumerate(after.boundaries_into):
            if i >= 0:
                assert links[(before.boundaries.time[j], y), (after.boundaries.time[i], y + 1)][0] == _GREY


def test_the_path_of_a_deleted_point_ends_in_a_cross():
    axes = _axes()
    crosses = sorted((x, y) for x, y, _, _ in _marks(axes) if y % 1)
    ends = {(round(float(end[0]), 6), round(float(end[1]), 6)) for start, end, _, _ in _links(axes)}
    # Another class at 21 and 86, after the last action point at 114, between equal neighbours at 51.
    assert [x for x, _ in crosses] == [21.5, 51, 86.5, 114]
    assert [int(y) for _, y in crosses] == [0, 2, 0, 1]
    assert set(crosses) <= ends


def test_the_last_row_is_the_painted_bar():
    (bar,) = [c for c in _axes().collections if isinstance(c, PolyCollection)]
    spans = sorted((path.vertices[:, 0].min(), path.vertices[:, 0].max()) for path in bar.get_paths())
    np.testing.assert_allclose(spans, [(0, 29), (29, 66), (66, 94), (94, 120)])
    heights = np.concatenate([path.vertices[:, 1] for path in bar.get_paths()])
    assert heights.min() > len(_STEPS) - 1.5
    assert heights.max() < len(_STEPS) - 0.5


def test_rows_name_the_rule_and_the_lines_and_the_legend_the_classes():
    figure = plot_reassembly(_STEPS, _LABELS, title="an example")
    texts = [text.get_text() for text in figure.axes[0].texts]
    for words in ("merge actions", "merge boundaries", "join equal neighbours", "paint"):
        assert words in texts
    assert [text for text in texts if "lines" in text] == [f"(lines {n})" for n in ("1-4", "5-8", "9-15", "16-17")]
    assert [text.get_text() for text in figure.texts] == ["an example", "take", "pour", "stir", "drink"]


def test_all_text_of_the_example_stays_readable():
    _assert_all_text_readable(plot_reassembly(_STEPS, _LABELS, title="an example"))


def test_many_points_shrink_and_lose_their_numbers():
    random = np.random.default_rng(3)
    actions = list(zip(random.uniform(-9, 999, 90), np.arange(90) % 5, random.random(90), strict=True))
    boundaries = list(zip(random.uniform(0, 999, 90).tolist(), random.random(90).tolist(), strict=True))
    figure = plot_reassembly(reassembly_steps(actions, boundaries, 990), _LABELS, title="many")
    _assert_all_text_readable(figure)
    assert not [text for text in figure.axes[0].texts if text.get_text().startswith(".")]
    assert max(dot[3] for dot in _dots(figure.axes[0])) < max(dot[3] for dot in _dots(_axes()))


@pytest.mark.parametrize(
    ("actions", "boundaries", "length"),
    [([], [], 0), ([], [(3, 1)], 9), ([(0, 1, 0)], [], 1), ([(4, 0, 1)] * 3, [(4, 1)] * 3, 8), ([(-9, 0, 1)], [], 5)],
)
def test_degenerate_input_is_drawn(actions, boundaries, length):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        _assert_all_text_readable(plot_reassembly(reassembly_steps(actions, boundaries, length), _LABELS))


def test_names_are_written_literally():
    _assert_all_text_readable(plot_reassembly(_STEPS, LabelMap(("_a$\\frac{$", "$b$", "c", "d")), title="$\\broken{$"))


def test_steps_that_cannot_be_drawn_are_refused():
    with pytest.raises(TimelineError, match=r"painted segments at the end, got 0 steps"):
        plot_reassembly([], _LABELS)
    with pytest.raises(TimelineError, match=r"got 2 steps without them"):
        plot_reassembly(_STEPS[:2], _LABELS)
    with pytest.raises(TimelineError, match=r"class id 3 is unknown.*ids 0 to 1"):
        plot_reassembly(_STEPS, LabelMap(("a", "b")))
    merged = reassembly_steps([(3, 0, 0.9), (4, 7, 0.1)], [], 9)  # the unknown class is not in the last step
    with pytest.raises(TimelineError, match=r"action keypoints: class id 7 is unknown, the label map has ids 0 to 4"):
        plot_reassembly(merged, _LABELS)
