"""The files that an analysis leaves in a folder: three pictures, and the counts that they are drawn from."""

from __future__ import annotations

from pathlib import Path

from keyseg.metrics.analysis import Analysis
from keyseg.metrics.analysis_table import class_table, picture_link
from keyseg.timeline.files import json_text, read_text, write_text
from keyseg.viz.confusion import plot_confusion
from keyseg.viz.figures import save_figure
from keyseg.viz.histograms import plot_boundary_errors, plot_segment_lengths

PICTURES = {
    "confusion.png": plot_confusion,
    "segment_lengths.png": plot_segment_lengths,
    "boundary_errors.png": plot_boundary_errors,
}
CAPTIONS = {
    "confusion.png": "What was taken for what: where the frames of each annotated class (row) went, in percent",
    "segment_lengths.png": "How long segments are",
    "boundary_errors.png": "How early or late the segments that were found start and end",
}
"""What each picture shows."""


def write_analysis(analysis: Analysis, folder: Path) -> list[Path]:
    """Write the pictures, a table by class and analysis.json over those of an earlier analysis; return the files.

    Nothing is drawn again if analysis.json holds the same counts already: it is written last.
    """
    pictures = [folder / name for name in PICTURES]
    table, counts = folder / "analysis.md", folder / "analysis.json"
    files, text = [*pictures, table, counts], json_text(analysis.to_json())
    if not all(path.exists() for path in files) or read_text(counts, "counts") != text:
        for path, plot in zip(pictures, PICTURES.values(), strict=True):
            save_figure(plot(analysis), path, force=True)
        write_text(table, _page(analysis))
        write_text(counts, text)
    return files


def _page(analysis: Analysis) -> str:
    """The table by class with the pictures, as Markdown."""
    ignored = ", ".join(map(str, analysis.background)) or "no class"
    origin = f"{analysis.videos} videos; protocol {analysis.protocol}; left out of F1 and of the histograms: {ignored}."
    table = "\n".join(class_table(analysis.per_class(), analysis.unit))
    return "\n\n".join([origin, table, *map(picture_link, PICTURES)]) + "\n"
