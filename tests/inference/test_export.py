"""Exported networks: they predict as torch does at any length, and anything else in a bundle of ONNX is refused."""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

import keyseg.inference.export as exporting
from keyseg.data.feature_origin import FeatureOrigin
from keyseg.inference.bundle import load, save_bundle
from keyseg.inference.decoding import ProposalConfig
from keyseg.inference.ensemble import ensemble_of
from keyseg.inference.export import TOLERANCE, export
from keyseg.inference.onnx_network import OnnxNetwork
from keyseg.inference.predictor import Predictor
from keyseg.inference.sharing import push
from keyseg.models.network import Network
from keyseg.timeline import BundleError, ConfigError, DataError, OutputExistsError
from keyseg.training.warm_start import StartBundle

pytestmark = pytest.mark.slow  # every export is traced twice

SYSTEMS = ("ms-tcn++", "bcn", "asformer", "asformer-extra", "rtk")
LENGTHS = (1, 2, 3, 16, 47, 601)


class Exported(NamedTuple):
    predictor: Predictor
    bundle: Path
    folder: Path
    lines: list[str]


@pytest.fixture(scope="session")
def exported(make_small: Any, make_predictor: Any, tmp_path_factory: Any) -> Callable[[str], Exported]:
    """A tiny predictor of a system, its bundle, and the same in ONNX. Tests must not change them."""

    @cache
    def make(system: str) -> Exported:
        predictor = make_predictor() if system == "rtk" else make_small(system)
        if system != "rtk":
            _balance(predictor.model)
        place = tmp_path_factory.mktemp("exported")
        bundle = save_bundle(predictor, place / "bundle", {})
        lines: list[str] = []
        return Exported(predictor, bundle, export(bundle, out=place / "onnx", report=lines.append), lines)

    return make


def _balance(network: Any) -> None:
    """Change the last classifier so that not every step of a video has the same class."""
    last = [module for name, module in network.named_modules() if name.endswith("classify")][-1]
    logits: list[torch.Tensor] = []
    hook = last.register_forward_hook(lambda *parts: logits.append(parts[2]))
    with torch.no_grad():
        last.weight *= 6.0
        network(torch.from_numpy(video(601).T[None].copy()))
        last.bias -= logits[-1].mean((0, 2))
    hook.remove()


@pytest.fixture
def copied(exported: Any, tmp_path: Path) -> Path:
    """A bundle of MS-TCN++ in ONNX, to damage."""
    return Path(shutil.copytree(exported("ms-tcn++").folder, tmp_path / "copied"))


def video(steps: int) -> np.ndarray:
    return np.random.default_rng(steps).normal(size=(steps, 11)).astype(np.float32)


# The same predictions


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_bundle_in_onnx_predicts_as_torch_does(system: str, exported: Any) -> None:
    predictor, _, folder, _ = exported(system)
    opened = load(folder)
    assert isinstance(opened.model, OnnxNetwork)
    several = 0
    for steps in LENGTHS:
        for variant in predictor.variants:
            ours, theirs = (one.predict(video(steps), variant=variant) for one in (predictor, opened))
            assert theirs.segmentation == ours.segmentation
            for name in ("frame_scores", "stages"):
                assert np.abs(getattr(ours, name) - getattr(theirs, name)).max() <= TOLERANCE
            several += len(ours.segmentation) > 1
    assert several > 0


def test_refinement_takes_part(exported: Any) -> None:
    predictor, _, folder, _ = exported("rtk")
    ours, theirs = (one.run_keypoints(video(47)).refinement for one in (predictor, load(folder)))
    for name in ("keep_action", "keep_boundary", "classes", "boundary_time"):
        assert len(getattr(ours, name)) > 0
        assert np.abs(getattr(ours, name) - getattr(theirs, name)).max() <= TOLERANCE


def test_a_video_without_keypoints(exported: Any) -> None:
    predictor, _, folder, _ = exported("rtk")
    none = ProposalConfig(action_threshold=0.9999, boundary_threshold=0.9999)
    decoder = predictor.decoder.changed(proposals=none)
    ours, theirs = (replace(one, decoder=decoder).predict(video(30)) for one in (predictor, load(folder)))
    assert len(ours.proposals[0]) + len(ours.proposals[1]) == 0
    assert theirs.segmentation == ours.segmentation


def test_more_steps_than_any_window(exported: Any) -> None:
    """The check of an export has at most 3,000 steps here."""
    predictor, _, folder, _ = exported("asformer-extra")
    ours, theirs = (one.run(video(5003)).frames for one in (predictor, load(folder)))
    assert np.abs(ours - theirs).max() <= TOLERANCE


