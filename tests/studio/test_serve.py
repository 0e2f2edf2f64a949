"""keyseg serve: a video in, its timeline out, for those who have the token and no others."""

from __future__ import annotations

import time

import pytest

from drawn_films import write_film, write_untrained_bundle
from keyseg.inference.bundle import load
from keyseg.studio.job_queue import ALIVE
from keyseg.studio.serving import serve
from keyseg.studio.store import Store
from keyseg.timeline import BundleError, ConfigError, DataError
from moving_square import pictures

testclient = pytest.importorskip("fastapi.testclient")
pytestmark = pytest.mark.slow
TOKEN = "correct horse battery"
HEADERS = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture(scope="module")
def films(tmp_path_factory):
    folder = tmp_path_factory.mktemp("films")
    write_film(folder / "day 1.mp4", pictures(2))
    (folder / "damaged.mp4").write_bytes(b"no film")
    write_film(folder.parent / "outside.mp4", pictures(2))
    return folder


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return write_untrained_bundle(tmp_path_factory.mktemp("bundles") / "blank")


@pytest.fixture
def client(tmp_path, films, bundle):
    yield from clients(tmp_path, bundle, folder=films)


def clients(place, bundle, **options):
    from keyseg.studio.headless import create_headless

    store = Store(place)
    app = create_headless(store, bundle, token=TOKEN, **options)
    with testclient.TestClient(app, base_url="http://127.0.0.1:8765", headers=HEADERS) as opened:
        opened.place = place
        yield opened
    store.close()


def upload(films, name="day 1.mp4"):
    return {"file": (name, (films / "day 1.mp4").read_bytes())}


def ended(client, job):
    while (seen := client.get(f"/api/jobs/{job}").json())["state"] in ALIVE:
        time.sleep(0.05)
    return seen


def test_an_upload_becomes_the_timeline_that_the_predictor_makes(client, films, bundle):
    answer = client.post("/api/predict?format=txt", files=upload(films))
    assert answer.status_code == 200, answer.text
    labels = load(bundle).predict(films / "day 1.mp4").frame_labels
    assert answer.text.split() == labels
    assert answer.headers["content-type"].startswith("text/plain")
    assert not list((client.place / ".keyseg" / "uploads").iterdir())
    assert not list(client.place.rglob("*.npy"))


def test_a_path_below_the_folder_and_other_formats_later(client):
    answer = client.post("/api/predict?wait=0", json={"path": "day 1.mp4"})
    assert answer.status_code == 202
    job = answer.json()["id"]
    assert answer.headers["location"] == f"/api/jobs/{job}"
    early = client.get(f"/api/jobs/{job}/timeline")
    assert early.status_code == 409
    assert "not there yet" in early.json()["error"]
    assert ended(client, job)["state"] == "done"
    assert client.get(f"/api/jobs/{job}/timeline?format=vtt").text.startswith("WEBVTT")
    timeline = client.get(f"/api/jobs/{job}/timeline").json()
    assert "day 1" in str(timeline)
    assert [one["id"] for one in client.get("/api/jobs").json()] == [job]


@pytest.mark.parametrize("path", ["../outside.mp4", "/etc/hostname", "gone.mp4", ".", "", "a\0b"])
def test_nothing_outside_the_folder_is_read(client, path):
    answer = client.post("/api/predict", json={"path": path})
    assert answer.status_code == 404
    assert "no such file below the server's folder" in answer.json()["error"]


def test_without_a_folder_there_are_uploads_only(tmp_path, bundle):
    for client in clients(tmp_path, bundle):
        answer = client.post("/api/predict", json={"path": "day 1.mp4"})
        assert answer.status_code == 400
        assert "upload the video" in answer.json()["error"]


