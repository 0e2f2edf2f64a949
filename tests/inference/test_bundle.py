"""Bundles: what is saved is what is loaded, nothing in them can run, and errors explain what is wrong."""

from __future__ import annotations

import dataclasses
import io
import json
import os
import pickle
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from keyseg.inference import bundle
from keyseg.inference.bundle import find_bundle, load, save_bundle
from keyseg.inference.confidence import Calibration
from keyseg.inference.decoders import Match
from keyseg.inference.decoding import Rules
from keyseg.inference.predictor import Predictor
from keyseg.inference.systems import SYSTEMS
from keyseg.matching.alignment import MatchWeights
from keyseg.timeline import BundleError, DataError, OutputExistsError, Segmentation

DIMENSION = 11


@pytest.fixture
def saved(make_predictor: Any, tmp_path: Path) -> Path:
    return save_bundle(make_predictor(), tmp_path / "bundle", {"command": "keyseg train"})


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"sample_rate": 3, "presampled": True},
        {"refine": False, "orientation": "TD", "tier": "right hand"},
        {"rules": Rules(frame_weight=0.1, boundary_threshold=0.02), "classes": 4},
    ],
)
def test_a_loaded_bundle_predicts_the_same(
    options: dict[str, Any], make_predictor: Any, features: Any, agree: Any, tmp_path: Path
) -> None:
    predictor = make_predictor(**options)
    loaded = load(save_bundle(predictor, tmp_path / "deep" / "bundle", {}))
    for variant in SYSTEMS["rtk"].titles:
        assert agree(loaded.predict(features, variant=variant), predictor.predict(features, variant=variant))
    for name in ("labels", "timebase", "input_dim", "decoder", "orientation", "tier"):
        assert getattr(loaded, name) == getattr(predictor, name), name
    assert loaded.presampled == predictor.presampled
    assert loaded.model.config == predictor.model.config
    assert not loaded.model.training
    assert str(loaded.timebase.fps) == "30000/1001"
    other = make_predictor(**options, seed=1)
    assert not agree(other.predict(features), predictor.predict(features))


def test_a_match_comes_back_and_counts(make_predictor: Any, features: Any, agree: Any, tmp_path: Path) -> None:
    plain = make_predictor(refine=False)
    weights = MatchWeights(cut=1.25, moves=(0.0, 0.5, 0.25, 0.125))
    match = Match.to([Segmentation([0, 3, 9, 47], [2, 0, 1]), Segmentation([0, 20], [0])], 3, weights)
    taught = make_predictor(refine=False, match=match)
    loaded = load(save_bundle(taught, tmp_path / "bundle", {}))
    assert loaded.decoder.match == match
    assert agree(loaded.predict(features), taught.predict(features))
    assert not agree(loaded.predict(features), plain.predict(features))
    assert load(save_bundle(plain, tmp_path / "plain", {})).decoder.match is None


def test_a_calibration_comes_back_and_counts(make_predictor: Any, features: Any, tmp_path: Path) -> None:
    calibration = Calibration(intercept=-0.5, mean=0.75, length=0.25, edges=1.5, segments=99)
    taught, plain = make_predictor(calibration=calibration), make_predictor()
    loaded = load(save_bundle(taught, tmp_path / "bundle", {}))
    assert loaded.calibration == calibration
    assert loaded.predict(features).confidence == taught.predict(features).confidence
    assert loaded.predict(features).confidence != plain.predict(features).confidence
    for part in taught.variants[1:]:  # of which nothing was learnt
        assert loaded.predict(features, variant=part).confidence == plain.predict(features, variant=part).confidence
    folder = save_bundle(plain, tmp_path / "plain", {})
    assert "confidence" not in json.loads((folder / "config.json").read_text())  # as bundles were before
    assert load(folder).calibration is None


@pytest.mark.parametrize(
    "change", [{"mean": -0.1}, {"edges": float("nan")}, {"intercept": float("inf")}, {"segments": 0}, {"more": 1}]
)
def test_a_damaged_calibration_is_refused(change: dict[str, float], make_predictor: Any, tmp_path: Path) -> None:
    calibration = Calibration(intercept=-0.5, mean=0.75, length=0.25, edges=1.5, segments=99)
    config = save_bundle(make_predictor(calibration=calibration), tmp_path / "bundle", {}) / "config.json"
    content = json.loads(config.read_text())
    config.write_text(json.dumps(content | {"confidence": content["confidence"] | change}))
    with pytest.raises(BundleError, match=f"confidence.{next(iter(change))}|is not a number"):
        load(tmp_path / "bundle")


