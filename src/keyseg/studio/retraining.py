"""Retraining as a job: from corrected timelines a data set, a bundle, and whether it is better than the former one."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keyseg.data.layout import BACKGROUND
from keyseg.studio.bundles import add_bundle
from keyseg.studio.judging import RULE, judge
from keyseg.studio.rows import CORRECTION
from keyseg.studio.store import Store
from keyseg.studio.worker import ReportWork, ServerEvent
from keyseg.timeline import Annotation, ConfigError, DataError, Interval
from keyseg.timeline.files import whole_folder, write_text

if TYPE_CHECKING:
    from keyseg.inference.bundle import BundleConfig
    from keyseg.inference.predictor import Predictor
    from keyseg.training.fit import Fit, FitCallbacks
    from keyseg.training.run import Run
    from keyseg.video.engines import Event as ExtractionEvent

SINGLE = True
"""There is one retraining at a time."""

_LEAST = 4  # corrected videos
_LEAST_HELD_OUT = 2
_INNER_FOLDS_FROM = 9  # videos trained on
_FPS = 15  # of a first bundle, at most
_FIRST = {  # of its recipe, as for the toy kitchen: a folder that a person has corrected is as small
    "data.sample_rate": 2,
    "network.backbone.encoder_layers": 8,
    "network.backbone.decoder_layers": 4,
    "network.backbone.input_dropout": 0.2,
    "network.backbone.layer_dropout": 0.2,
    "optimiser.learning_rate": 0.002,
}
_LATER = {"optimiser.learning_rate": 0.001}  # of one that starts from weights


def gather(store: Store, asked: dict[str, Any]) -> dict[str, Any]:
    """All videos that were ever corrected, in order of their first correction, and the bundles of the folder.

    asked: `epochs`, or None to choose by the number of videos. Raises DataError on fewer than 4 corrected videos.
    """
    epochs = asked.get("epochs")
    if epochs is not None and (type(epochs) is not int or not 1 <= epochs <= 10_000):
        raise ConfigError(f"epochs is a number from 1 to 10000, or left out, got {epochs!r}")
    first = "SELECT video, MIN(id) AS first FROM edits WHERE row = ? GROUP BY video ORDER BY first"
    videos = [_video(store, row["video"]) for row in store.select(first, CORRECTION)]
    usable = sum(video["usable"] for video in videos)
    if usable < _LEAST:
        raise DataError(
            f"{usable} corrected videos, and retraining needs at least {_LEAST}: correct {_LEAST - usable} more, and"
            " start it again"
        )
    bundles = [
        {"name": row["name"], "path": str(store.folder / row["path"]), "active": bool(row["active"])}
        for row in store.select("SELECT * FROM bundles ORDER BY added")
    ]
    taken = {bundle["name"] for bundle in bundles}
    number = next(n for n in range(1, len(taken) + 2) if f"studio-{n}" not in taken)
    cache = str(store.private / "features")
    return {"videos": videos, "bundles": bundles, "name": f"studio-{number}", "cache": cache, "epochs": epochs}


def _video(store: Store, video: str) -> dict[str, Any]:
    facts = store.select("SELECT * FROM videos WHERE id = ?", video)[0]
    segments = [
        (segment.start_frame, segment.end_frame, segment.label) for segment in store.row(video, CORRECTION).segments
    ]
    names = ("id", "path", "frames", "fps")
    return {name: facts[name] for name in names} | {
        "file": str(store.folder / facts["path"]),
        "segments": segments,
        "usable": bool(segments) and not facts["missing"],
        "held_out": bool(facts["held_out"]),
    }


def work(request: dict[str, Any], report: ReportWork) -> dict[str, Any]:
    """Train on the corrected videos but the held-out ones, and compare with the active bundle on those.

    Parts: `{held_out: [ids]}` before training, and `{bundle: folder, active, details}` at the end. Raises DataError if
    too few videos are left to hold out.
    """
    report(0.0, "choosing the videos to hold out")
    bundles, scratch = request["bundles"], Path(request["scratch"])
    held_out = hold_out(request["videos"], {one["name"]: _seen(Path(one["path"])) for one in bundles})
    usable = [video for video in request["videos"] if video["usable"]]
    report(0.0, f"{len(held_out)} videos are held out", part={"held_out": held_out})
    former = next((one for one in bundles if one["active"]), None)
    start = _Start.of(Path(former["path"])) if former else _Start()
    data, names = write_dataset(scratch / "corrections", usable, held_out, start, request["cache"], report)
    trained = len(usable) - len(names)
    curve: list[dict[str, float]] = []
    fitted, notes = _train(data, scratch / "run", start, trained, request["epochs"], _follow(report, curve))
    report(0.9, "comparing on the held-out videos", curve=curve)
    new = fitted.predictor(split=1)
    old = start.predictor() if former and start.config is not None else None
    verdict = judge(fitted, new, old, [video for video in usable if video["id"] in names], names, request["cache"])
    result: dict[str, Any] = {
        "bundle": request["name"],
        "former": former["name"] if former else None,
        "rule": RULE,
        "trained_on": trained,
        "held_out": [video["path"] for video in usable if video["id"] in names],
        "epochs": fitted.recipe.epochs,
        "notes": [*start.notes, *notes],
        **verdict,
    }
    details = {key: value for key, value in result.items() if key != "bundle"}
    bundle = str(fitted.fits()[0].bundle)
    report(1.0, "done", part={"bundle": bundle, "active": result["active"], "details": details}, curve=curve)
    return result | {"curve": curve}


def hold_out(videos: Sequence[Mapping[str, Any]], seen: Mapping[str, frozenset[str]]) -> list[str]:
    """Ids of the videos to hold out, of all that were ever corrected, in order of their first correction.

    Those that were held out stay so. New ones are the second and every fourth video that no bundle was trained on, and
    where fewer than two of these are corrected now, the first others that no bundle was trained on. seen: by bundle,
    the digests of what it was trained on. Raises DataError if there are fewer than two.
    """
    fresh = [not any(_digests(video["path"]) & digests for digests in seen.values()) for video in videos]
    turn = [n == 1 or n % 4 == 3 for n in range(len(videos))]
    due = [video["held_out"] or (turn[n] and fresh[n]) for n, video in enumerate(videos)]
    for number, video in enumerate(videos):
        usable = sum(held and one["usable"] for held, one in zip(due, videos, strict=True))
        if usable < _LEAST_HELD_OUT and fresh[number] and video["usable"]:
            due[number] = True
    usable = sum(held and one["usable"] for held, one in zip(due, videos, strict=True))
    if usable < _LEAST_HELD_OUT:
        raise DataError(
            f"bundles of this folder were trained on all but {usable} of the corrected videos, and a comparison needs"
            f" {_LEAST_HELD_OUT} that they have not seen: correct {_LEAST_HELD_OUT - usable} other videos"
        )
    return [video["id"] for held, video in zip(due, videos, strict=True) if held]


def _digests(path: str) -> set[str]:
    """What bundles may have noted of a video: the digests of its name, without and with the folders above it."""
    from keyseg.inference.bundle import name_digest

    *folders, name = Path(path).with_suffix("").parts
    return {name_digest("_".join((*folders[n:], name))) for n in range(len(folders) + 1)}


def _seen(bundle: Path) -> frozenset[str]:
    from keyseg.inference.bundle import read_config

    return frozenset(read_config(bundle).seen or ())


@dataclass(frozen=True)
class _Start:
    """The bundle that the new one starts from and is compared with. config: None if there is none that reads videos."""

    bundle: Path | None = None
    config: BundleConfig | None = None
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, bundle: Path) -> _Start:
        from keyseg.inference.bundle import find_bundle, read_config

        folder = find_bundle(bundle)
        config = read_config(folder)
        if config.features is None or config.features.extractor == "poses":
            return cls(notes=("the former bundle cannot read videos, so it is neither started from nor compared with",))
        unknown = "the former bundle does not say what it was trained on; it may have seen the held-out videos"
        return cls(folder, config, () if config.seen is not None else (unknown,))

    def predictor(self) -> Predictor:
        from keyseg.inference.bundle import load

        assert self.bundle is not None
        return load(self.bundle)


def write_dataset(
    root: Path,
    videos: Sequence[Mapping[str, Any]],
    held_out: Sequence[str],
    start: _Start,
    cache: str,
    report: ReportWork,
) -> tuple[Path, dict[str, str]]:
    """A data set of the corrected videos, whose only split tests on the held-out ones; their names in it, by id."""
    from keyseg.data.splits import SUBSETS, bundle_path
    from keyseg.data.user_annotations import VideoNames
    from keyseg.formats.read_write import write
    from keyseg.video.user_dataset import init

    for video in videos:
        write(_annotation(video), root.with_name("annotations") / f"{video['id']}.json")
    files = {Path(video["file"]): video["id"] for video in sorted(videos, key=lambda video: str(video["path"]))}
    read: set[Path] = set()
    unread: list[str] = []

    def extracted(event: ExtractionEvent, total: int) -> None:
        if event.kind == "failed":
            unread.append(event.message)
        elif event.kind in ("made", "cached"):
            read.add(event.video)
            report(0.1 * len(read) / total, f"reading the videos: {len(read)} of {total}")

    origin = start.config.features if start.config else None
    try:
        init(
            root,
            videos=list(files),
            annotations=root.with_name("annotations"),
            splits=2,
            fps=origin.fps if origin else min(Fraction(_FPS), *(Fraction(video["fps"]) for video in videos)),
            extractor=origin.extractor if origin else "motion",
            cache=cache,
            notify=extracted,
        )
    except DataError as error:
        raise DataError("; ".join(unread) or str(error)) from error
    named = {files[file]: name for name, file in VideoNames(files).files.items()}
    shutil.rmtree(root / "splits")
    for subset in SUBSETS:
        of_side = [name for video, name in named.items() if (video in held_out) == (subset == "test")]
        write_text(bundle_path(root, 1, subset), "".join(f"{name}.txt\n" for name in of_side))
    return root, {video: name for video, name in named.items() if video in held_out}


def _annotation(video: Mapping[str, Any]) -> Annotation:
    fps = Fraction(video["fps"])
    intervals = tuple(Interval(begin / fps, end / fps, label) for begin, end, label in video["segments"])
    return Annotation(Path(video["file"]).stem, intervals, video["frames"] / fps, fps, (BACKGROUND,), video["file"])


def _train(
    data: Path, out: Path, start: _Start, videos: int, epochs: int | None, callbacks: FitCallbacks
) -> tuple[Run, list[str]]:
    """Train from the weights of the start where that is possible; the run, and why it was not."""
    from keyseg.training.train import train

    few = {"matching.fit": False, "augmentation.mixed_segments": 0.0} if videos < _INNER_FOLDS_FROM else {}
    begin, reasons = start.bundle, list[str]()
    if start.config is not None and (start.config.members or start.config.seen is None):
        begin, what = None, "averages several networks" if start.config.members else "does not say what it has seen"
        reasons = [f"the former bundle {what}, so training begins with new weights"]
    while True:
        rate = {"data.sample_rate": start.config.sample_rate} if start.config else {}
        changes = {**(_LATER if begin else _FIRST), **rate, **few}
        length = epochs or default_epochs(videos, warm=begin is not None)
        settings: Any = {"set": changes, "epochs": length, "callbacks": callbacks, "command": "keyseg studio"}
        try:
            return train(data, out=out, start=begin, **settings), reasons
        except (ConfigError, DataError) as error:
            if begin is None or out.exists():
                raise
            begin, reasons = None, [f"training begins with new weights, since: {error}"]


def default_epochs(videos: int, *, warm: bool) -> int:
    """Epochs that take a minute or two on two cores for a small folder: fewer for more videos, half from a bundle."""
    epochs = max(12, min(60, 600 // videos))
    return epochs // 2 if warm else epochs


def _follow(report: ReportWork, curve: list[dict[str, float]]) -> FitCallbacks:
    """Callbacks that report each epoch, and collect the losses and scores of the training itself."""
    from lightning.pytorch import LightningModule, Trainer
    from lightning.pytorch.callbacks import Callback

    class Following(Callback):
        def __init__(self, fit: Fit) -> None:
            self.folder, self.epochs = fit.folder, 0

        def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
            epoch, total = trainer.current_epoch + 1, trainer.max_epochs or 1
            if Path(trainer.default_root_dir) != self.folder:
                self.epochs += 1
                done = 0.5 - 0.4 / (1 + self.epochs / (3 * total))  # their number is not known beforehand
                report(done, f"inner fold, epoch {epoch} of {total}", curve=curve)
                return
            shown = {name: value for name, value in trainer.progress_bar_metrics.items() if name != "v_num"}
            values = {name: round(float(value), 4) for name, value in shown.items()}
            curve.append({"epoch": epoch, **values})
            begun = 0.5 if self.epochs else 0.1
            report(begun + (0.9 - begun) * epoch / total, f"epoch {epoch} of {total}", curve=curve)

    return lambda fit: (Following(fit),)


def save(store: Store, request: dict[str, Any], part: dict[str, Any]) -> Iterator[ServerEvent]:
    """Keep the held-out videos, or the new bundle."""
    if "held_out" in part:
        with store.transaction() as connection:
            connection.executemany("UPDATE videos SET held_out = 1 WHERE id = ?", [(i,) for i in part["held_out"]])
        return
    place = store.private / "bundles" / request["name"]
    with whole_folder(place) as partial:
        shutil.copytree(part["bundle"], partial, dirs_exist_ok=True)
    add_bundle(store, request["name"], place, part["details"], active=part["active"])
    yield "library", {}
