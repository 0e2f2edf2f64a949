"""Small sound files, most of them written by keyseg itself, from which the inputs are mutated."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from keyseg.formats import FORMATS, WriteSettings, annotations_text
from keyseg.formats.table_of_formats import format_of
from keyseg.timeline import Annotation, Interval, KeysegError, LabelMap, Segmentation, TimeBase
from keyseg.timeline.files import json_text

FIELD = Path(__file__).parent.parent / "field"
RATE = Fraction(25)


def annotations() -> Iterator[Annotation]:
    """Timelines with and without gaps, scores, media, tracks and letters outside ASCII."""
    plain = (Interval(Fraction(0), Fraction(1), "background"), Interval(Fraction(1), Fraction(5, 2), "take_cup"))
    yield Annotation("tea", (*plain, Interval(Fraction(5, 2), Fraction(4), "pour")), Fraction(4), RATE, ("background",))
    scored = (
        Interval(Fraction(1), Fraction(2), "Tür öffnen", 0.75),
        Interval(Fraction(3), Fraction(7, 2), "pour", 0.5),
    )
    yield Annotation("day1", scored, Fraction(6), RATE, media="/films/day1.mp4")
    yield Annotation("day1", scored[:1], Fraction(6), RATE, media="day1.mp4", track="female")


@cache
def timelines(fmt: str) -> tuple[bytes, ...]:
    """Files of a format: as we write them, and as other programs do."""
    found: list[bytes] = []
    for one in annotations():
        with suppress(KeysegError):
            content = annotations_text(fmt, [one], WriteSettings(fps=RATE))
            found.append(_unchanging(content.encode() if isinstance(content, str) else content))
    return (*found, *_field().get(fmt, ()))


def _unchanging(content: bytes) -> bytes:
    """The same with identifiers and dates that do not change, so that a number means one input."""
    known: dict[bytes, bytes] = {}

    def numbered(found: re.Match[bytes]) -> bytes:
        return known.setdefault(found[1], b"%036d" % len(known)) + (b"-1" if found[2] else b"")

    content = re.sub(rb"([0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12})(-\d+)?", numbered, content)
    midnight = b"2026-01-01T00:00:00.000000"
    return re.sub(rb"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?", lambda found: midnight[: len(found[0])], content)


@cache
def _field() -> dict[str, tuple[bytes, ...]]:
    by_format: dict[str, tuple[bytes, ...]] = {}
    for file in sorted((FIELD / "formats").iterdir()):
        with suppress(KeysegError):
            name = format_of(file)
            by_format[name] = (*by_format.get(name, ()), file.read_bytes())
    return by_format


@cache
def all_texts() -> tuple[bytes, ...]:
    """A file of each format of text."""
    return tuple(one for fmt in FORMATS if fmt != "nwb" for one in timelines(fmt)[:1])


@cache
def videos() -> tuple[bytes, ...]:
    """Films of a few pictures, of a real camera's kinds of file."""
    return tuple((FIELD / "video" / name).read_bytes() for name in ("plain.mp4", "sound-first.mp4", "joined-anew.ts"))


@cache
def arrays() -> tuple[bytes, ...]:
    """Features of 11 channels."""
    values = np.random.default_rng(3).normal(size=(11, 47))
    return tuple(map(npy, (values.astype(np.float16), values.astype(np.float32), values.T.copy())))


def npy(values: Any) -> bytes:
    """An array as the content of a file."""
    stream = io.BytesIO()
    np.save(stream, values)
    return stream.getvalue()


@cache
def sidecars() -> tuple[bytes, ...]:
    """The JSON beside a feature file."""
    origin = {"extractor": "motion", "version": "1", "dimension": 11, "clip_length": 1, "fps": "25", "sample_rate": 1}
    content = {
        "format": "keyseg-features",
        "format_version": 1,
        "origin": origin | {"options": {"grid": "4"}},
        "video": "tea.mp4",
        "video_sha256": "0" * 64,
        "features_sha256": "1" * 64,
        "frames": 3,
        "time_base": "1/12800",
        "pts": [0, 512, 1024],
        "gaps": [{"start_frame": 1, "end_frame": 2, "reason": "damaged"}],
        "notes": ["the pictures end before the sound"],
    }
    return (json_text(content).encode(),)


