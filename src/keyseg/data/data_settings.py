"""The settings that are in force for a data set: each from the first place that states it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType
from typing import Any

from keyseg.data.dataset_file import DATASET_FILE, DatasetFile
from keyseg.data.feature_origin import FeatureOrigin, read_sidecar
from keyseg.data.known_datasets import identify
from keyseg.data.read_options import ReadOptions, needs_trim
from keyseg.timeline import ConfigError, TimeBase

OPTION = "option"
DEFAULTS: Mapping[str, Any] = {
    "fps": Fraction(15),
    "sample_rate": 1,
    "orientation": "auto",
    "lengths": "error",
    "tolerance": 0,
}


@dataclass(frozen=True)
class DataSettings:
    """options: all of them stated. sources: where each comes from, by name: option, dataset.yaml, shipped recipe,
    sidecar, known data set or default. origin: what made the features, by the first sidecar."""

    options: ReadOptions
    sources: Mapping[str, str]
    origin: FeatureOrigin | None

    @property
    def timebase(self) -> TimeBase:
        """Frame rate and sample rate."""
        return TimeBase(self.options.fps or DEFAULTS["fps"], self.options.sample_rate or DEFAULTS["sample_rate"])

    def place_of(self, name: str) -> tuple[str, str]:
        """The file to name in an error about a setting that does not fit the classes: dataset.yaml if it states it,
        else mapping.txt; and the source of the setting if that is not the file."""
        source = self.sources[name]
        return (DATASET_FILE, "") if source == DATASET_FILE else ("mapping.txt", source)

    def lines(self) -> list[str]:
        """Each setting with its value and source, aligned."""
        values = {name: _as_text(value) for name, value in self.options.stated().items()}
        name, value = max(map(len, values)), max(map(len, values.values()))
        return [f"{key:<{name}}  {text:<{value}}  {self.sources[key]}" for key, text in values.items()]

    def to_json(self) -> dict[str, dict[str, Any]]:
        """Value and source of each setting."""
        values = self.options.model_dump(mode="json")
        return {name: {"value": values[name], "source": source} for name, source in self.sources.items()}


def settings_in_force(
    root: Path,
    classes: Collection[str],
    given: ReadOptions,
    remembered: DatasetFile,
    *,
    sources: Mapping[str, str] = MappingProxyType({}),
    otherwise: ReadOptions | None = None,
    read_origin: Callable[[Path, str], FeatureOrigin | None] | None = None,
) -> DataSettings:
    """Every option from the first of: `given`, dataset.yaml, `otherwise`, the sidecars of the features, what is known
    of the data set with these classes, and the defaults.

    The sample rate is never taken from a known data set: it belongs to a model and its features, not to the classes.
    sources: where options of `given` come from, by name. Raises ConfigError on a tolerance without trimming.
    """
    places = [(OPTION, given.stated()), (DATASET_FILE, remembered.stated())]
    places.append(("shipped recipe", otherwise.stated() if otherwise else {}))
    for i, (_, stated) in enumerate(places):
        if stated.get("lengths", "trim") != "trim":  # a tolerance that only another place's trim needed
            for _, lower in places[i + 1 :]:
                lower.pop("tolerance", None)
    split_folders = not (root / "features").is_dir() and any(root.glob("features_split*"))
    folder = "features_split*" if split_folders else "features"
    background = tuple(name for name in ("background",) if name in classes)
    places.append(("default", {**DEFAULTS, "features": folder, "background": background}))
    origin = (read_origin or first_origin)(root, _first("features", places)[0])
    facts = identify(classes)
    places[-1:-1] = [
        ("sidecar", {"fps": origin.fps, "sample_rate": origin.sample_rate} if origin else {}),
        ("known data set", {"fps": facts.fps} if facts else {}),
    ]
    found = {name: _first(name, places) for name in ReadOptions.model_fields}
    options = ReadOptions.of(**{name: value for name, (value, _) in found.items()})
    named = {name: source if source != OPTION else sources.get(name, OPTION) for name, (_, source) in found.items()}
    if problem := needs_trim(options.tolerance or 0, options.lengths or ""):
        place = "" if named["tolerance"] == OPTION else f"{named['tolerance']}: "
        raise ConfigError(f"{place}{problem} ({named['lengths']})")
    return DataSettings(options, named, origin)


def _first(name: str, places: list[tuple[str, dict[str, Any]]]) -> tuple[Any, str]:
    return next((stated[name], source) for source, stated in places if name in stated)


def _as_text(value: Any) -> str:
    return ", ".join(value) or "none" if isinstance(value, tuple) else str(value)


def first_origin(root: Path, features: str) -> FeatureOrigin | None:
    """What the first sidecar of a data set's features says. Raises DataError if it cannot be read."""
    folders = sorted(root.glob(features)) if "*" in features else [root / features]
    for folder in folders:
        for path in sorted(folder.glob("*.json")):
            if sidecar := read_sidecar(path.with_suffix(".npy")):
                return sidecar.origin
    return None
