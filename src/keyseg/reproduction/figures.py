"""Figures 1 to 3 of the supplement, each written to a file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from keyseg.keypoints import example_keypoints, reassembly_steps
from keyseg.timeline import ConfigError, LabelMap
from keyseg.video.reading import read_key_frames
from keyseg.viz import differing_ranges, plot_curves, plot_reassembly, plot_timelines, save_figure
from keyseg.viz.figures import figure_kind

if TYPE_CHECKING:
    from keyseg.training.fit import FitCallbacks


def fig1(out: Path, *, force: bool = False) -> Path:
    """Draw the rule-based re-assembly of an example, step by step."""
    actions, boundaries, length = example_keypoints()
    labels = LabelMap(("take", "pour", "stir", "put"))
    figure = plot_reassembly(reassembly_steps(actions, boundaries, length), labels, title="Rule-based re-assembly")
    return save_figure(figure, out, force=force)


def fig2(
    data: Path, video: str, out: Path, *, runs: Path, file: Path | None = None, frames: int = 8, force: bool = False
) -> Path:
    """Draw a test video's timelines: ground truth, RTK, RTK without refinement, ASFormer and MS-TCN++.

    Boxes mark where RTK is right and both frame-wise systems are wrong. runs: folder of finished runs, `runs`/SYSTEM.
    file: the video file; `frames` key frames, evenly spread, are drawn above. Raises DataError where a system or the
    video is missing.
    """
    from keyseg.reproduction.timelines import video_rows

    figure_kind(out, force=force)
    if frames < 1:
        raise ConfigError(f"--frames takes a number >= 1, got {frames}")
    rows = video_rows(runs, data, video)
    timebase, length = rows.dataset.timebase, rows.truth.length
    rtk, compared = rows.systems[0][1], [segmentation for _, segmentation in rows.systems[2:]]
    key_frames = []
    if file is not None:
        at = [int((i + 0.5) * length / frames) for i in range(frames)]
        images = read_key_frames(file, [float(timebase.start_seconds(frame)) for frame in at])
        key_frames = [(frame, image) for frame, (_, image) in zip(at, images, strict=True)]
    figure = plot_timelines(
        [("ground truth", rows.truth), *rows.systems],
        rows.dataset.labels,
        timebase,
        boxes=differing_ranges(rows.truth, rtk, compared),
        key_frames=key_frames,
        title=f"{data.resolve().name}: {video}",
    )
    return save_figure(figure, out, force=force)


def fig3(
    data: Path,
    out: Path,
    *,
    runs: Path,
    splits: Sequence[int] = (1,),
    seeds: Sequence[int] = (0,),
    epochs: int | None = None,
    force: bool = False,
    command: str = "",
    callbacks: FitCallbacks = lambda fit: (),
) -> Path:
    """Draw the permutation loss with and without its gradient flowing to the keypoint generator.

    Trains RTK twice, in `runs`/stopped and `runs`/flowing; finished trainings there are used, interrupted ones resume.
    splits: () for all. epochs: of new runs, None for the recipe's. command: recorded in new runs. callbacks: of
    Lightning, for each training.
    """
    from keyseg.reproduction.gradient_flow import gradient_runs, permutation_losses
    from keyseg.training.settings import RTKRecipe

    figure_kind(out, force=force)
    by_curve = gradient_runs(data, runs, splits, seeds, command, epochs=epochs)
    curves = permutation_losses(by_curve, callbacks)
    recipe = next(iter(by_curve.values())).recipe
    assert isinstance(recipe, RTKRecipe)
    marks = {"matching joins": float(recipe.matching.join_epoch)}
    title = f"{data.resolve().name}: permutation loss"
    figure = plot_curves(curves, ylabel="permutation loss", title=title, marks=marks, start=0)
    return save_figure(figure, out, force=force)
