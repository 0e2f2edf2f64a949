"""keyseg predict: features in, timelines out; no labels needed."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from keyseg.timeline import ConfigError, DataError, KeysegError, OutputExistsError

if TYPE_CHECKING:
    from keyseg.inference.predictor import Prediction


def predict(
    bundle: Path, /, *features: Path, out: Path, format: str = "txt", scores: bool = False, force: bool = False
) -> int:
    """Label the timeline of videos from their features.

    Writes OUT/VIDEO.txt and the like. A file that cannot be read is reported and the others are still done.

    Parameters
    ----------
    bundle
        Bundle that keyseg train left, or a run folder with one.
    features
        .npy files, or folders of them; (D, T) or (T, D), made by the extractor that the bundle was trained with.
    out
        Folder for the timelines.
    format
        txt (a label a line), csv, json; several as txt,json.
    scores
        Also write OUT/VIDEO.scores.npz with the array stages: the output of every stage of the network, (stages, C, T)
        float32, T in feature steps. RTK adds its heatmaps: action (C, T) and boundary (T,).
    force
        Overwrite timelines that are there.
    """
    from keyseg.formats import FORMATS, timeline_text
    from keyseg.inference.bundle import load_bundle
    from keyseg.training.files import write_text

    formats = [part.strip() for part in format.split(",")]
    for name in formats:
        if name not in FORMATS:
            raise ConfigError(f"unknown format {name!r}; known: {', '.join(FORMATS)}")
    files = feature_files(features)
    targets = {file: [out / f"{file.stem}.{name}" for name in formats] for file in files}
    extra = [out / f"{file.stem}.scores.npz" for file in files] if scores else []
    there = [target for target in (*(t for each in targets.values() for t in each), *extra) if target.exists()]
    if there and not force:
        raise OutputExistsError(f"{there[0]} exists ({len(there)} such files); choose another --out or use --force")
    predictor = load_bundle(bundle)
    failed = 0
    for file, paths in targets.items():
        try:
            prediction = predictor.predict(file)
        except KeysegError as error:
            failed += 1
            print(f"error: {file}: {error}" if str(file) not in str(error) else f"error: {error}", file=sys.stderr)
            continue
        for path, name in zip(paths, formats, strict=True):
            text = timeline_text(name, file.stem, prediction.segmentation, predictor.labels, predictor.timebase)
            write_text(path, text)
        if scores:
            write_scores(out / f"{file.stem}.scores.npz", prediction)
        size = prediction.segmentation
        print(f"{paths[0]}: {len(size)} segments, {size.length} frames", file=sys.stderr)
    if failed:
        rest = f"; the others are in {out}" if failed < len(files) else ""
        print(f"{failed} of {len(files)} videos could not be done{rest}", file=sys.stderr)
    return 1 if failed else 0


def write_scores(path: Path, prediction: Prediction) -> None:
    """What the network said, as compressed arrays."""
    import numpy as np

    from keyseg.inference.predictor import KeypointPrediction
    from keyseg.training.files import write_bytes

    arrays = {"stages": prediction.stages}
    if isinstance(prediction, KeypointPrediction):
        arrays |= {"action": prediction.action_heatmap, "boundary": prediction.boundary_heatmap}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
    write_bytes(path, buffer.getvalue())


def feature_files(paths: Iterable[Path]) -> list[Path]:
    """Feature files named, and those in folders named. Raises DataError on none, or on two of one name."""
    found: list[Path] = []
    for path in paths:
        inside = sorted(path.glob("*.npy")) if path.is_dir() else [path]
        if not inside:
            raise DataError(f"{path}: no .npy file in this folder")
        found += inside
    if not found:
        raise ConfigError("name at least one .npy file or a folder of them; see: keyseg predict --help")
    stems = [path.stem for path in found]
    twice = sorted({stem for stem in stems if stems.count(stem) > 1})
    if twice:
        raise DataError(
            f"two feature files are called {twice[0]}.npy, so their timelines would be too; predict them apart"
        )
    return found
