"""What `predict_files` does with each input, in one process or in several: features, then the timeline in files."""

from __future__ import annotations

import io
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from keyseg.data.feature_origin import FeatureSidecar
from keyseg.data.input_names import input_name, is_feature_file
from keyseg.inference.review import ReviewRow, review_rows
from keyseg.timeline.failures import INPUT_ERRORS
from keyseg.timeline.files import read_bytes, write_bytes
from keyseg.video.addresses import address_of, fetched
from keyseg.video.engines import Event, Notify, WorkStep, failed
from keyseg.video.extractor import Extractor

if TYPE_CHECKING:  # what needs torch is imported by the work itself, so that the help is shown at once
    from keyseg.inference.prediction import Prediction
    from keyseg.inference.predictor import Predictor

SCORES, PAGE = "scores", "page"  # kinds of output beside the formats

WritePage = Callable[[Path, Path, "Prediction"], None]
"""Writes a page, its first argument, about a video or its features and their prediction."""


@dataclass(frozen=True)
class Reading:
    """How inputs are read. bundle: its folder. The others are arguments of `predict_files`."""

    bundle: Path
    extractor: Path | str | None
    device: str | None
    batch: int | None
    cache: Path | None
    damaged: bool

    def load(self) -> Predictor:
        """The bundle's predictor."""
        from keyseg.inference.bundle import load

        return load(self.bundle)

    def make(self, predictor: Predictor) -> Extractor:
        """The extractor that made the features of training."""
        return predictor.extractor(device=self.device, folder=self.extractor, batch=self.batch)


@dataclass(frozen=True)
class PackedFeatures:
    """The features of a video on their way to another machine. content: of the .npy file."""

    content: bytes
    sidecar: FeatureSidecar


@dataclass(frozen=True)
class FeatureStage:
    """Reads videos, so that the machines that label them need neither the video nor time for it.

    network: whether the extractor is one, which runs on a GPU where there is one.
    """

    reading: Reading
    network: bool

    @property
    def gpu(self) -> bool:
        """Whether it runs on a GPU."""
        return self.network and self.reading.device != "cpu"

    def start(self) -> WorkStep:
        """What returns the features of a video; None for those of a file, which needs no reading."""
        reading, predictor, made_by = self.reading, self.reading.load(), None

        def step(file: Path, _: None, notify: Notify) -> PackedFeatures | None:
            nonlocal made_by
            if is_feature_file(file):
                return None
            made_by = made_by or reading.make(predictor)
            with fetched(file, reading.cache) as local:
                found = predictor.video_features(local, made_by, reading.cache, reading.damaged, lambda *_: None)
            return PackedFeatures(read_bytes(found.path, "features", most=sys.maxsize), found.sidecar)

        return step


@dataclass(frozen=True)
class LabelledFile:
    """An input that was predicted. lines: what to report. rows: of the review, if there is one."""

    file: Path
    lines: tuple[str, ...]
    written: tuple[Path, ...]
    rows: tuple[ReviewRow, ...]


@dataclass(frozen=True)
class LabelStage:
    """Predicts inputs and writes their timelines.

    endings: of the files of an input in `out`, by kind: a format, scores or a page. resume: keep files that exist.
    """

    reading: Reading
    out: Path
    endings: Mapping[str, str]
    resume: bool
    tier: str | None
    page: WritePage | None
    review: bool

    @property
    def gpu(self) -> bool:
        """Whether the network is to run on a GPU."""
        return (self.reading.device or "cpu") != "cpu"

    def start(self) -> WorkStep:
        """What predicts an input and writes its files."""
        return self.using(self.reading.load())

    def using(self, predictor: Predictor, made_by: Extractor | None = None) -> WorkStep:
        """The same with what is loaded already."""
        reading = self.reading

        def predicted(file: Path, packed: PackedFeatures | None, notify: Notify) -> Prediction:
            nonlocal made_by
            if packed is not None:
                if reading.device is not None:
                    predictor.move(reading.device)
                with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
                    path = Path(folder) / "features.npy"
                    write_bytes(path, packed.content)
                    return predictor.of_features(file, path, packed.sidecar, packed.sidecar.frames, None)
            if not is_feature_file(file):
                made_by = made_by or reading.make(predictor)

            def progress(frames: int, expected: int | None) -> None:
                notify(Event(file, "frames", frames, expected))

            with fetched(file, reading.cache) as local:
                return predictor.predict(
                    local,
                    extractor=made_by,
                    cache=reading.cache,
                    damaged=reading.damaged,
                    device=reading.device,
                    progress=progress,
                )

        def step(file: Path, packed: PackedFeatures | None, notify: Notify) -> None:
            paths = self.missing(file)
            if not paths and not self.review:  # written by a process that ended before it could say so
                notify(LabelledFile(file, (), (), ()))
                return
            prediction = predicted(file, packed, notify)
            if (address := address_of(file)) and prediction.media:
                prediction = replace(prediction, media=address)
            written = tuple(path for kind, path in paths.items() if self._write(prediction, file, kind, path, notify))
            lines = [f"note: {file}: {note}" for note in prediction.notes]
            if written:
                timeline = prediction.segmentation
                lines.append(f"{written[0]}: {len(timeline)} segments, {timeline.length} frames")
            rows = review_rows(input_name(file), prediction) if self.review else []
            notify(LabelledFile(file, tuple(lines), written, tuple(rows)))

        return step

    def missing(self, file: Path) -> dict[str, Path]:
        """The files to write for an input, by kind."""
        paths = {kind: self.out / f"{input_name(file)}{ending}" for kind, ending in self.endings.items()}
        return {kind: path for kind, path in paths.items() if not (self.resume and path.exists())}

    def _write(self, prediction: Prediction, file: Path, kind: str, path: Path, notify: Notify) -> bool:
        """Write the prediction in one kind; False if it cannot be, which is reported."""
        try:
            if kind == PAGE and self.page is not None:
                self.page(path, file, prediction)
            elif kind == SCORES:
                write_bytes(path, _scores(prediction))
            else:
                prediction.save(path, format=kind, tier=self.tier, force=True)
        except INPUT_ERRORS as error:
            notify(replace(failed(path, error), video=file))
            return False
        return True


def _scores(prediction: Prediction) -> bytes:
    """The network's output as compressed arrays."""
    from keyseg.inference.prediction import KeypointPrediction

    arrays = {"stages": prediction.stages}
    if isinstance(prediction, KeypointPrediction):
        arrays |= {"action": prediction.action_heatmap, "boundary": prediction.boundary_heatmap}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()
