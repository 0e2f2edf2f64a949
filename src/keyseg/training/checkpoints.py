"""Checkpoints for resuming: written whole or not at all, read without running anything that is in them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins import CheckpointIO
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint

from keyseg.timeline import TrainingError


class AtomicCheckpointIO(CheckpointIO):
    """Writes beside the target, syncs and renames; loads with weights_only."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Replace `path` in one step: a kill at any moment leaves the old file or the new one."""
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
        with partial.open("wb") as file:
            torch.save(checkpoint, file)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(target)

    def load_checkpoint(self, path: Any, map_location: Any = None, weights_only: bool | None = True) -> dict[str, Any]:
        """Tensors and plain values only. Raises TrainingError if the file is damaged or holds anything else."""
        try:
            found = torch.load(path, map_location=map_location or "cpu", weights_only=True)
        except Exception as error:
            raise TrainingError(
                f"{path}: not a checkpoint that can be resumed from ({type(error).__name__}); delete it to start this"
                " training anew"
            ) from error
        if not isinstance(found, Mapping):
            raise TrainingError(f"{path}: expected a checkpoint's mapping, got {type(found).__name__}")
        return dict(found)

    def remove_checkpoint(self, path: Any) -> None:
        """Delete a checkpoint."""
        Path(path).unlink(missing_ok=True)


class EveryEpoch(Checkpoint):
    """Keeps one checkpoint, that of the last whole epoch."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save behind all other hooks of the epoch."""
        trainer.save_checkpoint(self.path)
