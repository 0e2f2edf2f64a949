"""Every reader of the program, with the samples from which its inputs are mutated and what is done with its results."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

from fuzz import samples
from keyseg.formats import FORMATS, AnnotationOptions, WriteSettings, annotations_text, read_annotations
from keyseg.formats.frame_labels import locate_frame_labels
from keyseg.formats.table_of_formats import format_of
from keyseg.timeline import Annotation, KeysegError, LabelMap

_XML, _JSON = {"eaf"}, {"json", "activitynet", "boris-project", "labelstudio", "via", "otio"}
_RATE = samples.RATE


def _nothing(folder: Path) -> None:
    pass


@dataclass(frozen=True, kw_only=True)
class Reader:
    """One way into the program.

    kind: of the mutations. files: paths that an input may have below its folder. seeds: sound samples. read: reads a
    file. then: what is done with the result; errors of ours are its right too. beside: writes what an input needs
    beside it, once. binary: counts as such, of which there are fewer inputs. slow: one input in so many is read.
    """

    name: str
    kind: str
    files: tuple[str, ...]
    seeds: Callable[[], Sequence[bytes]]
    read: Callable[[Path], Any]
    then: tuple[Callable[[Any], object], ...] = ()
    beside: Callable[[Path], object] = _nothing
    binary: bool = False
    slow: int = 1


def _read_leniently(path: Path, fmt: str | None) -> list[Annotation]:
    """As it is or, where that is refused, with all that makes readers accept more."""
    try:
        return read_annotations(path, fmt, fps=_RATE)
    except KeysegError:
        options = AnnotationOptions(lenient=True, points=1, per_subject=True)
        return read_annotations(path, fmt, fps=_RATE, options=options)


def _shown(value: object) -> None:
    """What is printed and what a log would say, as UTF-8."""
    f"{value} {value!r}".encode()


def _written(fmt: str, found: list[Annotation]) -> None:
    for one in found:
        content = annotations_text(fmt, [one], WriteSettings(fps=_RATE, overlap="first"))
        content.encode() if isinstance(content, str) else content


def _intervals_shown(found: list[Annotation]) -> None:
    for one in found:
        f"{one!r} {' '.join(map(str, one.intervals[:1000]))}".encode()


def _format_readers() -> list[Reader]:
    uses = (_intervals_shown, partial(_written, "json"), partial(_written, "csv"), partial(_written, "vtt"))
    found = []
    for name, form in FORMATS.ours.items():
        kind = "xml" if name in _XML else "json" if name in _JSON else "hdf5" if name == "nwb" else "lines"
        read = partial(_read_leniently, fmt=name)
        file = (f"tea{form.suffix}",)
        seeds = partial(samples.timelines, name)
        found.append(Reader(name=name, kind=kind, files=file, seeds=seeds, read=read, then=uses, binary=name == "nwb"))
    names = tuple(f"tea{ending}" for ending in ("", ".txt", ".csv", ".tsv", ".json", ".label", ".srt"))
    any_text = Reader(
        name="any format",
        kind="lines",
        files=names,
        seeds=samples.all_texts,
        read=lambda path: (format_of(path), path),
        then=(lambda found: _intervals_shown(_read_leniently(found[1], found[0])),),
    )
    return [*found, any_text]


def _data_set(folder: Path) -> None:
    """A data set of one video."""
    for name in ("groundTruth", "splits", "features"):
        (folder / name).mkdir(exist_ok=True)
    (folder / "mapping.txt").write_text("0 background\n1 take_cup\n2 pour\n")
    (folder / "groundTruth" / "tea.txt").write_text("pour\n" * 47)
    for subset in ("train", "test"):
        (folder / "splits" / f"{subset}.split1.bundle").write_text("tea.txt\n")
    (folder / "features" / "tea.npy").write_bytes(samples.arrays()[0])


def _checked(place: str) -> Callable[[Path], object]:
    """The check of the whole data set to which a file belongs."""

    def check(path: Path) -> object:
        from keyseg.data.check import check_dataset

        root = path.parents[len(Path(place).parents) - 1]
        report = check_dataset(root)
        str(report).encode()
        return report

    return check


def _text_readers() -> list[Reader]:
    lines = partial(Reader, kind="lines")
    return [
        lines(
            name="frame labels",
            files=("tea.txt",),
            seeds=samples.frame_labels,
            read=locate_frame_labels,
            then=(_shown,),
        ),
        lines(
            name="mapping.txt",
            files=("mapping.txt",),
            seeds=lambda: (b"0 background\n1 take_cup\n2 pour\n",),
            read=LabelMap.read,
            then=(_shown,),
        ),
        lines(
            name="split bundle",
            files=("train.split1.bundle",),
            seeds=lambda: (b"tea.txt\nday1.txt\nday2\n",),
            read=_split,
            then=(_shown,),
        ),
        lines(
            name="groups",
            files=("groups.csv",),
            seeds=lambda: (b"video,group\ntea,anna\nday1.mp4,ben\n",),
            read=_groups,
            then=(_shown,),
        ),
        lines(
            name="videos.csv",
            files=("videos.csv",),
            seeds=lambda: (b"video,file\ntea,../films/tea.mp4\nday1,day1.mp4\n",),
            read=_video_file,
        ),
        Reader(
            name="dataset.yaml",
            kind="yaml",
            files=("dataset.yaml",),
            seeds=_dataset_files,
            read=_dataset_file,
            then=(_shown,),
        ),
        Reader(name="recipe", kind="yaml", files=("recipe.yaml",), seeds=samples.recipes, read=_recipe, then=(_shown,)),
        Reader(name="search space", kind="yaml", files=("space.yaml",), seeds=_spaces, read=_space, then=(_shown,)),
        Reader(
            name="sidecar",
            kind="json",
            files=("tea.json",),
            seeds=samples.sidecars,
            read=_sidecar,
            then=(_shown, lambda found: found and found.gap_texts()),
        ),
        lines(
            name="tracks, csv", files=("tea.csv",), seeds=partial(samples.tracks, "csv"), read=_tracks, then=(_shown,)
        ),
        Reader(name="run.json", kind="json", files=("run.json",), seeds=samples.runs, read=_run, then=(_shown,)),
        Reader(
            name="tuning.json", kind="json", files=("tuning.json",), seeds=samples.tunings, read=_tuning, then=(_shown,)
        ),
        lines(
            name="trials.journal", files=("trials.journal",), seeds=samples.journals, read=_journal, beside=_in_tuning
        ),
        Reader(
            name="results.json",
            kind="json",
            files=("results.json",),
            seeds=samples.results,
            read=_results,
            then=(_shown,),
        ),
        Reader(
            name="chosen.json",
            kind="json",
            files=("inner/chosen.json",),
            seeds=samples.chosen,
            read=_chosen,
            then=(_shown,),
        ),
        Reader(
            name="cost.json",
            kind="json",
            files=("cost.json",),
            seeds=lambda: samples.as_json({"seconds": 3.5, "epochs": 2}),
            read=_cost,
            then=(_shown,),
        ),
        Reader(
            name="bundle config",
            kind="json",
            files=("config.json",),
            seeds=lambda: (samples.bundle()["config.json"],),
            read=_load,
            beside=_weights_beside,
            then=(_used,),
        ),
        Reader(
            name="model config",
            kind="json",
            files=("config.json", "preprocessor_config.json", "model.safetensors.index.json"),
            seeds=_model_configs,
            read=_model_folder,
            beside=_model_beside,
            then=(_shown,),
        ),
        lines(
            name="studio import",
            files=("tea.csv", "tea.txt", "tea.srt", "tea.json"),
            seeds=samples.all_texts,
            read=_import,
            then=(_shown,),
        ),
        lines(
            name="studio file",
            files=("tea.csv",),
            seeds=partial(samples.timelines, "csv"),
            read=_plain_file,
            then=(_shown,),
        ),
        lines(
            name="evaluation",
            files=("predicted/tea.csv",),
            seeds=lambda: samples.timelines("csv")[:1],
            read=_evaluate,
            beside=_reference,
            then=(_shown,),
        ),
        lines(
            name="data set, labels",
            files=("groundTruth/tea.txt",),
            seeds=lambda: (b"pour\n" * 47,),
            read=_checked("groundTruth/tea.txt"),
            beside=_data_set,
            slow=4,
        ),
        Reader(
            name="option values",
            kind="yaml",
            files=("set.txt",),
            seeds=lambda: (b"data.fps=30\noptimiser.rate=1e-4\nmatching.fit=false",),
            read=_options,
            then=(_shown,),
        ),
    ]


def _binary_readers() -> list[Reader]:
    binary = partial(Reader, binary=True)
    return [
        binary(name="features", kind="npy", files=("tea.npy",), seeds=samples.arrays, read=_features, then=(_shown,)),
        binary(
            name="data set, features",
            kind="npy",
            files=("features/tea.npy",),
            seeds=samples.arrays,
            read=_checked("features/tea.npy"),
            beside=_data_set,
            slow=4,
        ),
        binary(
            name="tracks, h5",
            kind="hdf5",
            files=("tea.h5",),
            seeds=partial(samples.tracks, "h5"),
            read=_tracks,
            then=(_shown,),
        ),
        binary(
            name="bundle weights",
            kind="safetensors",
            files=("weights.safetensors",),
            seeds=lambda: (samples.bundle()["weights.safetensors"],),
            read=_load,
            beside=_config_beside,
            then=(_used,),
        ),
        binary(
            name="weights, safetensors",
            kind="safetensors",
            files=("net.safetensors",),
            seeds=samples.safetensors,
            read=_weights,
            then=(_shown,),
        ),
        binary(
            name="weights, torch",
            kind="zip",
            files=("net.pt",),
            seeds=samples.checkpoints,
            read=_weights,
            then=(_shown,),
        ),
        binary(
            name="checkpoint",
            kind="zip",
            files=("last.ckpt",),
            seeds=lambda: samples.checkpoints()[1:],
            read=_checkpoint,
            then=(_shown,),
        ),
        binary(
            name="outputs", kind="zip", files=("outputs.npz",), seeds=samples.outputs, read=_outputs, then=(_shown,)
        ),
        binary(name="archive", kind="zip", files=("data.zip",), seeds=samples.archives, read=_fetch),
        binary(
            name="video", kind="bytes", files=("tea.mp4",), seeds=samples.videos, read=_video, then=(_shown,), slow=10
        ),
        binary(name="key frames", kind="bytes", files=("tea.mp4",), seeds=samples.videos, read=_key_frames, slow=10),
    ]


def _split(path: Path) -> object:
    from keyseg.data.splits import read_bundle

    return read_bundle(path)


def _groups(path: Path) -> object:
    from keyseg.data.user_annotations import VideoNames, read_groups

    return read_groups(path, VideoNames([Path("tea.mp4"), Path("day1.mp4")]), ["tea", "day1"])


def _video_file(path: Path) -> object:
    from keyseg.data.video_files import find_video_file

    return find_video_file(path.parent, "tea", path.parent / "tea.npy")


def _dataset_files() -> tuple[bytes, ...]:
    return (
        b"# how it is read\nfps: 30000/1001\nsample_rate: 2\nlengths: trim\ntolerance: 3\nbackground: [idle]\n",
        b"fps: 15\norientation: DT\ntier: actions\ngroups:\n  tea: anna\n  day1: ben\n",
    )


def _dataset_file(path: Path) -> object:
    from keyseg.data.dataset_file import read_dataset_file, save_options

    found = read_dataset_file(path.parent)
    save_options(path.parent, {"sample_rate": 3})
    return found


def _recipe(path: Path) -> str:
    from keyseg.training.recipe import load_recipe

    return load_recipe(path).model_dump_json()


def _spaces() -> tuple[bytes, ...]:
    return (b"optimiser.learning_rate: {low: 0.0001, high: 0.01, log: true}\nnetwork.backbone.channels: [32, 64]\n",)


def _space(path: Path) -> object:
    from keyseg.training.recipe import load_recipe
    from keyseg.training.search_space import read_space, space_around

    return space_around(load_recipe(), read_space(path))


def _sidecar(path: Path) -> Any:
    from keyseg.data.feature_origin import read_sidecar

    return read_sidecar(path.with_suffix(".npy"))


def _tracks(path: Path) -> object:
    from keyseg.video.pose_tracks import holds_tracks, read_tracks

    holds_tracks(path)
    return read_tracks(path)


def _run(path: Path) -> object:
    from keyseg.training.run import read_run

    return read_run(path.parent)


def _tuning(path: Path) -> object:
    from keyseg.training.tuning import read_tuning

    return read_tuning(path.parent)


def _journal(path: Path) -> object:
    from keyseg.training.trials import tuned_so_far
    from keyseg.training.tuning import read_tuning

    return tuned_so_far(read_tuning(path.parent))


def _in_tuning(folder: Path) -> None:
    (folder / "tuning.json").write_bytes(samples.tunings()[0])


def _results(path: Path) -> object:
    from keyseg.training.run import Run

    return Run.summary.fget(_Folder(path.parent))  # type: ignore[attr-defined]


@dataclass(frozen=True)
class _Folder:
    """What a run or a training is asked for while a file of it is read."""

    folder: Path
    inner: Path = field(default=Path())


def _chosen(path: Path) -> object:
    from keyseg.training.choice import read_chosen

    return read_chosen(path)


def _cost(path: Path) -> object:
    from keyseg.training.fit import Fit

    return Fit.cost(_Folder(path.parent))  # type: ignore[arg-type]


def _load(path: Path) -> Any:
    from keyseg.inference.bundle import load

    return load(path.parent)


def _used(predictor: Any) -> None:
    """A prediction, as JSON without NaN."""
    import numpy as np

    steps = np.random.default_rng(1).normal(size=(19, predictor.input_dim)).astype(np.float32)
    prediction = predictor.predict(steps)
    json.dumps([prediction.confidence, prediction.frame_labels], allow_nan=False)


def _config_beside(folder: Path) -> None:
    """Without the digest of the weights, which would refuse all others at once."""
    config = json.loads(samples.bundle()["config.json"])
    (folder / "config.json").write_text(json.dumps({key: value for key, value in config.items() if key != "sha256"}))


def _weights_beside(folder: Path) -> None:
    (folder / "weights.safetensors").write_bytes(samples.bundle()["weights.safetensors"])


def _model_configs() -> tuple[bytes, ...]:
    config = {"model_type": "videomae", "num_frames": 16, "image_size": 224, "hidden_size": 8}
    preprocessor = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.2, 0.2, 0.2], "size": {"shortest_edge": 224}}
    index = {"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}
    return samples.as_json(config, preprocessor | {"crop_size": {"height": 8, "width": 8}}, index)


def _model_beside(folder: Path) -> None:
    (folder / "config.json").write_bytes(_model_configs()[0])
    (folder / "model.safetensors").write_bytes(samples.safetensors()[0])


def _model_folder(path: Path) -> object:
    from keyseg.video.model_folder import local_folder

    kept = path.read_bytes()
    try:
        found = local_folder(path.parent)
        return found.config, found.preprocessing()
    finally:
        path.write_bytes(kept)


def _film(folder: Path) -> Any:
    from keyseg.studio.rows import Video

    return Video("tea", "tea.mp4", folder / "tea.mp4", 175, _RATE, True, False, False, False, "")


def _import(path: Path) -> object:
    from keyseg.studio.exchange import segments_of
    from keyseg.studio.timeline_files import read_upload, video_named

    video = _film(path.parent)
    found = read_upload(path.name, path.read_bytes(), path.parent / "uploads", [video], "first")
    return [segments_of(one, video_named(name, [video]).frames, _RATE) for one, name in found]


def _plain_file(path: Path) -> object:
    from keyseg.studio.exchange import segments_of

    return [segments_of(one, 175, _RATE) for one in read_annotations(path, "csv", fps=_RATE)]


def _reference(folder: Path) -> None:
    (folder / "predicted").mkdir()
    (folder / "reference").mkdir()
    (folder / "reference" / "tea.csv").write_bytes(samples.timelines("csv")[0])


def _evaluate(path: Path) -> object:
    from keyseg.metrics.label_folders import evaluate_folders

    found = evaluate_folders(path.parent.parent / "reference", path.parent, fps=Fraction(25), overlap="first")
    return found


def _options(path: Path) -> object:
    from keyseg.training.recipe import load_recipe

    return load_recipe(None, path.read_text(encoding="utf-8", errors="replace").split("\n"))


def _features(path: Path) -> object:
    from keyseg.data.feature_files import first_bad_step, open_features, stored_shape

    shape = stored_shape(path)
    features = open_features(path, orientation="DT")
    return shape, first_bad_step(features)


def _weights(path: Path) -> object:
    from keyseg.inference.weight_files import read_weights

    return read_weights(path)


def _checkpoint(path: Path) -> object:
    from keyseg.training.checkpoints import AtomicCheckpointIO

    return AtomicCheckpointIO().load_checkpoint(path)


def _outputs(path: Path) -> object:
    from keyseg.training.inner_folds import read_outputs

    return read_outputs(path, None)


def _fetch(path: Path) -> None:
    import shutil

    from keyseg.data.archive import fetch_dataset

    out = path.parent / "gtea"
    try:
        fetch_dataset(str(path), "gtea", out)
    finally:
        for left in (out, path.parent / ".gtea.partial"):
            shutil.rmtree(left, ignore_errors=True)


def _video(path: Path) -> object:
    from keyseg.video.reading import VideoReader

    with VideoReader(path, Fraction(5), (8, 8), damaged=True) as frames:
        count = sum(1 for _ in frames)
    return frames.info, count, frames.gaps, frames.notes


def _key_frames(path: Path) -> object:
    from keyseg.video.reading import read_key_frames

    return len(read_key_frames(path, [0.0, 0.5]))


READERS = {reader.name: reader for reader in (*_format_readers(), *_text_readers(), *_binary_readers())}
"""All readers by name."""
