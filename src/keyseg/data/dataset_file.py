"""dataset.yaml: what a data set of the user's own videos remembers of the files that it was made from."""

from __future__ import annotations

from pathlib import Path

import yaml
from pydantic import Field, ValidationError

from keyseg.timeline import DataError
from keyseg.timeline.files import read_text, write_text
from keyseg.timeline.validation import Section, problem_text

DATASET_FILE = "dataset.yaml"


class DatasetFile(Section):
    """tier: the tier of ELAN and Praat that annotations are read from and predictions written to; None if any.

    groups: the group of each timeline, such as the person in its video; timelines of one group are never both trained
    and tested on. A timeline that is not in it is a group of its own.
    """

    tier: str | None = Field(default=None, min_length=1)
    groups: dict[str, str] = Field(default={})


def read_dataset_file(root: Path) -> DatasetFile:
    """What the data set at `root` remembers; nothing if it has no such file. Raises DataError on a damaged one."""
    path = root / DATASET_FILE
    if not path.exists():
        return DatasetFile()
    try:
        return DatasetFile.model_validate(yaml.safe_load(read_text(path, "facts about a data set")) or {})
    except yaml.YAMLError as error:
        raise DataError(f"{path}: not YAML ({' '.join(str(error).split())})") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise DataError(f"{path}: {place}: {problem_text(first)}; correct it, or delete the file") from None


def write_dataset_file(root: Path, facts: DatasetFile) -> None:
    """Write dataset.yaml below `root`, without what is not known; no file if nothing is."""
    content = facts.model_dump(exclude_defaults=True)
    if content:
        write_text(root / DATASET_FILE, yaml.safe_dump(content, allow_unicode=True, sort_keys=False))
