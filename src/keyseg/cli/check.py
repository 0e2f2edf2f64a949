"""keyseg check: every problem of a data set at once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from keyseg.cli.terminal import show, show_data
from keyseg.data.read_options import ReadOptions

_DEFAULT = ReadOptions()


def check_verb(
    data: Path,
    /,
    *,
    options: Annotated[ReadOptions, Parameter(name="*", consume_multiple=True)] = _DEFAULT,
    save: bool = False,
    json_: Annotated[bool, Parameter(name="--json")] = False,
) -> int:
    """Read every file of a data set and report all problems with file and line; exit code 1 if there are any.

    The settings in force are listed with the place that each comes from: an option, dataset.yaml, the sidecars of the
    features, what is known of public data sets, or the default.

    Args:
        data: Folder with mapping.txt, groundTruth/, splits/ and features/ (or features_split1/ ...).
        save: If there is no problem, write the options given into DATA/dataset.yaml, which every verb reads.
        json_: Print one JSON object instead of lines.
    """
    from keyseg.data import check_dataset
    from keyseg.data.dataset_file import save_options

    report = check_dataset(data, **options.stated())
    stated = options.stated()
    saved = save_options(data, stated) if save and stated and report.ok else None
    if json_:
        show_data(report.to_json())
        return 0 if report.ok else 1
    for problem in report.problems:
        show(f"problem  {problem}")
    for warning in report.warnings:
        show(f"warning  {warning}")
    if report.settings:  # there is a folder
        known = report.dataset or "a data set that the catalog does not know"
        show(
            f"{data}: {known}; {report.videos} videos, {report.frames} frames, {report.classes} classes,"
            f" {report.splits} split{'s' * (report.splits != 1)},"
            f" features of {report.dimension or 'unknown'} dimensions"
        )
        if report.origin:
            show(f"features: {report.origin}")
        show("\n  ".join(("settings in force:", *report.settings.lines())))
    if report.common_order is not None:
        show(
            f"your videos follow a common order: {report.common_order:.0f} of 100 (above about 70 the match to"
            " annotations usually helps; training decides on inner folds)"
        )
    show("ok" if report.ok else f"{len(report.problems)} problem(s)")
    if saved:
        show(f"saved: {saved}")
    elif report.ok and stated:
        show("to make every verb read it in the same way, run this command again with --save")
    return 0 if report.ok else 1
