"""What the page shows before a video is opened: the folder's videos with their states, its classes and bundles."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from keyseg.formats import FORMATS
from keyseg.studio.bundles import active_bundle, bundles
from keyseg.studio.classes import classes
from keyseg.studio.store import CORRECTION, PREDICTION, PROPOSAL, Store
from keyseg.timeline.version import __version__


def library(store: Store, priorities: Mapping[str, int] | None = None) -> dict[str, Any]:
    """The answer of `GET /api/library`, of a few queries however many videos there are.

    priorities: rank of each video to label next, by id. A video's confidence is that of its prediction: the mean of the
    segments, weighted by their durations; of the active bundle where that has predicted it.
    """
    rows: dict[str, dict[str, float | None]] = defaultdict(dict)
    for row in store.select("SELECT video, name, confidence FROM rows ORDER BY name"):
        rows[row["video"]][row["name"]] = row["confidence"]
    proxies, preferred = _proxies(store), f"{PREDICTION}{active_bundle(store) or ''}"
    videos = [
        {
            "id": video["id"],
            "name": video["path"],
            "seconds": float(video["frames"] / Fraction(video["fps"])),
            "fps": video["fps"],
            "frames": video["frames"],
            "state": _state(bool(video["checked"]), rows[video["id"]]),
            "confidence": _confidence(rows[video["id"]], preferred),
            "priority": (priorities or {}).get(video["id"]),
            "missing": bool(video["missing"]),
            "playable": bool(video["playable"]),
            "proxy": proxies.get(video["id"], "none"),
            "rows": list(rows[video["id"]]),
            "error": video["error"],
        }
        for video in store.select("SELECT * FROM videos ORDER BY path, id")
    ]
    return {
        "folder": store.folder.name,
        "version": __version__,
        "classes": classes(store),
        "videos": videos,
        "bundles": bundles(store),
        "formats": list(FORMATS),
        "authors": [row["author"] for row in store.select("SELECT DISTINCT author FROM edits ORDER BY author")],
    }


def _state(checked: bool, rows: Mapping[str, float | None]) -> str:
    if checked:
        return "checked"
    if CORRECTION in rows:
        return "corrected"
    return "predicted" if any(name == PROPOSAL or name.startswith(PREDICTION) for name in rows) else "unlabelled"


def _confidence(rows: Mapping[str, float | None], preferred: str) -> float | None:
    """Of the preferred prediction, or else of the last by name."""
    found = [name for name, value in rows.items() if name.startswith(PREDICTION) and value is not None]
    return rows[max(found, key=lambda name: (name == preferred, name))] if found else None


def _proxies(store: Store) -> dict[str, str]:
    """State of the proxies that there are: files in .keyseg/proxies called like the videos, and jobs that make them."""
    states: dict[str, str] = {}
    for job in store.select("SELECT request FROM jobs WHERE kind = 'proxy' AND state IN ('queued', 'running')"):
        states |= dict.fromkeys(json.loads(job["request"]).get("videos") or (), "making")
    folder = store.private / "proxies"
    ready = (file.stem for file in folder.iterdir()) if folder.is_dir() else ()
    return states | dict.fromkeys(ready, "ready")
