"""Where the numbers of a training go: Lightning's own loggers, by the names that a recipe gives."""

from __future__ import annotations

import os
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

from keyseg.timeline import ConfigError
from keyseg.timeline.extras import extra
from keyseg.training.settings import LoggerName, Recipe
from keyseg.training.silence import quiet

with extra("train", "training"), quiet():
    from lightning.pytorch.loggers import CSVLogger, Logger, MLFlowLogger, TensorBoardLogger, WandbLogger

_PACKAGES: tuple[LoggerName, ...] = ("wandb", "mlflow")  # that are not installed along with keyseg[train]
_PROJECT = "keyseg"


def check_loggers(recipe: Recipe) -> None:
    """Raise ConfigError with the command that installs what a recipe's loggers need, if it is not installed."""
    missing = [name for name in recipe.logging.loggers if name in _PACKAGES and find_spec(name) is None]
    if missing:
        words = " ".join(missing)
        raise ConfigError(f"logging.loggers: {', '.join(missing)} not installed; run: pip install {words}")


def loggers_of(recipe: Recipe, folder: Path, name: str) -> list[Logger]:
    """The loggers of one training. folder: of its files; name: by which other programs show it, such as `split1/seed0`.

    wandb and mlflow get the recipe too, and send to the place that their own environment variables name, such as
    WANDB_PROJECT, WANDB_MODE=offline or MLFLOW_TRACKING_URI; without it mlflow writes to `folder`/mlflow.db. Raises
    ConfigError as `check_loggers`.
    """
    check_loggers(recipe)
    made = [_logger(logger, folder, name) for logger in recipe.logging.loggers]
    for logger in made:
        if isinstance(logger, WandbLogger | MLFlowLogger):
            logger.log_hyperparams(recipe.model_dump(mode="json"))
    return made


def close_loggers(loggers: Iterable[Logger]) -> None:
    """End what Lightning leaves open: without it the next training in this process would log to the same run."""
    for logger in loggers:
        if isinstance(logger, WandbLogger):
            logger.experiment.finish()


def _logger(logger: LoggerName, folder: Path, name: str) -> Logger:
    if logger == "csv":
        return CSVLogger(folder, name="logs")
    if logger == "tensorboard":
        return TensorBoardLogger(folder, name="tensorboard")
    if logger == "wandb":
        return WandbLogger(name, folder, project=os.environ.get("WANDB_PROJECT", _PROJECT))
    here = f"sqlite:///{(folder / 'mlflow.db').resolve().as_posix()}"
    place = os.environ.get("MLFLOW_TRACKING_URI", here)
    return MLFlowLogger(os.environ.get("MLFLOW_EXPERIMENT_NAME", _PROJECT), name, place)
