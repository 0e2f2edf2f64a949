"""The classes of a folder: names with colours, in an order; each label of a timeline is one of them."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from pydantic import TypeAdapter, ValidationError

from keyseg.studio.segments import Label
from keyseg.timeline import ConfigError, DataError, class_name, nearest
from keyseg.viz.colours import PALETTE

if TYPE_CHECKING:
    from keyseg.studio.rows import Saved
    from keyseg.studio.store import Store

_LABEL: TypeAdapter[str] = TypeAdapter(Label)


def classes(store: Store) -> list[dict[str, str]]:
    """Name and `#rrggbb` colour of each class, in their order."""
    return [dict(row) for row in store.select("SELECT name, colour FROM classes ORDER BY position")]


def add_class(store: Store, name: str, colour: str | None = None) -> dict[str, str]:
    """Add a class, by default in a colour that no other has; its name and colour.

    Raises DataError if there is one of this name, or it cannot be a name, and ConfigError on no colour.

    >>> from pathlib import Path
    >>> from keyseg.studio.store import Store
    >>> store = Store(Path("films"))
    >>> add_class(store, "pour")
    {'name': 'pour', 'colour': '#0072b2'}
    >>> store.close()
    """
    name, colour = class_label(name), None if colour is None else _checked_colour(colour)
    with store.transaction() as connection:
        _refuse_duplicate(store, name)
        add_classes(connection, [name], colour)
    return next(one for one in classes(store) if one["name"] == name)


def recolour_class(store: Store, name: str, colour: str) -> None:
    """Change the colour of a class. Raises DataError if there is none of this name, ConfigError on no colour."""
    colour = _checked_colour(colour)
    with store.transaction() as connection:
        _need(store, name)
        connection.execute("UPDATE classes SET colour = ? WHERE name = ?", (colour, name))


def rename_class(store: Store, name: str, new: str, *, author: str) -> list[Saved]:
    """Rename a class in all timelines, as one edit of each, all or none; the saves.

    Videos that are marked as checked stay so. Raises DataError if there is no such class, or already one of the new
    name.
    """
    new = class_label(new)
    with store.saving() as saved:
        _need(store, name)
        _refuse_duplicate(store, new)
        store.relabel(saved, name, new, author=author)
    return saved


def class_label(name: str) -> str:
    """A name as a class may have it, without spaces around it. Raises DataError.

    >>> class_label(" take cup ")
    'take cup'
    """
    try:
        return _LABEL.validate_python(name)
    except ValidationError as error:
        raise DataError(f"{name!r} cannot be the name of a class: {error.errors()[0]['msg']}") from error


def spelling(store: Store) -> Callable[[str], str]:
    """How the folder spells a label: bundles and some formats have no spaces in names, so `take_cup` is the class
    `take cup` if there is one and none that is called `take_cup`."""
    names = [one["name"] for one in classes(store)]
    spelled = {class_name(name): name for name in names} | {name: name for name in names}
    return lambda label: spelled.get(label) or spelled.get(class_name(label), label)


def add_classes(connection: sqlite3.Connection, names: Iterable[str], colour: str | None = None) -> None:
    """Add those of these classes that are not there, each in a colour that no other has while there is one."""
    known = {row["name"]: row["colour"] for row in connection.execute("SELECT name, colour FROM classes")}
    for name in dict.fromkeys(names):
        if name in known:
            continue
        position = connection.execute("SELECT coalesce(max(position), -1) + 1 FROM classes").fetchone()[0]
        free = (one for one in PALETTE if one not in known.values())
        known[name] = colour or next(free, PALETTE[position % len(PALETTE)])
        connection.execute("INSERT INTO classes VALUES (?, ?, ?)", (name, known[name], position))


def _checked_colour(colour: str) -> str:
    if not re.fullmatch(r"#[0-9a-fA-F]{6}", colour):
        raise ConfigError(f"a colour is #rrggbb, such as #0072b2; got {colour[:40]!r}")
    return colour.lower()


def _need(store: Store, name: str) -> None:
    known = [one["name"] for one in classes(store)]
    if name not in known:
        raise DataError(f"there is no class {name!r}{nearest(name, known)}")


def _refuse_duplicate(store: Store, name: str) -> None:
    if store.select("SELECT 1 FROM classes WHERE name = ?", name):
        raise DataError(f"there is already a class {name!r}; choose another name")
