"""keyseg import-weights, and keyseg predict --scores: weights of the reference programs give the programs' numbers.

models/golden/*.npz: small random networks of the public programs ASFormer, MS-TCN2 and BCN, their weights under the
programs' own names, six inputs of 2 to 130 steps, and the output of all four stages for each.
"""

from __future__ import annotations

import hashlib
import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from keyseg.data.known_datasets import DATASETS
from keyseg.formats.frame_labels import read_frame_labels
from keyseg.inference.bundle import load
from keyseg.models.ms_tcn import MSTCNConfig

pytestmark = pytest.mark.slow
Weights = dict[str, Tensor]

FOLDER = Path(__file__).parents[1] / "models" / "golden"
GOLDEN = {
    "asformer": dict(np.load(FOLDER / "asformer.npz")),
    "ms-tcn++": dict(np.load(FOLDER / "ms_tcn2.npz")),
    "bcn": dict(np.load(FOLDER / "bcn.npz")),
}
SYSTEMS = tuple(GOLDEN)
LENGTHS = {"v0": 2, "v1": 7, "v2": 16, "v3": 33, "v4": 64, "v5": 130}
REPORTED = {
    "asformer": "ASFormer: 12 channels in, 7 classes, {} parameters; channels 16, encoder_layers 5, decoder_layers 5\n",
    "ms-tcn++": "MS-TCN++: 12 channels in, 7 classes, {} parameters; channels 16, generator_layers 5,"
    " refinement_layers 4\n",
    "bcn": "BCN: 12 channels in, 7 classes, {} parameters; channels 16, layers 4, barrier {{'channels': 8}}\n",
}


def golden(system: str) -> Weights:
    """The golden network's state dict under the names of its program."""
    found = GOLDEN[system]
    return {name.removeprefix("weight/"): torch.from_numpy(found[name]) for name in found if name.startswith("weight/")}


def with_classes(weights: Weights, classes: int) -> Weights:
    """The network with more classes: wherever an axis is as long as the seven classes, they are repeated."""
    for name, value in weights.items():
        for axis in [axis for axis, size in enumerate(value.shape) if size == 7]:
            weights[name] = value = value.index_select(axis, torch.arange(classes) % 7)
    return weights


@pytest.fixture
def weights(tmp_path: Path) -> Callable[..., Path]:
    """Files of golden weights by system; with more than seven classes on demand."""

    def save(system: str, classes: int = 7) -> Path:
        path = tmp_path / f"{system}-{classes}.model"
        torch.save(with_classes(golden(system), classes), path)
        return path

    return save


