"""The answer of GET /api/library: states, confidence, bundles, and few queries however many videos there are."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from keyseg.formats import FORMATS
from keyseg.studio.bundles import activate_bundle, active_bundle, add_bundle, bundle_folder, bundles
from keyseg.studio.library import library
from keyseg.studio.store import Store
from keyseg.timeline import DataError
from keyseg.timeline.version import __version__
from studio_folder import add_video, insert, segment


@pytest.fixture
def store(tmp_path):
    opened = Store(tmp_path / "films")
    yield opened
    opened.close()


def videos(store, **options):
    return {video["id"]: video for video in library(store, **options)["videos"]}


def test_an_empty_folder(store):
    assert library(store) == {
        "folder": "films",
        "version": __version__,
        "classes": [],
        "videos": [],
        "bundles": [],
        "formats": list(FORMATS),
        "authors": [],
    }


def test_a_video(store):
    add_video(store, frames=300, fps="30000/1001", path="day 1/tea.mp4")
    assert videos(store)["tea"] == {
        "id": "tea",
        "name": "day 1/tea.mp4",
        "seconds": pytest.approx(10.01),
        "fps": "30000/1001",
        "frames": 300,
        "state": "unlabelled",
        "confidence": None,
        "priority": None,
        "missing": False,
        "playable": True,
        "proxy": "none",
        "rows": [],
        "error": "",
    }
    assert videos(store, priorities={"tea": 1})["tea"]["priority"] == 1
    json.dumps(library(store))


def test_states(store):
    for name in ("none", "reference", "proposal", "predicted", "corrected", "checked"):
        add_video(store, name)
    for name, row in (("reference", "reference"), ("proposal", "proposal"), ("predicted", "prediction:b")):
        store.replace(name, row, [segment(0, 9)], author="b", action="x")
    for name in ("corrected", "checked"):
        store.replace(name, "prediction:b", [segment(0, 9)], author="b", action="x")
        insert(store, 0, segment(0, 9), video=name)
    store.check("checked", True, author="Ada")
    assert {name: video["state"] for name, video in videos(store).items()} == {
        "none": "unlabelled",
        "reference": "unlabelled",
        "proposal": "predicted",
        "predicted": "predicted",
        "corrected": "corrected",
        "checked": "checked",
    }
    assert library(store)["authors"] == ["Ada", "b"]
    assert videos(store)["checked"]["rows"] == ["correction", "prediction:b"]


def test_confidence_is_weighted_by_duration_and_is_that_of_the_active_bundle(store):
    add_video(store)
    first = [segment(0, 10, confidence=1.0), segment(50, 80, "stir", 0.2), segment(90, 99)]
    store.replace("tea", "prediction:first", first, author="first", action="predict")
    assert videos(store)["tea"]["confidence"] == pytest.approx((10 * 1.0 + 30 * 0.2) / 40)
    store.replace("tea", "prediction:second", [segment(0, 10, confidence=0.9)], author="second", action="predict")
    assert videos(store)["tea"]["confidence"] == pytest.approx(0.9)
    add_bundle(store, "first", store.folder / "first", {}, active=True)
    assert videos(store)["tea"]["confidence"] == pytest.approx(0.4)
    insert(store, 0, segment(0, 10))
    assert videos(store)["tea"]["confidence"] == pytest.approx(0.4)


def test_a_proxy_is_made_and_ready(store):
    for name in ("a", "b", "c"):
        add_video(store, name)
    with store.transaction() as connection:
        connection.execute(
            "INSERT INTO jobs VALUES ('1', 'proxy', ?, 'running', 0, '', '{}', 0, NULL)",
            (json.dumps({"videos": ["a"]}),),
        )
    (store.private / "proxies").mkdir()
    (store.private / "proxies" / "b.mp4").touch()
    (store.private / "proxies" / ".c.mp4.123.partial").touch()
    assert {name: video["proxy"] for name, video in videos(store).items()} == {"a": "making", "b": "ready", "c": "none"}


def test_a_job_for_all_videos_makes_the_proxies_of_those_that_browsers_do_not_play(store):
    for name in ("a", "b"):
        add_video(store, name)
    with store.transaction() as connection:
        connection.execute("UPDATE videos SET playable = 0 WHERE id = 'a'")
        connection.execute(
            "INSERT INTO jobs VALUES ('1', 'proxy', '{\"videos\": null}', 'queued', 0, '', '{}', 0, NULL)"
        )
    assert {name: video["proxy"] for name, video in videos(store).items()} == {"a": "making", "b": "none"}


def test_a_thousand_videos_take_no_more_queries_than_one(store, monkeypatch):
    counts = []
    add_video(store, "0")
    for size in (1, 300):
        for number in range(len(store.videos()), size):
            add_video(store, str(number))
        asked = []
        select = store.select
        with monkeypatch.context() as patch:
            patch.setattr(
                store, "select", lambda *values, asked=asked, select=select: asked.append(1) or select(*values)
            )
            library(store)
        counts.append(len(asked))
    assert counts[0] == counts[1]


def test_bundles(store):
    add_bundle(store, "old", store.folder / ".keyseg" / "bundles" / "old", {"epochs": 3}, active=True)
    add_bundle(store, "new", Path("/elsewhere/new"), {})
    assert [(one["name"], one["active"], one["details"]) for one in bundles(store)] == [
        ("old", True, {"epochs": 3}),
        ("new", False, {}),
    ]
    activate_bundle(store, "new")
    assert active_bundle(store) == "new"
    assert [one["active"] for one in bundles(store)] == [False, True]
    assert bundle_folder(store, "old") == store.folder / ".keyseg" / "bundles" / "old"
    assert store.select("SELECT path FROM bundles WHERE name = 'old'")[0]["path"] == ".keyseg/bundles/old"
    with pytest.raises(DataError, match=r"no bundle 'odl'.*old"):
        activate_bundle(store, "odl")
    assert active_bundle(store) == "new"
