"""What each system learns from and how fast: rates by epoch, trainings that learn, freezing, kills, recipes."""

from __future__ import annotations

import json
import math
import os
import signal
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from lightning.pytorch.callbacks import Callback

from keyseg.criteria.bcn import cascade_losses
from keyseg.criteria.frame import frame_loss
from keyseg.data.batches import collate
from keyseg.data.dataset import Dataset
from keyseg.inference.bundle import load
from keyseg.inference.systems import SYSTEMS
from keyseg.models.bcn import class_confidence, stage_weights
from keyseg.timeline import ConfigError, LabelMap, TrainingError
from keyseg.training.checkpoints import AtomicCheckpointIO
from keyseg.training.module import SegmentationModule
from keyseg.training.objective import Objective, cosine
from keyseg.training.recipe import Recipe, load_recipe, recipe_for
from keyseg.training.results import read_history
from keyseg.training.run import Run, start_run
from keyseg.training.settings import BCNRecipe
from keyseg.training.systems import TRAINABLE

SPLIT1 = Path("split1") / "seed0"
LABELS = LabelMap(("background", "cut", "pour"), ("background",))
ASFORMER = (
    "network.channels=8",
    "network.encoder_layers=2",
    "network.decoder_layers=2",
    "network.decoders=1",
    "network.layer_dropout=0.1",
    "network.input_dropout=0.1",
)
SMALL: dict[str, tuple[str, ...]] = {
    "ms-tcn++": (
        "network.channels=8",
        "network.generator_layers=3",
        "network.refinements=1",
        "network.refinement_layers=2",
        "network.dropout=0.1",
    ),
    "asformer": ASFORMER,
    "asformer-extra": ASFORMER,
    "bcn": (
        "network.channels=8",
        "network.cascade_stages=2",
        "network.layers=2",
        "network.fusion_channels=8",
        "network.dropout=0.1",
        "network.barrier={channels: 8, dilations: [1, 2], dropout: 0.1}",
        "network.output_pooling={width: 3, alpha: 1.0}",
        "network.smoothing={width: 5, alpha: 2.0}",
        "optimiser.learning_rate=0.03",
        "barrier.epochs=4",
        "barrier.learning_rate=0.05",
        "barrier.frozen_epochs=2",
        "barrier.share=0.5",
    ),
}
PEERS = tuple(SMALL)
LEARNT = {system: "loss/fusion" if system == "bcn" else "loss/frame" for system in PEERS}


def small(system: str, *changes: str) -> Recipe:
    """A recipe of a tiny network: four epochs, and BCN's barrier generator four of its own."""
    common = (f"model={system}", "optimiser.epochs=4", "optimiser.learning_rate=0.01")
    return load_recipe(None, (*common, *SMALL[system], *changes))


def start(workshop: Any, folder: Path, system: str, *changes: str, **options: Any) -> Run:
    data = options.pop("data", workshop.data)
    return start_run(folder, data, small(system, *changes), (1,), (0,), "keyseg train", **options)


# Rates.


def objective_of(recipe: Recipe, labels: LabelMap) -> Objective:
    return TRAINABLE[recipe.model].objective(recipe, labels)


def rates(recipe: Recipe, epochs: int | None = None) -> list[list[float]]:
    """Learning rates by group and epoch."""
    objective = objective_of(recipe, LABELS)
    by_epoch = [objective.rates(epoch) for epoch in range(epochs or recipe.epochs)]
    return [list(column) for column in zip(*([group["lr"] for group in row] for row in by_epoch), strict=True)]


@given(st.integers(0, 50), st.integers(0, 50), st.integers(1, 50))
def test_a_cosine_falls_from_one_to_zero(epoch: int, start: int, length: int) -> None:
    factor = cosine(epoch, start, start + length)
    assert 0 <= factor <= 1
    if epoch <= start:
        assert factor == 1
    elif epoch >= start + length:
        assert factor == 0
    else:
        assert factor == pytest.approx(math.cos(math.pi * (epoch - start) / length) / 2 + 1 / 2)
        assert cosine(epoch, start, start + length) < cosine(epoch - 1, start, start + length)


