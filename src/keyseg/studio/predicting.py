"""Predictions as jobs: a bundle and videos in, rows for the studio out."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from keyseg.studio.bundles import active_bundle, bundle_folder
from keyseg.studio.classes import spelling
from keyseg.studio.rows import PREDICTION
from keyseg.studio.segments import TimedSegment
from keyseg.studio.store import Store
from keyseg.studio.worker import ReportWork, ServerEvent
from keyseg.timeline import DataError, KeysegError, LabelMap

if TYPE_CHECKING:
    from keyseg.inference.prediction import Prediction
    from keyseg.inference.predictor import Predictor

AUTHOR = "keyseg"  # of what no person did
_STRIP = 4000  # numbers in a strip at most


def gather(store: Store, asked: dict[str, Any]) -> dict[str, Any]:
    """The videos and the bundle that were asked for. asked: `videos`, a list of ids or None for all; `bundle`, a name,
    or None for the active one. Raises DataError if there are none."""
    name, path = bundle_of(store, asked.get("bundle"))
    videos = videos_of(store, asked.get("videos"))
    return {"bundle": str(path), "row": PREDICTION + name, "videos": videos, "cache": str(store.private / "features")}


def bundle_of(store: Store, name: str | None) -> tuple[str, Path]:
    """Name and folder of a bundle; None: of the active one. Raises DataError if there is none."""
    chosen = name or active_bundle(store)
    if chosen is None:
        raise DataError(f"no bundle is active in {store.folder}; add one, or retrain from corrected videos")
    return chosen, bundle_folder(store, chosen)


def videos_of(store: Store, ids: list[str] | None) -> list[dict[str, Any]]:
    """Id, file, frames and fps of videos; None: of all whose files are there. Raises DataError on an unknown id."""
    rows = {row["id"]: row for row in store.select("SELECT * FROM videos ORDER BY path")}
    unknown = [name for name in ids or () if name not in rows]
    if unknown:
        raise DataError(f"no video {unknown[0]!r} in {store.folder}; GET /api/library lists them")
    chosen = [rows[name] for name in ids] if ids is not None else [row for row in rows.values() if not row["missing"]]
    if not chosen:
        raise DataError(f"no videos in {store.folder}; put some there, or name one")
    return [
        {"id": row["id"], "file": str(store.folder / row["path"]), "frames": row["frames"], "fps": row["fps"]}
        for row in chosen
    ]


def work(request: dict[str, Any], report: ReportWork) -> dict[str, Any]:
    """Predict videos one by one; each is a part `{video, segments, details}`.

    Returns `{predicted: [ids], failed: {id: reason}}`. Raises DataError if none could be predicted.
    """
    from keyseg.inference.bundle import load

    predictor = load(request["bundle"])
    extractor, videos = predictor.extractor(), request["videos"]
    predicted: list[str] = []
    failed: dict[str, str] = {}
    for number, video in enumerate(videos):
        message = f"video {number + 1} of {len(videos)}: {Path(video['file']).name}"

        def within(frames: int, expected: int | None, number: int = number, message: str = message) -> None:
            share = min(frames / expected, 1.0) if expected else 0.0
            report((number + share) / len(videos), message)

        within(0, None)
        try:
            made = predictor.predict(video["file"], extractor=extractor, cache=request["cache"], progress=within)
        except (KeysegError, OSError) as error:
            failed[video["id"]] = str(error)
            continue
        part = {"video": video["id"], **as_row(predictor, made, Fraction(video["fps"]), video["frames"])}
        report((number + 1) / len(videos), message, part=part)
        predicted.append(video["id"])
    if failed and not predicted:
        raise DataError(f"none of {len(failed)} videos could be predicted: {next(iter(failed.values()))}")
    return {"predicted": predicted, "failed": failed}


def as_row(predictor: Predictor, made: Prediction, fps: Fraction, frames: int) -> dict[str, Any]:
    """Segments and details of a prediction, in frames of a video with this rate and length. Background is a gap."""
    scale, labels = fps / predictor.timebase.fps, predictor.labels
    spans, sure, second = made.segmentation, made.confidence, made.second_labels
    cuts = [min(round(int(cut) * scale), frames) for cut in spans.boundaries[:-1]] + [frames]
    shown = [
        (start, end, labels.names[span.label], confidence, _action(labels, other))
        for start, end, span, confidence, other in zip(cuts, cuts[1:], spans, sure, second, strict=False)
        if end > start and labels.names[span.label] not in labels.background
    ]
    segments = [
        {"start_frame": start, "end_frame": end, "label": label, "confidence": round(min(max(value, 0.0), 1.0), 4)}
        for start, end, label, value, _ in shown
    ]
    details = {
        "boundaries": _boundaries(predictor, made, scale, frames),
        "strip": _strip(made),
        "second": [other for *_, other in shown],
        "notes": list(made.notes),
    }
    return {"segments": segments, "details": details}


def _action(labels: LabelMap, label: int | None) -> str | None:
    """The name of a class, None of background."""
    return None if label is None or labels.names[label] in labels.background else labels.names[label]


def _boundaries(predictor: Predictor, made: Prediction, scale: Fraction, frames: int) -> list[int]:
    """Frames of the boundary keypoints; of a system without them, the cuts between segments."""
    from keyseg.inference.decoders import KeypointDecoder
    from keyseg.inference.prediction import KeypointPrediction

    times: Any = made.segmentation.boundaries[1:-1]
    if isinstance(made, KeypointPrediction) and isinstance(predictor.decoder, KeypointDecoder):
        proposed = made.proposals[1]
        firm = proposed.confidence >= predictor.decoder.rules.boundary_threshold
        times = proposed.time[firm] * predictor.timebase.sample_rate
    found = {round(float(time) * float(scale)) for time in times}
    return sorted(frame for frame in found if 0 < frame < frames)


def _strip(made: Prediction) -> list[int]:
    """The probability of the chosen class along the video, in percent: per feature step, or means of several."""
    scores, rate = made.frame_scores, made.timebase.sample_rate
    steps = scores.shape[1]
    labels = made.segmentation.to_frames()[np.minimum(np.arange(steps) * rate, made.segmentation.length - 1)]
    chosen = scores[labels, np.arange(steps)].astype(np.float64)
    parts = np.linspace(0, steps, min(steps, _STRIP) + 1).astype(int)
    means = np.add.reduceat(chosen, parts[:-1]) / np.diff(parts)
    return [int(value) for value in np.round(100 * np.clip(means, 0, 1))]


def save(store: Store, request: dict[str, Any], part: dict[str, Any]) -> Iterable[ServerEvent]:
    """Save the row of one video, which the store tells to the pages, with the classes as the folder spells them."""
    spelled = spelling(store)
    segments = [TimedSegment(**segment | {"label": spelled(segment["label"])}) for segment in part["segments"]]
    second = [label and spelled(label) for label in part["details"]["second"]]
    details = part["details"] | {"second": second}
    store.replace(part["video"], request["row"], segments, author=AUTHOR, action="predict", details=details)
    return ()
