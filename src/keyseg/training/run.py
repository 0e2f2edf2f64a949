"""A run: one recipe on the splits and seeds of a data set, in one resumable folder."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, SerializeAsAny, ValidationError

from keyseg.data.dataset import Dataset
from keyseg.timeline import ConfigError, DataError, OutputExistsError, TrainingError
from keyseg.timeline.files import write_text
from keyseg.timeline.version import __version__
from keyseg.training.fit import Fit, is_main_process
from keyseg.training.recipe import validate_recipe
from keyseg.training.settings import Recipe

RUN = "run.json"


class Run(BaseModel):
    """What a run folder was made from. data: folder of the data set; command: as typed, without the folders of absolute
    paths."""

    model_config = ConfigDict(frozen=True)

    folder: Path = Field(exclude=True)
    keyseg: str = __version__
    command: str
    commit: str
    data: Path
    splits: tuple[int, ...]
    seeds: tuple[int, ...]
    recipe: SerializeAsAny[Recipe]

    def open_dataset(self) -> Dataset:
        """The data set, read with the options of the recipe."""
        return Dataset.open(self.data, **dict(self.recipe.data))

    def fits(self, dataset: Dataset | None = None) -> list[Fit]:
        """One training for each split and seed, in order."""
        dataset = dataset or self.open_dataset()
        return [
            Fit(dataset, split, seed, self.recipe, self.folder / f"split{split}" / f"seed{seed}")
            for split in self.splits
            for seed in self.seeds
        ]

    def provenance(self) -> dict[str, str]:
        """Where the bundles of this run come from."""
        folders = [self.open_dataset().feature_folder(split).name for split in self.splits]
        return {
            "data": self.data.name,
            "features": ", ".join(dict.fromkeys(folders)),
            "command": self.command,
            "commit": self.commit,
            "keyseg": __version__,
        }


def start_run(
    folder: Path,
    data: Path,
    recipe: Recipe,
    splits: Sequence[int],
    seeds: Sequence[int],
    command: str,
    *,
    resume: bool = False,
    force: bool = False,
) -> Run:
    """Make a run folder, or resume one.

    An existing run is refused unless `resume` is set (same data and recipe; splits and seeds may be added) or `force`
    (the old run is deleted). A folder that is not empty and not a run is always refused.
    Raises OutputExistsError, TrainingError.
    """
    dataset = Dataset.open(data, **dict(recipe.data))
    splits = tuple(dict.fromkeys(splits)) or dataset.splits
    for split in splits:
        refuse_overlap(dataset, split)
    seeds = tuple(dict.fromkeys(seeds))
    if not seeds or not all(0 <= seed < 2**32 for seed in seeds):
        raise ConfigError(f"expected at least one seed, each from 0 to 2**32 - 1, got {list(seeds)}")
    commit, data = source_commit(), data.resolve()
    run = Run(folder=folder, command=command, commit=commit, data=data, splits=splits, seeds=seeds, recipe=recipe)
    if resume and (folder / RUN).exists():
        run = _continued(run, read_run(folder))
    elif is_main_process() and folder.exists() and any(folder.iterdir()):
        _make_room(folder, force)
    if is_main_process():
        write_text(folder / RUN, run.model_dump_json(indent=1) + "\n")
    return run


def refuse_overlap(dataset: Dataset, split: int) -> None:
    """Raise DataError if a split tests on videos that it trains on."""
    both = sorted(set(dataset.names(split, "train")) & set(dataset.names(split, "test")))
    if both:
        raise DataError(
            f"{dataset.root / 'splits'}: split {split} tests on videos that it trains on: {', '.join(both[:5])}"
            f" ({len(both)} in all); take them out of one of the two lists (keyseg check names the lines)"
        )


def process_count() -> int:
    """Number of processes that torchrun started for this training, or 1."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def _make_room(folder: Path, force: bool) -> None:
    if not (folder / RUN).exists():
        raise OutputExistsError(f"{folder} is not empty and not a run of keyseg; choose another --out")
    if not force:
        raise OutputExistsError(
            f"{folder} holds a run; use --resume to continue it or --force to delete it and start again"
        )
    if process_count() > 1:
        raise ConfigError(f"{folder} holds a run, which other processes may be using; delete it by hand first")
    shutil.rmtree(folder)


def read_run(folder: Path) -> Run:
    """The run in a folder. Raises DataError if there is none or if it cannot be read."""
    file = folder / RUN
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        return Run(folder=folder, **content | {"recipe": validate_recipe(content["recipe"], str(file))})
    except FileNotFoundError:
        message = f"{folder}: no run here; expected a folder that keyseg train --out made, with {RUN}"
        raise DataError(message) from None
    except (OSError, ValidationError, json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError) as error:
        raise DataError(f"{file}: cannot be read as a run ({type(error).__name__}: {error})") from error


def source_commit() -> str:
    """Commit of the source checkout of this package, with `+` if it has changes, or `none` if it is installed."""
    here = Path(__file__).parent
    git = partial(subprocess.run, cwd=here, capture_output=True, encoding="utf-8", timeout=10)
    try:
        commit = git(["git", "rev-parse", "--short=12", "HEAD"])
        changes = git(["git", "status", "--porcelain", "--", "."])
    except (OSError, subprocess.TimeoutExpired):
        return "none"
    if commit.returncode != 0 or "site-packages" in here.parts:
        return "none"
    return commit.stdout.strip() + ("+" if changes.stdout.strip() else "")


def _continued(new: Run, old: Run) -> Run:
    if new.data != old.data:
        raise TrainingError(f"{old.folder} was trained on {old.data}, not on {new.data}; choose another --out")
    changed = [f"{key} was {before} and is now {now}" for key, before, now in differences(old.recipe, new.recipe)]
    if changed:
        raise TrainingError(
            f"{old.folder} has another recipe: {'; '.join(changed)}; repeat its options to resume it, or choose another"
            " --out"
        )
    splits = old.splits + tuple(split for split in new.splits if split not in old.splits)
    seeds = old.seeds + tuple(seed for seed in new.seeds if seed not in old.seeds)
    return old.model_copy(update={"splits": splits, "seeds": seeds, "commit": new.commit})


def differences(old: Recipe, new: Recipe) -> list[tuple[str, Any, Any]]:
    """Every value in which two recipes of one system differ: its key, and both values."""
    return list(_different(old.model_dump(mode="json"), new.model_dump(mode="json"), ""))


def _different(old: dict[str, Any], new: dict[str, Any], prefix: str) -> Iterator[tuple[str, Any, Any]]:
    for key, before in old.items():
        now = new.get(key)
        if isinstance(before, dict) and isinstance(now, dict):
            yield from _different(before, now, f"{prefix}{key}.")
        elif before != now:
            yield f"{prefix}{key}", before, now
