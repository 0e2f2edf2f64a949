"""Sections of settings, and what pydantic says of a wrong value in the words of this package."""

from __future__ import annotations

from typing import Any, Self

from pydantic import BaseModel, ConfigDict
from pydantic_core import ErrorDetails


class Section(BaseModel):
    """Frozen settings that refuse unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def changed(self, **values: Any) -> Self:
        """The same section with other, valid values."""
        return self.model_copy(update=values)


def problem_text(problem: ErrorDetails) -> str:
    """One problem of a ValidationError: what is expected and what came. Our own validators say both themselves."""
    if problem["type"] == "value_error":
        return str(problem["ctx"]["error"])
    return f"{problem['msg']}, got {repr(problem['input'])[:80]}"
