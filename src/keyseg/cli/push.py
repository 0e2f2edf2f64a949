"""keyseg push: a bundle to the Hugging Face Hub or into a folder, for others."""

from __future__ import annotations

import json
from pathlib import Path
from shlex import quote
from typing import Any

from keyseg.cli.terminal import note, show
from keyseg.cli.verb import presents
from keyseg.inference.sharing import push


@presents(push, bundle=Path)
def push_verb(**arguments: Any) -> int:
    where = push(**arguments, report=note)
    code = f"keyseg.load({json.dumps(where, ensure_ascii=False)})"
    show(f"{where}\nnext: keyseg predict {quote(where)} INPUTS --out timelines, or in Python {code}")
    return 0
