"""keyseg export: what it prints, and that predict takes what it wrote."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest


@pytest.mark.slow
def test_export_then_predict(keyseg: Any, trained: Path, kitchen: Path, tmp_path: Path) -> None:
    answer = keyseg("export", trained, "--out", tmp_path / "onnx")
    *files, folder, after = answer.out.splitlines()
    assert (answer.code, answer.err) == (0, "")
    assert files[-1].startswith(("model.onnx: opset 18; at 1, ", "refiner.onnx: opset 18; at 1, "))
    assert folder == str(tmp_path / "onnx")
    assert after == f"next: keyseg predict {folder} INPUTS --out timelines"
    video = sorted((kitchen / "features").iterdir())[0]
    texts = []
    for bundle in (trained, tmp_path / "onnx"):
        out = tmp_path / f"of-{bundle.name}"
        assert keyseg("predict", bundle, video, "--out", out).code == 0
        texts.append((out / f"{video.stem}.txt").read_text(encoding="utf-8"))
    assert texts[0] == texts[1]
    again = keyseg("export", trained, "--out", tmp_path / "onnx")
    assert (again.code, again.err) == (2, f"error: {tmp_path / 'onnx'} exists; choose another --out or use --force\n")
    assert keyseg("export", trained, "--to", "tflite", "--out", tmp_path / "x").code == 2
