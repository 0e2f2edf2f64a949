"""keyseg convert WEIGHTS: weights of the reference programs into bundles."""

from __future__ import annotations

import hashlib
import sys
from fractions import Fraction
from pathlib import Path
from typing import Literal

from keyseg.cli.background import Background, background_names
from keyseg.cli.features import frame_rate
from keyseg.timeline import ConfigError, LabelMap, OutputExistsError


def convert_weights(
    weights: Path,
    *,
    model: Literal["asformer", "ms-tcn++", "bcn"],
    out: Path,
    mapping: Path | None,
    background: Background,
    fps: str | None,
    sample_rate: int | None,
    force: bool,
) -> int:
    """A bundle of weights that the reference program of a model trained; sizes are found from names and shapes.

    Nothing in the file is executed; if it holds anything but tensors it is refused and nothing is written. The options
    are those of `keyseg convert`.
    """
    from keyseg.data.known_datasets import identify
    from keyseg.inference.bundle import CONFIG, WEIGHTS, save_bundle
    from keyseg.inference.reference import convert_reference
    from keyseg.inference.systems import system_named
    from keyseg.timeline import TimeBase

    if out.exists() and not force:
        raise OutputExistsError(f"{out} exists; choose another --out or use --force")
    if out.exists() and not (out.is_dir() and {file.name for file in out.iterdir()} <= {CONFIG, WEIGHTS}):
        raise OutputExistsError(f"{out} is there and not a bundle alone; choose another --out")
    labels = None if mapping is None else LabelMap.read(mapping, background_names(background))
    if labels is None and background is not None:
        raise ConfigError("--background names classes, and without --mapping they have no names; give both")
    facts = identify(labels.names) if labels else None
    try:
        rate = frame_rate(fps) if fps is not None else facts.fps if facts else Fraction(15)
        sample_rate = sample_rate if sample_rate is not None else facts.sample_rate if facts else 1
        timebase = TimeBase(rate, sample_rate)
    except (ValueError, ZeroDivisionError) as error:
        given = (("--fps", fps), ("--sample-rate", sample_rate))
        told = " ".join(f"{option} {value}" for option, value in given if value is not None)
        raise ConfigError(f"{told}: {error}") from None
    predictor = convert_reference(weights, model, labels, timebase)
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    save_bundle(predictor, out, {"converted from": weights.name, "sha256": digest}, force=force)
    sizes = predictor.model.config.model_dump(exclude_defaults=True)
    size = sum(parameter.numel() for parameter in predictor.model.parameters())
    told = ", ".join(f"{name} {value}" for name, value in sizes.items()) or "the published sizes"
    classes = len(predictor.labels)
    print(
        f"{system_named(model).title}: {predictor.input_dim} channels in, {classes} classes, {size:,} parameters; {told}",
        file=sys.stderr,
    )
    print(out)
    return 0
