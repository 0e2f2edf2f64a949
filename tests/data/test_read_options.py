"""Reading options: each one alone changes how a data set is read, and a wrong value is one clear sentence."""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from pydantic import BaseModel

from keyseg.data import Dataset
from keyseg.data.read_options import ReadOptions
from keyseg.timeline import ConfigError, KeysegError


def as_it_is(disk_set: Any) -> None:
    """The data set of the fixture."""


def another_folder(disk_set: Any) -> None:
    for name, length in disk_set.lengths.items():
        disk_set.features(name, np.ones((disk_set.dimension + 6, length)), folder="features_flow")


def longer_features(disk_set: Any) -> None:
    disk_set.rewrite_features(lambda array: np.concatenate([array, array[:, -2:]], axis=1))


def squares(disk_set: Any) -> None:
    for name in disk_set.lengths:
        disk_set.labels(name, ["cut", "pour", "cut", "cut", "cut"])
        disk_set.features(name, np.arange(disk_set.dimension**2).reshape(disk_set.dimension, disk_set.dimension))


# Option: how the data set is prepared, options that stay, and two values of the option that must read differently.
CHANGES: dict[str, tuple[Callable[[Any], None], dict[str, Any], Any, Any]] = {
    "features": (another_folder, {}, None, "features_flow"),
    "background": (as_it_is, {}, None, ("pour",)),
    "fps": (as_it_is, {}, None, "30000/1001"),
    "sample_rate": (as_it_is, {}, None, 3),
    "orientation": (squares, {}, "DT", "TD"),
    "lengths": (longer_features, {}, "error", "resample"),
    "tolerance": (longer_features, {"lengths": "trim"}, 1, 2),
}


def reading(disk_set: Any, **options: Any) -> Any:
    """All that a data set gives to a model, or the error."""
    try:
        dataset = Dataset.open(disk_set.root, **options)
        sample = dataset.load("S1_a", 1)
    except KeysegError as error:
        return str(error)
    return dataset.labels.background, dataset.timebase, sample.features.tolist(), sample.labels.tolist()


def test_every_option_is_tested() -> None:
    assert list(CHANGES) == list(ReadOptions.model_fields)
    assert all(field.description for field in ReadOptions.model_fields.values())


@pytest.mark.parametrize("option", CHANGES)
def test_each_option_alone_changes_what_is_read(option: str, disk_set: Any) -> None:
    prepare, others, first, second = CHANGES[option]
    prepare(disk_set)
    one, two = (reading(disk_set, **others, **{option: value}) for value in (first, second))
    assert one != two
    assert reading(disk_set, **others, **{option: second}) == two
    assert not isinstance(two, str)


@pytest.mark.parametrize("option", CHANGES)
def test_the_default_is_the_first_value(option: str, disk_set: Any) -> None:
    prepare, others, first, _ = CHANGES[option]
    if option not in ("orientation", "tolerance"):
        prepare(disk_set)
        assert reading(disk_set, **others) == reading(disk_set, **others, **{option: first})


def test_values_may_be_text_as_on_a_command_line() -> None:
    options = ReadOptions.of(fps="30000/1001", sample_rate="2", background="SIL", tolerance="3", lengths="trim")
    assert options.fps == Fraction(30000, 1001)
    assert (options.sample_rate, options.background, options.tolerance) == (2, ("SIL",), 3)
    assert ReadOptions.of(background=["SIL", "idle"]).background == ("SIL", "idle")
    assert ReadOptions.of(background=[]).background == ()


WRONG = [
    ({"fps": "fast"}, "fps", "a frame rate is a number such as 15 or 29.97, .* at most 100000; got 'fast'"),
    ({"fps": "1e99999999"}, "fps", "a frame rate is a number .*; got '1e99999999'"),
    ({"fps": -15}, "fps", "a frame rate is a number .*; got '-15'"),
    ({"sample_rate": 0}, "sample_rate", "Input should be greater than or equal to 1, got 0"),
    (
        {"sample_rate": 1.5},
        "sample_rate",
        "Input should be a valid integer, got a number with a fractional part, got 1.5",
    ),
    ({"lengths": "pad"}, "lengths", "Input should be 'error', 'trim' or 'resample', got 'pad'"),
    ({"background": 7}, "background", "expected text, got 7; put it in quotes"),
    ({"tolerance": -1}, "tolerance", "Input should be greater than or equal to 0, got -1"),
]


@pytest.mark.parametrize(("values", "name", "words"), WRONG)
def test_a_wrong_value_is_one_sentence_from_python(values: dict[str, Any], name: str, words: str) -> None:
    with pytest.raises(ConfigError, match=f"^{name}: {words}$"):
        ReadOptions.of(**values)


@pytest.mark.parametrize(("values", "name", "words"), WRONG)
def test_a_wrong_value_is_one_sentence_from_a_recipe(values: dict[str, Any], name: str, words: str) -> None:
    from keyseg.training.recipe import validate_recipe

    with pytest.raises(ConfigError, match=rf"mine.yaml: 'data.{name}(\.0)?': {words}$"):
        validate_recipe({"data": values}, "mine.yaml")


def test_an_unknown_option_names_the_nearest_and_all() -> None:
    message = "unknown option 'sample_rat' (did you mean 'sample_rate'?); known: features, background, fps,"
    with pytest.raises(ConfigError, match=re.escape(message)):
        ReadOptions.of(sample_rat=2)


def test_options_are_values_that_survive_json() -> None:
    options = ReadOptions.of(fps="30000/1001", background="SIL", lengths="trim", tolerance=2)
    assert isinstance(options, BaseModel)
    assert ReadOptions.model_validate_json(options.model_dump_json()) == options
    with pytest.raises(ValueError, match="frozen"):
        options.fps = Fraction(15)  # type: ignore[misc]
