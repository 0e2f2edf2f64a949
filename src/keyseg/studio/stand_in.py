"""Until the store scans: the videos of the folder, and its library."""

from __future__ import annotations

import hashlib
import json
from fractions import Fraction
from typing import Any

from keyseg.formats.text import VIDEO_SUFFIXES
from keyseg.studio.store import Store
from keyseg.timeline import KeysegError
from keyseg.video.reading import probe


def scan(store: Store) -> None:
    for path in sorted(store.folder.rglob("*")):
        if path.suffix.lower() not in VIDEO_SUFFIXES or ".keyseg" in path.parts:
            continue
        name = path.relative_to(store.folder).as_posix()
        if store.select("SELECT 1 FROM videos WHERE path = ?", name):
            continue
        try:
            info = probe(path)
        except KeysegError:
            continue
        fps = info.fps or Fraction(25)
        frames = round((info.declared_seconds or 1) * fps)
        key = hashlib.sha256(name.encode()).hexdigest()[:12]
        with store.transaction() as connection:
            connection.execute(
                "INSERT INTO videos(id, path, digest, size, modified, frames, fps, playable) VALUES (?,?,?,?,?,?,?,?)",
                (key, name, key, path.stat().st_size, path.stat().st_mtime, frames, str(fps), info.codec == "h264"),
            )


def videos(store: Store) -> list[dict[str, Any]]:
    rows: dict[str, list[str]] = {}
    for row in store.select("SELECT video, name FROM rows ORDER BY name"):
        rows.setdefault(row["video"], []).append(row["name"])
    found = []
    for video in store.select("SELECT * FROM videos ORDER BY path"):
        names = rows.get(video["id"], [])
        state = "corrected" if "correction" in names else "predicted" if names else "unlabelled"
        found.append(
            {
                "id": video["id"],
                "name": video["path"],
                "seconds": float(video["frames"] / Fraction(video["fps"])),
                "fps": video["fps"],
                "frames": video["frames"],
                "state": "checked" if video["checked"] else state,
                "confidence": None,
                "priority": None,
                "missing": bool(video["missing"]),
                "playable": bool(video["playable"]),
                "proxy": "none",
                "rows": names,
            }
        )
    return found


def bundles(store: Store) -> list[dict[str, Any]]:
    return [
        {"name": b["name"], "active": bool(b["active"]), "added": b["added"], "details": json.loads(b["details"])}
        for b in store.select("SELECT * FROM bundles ORDER BY added")
    ]
