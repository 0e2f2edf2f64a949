"""dataset.yaml: what it may state, what of it is in force, its errors, and that nothing written by hand is lost."""

from __future__ import annotations

import json
import re
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import yaml

from keyseg.data import Dataset, check_dataset
from keyseg.data.dataset_file import DatasetFile, read_dataset_file, save_options, write_dataset_file
from keyseg.data.feature_origin import FeatureOrigin
from keyseg.data.known_datasets import GTEA
from keyseg.data.read_options import ReadOptions
from keyseg.timeline import ConfigError, DataError

# A value that is not the default, for each option.
ODD: dict[str, Any] = {
    "features": "features_flow",
    "background": ["cut", "pour"],
    "fps": "30000/1001",
    "sample_rate": 3,
    "orientation": "DT",
    "lengths": "trim",
    "tolerance": 2,
}


def state(disk_set: Any, **content: Any) -> None:
    disk_set.write("dataset.yaml", yaml.safe_dump(content))


@pytest.mark.parametrize("option", ODD)
def test_each_option_is_read_from_the_file(option: str, disk_set: Any) -> None:
    needed = {"lengths": "trim"} if option == "tolerance" else {}
    before = Dataset.open(disk_set.root)
    state(disk_set, **needed, **{option: ODD[option]})
    dataset = Dataset.open(disk_set.root)
    wanted = ReadOptions.of(**{option: ODD[option]})
    assert getattr(dataset.options, option) == getattr(wanted, option) != getattr(before.options, option)
    assert (before.settings.sources[option], dataset.settings.sources[option]) == ("default", "dataset.yaml")
    assert dataset == Dataset.open(disk_set.root, **{option: None})


@pytest.mark.parametrize("option", ODD)
def test_an_option_beats_the_file(option: str, disk_set: Any) -> None:
    default = getattr(Dataset.open(disk_set.root).options, option)
    state(disk_set, **ODD)
    dataset = Dataset.open(disk_set.root, **{option: default})
    assert (getattr(dataset.options, option), dataset.settings.sources[option]) == (default, "option")


def test_every_option_is_tested_and_described() -> None:
    assert list(ODD) == list(ReadOptions.model_fields)
    assert list(DatasetFile.model_fields) == [*ODD, "tier", "groups"]
    assert all(field.description for field in DatasetFile.model_fields.values())


def test_an_option_that_does_not_trim_needs_no_tolerance(disk_set: Any) -> None:
    state(disk_set, lengths="trim", tolerance=2)
    assert Dataset.open(disk_set.root, lengths="resample").options.tolerance == 0
    assert Dataset.open(disk_set.root, tolerance=5).options.tolerance == 5
    state(disk_set, lengths="resample")
    with pytest.raises(ConfigError, match=r"tolerance 5 needs lengths 'trim', got lengths 'resample' \(dataset.yaml\)"):
        Dataset.open(disk_set.root, tolerance=5)


