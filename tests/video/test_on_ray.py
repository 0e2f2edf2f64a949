"""The engine `ray` on a cluster of two nodes of this machine: the files of one process, also if a node is killed."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import keyseg
from dying_stage import DyingStage
from keyseg.inference.bundle import save_bundle
from keyseg.inference.folder import predict_files
from keyseg.inference.predictor import Predictor
from keyseg.inference.systems import SYSTEMS
from keyseg.timeline import ConfigError, LabelMap
from keyseg.video.engines import Engine, Event
from keyseg.video.extraction import origin_of
from keyseg.video.extractors import make_extractor
from keyseg.video.make_features import features
from moving_square import pictures

pytestmark = pytest.mark.slow
ray = pytest.importorskip("ray")
TESTS = Path(__file__).parents[1]
_NEEDED = 400 * 2**20  # bytes of shared memory for two nodes
_MOST_SECONDS = 240.0


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A cluster of one node with one processor, which notices within seconds that another one is gone."""
    from ray.cluster_utils import Cluster

    shared = Path("/dev/shm")
    if shared.is_dir() and shutil.disk_usage(shared).free < _NEEDED:
        pytest.skip(f"Ray needs {_NEEDED / 2**20:.0f} MiB in {shared}")
    health = {"initial_delay_ms": 0, "period_ms": 500, "timeout_ms": 2000, "failure_threshold": 3}
    options = {f"health_check_{name}": value for name, value in health.items()}
    node = {"num_cpus": 1, "object_store_memory": 80 * 2**20, "include_dashboard": False}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        # Nodes import keyseg, and stages of these tests.
        patch.setenv("PYTHONPATH", os.pathsep.join(map(str, (Path(keyseg.__file__).parents[1], TESTS))))
        try:
            made = Cluster(initialize_head=True, head_node_args={**node, "_system_config": options})
        except Exception as error:
            pytest.skip(f"Ray does not start here: {error}")
        yield made
        made.shutdown()


