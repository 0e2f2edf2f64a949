"""keyseg reproduce: the supplement's table and figures, on any data set in the usual layout."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from keyseg.cli.options import Seeds, SplitNumbers
from keyseg.cli.train import command_line

reproduce = App(
    name="reproduce",
    help="Make the table and the figures of the RTK supplement on your own data set.",
    sort_key=100,  # after the single verbs
)


@reproduce.command(name="table1")
def table1_verb(
    data: Path,
    /,
    *,
    out: Path = Path("runs/table1"),
    models: Annotated[tuple[str, ...], Parameter(consume_multiple=True, show_default=False)] = (),
    split: SplitNumbers = (),
    seed: Seeds = (0,),
    epochs: int | None = None,
) -> int:
    """Table 1: train and score RTK and the systems it is compared with; table1.md, table1.tex and table1.json.

    Finished trainings are used and interrupted ones resume: run the same command again. Several such commands at the
    same time share the work.

    Parameters
    ----------
    data
        Folder with mapping.txt, groundTruth/, splits/ and features/ (or features_split1/ ...). See: keyseg check
    out
        Folder for the runs, one per system: OUT/rtk, OUT/asformer, ... A run of keyseg train in that place is used,
        whatever its recipe; the table reports how it differs from the shipped one.
    models
        Systems to compare. Default: all.
    split
        A split's number, several as 1,2, or all.
    seed
        One or several seeds; every split is trained with each.
    epochs
        Number of epochs of new runs. Default: as in their recipes.
    """
    from keyseg.cli.progress import TrainingProgress, quiet
    from keyseg.reproduction.comparison import table1

    quiet()
    table = table1(
        data,
        out,
        systems=models,
        splits=split,
        seeds=seed,
        epochs=epochs,
        command=command_line(),
        callbacks=lambda fit: (TrainingProgress(fit),),
    )
    if table is None:
        print("other commands are still training; the last one to finish writes the table", file=sys.stderr)
        return 0
    print((out / "table1.md").read_text(encoding="utf-8"))
    print(f"tables: {out / 'table1.md'}, table1.tex, table1.json")
    return 0


@reproduce.command(name="ablations")
def ablations_verb(run: Path, /, *, out: Path) -> int:
    """Tables of what each part of RTK contributes, with oracles as upper bounds; ablations.md and ablations.json.

    Nothing is trained: the test videos of a finished run are decoded without one part after the other.

    Parameters
    ----------
    run
        Folder of a finished run of rtk: the --out of keyseg train, or OUT/rtk of keyseg reproduce table1.
    out
        Folder for the two tables.
    """
    from keyseg.reproduction.ablations import ablate
    from keyseg.training.run import read_run

    ablate(read_run(run), out)
    print((out / "ablations.md").read_text(encoding="utf-8"))
    print(f"tables: {out / 'ablations.md'}, ablations.json")
    return 0


@reproduce.command(name="fig1")
def fig1_verb(*, out: Path, force: bool = False) -> int:
    """Figure 1: the rule-based re-assembly of an example, step by step; boundary points are grey.

    Parameters
    ----------
    out
        File for the figure, .png, .svg or .pdf.
    force
        Overwrite the file.
    """
    from keyseg.reproduction.figures import fig1

    print(fig1(out, force=force))
    return 0


@reproduce.command(name="fig2")
def fig2_verb(
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

    Boxes mark where RTK is right and both frame-wise systems are wrong.

    Parameters
    ----------
    data
        The data set that the systems were trained on.
    video
        Name of one of its test videos.
    out
        File for the figure, .png, .svg or .pdf.
    runs
        Folder of the trained systems: the --out of keyseg reproduce table1.
    file
        The video file; key frames from it are drawn above the timelines.
    frames
        Number of key frames, evenly spread over the video.
    force
        Overwrite the file.
    """
    from keyseg.reproduction.figures import fig2

    print(fig2(data, video, out, runs=runs, file=file, frames=frames, force=force))
    return 0


@reproduce.command(name="fig3")
def fig3_verb(
    data: Path,
    /,
    *,
    out: Path,
    runs: Path = Path("runs/fig3"),
    split: SplitNumbers = (1,),
    seed: Seeds = (0,),
    epochs: int | None = None,
    force: bool = False,
) -> int:
    """Figure 3: the permutation loss with and without its gradient flowing to the keypoint generator.

    Trains RTK twice. Interrupted trainings resume: run the same command again.

    Parameters
    ----------
    data
        Folder with mapping.txt, groundTruth/, splits/ and features/ (or features_split1/ ...). See: keyseg check
    out
        File for the figure, .png, .svg or .pdf.
    runs
        Folder for the two runs, stopped and flowing. An existing run of rtk in one of these places is used, and the
        other one is trained in the same way.
    split
        A split's number, several as 1,2, or all.
    seed
        One or several seeds; every split is trained with each.
    epochs
        Number of epochs of new runs; the epoch at which matching joins is scaled with it.
    force
        Overwrite the file.
    """
    from keyseg.cli.progress import TrainingProgress, quiet
    from keyseg.reproduction.figures import fig3

    quiet()
    figure = fig3(
        data,
        out,
        runs=runs,
        splits=split,
        seeds=seed,
        epochs=epochs,
        force=force,
        command=command_line(),
        callbacks=lambda fit: (TrainingProgress(fit),),
    )
    print(figure)
    return 0
