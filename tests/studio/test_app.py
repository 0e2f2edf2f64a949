"""The routes of the library, of timelines and of files, by what they answer."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from keyseg.formats import FORMATS
from keyseg.studio.app import create_app
from keyseg.studio.segments import TimedSegment
from keyseg.studio.store import Store
from keyseg.timeline import BundleError
from served_folder import ADDRESS, BEARER, TOKEN, add_video, insertion, let_scan_end


def segments(client: TestClient, film: str, row: str = "correction") -> list[tuple[int, int, str]]:
    found = client.get(film).json()["rows"][row]["segments"]
    return [(one["start_frame"], one["end_frame"], one["label"]) for one in found]


def predict(store: Store, film: str, row: str = "prediction:b", confidence: float = 0.5) -> None:
    both = [
        TimedSegment(start_frame=0, end_frame=40, label="cut", confidence=confidence),
        TimedSegment(start_frame=40, end_frame=90, label="pour", confidence=confidence),
    ]
    store.replace(film.rpartition("/")[2], row, both, author="b", action="predict", details={"strip": [50, 60]})


def test_the_page_and_its_files_have_the_types_that_browsers_need(client: TestClient) -> None:
    assert client.get("/").headers["content-type"] == "text/html; charset=utf-8"
    for name, kind in {"main.js": "text/javascript", "style.css": "text/css"}.items():
        assert client.get(f"/page/{name}").headers["content-type"].startswith(kind)
    assert client.get("/page/none.js").status_code == 404


def test_the_page_loads_nothing_from_elsewhere_and_has_no_script_in_it(client: TestClient) -> None:
    page = client.get("/").text
    assert "http://" not in page.replace("http://www.w3.org/", "")
    assert "https://" not in page
    assert "style=" not in page
    assert "onclick" not in page


def test_the_library_of_a_new_folder(client: TestClient, film: str) -> None:
    library = client.get("/api/library").json()
    video = library["videos"][0]
    assert library["folder"] == "films"
    assert library["formats"] == list(FORMATS)
    assert (video["name"], video["seconds"], video["fps"], video["frames"]) == ("film.mp4", 10.0, "10", 100)
    assert (video["state"], video["confidence"], video["rows"], video["proxy"]) == ("unlabelled", None, [], "none")


def test_the_state_and_confidence_of_a_video(client: TestClient, film: str, store: Store) -> None:
    def video() -> dict[str, Any]:
        found: dict[str, Any] = client.get("/api/library").json()["videos"][0]
        return found

    predict(store, film, confidence=0.25)
    assert (video()["state"], video()["confidence"], video()["priority"]) == ("predicted", 0.25, 1)
    copied = client.post(f"{film}/rows/correction/copy", json={"from": "prediction:b", "revision": 0, "author": "Ada"})
    assert copied.json()["revision"] == 1
    assert (video()["state"], video()["priority"]) == ("corrected", None)
    assert client.post(f"{film}/checked", json={"checked": True, "author": "Ada"}).status_code == 200
    assert video()["state"] == "checked"
    assert client.post(f"{film}/checked", json={"checked": False, "author": "Ada"}).status_code == 200
    assert video()["state"] == "corrected"


@pytest.mark.slow
def test_a_new_video_is_found_while_the_server_runs(client: TestClient, store: Store) -> None:
    (store.folder / "broken.mp4").write_bytes(b"no video")
    client.get("/api/library")
    let_scan_end()
    names = {one["name"]: one["error"] for one in client.get("/api/library").json()["videos"]}
    assert names["broken.mp4"]
    assert str(store.folder) not in names["broken.mp4"]


def test_an_edit_and_the_row_afterwards(client: TestClient, film: str) -> None:
    edits = f"{film}/rows/correction/edits"
    assert client.post(edits, json=insertion(0, 9, "pour")).json() == {"revision": 1}
    assert client.post(edits, json=insertion(20, 30, "cut", revision=1, at=1)).json() == {"revision": 2}
    assert segments(client, film) == [(0, 9, "pour"), (20, 30, "cut")]
    history = client.get(f"{film}/rows/correction/history").json()
    assert [(one["revision"], one["action"], one["author"]) for one in history] == [
        (1, "insert", "Ada"),
        (2, "insert", "Ada"),
    ]
    assert history[1]["splice"]["inserted"][0] == {"start_frame": 20, "end_frame": 30, "label": "cut"}


def test_of_two_edits_of_one_revision_the_later_gets_the_row_of_the_earlier(client: TestClient, film: str) -> None:
    edits = f"{film}/rows/correction/edits"
    client.post(edits, json=insertion(0, 9, "pour"))
    answer = client.post(edits, json=insertion(20, 30, "cut"))
    assert answer.status_code == 409
    assert answer.json()["author"] == "Ada"
    assert answer.json()["row"]["revision"] == 1
    assert answer.json()["row"]["segments"] == [{"start_frame": 0, "end_frame": 9, "label": "pour"}]
    assert segments(client, film) == [(0, 9, "pour")]


def test_a_copy_of_an_earlier_revision_is_a_conflict(client: TestClient, film: str, store: Store) -> None:
    predict(store, film)
    client.post(f"{film}/rows/correction/edits", json=insertion(0, 9, "pour"))
    answer = client.post(f"{film}/rows/correction/copy", json={"from": "prediction:b", "revision": 0})
    assert answer.status_code == 409
    assert segments(client, film) == [(0, 9, "pour")]


@pytest.mark.parametrize(
    "change",
    [
        {"revision": -1},
        {"revision": "x"},
        {"action": ""},
        {"author": "a\nb"},
        {"author": "x" * 101},
        {"more": 1},
        {"splice": {"at": 0, "removed": [], "inserted": [{"start_frame": 5, "end_frame": 5, "label": "x"}]}},
        {"splice": {"at": 0, "removed": [], "inserted": [{"start_frame": -1, "end_frame": 5, "label": "x"}]}},
        {"splice": {"at": 0, "removed": [], "inserted": [{"start_frame": 1.5, "end_frame": 5, "label": "x"}]}},
    ],
)
def test_a_misspelt_edit_is_refused_with_the_place(client: TestClient, film: str, change: dict[str, Any]) -> None:
    answer = client.post(f"{film}/rows/correction/edits", json=insertion(0, 9, "pour") | change)
    assert answer.status_code == 422
    assert next(iter(change)) in answer.json()["error"]
    assert client.get(film).json()["rows"] == {}


def test_an_edit_past_the_end_or_of_segments_that_are_not_there_is_refused(client: TestClient, film: str) -> None:
    edits = f"{film}/rows/correction/edits"
    for request in (insertion(90, 101, "pour"), insertion(0, 9, "pour", at=3)):
        answer = client.post(edits, json=request)
        assert answer.status_code == 400, request
        assert answer.json()["error"]
    assert client.get(film).json()["rows"] == {}


@pytest.mark.parametrize("row", ["prediction:b", "proposal", "other"])
def test_only_corrections_and_references_are_edited(client: TestClient, film: str, row: str) -> None:
    assert client.post(f"{film}/rows/{row}/edits", json=insertion(0, 9, "pour")).status_code == 422


def test_classes_are_added_recoloured_and_renamed_everywhere(client: TestClient, film: str) -> None:
    client.post(f"{film}/rows/correction/edits", json=insertion(0, 9, "pour"))
    assert client.post("/api/classes", json={"name": "cut", "colour": "#102030"}).status_code == 201
    assert client.post("/api/classes", json={"name": "cut", "colour": "#102030"}).status_code == 400
    assert client.post("/api/classes", json={"name": "mix", "colour": "red"}).status_code == 422
    answer = client.patch("/api/classes/pour", json={"name": "pour water", "colour": "#AABBCC", "author": "Ada"})
    assert answer.json() == {"name": "pour water", "colour": "#aabbcc"}
    assert segments(client, film) == [(0, 9, "pour water")]
    assert client.patch("/api/classes/pour%20water", json={"name": "cut"}).status_code == 400


def test_a_class_may_have_a_slash_in_its_name(client: TestClient) -> None:
    client.post("/api/classes", json={"name": "cut/slice", "colour": "#102030"})
    answer = client.patch("/api/classes/cut%2Fslice", json={"colour": "#ffffff"})
    assert answer.json() == {"name": "cut/slice", "colour": "#ffffff"}


@pytest.mark.slow
def test_a_folder_that_is_no_bundle_is_not_added(client: TestClient, tmp_path: Path) -> None:
    answer = client.post("/api/bundles", json={"path": str(tmp_path / "none")})
    assert answer.status_code == 400
    assert "no bundle" in answer.json()["error"]
    assert client.get("/api/library").json()["bundles"] == []


def test_what_to_label_next_is_what_is_little_labelled(client: TestClient, film: str, store: Store) -> None:
    def whole(video: str, row: str, label: str) -> None:
        segment = TimedSegment(start_frame=0, end_frame=100, label=label)
        store.replace(video, row, [segment], author="b", action="predict")

    def order() -> list[tuple[str, int, str]]:
        return [(one["id"], one["priority"], one["why"]) for one in client.get("/api/next").json()]

    one, other = film.rpartition("/")[2], add_video(store, "other.mp4")
    with store.transaction() as connection:
        connection.execute("INSERT INTO bundles VALUES ('b', 'b', 0, 1, '{}')")
    whole(one, "prediction:b", "cut")
    whole(other, "prediction:b", "pour")
    whole(other, "prediction:a", "cut")  # a bundle that is not active
    whole(add_video(store, "done.mp4"), "correction", "cut")
    assert order() == [(other, 1, "adds to pour"), (one, 2, "adds to cut")]
    whole(one, "prediction:b", "pour")
    whole(other, "prediction:b", "cut")
    assert order() == [(one, 1, "adds to pour"), (other, 2, "adds to cut")]
    client.post(f"/api/videos/{one}/rows/correction/copy", json={"from": "prediction:b", "revision": 0})
    assert order() == [(other, 1, "adds to cut")]


ALONE = [name for name in FORMATS if name not in ("nwb", "otio", "edl", "recog")]


@pytest.mark.parametrize("name", ALONE)
def test_a_correction_comes_back_from_every_format(client: TestClient, store: Store, film: str, name: str) -> None:
    client.post(f"{film}/rows/correction/edits", json=insertion(0, 9, "pour"))
    client.post(f"{film}/rows/correction/edits", json=insertion(20, 100, "cut", revision=1, at=1))
    answer = client.get(f"{film}/export", params={"format": name})
    assert answer.status_code == 200
    assert str(store.folder).encode() not in answer.content
    own = answer.headers["content-disposition"].partition("''")[2]
    assert own == f"film{FORMATS[name].suffix}"
    back = client.post(f"{film}/import", params={"row": "reference", "name": own}, content=answer.content)
    assert back.status_code == 200, back.text
    assert segments(client, film, "reference") == [(0, 9, "pour"), (20, 100, "cut")]


NO_SPACES = {"txt", "recog", "json", "caltech", "rttm"}  # formats whose labels cannot hold them


@pytest.mark.parametrize("fmt", FORMATS)
def test_a_label_with_spaces_comes_back_as_the_same_class(client: TestClient, film: str, fmt: str) -> None:
    client.post(f"{film}/rows/correction/edits", json=insertion(10, 20, "take  the_cup"))
    answer = client.get(f"{film}/export", params={"format": fmt})
    if answer.status_code == 400:
        pytest.skip(answer.json()["error"])  # a library that is not installed
    if fmt not in {*NO_SPACES, "nwb"}:
        assert "take  the_cup" in answer.text
    own = f"film{FORMATS[fmt].suffix}"
    client.post(f"{film}/import", params={"row": "reference", "name": own}, content=answer.content)
    (segment,) = client.get(film).json()["rows"]["reference"]["segments"]
    assert segment["label"] == "take  the_cup"
    assert [one["name"] for one in client.get("/api/library").json()["classes"]] == ["take  the_cup"]


def test_elan_finds_the_film_beside_the_exported_file(client: TestClient, film: str) -> None:
    client.post(f"{film}/rows/correction/edits", json=insertion(10, 20, "pour"))
    exported = client.get(f"{film}/export", params={"format": "eaf"}).text
    assert 'RELATIVE_MEDIA_URL="./film.mp4"' in exported


def test_a_class_of_exactly_the_name_comes_first(client: TestClient, film: str) -> None:
    for name in ("take_cup", "take cup"):
        client.post("/api/classes", json={"name": name, "colour": "#0072b2"})
    for label in ("take_cup", "take cup"):
        vtt = f"WEBVTT\n\n00:01.000 --> 00:02.000\n{label}\n"
        client.post(f"{film}/import", params={"name": "film.vtt"}, content=vtt.encode())
        assert client.get(film).json()["rows"]["correction"]["segments"][0]["label"] == label


def test_files_are_imported_into_the_videos_that_they_name(client: TestClient, store: Store, film: str) -> None:
    add_video(store, "sub/tea.mp4")
    files = [
        ("files", ("film.vtt", b"WEBVTT\n\n00:01.000 --> 00:02.500\ntake cup\n")),
        ("files", ("..\\..\\tea.vtt", b"WEBVTT\n\n00:00.000 --> 00:01.000\npour\n")),
        ("files", ("nobody.vtt", b"WEBVTT\n\n00:00.000 --> 00:01.000\npour\n")),
        ("files", ("film.txt", b"\xff\xfe\0")),
        ("files", ("late.vtt", b"WEBVTT\n\n00:00.000 --> 99:01.000\npour\n")),
    ]
    answer = client.post("/api/import", params={"author": "Ada"}, files=files).json()
    assert {row["segments"][0]["label"] for row in answer["rows"].values()} == {"take cup", "pour"}
    assert len(answer["failures"]) == 3
    assert all("upload-" not in one["error"] and str(store.folder) not in one["error"] for one in answer["failures"])
    assert segments(client, film) == [(10, 25, "take cup")]
    assert not list((store.private / "uploads").iterdir())


def test_an_import_is_an_edit_that_keeps_what_was_there_in_the_history(client: TestClient, film: str) -> None:
    client.post(f"{film}/rows/correction/edits", json=insertion(50, 60, "cut"))
    vtt = b"WEBVTT\n\n00:01.000 --> 00:02.500\ntake cup\n"
    client.post(f"{film}/import", params={"name": "film.vtt", "author": "Bob"}, content=vtt)
    last = client.get(f"{film}/rows/correction/history").json()[-1]
    assert (last["author"], last["action"]) == ("Bob", "import of film.vtt")
    assert [one["label"] for one in last["splice"]["removed"]] == ["cut"]


def test_an_import_that_does_not_fit_is_called_as_its_file_is(client: TestClient, film: str) -> None:
    vtt = b"WEBVTT\n\n00:01.000 --> 23:00:00.000\ntake cup\n"
    error = client.post(f"{film}/import", params={"name": "late.vtt"}, content=vtt).json()["error"]
    assert error.startswith("late: 'take cup' from 1 s")


def test_what_a_killed_server_was_reading_is_removed(store: Store) -> None:
    left = store.private / "uploads" / "tmp1" / "half.vtt"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"half")
    with TestClient(create_app(store, token=TOKEN), base_url=ADDRESS):
        assert not left.parent.exists()


@pytest.mark.parametrize("content", [b"", b"\0\1\2", b"WEBVTT\n\n00:05.000 --> 00:02.500\nx\n"])
def test_a_file_that_cannot_be_read_changes_nothing(client: TestClient, film: str, content: bytes) -> None:
    answer = client.post(f"{film}/import", params={"name": "film.vtt"}, content=content)
    assert answer.status_code == 400
    assert answer.json()["error"]
    assert client.get(film).json()["rows"] == {}


def test_overlapping_actions_are_refused_unless_one_is_chosen(client: TestClient, film: str) -> None:
    vtt = b"WEBVTT\n\n00:00.000 --> 00:02.000\na\n\n00:01.000 --> 00:03.000\nb\n"
    assert client.post(f"{film}/import", params={"name": "a.vtt"}, content=vtt).status_code == 400
    client.post(f"{film}/import", params={"name": "a.vtt", "overlap": "last"}, content=vtt)
    assert segments(client, film) == [(0, 10, "a"), (10, 30, "b")]


def test_all_corrections_come_as_a_zip_that_is_safe_to_unpack(client: TestClient, store: Store, film: str) -> None:
    names = ["film.avi", "sub/film.mp4", "new.mp4"]
    names += ["a\\..\\..\\b.mp4", "sub/what?.mp4", "sub/what_.mp4"]
    for name in names:
        try:
            video = add_video(store, name)
        except OSError:  # Windows has no such names
            continue
        if name != "new.mp4":
            client.post(f"/api/videos/{video}/rows/correction/edits", json=insertion(0, 9, "pour"))
    client.post(f"{film}/rows/correction/edits", json=insertion(0, 9, "pour"))
    answer = client.get("/api/export", params={"format": "csv"})
    assert answer.headers["content-disposition"].endswith("films-csv.zip")
    inside = zipfile.ZipFile(io.BytesIO(answer.content)).namelist()
    assert {"film.csv", "film (2).csv", "sub/film.csv"} <= set(inside)
    assert len(inside) == len({name.casefold() for name in inside}) == len(store.videos()) - 1
    assert not any("\\" in name or ".." in name.split("/") or "?" in name for name in inside)


def test_an_export_of_what_is_not_there_says_so(client: TestClient, film: str) -> None:
    assert client.get(f"{film}/export", params={"format": "csv"}).status_code == 404
    assert client.get(f"{film}/export", params={"format": "csvv"}).status_code == 400
    assert client.get(f"{film}/export", params={"format": "csv", "row": "reference"}).status_code == 404


def test_jobs_are_started_listed_and_cancelled(client: TestClient, film: str) -> None:
    assert client.get("/api/jobs").json() == []
    assert client.post("/api/jobs", json={"kind": "dance"}).status_code == 422
    assert client.post("/api/jobs", json={"kind": "predict"}).status_code == 400
    for method in ("GET", "DELETE"):
        assert client.request(method, "/api/jobs/none").status_code == 404


@pytest.mark.slow
def test_a_bundle_is_named_at_the_start(store: Store, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="no bundle"):
        create_app(store, token=TOKEN, bundle=tmp_path / "none")


def test_two_applications_in_a_row_serve_one_folder(store: Store) -> None:
    for _ in range(2):
        with TestClient(create_app(store, token=TOKEN), base_url="http://127.0.0.1:1", headers=BEARER) as client:
            assert client.get("/api/library").status_code == 200