@cache
def archives() -> tuple[bytes, ...]:
    """A zip of a data set."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as file:
        names = {
            "mapping.txt": "0 background\n1 pour\n",
            "groundTruth/tea.txt": "pour\n" * 9,
            "splits/train.bundle": "tea.txt\n",
        }
        for name, text in names.items():
            file.writestr(zipfile.ZipInfo(f"data/gtea/{name}", (1980, 1, 1, 0, 0, 0)), text)
    return (stream.getvalue(),)


def network() -> Any:
    """A tiny RTK with all that it needs to predict."""
    import torch

    from keyseg.inference.decoders import KeypointDecoder, Match
    from keyseg.inference.decoding import ProposalConfig, Rules
    from keyseg.inference.predictor import Predictor
    from keyseg.matching.alignment import MatchWeights
    from keyseg.models.backbone import BackboneConfig
    from keyseg.models.refinement import RefinementConfig
    from keyseg.models.rtk import RTK, RTKConfig

    torch.set_num_threads(1)
    torch.manual_seed(2)
    sizes = RTKConfig(
        backbone=BackboneConfig(channels=8, encoder_layers=2, decoder_layers=2),
        refinement=RefinementConfig(channels=16, layers=1),
    )
    weights = MatchWeights(cut=1.25, moves=(0.0, 0.5, 0.25, 0.125))
    match = Match.to([Segmentation([0, 3, 9, 47], [2, 0, 1])], 3, weights)
    return Predictor(
        system="rtk",
        model=RTK(sizes, 11, 3).eval(),
        labels=LabelMap(("background", "cut", "pour"), ("background",)),
        timebase=TimeBase(RATE),
        decoder=KeypointDecoder(proposals=ProposalConfig(limit=50), rules=Rules(), refine=True, match=match),
    )


@cache
def bundle() -> dict[str, bytes]:
    """The files of a bundle, by name."""
    from keyseg.inference.bundle import save_bundle

    with TemporaryDirectory() as folder:
        saved = save_bundle(network(), Path(folder, "bundle"), {"command": "keyseg train"})
        return {file.name: file.read_bytes() for file in saved.iterdir()}


@cache
def checkpoints() -> tuple[bytes, ...]:
    """Weights of a network, and of a training with its state."""
    import torch

    weights = {"layer.weight": torch.arange(12.0).reshape(3, 4), "layer.bias": torch.zeros(3)}
    contents = (weights, {"state_dict": weights, "epoch": 3, "seconds": 1.5, "losses": {"loss": 0.25}})
    found = []
    for content in contents:
        stream = io.BytesIO()
        torch.save(content, stream)
        found.append(stream.getvalue())
    return tuple(found)


@cache
def safetensors() -> tuple[bytes, ...]:
    """Weights of a network."""
    import torch
    from safetensors.torch import save

    return (save({"layer.weight": torch.arange(12.0).reshape(3, 4), "layer.bias": torch.zeros(3)}),)


@cache
def tracks(ending: str) -> tuple[bytes, ...]:
    """Tracks of two rats, of DeepLabCut and SLEAP."""
    from video import pose_files as made

    where = made.walks(frames=6)
    writers = {"csv": (made.write_dlc_csv, made.write_sleap_csv), "h5": (made.write_dlc_h5, made.write_sleap_h5)}
    with TemporaryDirectory() as folder:
        files = [write(Path(folder, f"{at}.{ending}"), where) for at, write in enumerate(writers[ending])]
        if ending == "h5":
            files.append(made.write_dlc_h5(Path(folder, "fixed.h5"), where, fixed=True))
        return tuple(file.read_bytes() for file in files)


@cache
def runs() -> tuple[bytes, ...]:
    """run.json of a run and of a tuning."""
    from keyseg.training.recipe import load_recipe

    recipe = load_recipe(None, ("model=rtk",)).model_dump(mode="json")
    content = {
        "data": "DATA",
        "recipe": recipe,
        "splits": [1],
        "seeds": [0, 1],
        "command": "keyseg train DATA",
        "commit": "none",
    }
    return (json_text(content).encode(),)


@cache
def recipes() -> tuple[bytes, ...]:
    """The recipes of the package."""
    from keyseg.timeline.yaml_text import to_yaml
    from keyseg.training.recipe import load_recipe

    shipped = sorted((Path(__file__).parents[2] / "src" / "keyseg" / "recipes").glob("*.yaml"))
    whole = to_yaml(load_recipe(None, ("model=rtk",)).model_dump(mode="json")).encode()
    return (*(file.read_bytes() for file in shipped[:3]), whole)


def frame_labels() -> tuple[bytes, ...]:
    """One label per frame."""
    return (*timelines("txt"), *timelines("recog"))


def as_json(*contents: object) -> tuple[bytes, ...]:
    """Each as the content of a file."""
    return tuple(json.dumps(content).encode() for content in contents)


def label_map() -> LabelMap:
    """Classes of the samples."""
    return LabelMap(("background", "take_cup", "pour"), ("background",))


def segmentation() -> Segmentation:
    """Of the first sample."""
    return Segmentation([0, 25, 62, 100], [0, 1, 2])


@cache
def tunings() -> tuple[bytes, ...]:
    """tuning.json."""
    content = json.loads(runs()[0])
    del content["splits"], content["seeds"]
    space = {
        "optimiser.learning_rate": {"low": 0.0001, "high": 0.01, "log": True},
        "network.backbone.channels": [32, 64],
    }
    return (json_text(content | {"split": 1, "seed": 0, "space": space}).encode(),)


@cache
def journals() -> tuple[bytes, ...]:
    """trials.journal of two trials, one of which was stopped."""
    from keyseg.training.trials import _asked, _tell
    from keyseg.training.tuning import Measured, read_tuning

    with TemporaryDirectory() as name:
        (Path(name) / "tuning.json").write_bytes(tunings()[0])
        tuning = read_tuning(Path(name))
        scores = {"f1@50": 70.0, "edit": 80.1, "acc": 74.4}
        for index, state in enumerate(("finished", "stopped")):
            _tell(tuning, _asked(tuning, index)[0], index, Measured(state, scores, 2, 1.5))  # type: ignore[arg-type]
        return (_unchanging((Path(name) / "trials.journal").read_bytes()),)


def results() -> tuple[bytes, ...]:
    """results.json."""
    scores = {"f1@10": 88.5, "f1@25": 85.0, "f1@50": 70.0, "edit": 80.1, "acc": 74.4}
    return as_json(
        {"command": "keyseg train", "system": "rtk", "last_epoch": {"rtk": scores}, "cost": {"split1/seed0": {}}}
    )


def chosen() -> tuple[bytes, ...]:
    """What inner folds chose."""
    learnt = {"intercept": -0.5, "mean": 0.75, "length": 0.25, "edges": 1.5, "segments": 99}
    return as_json({"mixed_segments": 0.3, "calibration": learnt, "mixing": [60.5, 61.5], "seconds": 12.25})


@cache
def outputs() -> tuple[bytes, ...]:
    """What a network said about held-out videos."""
    stream = io.BytesIO()
    frames = np.random.default_rng(5).normal(size=(3, 20)).astype(np.float16)
    np.savez_compressed(stream, **{"tea/frames": frames, "tea/labels": np.repeat([0, 1, 2, 1], 5)})
    return (stream.getvalue(),)