def test_no_network_of_torch_is_built(exported: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    init = Network.__init__
    monkeypatch.setattr(Network, "__init__", lambda self, *rest: (made.append(type(self).__name__), init(self, *rest)))
    predictor = load(exported("rtk").folder)
    assert made == ["OnnxNetwork"]
    assert sum(parameter.numel() for parameter in predictor.model.parameters()) == 1


def test_an_ensemble_has_the_files_of_every_network(make_small: Any, tmp_path: Path) -> None:
    first, second = make_small("ms-tcn++"), make_small("ms-tcn++")
    with torch.no_grad():
        second.model.refinements[-1].classify.bias[0] += 1.0  # type: ignore[index]
    both = ensemble_of([first, second])
    out = export(save_bundle(both, tmp_path / "bundle", {}), out=tmp_path / "onnx")
    assert sorted(path.name for path in out.glob("*.onnx")) == ["member1.model.onnx", "member2.model.onnx"]
    ours, theirs = both.run(video(47)), load(out).run(video(47))
    assert np.abs(ours.frames - theirs.frames).max() <= TOLERANCE
    assert np.abs(first.run(video(47)).frames - theirs.frames).max() > TOLERANCE


def test_features_that_are_too_large_are_named(exported: Any) -> None:
    with pytest.raises(DataError, match="give scores that are not finite; extract these features again"):
        load(exported("ms-tcn++").folder).predict(np.full((9, 11), 3e38, np.float32))


# What is written


def test_every_file_is_checked_and_reported(exported: Any) -> None:
    first, second = exported("rtk").lines
    assert first.startswith("model.onnx: opset 18; at 1, 2, 37, 500, 3,000 steps it differs from torch by at most hid")
    assert second.startswith("refiner.onnx: opset 18; at 1,")
    for name in ("frame_logits", "action_logits", "boundary_logits"):
        assert f", {name} " in first
    assert float(second.rsplit(" ", 1)[1]) <= TOLERANCE
    assert sorted(path.name for path in exported("rtk").folder.iterdir()) == [
        "config.json",
        "model.onnx",
        "refiner.onnx",
    ]


def test_a_file_says_what_it_is(make_small: Any, tmp_path: Path) -> None:
    origin = FeatureOrigin(
        extractor=str(tmp_path / "anna" / "mine"), version="1", dimension=11, clip_length=1, fps=10, sample_rate=1
    )
    predictor = replace(make_small("ms-tcn++"), origin=origin)
    bundle = save_bundle(predictor, tmp_path / "bundle", {}, card="# Mine\n")
    out = export(bundle, out=tmp_path / "onnx")
    assert (out / "README.md").read_text(encoding="utf-8") == "# Mine\n"
    model = onnx.load(out / "model.onnx")
    assert [(one.domain, one.version) for one in model.opset_import] == [("", 18)]
    facts = {one.key: one.value for one in model.metadata_props}
    assert (facts["model"], facts["fps"], facts["sample_rate"]) == ("ms-tcn++", "10", "1")
    assert json.loads(facts["classes"]) == ["background", "cut", "pour"]
    assert json.loads(facts["features"])["extractor"] == "mine"
    assert "anna" not in "".join(facts.values())
    shapes = {
        value.name: [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in (*model.graph.input, *model.graph.output)
    }
    assert shapes == {"features": [1, 11, "T"], "stages": [2, 1, 3, "T"], "probabilities": [1, 3, "T"]}


def test_other_programs_run_it(exported: Any) -> None:
    predictor, _, folder, _ = exported("asformer")
    session = onnxruntime.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
    (probabilities,) = session.run(["probabilities"], {"features": video(20).T[None]})
    assert np.abs(probabilities[0] - predictor.run(video(20)).frames).max() <= TOLERANCE


@pytest.mark.parametrize("system", ["asformer", "rtk"])
def test_a_program_of_torch_has_any_length(system: str, exported: Any, tmp_path: Path) -> None:
    predictor, bundle, _, _ = exported(system)
    lines: list[str] = []
    out = export(bundle, to="torch", out=tmp_path / "torch", report=lines.append)
    names = ["model.pt2", "refiner.pt2"] if system == "rtk" else ["model.pt2"]
    assert sorted(path.name for path in out.iterdir()) == names
    assert [line.split(";")[0] for line in lines] == [f"{name}: torch {torch.__version__}" for name in names]
    told = {"keyseg.json": ""}
    program = torch.export.load(out / "model.pt2", extra_files=told).module(check_guards=False)
    assert json.loads(told["keyseg.json"])["classes"] == ["background", "cut", "pour"]
    for steps in LENGTHS:
        features = torch.from_numpy(video(steps).T[None].copy())
        stages = predictor.model(features).frame_logits if system == "rtk" else predictor.model(features).stages
        assert torch.allclose(program(features)[int(system == "rtk")], stages, rtol=0, atol=TOLERANCE)
    with pytest.raises(BundleError, match="no bundle here"):
        load(out)


def test_every_layer_has_length_t(exported: Any, tmp_path: Path) -> None:
    """Not min(T, ...) of the layer before: such lengths double from layer to layer, and an export takes minutes."""
    out = export(exported("rtk").bundle, to="torch", out=tmp_path / "torch", report=lambda line: None)
    nodes = torch.export.load(out / "model.pt2").graph.nodes
    lengths = {str(node.meta["val"].shape[2]) for node in nodes if node.target is torch.ops.aten.conv1d.default}
    assert len(lengths - {"1"}) == 1  # 1 where a mean over the video is weighed


# What is refused


def test_weights_that_changed_on_the_way_are_refused(
    exported: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = exporting._onnx

    def broken(*arguments: Any) -> bytes:
        model = onnx.ModelProto.FromString(write(*arguments))
        last = next(one for one in model.graph.initializer if one.name.endswith("refinements.0.classify.bias"))
        last.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(last) + np.float32(0.001), last.name))
        return bytes(model.SerializeToString())

    monkeypatch.setattr(exporting, "_onnx", broken)
    with pytest.raises(BundleError, match=r"stages differs from torch by 0\.001 at 1 steps, and 0\.0001 is the most"):
        export(exported("ms-tcn++").bundle, out=tmp_path / "new" / "onnx")
    assert list((tmp_path / "new").iterdir()) == []
    old = tmp_path / "old"
    old.mkdir()
    (old / "config.json").write_text("{}")
    with pytest.raises(BundleError, match="nothing was written"):
        export(exported("ms-tcn++").bundle, out=old, force=True)
    assert [path.name for path in tmp_path.iterdir() if path.name != "new"] == ["old"]
    assert (old / "config.json").read_text() == "{}"


@pytest.mark.parametrize("to", ["onnx", "torch"])
def test_a_full_disk_names_the_folder(to: Any, exported: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, bundle, _, _ = exported("ms-tcn++")

    def full(path: Path, content: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space left") as caught:
        export(bundle, to=to, out=tmp_path / "out")
    assert caught.value.filename.startswith(str(tmp_path / "out"))
    assert not list(tmp_path.iterdir())


def test_existing_folders_are_replaced_by_force_alone(exported: Any, copied: Path, tmp_path: Path) -> None:
    bundle = exported("ms-tcn++").bundle
    with pytest.raises(OutputExistsError, match="exists; choose another --out or use --force"):
        export(bundle, out=copied)
    (copied / "model.onnx").write_bytes(b"")
    assert load(export(bundle, out=copied, force=True)).system == "ms-tcn++"
    (copied / "notes.txt").touch()
    for place in (copied, bundle, copied / "notes.txt"):
        with pytest.raises(OutputExistsError, match="exists and is not just an export; choose another --out"):
            export(bundle, out=place, force=True)


def test_there_are_no_weights_to_go_on_with(exported: Any, tmp_path: Path) -> None:
    folder = exported("ms-tcn++").folder
    with pytest.raises(BundleError, match="is in ONNX already; export the bundle that it was made from"):
        export(folder, out=tmp_path / "again")
    with pytest.raises(BundleError, match="a network in ONNX has no weights to save"):
        save_bundle(load(folder), tmp_path / "saved", {})
    with pytest.raises(BundleError, match="is in ONNX, and a training starts from weights; name the bundle it was"):
        StartBundle.at(folder)


def test_a_bundle_in_onnx_can_be_pushed(exported: Any, tmp_path: Path) -> None:
    where = Path(push(exported("rtk").folder, str(tmp_path / "share"), licence="MIT"))
    assert sorted(path.name for path in where.iterdir()) == ["README.md", "config.json", "model.onnx", "refiner.onnx"]
    assert load(where).predict(video(47)).segmentation == load(exported("rtk").folder).predict(video(47)).segmentation


def test_a_missing_extra_is_named(exported: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    for call in (
        lambda: load(exported("ms-tcn++").folder),
        lambda: export(exported("ms-tcn++").bundle, out=tmp_path / "x"),
    ):
        with pytest.raises(ConfigError, match=r'needs onnxruntime, .*run: pip install "keyseg\[export\]"'):
            call()


def test_a_device_without_onnxruntime_is_refused(exported: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    network = load(exported("ms-tcn++").folder).model
    assert isinstance(network, OnnxNetwork)
    for device in ("cuda", "mps"):
        with pytest.raises(ConfigError, match=f"onnxruntime cannot run on {device} here; install onnxruntime-gpu"):
            network.model._opened(device)


def rewritten(change: Callable[[Any], object]) -> Callable[[Path], None]:
    """Change the model in a bundle, and sign it again."""

    def damage(folder: Path) -> None:
        file, config = folder / "model.onnx", folder / "config.json"
        model = onnx.ModelProto.FromString(file.read_bytes())
        change(model)
        file.write_bytes(model.SerializeToString())
        told = json.loads(config.read_text())
        told["sha256"]["model.onnx"] = hashlib.sha256(file.read_bytes()).hexdigest()
        config.write_text(json.dumps(told))

    return damage


def told(**changes: Any) -> Callable[[Path], object]:
    def damage(folder: Path) -> None:
        config = folder / "config.json"
        config.write_text(json.dumps(json.loads(config.read_text()) | changes))

    return damage


def weights(model: Any) -> Any:
    return next(one for one in model.graph.initializer if one.name.endswith("generator.input.weight"))


def filled(value: float) -> Callable[[Any], None]:
    def change(model: Any) -> None:
        array = numpy_helper.to_array(weights(model)).copy()
        array[0, 0] = value
        weights(model).CopyFrom(numpy_helper.from_array(array, weights(model).name))

    return change


def elsewhere(model: Any) -> None:
    tensor = weights(model)
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../secret.bin")


def branching(model: Any) -> None:
    inner = helper.make_graph([], "inner", [], [])
    model.graph.node.append(helper.make_node("If", ["x"], [], then_branch=inner, else_branch=inner))


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "truncated": (
        lambda folder: (folder / "model.onnx").write_bytes((folder / "model.onnx").read_bytes()[:-100]),
        "model.onnx: not the network that config.json describes .its SHA-256 differs.; copy the bundle again",
    ),
    "missing": (lambda folder: (folder / "model.onnx").unlink(), "model.onnx: not the network .*No such file"),
    "a folder": (
        lambda folder: ((folder / "model.onnx").unlink(), (folder / "model.onnx").mkdir()),
        "model.onnx: not the network .*not a file",
    ),
    "no ONNX": (rewritten(lambda model: model.Clear()), "it has loops or branches, or no network"),
    "other channels": (told(input_dim=12), "model.onnx: not the network .*Got invalid dimensions for input"),
    "other classes": (told(classes=["background", "cut"]), "stages has the shape .*'C': 2"),
    "another system": (told(model="bcn", network={}, input_dim=12), "not the network"),
    "NaN": (rewritten(filled(np.nan)), "generator.input.weight holds NaN or infinite values; take weights from before"),
    "NaN alone": (
        rewritten(lambda model: model.graph.initializer.append(numpy_helper.from_array(np.float32("nan"), "alone"))),
        "alone holds NaN or infinite values",
    ),
    "infinite": (rewritten(filled(np.inf)), "generator.input.weight holds NaN or infinite values"),
    "other files": (rewritten(elsewhere), "it refers to other files"),
    "few numbers": (rewritten(lambda model: weights(model).dims.append(1000)), "generator.input.weight: "),
    "foreign operators": (
        rewritten(lambda model: model.graph.node.add(op_type="Run", domain="com.microsoft")),
        "it has operators that are not ONNX's own",
    ),
    "functions": (rewritten(lambda model: model.functions.add(name="f")), "it has operators that are not ONNX's own"),
    "branches": (rewritten(branching), "it has loops or branches"),
    "unknown operator": (
        rewritten(lambda model: model.graph.node.add(op_type="Sing", output=["song"])),
        "model.onnx: not the network .*Sing",
    ),
    "no output": (rewritten(lambda model: model.graph.output.pop()), "model.onnx: not the network .*probabilities"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_is_an_error_of_ours(name: str, copied: Path, capfd: pytest.CaptureFixture[str]) -> None:
    damage, words = DAMAGES[name]
    assert load(copied).predict(video(5)).segmentation.length == 5
    damage(copied)
    with pytest.raises(BundleError, match=words):
        load(copied)
    assert tuple(capfd.readouterr()) == ("", "")


def test_an_export_prints_nothing_of_its_exporters(
    exported: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    export(exported("ms-tcn++").bundle, out=tmp_path / "onnx")
    assert tuple(capfd.readouterr()) == ("", "")
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_bytes_that_are_no_model_are_refused(copied: Path) -> None:
    for content in (b"", b"ORTM" * 9, bytes(range(256))):
        (copied / "model.onnx").write_bytes(content)
        told(sha256={"model.onnx": hashlib.sha256(content).hexdigest()})(copied)
        with pytest.raises(BundleError, match="not the network that"):
            load(copied)
