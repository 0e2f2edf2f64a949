"""A run: one recipe on the splits and seeds of a data set, in one resumable folder."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, SerializeAsAny, ValidationError

from keyseg.data.dataset import Dataset
from keyseg.data.splits import Split
from keyseg.inference.bundle import load
from keyseg.inference.predictor import Predictor
from keyseg.timeline import ConfigError, DataError, OutputExistsError, TrainingError
from keyseg.timeline.files import end_replacing, is_empty, whole_folder, write_text
from keyseg.timeline.json_text import need, read_object
from keyseg.timeline.version import __version__
from keyseg.training.fit import Fit
from keyseg.training.recipe import validate_recipe
from keyseg.training.settings import Recipe
from keyseg.training.torchrun import is_main_process, process_count
from keyseg.training.warm_start import StartBundle

RUN = "run.json"


class Run(BaseModel):
    """What a run folder was made from. data: folder of the data set; command: as typed, without the folders of absolute
    paths. final: whether a model is also trained on all videos; ensemble: whether the folds are averaged; start: the
    bundle that every training starts from."""

    model_config = ConfigDict(frozen=True)

    folder: Path = Field(exclude=True)
    keyseg: str = __version__
    command: str
    commit: str
    data: Path
    splits: tuple[int, ...]
    seeds: tuple[int, ...]
    recipe: SerializeAsAny[Recipe]
    final: bool = False
    ensemble: bool = False
    start: StartBundle | None = None

    @property
    def ensemble_bundle(self) -> Path:
        """Folder of the bundle that averages the folds."""
        return self.folder / "ensemble" / "bundle"

    def open_dataset(self) -> Dataset:
        """The data set, read with the options of the recipe."""
        return Dataset.open(self.data, **dict(self.recipe.data))

    def complete(self) -> Run:
        """The same with all settings of the data set in its recipe; runs of earlier versions state only some."""
        return self.model_copy(update={"recipe": self.recipe.changed(data=self.open_dataset().options)})

    def fits(self, dataset: Dataset | None = None) -> list[Fit]:
        """One training for each split and seed, in order: those that are scored."""
        return self._fits(dataset or self.open_dataset(), self.splits)

    def final_fits(self, dataset: Dataset | None = None) -> list[Fit]:
        """The trainings on all videos, one for each seed, if there are any."""
        return self._fits(dataset or self.open_dataset(), (None,)) if self.final else []

    def _fits(self, dataset: Dataset, splits: Sequence[Split]) -> list[Fit]:
        return [
            Fit(dataset, split, seed, self.recipe, self.folder / place / f"seed{seed}", start=self.start)
            for split in splits
            for place in (f"split{split}" if split is not None else "final",)
            for seed in self.seeds
        ]

    @property
    def summary(self) -> dict[str, Any]:
        """The scores of the finished trainings and what they are from, as in RUN/results.json.

        Raises DataError if there are none yet.
        """
        file = self.folder / "results.json"
        if not file.exists():
            raise DataError(f"{self.folder}: no training of it is finished; continue with keyseg train ... --resume")
        return read_object(file, "the results of a run", nan=True)

    def predictor(self, *, split: int | None = None, seed: int | None = None) -> Predictor:
        """The predictor of one training; with neither split nor seed, of the model to keep: final, else ensemble.

        Raises ConfigError naming the choices unless split and seed name one.
        """
        if split is None and (self.final or (self.ensemble and seed is None)):
            return load(self.folder if seed is None else self.folder / "final" / f"seed{seed}")
        fits = [fit for fit in self.fits() if split in (None, fit.split) and seed in (None, fit.seed)]
        if len(fits) != 1:
            given = [f"{name} {value}" for name, value in (("split", split), ("seed", seed)) if value is not None]
            known = ", ".join(fit.name for fit in self.fits())
            raise ConfigError(
                f"{self.folder}: {len(fits)} trainings of {' and '.join(given) or 'any split and seed'}; choose one"
                f" with split and seed: {known}"
            )
        return load(fits[0].bundle)

    def __repr__(self) -> str:
        numbers = (("split", self.splits), ("seed", self.seeds))
        listed = [f"{name}{'s' * (len(of) > 1)} {' '.join(map(str, of))}" for name, of in numbers if of]
        kept = [name for name in ("final", "ensemble") if getattr(self, name)]
        return f"Run({self.folder.as_posix()}: {self.recipe.model} on {self.data.name}, {', '.join([*listed, *kept])})"

    __str__ = __repr__

    def provenance(self) -> dict[str, str]:
        """Where the bundles of this run come from."""
        splits: tuple[Split, ...] = (*self.splits, *([None] if self.final else []))
        folders = [self.open_dataset().feature_folder(split).name for split in splits]
        start = {"start": f"weights with SHA-256 {self.start.sha256}"} if self.start else {}
        return start | {
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
    splits: Sequence[int] | None,
    seeds: Sequence[int],
    command: str,
    *,
    final: bool = False,
    ensemble: bool = False,
    start: Path | None = None,
    resume: bool = False,
    force: bool = False,
) -> Run:
    """Make a run folder, or resume one. splits: () for all, None for none; then `final` must be set.

    An existing run is refused unless `resume` is set (same data, recipe and start; splits, seeds, final model and
    ensemble may be added) or `force` (the old run is deleted). A folder that is not empty and not a run is always
    refused. Raises OutputExistsError, TrainingError.
    """
    dataset = Dataset.open(data, **dict(recipe.data))
    recipe = recipe.changed(data=dataset.options)
    splits = () if splits is None else tuple(dict.fromkeys(splits)) or dataset.splits
    for split in splits:
        refuse_overlap(dataset, split)
    seeds = tuple(dict.fromkeys(seeds))
    check_seeds(seeds)
    commit, data = source_commit(), data.resolve()
    run = Run(
        folder=folder,
        command=command,
        commit=commit,
        data=data,
        splits=splits,
        seeds=seeds,
        recipe=recipe,
        final=final,
        ensemble=ensemble,
        start=StartBundle.at(start) if start else None,
    )
    resumed = resume and (folder / RUN).exists()
    if resumed:
        run = _continued(run, read_run(folder).complete())
    _check(run, dataset)
    if not is_main_process():
        return run
    if resumed or (folder.exists() and is_empty(folder)):
        end_replacing(folder)
        _write(run, folder)
        return run
    if folder.exists():
        if run.start is not None and run.start.bundle.is_relative_to(folder.resolve()):
            raise ConfigError(f"{folder} holds the bundle to start from, {run.start.bundle}; choose another --out")
        _refuse_taken(folder, force)
    with whole_folder(folder) as new:  # the old run is deleted when the new one is there
        _write(run, new)
    return run


def _write(run: Run, folder: Path) -> None:
    write_text(folder / RUN, run.model_dump_json(indent=1) + "\n")


def _check(run: Run, dataset: Dataset) -> None:
    """Raise ConfigError or DataError where a run cannot be what it is to be."""
    if not run.splits and not run.final:
        raise ConfigError("--split none leaves nothing to train; add --final for a model trained on all videos")
    if run.final:
        dataset.feature_folder(None)
    if run.ensemble and len(run.splits) * len(run.seeds) < 2:
        raise ConfigError("--ensemble averages the models of at least two splits or seeds; train with --split all")
    for split in run.splits if run.ensemble else ():
        if dataset.belongs_to_split(split):
            raise DataError(
                f"{dataset.feature_folder(split)}: its features are those of split {split} alone, so that no video can"
                " be given to the models of all splits; leave out --ensemble, or name with --features a folder of"
                " features that no split was used for"
            )
    if run.start is not None:
        run.start.check(run.recipe, dataset, run.splits[0] if run.splits else None)
        for split in run.splits:
            run.start.refuse_seen(dataset, split)


def check_seeds(seeds: Sequence[int]) -> None:
    """Raise ConfigError unless there are seeds, and each is one."""
    if not seeds or not all(0 <= seed < 2**32 for seed in seeds):
        raise ConfigError(f"expected at least one seed, each from 0 to 2**32 - 1, got {list(seeds)}")


def refuse_overlap(dataset: Dataset, split: int) -> None:
    """Raise DataError if a split tests on videos that it trains on."""
    both = sorted(set(dataset.names(split, "train")) & set(dataset.names(split, "test")))
    if both:
        raise DataError(
            f"{dataset.root / 'splits'}: split {split} tests on videos that it trains on: {', '.join(both[:5])}"
            f" ({len(both)} in all); take them out of one of the two lists (keyseg check names the lines)"
        )


def _refuse_taken(folder: Path, force: bool) -> None:
    if not (folder / RUN).exists():
        raise OutputExistsError(f"{folder} is not empty and not a run of keyseg; choose another --out")
    if not force:
        raise OutputExistsError(
            f"{folder} holds a run; use --resume to continue it or --force to delete it and start again"
        )
    if process_count() > 1:
        raise ConfigError(f"{folder} holds a run, which other processes may be using; delete it by hand first")


def read_run(folder: Path) -> Run:
    """The run in a folder. Raises DataError if there is none or if it cannot be read."""
    file = folder / RUN
    if not file.exists():
        raise DataError(f"{folder}: no run here; expected a folder that keyseg train --out made, with {RUN}")
    content = read_object(file, "a run of keyseg train")
    recipe = validate_recipe(need(content, "recipe", dict, str(file)), str(file))
    try:
        return Run(folder=folder, **content | {"recipe": recipe})
    except (ValidationError, TypeError) as error:
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
    if (new.start and new.start.sha256) != (old.start and old.start.sha256):
        was, now = (str(run.start.bundle) if run.start else "new weights" for run in (old, new))
        raise TrainingError(
            f"{old.folder} starts from {was}, not from {now}; repeat its --start, or choose another --out"
        )
    changed = [f"{key} was {before} and is now {now}" for key, before, now in differences(old.recipe, new.recipe)]
    if changed:
        raise TrainingError(
            f"{old.folder} has another recipe: {'; '.join(changed)}; repeat its options to resume it, or choose another"
            " --out"
        )
    splits = old.splits + tuple(split for split in new.splits if split not in old.splits)
    seeds = old.seeds + tuple(seed for seed in new.seeds if seed not in old.seeds)
    kept = {"final": old.final or new.final, "ensemble": old.ensemble or new.ensemble, "start": new.start}
    return old.model_copy(update={"splits": splits, "seeds": seeds, "commit": new.commit, **kept})


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
