"""The verbs that write, each with a small input: what it needs, and how it is run again after a fault."""

from __future__ import annotations

import os
import threading
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from huggingface_hub import constants

import workshop
from conftest import write_clip
from fake_hub import FakeHub
from keyseg.cli.main import run

TIMELINE = "take\ntake\npour\npour\npour\nstir\n"
CAPTIONS = "WEBVTT\n\n00:00.000 --> 00:01.200\ntake\n\n00:01.200 --> 00:02.500\npour\n"
TINY = [
    word
    for change in (
        *(change for change in workshop.TINY if not change.startswith("optimiser.epochs")),
        "optimiser.epochs=1",
        "optimiser.batch_size=3",
        "matching.join_epoch=0",
    )
    for word in ("--set", change)
]


# How far a training got is written down in the order in which it happened, and what it cost differs each time.
LOGS = (r"run/.*/(logs|tensorboard)(/|$)", "cost.json", "results.(json|md)", r"trials\.(journal|csv)", r"\.lock$")


@dataclass(frozen=True)
class Verb:
    """A command with paths below a folder. needs: what lies there before. again: what continues it; the same command
    where there is nothing. earlier: a file that is replaced, of which the old or the new content is there at any time.
    """

    command: Callable[[Path], Sequence[str | Path]]
    needs: Callable[[Path], None]
    again: Callable[[Path], Sequence[str | Path]] | None = None
    earlier: Sequence[str] = ()
    ignored: Sequence[str] = field(default=())


def _timelines(place: Path) -> None:
    (place / "in").mkdir()
    for name in ("a", "b"):
        (place / "in" / f"{name}.txt").write_text(TIMELINE)


def _converted(place: Path) -> None:
    _timelines(place)
    (place / "out").mkdir()
    for name in ("a", "b"):
        (place / "out" / f"{name}.csv").write_text("old")


def _tracks(place: Path) -> None:
    (place / "videos").mkdir()
    random = np.random.default_rng(3)
    for name in ("a", "b"):
        steps = random.normal(size=(40, 4)).cumsum(0).round(2)
        rows = [f"{i},{x},{y},0.9,{u},{v},0.9" for i, (x, y, u, v) in enumerate(steps)]
        head = ["scorer,s,s,s,s,s,s", "bodyparts,nose,nose,nose,tail,tail,tail", "coords" + ",x,y,likelihood" * 2]
        (place / "videos" / f"{name}.csv").write_text("\n".join([*head, *rows]) + "\n")


def _with_features(place: Path) -> None:
    _tracks(place)
    (place / "out").mkdir()
    for name in ("a", "b"):
        np.save(place / "out" / f"{name}.npy", np.zeros((3, 3)))


def _annotated(place: Path) -> None:
    _tracks(place)
    (place / "sheets").mkdir()
    for name in ("a", "b"):
        (place / "sheets" / f"{name}.vtt").write_text(CAPTIONS)


def _stated(place: Path) -> None:
    _annotated(place)
    (place / "set").mkdir()
    (place / "set" / "dataset.yaml").write_text("# ours\nfps: 10\n")


def _features(place: Path, *more: str) -> list[str | Path]:
    return [
        *("features", place / "videos", "--extractor", "poses", "--track-fps", "10", "--out", place / "out"),
        *("--cache", place / "cache", *more),
    ]


def _init(place: Path) -> list[str | Path]:
    return [
        *("init", place / "set", "--videos", place / "videos", "--annotations", place / "sheets"),
        *("--extractor", "poses", "--track-fps", "10", "--cache", place / "cache"),
    ]


def _data_set(place: Path) -> None:
    workshop.Workshop(place / "set").write(place / "set")


def _train(place: Path, *more: str) -> list[str | Path]:
    return ["train", place / "set", "--out", place / "run", *TINY, *more]


def _trained(place: Path) -> None:
    _data_set(place)
    assert run([str(word) for word in _train(place)]) == 0


def _again_trained(place: Path) -> None:
    """A run of another recipe, which is to be deleted."""
    _data_set(place)
    assert run([str(word) for word in _train(place, "--set", "optimiser.learning_rate=0.02")]) == 0


def _predict(place: Path, *more: str) -> list[str | Path]:
    inputs = [place / "set" / "features" / f"{name}.npy" for name in ("v6", "v7")]
    kinds = ("--format", "txt,csv", "--scores", "--review")
    return ["predict", place / "run", *inputs, "--out", place / "out", *kinds, *more]


def _predicted(place: Path) -> None:
    _trained(place)
    (place / "out").mkdir()
    for name in ("v6.txt", "v6.csv", "v7.txt", "v7.csv", "review.csv"):
        (place / "out" / name).write_text("old")


def _propose(place: Path, *more: str) -> list[str | Path]:
    inputs = [place / "set" / "features" / f"v{number}.npy" for number in range(3)]
    return ["propose", *inputs, "--out", place / "out", "--format", "csv", *more]


def _weights(place: Path) -> None:
    golden = dict(np.load(Path(__file__).parents[1] / "models" / "golden" / "bcn.npz"))
    weights = {
        name.removeprefix("weight/"): torch.from_numpy(a) for name, a in golden.items() if name.startswith("weight/")
    }
    torch.save(weights, place / "bcn.pth")


def _weights_and_bundle(place: Path) -> None:
    _weights(place)
    assert run([str(word) for word in _import(place, "--fps", "7")]) == 0


def _import(place: Path, *more: str) -> list[str | Path]:
    return ["import-weights", place / "bcn.pth", "--model", "bcn", "--out", place / "bundle", *more]