@pytest.fixture(scope="session")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Folders of the golden inputs as feature files, by system. Tests must not change them."""
    folder = tmp_path_factory.mktemp("inputs")
    for system, found in GOLDEN.items():
        (folder / system).mkdir()
        for index in range(6):
            np.save(folder / system / f"v{index}.npy", found[f"input/{index}"][0])
    return lambda system: folder / system


def scores(path: Path) -> dict[str, Any]:
    with np.load(path, allow_pickle=False) as found:
        return dict(found)


def parallel(weights: Weights) -> Weights:
    return {f"module.{name}": value for name, value in weights.items()}


WAYS: dict[str, Callable[[Weights, Path], None]] = {
    "epoch-50.pth": torch.save,
    "epoch-50.model": torch.save,
    "old.model": lambda found, path: torch.save(found, path, _use_new_zipfile_serialization=False),
    "weights.safetensors": save_file,
    "parallel.pth": lambda found, path: torch.save(parallel(found), path),
    "checkpoint.pt": lambda found, path: torch.save({"epoch": 50, "state_dict": parallel(found)}, path),
}


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("way", WAYS)
def test_converted_weights_give_the_numbers_of_the_reference(
    way: str, system: str, inputs: Any, keyseg: Any, tmp_path: Path
) -> None:
    file, bundle, out = tmp_path / way, tmp_path / "deep" / "bundle", tmp_path / "out"
    WAYS[way](golden(system), file)
    answer = keyseg("import-weights", file, "--model", system, "--out", bundle)
    size = sum(value.numel() for name, value in golden(system).items() if ".bn." not in name)
    assert answer == (0, f"{bundle}\n", REPORTED[system].format(f"{size:,}"))
    assert [path.name for path in bundle.parent.iterdir()] == ["bundle"]
    assert sorted(path.name for path in bundle.iterdir()) == ["config.json", "weights.safetensors"]
    config = json.loads((bundle / "config.json").read_text())
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    assert config["provenance"] == {"converted from": way, "sha256": digest}
    assert (config["model"], config["classes"]) == (system, [f"class{i}" for i in range(7)])
    assert (config["background"], config["fps"], config["sample_rate"]) == ([], "15", 1)

    answer = keyseg("predict", bundle, inputs(system), "--out", out, "--scores")
    assert (answer.code, answer.out) == (0, "")
    assert {path.name for path in out.iterdir()} == {f"{v}{end}" for v in LENGTHS for end in (".txt", ".scores.npz")}
    for index, (video, length) in enumerate(LENGTHS.items()):
        found = scores(out / f"{video}.scores.npz")
        assert list(found) == ["stages"]
        assert found["stages"].dtype == np.float32
        assert found["stages"].shape == (4, 7, length)
        np.testing.assert_allclose(found["stages"], GOLDEN[system][f"output/{index}"][:, 0], atol=1e-5, rtol=0)
        labels = read_frame_labels(out / f"{video}.txt")
        assert len(labels) == length
        if system != "bcn":  # which smooths its output
            assert labels == [f"class{i}" for i in found["stages"][-1].argmax(0)]


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_single_step_has_scores(system: str, weights: Any, keyseg: Any, tmp_path: Path) -> None:
    np.save(tmp_path / "one.npy", GOLDEN[system]["input/0"][0, :, :1])
    assert keyseg("import-weights", weights(system), "--model", system, "--out", tmp_path / "bundle").code == 0
    answer = keyseg("predict", tmp_path / "bundle", tmp_path / "one.npy", "--out", tmp_path / "out", "--scores")
    assert answer.code == 0
    stages = scores(tmp_path / "out" / "one.scores.npz")["stages"]
    assert stages.shape == (4, 7, 1)
    assert np.isfinite(stages).all()
    assert len(read_frame_labels(tmp_path / "out" / "one.txt")) == 1


def test_published_sizes_are_named_as_such(keyseg: Any, tmp_path: Path) -> None:
    """A network of MS-TCN++'s published sizes, with all weights 0."""
    config = MSTCNConfig()
    channels, reads = config.channels, 3
    sizes = {"PG.conv_1x1_in": (channels, reads, 1), "PG.conv_out": (4, channels, 1)}
    for i in range(config.generator_layers):
        sizes |= {f"PG.conv_dilated_{side}.{i}": (channels, channels, 3) for side in (1, 2)}
        sizes[f"PG.conv_fusion.{i}"] = (channels, 2 * channels, 1)
    for stage in range(config.refinements):
        sizes |= {f"Rs.{stage}.conv_1x1": (channels, 4, 1), f"Rs.{stage}.conv_out": (4, channels, 1)}
        for i in range(config.refinement_layers):
            sizes[f"Rs.{stage}.layers.{i}.conv_dilated"] = (channels, channels, 3)
            sizes[f"Rs.{stage}.layers.{i}.conv_1x1"] = (channels, channels, 1)
    found = {f"{name}.weight": torch.zeros(size) for name, size in sizes.items()}
    found |= {f"{name}.bias": torch.zeros(size[0]) for name, size in sizes.items()}
    torch.save(found, tmp_path / "epoch-100.model")
    answer = keyseg("import-weights", tmp_path / "epoch-100.model", "--model", "ms-tcn++", "--out", tmp_path / "bundle")
    assert answer.code == 0
    assert answer.err.startswith("MS-TCN++: 3 channels in, 4 classes, ")
    assert answer.err.endswith(" parameters; the published sizes\n")


def mapping(folder: Path, names: Any) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / "mapping.txt"
    path.write_text("".join(f"{i} {name}\n" for i, name in enumerate(names)))
    return path


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_mapping_names_the_classes(system: str, weights: Any, inputs: Any, keyseg: Any, tmp_path: Path) -> None:
    names = ["cut", "pour", "stir", "background", "take", "put", "wait"]
    common = ("import-weights", weights(system), "--model", system, "--mapping", mapping(tmp_path, names))
    cases = {
        (): ("background",),
        ("--background", "wait"): ("wait",),
        ("--background", "background", "wait"): ("background", "wait"),
        ("--background", "none"): (),
    }
    for number, (options, background) in enumerate(cases.items()):
        bundle = tmp_path / f"bundle{number}"
        assert keyseg(*common, "--out", bundle, *options).code == 0
        labels = load(bundle).labels
        assert labels.names == tuple(names)
        assert labels.background == background
    video = inputs(system) / "v5.npy"
    assert keyseg("predict", tmp_path / "bundle0", video, "--out", tmp_path, "--scores").code == 0
    last = scores(tmp_path / "v5.scores.npz")["stages"][-1]
    labels = read_frame_labels(tmp_path / "v5.txt")
    assert set(labels) <= set(names)
    if system != "bcn":
        assert labels == [names[i] for i in last.argmax(0)]


