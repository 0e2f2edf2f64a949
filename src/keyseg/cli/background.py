"""The option --background, which three verbs share."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

Background = Annotated[list[str] | None, Parameter(consume_multiple=True, negative="--empty-background")]


def background_names(given: list[str] | None) -> list[str] | None:
    """Class names as given, none for the single word `none`, None where the option was left out."""
    return [] if given == ["none"] else given
