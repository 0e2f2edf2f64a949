"""One training: one split, one seed, from data to a bundle. Every part that is done is kept and not done again."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import lightning as L
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from lightning.pytorch.strategies import DDPStrategy

from keyseg.data.dataset import Dataset
from keyseg.inference.bundle import load, save_bundle
from keyseg.inference.decoders import KeypointDecoder
from keyseg.inference.decoding import Reading, Rules
from keyseg.inference.predictor import Predictor
from keyseg.matching.memory import AnnotationMemory
from keyseg.models.catalog import build
from keyseg.timeline import Segmentation, TrainingError
from keyseg.timeline.files import write_json
from keyseg.timeline.version import __version__
from keyseg.training.calibration import choose_rules, held_out, stressed
from keyseg.training.checkpoints import AtomicCheckpointIO, EveryEpoch
from keyseg.training.module import SegmentationModule
from keyseg.training.settings import Recipe, RTKRecipe
from keyseg.training.systems import system_of
from keyseg.training.videos import Videos, training_loader, validation_loader

VALIDATE_EVERY = 5  # epochs at most; the last epoch is always one of them


@dataclass(frozen=True)
class Fit:
    """What one training works on. folder: where all of it goes; callbacks: progress and the like."""

    dataset: Dataset
    split: int
    seed: int
    recipe: Recipe
    folder: Path
    callbacks: tuple[Callback, ...] = ()

    @property
    def bundle(self) -> Path:
        """Where the bundle stands when the training is done."""
        return self.folder / "bundle"


def run_fit(fit: Fit, provenance: dict[str, str]) -> Predictor:
    """Train on the split's training videos and leave a bundle; go on where a kill stopped it. RTK's rules are chosen
    first, on held-out training videos."""
    if not fit.bundle.exists():
        rules = calibrate(fit, fit.recipe) if isinstance(fit.recipe, RTKRecipe) else None
        names = fit.dataset.names(fit.split, "train")
        test_names = fit.dataset.names(fit.split, "test")
        module, seconds = train(fit, fit.recipe, names, test_names, fit.folder, rules)
        if module.global_rank == 0:
            write_json(fit.folder / "cost.json", _cost(fit, module, seconds) | {"commit": provenance["commit"]})
            save_bundle(module.predictor, fit.bundle, {**provenance, "split": str(fit.split), "seed": str(fit.seed)})
        module.trainer.strategy.barrier()
    return load(fit.bundle)


def calibrate(fit: Fit, recipe: RTKRecipe) -> tuple[Rules, Rules]:
    """RTK's rules with and without refinement, from a first training that leaves some training videos out."""
    file = fit.folder / "calibration" / "rules.json"
    names = fit.dataset.names(fit.split, "train")
    unseen = held_out(fit.dataset, names, recipe.calibration.holdout, fit.seed)
    if not unseen:
        return recipe.rules, recipe.rules
    if not file.exists():
        shorter = recipe.at_pace(recipe.calibration.pace)
        seen = [name for name in names if name not in unseen]
        module, seconds = train(fit, shorter, seen, (), file.parent)
        if module.global_rank == 0:
            write_json(file.with_name("cost.json"), {"seconds": round(seconds, 1)})
            write_json(file, _chosen(fit, recipe, module.predictor, unseen))
        module.trainer.strategy.barrier()
    found = json.loads(file.read_text(encoding="utf-8"))
    return Rules.model_validate(found["rules"]), Rules.model_validate(found["plain_rules"])


def _chosen(fit: Fit, recipe: RTKRecipe, predictor: Predictor, unseen: Sequence[str]) -> dict[str, Any]:
    settings = recipe.calibration
    samples = [fit.dataset.load(name, fit.split) for name in unseen] * settings.draws
    rng = np.random.default_rng(fit.seed)
    found = [predictor.read(stressed(sample.features, settings.stress, rng)) for sample in samples]
    readings = cast(list[Reading], found)  # the decoder is RTK's
    references = [Segmentation.from_frames(sample.labels) for sample in samples]
    labels, memory = fit.dataset.labels, cast(KeypointDecoder, predictor.decoder).memory
    plain, plain_score = choose_rules(readings, references, labels, recipe.rules, refine=False)
    rules, score = choose_rules(readings, references, labels, recipe.rules, refine=True, memory=memory)
    return {
        "rules": rules.model_dump(),
        "plain_rules": plain.model_dump(),
        "score": score,
        "plain_score": plain_score,
        "held_out": list(unseen),
    }


