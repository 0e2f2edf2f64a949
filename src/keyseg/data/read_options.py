"""How a data set's files are read: the one list of options, for every verb and every recipe."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from keyseg.data.alignment import Lengths
from keyseg.data.features import Orientation
from keyseg.timeline import ConfigError, nearest
from keyseg.timeline.rates import Rate


class ReadOptions(BaseModel):
    """How the files of a data set are read."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    features: str | None = Field(
        None, description="features folder below the data set; none: features, else features_split{split}"
    )
    background: tuple[str, ...] | None = Field(None, description="background classes; none: the class 'background'")
    fps: Rate | None = Field(
        None,
        description="annotation frames per second; none: what the sidecars of the features say, or what is known of"
        " these classes, else 15",
    )
    sample_rate: int | None = Field(
        None, ge=1, description="annotation frames per feature step; none: what the sidecars say, else 1"
    )
    orientation: Orientation = Field("auto", description="axes of the feature files: DT, (channels, time), or TD")
    lengths: Lengths = Field("error", description="what to do where labels and features differ in length")
    tolerance: int = Field(0, ge=0, description="largest number of frames that `trim` may remove")

    @field_validator("background", mode="before")
    @classmethod
    def _names(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else tuple(value) if isinstance(value, Iterable) else value

    @model_validator(mode="after")
    def _tolerance_trims(self) -> Self:
        if self.tolerance and self.lengths != "trim":
            raise ValueError(f"tolerance goes with lengths 'trim', got {self.tolerance} with {self.lengths!r}")
        return self

    @classmethod
    def of(cls, **values: Any) -> Self:
        """The options with these values. Raises ConfigError naming the first that is wrong.

        >>> ReadOptions.of(fps="30000/1001", sample_rate=2).fps
        Fraction(30000, 1001)
        """
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join(map(str, first["loc"][:1]))
            if first["type"] == "extra_forbidden":
                known = ", ".join(cls.model_fields)
                raise ConfigError(f"unknown option {key!r}{nearest(key, cls.model_fields)}; known: {known}") from None
            message = first["msg"].removeprefix("Value error, ")
            raise ConfigError(f"{key}: {message}, got {first['input']!r}" if key else message) from None
