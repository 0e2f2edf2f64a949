"""Problems that pydantic finds, in words."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from pydantic import BaseModel, ValidationError

from keyseg.timeline.rates import Rate
from keyseg.timeline.validation import problem_text


class Settings(BaseModel):
    fps: Rate
    side: Literal["left", "right"] = "left"
    count: int = 0


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"fps": 15, "side": "top"}, "Input should be 'left' or 'right', got 'top'"),
        ({"fps": 15, "count": "x" * 100}, "unable to parse string as an integer, got 'xxx"),
        ({"fps": "fast"}, "above 0 and at most 100000; got 'fast'"),
    ],
)
def test_a_problem_says_once_what_is_expected_and_what_came(values: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Settings.model_validate(values)
    (problem,) = caught.value.errors()
    text = problem_text(problem)
    assert words in text
    assert text.count("got ") == 1
    assert "Value error" not in text
    assert len(text) < 200