@pytest.mark.parametrize("key", DATASETS)
def test_the_frame_rate_is_that_of_the_data_set_with_these_classes(
    key: str, weights: Any, keyseg: Any, tmp_path: Path
) -> None:
    facts = DATASETS[key]
    classes = mapping(tmp_path, sorted(facts.classes, reverse=True))
    common = ("import-weights", weights("ms-tcn++", len(facts.classes)), "--model", "ms-tcn++", "--mapping", classes)
    assert keyseg(*common, "--out", tmp_path / "bundle").code == 0
    predictor = load(tmp_path / "bundle")
    assert predictor.timebase.fps == facts.fps
    assert predictor.timebase.sample_rate == facts.sample_rate
    assert predictor.labels.names == tuple(sorted(facts.classes, reverse=True))
    background = {"gtea": ("background",), "50salads-mid": ("background",)}
    assert predictor.labels.background == background.get(key, ())
    assert keyseg(*common, "--out", tmp_path / "other", "--fps", "30000/1001").code == 0
    assert str(load(tmp_path / "other").timebase.fps) == "30000/1001"


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_sample_rate_spreads_steps_over_annotation_frames(
    system: str, weights: Any, inputs: Any, keyseg: Any, tmp_path: Path
) -> None:
    """As in the programs' data loaders, every second frame is used, and each prediction holds for two frames."""
    file = weights(system)
    for name, options in {"two": ("--fps", "30", "--sample-rate", "2"), "one": ()}.items():
        assert keyseg("import-weights", file, "--model", system, "--out", tmp_path / name, *options).code == 0
    halves = tmp_path / "halves"
    halves.mkdir()
    for video in LENGTHS:
        np.save(halves / f"{video}.npy", np.load(inputs(system) / f"{video}.npy")[:, ::2])
    two, one = tmp_path / "of two", tmp_path / "of one"
    options = ("--scores", "--format", "txt,json")
    assert keyseg("predict", tmp_path / "two", inputs(system), "--out", two, *options).code == 0
    assert keyseg("predict", tmp_path / "one", halves, "--out", one, *options).code == 0
    for video, length in LENGTHS.items():
        steps = read_frame_labels(one / f"{video}.txt")
        assert read_frame_labels(two / f"{video}.txt") == np.repeat(steps, 2)[:length].tolist()
        found = scores(two / f"{video}.scores.npz")["stages"]
        assert found.shape == (4, 7, -(-length // 2))
        np.testing.assert_array_equal(found, scores(one / f"{video}.scores.npz")["stages"])
        content = json.loads((two / f"{video}.json").read_text())
        assert (content["fps"], content["frames"]) == ("30", length)


class Executes:
    """Creates a folder when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = str(folder)

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (self.folder,)


def cut(file: Path) -> None:
    torch.save(golden("asformer"), file)
    file.write_bytes(file.read_bytes()[:-4000])


def changed(**values: Any) -> Callable[[Path], None]:
    """Save ASFormer's weights with some replaced, or left out for None; a double underscore replaces a dot."""

    def save(file: Path) -> None:
        found = golden("asformer") | {name.replace("__", "."): value for name, value in values.items()}
        torch.save({name: value for name, value in found.items() if value is not None}, file)

    return save


BAD: dict[str, tuple[Callable[[Path], Any], str]] = {
    "code": (lambda file: torch.save(Executes(file.parent / "executed"), file), "refused: it holds something other"),
    "code beside weights": (
        lambda file: torch.save(golden("asformer") | {"a": Executes(file.parent / "executed")}, file),
        "nothing in it was executed. Save the state dict alone",
    ),
    "a pickle": (
        lambda file: file.write_bytes(pickle.dumps(Executes(file.parent / "executed"), protocol=2)),
        "refused: it holds something other than tensors, or is damaged (UnpicklingError)",
    ),
    "cut off": (cut, "or is damaged (RuntimeError)"),
    "empty": (lambda file: file.touch(), "or is damaged (EOFError)"),
    "text": (lambda file: file.write_text("epoch 50: loss 0.3\n"), "or is damaged ("),
    "a folder": (lambda file: file.mkdir(), "not a file; expected weights as .pth, .pt, .model or .safetensors"),
    "missing": (lambda file: None, "no such file; expected weights as .pth, .pt, .model or .safetensors"),
    "a list": (lambda file: torch.save([torch.ones(2)], file), "expected tensors by name, got list"),
    "an optimiser": (
        lambda file: torch.save(torch.optim.Adam([torch.ones(2, requires_grad=True)]).state_dict(), file),
        "expected tensors by name, got something else at 'state'; save the state dict alone",
    ),
    "another system": (
        lambda file: torch.save(golden("bcn"), file),
        "not the weights of ASFormer as its program names them (no tensor 'encoder.conv_1x1.weight')",
    ),
    "one missing": (changed(decoders__1__conv_out__bias=None), 'Missing key(s) in state_dict: "backbone.decoders.1.'),
    "one more": (changed(decoders__1__more=torch.ones(2)), "decoders.1.more"),
    "another shape": (changed(decoders__1__conv_out__bias=torch.ones(3)), "size mismatch for backbone.decoders.1."),
    "NaN": (
        changed(decoders__1__conv_out__bias=torch.full((7,), torch.nan)),
        "decoders.1.conv_out.bias holds NaN or infinite values; take weights from before training failed",
    ),
}


@pytest.mark.parametrize("name", ["weights.pth", "weights.model"])
@pytest.mark.parametrize(("save", "words"), BAD.values())
def test_what_is_not_the_weights_is_refused_and_nothing_written(
    save: Callable[[Path], Any], words: str, name: str, keyseg: Any, tmp_path: Path
) -> None:
    file = tmp_path / name
    save(file)
    before = sorted(tmp_path.rglob("*"))
    answer = keyseg("import-weights", file, "--model", "asformer", "--out", tmp_path / "new" / "bundle")
    assert (answer.code, answer.out) == (1, "")
    assert answer.err.startswith(f"error: {file}: ")
    assert words in answer.err
    assert "fault of keyseg" not in answer.err
    assert sorted(tmp_path.rglob("*")) == before  # nothing executed, no bundle, nothing half-written


def test_wrong_usage_is_reported_and_nothing_written(weights: Any, keyseg: Any, tmp_path: Path) -> None:
    file, names = weights("asformer"), mapping(tmp_path, "abcdefg")
    use, out = ("--model", "asformer"), ("--out", tmp_path / "bundle")
    cases = [
        ((file, "--model", "asfomer", *out), 2, "no weights of 'asfomer' can be imported (did you mean 'asformer'?)"),
        ((file, "--model", "rtk", *out), 2, "no weights of 'rtk' can be imported; known: asformer, ms-tcn++, bcn\n"),
        ((file, *out), 2, "--model"),
        ((file, *use), 2, "--out"),
        ((*use, *out), 2, "WEIGHTS"),
        (
            (file, *use, *out, "--background", "a"),
            2,
            "--background names classes, which have no names without --mapping",
        ),
        ((file, *use, *out, "--background", "none"), 2, "give both"),
        *(
            ((file, *use, *out, "--fps", rate), 2, "error: --fps: a frame rate is a number such as 15 or 29.97, or a")
            for rate in ("fast", "0", "1/0", "nan")
        ),
        ((file, *use, *out, "--sample-rate", "0"), 2, 'error: Invalid value "0" for --sample-rate. Must be >= 1.'),
        ((file, *use, *out, "--sample-rate", "half"), 2, 'error: --sample-rate: unable to convert "half" into int.'),
        ((file, *use, *out, "--mapping", tmp_path / "gone.txt"), 1, "gone.txt: cannot read it (no such file)"),
        ((file, *use, *out, "--mapping", names, "--background", "h"), 1, "background 'h' is not a class"),
        (
            (file, *use, *out, "--mapping", mapping(tmp_path / "short", "abcdef")),
            1,
            f"error: {file}: weights for 7 classes, but the mapping has 6; name the one of training\n",
        ),
    ]
    before = sorted(tmp_path.rglob("*"))
    for arguments, code, words in cases:
        answer = keyseg("import-weights", *arguments)
        assert (answer.code, answer.out) == (code, ""), arguments
        assert words in answer.err
        assert "fault of keyseg" not in answer.err
        assert sorted(tmp_path.rglob("*")) == before


def test_only_bundles_are_replaced_and_only_with_force(weights: Any, keyseg: Any, tmp_path: Path) -> None:
    bundle, asformer, other = tmp_path / "bundle", weights("asformer"), weights("ms-tcn++")
    assert keyseg("import-weights", asformer, "--model", "asformer", "--out", bundle).code == 0
    before = {path.name: path.read_bytes() for path in bundle.iterdir()}

    answer = keyseg("import-weights", other, "--model", "ms-tcn++", "--out", bundle)
    assert (answer.code, answer.out) == (2, "")
    assert answer.err == f"error: {bundle} exists; choose another --out or use --force\n"
    answer = keyseg("import-weights", other, "--model", "bcn", "--out", bundle, "--force")
    assert answer.code == 1
    assert {path.name: path.read_bytes() for path in bundle.iterdir()} == before
    assert keyseg("import-weights", other, "--model", "ms-tcn++", "--out", bundle, "--force").code == 0
    assert load(bundle).variants == ("ms-tcn++",)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["asformer-7.model", "bundle", "ms-tcn++-7.model"]

    (bundle / "notes.txt").write_text("mine\n")
    for place in (bundle, tmp_path, other):
        answer = keyseg("import-weights", other, "--model", "ms-tcn++", "--out", place, "--force")
        assert (answer.code, answer.out) == (2, "")
        assert answer.err == f"error: {place} exists and is not just a bundle; choose another --out\n"
    assert (bundle / "notes.txt").read_text() == "mine\n"
    assert asformer.is_file()
    assert other.is_file()


def test_scores_of_rtk_have_its_heatmaps(trained: Path, kitchen: Path, keyseg: Any, tmp_path: Path) -> None:
    files = sorted((kitchen / "features").iterdir())[:2]
    assert keyseg("predict", trained, *files, "--out", tmp_path, "--scores", "--format", "json").code == 0
    predictor = load(trained)
    classes = len(predictor.labels)
    for file in files:
        found, wanted = scores(tmp_path / f"{file.stem}.scores.npz"), predictor.predict(file)
        steps = -(-wanted.segmentation.length // predictor.timebase.sample_rate)
        assert {name: (array.shape, array.dtype) for name, array in found.items()} == {
            "stages": ((len(wanted.stages), classes, steps), np.float32),
            "action": ((classes, steps), np.float32),
            "boundary": ((steps,), np.float32),
        }
        np.testing.assert_array_equal(found["stages"], wanted.stages)
        np.testing.assert_array_equal(found["action"], wanted.action_heatmap)
        np.testing.assert_array_equal(found["boundary"], wanted.boundary_heatmap)
        assert not (tmp_path / f"{file.stem}.txt").exists()


def test_scores_are_not_overwritten_without_force(trained: Path, kitchen: Path, keyseg: Any, tmp_path: Path) -> None:
    file, other = sorted((kitchen / "features").iterdir())[:2]
    target = tmp_path / f"{file.stem}.scores.npz"
    target.write_text("mine\n")
    answer = keyseg("predict", trained, other, file, "--out", tmp_path, "--scores")
    assert (answer.code, answer.out) == (2, "")
    assert (
        answer.err
        == f"error: {target} exists (1 such files); choose another --out, continue with --resume, or use --force\n"
    )
    assert [path.name for path in tmp_path.iterdir()] == [target.name]
    assert keyseg("predict", trained, file, "--out", tmp_path).code == 0  # without --scores it touches none
    assert target.read_text() == "mine\n"
    assert keyseg("predict", trained, other, file, "--out", tmp_path, "--scores", "--force").code == 0
    assert "stages" in scores(target)


def test_no_scores_of_what_cannot_be_read(weights: Any, inputs: Any, keyseg: Any, tmp_path: Path) -> None:
    keyseg("import-weights", weights("ms-tcn++"), "--model", "ms-tcn++", "--out", tmp_path / "bundle")
    np.save(tmp_path / "wide.npy", np.zeros((13, 5), np.float32))
    out = tmp_path / "out"
    good = inputs("ms-tcn++") / "v1.npy"
    answer = keyseg("predict", tmp_path / "bundle", tmp_path / "wide.npy", good, "--out", out, "--scores")
    assert answer.code == 1
    assert f"error: {tmp_path / 'wide.npy'}: the model reads features of 12 dimensions" in answer.err
    assert sorted(path.name for path in out.iterdir()) == ["v1.scores.npz", "v1.txt"]
