"""Progress of a training: a bar on a terminal, else a line now and then."""

from __future__ import annotations

import logging
import sys
import time
import warnings
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from keyseg.timeline.extras import extra

with extra("train", "training"):
    from lightning.pytorch import LightningModule, Trainer
    from lightning.pytorch.callbacks import Callback

from keyseg.training.fit import Fit

_LINES = 20  # of a log file, per training


def quiet() -> None:
    """Silence the libraries' messages; keyseg reports what matters itself."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module=r"lightning\..*")
    warnings.filterwarnings("ignore", message=".*isinstance.treespec, LeafSpec.*")


class TrainingProgress(Callback):
    """Epochs of one training, with the loss and the F1@50 of the validation videos."""

    def __init__(self, fit: Fit) -> None:
        self.name = f"split {fit.split} seed {fit.seed}"
        self.folder = fit.folder
        self.console = Console(stderr=True)
        self.bar: Progress | None = None
        self.task: Any = None
        self.started = 0.0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the bar, or print that the training starts."""
        self.started = time.perf_counter()
        title = self.name + ("" if Path(trainer.default_root_dir) == self.folder else ", choosing thresholds")
        if self.console.is_terminal:
            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
            clocks = (TimeElapsedColumn(), TimeRemainingColumn(), TextColumn("{task.fields[note]}"))
            self.bar = Progress(*columns, *clocks, console=self.console)
            self.bar.start()
            self.task = self.bar.add_task(title, total=trainer.max_epochs, completed=trainer.current_epoch, note="")
        else:
            print(f"{title}: {trainer.max_epochs} epochs", file=sys.stderr, flush=True)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Advance by one epoch."""
        done, total = trainer.current_epoch + 1, trainer.max_epochs or 1
        note = " ".join(f"{k} {float(v):.3g}" for k, v in trainer.progress_bar_metrics.items() if k != "v_num")
        if self.bar is not None:
            self.bar.update(self.task, completed=done, note=note)
        elif done == total or done * _LINES // total > (done - 1) * _LINES // total:
            spent = time.perf_counter() - self.started
            print(f"{self.name}: epoch {done}/{total}, {spent:.0f} s, {note}", file=sys.stderr, flush=True)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stop the bar."""
        self._stop()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Stop the bar, so that the terminal is free for the error."""
        self._stop()

    def _stop(self) -> None:
        if self.bar is not None:
            self.bar.stop()
            self.bar = None
