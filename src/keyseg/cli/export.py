"""keyseg export: a bundle as ONNX, or as a program of torch.export, for other programs."""

from __future__ import annotations

from pathlib import Path
from shlex import quote
from typing import Any

from keyseg.cli.terminal import show
from keyseg.cli.verb import presents
from keyseg.inference.export import export


@presents(export, bundle=Path, out=Path)
def export_verb(**arguments: Any) -> int:
    out = export(**arguments, report=show)
    use = f"\nnext: keyseg predict {quote(str(out))} INPUTS --out timelines" if arguments["to"] == "onnx" else ""
    show(f"{out}{use}")
    return 0
