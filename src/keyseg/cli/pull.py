"""keyseg pull: a bundle from the Hugging Face Hub, at one commit."""

from __future__ import annotations

from pathlib import Path
from shlex import quote
from typing import Any

from keyseg.cli.terminal import show
from keyseg.cli.verb import presents
from keyseg.inference.sharing import pull


@presents(pull, out=Path)
def pull_verb(**arguments: Any) -> int:
    out = pull(**arguments, report=print)
    show(f"{out}\nnext: keyseg predict {quote(str(out))} INPUTS --out timelines")
    return 0
