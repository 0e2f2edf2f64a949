"""`train --start`: the weights of a bundle are the first weights, class by class, and no score is flattered by it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import Callback

from keyseg.cli.main import run as keyseg
from keyseg.inference.bundle import find_bundle, load, name_digest, read_config, save_bundle
from keyseg.inference.decoders import KeypointDecoder
from keyseg.inference.predictor import Predictor
from keyseg.inference.systems import SYSTEMS
from keyseg.matching.nodes import keypoint_nodes
from keyseg.models.asformer import ASFormerConfig, ASFormerExtraConfig
from keyseg.models.bcn import BCNConfig
from keyseg.models.ms_tcn import MSTCNConfig
from keyseg.models.network import Network
from keyseg.models.rtk import RTKConfig
from keyseg.timeline import BundleError, ConfigError, DataError, LabelMap, TimeBase, TrainingError
from keyseg.training import choice, complete
from keyseg.training.warm_start import carried_over

SMALL = {"channels": 8, "encoder_layers": 2, "decoder_layers": 2}
CONFIGS: dict[str, Any] = {
    "ms-tcn++": MSTCNConfig(channels=8, generator_layers=2, refinements=2, refinement_layers=2),
    "bcn": BCNConfig(channels=8, cascade_stages=2, layers=2, fusion_channels=8),
    "asformer": ASFormerConfig(decoders=2, **SMALL),
    "asformer-extra": ASFormerExtraConfig(decoders=2, **SMALL),
    "rtk": RTKConfig.model_validate({"backbone": SMALL, "refinement": {"channels": 16, "layers": 1}}),
}
OLD = ("background", "cut", "pour", "stir")
FINAL: dict[str, Any] = {"splits": None, "final": True}


def network(system: str, classes: int, seed: int) -> Network:
    torch.manual_seed(seed)
    made = SYSTEMS[system].network(CONFIGS[system], 7, classes)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter += 0.2 * torch.randn(parameter.shape)
    return made


def started(system: str, new: Sequence[str], old: Sequence[str] = OLD) -> tuple[Predictor, Predictor]:
    """A predictor of random weights, and one of other classes that starts from it."""
    before, after = network(system, len(old), 1), network(system, len(new), 2)
    labels = [LabelMap(tuple(names)) for names in (old, new)]
    after.load_state_dict(carried_over(before, labels[0], after, labels[1], SYSTEMS[system]))
    decoder = KeypointDecoder(refine=True) if system == "rtk" else SYSTEMS[system].decoder()
    one, other = (
        Predictor(system=system, model=model, labels=names, timebase=TimeBase(), decoder=decoder)
        for model, names in zip((before, after), labels, strict=True)
    )
    return one, other


@pytest.fixture
def steps() -> np.ndarray:
    return np.random.default_rng(5).normal(size=(40, 7)).astype(np.float32)


@pytest.mark.parametrize("system", CONFIGS)
def test_equal_classes_give_the_same_outputs_to_the_last_bit(system: str, steps: np.ndarray) -> None:
    old, new = (predictor.run(steps) for predictor in started(system, OLD))
    np.testing.assert_array_equal(new.stages, old.stages)
    np.testing.assert_array_equal(new.frames, old.frames)


@pytest.mark.parametrize("system", CONFIGS)
def test_permuted_classes_give_the_same_outputs_permuted(system: str, steps: np.ndarray) -> None:
    """To rounding, since sums over classes run in another order."""
    order = (2, 0, 3, 1)
    old, new = (predictor.run(steps) for predictor in started(system, [OLD[i] for i in order]))
    np.testing.assert_allclose(new.stages, old.stages[:, list(order)], rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(new.frames, old.frames[list(order)], rtol=1e-3, atol=1e-5)
    if system == "rtk":
        np.testing.assert_allclose(new.action, old.action[list(order)], rtol=1e-3, atol=1e-5)
        np.testing.assert_allclose(new.boundary, old.boundary, rtol=1e-3, atol=1e-5)


def test_permuted_classes_refine_the_same_keypoints_alike(steps: np.ndarray) -> None:
    order = (2, 0, 3, 1)
    old, new = started("rtk", [OLD[i] for i in order])
    features, mask = torch.from_numpy(steps.T)[None], torch.ones(1, 40, dtype=torch.bool)
    output = old.run(steps, refine=False)
    nodes = keypoint_nodes([(output.actions, output.boundaries)], mask.device)
    assert len(output.actions) > 2
    renamed = replace(nodes, label=torch.tensor([order.index(i) for i in range(4)])[nodes.label])
    said = []
    for predictor, given in ((old, nodes), (new, renamed)):
        predictor.model.eval()
        with torch.inference_mode():
            said.append(predictor.model.refiner(predictor.model(features, mask).maps(), given))
    for name in ("keep", "shift"):
        torch.testing.assert_close(getattr(said[1], name), getattr(said[0], name), rtol=1e-3, atol=1e-5)
    torch.testing.assert_close(said[1].classes, said[0].classes[..., list(order)], rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("system", CONFIGS)
def test_a_new_class_gets_weights_of_its_own_and_the_others_keep_theirs(system: str) -> None:
    new = ("pour", "fold", "background", "stir")  # cut is gone, fold is new
    before, after = network(system, 4, 1), network(system, 4, 2)
    fresh = {name: value.clone() for name, value in after.state_dict().items()}
    weights = carried_over(before, LabelMap(OLD), after, LabelMap(new), SYSTEMS[system])
    rows = {"ms-tcn++": "refinements.1.classify.weight", "bcn": "fusion.classify.bias", "rtk": "head.out.bias"}
    name = rows.get(system, "backbone.decoders.1.classify.weight")
    there = before.state_dict()[name]
    for place, label in enumerate(new):
        expected = fresh[name][place] if label == "fold" else there[OLD.index(label)]
        assert torch.equal(weights[name][place], expected)
    if system == "rtk":
        assert weights[name][4] == there[4]  # the boundary
        kept, old = weights["refiner.embed.0.weight"], before.state_dict()["refiner.embed.0.weight"]
        assert torch.equal(kept[:, :8], old[:, :8])
        assert torch.equal(kept[:, 8:9], old[:, 10:11])  # pour, among the actions
        assert torch.equal(kept[:, 12], old[:, 12])  # the boundary
        assert torch.equal(kept[:, 13], old[:, 15])  # pour, among the frames
        assert torch.equal(kept[:, 17:], old[:, 17:])
        assert torch.equal(kept[:, 9], fresh["refiner.embed.0.weight"][:, 9])
    apart = [key for key, value in weights.items() if not torch.equal(value, before.state_dict()[key])]
    assert 0 < len(apart) < len(weights) / 2


def test_more_classes_than_before_and_fewer(steps: np.ndarray) -> None:
    for new in ((*OLD, "fold", "wipe"), ("stir", "background")):
        _, predictor = started("rtk", new)
        assert predictor.run(steps).frames.shape == (len(new), 40)


def test_a_network_that_does_not_say_where_its_classes_are_is_named() -> None:
    class Silent(Network):
        def __init__(self, config: Any, input_dim: int, classes: int) -> None:
            super().__init__(config, input_dim, classes)
            self.twice = torch.nn.Linear(3, 2 * classes)

    system: Any = SimpleNamespace(network=Silent, name="silent")
    old, new = Silent(None, 3, 2), Silent(None, 3, 2)
    kept = carried_over(old, LabelMap(("a", "b")), new, LabelMap(("a", "b")), system)
    assert torch.equal(kept["twice.weight"], old.twice.weight)
    with pytest.raises(TrainingError, match=r"twice.weight: axis 0 has 2 place\(s\) for a class, and class_offsets"):
        carried_over(old, LabelMap(("a", "b")), new, LabelMap(("b", "a")), system)


class Before(Callback):
    """What the network says of a video before the first step."""

    def __init__(self, features: Any) -> None:
        self.features = features

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        self.output = pl_module.predictor.run(self.features, refine=False)


def test_a_training_starts_from_the_bundle_and_leaves_it(
    workshop: Any, finished: Any, outcome: Any, tmp_path: Path
) -> None:
    features = np.load(workshop.data / "features" / "v6.npy").T
    before = Before(features)
    run = workshop.start(tmp_path / "run", **FINAL, start=finished.folder)
    workshop.finish(run, before)
    expected = load(finished.folder).run(features, refine=False)
    np.testing.assert_array_equal(before.output.frames, expected.frames)
    np.testing.assert_array_equal(before.output.action, expected.action)
    assert not np.array_equal(load(run.folder).run(features).frames, expected.frames)
    config = read_config(run.folder)
    assert config.provenance["start"] == f"weights with SHA-256 {run.start.sha256}"
    assert json.loads((run.folder / "run.json").read_text())["start"]["bundle"] == str(find_bundle(finished.folder))


@pytest.fixture
def renamed(workshop: Any, tmp_path: Path) -> Path:
    """Other videos, with the classes in another order and one more."""
    root = workshop.write(tmp_path / "other")
    for folder in ("groundTruth", "features"):
        for path in (root / folder).iterdir():
            path.rename(path.with_name(f"new_{path.name}"))
    for path in (root / "splits").iterdir():
        path.write_text("".join(f"new_{name}\n" for name in path.read_text().split()))
    (root / "mapping.txt").write_text("0 pour\n1 fold\n2 background\n3 cut\n")
    return root


def test_old_and_new_labels_on_the_command_line(workshop: Any, finished: Any, renamed: Path, capsys: Any) -> None:
    """Sizes come from the bundle; a split is scored, since its test videos are new to it."""
    run = renamed.parent / "run"
    words = ["train", str(renamed), "--start", str(finished.folder), "--out", str(run), "--final"]
    changes = ("optimiser.epochs=1", "matching.fit=false", "augmentation.mixed_segments=0")
    assert keyseg([*words, *(word for change in changes for word in ("--set", change))]) == 0
    assert "which knows 3 of 4 classes; new: fold" in capsys.readouterr().err
    config, old = read_config(run), read_config(finished.folder)
    assert config.network == old.network
    assert config.classes == ("pour", "fold", "background", "cut")
    names = (*workshop.train, *(f"new_v{i}" for i in range(8)))  # what the start saw is seen
    assert set(config.seen) == set(map(name_digest, names))


def test_scores_of_videos_that_the_bundle_was_trained_on_are_refused(
    workshop: Any, finished: Any, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=r"trained on test videos of split 2, .*: v0, v1 \(2 in all\).*--split none"):
        workshop.start(tmp_path / "run", splits=(2,), start=finished.folder)
    workshop.start(tmp_path / "same", splits=(1,), start=finished.folder)
    unknown = tmp_path / "unknown"
    save_bundle(load(finished.folder), unknown, {})
    with pytest.raises(DataError, match="unknown does not say which videos it was trained on, so that scores"):
        workshop.start(tmp_path / "run", splits=(1,), start=unknown)
    workshop.start(tmp_path / "final", **FINAL, start=unknown)
    grouped = workshop.write(tmp_path / "grouped")
    (grouped / "dataset.yaml").write_text("groups: {v5: cook, v6: cook}\n")
    with pytest.raises(DataError, match=r"or on others of their groups: v6 \(1 in all\)"):
        workshop.start(tmp_path / "run", data=grouped, splits=(1,), start=finished.folder)


def test_another_video_of_a_person_that_the_bundle_has_seen_is_refused(workshop: Any, tmp_path: Path) -> None:
    """Names and people are compared by their digests, in any spelling of a letter."""
    seen = workshop.write(tmp_path / "seen")
    (seen / "dataset.yaml").write_text("groups: {v0: Zoe\u0308}\n", encoding="utf-8")
    start = workshop.start(tmp_path / "start", "optimiser.epochs=1", data=seen, **FINAL)
    workshop.finish(start)
    data = workshop.write(tmp_path / "new")
    for folder in ("groundTruth", "features"):
        for path in (data / folder).iterdir():
            path.rename(path.with_name(f"new_{path.name}"))
    for path in (data / "splits").iterdir():
        path.write_text("".join(f"new_{name}\n" for name in path.read_text().split()))
    workshop.start(tmp_path / "run", data=data, splits=(1,), start=start.folder)
    (data / "dataset.yaml").write_text("groups: {new_v7: Zo\u00eb}\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"others of their groups: new_v7 \(1 in all\)"):
        workshop.start(tmp_path / "other", data=data, splits=(1,), start=start.folder)


@pytest.mark.parametrize("known", [False, True])
def test_inner_folds_start_from_it_only_if_their_videos_are_new_to_it(
    known: bool, workshop: Any, finished: Any, renamed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    starts: dict[str, list[Any]] = {"inner": [], "whole": []}
    for module, kind in ((choice, "inner"), (complete, "whole")):
        original = module.train_network  # type: ignore[attr-defined]

        def spied(fit: Any, *rest: Any, kind: str = kind, original: Any = original, **options: Any) -> Any:
            starts[kind].append(fit.start)
            return original(fit, *rest, **options)

        monkeypatch.setattr(module, "train_network", spied)
    changes = ("optimiser.epochs=1", "augmentation.mixed_segments=fit", "matching.folds=2")
    data = workshop.data if known else renamed
    run = workshop.start(renamed.parent / "run", *changes, data=data, **FINAL, start=finished.folder)
    workshop.finish(run)
    assert starts == {"inner": [None if known else run.start] * 2, "whole": [run.start]}


def test_what_does_not_fit_is_named_with_what_to_do(workshop: Any, finished: Any, tmp_path: Path) -> None:
    def start(*changes: str, bundle: Path = finished.folder, **options: Any) -> None:
        workshop.start(tmp_path / "run", *changes, start=bundle, **FINAL, **options)

    with pytest.raises(ConfigError, match=r"another network: network.backbone.channels is 10 and was 8; leave these"):
        start("network.backbone.channels=10")
    with pytest.raises(DataError, match=r"a step is 2 frame\(s\) at 15 .* train with --set data.fps=15 --set data.s"):
        start("data.sample_rate=2", data=workshop.write(tmp_path / "slow", sample_rate=2))
    wide = workshop.write(tmp_path / "wide")
    for path in (wide / "features").iterdir():
        np.save(path, np.zeros((9, np.load(path).shape[1]), np.float32))
    with pytest.raises(DataError, match=r"features of 9 dimensions, and .* reads 7; extract them as"):
        start(data=wide)
    with pytest.raises(BundleError, match="no bundle here"):
        start(bundle=tmp_path / "nothing")
    words = ["--split", "none", "--final", "--out", str(tmp_path / "run"), "--start", str(finished.folder)]
    assert keyseg(["train", str(workshop.data), "--model", "asformer", *words]) == 2
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("model: rtk\nnetwork: {backbone: {decoder_layers: 3}}\n")
    assert keyseg(["train", str(workshop.data), "--recipe", str(recipe), *words]) == 2
    for text in ("- rtk\n", "network:\n"):
        recipe.write_text(text)
        assert keyseg(["train", str(workshop.data), "--model", "rtk", "--recipe", str(recipe), *words]) == 2
    assert not (tmp_path / "run").exists()


def test_errors_of_the_command_line(workshop: Any, finished: Any, tmp_path: Path, capsys: Any) -> None:
    words = ["train", str(workshop.data), "--split", "none", "--final", "--out", str(tmp_path / "run")]
    words += ["--start", str(finished.folder)]
    keyseg([*words, "--model", "asformer"])
    assert "is a bundle of rtk, and the recipe is of asformer; train with --model rtk" in capsys.readouterr().err
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("model: rtk\nnetwork: {backbone: {decoder_layers: 3}}\n")
    keyseg([*words, "--recipe", str(recipe)])
    error = capsys.readouterr().err
    assert "network.backbone.decoder_layers is 3 and was 2" in error
    assert "channels" not in error  # which the file leaves open


def test_a_run_keeps_its_start(workshop: Any, finished: Any, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    shutil.copytree(find_bundle(finished.folder), bundle)
    folder, other = tmp_path / "run", save_bundle(load(bundle), tmp_path / "other", {})
    run = workshop.start(folder, **FINAL, start=bundle)
    with pytest.raises(TrainingError, match=r"starts from .*bundle, not from new weights; repeat its --start"):
        workshop.start(folder, **FINAL, resume=True)
    workshop.start(folder, **FINAL, start=other, resume=True)  # elsewhere, the same weights
    changed = load(bundle)
    with torch.no_grad():
        next(changed.model.parameters()).add_(1)
    save_bundle(changed, bundle, {}, force=True)
    with pytest.raises(TrainingError, match=r"starts from .*, not from .*bundle; repeat its --start"):
        workshop.start(folder, **FINAL, start=bundle, resume=True)
    with pytest.raises(TrainingError, match="bundle has changed since the run was made"):
        workshop.finish(run)
    scratch = workshop.start(tmp_path / "scratch", **FINAL)
    with pytest.raises(TrainingError, match="starts from new weights, not from"):
        workshop.start(scratch.folder, **FINAL, start=other, resume=True)


def test_a_run_is_not_deleted_with_the_bundle_to_start_from(finished: Any, workshop: Any, tmp_path: Path) -> None:
    shutil.copytree(finished.folder, tmp_path / "run")
    with pytest.raises(ConfigError, match="holds the bundle to start from"):
        workshop.start(tmp_path / "run", **FINAL, start=tmp_path / "run", force=True)
    assert find_bundle(tmp_path / "run")
