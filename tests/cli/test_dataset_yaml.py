"""dataset.yaml from the command line: who writes it, and that every verb that opens a data set reads it."""

from __future__ import annotations

import ast
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

import keyseg as package
from keyseg.inference.bundle import read_config
from keyseg.toy.kitchen_features import write_toy_kitchen
from keyseg.training.recipe import load_recipe
from keyseg.training.run import start_run

ODD = {"background": ["nothing"], "fps": 30, "sample_rate": 2, "lengths": "trim", "tolerance": 3}
ASFORMER = ("network.channels=8", "network.encoder_layers=2", "network.decoder_layers=2", "network.decoders=1")
MS_TCN = ("network.channels=8", "network.generator_layers=3", "network.refinements=1", "network.refinement_layers=2")


def odd_kitchen(folder: Path) -> Path:
    """A toy kitchen that cannot be read without its dataset.yaml."""
    data = write_toy_kitchen(folder, videos=6, test_videos=2)
    for file in (data / "mapping.txt", *(data / "groundTruth").iterdir()):
        file.write_text(file.read_text().replace("background", "nothing"))
    for file in (data / "features").iterdir():
        np.save(file, np.load(file)[:, :-3])
    (data / "dataset.yaml").write_text(yaml.safe_dump(ODD))
    return data


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return odd_kitchen(tmp_path_factory.mktemp("odd") / "kitchen")


def test_check_prints_what_is_in_force_and_saves_options(data: Path, tmp_path: Path, keyseg: Any) -> None:
    answer = keyseg("check", data, "--fps", 25)
    assert answer.code == 0
    for line in (
        "background   nothing   dataset.yaml",
        "fps          25        option",
        "sample_rate  2         dataset.yaml",
        "orientation  auto      default",
    ):
        assert f"\n  {line}\n" in answer.out
    assert answer.out.endswith("\nto make every verb read it in the same way, run this command again with --save\n")
    copy = shutil.copytree(data, tmp_path / "copy")
    (copy / "dataset.yaml").unlink()
    answer = keyseg("check", copy, "--fps", 30, "--save")
    assert (answer.code, "frames" in answer.out, (copy / "dataset.yaml").exists()) == (1, True, False)
    words = ("--background", "nothing", "--sample-rate", 2, "--lengths", "trim", "--tolerance", 3)
    answer = keyseg("check", copy, *words, "--fps", "30", "--save")
    assert answer.out.endswith(f"\nok\nsaved: {copy / 'dataset.yaml'}\n")
    assert yaml.safe_load((copy / "dataset.yaml").read_text()) == ODD
    assert keyseg("check", copy).out.endswith("\nok\n")


def tiny(folder: Path, data: Path, system: str, changes: tuple[str, ...]) -> None:
    """A run that is not trained yet, as if keyseg train was interrupted at the start."""
    recipe = load_recipe(None, (f"model={system}", "optimiser.epochs=1", *changes))
    start_run(folder / system, data, recipe, (1,), (0,), f"keyseg train {data.name} --model {system}")


