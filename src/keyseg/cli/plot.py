"""keyseg plot: timelines, heatmaps with keypoints, learning curves, matchings."""

from __future__ import annotations

from pathlib import Path


def plot_verb(*inputs: Path, out: Path, title: str = "", force: bool = False) -> int:
    """Draw timelines, a network's heatmaps, learning curves or a matching to a PNG, SVG or PDF file.

    Parameters
    ----------
    inputs
        Label files or JSON timelines of one video, ground truth first: one bar each, in seconds if one of them has a
        frame rate, else in frames. Or a bundle and one .npy file: heatmaps with keypoints. Or a run folder, or the
        metrics.csv of one training: learning curves. Or a run folder and the name of a video of its data set: the
        keypoint graph and its matching to the annotation's graph.
    out
        File for the figure; its suffix, .png, .svg or .pdf, decides the format.
    title
        Title of the figure.
    force
        Overwrite the file.
    """
    from keyseg.reproduction.plots import plot

    print(plot(inputs, out, title=title, force=force))
    return 0