@pytest.fixture(scope="module")
def videos(make_clip: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten films, and a file that is none."""
    folder = tmp_path_factory.mktemp("videos")
    for number in range(10):
        make_clip(folder / f"film{number}.mp4", pictures(number % 4) * (1 + number // 4))
    (folder / "bad.mp4").write_text("no video")
    return folder


@pytest.fixture(autouse=True)
def no_hang() -> Iterator[None]:
    """End a run that hangs."""

    def end() -> None:
        for process in multiprocessing.active_children():
            process.kill()

    timer = threading.Timer(_MOST_SECONDS, end)
    timer.start()
    yield
    timer.cancel()


def files(folder: Path) -> dict[str, bytes]:
    """All of them, hidden ones too, except for those that processes lock."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix != ".lock"}


def works(node: Any) -> bool:
    """Whether a stage has a process on this node."""
    [raylet] = node.all_processes["raylet"]
    pid = raylet.process.pid
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    lines = [Path(f"/proc/{child}/cmdline") for child in children]
    with contextlib.suppress(OSError):
        return any(b"ray::" in line.read_bytes() and b"Map" in line.read_bytes() for line in lines)
    return False


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="looks up processes in /proc")
def test_a_node_that_is_killed_loses_nothing_and_repeats_nothing(cluster: Any, videos: Path, tmp_path: Path) -> None:
    alone = features(videos, out=tmp_path / "alone", fps=10, cache=tmp_path / "cache alone")
    node = cluster.add_node(num_cpus=1, object_store_memory=80 * 2**20)
    cluster.wait_for_nodes()
    made, killed = list[Path](), list[int]()

    def notify(event: Event, number: int) -> None:
        assert number == 11
        if event.kind == "made":
            made.append(event.video)
        if not killed and works(node):
            cluster.remove_node(node, allow_graceful=False)
            killed.append(len(made))

    options: dict[str, Any] = {"out": tmp_path / "out", "fps": 10, "cache": tmp_path / "cache"}
    options |= {"engine": "ray", "address": cluster.address}
    result = features(videos, **options, notify=notify)
    assert killed, "the second node had nothing to do"
    assert killed[0] < 10, "everything was done before"
    assert result.failed == alone.failed
    assert list(result.failed) == [videos / "bad.mp4"]
    assert files(tmp_path / "out") == files(tmp_path / "alone")
    assert files(tmp_path / "cache") == files(tmp_path / "cache alone")

    stamps = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()}
    kinds = list[str]()
    again = features(videos, **options, notify=lambda event, number: kinds.append(event.kind))
    assert sorted(kinds) == ["failed"] + ["kept"] * 10
    assert again == result
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()} == stamps


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network with random weights that reads the features of `motion` at 10 frames per second."""
    torch.manual_seed(0)
    origin, system = origin_of(make_extractor("motion"), Fraction(10)), SYSTEMS["ms-tcn++"]
    labels = LabelMap(("rest", "go"))
    predictor = Predictor(
        system=system.name,
        model=system.network(system.config(channels=8), input_dim=origin.dimension, classes=2),
        labels=labels,
        timebase=origin.timebase,
        decoder=system.decoder(),
        orientation="TD",
        origin=origin,
    )
    folder = tmp_path_factory.mktemp("bundle") / "bundle"
    save_bundle(predictor, folder, {})
    return folder


def test_timelines_are_those_of_one_process(cluster: Any, videos: Path, bundle: Path, tmp_path: Path) -> None:
    features(videos / "film1.mp4", out=tmp_path / "features", fps=10, cache=tmp_path / "cache")
    (tmp_path / "features" / "film1.npy").rename(tmp_path / "features" / "own.npy")
    (tmp_path / "features" / "film1.json").rename(tmp_path / "features" / "own.json")
    inputs = [*(videos / name for name in ("film0.mp4", "bad.mp4", "film2.mp4")), tmp_path / "features" / "own.npy"]
    lines: dict[str, list[str]] = {"alone": [], "ray": []}
    results = {}
    for name, more in {"alone": {}, "ray": {"engine": "ray", "address": cluster.address}}.items():
        options: dict[str, Any] = {"formats": ("csv", "json"), "scores": True, "review": True, **more}
        options |= {"out": tmp_path / "out", "cache": tmp_path / f"cache {name}", "report": lines[name].append}
        results[name] = predict_files(bundle, inputs, **options)
        (tmp_path / "out").rename(tmp_path / name)
    assert results["ray"] == results["alone"]
    assert list(results["ray"].failed) == [videos / "bad.mp4"]
    many, one = (files(tmp_path / name) for name in ("ray", "alone"))
    assert many.keys() == one.keys()
    assert len(one) == 3 * 3 + 1
    for name in one:
        if not name.endswith(".npz"):
            assert many[name] == one[name]
            continue
        for key, scores in np.load(tmp_path / "alone" / name).items():  # another number of threads rounds otherwise
            found = np.load(tmp_path / "ray" / name)[key]
            assert (
                np.allclose(found, scores, rtol=0, atol=1e-6) if scores.dtype.kind == "f" else (found == scores).all()
            )
    assert sorted(lines["ray"]) == sorted(lines["alone"])


def test_an_input_that_ends_its_process_fails_alone_and_a_mistake_ends_the_run(cluster: Any, tmp_path: Path) -> None:
    """What ends more often than Ray tries again is tried once more after the others."""
    engine, events, often = Engine("ray", address=cluster.address), list[Event](), tmp_path / "often"
    often.touch()
    engine.process([*map(Path, ("a", "ends", "bad", "b")), often], [DyingStage()], [], events.append)
    made = {event.video.name: (event.kind, event.message) for event in events}
    assert len(made) == len(events)
    reason = "ends: the process that worked on it ended every time, perhaps because memory ran out"
    failed = {"ends": ("failed", reason), "bad": ("failed", "bad: no good")}
    assert made == dict.fromkeys(("a", "b", "often"), ("made", "")) | failed
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        engine.process([Path("a"), Path("mistake")], [DyingStage()], [], events.append)


def test_an_address_without_a_cluster_is_refused(videos: Path, tmp_path: Path) -> None:
    options: dict[str, Any] = {"out": tmp_path / "out", "cache": tmp_path / "cache", "engine": "ray"}
    for address in ("127.0.0.1:9", "head"):
        with pytest.raises(ConfigError, match=f"no Ray cluster answers at '{address}'"):
            features(videos, address=address, **options)
    assert not (tmp_path / "out").exists()
