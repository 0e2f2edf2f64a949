"""The bundles of a folder: models that predict its videos, one of them active."""

from __future__ import annotations

import json
import sqlite3
import time
from pathlib import Path
from typing import Any

from keyseg.studio.store import Store
from keyseg.timeline import DataError, nearest


def bundles(store: Store) -> list[dict[str, Any]]:
    """Name, whether it is active, when it was added and the details of each bundle, in the order of adding."""
    return [
        {
            "name": row["name"],
            "active": bool(row["active"]),
            "added": row["added"],
            "details": json.loads(row["details"]),
        }
        for row in store.select("SELECT * FROM bundles ORDER BY added, rowid")
    ]


def add_bundle(store: Store, name: str, path: Path, details: dict[str, Any], *, active: bool = False) -> None:
    """Add a bundle, or replace that of this name. One below the folder is found again in a copy of the folder."""
    whole = path.resolve()
    place = whole.relative_to(store.folder) if whole.is_relative_to(store.folder) else whole
    with store.transaction() as connection:
        connection.execute(
            "INSERT INTO bundles(name, path, added, details) VALUES (?, ?, ?, ?) ON CONFLICT(name) DO UPDATE SET"
            " path = excluded.path, added = excluded.added, details = excluded.details",
            (name, place.as_posix(), time.time(), json.dumps(details)),
        )
        if active:
            _activate(connection, name)


def activate_bundle(store: Store, name: str) -> None:
    """Let a bundle predict from now on. Raises DataError if there is none of this name."""
    bundle_path(store, name)
    with store.transaction() as connection:
        _activate(connection, name)


def active_bundle(store: Store) -> str | None:
    """Name of the bundle that predicts, if there is one."""
    return next((row["name"] for row in store.select("SELECT name FROM bundles WHERE active = 1")), None)


def bundle_path(store: Store, name: str) -> Path:
    """Folder of a bundle. Raises DataError if there is none of this name."""
    known = {row["name"]: row["path"] for row in store.select("SELECT name, path FROM bundles")}
    if name not in known:
        raise DataError(f"there is no bundle {name!r}{nearest(name, known)}; add it first")
    return store.folder / known[name]


def _activate(connection: sqlite3.Connection, name: str) -> None:
    connection.execute("UPDATE bundles SET active = (name = ?)", (name,))
