"""Checkpoints for resuming: written whole or not at all, read without executing anything in them."""

from __future__ import annotations

import io
import time
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins import CheckpointIO
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint

from keyseg.inference.weight_files import read_torch
from keyseg.timeline import TrainingError
from keyseg.timeline.files import write_bytes


class AtomicCheckpointIO(CheckpointIO):
    """Writes whole files; loads with weights_only."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Replace `path` in one step: a kill at any moment leaves the old file or the new one."""
        buffer = io.BytesIO()  # torch says of a full disk only that the archive has an unexpected position
        torch.save(checkpoint, buffer)
        write_bytes(Path(path), buffer.getvalue())

    def load_checkpoint(self, path: Any, map_location: Any = None, weights_only: bool | None = True) -> dict[str, Any]:
        """Tensors and plain values only. Raises TrainingError if the file is damaged or holds anything else."""
        try:
            content = read_torch(Path(path))
            state = content["state_dict"]
            if not all(value.isfinite().all() for value in state.values()):
                raise ArithmeticError("weights are NaN or infinite")
            return {**content, "state_dict": state}
        except Exception as error:
            raise TrainingError(
                f"{path}: not a checkpoint that training can resume from ({type(error).__name__}); delete it to start"
                " this training again"
            ) from error

    def remove_checkpoint(self, path: Any) -> None:
        """Delete a checkpoint."""
        Path(path).unlink(missing_ok=True)


class EveryEpoch(Checkpoint):
    """Keeps one checkpoint, that of the last whole epoch.

    It also holds the seconds spent on all epochs and the losses of the epoch. Loggers receive the losses after the
    checkpoint is written, so a kill between the two would lose them; a resumed training logs them again.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.seconds = 0.0
        self._since = 0.0
        self._losses: dict[str, float] = {}
        self._step = 0

    def state_dict(self) -> dict[str, Any]:
        """Seconds, losses and step as plain values."""
        return {"seconds": self.seconds, "losses": self._losses, "step": self._step}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue counting."""
        self.seconds, self._losses, self._step = (state_dict[key] for key in ("seconds", "losses", "step"))

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log the losses of the previous epoch again, if there is one."""
        self._since = time.perf_counter()
        if self._losses:
            for logger in trainer.loggers:
                logger.log_metrics(self._losses, self._step)
                logger.save()

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Forget the losses of the previous epoch: this one may not have all of them."""
        for name in [name for name in trainer.callback_metrics if name.startswith("loss")]:
            del trainer.callback_metrics[name]

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save after all other hooks of the epoch."""
        now = time.perf_counter()
        self.seconds, self._since = self.seconds + now - self._since, now
        logged = trainer.callback_metrics.items()
        self._losses = {name: float(value) for name, value in logged if name.startswith("loss")}
        self._losses["epoch"] = trainer.current_epoch
        self._step = trainer.global_step - 1
        trainer.save_checkpoint(self.path)
