"""keyseg check: every problem of a data set at once."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from keyseg.cli.options import background_names
from keyseg.data.read_options import ReadOptions

_DEFAULT = ReadOptions()


def check_verb(
    data: Path,
    /,
    *,
    options: Annotated[ReadOptions, Parameter(name="*", consume_multiple=True)] = _DEFAULT,
    json_: Annotated[bool, Parameter(name="--json")] = False,
) -> int:
    """Read every file of a data set and report all problems with file and line; exit code 1 if there are any.

    Args:
        data: Folder with mapping.txt, groundTruth/, splits/ and features/ (or features_split1/ ...).
        json_: Print one JSON object instead of lines.
    """
    from keyseg.data import check_dataset

    chosen = dict(options)
    if options.background is not None:
        chosen["background"] = background_names(options.background)
    report = check_dataset(data, **chosen)
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
    if report.common_order is not None:
        print(
            f"your videos follow a common order: {report.common_order:.0f} of 100 (above about 70 the match to"
            " annotations usually helps; training decides on inner folds)"
        )
    print("ok" if report.ok else f"{len(report.problems)} problem(s)")
    changes = ReadOptions(**chosen).model_dump(mode="json", exclude_defaults=True)
    if report.ok and changes:
        print(f"to make keyseg train read it in the same way: {' '.join(map(_as_set_option, changes.items()))}")
    return 0 if report.ok else 1


def _as_set_option(change: tuple[str, Any]) -> str:
    key, value = change
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return f"--set {shlex.quote(f'data.{key}={text}')}"
