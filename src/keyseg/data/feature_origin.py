"""Where features come from: the sidecar `VIDEO.json` that `keyseg features` writes beside `VIDEO.npy`."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from keyseg.timeline import DataError, TimeBase
from keyseg.timeline.files import read_text
from keyseg.timeline.rates import Rate


class FeatureOrigin(BaseModel):
    """What made the features of a video, so that those of another video can be made alike.

    extractor, version: its name and the version of what it computes. dimension: D. clip_length: frames that a row looks
    at. fps: frames a second that it was shown, exact. sample_rate: frames a row. options: what else it was told, such as the
    model and its revision.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    extractor: str = Field(min_length=1)
    version: str = Field(min_length=1)
    dimension: int = Field(ge=1)
    clip_length: int = Field(ge=1)
    fps: Rate
    sample_rate: int = Field(ge=1)
    options: dict[str, str] = {}

    @property
    def timebase(self) -> TimeBase:
        """Frames a second and frames a row."""
        return TimeBase(self.fps, self.sample_rate)

    def differences(self, other: FeatureOrigin) -> list[str]:
        """What is not the same, as `name: here, there`."""
        mine, theirs = self.model_dump(mode="json"), other.model_dump(mode="json")
        return [f"{key}: {mine[key]}, {theirs[key]}" for key in mine if mine[key] != theirs[key]]

    def __str__(self) -> str:
        told = "".join(f", {name} {value}" for name, value in self.options.items())
        every = f", a row every {self.sample_rate} frames" if self.sample_rate > 1 else ""
        return f"{self.extractor} version {self.version}, {self.dimension} dimensions at {self.fps} fps{every}{told}"


class Gap(BaseModel):
    """Frames [start_frame, end_frame) that could not be decoded and show the last good frame, and why."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    start_frame: int = Field(ge=0)
    end_frame: int
    reason: str


class FeatureSidecar(BaseModel):
    """All that a feature file does not say itself.

    video, video_sha256: name and content of the file that was read. frames: N, frames shown. pts: the presentation
    time stamp of the picture that each frame shows, in ticks of time_base seconds; frame i stands for the time
    pts[0] * time_base + i / fps. features_sha256: of the .npy file.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal["keyseg-features"] = "keyseg-features"
    format_version: Literal[1] = 1
    origin: FeatureOrigin
    video: str
    video_sha256: str
    features_sha256: str
    frames: int = Field(ge=1)
    time_base: str
    pts: tuple[int, ...]
    gaps: tuple[Gap, ...] = ()

    def gap_texts(self) -> list[str]:
        """Each gap with its times, such as `6.0 to 10.0 s: the reason`."""
        rate = self.origin.timebase.fps
        return [
            f"{float(gap.start_frame / rate):.1f} to {float(gap.end_frame / rate):.1f} s: {gap.reason}"
            for gap in self.gaps
        ]

    @model_validator(mode="after")
    def _a_time_a_frame(self) -> Self:
        if len(self.pts) != self.frames:
            raise ValueError(f"{self.frames} frames have as many time stamps, got {len(self.pts)}")
        return self


def sidecar_path(features: Path) -> Path:
    """Where the sidecar of a feature file belongs."""
    return features.with_suffix(".json")


def read_sidecar(features: Path) -> FeatureSidecar | None:
    """The sidecar of a feature file, None where there is none, or JSON of another program. Raises DataError on one that
    cannot be read."""
    path = sidecar_path(features)
    if not path.exists():
        return None
    text = read_text(path, "the sidecar of a feature file that keyseg features wrote")
    try:
        content = json.loads(text)
        if not isinstance(content, dict) or content.get("format") != "keyseg-features":
            return None
        return FeatureSidecar.model_validate_json(text)
    except (ValueError, RecursionError) as error:  # a ValidationError is a ValueError
        reason = str(error)
        if isinstance(error, ValidationError):
            first = error.errors()[0]
            reason = "".join(f"{part}: " for part in first["loc"]) + first["msg"]
        raise DataError(
            f"{path}: not a sidecar that keyseg features wrote ({reason}); extract these features again"
        ) from error


def shared_origin(folder: Path, names: Iterable[str]) -> FeatureOrigin | None:
    """What made the features of all these videos; None where no file has a sidecar.

    Raises DataError naming two files that were not made alike, or one without a sidecar beside one with.
    """
    first: tuple[str, FeatureOrigin | None] | None = None
    for name in names:
        sidecar = read_sidecar(folder / f"{name}.npy")
        origin = sidecar.origin if sidecar else None
        if first is None:
            first = (name, origin)
        elif origin != first[1]:
            told = [
                f"{video}.npy by {made or 'something unknown: it has no sidecar'}"
                for video, made in (first, (name, origin))
            ]
            raise DataError(
                f"{folder}: features that were not made alike: {told[0]}; {told[1]}; extract all of them in one way,"
                " with keyseg features"
            )
    return first[1] if first else None
