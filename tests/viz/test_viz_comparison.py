"""Comparing systems: key frames above their times, boxes where only one system is right."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.patches import Rectangle

from keyseg.timeline import ConfigError, LabelMap, Segmentation, TimeBase, TimelineError
from keyseg.viz import differing_ranges, plot_timelines

pytestmark = pytest.mark.slow

_LABELS = LabelMap(("background", "pour", "take"), ("background",))
_TRUTH = Segmentation(np.array([0, 30, 75, 90, 150]), np.array([0, 2, 1, 2]))
_ROWS = [("ground truth", _TRUTH), ("RTK", _TRUTH), ("frames", Segmentation.from_frames([0] * 150))]
_TIME = TimeBase(Fraction(15))


def _image(level=90, height=120, width=200):
    return np.full((height, width, 3), level, np.uint8)


def _strip(figure):
    """Axes of the key frames, from left to right."""
    return sorted((axes for axes in figure.axes if axes.images), key=lambda axes: axes.get_position().x0)


def _ends(figure):
    """(x, y) where each line from a key frame ends, in coordinates of the bars' axes."""
    (bars,) = (axes for axes in figure.axes if not axes.images)
    to_data = figure.transFigure + bars.transData.inverted()
    leads = [artist for artist in figure.artists if len(getattr(artist, "get_xdata", lambda: ())()) == 2]
    return [to_data.transform((line.get_xdata()[1], line.get_ydata()[1])) for line in leads]


def _assert_nothing_covers_the_strip(figure):
    renderer = figure.canvas.get_renderer()
    figure.draw(renderer)
    frames = [axes.get_window_extent(renderer) for axes in _strip(figure)]
    (bars,) = (axes for axes in figure.axes if not axes.images)
    others = [text.get_window_extent(renderer) for text in (*figure.texts, *bars.texts) if text.get_text()]
    others.append(bars.get_window_extent(renderer))
    width, height = figure.bbox.size
    for box in frames:
        assert box.x0 >= 0
        assert box.x1 <= width
        assert box.y1 <= height
    for a, b in (*itertools.combinations(frames, 2), *itertools.product(frames, others)):
        assert not (a.x0 < b.x1 - 1e-6 and b.x0 < a.x1 - 1e-6 and a.y0 < b.y1 and b.y0 < a.y1)


def test_key_frames_are_in_order_of_time_and_point_at_it():
    levels = {100: 10, 20: 20, 149: 30}
    figure = plot_timelines(_ROWS, _LABELS, _TIME, key_frames=[(f, _image(level)) for f, level in levels.items()])
    assert [axes.images[0].get_array()[0, 0, 0] for axes in _strip(figure)] == [20, 10, 30]
    np.testing.assert_allclose(_ends(figure), [((f + 0.5) / 15, -0.5) for f in (20, 100, 149)])


def test_without_a_frame_rate_the_lines_end_at_frames():
    figure = plot_timelines(_ROWS, _LABELS, None, key_frames=[(20, _image())])
    np.testing.assert_allclose(_ends(figure), [(20.5, -0.5)])


@pytest.mark.parametrize("title", ["", "S1_Coffee_C1"])
@pytest.mark.parametrize(
    ("frames", "shape"),
    [
        ((75,), (120, 200)),
        ((0, 149), (120, 160)),
        (tuple(range(60, 72)), (90, 160)),
        ((0, 1, 2, 3, 146, 147, 148, 149), (160, 90)),
        ((10, 10, 10), (160, 480)),
        ((5, 140), (10, 2000)),
        ((5, 140), (2000, 10)),
    ],
)
def test_key_frames_cover_neither_each_other_nor_anything_else(frames, shape, title):
    figure = plot_timelines(_ROWS, _LABELS, _TIME, key_frames=[(f, _image(9, *shape)) for f in frames], title=title)
    assert len(_strip(figure)) == len(frames)
    _assert_nothing_covers_the_strip(figure)
    across, down = figure.get_size_inches()
    for axes in _strip(figure):  # images keep their shape
        place = axes.get_position()
        assert place.width * across / (place.height * down) == pytest.approx(shape[1] / shape[0])


def test_key_frames_with_enough_room_are_centred_above_their_times():
    figure = plot_timelines(_ROWS, _LABELS, _TIME, key_frames=[(40, _image()), (120, _image())])
    (bars,) = (axes for axes in figure.axes if not axes.images)
    place, total = bars.get_position(), 150 / 15
    for axes, frame in zip(_strip(figure), (40, 120), strict=True):
        middle = axes.get_position().x0 + axes.get_position().width / 2
        assert middle == pytest.approx(place.x0 + place.width * (frame + 0.5) / 15 / total)


def test_key_frames_at_even_times_form_one_strip_as_wide_as_the_bars():
    figure = plot_timelines(_ROWS, _LABELS, _TIME, key_frames=[(f, _image()) for f in range(7, 150, 15)])
    (bars,) = (axes for axes in figure.axes if not axes.images)
    edges = [(axes.get_position().x0, axes.get_position().x1) for axes in _strip(figure)]
    assert edges[0][0] == pytest.approx(bars.get_position().x0, abs=0.003)
    assert edges[-1][1] == pytest.approx(bars.get_position().x1, abs=0.003)
    gaps = [after - before for (_, before), (after, _) in itertools.pairwise(edges)]
    assert gaps == pytest.approx([gaps[0]] * 9)
    assert 0 < gaps[0] < 0.005


