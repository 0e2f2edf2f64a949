"""Recipes: all shipped ones can be read, and errors name the key, the place and the remedy."""

from __future__ import annotations

from fractions import Fraction
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from keyseg.data.known_datasets import GTEA
from keyseg.data.read_options import ReadOptions
from keyseg.timeline import ConfigError
from keyseg.training import recipe as recipes
from keyseg.training.recipe import load_recipe, recipe_for, shipped_recipe
from keyseg.training.settings import Recipe, RTKRecipe
from keyseg.training.systems import TRAINABLE

SHIPPED = sorted(file.name for file in (resources.files("keyseg") / "recipes").iterdir() if file.name != "__pycache__")


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_recipe_can_be_read_and_says_what_it_is_for(name: str) -> None:
    assert name.removesuffix(".yaml").endswith(tuple(f"-{system}" for system in TRAINABLE))
    text = (resources.files("keyseg") / "recipes" / name).read_text(encoding="utf-8")
    assert text.startswith("# ")
    recipe = shipped_recipe(name)
    assert isinstance(recipe, Recipe)
    assert name.removesuffix(".yaml").endswith(f"-{recipe.model}")


def test_the_default_recipe_is_the_defaults() -> None:
    assert load_recipe(None) == RTKRecipe()


def test_a_recipe_survives_the_way_through_yaml(tmp_path: Path) -> None:
    recipe = load_recipe(None, ("data.fps=30000/1001", "data.background=[a,b]", "optimiser.epochs=7"))
    (tmp_path / "r.yaml").write_text(yaml.safe_dump(recipe.model_dump(mode="json")))
    assert load_recipe(tmp_path / "r.yaml") == recipe


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("optimizer: {}", ["unknown key 'optimizer'", "did you mean 'optimiser'?", "known here: model, data, network"]),
        ("optimiser: {epoch: 3}", ["unknown key 'optimiser.epoch'", "did you mean 'epochs'?", "learning_rate"]),
        (
            "network: {backbone: {chanels: 8}}",
            ["unknown key 'network.backbone.chanels'", "did you mean 'channels'?", "encoder_layers, decoders"],
        ),
        ("qqq: 1", ["unknown key 'qqq'; known here: model"]),
        ("optimiser: {epochs: 0}", ["'optimiser.epochs'", "greater than or equal to 1", "got 0"]),
        ("optimiser: {epochs: many}", ["'optimiser.epochs'", "integer", "got 'many'"]),
        ("network: {backbone: {channels: 7}}", ["'network.backbone.channels'", "multiple of 2", "got 7"]),
        (
            "rules: {peak_weight: 0, frame_weight: 0, context_weight: 1}",
            ["'rules'", "peak_weight or frame_weight has to be"],
        ),
        ("model: asfomer", ["'model'", "no system 'asfomer'", "did you mean 'asformer'?", "known: ms-tcn++, bcn"]),
        ("model: bcn\nnetwork: {layer: 3}", ["unknown key 'network.layer'", "did you mean 'layers'?"]),
        ("model: ms-tcn++\nproposals: {}", ["unknown key 'proposals'", "known here: model, data, network"]),
        ("matching: {method: cubic}", ["'matching.method'", "'linear' or 'quadratic'", "got 'cubic'"]),
        ("data: {fps: fast}", ["'data.fps'", "a fraction such as 30000/1001, above 0", "got 'fast'"]),
        ("data: {fps: 1/0}", ["'data.fps'", "a fraction such as 30000/1001, above 0", "got '1/0'"]),
        ("data: {fps: -15}", ["'data.fps'", "above 0 and at most 100000; got '-15'", "got '-15'"]),
        ("data: 3", ["'data'", "got 3"]),
        ("- a\n- b", ["a recipe is a mapping of sections, got list"]),
        ("a: [", [":1: not YAML (expected the node content"]),
        ("!!python/object/apply:os.mkdir [made]", [":1: tags are not read"]),
        ("optimiser: {epochs: yes}", ["'optimiser.epochs'", "got 'yes'"]),
    ],
)
def test_what_is_wrong_is_said_with_file_and_key(text: str, words: list[str], tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_recipe(file)
    message = str(caught.value)
    assert message.startswith(f"{file}:")
    for word in words:
        assert word in message
    assert caught.value.exit_code == 2
    assert not Path("made").exists()


def test_every_problem_is_reported_at_once(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("optimiser: {epochs: 0, pace: 3}\nlosses: {keep: -1}\n")
    with pytest.raises(ConfigError) as caught:
        load_recipe(file)
    for key in ("'optimiser.epochs'", "'optimiser.pace'", "'losses.keep'"):
        assert key in str(caught.value)


def test_unreadable_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.yaml: cannot read it \(no such file\); it should hold a recipe"):
        load_recipe(tmp_path / "none.yaml")
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(ConfigError, match=r"bytes\.yaml:1: cannot read it"):
        load_recipe(tmp_path / "bytes.yaml")
    (tmp_path / "empty.yaml").touch()
    assert load_recipe(tmp_path / "empty.yaml") == RTKRecipe()


@pytest.mark.parametrize(
    ("change", "section", "key", "value"),
    [
        ("optimiser.epochs=12", "optimiser", "epochs", 12),
        (" optimiser.epochs = 12", "optimiser", "epochs", 12),
        ("optimiser.learning_rate=1e-4", "optimiser", "learning_rate", 1e-4),
        ("optimiser.learning_rate=0.002", "optimiser", "learning_rate", 0.002),
        ("matching.stop_gradient=false", "matching", "stop_gradient", False),
        ("matching.method=quadratic", "matching", "method", "quadratic"),
        ("data.background=[SIL, walk]", "data", "background", ("SIL", "walk")),
        ("data.background=[]", "data", "background", ()),
        ("data.fps=30000/1001", "data", "fps", Fraction(30000, 1001)),
        ("data.fps=29.97", "data", "fps", Fraction("29.97")),
        ("data.sample_rate=null", "data", "sample_rate", None),
        ("data.features=a=b", "data", "features", "a=b"),
    ],
)
def test_changes_are_typed_as_in_yaml(change: str, section: str, key: str, value: object) -> None:
    found = getattr(getattr(load_recipe(None, (change,)), section), key)
    assert found == value
    assert type(found) is type(value)


def test_changes_reach_any_depth_and_the_last_counts(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text("network: {backbone: {channels: 16, decoders: 2}}\n")
    recipe = load_recipe(tmp_path / "r.yaml", ("network.backbone.channels=8", "network.backbone.channels=10"))
    assert recipe.network.backbone.channels == 10
    assert recipe.network.backbone.decoders == 2


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("optimiser.epochs", "--set optimiser.epochs: a change is written section.key=value"),
        ("=3", "--set =3: a change is written section.key=value"),
        ("optimiser.epochs=[1", r"--set optimiser.epochs=\[1: '\[1' is not a YAML value"),
        ("optimiser.epochs=", "'optimiser.epochs': Input should be a valid integer, got None"),
        ("optimiser.epoch=3", r"unknown key 'optimiser.epoch' \(did you mean 'epochs'\?\)"),
        ("model.depth=3", "--set model.depth=3: 'model' is a value, not a section"),
    ],
)
def test_malformed_changes_are_refused(change: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text("model: rtk\n")
    with pytest.raises(ConfigError, match=words):
        load_recipe(tmp_path / "r.yaml", (change,))


@given(st.integers(1, 300), st.integers(0, 400), st.floats(0.01, 1))
def test_at_pace_scales_epochs_and_joining_alike(epochs: int, join: int, pace: float) -> None:
    recipe = load_recipe(None, (f"optimiser.epochs={epochs}", f"matching.join_epoch={join}"))
    scaled = recipe.at_pace(pace)
    assert abs(scaled.optimiser.epochs - epochs * pace) <= 0.5 or scaled.optimiser.epochs == 1
    assert abs(scaled.matching.join_epoch - join * pace) <= 1
    assert (scaled.matching.join_epoch < scaled.optimiser.epochs) == (join < epochs)
    back = scaled.model_copy(update={"optimiser": recipe.optimiser, "matching": recipe.matching})
    assert back == recipe  # nothing else changes
    assert recipe.at_pace(1) == recipe


@pytest.mark.parametrize(
    ("changes", "seen", "videos", "epochs"),
    [
        (("optimiser.epochs=18", "optimiser.batch_size=2"), 12, 18, 27),  # 162 steps, as the training
        (("optimiser.epochs=18", "optimiser.batch_size=2", "optimiser.accumulate=3"), 12, 18, 27),
        (("optimiser.epochs=18", "optimiser.batch_size=16"), 12, 18, 36),  # 36 steps, as the training
        (("optimiser.epochs=20", "optimiser.batch_size=2"), 3, 4, 20),  # 40 steps, which are as many already
        (("optimiser.epochs=120",), 14, 21, 120),
        (("optimiser.epochs=25",), 16, 24, 31),  # 496 of 600 steps
        (("optimiser.epochs=1",), 5, 6, 1),
        (("optimiser.epochs=60", "matching.pace=0.5"), 4, 6, 45),
    ],
)
def test_an_inner_fold_takes_500_steps_or_as_many_as_the_training(
    changes: tuple[str, ...], seen: int, videos: int, epochs: int
) -> None:
    inner = load_recipe(None, changes).for_inner_fold(seen, videos)
    assert inner.optimiser.epochs == epochs
    assert inner.logging.loggers == ("csv",)


def data_set(root: Path, classes: tuple[str, ...]) -> Path:
    root.mkdir()
    (root / "mapping.txt").write_text("".join(f"{i} {name}\n" for i, name in enumerate(classes)))
    return root


def test_the_recipe_follows_the_classes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shipped = tmp_path / "recipes"
    shipped.mkdir()
    (shipped / "gtea-rtk.yaml").write_text("optimiser: {epochs: 77, batch_size: 3}\n")
    monkeypatch.setattr(recipes, "_SHIPPED", shipped)
    gtea, other = data_set(tmp_path / "g", GTEA.classes), data_set(tmp_path / "o", ("a", "b"))
    recipe, source = recipe_for(gtea)
    assert (recipe.optimiser.epochs, source) == (77, "gtea-rtk.yaml (shipped)")
    recipe, source = recipe_for(other)
    assert (recipe.changed(data=ReadOptions()), source) == (RTKRecipe(), "defaults of rtk")
    (tmp_path / "mine.yaml").write_text("optimiser: {epochs: 5}\n")
    recipe, source = recipe_for(gtea, path=tmp_path / "mine.yaml", changes=("optimiser.batch_size=2",))
    assert (recipe.optimiser.epochs, recipe.optimiser.batch_size) == (5, 2)
    assert source == str(tmp_path / "mine.yaml")
    recipe, _ = recipe_for(gtea, changes=("optimiser.batch_size=2",))
    assert (recipe.optimiser.epochs, recipe.optimiser.batch_size) == (77, 2)


def test_background_and_epochs_of_the_command_line(tmp_path: Path) -> None:
    other = data_set(tmp_path / "o", ("a", "b"))
    assert recipe_for(other)[0].data.background == ()
    assert recipe_for(other, background=[])[0].data.background == ()
    assert recipe_for(other, background=["a", "b"])[0].data.background == ("a", "b")
    for changes, join in (((), None), (("matching.join_epoch=80",), 20)):
        recipe, _ = recipe_for(other, changes=changes, epochs=30)
        assert (recipe.optimiser.epochs, recipe.matching.join_epoch) == (30, join)
    for epochs in (0, -3):
        with pytest.raises(ConfigError, match=f"--epochs takes a number >= 1, got {epochs}"):
            recipe_for(other, epochs=epochs)


def test_no_section_takes_unknown_keys_or_can_be_changed() -> None:
    def sections(model: type[BaseModel]) -> list[type[BaseModel]]:
        inside = [f.annotation for f in model.model_fields.values() if isinstance(f.annotation, type)]
        return [model, *(s for part in inside if issubclass(part, BaseModel) for s in sections(part))]

    found = [section for system in TRAINABLE.values() for section in sections(system.recipe)]
    assert len(set(found)) >= 20
    for section in found:
        assert section.model_config["extra"] == "forbid", section
        assert section.model_config["frozen"], section


@pytest.mark.parametrize(
    ("system", "section", "kept"),
    [
        ("asformer", "optimiser", {"weight_decay": 1e-5}),
        ("bcn", "optimiser", {"learning_rate": 1e-3}),
        ("bcn", "network.smoothing", {"alpha": 2.0}),
    ],
)
def test_one_value_of_a_section_leaves_the_others(system: str, section: str, kept: dict[str, float]) -> None:
    change = f"{section}.{'width=7' if 'smoothing' in section else 'epochs=7'}"
    part: Any = load_recipe(None, (f"model={system}", change))
    for name in section.split("."):
        part = getattr(part, name)
    assert {name: getattr(part, name) for name in kept} == kept
    assert 7 in part.model_dump().values()
