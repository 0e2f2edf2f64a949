"""What made a feature file: the sidecar `VIDEO.json` that `keyseg features` writes beside `VIDEO.npy`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, ValidationError, model_validator

from keyseg.timeline import DataError, TimeBase
from keyseg.timeline.json_text import read_json
from keyseg.timeline.rates import Rate
from keyseg.timeline.validation import Section, problem_text

_AGAIN = "extract these features again"


class FeatureOrigin(Section):
    """What made the features of a video, so that those of another video can be made in the same way.

    extractor, version: its name and the version of what it computes. dimension: D. clip_length: frames that one row
    sees. fps: frames per second that the extractor was shown, exact. sample_rate: frames between two feature rows.
    options: its other settings, such as the revision of a model.
    """

    extractor: str = Field(min_length=1)
    version: str = Field(min_length=1)
    dimension: int = Field(ge=1)
    clip_length: int = Field(ge=1)
    fps: Rate
    sample_rate: int = Field(ge=1)
    options: dict[str, str] = Field(default_factory=dict)

    @property
    def timebase(self) -> TimeBase:
        """Frame rate and sample rate."""
        return TimeBase(self.fps, self.sample_rate)

    def without_folders(self) -> Self:
        """The same with only the name of the folder of a local model, which its content identifies, not its place."""
        path = Path(self.extractor)
        return self.model_copy(update={"extractor": path.name}) if path.is_absolute() else self

    def differences(self, other: FeatureOrigin) -> list[str]:
        """The fields that differ, as `name: here, there`."""
        mine, theirs = self.model_dump(mode="json"), other.model_dump(mode="json")
        return [f"{key}: {mine[key]}, {theirs[key]}" for key in mine if mine[key] != theirs[key]]

    def __str__(self) -> str:
        options = "".join(f", {name} {value}" for name, value in self.options.items())
        every = f", one row per {self.sample_rate} frames" if self.sample_rate > 1 else ""
        return f"{self.extractor} version {self.version}, {self.dimension} dimensions at {self.fps} fps{every}{options}"


class Gap(Section):
    """Frames [start_frame, end_frame) that could not be decoded and show the last good frame, and why."""

    start_frame: int = Field(ge=0)
    end_frame: int
    reason: str


class FeatureSidecar(Section):
    """All that a feature file does not state itself.

    video, video_sha256: name and content of the file that was read. frames: number of frames shown. pts: the
    presentation time stamp of the picture that each frame shows, in ticks of `time_base` seconds; frame i is the one at
    time pts[0] * time_base + i / fps. features_sha256: of the .npy file. reader: the version of how videos are read.
    notes: what is right but may not be expected, such as pictures that end before the sound.
    """

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
    reader: int = 1
    notes: tuple[str, ...] = ()

    def gap_texts(self) -> list[str]:
        """Each gap with its times, such as `6.0 to 10.0 s: the reason`."""
        rate = self.origin.timebase.fps
        return [
            f"{float(gap.start_frame / rate):.1f} to {float(gap.end_frame / rate):.1f} s: {gap.reason}"
            for gap in self.gaps
        ]

    @model_validator(mode="after")
    def _one_time_stamp_per_frame(self) -> Self:
        if len(self.pts) != self.frames:
            raise ValueError(f"{self.frames} frames need as many time stamps, got {len(self.pts)}")
        return self


def sidecar_path(features: Path) -> Path:
    """The sidecar that belongs to a feature file."""
    return features.with_suffix(".json")


def read_sidecar(features: Path) -> FeatureSidecar | None:
    """The sidecar of a feature file; None if there is none, or JSON of another program.

    Raises DataError on a damaged sidecar.
    """
    path = sidecar_path(features)
    if not path.exists():
        return None
    _, content = read_json(path, "a sidecar that keyseg features wrote", advice=_AGAIN)
    if not isinstance(content, dict) or content.get("format") != "keyseg-features":
        return None
    try:
        return FeatureSidecar.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        reason = "".join(f"{part}: " for part in first["loc"]) + problem_text(first)
        raise DataError(f"{path}: not a sidecar that keyseg features wrote ({reason}); {_AGAIN}") from error


def shared_origin(folder: Path, names: Iterable[str]) -> FeatureOrigin | None:
    """What made the features of all these videos; None if no file has a sidecar.

    Raises DataError naming two files that were made in different ways, or of which only one has a sidecar.
    """
    sidecars = ((name, read_sidecar(folder / f"{name}.npy")) for name in names)
    origins = ((name, sidecar.origin if sidecar else None) for name, sidecar in sidecars)
    first_name, first = next(origins, ("", None))
    for name, origin in origins:
        if origin != first:
            unknown = "something unknown: it has no sidecar"
            raise DataError(
                f"{folder}: features that were made in different ways: {first_name}.npy by {first or unknown};"
                f" {name}.npy by {origin or unknown}; extract all of them in one way, with keyseg features"
            )
    return first
