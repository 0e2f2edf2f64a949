"""keyseg train: from a data set to bundles and scores."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from keyseg.cli.background import Background, background_names
from keyseg.timeline import ConfigError


def train(
    data: Path,
    /,
    *,
    out: Path,
    split: str = "1",
    model: Literal["rtk", "ms-tcn++", "asformer", "asformer-extra", "bcn"] | None = None,
    recipe: Path | None = None,
    set_: Annotated[tuple[str, ...], Parameter(name="--set", allow_leading_hyphen=True, show_default=False)] = (),
    epochs: int | None = None,
    seed: Annotated[tuple[int, ...], Parameter(consume_multiple=True)] = (0,),
    features: str | None = None,
    background: Background = None,
    resume: bool = False,
    force: bool = False,
) -> int:
    """Train on a data set in the field's layout; leave bundles, predictions, scores and logs in one folder.

    Interrupt it at any moment: the same command with --resume goes on and ends with the same weights.

    Parameters
    ----------
    data
        Folder with mapping.txt, groundTruth/, splits/ and features/ (or features_split1/ ...). See: keyseg check
    out
        Folder of the run, such as runs/kitchen.
    split
        A split's number, several as 1,2, or all.
    model
        Which system: rtk, or one that it is compared with; asformer-extra has RTK's extra modules. Default: the one of
        --recipe, else rtk.
    recipe
        YAML file; without it the system's recipe for this data set, or its default one.
    set_
        Change one value of the recipe, such as optimiser.learning_rate=0.001, or how the data are read:
        data.sample_rate=2, data.lengths=trim, data.tolerance=3. A wrong key shows those there are. Can be repeated.
    epochs
        Number of epochs; the epoch at which matching joins, or barriers are frozen, moves with it.
    seed
        Seeds, one or several; every split is trained with each.
    features
        Name of the features folder below DATA.
    background
        Classes that are not actions, one or several names, or none. Default: the class 'background'.
    resume
        Go on with an interrupted run, or add splits and seeds to a finished one.
    force
        Delete an earlier run in the same folder.
    """
    from keyseg.cli.progress import TrainingProgress, quiet
    from keyseg.training.recipe import recipe_for
    from keyseg.training.results import run_all
    from keyseg.training.run import is_main_process, start_run
    from keyseg.training.tables import summary_lines

    quiet()
    changes = list(set_)
    if features is not None:
        changes.append(f"data.features={features}")
    chosen, source = recipe_for(data, model, recipe, changes, background=background_names(background), epochs=epochs)
    run = start_run(out, data, chosen, parse_splits(split), seed, command_line(), resume=resume, force=force)
    main_process = is_main_process()
    if main_process:
        print(f"recipe: {source}; {len(run.fits())} training(s) -> {out}", file=sys.stderr)
    summary = run_all(run, lambda fit: (TrainingProgress(fit),) if main_process else ())
    if main_process and summary is not None:
        print("\n".join(summary_lines(run, summary)))
    return 0


def parse_splits(text: str) -> tuple[int, ...]:
    """Split numbers of `1`, `1,2` or `all` (empty: all there are)."""
    if text == "all":
        return ()
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise ConfigError(f"--split takes a number, several as 1,2, or all; got {text!r}") from None


def command_line(arguments: Sequence[str] | None = None) -> str:
    """The command as typed, but only the last part of absolute paths: bundles and tables, which are shared, show it."""
    words = sys.argv[1:] if arguments is None else arguments
    return shlex.join(["keyseg", *map(_without_folders, words)])


def _without_folders(word: str) -> str:
    option, sign, value = word.rpartition("=")
    return f"{option}{sign}{Path(value).name}" if Path(value).is_absolute() else word
