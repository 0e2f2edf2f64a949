"""The reliability diagram shows each table's points, counts and error."""

import pytest

from keyseg.metrics.reliability import ConfidenceBin
from keyseg.viz import plot_reliability

RAW = [ConfidenceBin(0.2, 3, 0.25, 0.5), ConfidenceBin(0.9, 7, 0.95, 0.75)]
CALIBRATED = [ConfidenceBin(0.5, 4, 0.55, 0.5)]


def test_points_and_counts_are_those_of_the_tables():
    figure = plot_reliability({"mean probability": RAW, "calibrated": CALIBRATED})
    shares, counts = figure.axes
    diagonal, raw, calibrated = shares.lines
    assert [list(diagonal.get_xdata()), list(diagonal.get_ydata())] == [[0, 1], [0, 1]]
    assert [list(raw.get_xdata()), list(raw.get_ydata())] == [[0.25, 0.95], [0.5, 0.75]]
    assert [list(calibrated.get_xdata()), list(calibrated.get_ydata())] == [[0.55], [0.5]]
    assert [bar.get_height() for bar in counts.patches] == [3, 7, 4]
    for bar, item in zip(counts.patches, RAW + CALIBRATED, strict=True):
        assert item.low <= bar.get_x() < bar.get_x() + bar.get_width() <= item.low + 0.1 + 1e-9
    assert [text.get_text() for text in figure.texts] == ["mean probability (ECE 21.5 %)", "calibrated (ECE 5.0 %)"]
    assert raw.get_color() != calibrated.get_color()


@pytest.mark.parametrize("tables", [{}, {"calibrated": []}])
def test_nothing_to_show_is_an_empty_diagram(tables):
    shares, counts = plot_reliability(tables).axes
    assert len(shares.lines) == 1 + len(tables)
    assert not counts.patches
