"""dataset.yaml: how the files of a data set are read, and what it remembers of the files that it was made from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, ValidationError, ValidationInfo, field_validator

from keyseg.data.read_options import ReadOptions, needs_trim
from keyseg.timeline import DataError, nearest
from keyseg.timeline.files import read_text, write_text
from keyseg.timeline.validation import problem_text
from keyseg.timeline.yaml_text import read_yaml_node, to_yaml, yaml_value

DATASET_FILE = "dataset.yaml"


class DatasetFile(ReadOptions):
    """The keys of dataset.yaml: every option of `ReadOptions`, and what `keyseg init` remembers."""

    tier: str | None = Field(
        None,
        min_length=1,
        description="Tier of ELAN and Praat that annotations are read from and predictions written to.",
    )
    groups: dict[str, str] = Field(
        {},
        description="Group of each timeline, such as the person in its video; keyseg init never trains and tests on one"
        " group, and keyseg check warns of splits that do. A timeline that is not listed is a group of its own.",
    )

    @field_validator("tolerance")
    @classmethod
    def _tolerance_needs_trim(cls, value: int | None, info: ValidationInfo) -> int | None:
        if problem := needs_trim(value or 0, info.data.get("lengths") or "error"):
            raise ValueError(problem)
        return value


def read_dataset_file(root: Path) -> DatasetFile:
    """What the data set at `root` states; nothing if it has no such file. Raises DataError, with the line, on a wrong
    one."""
    path = root / DATASET_FILE
    if not path.exists():
        return DatasetFile()
    node = read_yaml_node(path, "a mapping such as 'fps: 30'", DataError)
    content = yaml_value(node, str(path), DataError)
    if node is not None and not isinstance(node, yaml.MappingNode):
        raise DataError(f"{path}:{node.start_mark.line + 1}: expected a mapping such as 'fps: 30'")
    lines = {} if node is None else {key.value: key.start_mark.line + 1 for key, _ in node.value}
    try:
        return DatasetFile.model_validate({} if content is None else content)
    except ValidationError as error:
        first = error.errors()[0]
        key = str(first["loc"][0]) if first["loc"] else ""
        raise DataError(f"{path}:{lines.get(key, 1)}: {_problem(key, first)}") from None


def _problem(key: str, problem: Any) -> str:
    if problem["type"] == "extra_forbidden" and len(problem["loc"]) == 1:
        known = DatasetFile.model_fields
        return f"unknown key {key!r}{nearest(key, known)}; known: {', '.join(known)}"
    place = ".".join(map(str, problem["loc"]))
    return f"{place}: {problem_text(problem)}" if place else problem_text(problem)


def write_dataset_file(root: Path, facts: DatasetFile) -> None:
    """Write dataset.yaml below `root`, without what is not stated; comments in an earlier one stay. No file if nothing
    is stated."""
    content = facts.model_dump(mode="json", exclude_defaults=True)
    if facts.fps is not None and facts.fps.denominator == 1:
        content["fps"] = int(facts.fps)
    path = root / DATASET_FILE
    if content:
        write_text(path, _edited(path, content))


def _edited(path: Path, content: Mapping[str, Any]) -> str:
    """The text of the dataset.yaml with these keys and values; comments, and lines that state the same, stay."""
    text = read_text(path, "YAML") if path.exists() else ""
    node = read_yaml_node(path, "YAML", DataError) if text else None
    stated = yaml_value(node, str(path), DataError) or {}
    if not isinstance(node, yaml.MappingNode) or node.flow_style:  # {fps: 30} in one line
        return to_yaml({**stated, **content})
    lines = text.splitlines()
    changed = {key: value for key, value in content.items() if key not in stated or stated[key] != value}
    for key, value in reversed(node.value):
        if key.value in changed:
            start, end = key.start_mark.line, value.end_mark.line + (value.end_mark.column > 0)
            while end > start + 1 and (not lines[end - 1].strip() or lines[end - 1].lstrip().startswith("#")):
                end -= 1  # a block ends where the next key starts, after the comments of that key
            lines[start:end] = to_yaml({key.value: changed.pop(key.value)}).splitlines()
    return "\n".join([*lines, *(to_yaml(changed).splitlines() if changed else ())]) + "\n"


def save_options(root: Path, options: Mapping[str, Any]) -> Path:
    """Write options of `ReadOptions` into dataset.yaml, whose other keys stay. Returns the file."""
    stated = read_dataset_file(root)
    write_dataset_file(root, DatasetFile.of(**{**stated.model_dump(exclude_defaults=True), **options}))
    return root / DATASET_FILE
