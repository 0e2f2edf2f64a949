"""keyseg predict: videos or features in, timelines out; no labels needed."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from keyseg.data.feature_origin import FeatureSidecar, read_sidecar
from keyseg.timeline import ConfigError, DataError, KeysegError, OutputExistsError, TimelineError

if TYPE_CHECKING:
    from keyseg.inference.predictor import Prediction, Predictor


def predict(
    bundle: Path,
    /,
    *inputs: Path,
    out: Path,
    format: str = "txt",
    scores: bool = False,
    extractor: Path | None = None,
    device: str | None = None,
    cache: Path | None = None,
    damaged: bool = False,
    resume: bool = False,
    force: bool = False,
) -> int:
    """Label the timeline of videos, from the video files or from their features.

    Writes OUT/VIDEO.txt and the like. A file that cannot be read is reported and the others are still done.

    Parameters
    ----------
    bundle
        Bundle that keyseg train left, or a run folder with one.
    inputs
        Video files, if the bundle was trained on features of keyseg features: it knows how to make them. Or .npy files,
        (D, T) or (T, D), made by the extractor that the bundle was trained with. Or folders of either.
    out
        Folder for the timelines.
    format
        txt (a label a line), csv, json, eaf (ELAN), vtt and more: see keyseg convert; several as txt,eaf,vtt.
    scores
        Also write OUT/VIDEO.scores.npz with the array stages: the output of every stage of the network, (stages, C, T)
        float32, T in feature steps. RTK adds its heatmaps: action (C, T) and boundary (T,).
    extractor
        Folder of the feature extractor's model, if it is a local one that lies elsewhere than in training.
    device
        Where the feature extractor's network runs, such as cpu or cuda. Default: a GPU where there is one.
    cache
        Folder that keeps the features of videos. Default: keyseg/features in the system's folder for caches.
    damaged
        Go on over damage in a video: the last good picture stands in there.
    resume
        Keep timelines that are there and do the rest.
    force
        Overwrite timelines that are there.
    """
    from keyseg.formats import FORMATS, timeline_bytes
    from keyseg.inference.bundle import load
    from keyseg.timeline import Segmentation, nearest

    formats = list(dict.fromkeys(part.strip() for part in format.split(",")))
    for name in formats:
        if name not in FORMATS:
            raise ConfigError(f"unknown format {name!r}{nearest(name, FORMATS)}; known: {', '.join(FORMATS)}")
    if resume and force:
        raise ConfigError("--resume keeps what is there and --force does not; give one of them")
    kinds = [*formats, *(["scores"] if scores else [])]
    targets = planned(input_files(inputs), kinds, out, resume=resume, force=force)
    predictor = load(bundle)
    for name in formats:  # what is missing for one is said before any work
        with suppress(DataError, TimelineError):  # of these names and labels; the real ones may do
            timeline_bytes(name, "video", Segmentation.from_frames([0, 0]), predictor.labels, predictor.timebase)
    segment = Reader(predictor, extractor, device, cache, damaged)
    if any(file.suffix.lower() != ".npy" for file in targets):
        segment.prepare()
    failed = 0
    for file, paths in targets.items():
        try:
            prediction = segment(file)
        except KeysegError as error:
            failed += 1
            print(f"error: {file}: {error}" if str(file) not in str(error) else f"error: {error}", file=sys.stderr)
            continue
        written = write_prediction(prediction, file.stem, paths)
        failed += len(written) < len(paths)
        if written:
            size = prediction.segmentation
            print(f"{written[0]}: {len(size)} segments, {size.length} frames", file=sys.stderr)
    if failed:
        rest = f"; the others are in {out}" if failed < len(targets) else ""
        print(f"{failed} of {len(targets)} videos could not be done{rest}", file=sys.stderr)
    return 1 if failed else 0


def planned(
    files: Iterable[Path], kinds: Iterable[str], out: Path, *, resume: bool, force: bool
) -> dict[Path, dict[str, Path]]:
    """What to write for each file, by kind: a format or scores. Raises OutputExistsError on what is in the way."""
    from keyseg.timeline.files import refuse_file

    refuse_file(out, "timelines")
    targets = {file: {kind: out / f"{file.stem}{_suffix(kind)}" for kind in kinds} for file in files}
    beside = [file for file in targets if "json" in targets[file] and (out / f"{file.stem}.npy").exists()]
    if beside:
        raise OutputExistsError(
            f"{out} holds features of {beside[0].stem}, whose sidecar is called {beside[0].stem}.json; choose another"
            " --out"
        )
    there = [path for paths in targets.values() for path in paths.values() if path.exists()]
    if there and not (force or resume):
        raise OutputExistsError(
            f"{there[0]} exists ({len(there)} such files); choose another --out, go on with --resume, or use --force"
        )
    if not resume:
        return targets
    print(f"{len(there)} files are there and kept", file=sys.stderr)
    missing = {file: {k: path for k, path in paths.items() if not path.exists()} for file, paths in targets.items()}
    return {file: paths for file, paths in missing.items() if paths}


def write_prediction(prediction: Prediction, name: str, paths: Mapping[str, Path]) -> list[Path]:
    """Write a prediction in each kind and return what could be written; the rest is told."""
    from keyseg.formats import timeline_bytes
    from keyseg.timeline.files import write_bytes

    written = []
    for kind, path in paths.items():
        try:
            if kind == "scores":
                write_scores(path, prediction)
            else:
                timeline = (prediction.segmentation, prediction.labels, prediction.timebase)
                write_bytes(path, timeline_bytes(kind, name, *timeline))
            written.append(path)
        except (KeysegError, OSError) as error:
            print(f"error: {path}: {error}", file=sys.stderr)
    return written


def _suffix(kind: str) -> str:
    from keyseg.formats import FORMATS

    return ".scores.npz" if kind == "scores" else FORMATS[kind].suffix


@dataclass
class Reader:
    """Calls the predictor with a file of features or a video; what a video needs is loaded with the first one."""

    predictor: Predictor
    folder: Path | None
    device: str | None
    cache: Path | None
    damaged: bool
    _video: Callable[[Path], Prediction] | None = None

    def prepare(self) -> None:
        """Get ready for videos. Raises DataError where the bundle cannot read any."""
        self._video = self._prepared()

    def __call__(self, file: Path) -> Prediction:
        """The timeline of one file. Raises DataError."""
        if file.suffix.lower() == ".npy":
            prediction = self.predictor.predict(file)
            _tell_gaps(file, read_sidecar(file))
            return prediction
        if self._video is None:
            self.prepare()
        assert self._video is not None
        return self._video(file)

    def _prepared(self) -> Callable[[Path], Prediction]:
        from keyseg.cli.features import FeatureProgress
        from keyseg.inference.videos import extractor_for, predict_video
        from keyseg.video.cache import FeatureCache
        from keyseg.video.jobs import Event

        extractor = extractor_for(self.predictor, device=self.device, folder=self.folder)
        cache = FeatureCache(self.cache)

        def predicted(file: Path) -> Prediction:
            with FeatureProgress(1) as shown:
                found = predict_video(
                    self.predictor,
                    file,
                    extractor=extractor,
                    cache=cache,
                    damaged=self.damaged,
                    progress=lambda frames, expected: shown(Event(file, "frames", frames, expected)),
                )
            _tell_gaps(file, found.sidecar)
            return found.prediction

        return predicted


def _tell_gaps(file: Path, sidecar: FeatureSidecar | None) -> None:
    for gap in sidecar.gap_texts() if sidecar else ():
        print(f"warning: {file}: damaged from {gap}", file=sys.stderr)


def write_scores(path: Path, prediction: Prediction) -> None:
    """What the network said, as compressed arrays."""
    import numpy as np

    from keyseg.inference.predictor import KeypointPrediction
    from keyseg.timeline.files import write_bytes

    arrays = {"stages": prediction.stages}
    if isinstance(prediction, KeypointPrediction):
        arrays |= {"action": prediction.action_heatmap, "boundary": prediction.boundary_heatmap}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
    write_bytes(path, buffer.getvalue())


def input_files(paths: Iterable[Path]) -> list[Path]:
    """Videos and feature files named, and those in folders named. Raises DataError on none, or on two of one name."""
    from keyseg.video.find_videos import one_a_name, videos_inside

    found: list[Path] = []
    for path in paths:
        inside = [path]
        if path.is_dir():
            inside = sorted([*path.glob("[!.]*.npy"), *videos_inside(path)])
            if not inside:
                raise DataError(f"{path}: no .npy file and no video in this folder")
        found += inside
    if not found:
        raise ConfigError("name at least one video or .npy file, or a folder of them; see: keyseg predict --help")
    return one_a_name(found)
