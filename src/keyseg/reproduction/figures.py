"""Table 1 and figures 1 to 3 of the supplement, each written to files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from keyseg import viz
from keyseg.keypoints import example_keypoints, reassembly_steps
from keyseg.timeline import ConfigError, LabelMap
from keyseg.training.jobs import no_callbacks
from keyseg.video.reading import read_key_frames
from keyseg.viz.figures import figure_kind

if TYPE_CHECKING:
    from keyseg.reproduction.terms import Terms
    from keyseg.training.fit import FitCallbacks


def table1(
    data: Path,
    *,
    out: Path = Path("runs/table1"),
    models: Sequence[str] = (),
    terms: Literal["as-published", "equal-terms", "both"] = "both",
    splits: Sequence[int] = (),
    seeds: Sequence[int] = (0,),
    epochs: int | None = None,
    set: Mapping[str, Any] | Sequence[str] = (),
    background: Sequence[str] | None = None,
    jobs: int = 1,
    command: str = "",
    callbacks: FitCallbacks = no_callbacks,
) -> dict[str, Any] | None:
    """Table 1: train and score RTK and the systems it is compared with; table1.md, table1.tex and table1.json.

    Systems are compared as they were published, and on equal terms: all with mixed segments and with a match to the
    annotations of the training videos, each wherever it helps on inner folds.
    Finished trainings are used and interrupted ones resume: run the same command again. Several such commands at the
    same time share the work.

    Args:
        data: Folder with mapping.txt, groundTruth/, splits/ and features/ (or features_split1/ ...). See: keyseg check
        out: Folder for the runs: OUT/as-published/rtk, OUT/equal-terms/asformer, ... A run of keyseg train in such a
            place is used if it read the data in the same way, whatever else its recipe holds; the table reports how it
            differs from the expected one.
        models: Systems to compare, those of installed packages too. Default: all of keyseg.
        terms: Which part of the table to make.
        splits: Numbers of splits; () for all.
        seeds: One or several seeds; every split is trained with each.
        epochs: Number of epochs of new runs. Default: as in their recipes.
        set: Change how all systems read the data, such as data.sample_rate=2. Default: as DATA/dataset.yaml states.
        background: Names of classes that are not actions; none for no such class. Default: as DATA/dataset.yaml states,
            else the class 'background'.
        jobs: Number of trainings at a time, as in keyseg train.
        command: Recorded in new runs.
        callbacks: Lightning callbacks of each training.

    Returns:
        The table, or None while other commands still train.
    """
    from keyseg.inference.systems import SYSTEMS, system_named
    from keyseg.reproduction.comparison import compare_systems, prepare
    from keyseg.training.jobs import check_jobs
    from keyseg.training.recipe import changes_of

    check_jobs(jobs)
    named = {system_named(model).name for model in models}
    chosen = [system for system in SYSTEMS if system in named] if models else list(SYSTEMS.ours)
    parts: Sequence[Terms] = ("as-published", "equal-terms") if terms == "both" else (terms,)
    changes = list(changes_of(set))
    runs = prepare(
        data, out, parts, chosen, splits, seeds, command, changes=changes, background=background, epochs=epochs
    )
    return compare_systems(runs, out, callbacks, jobs)


def fig1(*, out: Path, force: bool = False) -> Path:
    """Figure 1: the rule-based re-assembly of an example, step by step; boundary points are grey.

    Args:
        out: File for the figure, .png, .svg or .pdf.
        force: Overwrite the file.
    """
    actions, boundaries, length = example_keypoints()
    labels = LabelMap(("take", "pour", "stir", "put"))
    figure = viz.plot_reassembly(reassembly_steps(actions, boundaries, length), labels, title="Rule-based re-assembly")
    return viz.save_figure(figure, out, force=force)


def fig2(
    data: Path,
    *,
    video: str,
    out: Path,
    runs: Path = Path("runs/table1/equal-terms"),
    file: Path | None = None,
    frames: int = 8,
    force: bool = False,
) -> Path:
    """Figure 2: timelines of a test video by ground truth, RTK, RTK without refinement, ASFormer and MS-TCN++.

    Boxes mark where RTK is right and both frame-wise systems are wrong.

    Args:
        data: The data set that the systems were trained on.
        video: Name of one of its test videos.
        out: File for the figure, .png, .svg or .pdf.
        runs: Folder of the trained systems: OUT/equal-terms or OUT/as-published of keyseg reproduce table1.
        file: The video file; key frames from it are drawn above the timelines.
        frames: Number of key frames, evenly spread over the video.
        force: Overwrite the file.
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
    figure = viz.plot_timelines(
        [("ground truth", rows.truth), *rows.systems],
        rows.dataset.labels,
        timebase,
        boxes=viz.differing_ranges(rows.truth, rtk, compared),
        key_frames=key_frames,
        title=f"{data.resolve().name}: {video}",
    )
    return viz.save_figure(figure, out, force=force)


def fig3(
    data: Path,
    *,
    out: Path,
    runs: Path = Path("runs/fig3"),
    splits: Sequence[int] = (1,),
    seeds: Sequence[int] = (0,),
    epochs: int | None = None,
    force: bool = False,
    command: str = "",
    callbacks: FitCallbacks = lambda fit: (),
) -> Path:
    """Figure 3: the permutation loss with and without its gradient flowing to the keypoint generator.

    Trains RTK twice. Interrupted trainings resume: run the same command again.

    Args:
        data: Folder with mapping.txt, groundTruth/, splits/ and features/ (or features_split1/ ...). See: keyseg check
        out: File for the figure, .png, .svg or .pdf.
        runs: Folder for the two runs, stopped and flowing. An existing run of rtk in one of these places is used, and
            the other one is trained in the same way.
        splits: Numbers of splits; () for all.
        seeds: One or several seeds; every split is trained with each.
        epochs: Number of epochs of new runs; the epoch at which matching joins is scaled with it.
        force: Overwrite the file.
        command: Recorded in new runs.
        callbacks: Lightning callbacks of each training.
    """
    from keyseg.reproduction.gradient_flow import gradient_runs, permutation_losses
    from keyseg.training.settings import RTKRecipe

    figure_kind(out, force=force)
    by_curve = gradient_runs(data, runs, splits, seeds, command, epochs=epochs)
    curves = permutation_losses(by_curve, callbacks)
    recipe = next(iter(by_curve.values())).recipe
    assert isinstance(recipe, RTKRecipe)
    marks = {"matching joins": float(recipe.matching.join_epoch or 0)}
    title = f"{data.resolve().name}: permutation loss"
    figure = viz.plot_curves(curves, ylabel="permutation loss", title=title, marks=marks, start=0)
    return viz.save_figure(figure, out, force=force)
