"""keyseg reproduce: the supplement's table and figures, on any data set in the field's layout."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from keyseg.cli.train import command_line, parse_splits
from keyseg.timeline import ConfigError, LabelMap

reproduce = App(
    name="reproduce",
    help="Make the table and the figures of the RTK supplement on a data set of yours.",
    sort_key=100,  # behind the single verbs
)


@reproduce.command
def table1(
    data: Path,
    /,
    *,
    out: Path = Path("runs/table1"),
    models: Annotated[tuple[str, ...], Parameter(consume_multiple=True, show_default=False)] = (),
    split: str = "all",
    seed: Annotated[tuple[int, ...], Parameter(consume_multiple=True)] = (0,),
    epochs: int | None = None,
) -> int:
    """Table 1: train and score RTK and the systems it is compared with; table1.md, table1.tex and table1.json.

    Trainings that are finished are picked up, an interrupted one goes on: give the same command again. Several such
    commands at once share the work.

    Parameters
    ----------
    data
        Folder with mapping.txt, groundTruth/, splits/ and features/ (or features_split1/ ...). See: keyseg check
    out
        Folder of the runs, one a system: OUT/rtk, OUT/asformer, ... A run of keyseg train that stands there is taken,
        whatever its recipe; the table says in what it differs from the shipped one.
    models
        Systems, several or one; all five without it.
    split
        A split's number, several as 1,2, or all.
    seed
        Seeds, one or several; every split is trained with each.
    epochs
        Train new runs shorter or longer than their recipes say.
    """
    from keyseg.cli.progress import TrainingProgress, quiet
    from keyseg.inference.systems import SYSTEMS
    from keyseg.reproduction.comparison import compare, prepare
    from keyseg.reproduction.comparison_tables import as_markdown

    quiet()
    unknown = [model for model in models if model not in SYSTEMS]
    if unknown:
        raise ConfigError(f"no system {unknown[0]!r}; known: {', '.join(SYSTEMS)}")
    chosen = [system for system in SYSTEMS if system in models] or list(SYSTEMS)
    runs = prepare(data, out, chosen, parse_splits(split), seed, command_line(), epochs=epochs)
    table = compare(runs, out, lambda fit: (TrainingProgress(fit),))
    if table is None:
        print("other commands still train; the last one to finish writes the table", file=sys.stderr)
        return 0
    print(as_markdown(table))
    print(f"tables: {out / 'table1.md'}, table1.tex, table1.json")
    return 0


@reproduce.command
def ablations(run: Path, /, *, out: Path) -> int:
    """Tables of what each part of RTK is worth, and of oracles that bound it; ablations.md and ablations.json.

    Nothing is trained: the test videos of a finished run are decoded without one part after the other.

    Parameters
    ----------
    run
        Folder of a finished run of rtk: the --out of keyseg train, or OUT/rtk of keyseg reproduce table1.
    out
        Folder for the two tables.
    """
    from keyseg.reproduction.ablations import ablate, as_markdown
    from keyseg.training.run import read_run

    print(as_markdown(ablate(read_run(run), out)))
    print(f"tables: {out / 'ablations.md'}, ablations.json")
    return 0


@reproduce.command
def fig1(*, out: Path, force: bool = False) -> int:
    """Figure 1: the rule-based re-assembly of an example, step by step; boundary points are grey.

    Parameters
    ----------
    out
        The figure's file, .png, .svg or .pdf.
    force
        Overwrite the file.
    """
    from keyseg.keypoints import example_keypoints, reassembly_steps
    from keyseg.viz import plot_reassembly, save_figure

    actions, boundaries, length = example_keypoints()
    labels = LabelMap(("take", "pour", "stir", "put"))
    figure = plot_reassembly(reassembly_steps(actions, boundaries, length), labels, title="Rule-based re-assembly")
    print(save_figure(figure, out, force=force))
    return 0


@reproduce.command
def fig2(
    data: Path,
    /,
    *,
    video: str,
    out: Path,
    runs: Path = Path("runs/table1"),
    file: Path | None = None,
    frames: int = 8,
    force: bool = False,
) -> int:
    """Figure 2: timelines of a test video by ground truth, RTK, RTK without refinement, ASFormer and MS-TCN++.

    Boxes stand where RTK is right and both frame-wise systems are wrong.

    Parameters
    ----------
    data
        The data set that the systems were trained on.
    video
        Name of one of its test videos.
    out
        The figure's file, .png, .svg or .pdf.
    runs
        Folder of the trained systems: the --out of keyseg reproduce table1.
    file
        The video itself: key frames are then drawn above. Needs the extra of keyseg called video.
    frames
        How many key frames, evenly over the video.
    force
        Overwrite the file.
    """
    from keyseg.reproduction.timelines import video_rows
    from keyseg.video.key_frames import read_key_frames
    from keyseg.viz import differing_ranges, plot_comparison, save_figure
    from keyseg.viz.figures import figure_kind

    figure_kind(out, force=force)
    if frames < 1:
        raise ConfigError(f"--frames takes a number >= 1, got {frames}")
    found = video_rows(runs, data, video)
    timebase, length = found.dataset.timebase, found.truth.length
    rtk, compared = found.systems[0][1], [segmentation for _, segmentation in found.systems[2:]]
    pictures = []
    if file is not None:
        at = [int((i + 0.5) * length / frames) for i in range(frames)]
        images = read_key_frames(file, [float(timebase.start_seconds(frame)) for frame in at])
        pictures = [(frame, image) for frame, (_, image) in zip(at, images, strict=True)]
    figure = plot_comparison(
        [("ground truth", found.truth), *found.systems],
        found.dataset.labels,
        timebase,
        boxes=differing_ranges(found.truth, rtk, compared),
        key_frames=pictures,
        title=f"{data.resolve().name}: {video}",
    )
    print(save_figure(figure, out, force=force))
    return 0


@reproduce.command
def fig3(
    data: Path,
    /,
    *,
    out: Path,
    runs: Path = Path("runs/fig3"),
    split: str = "1",
    seed: Annotated[tuple[int, ...], Parameter(consume_multiple=True)] = (0,),
    epochs: int | None = None,
    force: bool = False,
) -> int:
    """Figure 3: the permutation loss with and without its gradient flowing to the keypoint generator.

    Trains RTK twice; an interrupted training goes on: give the same command again.

    Parameters
    ----------
    data
        Folder with mapping.txt, groundTruth/, splits/ and features/ (or features_split1/ ...). See: keyseg check
    out
        The figure's file, .png, .svg or .pdf.
    runs
        Folder of the two runs, stopped and flowing. A run of rtk that stands there is taken, and the other one trained
        as it was.
    split
        A split's number, several as 1,2, or all.
    seed
        Seeds, one or several.
    epochs
        Train new runs shorter or longer; the epoch at which matching joins moves with it.
    force
        Overwrite the file.
    """
    from keyseg.cli.progress import TrainingProgress, quiet
    from keyseg.reproduction.gradient_flow import gradient_runs, permutation_losses
    from keyseg.training.settings import RTKRecipe
    from keyseg.viz import plot_curves, save_figure
    from keyseg.viz.figures import figure_kind

    quiet()
    figure_kind(out, force=force)
    found = gradient_runs(data, runs, parse_splits(split), seed, command_line(), epochs=epochs)
    curves = permutation_losses(found, lambda fit: (TrainingProgress(fit),))
    recipe = next(iter(found.values())).recipe
    assert isinstance(recipe, RTKRecipe)
    marks = {"matching joins": float(recipe.matching.join_epoch)}
    title = f"{data.resolve().name}: permutation loss"
    figure = plot_curves(curves, ylabel="permutation loss", title=title, marks=marks, start=0)
    print(save_figure(figure, out, force=force))
    return 0
