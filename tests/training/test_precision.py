"""The precision of a training: what `auto` means on which machine, and that every result states what it was."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from keyseg.training.fit import precision_here
from keyseg.training.tables import computed_on

SPLIT1 = Path("split1") / "seed0"


@pytest.mark.parametrize(
    ("has_gpu", "computes", "expected"),
    [(False, False, "32-true"), (True, False, "32-true"), (True, True, "bf16-mixed")],
)
def test_auto_is_bf16_where_a_gpu_computes_in_it(
    has_gpu: bool, computes: bool, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def supported(including_emulation: bool = True) -> bool:
        return computes or including_emulation  # older GPUs emulate it, slowly

    monkeypatch.setattr(torch.cuda, "is_available", lambda: has_gpu)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", supported)
    assert precision_here("auto") == expected
    assert precision_here("16-mixed") == "16-mixed"
    assert precision_here("32-true") == "32-true"


@pytest.mark.skipif(torch.cuda.is_available(), reason="the GPU may compute in bf16")
def test_on_a_cpu_auto_comes_to_the_same_weights(workshop: Any, finished: Any, outcome: Any, tmp_path: Path) -> None:
    workshop.finish(workshop.start(tmp_path / "run", "optimiser.precision=auto"))
    same = ("bundle/weights.safetensors", "scores.json")
    assert outcome(tmp_path / "run" / SPLIT1, same) == outcome(finished.folder / SPLIT1, same)


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        pytest.param("auto", "32-true", marks=pytest.mark.skipif(torch.cuda.is_available(), reason="as above")),
        ("bf16-mixed", "bf16-mixed"),
    ],
)
def test_results_state_what_was_computed_in(setting: str, expected: str, workshop: Any, tmp_path: Path) -> None:
    workshop.finish(workshop.start(tmp_path / "run", f"optimiser.precision={setting}", "optimiser.epochs=2"))
    assert json.loads((tmp_path / "run" / SPLIT1 / "cost.json").read_text())["precision"] == expected
    tables = json.loads((tmp_path / "run" / "results.json").read_text())
    assert {cost["precision"] for cost in tables["cost"].values()} == {expected}
    assert f", 1 thread(s), {expected}\n" in (tmp_path / "run" / "results.md").read_text()


def test_runs_of_earlier_versions_do_not_state_it() -> None:
    cost = {"machine": "a processor", "threads": 2}
    assert computed_on(cost) == "a processor, 2 thread(s)"
    known = {"precision": "bf16-mixed", "processes": 1}
    assert computed_on(cost | known) == "a processor, 2 thread(s), bf16-mixed"
    assert computed_on(cost | known | {"processes": 4}) == "a processor, 2 thread(s), 4 processes, bf16-mixed"