def test_a_damaged_video_is_an_error_without_places_of_the_server(client, films):
    answer = client.post("/api/predict", json={"path": "damaged.mp4"})
    assert answer.status_code == 422
    assert "damaged.mp4" in answer.json()["error"]
    assert str(films) not in answer.text
    damaged = client.post("/api/predict", files={"file": ("film.mp4", b"no film")})
    assert damaged.status_code == 422
    assert str(client.place) not in damaged.text


def test_what_is_no_video_is_refused(client):
    assert client.post("/api/predict", files={"file": ("film.exe", b"x")}).status_code == 415
    assert client.post("/api/predict", content=b"x", headers={"content-type": "video/mp4"}).status_code == 415
    assert client.post("/api/predict", json={"file": "x"}).status_code == 422
    assert client.post("/api/predict", data={"x": "y"}, files={"other": ("film.mp4", b"x")}).status_code == 422
    wrong = client.post("/api/predict?format=vt", json={"path": "day 1.mp4"})
    assert wrong.status_code == 400
    assert "'vt'" in wrong.json()["error"]
    assert client.get("/api/jobs").json() == []
    assert not list((client.place / ".keyseg" / "uploads").iterdir())


def test_a_job_can_be_cancelled_and_its_upload_is_deleted(client, films):
    job = client.post("/api/predict?wait=0", files=upload(films)).json()["id"]
    assert len(list((client.place / ".keyseg" / "uploads").iterdir())) == 1
    assert client.delete(f"/api/jobs/{job}").json()["state"] == "cancelled"
    assert not list((client.place / ".keyseg" / "uploads").iterdir())
    assert client.get(f"/api/jobs/{job}/timeline").status_code == 410
    assert client.delete("/api/jobs/x").status_code == 404


def test_limits_of_size_queue_and_time(tmp_path, bundle, films):
    for client in clients(tmp_path, bundle, folder=films, most_bytes=1000, most_queued=1, most_seconds=0.01):
        assert client.post("/api/predict", files=upload(films)).status_code == 413
        answers = [client.post("/api/predict?wait=0", json={"path": "day 1.mp4"}) for _ in range(3)]
        assert answers[0].status_code == 202
        assert answers[-1].status_code == 429
        assert "waiting already" in answers[-1].json()["error"]
        job = ended(client, answers[0].json()["id"])
        assert job["state"] == "failed"
        assert "longest that a job may take" in job["message"]


def test_only_health_needs_no_token(client):
    client.headers.pop("Authorization")
    assert client.get("/health").json()["status"] == "ok"
    for path in ("/api/jobs", "/api/openapi.json"):
        assert client.get(path).status_code == 401
    assert client.post("/api/predict", json={"path": "day 1.mp4"}).status_code == 401
    assert client.get("/health", headers={"Host": "evil.example"}).status_code == 403
    assert client.get("/health", headers={"Origin": "https://evil.example"}).status_code == 403


def test_the_description_has_both_bodies_and_no_other_jobs(client):
    paths = client.get("/api/openapi.json").json()["paths"]
    body = paths["/api/predict"]["post"]["requestBody"]["content"]
    assert set(body) == {"multipart/form-data", "application/json"}
    assert set(paths) == {"/health", "/api/predict", "/api/jobs", "/api/jobs/{job}", "/api/jobs/{job}/timeline"}
    assert set(paths["/api/jobs"]) == {"get"}
    assert client.post("/api/jobs", json={"kind": "predict"}).status_code == 405


def test_what_cannot_be_served_is_refused(tmp_path, bundle):
    with pytest.raises(ConfigError, match="choose a secret"):
        serve(bundle, host="0.0.0.0")
    with pytest.raises(ConfigError, match="at least 16 characters"):
        serve(bundle, token="short")
    with pytest.raises(ConfigError, match="--most-mib must be at least 1"):
        serve(bundle, most_mib=0)
    with pytest.raises(DataError, match="no such folder"):
        serve(bundle, folder=tmp_path / "gone")
    with pytest.raises(BundleError, match="no bundle here"):
        serve(tmp_path)