@pytest.mark.slow
def test_every_verb_reads_the_file(
    data: Path, tmp_path: Path, keyseg: Any, options: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    quick = (*options, "--set", "matching.fit=false", "--set", "augmentation.mixed_segments=0", "--epochs", "2")
    video = sorted(path.stem for path in (data / "features").glob("*.npy"))[-1]
    table = Path("table1")

    def done(*words: object) -> str:
        answer = keyseg(*words)
        assert answer.code == 0, answer.err
        return str(answer.out)

    def stated(run: Path) -> dict[str, Any]:
        content = json.loads((run / "run.json").read_text())["recipe"]["data"]
        return {**content, "fps": int(content["fps"])}

    assert "left out of edit and F1: nothing\n" in done("train", data, "--out", "run", *quick) + done("eval", "run")
    bundle = Path("run/split1/seed0/bundle")
    config = read_config(bundle)
    assert (config.fps, config.sample_rate, config.background) == (30, 2, ("nothing",))
    done("predict", bundle, data / "features" / f"{video}.npy", "--out", "new", "--format", "csv,txt")
    done("plot", bundle, data / "features" / f"{video}.npy", "--out", "match.png")

    tiny(table / "as-published", data, "asformer", ASFORMER)
    tiny(table / "as-published", data, "ms-tcn++", MS_TCN)
    shutil.copytree("run", table / "as-published" / "rtk")
    models = ("--models", "rtk", "asformer", "ms-tcn++", "--terms", "as-published", "--split", 1)
    done("reproduce", "table1", data, "--out", table, *models)
    for system in ("rtk", "asformer", "ms-tcn++"):
        assert stated(table / "as-published" / system).items() >= ODD.items()
    test = (data / "splits" / "test.split1.bundle").read_text().split()[0].removesuffix(".txt")
    done("reproduce", "fig2", data, "--video", test, "--runs", table / "as-published", "--out", "fig2.png")
    done("reproduce", "ablations", table / "as-published" / "rtk", "--out", "ablations")


def test_a_wrong_file_is_the_same_error_in_every_verb(
    data: Path, trained: Path, kitchen: Path, tmp_path: Path, keyseg: Any
) -> None:
    broken = shutil.copytree(kitchen, tmp_path / "kitchen")
    (broken / "dataset.yaml").write_text("# rates\nsample_rat: 2\n")
    run = shutil.copytree(trained, tmp_path / "run")
    file = run / "run.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "data": str(broken)}))
    systems = tmp_path / "systems"
    for system in ("rtk", "asformer", "ms-tcn++"):
        shutil.copytree(run, systems / system)
    words = f"{broken / 'dataset.yaml'}:2: unknown key 'sample_rat' (did you mean 'sample_rate'?); known: features, "
    for command in (
        ("check", broken),
        ("train", broken, "--out", tmp_path / "new"),
        ("train", broken, "--out", run, "--resume"),
        ("eval", run),
        ("reproduce", "table1", broken, "--out", tmp_path / "table"),
        ("reproduce", "fig2", broken, "--video", "x", "--runs", systems, "--out", tmp_path / "x.png"),
        ("reproduce", "fig3", broken, "--runs", tmp_path / "fig3", "--out", tmp_path / "x.png"),
        ("reproduce", "ablations", run, "--out", tmp_path / "ablations"),
        ("import-weights", file, "--model", "bcn", "--out", tmp_path / "b", "--mapping", broken / "mapping.txt"),
    ):
        answer = keyseg(*command)
        assert (answer.code, words in answer.out + answer.err) == (1, True), (command, answer)


# Files that read a list of classes or open a data set. Data settings go through Dataset.open in all of them.
READERS = {
    "data/check.py": {"Dataset", "read_class_list", "settings_in_force"},  # continues after the first problem
    "data/dataset.py": {"read_class_list", "settings_in_force"},  # is Dataset.open
    "inference/reference.py": {"LabelMap.read"},  # has no data set, only its mapping and dataset.yaml
    "timeline/labels.py": {"read_class_list"},  # is LabelMap.read
    "training/recipe.py": {"Dataset.open", "read_class_list"},  # which shipped recipe?
    "training/run.py": {"Dataset.open"},
    "training/tuning.py": {"Dataset.open"},
}


def test_no_module_opens_a_data_set_in_a_way_of_its_own() -> None:
    names = {name for names in READERS.values() for name in names}
    found: dict[str, set[str]] = {}
    root = Path(package.__file__).parent
    for path in root.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        used = {ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Name | ast.Attribute)}
        called = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
        arguments = {ast.unparse(a) for n in ast.walk(tree) if isinstance(n, ast.Call) for a in n.args}
        if opened := names & used & (called | arguments):
            found[path.relative_to(root).as_posix()] = opened
    assert found == READERS
