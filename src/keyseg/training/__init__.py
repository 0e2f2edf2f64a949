"""Recipes, runs, training, calibration and results."""

from importlib.util import find_spec

from keyseg.timeline.extras import extra

with extra("train", "training"):
    for _module in ("lightning", "torchmetrics", "tensorboard"):
        if find_spec(_module) is None:
            raise ModuleNotFoundError(name=_module)