def test_key_frames_move_boxes_down_but_not_aside():
    plain = plot_timelines(_ROWS, _LABELS, _TIME, title="a", boxes=[(30, 60)])
    strip = plot_timelines(_ROWS, _LABELS, _TIME, title="a", boxes=[(30, 60)], key_frames=[(40, _image())])
    assert [text.get_text() for text in strip.texts] == [text.get_text() for text in plain.texts]
    assert strip.get_size_inches()[1] > plain.get_size_inches()[1]
    for figure in (plain, strip):
        boxes = [patch for patch in figure.axes[0].patches if isinstance(patch, Rectangle)]
        assert [(box.get_x(), box.get_x() + box.get_width()) for box in boxes] == [(2, 4)]


@pytest.mark.parametrize("frame", [-1, 150])
def test_a_key_frame_outside_the_video_is_refused(frame):
    with pytest.raises(TimelineError, match=r"0 <= frame < 150"):
        plot_timelines(_ROWS, _LABELS, _TIME, key_frames=[(frame, _image())])


@pytest.mark.parametrize(
    "image", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 4), np.uint8), np.zeros((4, 4, 3)), _image(0, 0, 4)]
)
def test_an_image_of_another_kind_is_refused(image):
    with pytest.raises(TimelineError, match=r"key frame 3: expected an image \(H, W, 3\) of uint8"):
        plot_timelines(_ROWS, _LABELS, _TIME, key_frames=[(3, image)])


def test_rows_are_checked():
    with pytest.raises(TimelineError, match="at least one row"):
        plot_timelines([], _LABELS, _TIME, key_frames=[(3, _image())])


def _wrong_at(*ranges, length=200):
    """A system that is wrong in these ranges; the truth is class 0 throughout."""
    frames = np.zeros(length, np.int64)
    for start, end in ranges:
        frames[start:end] = 1
    return Segmentation.from_frames(frames)


def test_a_planted_range_is_found():
    ranges = differing_ranges(_wrong_at(), _wrong_at(), [_wrong_at((40, 90)), _wrong_at((50, 100), (120, 160))])
    assert ranges == [(50, 90)]


def test_there_is_no_box_where_the_better_system_is_wrong_too():
    others = [_wrong_at((40, 100))]
    assert differing_ranges(_wrong_at(), _wrong_at((40, 100)), others) == []
    assert differing_ranges(_wrong_at(), _wrong_at((60, 64)), others) == [(40, 60), (64, 100)]  # not joined


def test_ranges_are_joined_over_a_small_gap_while_the_share_holds():
    others = [_wrong_at((20, 60), (66, 100))]
    assert differing_ranges(_wrong_at(), _wrong_at(), others, gap=6) == [(20, 100)]
    assert differing_ranges(_wrong_at(), _wrong_at(), others, gap=5) == [(20, 60), (66, 100)]
    assert differing_ranges(_wrong_at(), _wrong_at(), others, gap=6, share=74 / 80) == [(20, 100)]  # exactly the share
    assert differing_ranges(_wrong_at(), _wrong_at(), others, gap=6, share=0.95) == [(20, 60), (66, 100)]


def test_short_ranges_are_left_out_and_the_longest_come_in_order_of_time():
    others = [_wrong_at((0, 14), (30, 50), (70, 130), (150, 180))]
    assert differing_ranges(_wrong_at(), _wrong_at(), others) == [(30, 50), (70, 130), (150, 180)]
    assert differing_ranges(_wrong_at(), _wrong_at(), others, most=2) == [(70, 130), (150, 180)]
    assert differing_ranges(_wrong_at(), _wrong_at(), others, shortest=14, most=9)[0] == (0, 14)


def test_videos_without_a_frame_and_equal_systems_give_no_range():
    empty = Segmentation.from_frames([])
    assert differing_ranges(empty, empty, [empty]) == []
    assert differing_ranges(_TRUTH, _TRUTH, [_TRUTH, _TRUTH]) == []


frames = st.lists(st.integers(0, 1), min_size=60, max_size=60)


@given(
    frames,
    frames,
    st.lists(frames, min_size=1, max_size=3),
    st.floats(0.1, 1),
    st.integers(0, 6),
    st.integers(1, 8),
    st.integers(0, 4),
)
def test_every_range_keeps_its_promise(truth, better, others, share, gap, shortest, most):
    reference, system, *compared = map(Segmentation.from_frames, (truth, better, *others))
    ranges = differing_ranges(reference, system, compared, share=share, gap=gap, shortest=shortest, most=most)
    assert len(ranges) <= most
    assert ranges == sorted(ranges)
    for (_, end), (start, _) in itertools.pairwise(ranges):
        assert end < start
    for start, end in ranges:
        assert end - start >= shortest
        assert better[start:end] == truth[start:end]
        for other in others:
            wrong = np.not_equal(other[start:end], truth[start:end])
            assert wrong.mean() >= share
            assert wrong[0]
            assert wrong[-1]


def test_systems_that_cannot_be_compared_are_refused():
    with pytest.raises(TimelineError, match="at least one system to compare with"):
        differing_ranges(_TRUTH, _TRUTH, [])
    with pytest.raises(TimelineError, match="reference has 150 frames and a system has 200"):
        differing_ranges(_TRUTH, _TRUTH, [_wrong_at()])
    with pytest.raises(ConfigError, match="above 0 and at most 1, got 0"):
        differing_ranges(_TRUTH, _TRUTH, [_TRUTH], share=0)
