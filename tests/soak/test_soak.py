"""A sample of the soak, and two processes at once in one folder; `make soak` does the long run."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

from soak.soak import growth, soak, together

pytestmark = pytest.mark.slow
torch.set_num_threads(1)
_MOST_GROWTH = 8_000_000  # bytes of memory, from the 20th to the 60th prediction


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has /proc")
def test_sixty_predictions_leave_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    figures = [now for _, now, _ in soak(tmp_path, 60)]
    more = growth(figures[0], figures[-1])
    assert more.pop("memory") < _MOST_GROWTH
    assert more == dict.fromkeys(more, 0)
    assert figures[-1].temporary == 0
    assert [path for path in tmp_path.rglob(".*") if path.suffix != ".lock"] == []


@pytest.mark.parametrize("verb", ["predict", "features"])
def test_two_at_once_in_one_folder(verb: str, tmp_path: Path) -> None:
    assert together(tmp_path, verb, 2) >= 1
