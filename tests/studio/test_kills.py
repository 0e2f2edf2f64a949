"""A server that is killed at any moment loses no save that it acknowledged, and the next one opens the folder."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.mark.slow
def test_no_acknowledged_save_is_lost_in_kills(tmp_path, monkeypatch):
    pytest.importorskip("resource")  # Windows has no kill that a process does not notice
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "benchmarks")
    from studio_saves import killed_saves

    found = killed_saves(tmp_path / "films", saves=400, longest_life=0.5)
    assert found["lost"] == 0
    assert found["acknowledged"] >= 400
    assert found["more"] <= found["kills"]  # at most the one that was under way
