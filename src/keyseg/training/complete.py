"""One whole training: choose on inner folds, train, leave a bundle. Finished parts are kept and not repeated."""

from __future__ import annotations

import os
import platform
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from keyseg.data.splits import SUBSETS
from keyseg.inference.bundle import ALL_VIDEOS, load, save_bundle
from keyseg.inference.decoders import Match
from keyseg.inference.predictor import Predictor
from keyseg.timeline.files import write_json
from keyseg.timeline.version import __version__
from keyseg.training.choice import SideBySide, choose
from keyseg.training.fit import Fit, annotations_in_steps, train_network
from keyseg.training.module import SegmentationModule
from keyseg.training.warm_start import seen_in


def run_fit(fit: Fit, provenance: dict[str, str], together: SideBySide | None = None) -> Predictor:
    """Train on the split's training videos and leave a bundle, resuming where an earlier process was stopped.

    The final model's are all videos. Mixed segments, rules, the match and the calibration of the confidence are chosen
    first, on inner folds of these videos; together: how these are trained, None for one after the other. Raises
    DataError before it trains anything if a video of the split cannot be read.
    """
    if not fit.bundle.exists():
        seen, test_names = (fit.dataset.names(fit.split, subset) for subset in SUBSETS)
        for name in (*seen, *test_names):  # a bad file is found before, not after, hours of training
            fit.dataset.load(name, fit.split)
        chosen = choose(fit, together)
        recipe = fit.recipe.mixing(chosen.mixed_segments)
        decoder = recipe.decoder()
        if chosen.rules is not None:
            decoder = decoder.changed(rules=chosen.rules)
        if chosen.match is not None and chosen.match.weights is not None:
            annotations = annotations_in_steps(fit.dataset, seen)
            decoder = decoder.changed(match=Match.to(annotations, len(fit.dataset.labels), chosen.match.weights))
        module, seconds = train_network(fit, recipe, decoder, seen, test_names, fit.folder)
        if module.global_rank == 0:
            cost = _cost(fit, module, seconds) | {"inner_seconds": chosen.seconds, "commit": provenance["commit"]}
            write_json(fit.folder / "cost.json", cost)
            write_json(fit.chosen, chosen.model_dump(mode="json"))
            which = {"split": ALL_VIDEOS if fit.split is None else str(fit.split), "seed": str(fit.seed)}
            predictor = replace(module.predictor, calibration=chosen.calibration)
            save_bundle(predictor, fit.bundle, provenance | which, seen=seen_in(fit.dataset, seen, fit.start))
        module.trainer.strategy.barrier()
    return load(fit.bundle)


def _cost(fit: Fit, module: SegmentationModule, seconds: float) -> dict[str, Any]:
    """Time and memory that a training took, the precision of its computation, and the machine."""
    return {
        "keyseg": __version__,
        "seconds": round(seconds, 1),
        "peak_memory_mib": _peak_memory_mib(),
        "parameters": sum(p.numel() for p in module.model.parameters()),
        "threads": torch.get_num_threads(),
        "processes": module.trainer.world_size,
        "precision": module.trainer.precision,
        "machine": machine(),
    }


def machine() -> str:
    """This machine, in a line of a table."""
    return f"{_processor()}, {os.cpu_count()} processors, {platform.system()}, torch {torch.__version__}"


def _peak_memory_mib() -> int | None:
    """The most memory that this process has held; None on Windows, which does not report it."""
    if sys.platform != "win32":
        with suppress(ImportError):
            import resource

            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            return round(peak / (2**20 if sys.platform == "darwin" else 2**10))
    return None


def _processor() -> str:
    """Name of the processor if the system tells it, else its kind."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
