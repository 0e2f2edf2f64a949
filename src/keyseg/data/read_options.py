"""How a data set's files are read: one list of options, for every verb and every recipe."""

from __future__ import annotations

from typing import Any, Self

from pydantic import Field, ValidationError, field_validator

from keyseg.data.alignment import Lengths
from keyseg.data.feature_files import Orientation
from keyseg.timeline import ConfigError, nearest
from keyseg.timeline.rates import Rate
from keyseg.timeline.validation import Section, problem_text


class ReadOptions(Section):
    """How the files of a data set are read; see the fields. None: not stated here, so another place decides.

    `of` reports a wrong value as a ConfigError.

    >>> ReadOptions.of(fps="30000/1001", sample_rate=2).stated()
    {'fps': Fraction(30000, 1001), 'sample_rate': 2}
    """

    features: str | None = Field(
        None,
        min_length=1,
        description="Name of the features folder below the data set; * is the number of the split. Default: features,"
        " else features_split*.",
    )
    background: tuple[str, ...] | None = Field(
        None,
        description="Names of classes that are not actions; none for no such class. Default: the class 'background'.",
    )
    fps: Rate | None = Field(
        None,
        description="Annotation frames per second, such as 15 or 30000/1001. Default: that of the features' sidecars,"
        " else that of the known data set with these classes, else 15.",
    )
    sample_rate: int | None = Field(
        None, ge=1, description="Annotation frames per feature step. Default: that of the features' sidecars, else 1."
    )
    orientation: Orientation | None = Field(
        None,
        description="Axes of the feature files: DT (channels, time), TD (time, channels), or auto to detect them."
        " Default: auto.",
    )
    lengths: Lengths | None = Field(
        None,
        description="Where labels and features differ in length: report an error, trim both to the shorter one, or"
        " resample the features. Default: error.",
    )
    tolerance: int | None = Field(None, ge=0, description="Largest number of frames that trim may remove. Default: 0.")

    @field_validator("background", mode="before")
    @classmethod
    def _one_name_is_a_list(cls, value: Any) -> Any:
        names = (value,) if isinstance(value, str | bool | int | float) else value
        return () if names in (("none",), ["none"]) else names

    @classmethod
    def of(cls, **values: Any) -> Self:
        """The options with these values. Raises ConfigError naming the first that is wrong."""
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            first = error.errors()[0]
            name = str(first["loc"][0]) if first["loc"] else ""
            if first["type"] == "extra_forbidden":
                known = ", ".join(cls.model_fields)
                raise ConfigError(f"unknown option {name!r}{nearest(name, cls.model_fields)}; known: {known}") from None
            raise ConfigError(f"{name}: {problem_text(first)}" if name else problem_text(first)) from None

    def stated(self) -> dict[str, Any]:
        """The options that are stated here, by name."""
        return {name: getattr(self, name) for name in ReadOptions.model_fields if getattr(self, name) is not None}


def needs_trim(tolerance: int, lengths: str) -> str:
    """What is wrong with a tolerance where nothing is trimmed; empty if nothing is."""
    wrong = tolerance and lengths != "trim"
    return f"tolerance {tolerance} needs lengths 'trim', got lengths {lengths!r}" if wrong else ""
