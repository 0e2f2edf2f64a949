"""Curves, and the CSV file that they are read from."""

from __future__ import annotations

import numpy as np
import pytest

from keyseg.timeline import ConfigError, DataError
from keyseg.viz import plot_curves, read_metrics_csv


def _write(tmp_path, text):
    path = tmp_path / "metrics.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_reads_names_by_column_and_skips_empty_cells(tmp_path):
    path = _write(tmp_path, "epoch,step,train_loss,val/acc\n0,9,1.5,\n0,9,,40\n1,19,1.25,\n1,19,,nan\n")
    curves = read_metrics_csv(path)
    assert list(curves) == ["train_loss", "val/acc"]
    assert curves["train_loss"] == ([0, 1], [1.5, 1.25])
    assert curves["val/acc"][0] == [0, 1]
    np.testing.assert_array_equal(curves["val/acc"][1], [40, np.nan])


def test_several_values_in_an_epoch_are_spread_over_it(tmp_path):
    path = _write(tmp_path, "epoch,loss,step\n0,8,0\n0,7,1\n0,6,2\n0,5,3\n1,4,4\n")
    assert read_metrics_csv(path)["loss"] == ([0, 0.25, 0.5, 0.75, 1], [8, 7, 6, 5, 4])


def test_columns_without_values_and_files_without_rows_give_no_curve(tmp_path):
    assert read_metrics_csv(_write(tmp_path, "epoch,step,a,b\n0,0,1,\n")) == {"a": ([0], [1])}
    assert read_metrics_csv(_write(tmp_path, "epoch,step,a\n")) == {}


def test_what_lightning_writes_is_read(tmp_path):
    logger = pytest.importorskip("lightning.pytorch.loggers").CSVLogger(tmp_path, name="", version="")
    for epoch in range(3):
        logger.log_metrics({"loss": 1 / (epoch + 1), "epoch": epoch}, step=10 * epoch)
        logger.log_metrics({"val_f1": 10.0 * epoch, "epoch": epoch}, step=10 * epoch)
    logger.save()
    curves = read_metrics_csv(tmp_path / "metrics.csv")
    assert curves == {"loss": ([0, 1, 2], [1, 1 / 2, 1 / 3]), "val_f1": ([0, 1, 2], [0, 10, 20])}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("epoch,step,loss\n0,0,1\n1,1,high\n", r"metrics\.csv:3: expected a number in column 'loss', got 'high'"),
        ("epoch,step,loss\n,0,1\n", r"metrics\.csv:2: expected a number in column 'epoch', got ''"),
        ("time,loss\n0,1\n", r"metrics\.csv:1: expected a column 'epoch', got \['time', 'loss'\]"),
        ("", r"metrics\.csv:1: expected a column 'epoch', got \[\]"),
    ],
)
def test_bad_files_are_refused_with_file_and_line(tmp_path, text, message):
    with pytest.raises(DataError, match=message):
        read_metrics_csv(_write(tmp_path, text))


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"it should hold the metrics\.csv of a run"):
        read_metrics_csv(tmp_path / "none.csv")


def test_curves_marks_and_legend_are_drawn():
    curves = {"stopped": ([0, 1, 2], [3, 2, 1]), "_on$": (np.arange(2), np.array([5.0, 4.0]))}
    figure = plot_curves(curves, ylabel="loss", title="t", marks={"matching joins": 1})
    (axes,) = figure.axes
    first, second, mark = axes.lines
    np.testing.assert_array_equal(first.get_xydata(), [(0, 3), (1, 2), (2, 1)])
    np.testing.assert_array_equal(second.get_xydata(), [(0, 5), (1, 4)])
    assert first.get_color() != second.get_color()
    assert list(mark.get_xdata()) == [1, 1]
    assert [text.get_text() for text in axes.texts] == ["matching joins"]
    assert [text.get_text() for text in figure.texts] == ["t", "stopped", "_on$"]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("epoch", "loss")
    figure.draw(figure.canvas.get_renderer())


def test_a_single_point_shows_as_a_dot_and_no_curve_as_an_empty_axis():
    dot = plot_curves({"one": ([3], [4])})
    assert dot.axes[0].lines[0].get_marker() == "o"
    empty = plot_curves({})
    empty.draw(empty.canvas.get_renderer())
    assert not empty.axes[0].lines


def test_x_and_y_of_different_length_are_refused():
    with pytest.raises(ConfigError, match=r"curve 'loss' needs as many x as y values, got 2 and 1"):
        plot_curves({"loss": ([0, 1], [1])})
