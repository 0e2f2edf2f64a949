"""What pydantic says of a wrong value, in the words of this package."""

from __future__ import annotations

from pydantic_core import ErrorDetails


def problem_text(problem: ErrorDetails) -> str:
    """One problem of a ValidationError: what is expected and what came. Our own validators say both themselves."""
    if problem["type"] == "value_error":
        return str(problem["ctx"]["error"])
    return f"{problem['msg']}, got {repr(problem['input'])[:80]}"
