"""keyseg train: from a data set to bundles and scores."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from keyseg.cli.options import Background, Seeds, SplitNumbers


def train_verb(
    data: Path,
    /,
    *,
    out: Path,
    split: SplitNumbers = (1,),
    model: str | None = None,
    recipe: Path | None = None,
    set_: Annotated[tuple[str, ...], Parameter(name="--set", allow_leading_hyphen=True, show_default=False)] = (),
    epochs: int | None = None,
    seed: Seeds = (0,),
    features: str | None = None,
    background: Background = None,
    resume: bool = False,
    force: bool = False,
) -> int:
    """Train on a data set; write bundles, predictions, scores and logs to one folder.

    After an interruption the same command with --resume continues, and ends with the same weights as without one.

    Parameters
    ----------
    data
        Folder with mapping.txt, groundTruth/, splits/ and features/ (or features_split1/ ...). See: keyseg check
    out
        Folder for the run, such as runs/kitchen.
    split
        A split's number, several as 1,2, or all.
    model
        System to train: rtk, or one that it is compared with; a wrong name lists all. Default: that of --recipe, else
        rtk.
    recipe
        YAML file. Default: the system's shipped recipe for this data set, else the system's defaults.
    set_
        Change one value of the recipe, such as optimiser.learning_rate=0.001, or how the data are read:
        data.sample_rate=2, data.lengths=trim, data.tolerance=3. A wrong key lists the valid ones. Can be repeated.
    epochs
        Number of epochs; the epoch at which matching joins, or barriers are frozen, is scaled with it.
    seed
        One or several seeds; every split is trained with each.
    features
        Name of the features folder below DATA.
    background
        Names of classes that are not actions; none for no such class. Default: the class 'background'.
    resume
        Continue an interrupted run, or add splits and seeds to a finished one.
    force
        Delete an earlier run in the same folder.
    """
    from keyseg.cli.progress import TrainingProgress, quiet
    from keyseg.training.tables import summary_lines
    from keyseg.training.train import train

    quiet()
    run, summary = train(
        data,
        out=out,
        model=model,
        recipe=recipe,
        changes=[*set_, *([] if features is None else [f"data.features={features}"])],
        splits=split,
        seeds=seed,
        epochs=epochs,
        background=background,
        resume=resume,
        force=force,
        command=command_line(),
        report=partial(print, file=sys.stderr),
        callbacks=lambda fit: (TrainingProgress(fit),),
    )
    if summary is not None:
        print("\n".join(summary_lines(run, summary)))
    return 0


def command_line(arguments: Sequence[str] | None = None) -> str:
    """The command as typed, with only the last part of absolute paths, since bundles and tables are shared.

    >>> command_line(["train", "/home/me/salads", "--out=/home/me/run"])
    'keyseg train salads --out=run'
    """
    words = sys.argv[1:] if arguments is None else arguments
    return shlex.join(["keyseg", *map(_without_folders, words)])


def _without_folders(word: str) -> str:
    option, sign, value = word.rpartition("=")
    return f"{option}{sign}{Path(value).name}" if Path(value).is_absolute() else word
