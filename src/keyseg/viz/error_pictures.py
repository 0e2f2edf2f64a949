"""The files that an analysis leaves in a folder: three pictures, and the counts that they are drawn from."""

from __future__ import annotations

from pathlib import Path

from keyseg.metrics.analysis import Analysis
from keyseg.timeline.files import json_text, write_text
from keyseg.viz.confusion import plot_confusion
from keyseg.viz.figures import save_figure
from keyseg.viz.histograms import plot_boundary_errors, plot_segment_lengths

PICTURES = {
    "confusion.png": plot_confusion,
    "segment_lengths.png": plot_segment_lengths,
    "boundary_errors.png": plot_boundary_errors,
}


def write_analysis(analysis: Analysis, folder: Path) -> list[Path]:
    """Write the pictures and analysis.json, and return the files; those of an earlier analysis are overwritten.

    Nothing is drawn again if analysis.json holds the same counts already: it is written last.
    """
    pictures, counts = [folder / name for name in PICTURES], folder / "analysis.json"
    text = json_text(analysis.to_json())
    if not all(path.exists() for path in (*pictures, counts)) or counts.read_text(encoding="utf-8") != text:
        for path, plot in zip(pictures, PICTURES.values(), strict=True):
            save_figure(plot(analysis), path, force=True)
        write_text(counts, text)
    return [*pictures, counts]