@pytest.mark.parametrize(
    ("annotations", "classes", "problem"),
    [
        ([{"labels": [0, 3], "lengths": [4, 4]}], 3, "match: .*annotation refers to class 3, outside 0[.][.]2"),
        ([{"labels": [0, 1], "lengths": [4, 4]}], 4, "match is for 4 classes, and there are 3"),
        ([{"labels": [0, 1], "lengths": [4, 4]}], 2, "match is for 2 classes, and there are 3"),
        ([{"labels": [0, 1], "lengths": [4]}], 3, "an annotation has 2 labels and 1 lengths"),
        ([{"labels": [0], "lengths": [0]}], 3, r"annotations[.]0[.]lengths[.]0: Input should be greater than 0"),
        ([{"labels": [-1], "lengths": [4]}], 3, r"annotations[.]0[.]labels[.]0: Input should be greater than or equal"),
        ([{"labels": [], "lengths": []}], 3, r"annotations[.]0[.]labels: Tuple should have at least 1 item"),
        ([], 3, r"match[.]annotations: Tuple should have at least 1 item"),
        ("all", 3, "match[.]annotations: Input should be a valid tuple"),
        ([{"labels": [0], "lengths": [4]}], 0, "match[.]classes: Input should be greater than 0"),
    ],
)
def test_a_match_that_is_none_is_refused(annotations: Any, classes: int, problem: str, saved: Path) -> None:
    config = json.loads((saved / "config.json").read_text())
    match = {"classes": classes, "annotations": annotations}
    (saved / "config.json").write_text(json.dumps(config | {"decoder": config["decoder"] | {"match": match}}))
    with pytest.raises(BundleError, match=problem):
        load(saved)


def test_there_is_a_config_and_weights_and_nothing_that_can_run(saved: Path) -> None:
    assert sorted(path.name for path in saved.iterdir()) == ["config.json", "weights.safetensors"]
    config = json.loads((saved / "config.json").read_text(encoding="utf-8"))
    assert (config["format"], config["version"]) == ("keyseg-bundle", 3)
    assert config["provenance"] == {"command": "keyseg train"}
    assert "tier" not in config  # as in bundles of 0.1.0
    raw = (saved / "weights.safetensors").read_bytes()
    size = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8 : 8 + size])
    header.pop("__metadata__", None)
    assert {part["dtype"] for part in header.values()} == {"F32"}
    assert max(part["data_offsets"][1] for part in header.values()) == len(raw) - 8 - size  # no byte beside the numbers
    assert saved.stat().st_mode & 0o777 == 0o755
    assert [path.name for path in saved.parent.iterdir()] == ["bundle"]


def test_existing_bundles_are_not_overwritten_unless_forced(saved: Path, make_predictor: Any) -> None:
    before = (saved / "weights.safetensors").read_bytes()
    other = make_predictor(seed=1)
    with pytest.raises(OutputExistsError, match="bundle exists; choose another folder or use --force"):
        save_bundle(other, saved, {})
    assert (saved / "weights.safetensors").read_bytes() == before
    save_bundle(other, saved, {}, force=True)
    assert (saved / "weights.safetensors").read_bytes() != before


