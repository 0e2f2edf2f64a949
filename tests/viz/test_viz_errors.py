"""The pictures of an analysis: what they show is what was counted, and all of it can be read."""

from __future__ import annotations

import itertools
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from keyseg.metrics.analysis import Analysis, analyse
from keyseg.viz.confusion import plot_confusion
from keyseg.viz.error_pictures import PICTURES, write_analysis
from keyseg.viz.histograms import error_edges, length_edges, plot_boundary_errors, plot_segment_lengths

pytestmark = pytest.mark.slow


def planted(classes: int, videos: int = 12, fps: Fraction | None = Fraction(15)) -> Analysis:
    """Random videos of many classes, some with long names, and predictions with moved boundaries and wrong classes."""
    random = np.random.default_rng(classes)
    names = ["background", *(f"{'take the $big$ thing out of the box ' * (i % 2)}{i}" for i in range(1, classes))]
    sides: tuple[dict[str, list[str]], dict[str, list[str]]] = ({}, {})
    for video in range(videos):
        order, lengths = random.integers(0, classes, 15), random.integers(4, 90, 15)
        moved = np.where(random.random(15) < 0.3, random.integers(0, classes, 15), order)
        shifts = np.roll(lengths, 1) - lengths  # keeps the sum
        for side, labels, ends in zip(sides, (order, moved), (lengths, lengths + shifts // 9), strict=True):
            side[f"v{video}"] = [names[i] for i in np.resize(np.repeat(labels, ends), int(lengths.sum()))]
    return analyse(*sides, fps=fps)


def cut_off(figure: Figure) -> list[str]:
    """Axes with their names, and texts, that reach over the edge of the figure."""
    renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]
    figure.draw(renderer)
    width, height = figure.bbox.size
    boxes = [(str(part), part.get_tightbbox(renderer)) for part in (*figure.axes, *figure.texts, *figure.legends)]
    return [part for part, box in boxes if box.x0 < 0 or box.y0 < 0 or box.x1 > width or box.y1 > height]


@pytest.mark.parametrize("classes", [1, 3, 20, 50])
@pytest.mark.parametrize("plot", PICTURES.values(), ids=PICTURES)
def test_nothing_is_cut_off(plot: object, classes: int) -> None:
    assert cut_off(plot(planted(classes))) == []  # type: ignore[operator]


def test_rows_of_the_confusion_matrix_add_up_to_100() -> None:
    found = analyse({"v": ["a", "a", "a", "b"]}, {"v": ["a", "b", "c", "c"]})
    axes = plot_confusion(found).axes[0]
    shown = np.ma.filled(axes.images[0].get_array(), np.nan)
    np.testing.assert_allclose(shown, [[100 / 3, 100 / 3, 100 / 3], [0, 0, 100], [np.nan] * 3])
    names, numbers = [t.get_text() for t in axes.texts[:6]], [t.get_text() for t in axes.texts[6:]]
    assert names == ["a", "b", "c"] * 2
    assert numbers == ["33", "33", "33", "100"]


def test_many_classes_are_not_numbered_and_their_names_do_not_touch() -> None:
    found = planted(50)
    figure = plot_confusion(found)
    texts = figure.axes[0].texts
    assert len(texts) == 2 * len(found.classes) > 80
    renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]
    figure.draw(renderer)
    rows = [text.get_window_extent(renderer) for text in texts[: len(found.classes)]]
    assert all(above.y0 >= below.y1 - 0.5 for above, below in itertools.pairwise(rows))


def heights(axes: object) -> list[np.ndarray]:
    return [patch.get_data().values for patch in axes.patches]  # type: ignore[attr-defined]


def test_every_segment_is_in_one_bar() -> None:
    found = planted(8)
    annotated, predicted = found.lengths()
    assert [bars.sum() for bars in heights(plot_segment_lengths(found).axes[0])] == [len(annotated), len(predicted)]
    for longest in (1, 2, 17, 900, 100_000):
        edges = length_edges(longest)
        assert (edges[0], edges[-1]) == (0.5, longest + 0.5)
        assert (np.diff(edges) >= 1).all()
        assert len(edges) <= 41


def test_errors_of_starts_and_ends_have_bars_around_0() -> None:
    found = planted(8)
    start, end = plot_boundary_errors(found).axes
    assert heights(start)[0].sum() >= 0.97 * len(found.start_errors) > 0
    assert heights(end)[0].sum() >= 0.97 * len(found.end_errors) > 0
    assert start.get_ylim() == end.get_ylim()
    for reach in (0, 1, 7, 40, 900):
        errors = np.array([-reach, 0, reach])
        edges = error_edges(errors)
        np.testing.assert_allclose(edges, -edges[::-1])  # symmetric, so 0 is in the middle of a bar
        assert np.histogram(errors, edges)[0].sum() == 3
        assert len(edges) % 2 == 0
        assert len(edges) <= 84
    beyond = error_edges(np.array([0] * 500 + [10_000]))
    assert beyond[-1] < 10
    assert "no true positives" in plot_boundary_errors(analyse({"v": [1]}, {"v": [2]})).axes[0].get_title()


def test_files_are_drawn_once_for_the_same_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = []
    monkeypatch.setattr(
        "keyseg.viz.error_pictures.PICTURES",
        {"confusion.png": lambda found: drawn.append(found) or plot_confusion(found)},
    )
    found, other = planted(3), planted(4)
    files = write_analysis(found, tmp_path / "out")
    assert [path.name for path in files] == ["confusion.png", "analysis.md", "analysis.json"]
    before = files[0].read_bytes()
    assert write_analysis(found, tmp_path / "out") == files
    assert drawn == [found]
    write_analysis(other, tmp_path / "out")
    assert files[0].read_bytes() != before
    files[0].unlink()
    write_analysis(found, tmp_path / "out")
    assert files[0].read_bytes() == before
    assert drawn == [found, other, found]
