"""keyseg check: every problem of a data set at once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from keyseg.cli.background import Background, background_names


def check(
    data: Path,
    /,
    *,
    features: str | None = None,
    background: Background = None,
    fps: str | None = None,
    sample_rate: int | None = None,
    orientation: Literal["auto", "DT", "TD"] = "auto",
    lengths: Literal["error", "trim", "resample"] = "error",
    tolerance: int = 0,
    json_: Annotated[bool, Parameter(name="--json")] = False,
) -> int:
    """Look at every file of a data set and report all problems with file and line; exit code 1 if there is one.

    Parameters
    ----------
    data
        Folder with mapping.txt, groundTruth/, splits/ and features/ (or features_split1/ ...).
    features
        Name of the features folder below DATA. Default: features, else features_split1 and so on.
    background
        Classes that are not actions, one or several names, or none. Default: the class 'background'.
    fps
        Annotation frames a second, such as 15 or 30000/1001. Default: what the features' sidecars
        say, or what is known of these classes, else 15.
    sample_rate
        Take every n-th step of features and labels. Default: what the features' sidecars say, else 1.
    orientation
        Axes of the feature files: DT, (channels, time), or TD; auto finds out.
    lengths
        Where labels and features differ in length: report it, trim both to the shorter, or resample the features.
    tolerance
        Most frames that --lengths trim may cut.
    json_
        One JSON object on stdout instead of lines.
    """
    from keyseg.data import check_dataset

    report = check_dataset(
        data,
        features=features,
        background=background_names(background),
        fps=fps,
        sample_rate=sample_rate,
        orientation=orientation,
        lengths=lengths,
        tolerance=tolerance,
    )
    if json_:
        print(report.to_json())
        return 0 if report.ok else 1
    for problem in report.problems:
        print(f"problem  {problem}")
    for warning in report.warnings:
        print(f"warning  {warning}")
    known = report.dataset or "a data set that the catalog does not know"
    print(
        f"{data}: {known}; {report.videos} videos, {report.frames} frames, {report.classes} classes,"
        f" {report.splits} splits, features of {report.dimension or 'unknown'} dimensions"
    )
    if report.origin:
        print(f"features: {report.origin}")
    print("ok" if report.ok else f"{len(report.problems)} problem(s)")
    reading = {"fps": fps, "sample_rate": sample_rate, "orientation": orientation, "lengths": lengths}
    unusual = {key: value for key, value in reading.items() if value not in (None, "auto", "error")}
    if tolerance:
        unusual["tolerance"] = tolerance
    if report.ok and unusual:
        changes = " ".join(f"--set data.{key}={value}" for key, value in unusual.items())
        print(f"for keyseg train to read it so: {changes}")
    return 0 if report.ok else 1