@pytest.mark.parametrize("schedule", ["cosine", "constant"])
@pytest.mark.parametrize("system", ["ms-tcn++", "asformer", "asformer-extra"])
def test_one_rate_falls_by_a_cosine_or_stays(system: str, schedule: str) -> None:
    recipe = small(system, f"optimiser.schedule={schedule}", "optimiser.epochs=100")
    (found,) = rates(recipe)
    assert found[0] == 0.01
    if schedule == "constant":
        assert set(found) == {0.01}
    else:
        assert found == sorted(found, reverse=True)
        assert found[50] == pytest.approx(0.005)
        assert 0 < found[-1] < 0.01 / 1000


def test_the_refinement_s_rate_falls_from_where_it_joins() -> None:
    generator, context = rates(load_recipe(None, ("optimiser.epochs=100", "matching.join_epoch=60")))
    assert generator[0] == 5e-4
    assert 0 < generator[-1] < 1e-6
    assert context[:61] == 61 * [1e-3]
    assert context[80] == pytest.approx(5e-4)
    assert context[60:] == sorted(context[60:], reverse=True)


def test_matching_looks_as_far_as_the_refinement() -> None:
    recipe = load_recipe(None, ["model=rtk", "matching.method=quadratic", "network.refinement.neighbours=2"])
    assert TRAINABLE["rtk"].objective(recipe, LABELS).criterion.matcher.neighbours == 2