def test_a_bundle_that_cannot_be_written_leaves_nothing(
    make_predictor: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(bundle, "write_bytes", full)
    with pytest.raises(OSError, match="no space left"):
        save_bundle(make_predictor(), tmp_path / "runs" / "bundle", {})
    assert list((tmp_path / "runs").iterdir()) == []


def test_run_folders_are_bundles_where_there_is_one(saved: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(saved, run / "split1" / "seed0" / "bundle")
    (run / "split2" / "seed0").mkdir(parents=True)  # not finished
    place = run / "split1" / "seed0" / "bundle"
    for path in (place, place.parent, place.parent.parent, run):
        assert find_bundle(path) == place
    assert load(str(run)).input_dim == 11
    shutil.copytree(saved, run / "split1" / "seed1" / "bundle")
    with pytest.raises(BundleError) as caught:
        load(run)
    assert f"{run} holds 2 bundles; name one of them: {place}, {place.parents[1] / 'seed1' / 'bundle'}" == str(
        caught.value
    )


def test_no_bundle_is_said_so(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(
            BundleError, match=r"no bundle here; expected a folder with config\.json and weights"
        ) as caught:
            load(path)
        assert caught.value.exit_code == 1
        assert str(path) in str(caught.value)


def changed(**values: Any) -> Callable[[Path], None]:
    """Give keys of the config other values; None deletes one."""

    def change(folder: Path) -> None:
        config = json.loads((folder / "config.json").read_text())
        for key, value in values.items():
            config[key] = value
            if value is None:
                del config[key]
        (folder / "config.json").write_text(json.dumps(config))

    return change


@pytest.mark.parametrize(
    ("damage", "words"),
    {
        "newer": (
            changed(version=4),
            "config.json: a bundle of format version 4, and keyseg .* reads version 3; train again",
        ),
        "older": (
            changed(version=2),
            "config.json: a bundle of format version 2, and keyseg .* reads version 3; train again",
        ),
        "no version": (changed(version=None), "format version None"),
        "decoder of another kind": (changed(decoder={"kind": "frames"}), "decoder[.]kind: Input should be 'keypoints'"),
        "unknown system": (changed(model="rtkk"), r"model: .*no system 'rtkk' \(did you mean 'rtk'\?\); known: ms-tcn"),
        "another format": (changed(format="else"), "format: Input should be 'keyseg-bundle'"),
        "unknown key": (changed(colour="red"), "colour: Extra inputs are not permitted"),
        "missing key": (changed(classes=None), "classes: Field required"),
        "wrong type": (changed(input_dim="many"), "input_dim: Input should be a valid integer"),
        "no channels": (changed(input_dim=0), "input_dim: Input should be greater than or equal to 1"),
        "no classes": (changed(classes=[], background=[]), "classes: Tuple should have at least 1 item"),
        "no rate": (changed(fps="1/0"), r"config\.json: .*fps: Value error, a frame rate is a number .*; got '1/0'"),
        "odd rate": (changed(fps="fast"), r"config\.json: .*'fast'"),
        "no sample_rate": (
            changed(sample_rate=0),
            r"config\.json: not a bundle .*: sample_rate: Input should be greater than or equal to 1",
        ),
        "doubled class": (changed(classes=["a", "a", "b"], background=[]), "class names must differ, got a"),
        "odd background": (changed(background=["walk"]), "background 'walk' is not a class"),
        "no JSON": (
            lambda folder: (folder / "config.json").write_text("{"),
            "not JSON .* the config of a bundle; copy the bundle",
        ),
        "a list": (
            lambda folder: (folder / "config.json").write_text("[]"),
            r"expected an object, got \[\]; .* the config of a bundle",
        ),
        "no text": (
            lambda folder: (folder / "config.json").write_bytes(b"\xff\xff"),
            "is not utf-8.* the config of a bundle",
        ),
    }.values(),
)
def test_a_config_that_is_not_right_is_named(damage: Callable[[Path], None], words: str, saved: Path) -> None:
    damage(saved)
    with pytest.raises(BundleError, match=words) as caught:
        load(saved)
    assert str(saved / "config.json") in str(caught.value)


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-7])


def without_one(file: Path) -> None:
    weights = load_file(file)
    weights.popitem()
    save_file(weights, file)


@pytest.mark.parametrize(
    ("damage", "words"),
    {
        "cut off": (cut, "deserializing"),
        "empty": (lambda file: file.write_bytes(b""), "the header is not JSON"),
        "missing": (lambda file: file.unlink(), "No such file"),
        "one is missing": (without_one, r"Missing key\(s\) in state_dict: "),
        "a zip of torch": (lambda file: torch.save({}, file), "the header is not JSON"),
        "a folder": (lambda file: (file.unlink(), file.mkdir()), "not a file"),
    }.values(),
)
def test_weights_that_are_not_right_are_named(damage: Callable[[Path], Any], words: str, saved: Path) -> None:
    damage(saved / "weights.safetensors")
    message = (
        rf"weights\.safetensors: not the weights that config\.json describes \(.*({words}).*\); copy the bundle again"
    )
    with pytest.raises(BundleError, match=message):
        load(saved)


def test_weights_of_another_network_are_refused(saved: Path, make_predictor: Any, tmp_path: Path) -> None:
    network = make_predictor().model.config
    wider = network.model_copy(update={"backbone": network.backbone.model_copy(update={"channels": 10})})
    for name, other in (("wider", make_predictor(network=wider)), ("more classes", make_predictor(classes=4))):
        folder = save_bundle(other, tmp_path / name, {})
        shutil.copy(folder / "weights.safetensors", saved / "weights.safetensors")
        with pytest.raises(BundleError, match=r"describes \(size mismatch for .*: copying a param with shape"):
            load(saved)


def test_weights_of_another_training_are_refused(saved: Path, make_predictor: Any, tmp_path: Path) -> None:
    other = save_bundle(make_predictor(seed=1), tmp_path / "other", {})
    shutil.copy(other / "weights.safetensors", saved / "weights.safetensors")
    with pytest.raises(BundleError, match=r"\(they fit, but are of another training: their SHA-256 differs\)"):
        load(saved)
    config = json.loads((saved / "config.json").read_text())
    (saved / "config.json").write_text(json.dumps(config | {"sha256": {"other.safetensors": "0" * 64}}))
    with pytest.raises(BundleError, match="SHA-256 differs"):
        load(saved)


def test_bundles_without_digest_version_and_licence_load(saved: Path) -> None:
    config = json.loads((saved / "config.json").read_text())
    assert (config["version"], config["model_version"], config["licence"]) == (3, "1", "unknown")
    old = {key: value for key, value in config.items() if key not in ("model_version", "licence", "sha256")}
    (saved / "config.json").write_text(json.dumps(old))
    assert load(saved).input_dim == 11


class Executes:
    """Unpickled, it makes a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = str(folder)

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (self.folder,)


@pytest.mark.parametrize("how", ["torch", "pickle"])
def test_a_pickle_under_the_weights_name_is_refused_and_not_executed(how: str, saved: Path, tmp_path: Path) -> None:
    file, mark = saved / "weights.safetensors", tmp_path / "executed"
    file.write_bytes(pickle.dumps(Executes(mark)))
    if how == "torch":
        torch.save(Executes(mark), file)
    trap = file.read_bytes()
    with pytest.raises(BundleError, match=r"weights\.safetensors: not the weights"):
        load(saved)
    assert not mark.exists()
    torch.load(io.BytesIO(trap), weights_only=False) if how == "torch" else pickle.loads(trap)
    assert mark.exists()  # so it was a trap


@pytest.mark.parametrize(("key", "value"), [("channels", 4096), ("encoder_layers", 16), ("kernel_size", 99_999_999)])
def test_a_config_that_asks_for_more_than_the_weights_hold_costs_nothing(saved: Path, key: str, value: int) -> None:
    """Sizes of the config are held against the weights before memory is taken: the last one would ask for 4 GB."""
    config = json.loads((saved / "config.json").read_text())
    config["network"]["backbone"][key] = value
    (saved / "config.json").write_text(json.dumps(config))
    with pytest.raises(BundleError, match=r"not the weights that config\.json describes"):
        load(saved)


def change_weights(folder: Path, change: Callable[[dict[str, torch.Tensor]], Any]) -> None:
    """Change the tensors of a bundle, and take the digest of its weights out of its config."""
    weights = load_file(folder / "weights.safetensors")
    change(weights)
    save_file(weights, folder / "weights.safetensors")
    changed(sha256={})(folder)


NAME = "refiner.classify.bias"
EMPTY = {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_one_number_that_is_not_finite_is_refused_by_its_tensor(
    value: float, system: str, make_small: Callable[[str], Predictor], tmp_path: Path
) -> None:
    folder = save_bundle(make_small(system), tmp_path / "bundle", {})
    name = sorted(load_file(folder / "weights.safetensors"))[-1]

    def break_one(weights: dict[str, torch.Tensor]) -> None:
        weights[name].view(-1)[-1] = value

    change_weights(folder, break_one)
    with pytest.raises(BundleError, match=rf"weights\.safetensors: {name} holds NaN or infinite values"):
        load(folder)


@pytest.mark.parametrize("system", SYSTEMS)
def test_scores_that_overflow_name_the_bundle_or_the_features(
    system: str, make_small: Callable[[str], Predictor], tmp_path: Path
) -> None:
    """Whichever has the larger numbers. No system gives a timeline."""
    folder = save_bundle(make_small(system), tmp_path / "bundle", {})
    large = np.full((20, DIMENSION), 3e38, np.float32)
    with pytest.raises(DataError, match=r"features up to 3e\+38 and weights up to .*not finite; extract these"):
        load(folder).predict(large)

    def enlarge(weights: dict[str, torch.Tensor]) -> None:
        for name in weights:
            weights[name] = torch.full_like(weights[name], 1e38)

    change_weights(folder, enlarge)
    features = np.ones((20, DIMENSION), np.float32)
    with pytest.raises(BundleError, match=rf"^{re.escape(str(folder))}: features up to 1 and weights up to 1e\+38"):
        load(folder).predict(features)


@pytest.mark.parametrize(
    "dtype",
    ["float64", "float16", "bfloat16", "float8_e4m3fn", "int64", "int8", "bool", "complex64"],
)
def test_weights_of_another_type_of_number_are_refused(dtype: str, saved: Path) -> None:
    def convert(weights: dict[str, torch.Tensor]) -> None:
        weights[NAME] = weights[NAME].to(getattr(torch, dtype))

    change_weights(saved, convert)
    message = rf"weights\.safetensors: {NAME} holds numbers of torch\.{dtype}, expected torch\.float32"
    with pytest.raises(BundleError, match=message):
        load(saved)


@pytest.mark.parametrize(
    ("change", "words"),
    {
        "extra": (lambda weights: weights.update(extra=torch.ones(2)), r"Unexpected key\(s\) in state_dict: .extra"),
        "empty": (lambda weights: weights.update({NAME: torch.ones(0)}), f"size mismatch for {NAME}"),
        "scalar": (lambda weights: weights.update({NAME: torch.tensor(1.0)}), f"size mismatch for {NAME}"),
        "another shape": (lambda weights: weights.update({NAME: torch.ones(1, 3)}), f"size mismatch for {NAME}"),
        "hostile name": (lambda weights: weights.update({"\x1b[2J" * 500: torch.ones(2)}), "Unexpected"),
    }.values(),
)
def test_tensors_that_do_not_fit_are_named(change: Callable[[Any], Any], words: str, saved: Path) -> None:
    change_weights(saved, change)
    with pytest.raises(BundleError, match=words) as caught:
        load(saved)
    assert len(str(caught.value)) < 600


def test_one_bad_member_of_an_ensemble_is_named(make_predictor: Any, tmp_path: Path) -> None:
    one, two = make_predictor(), make_predictor(seed=1)
    folder = save_bundle(dataclasses.replace(one, others=(two.model,)), tmp_path / "bundle", {})

    def break_second(weights: dict[str, torch.Tensor]) -> None:
        weights[f"member2.{NAME}"][0] = float("nan")

    change_weights(folder, break_second)
    with pytest.raises(BundleError, match=rf"member2\.{NAME} holds NaN"):
        load(folder)


def test_weights_stay_when_their_file_changes(saved: Path, features: Any, agree: Any) -> None:
    """A mapped file that another program cuts off would end the process."""
    predictor = load(saved)
    before = predictor.predict(features)
    (saved / "weights.safetensors").write_bytes(b"")
    assert agree(before, predictor.predict(features))


def with_header(change: Callable[[dict[str, Any]], dict[str, Any] | bytes]) -> Callable[[Path], Any]:
    """Change the header of a safetensors file, or write other bytes in its place."""

    def rewrite(file: Path) -> None:
        content = file.read_bytes()
        end = 8 + int.from_bytes(content[:8], "little")
        header = change(json.loads(content[8:end]))
        header = header if isinstance(header, bytes) else json.dumps(header).encode()
        file.write_bytes(len(header).to_bytes(8, "little") + header + content[end:])

    return rewrite


def of_the_first(**values: Any) -> Callable[[Path], Any]:
    """Change what the header says of one tensor."""
    return with_header(lambda header: header | {NAME: header[NAME] | values})


@pytest.mark.parametrize(
    ("damage", "words"),
    {
        "length 2^63": (lambda file: file.write_bytes((1 << 63).to_bytes(8, "little") + file.read_bytes()), "not JSON"),
        "nested": (with_header(lambda header: b"[" * 100_000 + b"]" * 100_000), "not JSON"),
        "a list": (with_header(lambda header: b"[1]"), "invalid JSON"),
        "null": (with_header(lambda header: b"null"), "invalid JSON"),
        "duplicate name": (
            with_header(
                lambda header: json.dumps(header)[:-1].encode() + b"," + json.dumps({NAME: header[NAME]})[1:].encode()
            ),
            "two tensors have one name",
        ),
        "overlap": (with_header(lambda header: header | {"extra": header[NAME]}), "invalid offset"),
        "offsets beyond": (of_the_first(data_offsets=[0, 1 << 63]), "invalid"),
        "shape of 2^64": (of_the_first(shape=[1 << 62, 4]), "overflow"),
        "negative shape": (of_the_first(shape=[-3]), "invalid"),
        "axes": (of_the_first(shape=[1] * 100_000 + [3]), "has over 8 axes"),
        "many": (with_header(lambda header: header | {f"e{i}": EMPTY for i in range(200_000)}), "20000 is the limit"),
        "number": (with_header(lambda header: header | {"extra": 5}), "invalid type"),
        "no type": (of_the_first(dtype="F99"), "unknown variant"),
        "NaN": (of_the_first(shape=[float("nan")]), "invalid JSON"),
    }.values(),
)
def test_headers_that_are_not_right_cost_nothing(damage: Callable[[Path], Any], words: str, saved: Path) -> None:
    changed(sha256={})(saved)
    damage(saved / "weights.safetensors")
    before = time.process_time()
    with pytest.raises(BundleError, match=rf"weights\.safetensors: not the weights that .*{words}") as caught:
        load(saved)
    assert time.process_time() - before < 5  # torch alone takes 20 s for the axes
    assert len(str(caught.value)) < 600


MATCH = {"classes": 3, "annotations": [{"labels": [1, 2], "lengths": [5, 5]}]}
BOUNDS: dict[str, tuple[str, Any]] = {
    "weight of the match": ("decoder.match", MATCH | {"weights": {"frames": 1e308}}),
    "infinite weight of the match": ("decoder.match", MATCH | {"weights": {"cut": float("inf")}}),
    "length of an annotation": ("decoder.match", MATCH | {"annotations": [{"labels": [1], "lengths": [10**30]}]}),
    "class of an annotation": ("decoder.match", MATCH | {"annotations": [{"labels": [10**30], "lengths": [1]}]}),
    "classes of the match": ("decoder.match", MATCH | {"classes": 10**9}),
    "threshold": ("decoder.rules.action_threshold", float("nan")),
    "threshold of proposals": ("decoder.proposals.boundary_threshold", 1.5),
    "evidence": ("decoder.rules.frame_weight", 1e308),
    "shift": ("network.refinement.max_shift", 1e300),
    "layers": ("network.backbone.encoder_layers", 10**9),
    "pooling": ("network.backbone.average_pooling", 99_999_999),
    "channels of features": ("input_dim", 10**9),
    "members": ("members", 10**9),
    "frames per step": ("sample_rate", 10**9),
    "rate": ("fps", "1e99999999"),
    "calibration": ("confidence", {"intercept": 1e300, "mean": 1, "length": 1, "edges": 1, "segments": 1}),
    "letters of a class": ("classes", ["x" * 1_000_000, "b", "c"]),
    "letters of the background": ("background", ["x" * 1_000_000]),
    "control characters": ("classes", ["\x1b[2J", "b", "c"]),
    "a million classes": ("classes", [f"c{number}" for number in range(1_000_000)]),
    "version": ("version", [1] * 100_000),
    "system": ("model", "../" * 100_000),
}


@pytest.mark.parametrize(("key", "value"), BOUNDS.values(), ids=BOUNDS)
def test_settings_without_measure_are_refused_in_a_short_message(key: str, value: Any, saved: Path) -> None:
    config = json.loads((saved / "config.json").read_text())
    config["background"] = []
    *sections, last = key.split(".")
    section = config
    for name in sections:
        section = section[name]
    section[last] = value
    (saved / "config.json").write_text(json.dumps(config))
    with pytest.raises(BundleError) as caught:
        load(saved)
    assert str(caught.value).startswith(str(saved))
    assert len(str(caught.value)) < 2000


def test_many_frames_per_step_cost_nothing(make_predictor: Any, features: Any) -> None:
    """A bundle says how many; as a list, the labels of these 47 million frames would take 400 MB."""
    segmentation = make_predictor(sample_rate=1_000_000, presampled=True).predict(features).segmentation
    assert segmentation.length == 47_000_000
    assert len(segmentation) <= 47
