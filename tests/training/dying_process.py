"""`keyseg` whose second process is killed in the third epoch; test_distributed.py runs it through torchrun."""

from __future__ import annotations

import os
from typing import Any

from keyseg.cli.main import main
from keyseg.training.module import SegmentationModule

step = SegmentationModule.training_step


def deadly(self: SegmentationModule, *batch: Any) -> Any:
    if os.environ["RANK"] == "1" and self.current_epoch == 2:
        os._exit(9)
    return step(self, *batch)


SegmentationModule.training_step = deadly  # type: ignore[method-assign]
main()