def _export(place: Path, *more: str) -> list[str | Path]:
    return ["export", place / "run", "--out", place / "exported", *more]


def _exported(place: Path) -> None:
    """What an earlier export wrote, of which one file is damaged."""
    _trained(place)
    assert run([str(word) for word in _export(place)]) == 0
    (place / "exported" / "model.onnx").write_text("old")


def _stream(place: Path, *more: str) -> list[str | Path]:
    return ["stream", place / "run", place / "set" / "features" / "v6.npy", "--out", place / "v6.csv", *more]


def _streamed(place: Path) -> None:
    _trained(place)
    (place / "v6.csv").write_text("old")


def _hosted(place: Path) -> None:
    """A bundle on a hub, whose answers come from a thread of this process, and an empty cache."""
    _trained(place)
    server = FakeHub()
    (bundle,) = place.glob("run/**/bundle")
    server.put("anna/kitchen", {file.name: file.read_bytes() for file in bundle.iterdir()})
    os.environ["no_proxy"] = "127.0.0.1"
    constants.ENDPOINT = server.address
    constants.HF_HUB_CACHE = str(place / "cache")
    constants.HUGGINGFACE_CO_URL_TEMPLATE = server.address + "/{repo_id}/resolve/{revision}/{filename}"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()


def _archive(place: Path) -> None:
    _data_set(place)
    with zipfile.ZipFile(place / "data.zip", "w") as archive:
        for name in ("mapping.txt", "groundTruth/v0.txt", "features/v0.npy", "splits/test.split1.bundle"):
            archive.write(place / "set" / name, f"data/gtea/{name}")


def _film(place: Path) -> None:
    _timelines(place)
    write_clip(place / "a.mp4", np.zeros((10, 32, 32, 3), np.uint8))


VERBS: dict[str, Verb] = {
    "convert": Verb(
        lambda place: ["convert", place / "in", place / "out", "--to", "csv", "--fps", "2"],
        _timelines,
        lambda place: ["convert", place / "in", place / "out", "--to", "csv", "--fps", "2", "--force"],
    ),
    "convert --force": Verb(
        lambda place: ["convert", place / "in", place / "out", "--to", "csv", "--fps", "2", "--force"],
        _converted,
        earlier=("out/a.csv", "out/b.csv"),
    ),
    "features": Verb(_features, _tracks),
    "features --force": Verb(lambda place: _features(place, "--force"), _with_features, earlier=("out/a.npy",)),
    "init": Verb(_init, _annotated),
    "init into a folder": Verb(_init, _stated, earlier=("set/dataset.yaml",)),
    "train": Verb(_train, _data_set, lambda place: _train(place, "--resume"), ignored=LOGS),
    "train --force": Verb(lambda place: _train(place, "--force"), _again_trained, ignored=LOGS),
    "train --ensemble --final": Verb(
        lambda place: _train(place, "--split", "all", "--ensemble", "--final"),
        _data_set,
        lambda place: _train(place, "--split", "all", "--ensemble", "--final", "--resume"),
        ignored=LOGS,
    ),
    "tune": Verb(
        lambda place: ["tune", place / "set", "--out", place / "tuned", *TINY, "--trials", "2"],
        _data_set,
        ignored=LOGS,
    ),
    "eval --analysis": Verb(
        lambda place: ["eval", place / "run", "--analysis", place / "pictures"],
        _trained,
    ),
    "predict": Verb(_predict, _trained, lambda place: _predict(place, "--resume")),
    "predict --force": Verb(
        lambda place: _predict(place, "--force"),
        _predicted,
        earlier=("out/v6.txt", "out/v7.csv", "out/review.csv"),
    ),
    "propose": Verb(_propose, _data_set, lambda place: _propose(place, "--force")),
    "plot": Verb(
        lambda place: ["plot", place / "in" / "a.txt", place / "in" / "b.txt", "--out", place / "a.svg"], _timelines
    ),
    "report": Verb(
        lambda place: [
            "report",
            place / "in" / "a.txt",
            "--video",
            place / "a.mp4",
            "--fps",
            "2",
            *("--out", place / "a.html"),
        ],
        _film,
    ),
    "import-weights": Verb(_import, _weights),
    "import-weights --force": Verb(
        lambda place: _import(place, "--force"), _weights_and_bundle, earlier=("bundle/config.json",)
    ),
    "export": Verb(_export, _trained),
    "export --force": Verb(
        lambda place: _export(place, "--force"), _exported, earlier=("exported/model.onnx", "exported/config.json")
    ),
    "export --to torch": Verb(lambda place: _export(place, "--to", "torch"), _trained),
    "stream": Verb(_stream, _trained, lambda place: _stream(place, "--force")),
    "stream --force": Verb(lambda place: _stream(place, "--force"), _streamed),
    "push": Verb(lambda place: ["push", place / "run", place / "share"], _trained),
    "pull": Verb(lambda place: ["pull", "anna/kitchen", place / "pulled"], _hosted, ignored=(r"cache(/|$)",)),
    "data get": Verb(
        lambda place: ["data", "get", "gtea", "--archive", place / "data.zip", "--accept", "--out", place / "gtea"],
        _archive,
    ),
    "reproduce ablations": Verb(
        lambda place: ["reproduce", "ablations", place / "run", "--out", place / "tables"], _trained
    ),
    "reproduce fig1": Verb(
        lambda place: ["reproduce", "fig1", "--out", place / "fig1.svg"],
        lambda place: None,
    ),
}