@pytest.mark.parametrize("schedule", ["cosine", "constant"])
def test_bcn_trains_the_barrier_first_then_the_rest_then_both(schedule: str) -> None:
    """100 epochs of the barrier generator, then 60 of the rest, in whose first 18 the barrier generator is frozen."""
    changes = ("barrier.epochs=100", "optimiser.epochs=60", "barrier.frozen_epochs=18", "barrier.joint_rate=0.25")
    recipe = small("bcn", f"optimiser.schedule={schedule}", *changes)
    assert recipe.epochs == 160
    rest, barrier = rates(recipe)
    assert rest[:100] == 100 * [0.0]
    assert barrier[100:118] == 18 * [0.0]
    assert rest[100] == 0.03
    assert barrier[0] == 0.05
    assert barrier[118:] == pytest.approx([0.25 * rate for rate in rest[118:]])
    if schedule == "constant":
        assert set(rest[100:]) == {0.03}
        assert set(barrier[:100]) == {0.05}
    else:
        for own, highest in ((rest[100:], 0.03), (barrier[:100], 0.05)):
            assert own == sorted(own, reverse=True)
            assert own[len(own) // 2] == pytest.approx(highest / 2)
            assert 0 < own[-1] < highest / 1000


def test_the_barrier_s_weight_decay_is_for_its_own_epochs() -> None:
    objective = objective_of(small("bcn", "barrier.weight_decay=0.125"), LABELS)
    assert [objective.rates(epoch)[1]["weight_decay"] for epoch in range(8)] == 4 * [0.125] + 4 * [0.0]
    assert all("weight_decay" not in objective.rates(epoch)[0] for epoch in range(8))


@pytest.mark.parametrize("changes", [("barrier.epochs=0",), ("barrier.frozen_epochs=99",), ("barrier.joint_rate=0",)])
def test_bcn_without_one_of_its_phases(changes: tuple[str, ...]) -> None:
    recipe = small("bcn", "barrier.epochs=2", "optimiser.schedule=constant", *changes)
    rest, barrier = rates(recipe)
    if recipe.epochs == 4:
        assert (rest, barrier) == (4 * [0.03], pytest.approx([0.0, 0.0, 0.003, 0.003]))
    else:
        assert (rest, barrier) == ([0.0, 0.0] + 4 * [0.03], [0.05, 0.05] + 4 * [0.0])


@pytest.mark.parametrize("system", TRAINABLE)
def test_every_parameter_is_in_one_group_that_has_a_rate(system: str) -> None:
    recipe = small(system) if system in SMALL else load_recipe(None, ())
    objective = objective_of(recipe, LABELS)
    network = SYSTEMS[recipe.model].network(recipe.network, 7, 3)
    groups = objective.groups(network)
    expected = {id(p) for p in (*network.parameters(), *objective.parameters())}
    found = [id(p) for group in groups for p in group]
    assert len(found) == len(set(found))
    assert set(found) == expected
    for epoch in range(recipe.epochs):
        assert len(objective.rates(epoch)) == len(groups)


# Losses.


@pytest.fixture(scope="module")
def videos(workshop: Any) -> list[Any]:
    dataset = Dataset.open(workshop.data)
    return [dataset.load(name, 1) for name in workshop.train[:3]]


@pytest.mark.parametrize("epoch", [0, 5])
@pytest.mark.parametrize("system", PEERS)
def test_losses_of_a_padded_batch_are_the_mean_of_its_videos(system: str, epoch: int, videos: list[Any]) -> None:
    recipe = small(system)
    objective = objective_of(recipe, LABELS)
    torch.manual_seed(0)
    network = SYSTEMS[recipe.model].network(recipe.network, 7, 3).eval()
    found = objective.losses(network, collate(videos), epoch)
    singles = [objective.losses(network, collate([video]), epoch) for video in videos]
    names = ["frame"] if system != "bcn" else ["barrier"] if epoch == 0 else ["cascade", "fusion"]
    assert list(found) == names
    for name, loss in found.items():
        torch.testing.assert_close(loss, torch.stack([single[name] for single in singles]).mean())
    sum(found.values()).backward()
    for group, options in zip(objective.groups(network), objective.rates(epoch), strict=True):
        if options["lr"]:
            assert all(p.grad is not None and p.grad.isfinite().all() for p in group)


def test_bcn_weighs_its_stages_by_the_true_class_in_training(videos: list[Any]) -> None:
    recipe = small("bcn", "losses.smoothing=0.7", "network.sure=0.4")
    assert isinstance(recipe, BCNRecipe)
    torch.manual_seed(0)
    objective, network, batch = (
        objective_of(recipe, LABELS),
        SYSTEMS[recipe.model].network(recipe.network, 7, 3).eval(),
        collate(videos),
    )
    found = objective.losses(network, batch, 4)
    cascade = network.cascade(batch.features, batch.mask)
    true, highest = class_confidence(cascade.logits, batch.labels, batch.mask), cascade.confidence()
    weights, other = (stage_weights(confidence, batch.mask, 0.4) for confidence in (true, highest))
    assert (weights - other).abs().max() > 0.1
    expected = cascade_losses(cascade, network.fuse(cascade, weights), weights, batch.labels, recipe.losses)
    for name, loss in expected.items():
        torch.testing.assert_close(found[name], loss)


@pytest.mark.parametrize("system", ["ms-tcn++", "asformer", "asformer-extra"])
def test_the_frame_loss_has_the_recipe_s_weights(system: str, videos: list[Any]) -> None:
    recipe: Any = small(system, "losses.smoothing=0.5", "losses.limit=0.01")
    torch.manual_seed(0)
    network, batch = SYSTEMS[recipe.model].network(recipe.network, 7, 3).eval(), collate(videos)
    found = objective_of(recipe, LABELS).losses(network, batch, 0)
    stages = network(batch.features, batch.mask).stages
    torch.testing.assert_close(found, {"frame": frame_loss(stages, batch.labels, batch.mask, 0.5, 0.01)})
    for other in ((0.15, 0.01), (0.5, 16.0)):
        assert abs(found["frame"] - frame_loss(stages, batch.labels, batch.mask, *other)) > 1e-4


# Trainings.


@pytest.fixture(scope="module")
def whole(workshop: Any, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Run]:
    """Trainings from start to end without an incident, one a system. Not to be changed."""
    finished: dict[str, Run] = {}

    def train(system: str) -> Run:
        if system not in finished:
            run = start(workshop, tmp_path_factory.mktemp("whole") / "run", system)
            workshop.finish(run)
            finished[system] = run
        return finished[system]

    return train


@pytest.mark.parametrize("system", PEERS)
def test_a_training_learns_and_leaves_a_bundle_and_scores(system: str, whole: Any) -> None:
    run = whole(system)
    history = read_history(run.folder / SPLIT1)
    assert sorted(history) == list(range(run.recipe.epochs))
    learnt = [row[LEARNT[system]] for row in history.values() if LEARNT[system] in row]
    assert len(learnt) == 4
    assert learnt[-1] < 0.8 * learnt[0]
    alone = run.recipe.barrier.epochs if isinstance(run.recipe, BCNRecipe) else 0  # nothing to validate in these
    validated = list(range(alone + 1, run.recipe.epochs, 2))
    assert [epoch for epoch, row in history.items() if f"{system}/acc" in row] == validated
    summary = json.loads((run.folder / "results.json").read_text())
    assert summary["chosen"] == {}  # nothing is chosen on inner folds
    assert "inner folds of the training videos" not in (run.folder / "results.md").read_text()
    assert list(summary["last_epoch"]) == [system]
    assert summary["last_epoch"][system]["acc"] > 50
    predictor = load(run.folder)
    assert predictor.variants == (system,)
    assert predictor.model.config == run.recipe.network
    assert not (run.folder / "split1" / "inner").exists()  # there is nothing to choose


def test_the_barrier_generator_learns_in_its_own_epochs_and_the_rest_after_them(whole: Any) -> None:
    history = read_history(whole("bcn").folder / SPLIT1)
    assert ["loss/barrier" in row for row in history.values()] == 4 * [True] + 4 * [False]
    assert ["loss/cascade" in row for row in history.values()] == 4 * [False] + 4 * [True]
    assert history[3]["loss/barrier"] < history[0]["loss/barrier"]
    assert history[7]["loss/cascade"] < 0.8 * history[4]["loss/cascade"]


class Keeps(Callback):
    """Weights before the training and after every epoch, BCN's barrier generator apart from the rest."""

    def __init__(self) -> None:
        self.barrier: list[dict[str, torch.Tensor]] = []
        self.rest: list[dict[str, torch.Tensor]] = []

    def _keep(self, network: Any) -> None:
        state = {name: value.clone() for name, value in network.state_dict().items()}
        self.barrier.append({name: value for name, value in state.items() if name.startswith("barrier.")})
        self.rest.append({name: value for name, value in state.items() if not name.startswith("barrier.")})

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        self._keep(pl_module.model)

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        self._keep(pl_module.model)


def changes_of(kept: list[dict[str, torch.Tensor]]) -> list[str]:
    """Of each epoch: whether all weights changed, none, or some."""
    found = []
    for before, after in pairwise(kept):
        changed = {bool((before[name] != after[name]).any()) for name in before}
        found.append("some" if len(changed) == 2 else "all" if changed == {True} else "none")
    return found


@pytest.mark.parametrize("options", [(), ("optimiser.weight_decay=0.01", "optimiser.clip_norm=1.0")])
def test_frozen_weights_do_not_change_at_all(options: tuple[str, ...], workshop: Any, tmp_path: Path) -> None:
    """Epochs 0 and 1 are the barrier generator's, in 2 and 3 it is frozen, in 4 and 5 both learn."""
    keeps = Keeps()
    changes = ("barrier.epochs=2", "optimiser.schedule=constant", *options)
    workshop.finish(start(workshop, tmp_path / "run", "bcn", *changes), keeps)
    assert changes_of(keeps.barrier) == ["all", "all", "none", "none", "all", "all"]
    assert changes_of(keeps.rest) == ["none", "none", "all", "all", "all", "all"]


@pytest.mark.parametrize("system", PEERS)
def test_padded_batches_train(system: str, workshop: Any, tmp_path: Path) -> None:
    changes = ("optimiser.batch_size=2", "optimiser.epochs=2", *(("barrier.epochs=2",) if system == "bcn" else ()))
    run = start(workshop, tmp_path / "run", system, *changes)
    workshop.finish(run)
    history = read_history(run.folder / SPLIT1)
    assert sorted(history) == list(range(run.recipe.epochs))
    assert all(math.isfinite(row["loss"]) for row in history.values())


def die_at(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, call: int, when: str) -> None:
    """Kill this process hard at a call of owner.name, before or after it."""
    original, calls = getattr(owner, name), 0

    def deadly(*arguments: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == call and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = original(*arguments, **options)
        if calls == call:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    monkeypatch.setattr(owner, name, deadly)


DEATHS = {
    ("asformer", "in the middle of an epoch"): (SegmentationModule, "training_step", 6 + 4, "before"),
    ("ms-tcn++", "after a checkpoint"): (AtomicCheckpointIO, "save_checkpoint", 2, "after"),
    ("bcn", "in the barrier's epochs"): (SegmentationModule, "training_step", 2 * 6 + 4, "before"),
    ("bcn", "while the barrier is frozen"): (SegmentationModule, "training_step", 5 * 6 + 2, "before"),
}


def outcome(folder: Path) -> dict[str, Any]:
    """Everything of one training that must not depend on how it came about."""
    parts = ("bundle/weights.safetensors", "bundle/config.json", "scores.json")
    found: dict[str, Any] = {part: (folder / part).read_bytes() for part in parts}
    found |= {file.name: file.read_text() for file in sorted((folder / "predictions").iterdir())}
    return found | {"history": read_history(folder)}


@pytest.mark.parametrize("death", DEATHS, ids=" ".join)
def test_killed_and_gone_on_with_is_as_never_killed(
    death: tuple[str, str], workshop: Any, whole: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    system, log = death[0], tmp_path / "log"
    run = start(workshop, tmp_path / "run", system)
    with monkeypatch.context() as patch:
        die_at(patch, *DEATHS[death])
        assert workshop.in_child(lambda: workshop.finish(run), log) == -signal.SIGKILL, log.read_text()
    assert (tmp_path / "run" / SPLIT1 / "last.ckpt").exists()
    workshop.finish(start(workshop, tmp_path / "run", system, resume=True))
    assert outcome(tmp_path / "run" / SPLIT1) == outcome(whole(system).folder / SPLIT1)


@pytest.mark.parametrize("system", PEERS)
def test_features_out_of_all_proportion_stop_the_training(system: str, workshop: Any, tmp_path: Path) -> None:
    data = workshop.write(tmp_path / "set")
    path = data / "features" / "v3.npy"
    np.save(path, np.load(path) * np.float32(1e38))
    run = start(workshop, tmp_path / "run", system, data=data)
    with pytest.raises(TrainingError, match=r"(loss is|weights are) not finite .*look at the features there") as caught:
        workshop.finish(run)
    assert "v3" in str(caught.value)
    assert not (tmp_path / "run" / SPLIT1 / "bundle").exists()


# Recipes.


@pytest.mark.parametrize("system", TRAINABLE)
def test_a_recipe_is_that_of_its_model(system: str, tmp_path: Path) -> None:
    recipe = load_recipe(None, (f"model={system}",))
    assert type(recipe) is TRAINABLE[system].recipe
    assert type(recipe.network) is SYSTEMS[system].config
    (tmp_path / "r.yaml").write_text(f"model: {system}\noptimiser: {{epochs: 7}}\n")
    assert load_recipe(tmp_path / "r.yaml").optimiser.epochs == 7


def test_published_rates_of_the_peers() -> None:
    found = {name: load_recipe(None, (f"model={name}",)).optimiser for name in PEERS}
    assert {
        name: (o.epochs, o.learning_rate, o.weight_decay, o.clip_norm, o.batch_size) for name, o in found.items()
    } == {
        "ms-tcn++": (100, 5e-4, 0.0, None, 1),
        "asformer": (120, 5e-4, 1e-5, None, 1),
        "asformer-extra": (120, 5e-4, 1e-5, None, 1),
        "bcn": (40, 1e-3, 0.0, None, 1),
    }
    recipe = load_recipe(None, ("model=bcn",))
    assert isinstance(recipe, BCNRecipe)
    assert (recipe.barrier.epochs, recipe.barrier.frozen_epochs, recipe.barrier.joint_rate) == (100, 15, 0.1)
    assert recipe.epochs == 140


@given(st.integers(1, 300), st.integers(0, 300), st.integers(0, 60), st.floats(0.01, 1))
def test_at_pace_scales_all_epochs_of_bcn(epochs: int, own: int, frozen: int, pace: float) -> None:
    changes = (f"optimiser.epochs={epochs}", f"barrier.epochs={own}", f"barrier.frozen_epochs={frozen}")
    recipe = load_recipe(None, ("model=bcn", *changes))
    scaled = recipe.at_pace(pace)
    assert isinstance(recipe, BCNRecipe)
    assert isinstance(scaled, BCNRecipe)
    assert abs(scaled.optimiser.epochs - epochs * pace) <= 0.5 or scaled.optimiser.epochs == 1
    assert abs(scaled.barrier.epochs - own * pace) <= 0.5
    assert abs(scaled.barrier.frozen_epochs - frozen * pace) <= 0.5
    back = scaled.model_copy(update={"optimiser": recipe.optimiser, "barrier": recipe.barrier})
    assert back == recipe  # nothing else changes
    assert recipe.at_pace(1) == recipe


@pytest.mark.parametrize("system", ["ms-tcn++", "asformer", "asformer-extra"])
def test_at_pace_scales_the_epochs_of_the_others(system: str) -> None:
    recipe = small(system, "optimiser.epochs=100")
    assert recipe.at_pace(0.25) == small(system, "optimiser.epochs=25")
    assert recipe.at_pace(0.001).epochs == 1


def test_the_command_line_s_epochs_are_those_of_the_rest(workshop: Any) -> None:
    recipe, source = recipe_for(workshop.data, "bcn", epochs=20)
    assert isinstance(recipe, BCNRecipe)
    assert (recipe.optimiser.epochs, recipe.barrier.epochs, recipe.barrier.frozen_epochs) == (20, 50, 8)
    assert source == "defaults of bcn"


def test_a_recipe_of_another_model_than_asked_for_is_refused(workshop: Any, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("model: bcn\n")
    assert recipe_for(workshop.data, "bcn", tmp_path / "mine.yaml")[0].model == "bcn"
    assert recipe_for(workshop.data, None, tmp_path / "mine.yaml")[0].model == "bcn"
    with pytest.raises(ConfigError, match=r"mine\.yaml: a recipe of bcn, and --model asks for asformer; leave one out"):
        recipe_for(workshop.data, "asformer", tmp_path / "mine.yaml")
    (tmp_path / "ours.yaml").write_text("optimiser: {epochs: 3}\n")
    with pytest.raises(ConfigError, match=r"ours\.yaml: a recipe of rtk, and --model asks for ms-tcn\+\+"):
        recipe_for(workshop.data, "ms-tcn++", tmp_path / "ours.yaml")
    with pytest.raises(ConfigError, match=r"^--set model=rtk: a recipe of rtk, and --model asks for bcn"):
        recipe_for(workshop.data, "bcn", changes=["model=rtk"])
    with pytest.raises(ConfigError, match=r"no system 'asfomer' \(did you mean 'asformer'\?\); known: ms-tcn\+\+"):
        recipe_for(workshop.data, "asfomer")


def test_background_has_no_barriers_of_its_own(videos: list[Any]) -> None:
    """That of the recipe's list and that of the data set. Classes that the data set lacks are no mistake: the list is
    for all data sets."""
    torch.manual_seed(0)
    network = SYSTEMS["bcn"].network(small("bcn").network, 7, 3).eval()

    def loss(named: str, labels: LabelMap) -> float:
        objective = objective_of(small("bcn", f"barrier.background={named}"), labels)
        return objective.losses(network, collate(videos), 0)["barrier"].item()

    none = LabelMap(LABELS.names)
    assert loss("[background]", none) == loss("[background, SIL]", none) == loss("[]", LABELS) != loss("[]", none)