def test_without_a_statement_sidecars_then_known_data_sets_then_defaults_decide(
    disk_set: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def rates(**stated: Any) -> list[tuple[Any, str]]:
        state(disk_set, **stated)
        settings = Dataset.open(disk_set.root).settings
        return [(getattr(settings.options, name), settings.sources[name]) for name in ("fps", "sample_rate")]

    assert rates() == [(15, "default"), (1, "default")]
    disk_set.write("mapping.txt", "".join(f"{i} {name}\n" for i, name in enumerate(GTEA.classes)))
    assert rates() == [(15, "known data set"), (1, "default")]
    origin = FeatureOrigin(extractor="x", version="1", dimension=5, clip_length=1, fps=Fraction(12), sample_rate=4)
    monkeypatch.setattr("keyseg.data.data_settings.first_origin", lambda root, features: origin)
    assert rates() == [(12, "sidecar"), (4, "sidecar")]
    assert rates(fps=11, sample_rate=2) == [(11, "dataset.yaml"), (2, "dataset.yaml")]


def test_a_star_is_the_number_of_the_split(disk_set: Any) -> None:
    (disk_set.root / "features").rename(disk_set.root / "flow_split1")
    with pytest.raises(DataError, match="features: no such folder"):
        Dataset.open(disk_set.root).feature_folder(1)
    state(disk_set, features="flow_split*")
    assert Dataset.open(disk_set.root).feature_folder(1).name == "flow_split1"
    assert check_dataset(disk_set.root).ok
    (disk_set.root / "flow_split1").rename(disk_set.root / "features_split1")
    state(disk_set)
    dataset = Dataset.open(disk_set.root)
    assert (dataset.options.features, dataset.feature_folder(1).name) == ("features_split*", "features_split1")


WRONG = [
    ("fps: 30\nfsp: 30\n", 2, "unknown key 'fsp' (did you mean 'fps'?); known: features, background, fps,"),
    ("# rate\n\nfps: fast\n", 3, "fps: a frame rate is a number such as 15"),
    ("fps: 30\nsample_rate: 0\n", 2, "sample_rate: Input should be greater than or equal to 1, got 0"),
    ("lengths: error\ntolerance: 2\n", 2, "tolerance: tolerance 2 needs lengths 'trim', got lengths 'error'"),
    ("tolerance: 2\n", 1, "tolerance: tolerance 2 needs lengths 'trim', got lengths 'error'"),
    ("groups: [a1]\n", 1, "groups: Input should be a valid dict"),
    ("tier: a\ngroups: {a: 1}\n", 2, "groups.a: expected text, got 1; put it in quotes"),
    ("fps: 30\nfps: 25\n", 2, "'fps' is on line 1 already"),
    ("fps: 30\ntier: {\n", 3, "not YAML (expected the node content"),
    ("background: 12\n", 1, "background.0: expected text, got 12; put it in quotes"),
    ("features: true\n", 1, "features: expected text, got True; put it in quotes"),
    ("fps: 2020-13-45\n", 1, "fps: a frame rate is a number such as 15"),
    ("fps: 1:30\n", 1, "fps: a frame rate is a number such as 15"),
    ("sample_rate: yes\n", 1, "sample_rate: Input should be a valid integer"),
    ("hands\n", 1, "expected a mapping such as 'fps: 30'"),
    ("- fps\n", 1, "expected a mapping such as 'fps: 30'"),
    ("features: ''\n", 1, "features: String should have at least 1 character"),
    ("background: nothing\n", None, "background 'nothing' is not a class"),
]


@pytest.mark.parametrize(("text", "line", "words"), WRONG)
def test_a_wrong_file_is_one_error_with_its_line(text: str, line: int | None, words: str, disk_set: Any) -> None:
    path = disk_set.write("dataset.yaml", text)
    place = f"{path}:{line}" if line else str(path)
    with pytest.raises(DataError, match=f"^{re.escape(f'{place}: {words}')}"):
        Dataset.open(disk_set.root)
    (problem,) = check_dataset(disk_set.root).problems
    assert str(problem).startswith(f"{place}: {words}")


def test_no_class_is_background_in_the_words_of_the_options(disk_set: Any) -> None:
    for text in ("background: []", "background: none", "background: [none]"):
        disk_set.write("dataset.yaml", text)
        assert Dataset.open(disk_set.root).labels.background == ()
    for text in ("background:", "# nothing", "", "{}"):
        disk_set.write("dataset.yaml", text)
        assert Dataset.open(disk_set.root).labels.background == ("background",)


def test_classes_may_be_called_no_and_yes(disk_set: Any) -> None:
    disk_set.write("mapping.txt", "0 no\n1 yes\n2 cut\n")
    for text, names in (("no", ("no",)), ("[no, yes]", ("no", "yes")), ("- no", ("no",))):
        disk_set.write("dataset.yaml", "background: " + text.replace("- ", "\n- "))
        assert Dataset.open(disk_set.root).labels.background == names


def test_what_is_written_is_read(tmp_path: Path) -> None:
    for facts in (
        DatasetFile(),
        DatasetFile.of(
            **ODD,
            tier="Hände: 'rechts' #1",
            groups={"tea 1": "true", "12": "Zoë", "1e3": "no", "no": "1e-4", "on": "2020-01-01"},
        ),
        DatasetFile.of(fps=30, background=[]),
        DatasetFile.of(fps=29.97, tier="12"),
    ):
        (tmp_path / "dataset.yaml").unlink(missing_ok=True)
        write_dataset_file(tmp_path, facts)
        assert read_dataset_file(tmp_path) == facts
        assert (tmp_path / "dataset.yaml").exists() == (facts != DatasetFile())


HAND_WRITTEN = """\
# our rig
fps: 25 # PAL

background:
- cut
- pour  # not now

# who is who
groups: {a: Ann,
         b: Bob}
sample_rate: 2   # halves the time
"""


def test_comments_and_other_keys_stay(tmp_path: Path) -> None:
    path = tmp_path / "dataset.yaml"
    path.write_text(HAND_WRITTEN)
    assert save_options(tmp_path, {"fps": Fraction(25), "sample_rate": 2}) == path
    assert path.read_text() == HAND_WRITTEN
    save_options(tmp_path, {"background": ("cut",), "lengths": "trim", "fps": Fraction(30000, 1001)})
    assert (
        path.read_text()
        == HAND_WRITTEN.replace("25 # PAL", "30000/1001").replace("- pour  # not now\n", "") + "lengths: trim\n"
    )
    path.write_text("{fps: 25, groups: {a: Ann}}")
    save_options(tmp_path, {"sample_rate": 4})
    assert read_dataset_file(tmp_path) == DatasetFile.of(fps=25, groups={"a": "Ann"}, sample_rate=4)


def test_check_reports_the_settings_and_their_sources(disk_set: Any) -> None:
    state(disk_set, sample_rate=2)
    report = check_dataset(disk_set.root, lengths="trim")
    content = json.loads(report.to_json())["settings"]
    assert content["sample_rate"] == {"value": 2, "source": "dataset.yaml"}
    assert content["lengths"] == {"value": "trim", "source": "option"}
    assert content["background"] == {"value": ["background"], "source": "default"}
    assert list(content) == list(ODD)
    assert check_dataset(disk_set.root / "gone").settings is None


def test_the_table_of_the_guide_is_that_of_the_model() -> None:
    guide = Path(__file__).parents[2] / "docs" / "your-own-videos.md"
    table = guide.read_text(encoding="utf-8").partition("| key | meaning |\n|---|---|\n")[2].partition("\n\n")[0]
    rows = [f"| `{name}` | {field.description} |" for name, field in DatasetFile.model_fields.items()]
    assert table.splitlines() == rows
