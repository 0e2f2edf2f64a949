"""What SECURITY.md promises, held against the source: nothing is executed, and few modules start programs or connect."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import keyseg
from keyseg.cli.main import VERBS
from keyseg.formats.table_of_formats import FORMATS
from keyseg.video.table_of_extractors import EXTRACTORS

ROOT = Path(__file__).parents[1]
SOURCE = Path(keyseg.__file__).parent
FILES = sorted(SOURCE.rglob("*.py"))
PAGE = (ROOT / "SECURITY.md").read_text(encoding="utf-8")

# Modules that start a process, and which.
STARTERS = {
    "cli/doctor.py": "Python, to import torch apart",
    "studio/jobs_process.py": "",
}
