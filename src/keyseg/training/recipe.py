"""Recipes: everything that decides a training run, validated, in one file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from importlib import resources
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from keyseg.criteria.rtk import LossConfig, MatchingConfig
from keyseg.data.catalog import identify
from keyseg.inference.decoding import ProposalConfig, Rules
from keyseg.models.rtk import RTKConfig
from keyseg.timeline import ConfigError, DataError, LabelMap, nearest

_SHIPPED = resources.files("keyseg") / "recipes"


class DataConfig(BaseModel):
    """How a data set's files are read; the same options as `Dataset.open`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    features: str | None = Field(None, description="features folder; none: features/, else features_split{split}/")
    background: tuple[str, ...] | None = Field(None, description="background classes; none: the class 'background'")
    fps: str | None = Field(None, description="annotation frames a second, such as 15 or 30000/1001")
    sample_rate: int | None = Field(None, ge=1, description="take every n-th step of features and labels")
    orientation: Literal["auto", "DT", "TD"] = "auto"
    lengths: Literal["error", "trim", "resample"] = "error"
    tolerance: int = Field(0, ge=0, description="frames that trim may cut")

    @field_validator("fps", mode="before")
    @classmethod
    def _fraction(cls, value: Any) -> Any:
        try:
            fraction = None if value is None else Fraction(str(value))
        except (ValueError, ZeroDivisionError):
            raise ValueError("expected a number or a fraction such as 30000/1001") from None
        if fraction is not None and fraction <= 0:
            raise ValueError("fps must be positive")
        return None if value is None else str(value)


class OptimiserConfig(BaseModel):
    """Adam with a cosine schedule that ends at zero."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    epochs: int = Field(120, ge=1)
    batch_size: int = Field(1, ge=1)
    learning_rate: float = Field(5e-4, gt=0)
    context_learning_rate: float = Field(1e-3, gt=0, description="of the refinement, from the epoch it joins")
    weight_decay: float = Field(1e-4, ge=0)
    clip_norm: float = Field(5.0, gt=0)
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = "32-true"


class CalibrationConfig(BaseModel):
    """Choosing thresholds on training videos that a first, shorter training has not seen."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    holdout: float = Field(0.25, ge=0, lt=1, description="share of the training videos; 0 keeps `rules` as given")
    stress: float = Field(0.8, ge=0, lt=1, description="share of feature channels hidden while choosing")
    draws: int = Field(2, ge=1, description="times each held-out video is read, with other channels hidden")
    pace: float = Field(0.5, gt=0, le=1, description="epochs of the first training over those of the final one")


class Recipe(BaseModel):
    """A training run but for data and seed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: Literal["rtk"] = "rtk"
    data: DataConfig = DataConfig()
    network: RTKConfig = RTKConfig()
    optimiser: OptimiserConfig = OptimiserConfig()
    losses: LossConfig = LossConfig()
    matching: MatchingConfig = MatchingConfig()
    proposals: ProposalConfig = ProposalConfig()
    rules: Rules = Rules()
    calibration: CalibrationConfig = CalibrationConfig()

    def at_pace(self, pace: float) -> Recipe:
        """The same training with epochs and joining epoch scaled; matching that joined still joins."""
        epochs = max(1, round(self.optimiser.epochs * pace))
        join = round(self.matching.join_epoch * pace)
        if self.matching.join_epoch < self.optimiser.epochs:
            join = min(join, epochs - 1)
        return self.model_copy(
            update={
                "optimiser": self.optimiser.model_copy(update={"epochs": epochs}),
                "matching": self.matching.model_copy(update={"join_epoch": join}),
            }
        )


def load_recipe(path: Path | None = None, changes: Sequence[str] = ()) -> Recipe:
    """Read a YAML recipe (None: all defaults) and apply `a.b=value` changes, values as in YAML.

    Raises ConfigError naming the file, the key and the nearest valid key.
    """
    content: Any = {}
    if path is not None:
        try:
            content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        except OSError as error:
            raise ConfigError(f"{path}: cannot read the recipe ({error})") from error
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path}: not a YAML file: {error}") from error
    source = str(path) if path is not None else "recipe"
    if not isinstance(content, dict):
        raise ConfigError(f"{source}: a recipe is a mapping of sections, got {type(content).__name__}")
    for change in changes:
        _apply(content, change)
    return validate_recipe(content, source)


def shipped_recipe(name: str, changes: Sequence[str] = ()) -> Recipe:
    """A recipe that comes with the package, by its file name."""
    with resources.as_file(_SHIPPED / name) as file:
        return load_recipe(file, changes)


def recipe_for(
    data: Path,
    model: str = "rtk",
    path: Path | None = None,
    changes: Sequence[str] = (),
    *,
    background: Sequence[str] | None = None,
    epochs: int | None = None,
) -> tuple[Recipe, str]:
    """The recipe to train a data set with, and what it is called: a file, or the shipped one for these classes.

    A data set that no shipped recipe knows gets the default one. epochs: scales the joining epoch too.
    """
    if not data.is_dir():
        raise DataError(f"{data}: no such folder; expected a data set with mapping.txt, groundTruth/ and splits/")
    if path is None:
        facts = identify(LabelMap.read(data / "mapping.txt").names)
        names = [f"{facts.key}-{model}.yaml"] if facts else []
        name = next(n for n in [*names, f"default-{model}.yaml"] if (_SHIPPED / n).is_file())
        recipe, source = shipped_recipe(name, changes), f"{name} (shipped)"
    else:
        recipe, source = load_recipe(path, changes), str(path)
    if background is not None:
        recipe = recipe.model_copy(update={"data": recipe.data.model_copy(update={"background": tuple(background)})})
    if epochs is not None:
        if epochs < 1:
            raise ConfigError(f"--epochs takes a number >= 1, got {epochs}")
        recipe = recipe.at_pace(epochs / recipe.optimiser.epochs)
    return recipe, source


def validate_recipe(content: Mapping[str, Any], source: str) -> Recipe:
    """A recipe from a mapping; raises ConfigError with every problem, each with its key."""
    try:
        return Recipe.model_validate(content)
    except ValidationError as error:
        problems = "; ".join(_explain(item) for item in error.errors())
        raise ConfigError(f"{source}: {problems}") from None


def _apply(content: dict[str, Any], change: str) -> None:
    key, separator, value = change.partition("=")
    if not separator or not key.strip():
        raise ConfigError(f"a change is written section.key=value, got {change!r}")
    *sections, last = key.strip().split(".")
    for section in sections:
        content = content.setdefault(section, {})
        if not isinstance(content, dict):
            raise ConfigError(f"{change!r}: {section!r} is a value, not a section")
    try:
        content[last] = yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise ConfigError(f"{change!r}: {value!r} is not a YAML value: {error}") from error


def _explain(item: Any) -> str:
    key = ".".join(str(part) for part in item["loc"])
    if item["type"] == "extra_forbidden":
        fields = _fields_at(item["loc"][:-1])
        return f"unknown key {key!r}{nearest(str(item['loc'][-1]), fields)}; known here: {', '.join(fields)}"
    return f"{key!r}: {item['msg']}, got {item['input']!r}"


def _fields_at(location: Sequence[Any]) -> list[str]:
    model: type[BaseModel] = Recipe
    for part in location:
        annotation = model.model_fields[str(part)].annotation
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            return []
        model = annotation
    return list(model.model_fields)
