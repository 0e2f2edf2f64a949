"""One training of a network: one split, one seed; resumed where an earlier process was stopped."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from keyseg.data.dataset import Dataset
from keyseg.data.splits import Split
from keyseg.inference.decoders import Decoder
from keyseg.inference.predictor import Predictor
from keyseg.inference.systems import SYSTEMS
from keyseg.models.network import Network
from keyseg.timeline import Segmentation, TrainingError
from keyseg.timeline.extras import extra
from keyseg.timeline.files import naming
from keyseg.timeline.json_text import read_object
from keyseg.training.silence import quiet

with extra("train", "training"), quiet():
    import lightning as L
    import tensorboard  # noqa: F401 (imported by its logger, when a training starts)
    import torchmetrics  # noqa: F401
    from lightning.pytorch.callbacks import Callback
    from lightning.pytorch.loggers import Logger
    from lightning.pytorch.strategies import DDPStrategy

from keyseg.training.checkpoints import AtomicCheckpointIO, EveryEpoch
from keyseg.training.loggers import close_loggers, loggers_of
from keyseg.training.module import SegmentationModule
from keyseg.training.settings import Precision, Recipe
from keyseg.training.systems import trainable
from keyseg.training.torchrun import is_launched, process_count
from keyseg.training.videos import Videos, loader
from keyseg.training.warm_start import StartBundle

VALIDATE_EVERY = 5  # epochs at most; the last epoch is always one of them


@dataclass(frozen=True)
class Fit:
    """What one training works on. split: None for the final model, which is trained on all videos. folder: for
    everything it writes. callbacks: of Lightning, such as progress. start: whose weights it starts from, if any."""

    dataset: Dataset
    split: Split
    seed: int
    recipe: Recipe
    folder: Path
    callbacks: tuple[Callback, ...] = ()
    start: StartBundle | None = None

    @property
    def bundle(self) -> Path:
        """Folder of the bundle once the training is finished."""
        return self.folder / "bundle"

    @property
    def name(self) -> str:
        """Its name in tables."""
        return f"{'final' if self.split is None else f'split{self.split}'}/seed{self.seed}"

    @property
    def scores(self) -> Path:
        """File of the scores, the last thing that is written; the final model has none."""
        return self.folder / "scores.json"

    @property
    def is_finished(self) -> bool:
        """Whether nothing is left to do."""
        return (self.bundle if self.split is None else self.scores).exists()

    @property
    def reliability(self) -> Path:
        """File of how far the confidence of segments could be trusted on the test videos."""
        return self.folder / "reliability.json"

    @property
    def inner(self) -> Path:
        """Folder of the inner folds, which all seeds of a split share."""
        return self.folder.parent / "inner"

    @property
    def chosen(self) -> Path:
        """File of what the inner folds chose for this training."""
        return self.folder / "chosen.json"

    def cost(self) -> dict[str, Any]:
        """What the finished training took; see `run_fit`."""
        return read_object(self.folder / "cost.json", "what a training took", nan=True)


FitCallbacks = Callable[[Fit], tuple[Callback, ...]]
"""The Lightning callbacks of a training, such as its progress."""


@quiet()
def train_network(
    fit: Fit,
    recipe: Recipe,
    decoder: Decoder,
    seen: Sequence[str],
    validated: Sequence[str],
    folder: Path,
    *,
    until: int | None = None,
) -> tuple[SegmentationModule, float]:
    """Train on the videos `seen`, from the last whole epoch if there is a checkpoint.

    until: number of epochs after which it pauses; the same call without it continues to the end. Returns the module
    and the seconds of all epochs, those before a checkpoint included. Raises TrainingError.
    """
    dataset = fit.dataset
    L.seed_everything(fit.seed, verbose=False)
    objective = trainable(recipe.model).objective(recipe, dataset.labels)
    axes, dimension = dataset.layout(fit.split)
    network = SYSTEMS[recipe.model].network(recipe.network, dimension, len(dataset.labels))
    if not isinstance(network, Network):
        raise SYSTEMS.refusal(recipe.model, f"its network is no subclass of keyseg's Network: {type(network).__name__}")
    if fit.start is not None:
        fit.start.initialise(network, recipe.model, dataset.labels)
    predictor = Predictor(
        system=recipe.model,
        model=network,
        labels=dataset.labels,
        timebase=dataset.timebase,
        decoder=decoder,
        orientation=axes,
        presampled=dataset.presampled(fit.split),
        origin=dataset.origin(fit.split),
        tier=dataset.remembered.tier,
    )
    module = SegmentationModule(recipe, objective, predictor, fit.seed)
    checkpoint = EveryEpoch(folder / "last.ckpt")
    loggers = loggers_of(recipe, folder, f"{dataset.root.name} {recipe.model} {fit.name}")
    trainer = _trainer(recipe, folder, (checkpoint, *fit.callbacks), loggers, until or recipe.epochs)
    if 0 < len(validated) < trainer.world_size:
        raise TrainingError(f"{trainer.world_size} processes cannot share {len(validated)} test videos; start fewer")
    share = {"rank": trainer.global_rank, "world": trainer.world_size}
    training = loader(Videos(dataset, fit.split, seen), recipe.optimiser.batch_size, seed=fit.seed, **share)
    validation = loader(Videos(dataset, fit.split, validated), **share)
    try:
        with naming(folder):
            trainer.fit(module, training, validation, ckpt_path=checkpoint.path if checkpoint.path.exists() else None)
    except SystemExit:  # how Lightning answers Ctrl-C and SIGTERM
        raise KeyboardInterrupt from None
    finally:
        close_loggers(loggers)
    return module, checkpoint.seconds


def annotations_in_steps(dataset: Dataset, names: Sequence[str]) -> Iterator[Segmentation]:
    """The annotations of videos, one label per feature step."""
    for name in names:
        yield Segmentation.from_frames(dataset.timebase.frames_to_steps(dataset.annotation(name).to_frames()))


def precision_here(setting: Literal[Precision, "auto"]) -> Precision:
    """The precision of a training on this machine: `auto` is 32-true on CPUs and on GPUs that only emulate bfloat16."""
    if setting != "auto":
        return setting
    computes_bf16 = torch.cuda.is_available() and torch.cuda.is_bf16_supported(including_emulation=False)
    return "bf16-mixed" if computes_bf16 else "32-true"


def _trainer(
    recipe: Recipe, folder: Path, callbacks: Sequence[Callback], loggers: Sequence[Logger], epochs: int
) -> L.Trainer:
    settings = recipe.optimiser
    # One process and one device, or as many as torchrun started.
    devices = int(os.environ["LOCAL_WORLD_SIZE"]) if is_launched() else 1
    strategy: Any = DDPStrategy(find_unused_parameters=True) if is_launched() else "auto"
    return L.Trainer(
        accelerator="auto",
        devices=devices,
        num_nodes=process_count() // devices if is_launched() else 1,
        strategy=strategy,
        precision=precision_here(settings.precision),
        max_epochs=epochs,
        accumulate_grad_batches=settings.accumulate,
        gradient_clip_val=settings.clip_norm,
        check_val_every_n_epoch=max(n for n in range(1, VALIDATE_EVERY + 1) if recipe.epochs % n == 0),
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
        callbacks=list(callbacks),
        plugins=[AtomicCheckpointIO()],
        logger=list(loggers),
        log_every_n_steps=1,
        enable_model_summary=False,
        enable_progress_bar=False,
        default_root_dir=folder,
    )