def train(
    fit: Fit,
    recipe: Recipe,
    seen: Sequence[str],
    validated: Sequence[str],
    folder: Path,
    rules: tuple[Rules, Rules] | None = None,
) -> tuple[SegmentationModule, float]:
    """Train on the videos `seen`, from the last whole epoch if there is a checkpoint. rules: RTK's.

    Returns the module and the seconds of all epochs, those before a checkpoint included. Raises TrainingError.
    """
    dataset = fit.dataset
    L.seed_everything(fit.seed, verbose=False)
    objective, decoder = system_of(recipe, dataset.labels, rules, remembered(dataset, seen))
    network = build(recipe.network, dataset.dimension(fit.split), len(dataset.labels))
    predictor = Predictor(
        network,
        dataset.labels,
        dataset.timebase,
        dataset.dimension(fit.split),
        decoder,
        dataset.layout(fit.split)[0],
        dataset.presampled(fit.split),
        dataset.origin(fit.split),
    )
    module = SegmentationModule(recipe, objective, predictor, fit.seed)
    checkpoint = EveryEpoch(folder / "last.ckpt")
    trainer = _trainer(recipe, folder, (checkpoint, *fit.callbacks))
    share = {"rank": trainer.global_rank, "world": trainer.world_size}
    if 0 < len(validated) < trainer.world_size:
        raise TrainingError(f"{trainer.world_size} processes cannot share {len(validated)} test videos; start fewer")
    training = training_loader(
        Videos(dataset, fit.split, seen), batch_size=recipe.optimiser.batch_size, seed=fit.seed, **share
    )
    validation = validation_loader(Videos(dataset, fit.split, validated), **share)
    try:
        trainer.fit(module, training, validation, ckpt_path=checkpoint.path if checkpoint.path.exists() else None)
    except SystemExit:  # how Lightning answers Ctrl-C and SIGTERM
        raise KeyboardInterrupt from None
    objective.follow(recipe.epochs - 1)
    return module, checkpoint.seconds


def remembered(dataset: Dataset, names: Sequence[str]) -> AnnotationMemory:
    """The annotations of videos, in steps."""
    frames = [dataset.annotation(name).to_frames() for name in names]
    return AnnotationMemory.of(Segmentation.from_frames(dataset.timebase.frames_to_steps(ids)) for ids in frames)


def _trainer(recipe: Recipe, folder: Path, callbacks: Sequence[Callback]) -> L.Trainer:
    settings = recipe.optimiser
    # One process and one device, or as many as torchrun started.
    distributed = torch.distributed.is_torchelastic_launched()
    devices = int(os.environ["LOCAL_WORLD_SIZE"]) if distributed else 1
    strategy: Any = DDPStrategy(find_unused_parameters=True) if distributed else "auto"
    return L.Trainer(
        accelerator="auto",
        devices=devices,
        num_nodes=int(os.environ["WORLD_SIZE"]) // devices if distributed else 1,
        strategy=strategy,
        precision=settings.precision,
        max_epochs=recipe.epochs,
        gradient_clip_val=settings.clip_norm,
        check_val_every_n_epoch=max(n for n in range(1, VALIDATE_EVERY + 1) if recipe.epochs % n == 0),
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
        callbacks=list(callbacks),
        plugins=[AtomicCheckpointIO()],
        logger=[CSVLogger(folder, name="logs"), TensorBoardLogger(folder, name="tensorboard")],
        log_every_n_steps=1,
        enable_model_summary=False,
        enable_progress_bar=False,
        default_root_dir=folder,
    )


def _cost(fit: Fit, module: SegmentationModule, seconds: float) -> dict[str, Any]:
    """Time and memory of a training, and the machine."""
    calibration = fit.folder / "calibration" / "cost.json"
    return {
        "keyseg": __version__,
        "seconds": round(seconds, 1),
        "calibration_seconds": json.loads(calibration.read_text())["seconds"] if calibration.exists() else 0.0,
        "peak_memory_mib": _peak_memory_mib(),
        "parameters": sum(p.numel() for p in module.model.parameters()),
        "threads": torch.get_num_threads(),
        "machine": f"{_processor()}, {os.cpu_count()} processors, {platform.system()}, torch {torch.__version__}",
    }


def _peak_memory_mib() -> int | None:
    """The most memory that this process has held; None on Windows, which does not report it."""
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (2**20 if sys.platform == "darwin" else 2**10))


def _processor() -> str:
    """The processor's name where the system tells it, else its kind."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
