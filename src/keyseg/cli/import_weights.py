"""keyseg import-weights: weights of the reference programs into bundles."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

from keyseg.cli.options import Background, FrameRate, PositiveNumber


def import_weights_verb(
    weights: Path,
    /,
    *,
    model: str,
    out: Path,
    mapping: Path | None = None,
    background: Background = None,
    fps: FrameRate | None = None,
    sample_rate: PositiveNumber | None = None,
    force: bool = False,
) -> int:
    """Make a bundle from weights that a system's reference program trained.

    For example: `keyseg import-weights epoch-120.model --model asformer --out BUNDLE`. All sizes are read from the
    names and shapes of the tensors. Nothing in the file is executed; a file that holds anything but tensors is refused,
    and nothing is written.

    Parameters
    ----------
    weights
        State dict as .pth, .pt, .model (torch) or .safetensors.
    model
        System that the weights belong to, such as asformer; a wrong name lists those that can be imported.
    out
        Folder for the bundle.
    mapping
        mapping.txt of the data set, which names the classes. Default: class0, class1, ...
    background
        Names of classes that are not actions; none for no such class. Default: the class 'background'.
    fps
        Annotation frames per second, such as 15 or 30000/1001. Default: that of the data set with these classes, else
        15.
    sample_rate
        Annotation frames per feature step. Default: the usual one for the data set with these classes (2 for 50Salads),
        else 1.
    force
        Overwrite an existing bundle.
    """
    from keyseg.inference.reference import import_weights

    bundle = import_weights(
        weights,
        model,
        out,
        mapping=mapping,
        background=background,
        fps=fps,
        sample_rate=sample_rate,
        force=force,
        report=partial(print, file=sys.stderr),
    )
    print(bundle)
    return 0
