"""Figure 2: timelines of one test video by several finished systems, beside its annotation."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from keyseg.data.dataset import Dataset
from keyseg.inference.bundle import load
from keyseg.inference.systems import variant_title
from keyseg.timeline import DataError, Segmentation
from keyseg.training.fit import Fit
from keyseg.training.run import RUN, read_run
from keyseg.training.scoring import predict_videos

_SHOWN = {"rtk": ("rtk", "rtk-no-refinement"), "asformer": ("asformer",), "ms-tcn++": ("ms-tcn++",)}


@dataclass(frozen=True)
class VideoRows:
    """Ground truth, and systems as (title, segmentation), RTK first; all in annotation frames."""

    dataset: Dataset
    truth: Segmentation
    systems: tuple[tuple[str, Segmentation], ...]


def video_rows(folder: Path, data: Path, video: str) -> VideoRows:
    """Rows of a video from the runs in `folder`/SYSTEM: trainings of one split that tests on it, and of one seed.

    RTK comes first, then RTK without refinement, ASFormer and MS-TCN++. Raises DataError if a system is missing.
    """
    fits = {system: _finished(folder / system, data, video) for system in _SHOWN}
    common = set.intersection(*({(f.split, f.seed) for f in found} for found in fits.values()))
    if not common:
        raise DataError(
            f"{folder}: {', '.join(fits)} have no finished split and seed in common that tests on {video!r}; train them"
            " on the same splits and seeds: keyseg reproduce table1"
        )
    rows = []
    for system, found in fits.items():
        fit = next(f for f in found if (f.split, f.seed) == min(common))
        truth, predicted = predict_videos(load(fit.bundle), fit, [video], _SHOWN[system])
        rows += [(variant_title(variant), videos[video]) for variant, videos in predicted.items()]
    return VideoRows(fit.dataset, truth[video], tuple(rows))


def _finished(place: Path, data: Path, video: str) -> list[Fit]:
    """Finished trainings of a run that test on a video."""
    if not (place / RUN).exists():
        raise DataError(
            f"{place}: no run here; train the systems first: keyseg reproduce table1 DATA --out OUT, and give"
            " OUT/equal-terms or OUT/as-published"
        )
    run = read_run(place)
    if run.recipe.model != place.name:
        raise DataError(f"{place}: holds a run of {run.recipe.model}, not of {place.name}")
    if run.data != data.resolve():
        raise DataError(f"{place}: trained on {run.data}, not on {data}; name the folder of its runs")
    fits = run.fits()
    known = {name for fit in fits for name in fit.dataset.names(fit.split, "test")}
    if video not in known:
        some = ", ".join(sorted(known)[:5]) + (" and others" if len(known) > 5 else "")
        raise DataError(f"{place}: no split of this run tests on a video {video!r}; it tests on {some}")
    found = [fit for fit in fits if fit.bundle.exists() and video in fit.dataset.names(fit.split, "test")]
    if not found:
        raise DataError(f"{place}: the training that tests on {video!r} is not finished; run the same command again")
    return found
