"""Sections of settings, and what pydantic says of a wrong value in the words of this package."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails


class Section(BaseModel):
    """Frozen settings that refuse unknown keys. A subclass that gives a key another default keeps its description and
    its bounds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @classmethod
    def __pydantic_init_subclass__(cls, **options: Any) -> None:
        before = {name: field for base in reversed(cls.__bases__) for name, field in _fields(base).items()}
        bare = {name for name in before if before[name].description and not cls.model_fields[name].description}
        for name in bare:
            field = cls.model_fields[name]
            field.description = before[name].description
            if field.annotation == before[name].annotation and not field.metadata:
                field.metadata = before[name].metadata
        if bare:
            cls.model_rebuild(force=True)

    def changed(self, **values: Any) -> Self:
        """The same section with other, valid values."""
        return self.model_copy(update=values)


def _fields(section: type[Any]) -> Mapping[str, FieldInfo]:
    return section.model_fields if issubclass(section, BaseModel) else {}


def problem_text(problem: ErrorDetails) -> str:
    """One problem of a ValidationError: what is expected and what came. Our own validators say both themselves."""
    if problem["type"] == "value_error":
        return str(problem["ctx"]["error"])
    got = repr(problem["input"])[:80]
    if problem["type"] == "string_type" and isinstance(problem["input"], bool | int | float):  # such as a class 12
        return f"expected text, got {got}; put it in quotes"
    return f"{problem['msg']}, got {got}"
