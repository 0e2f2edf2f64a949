"""Who gets in, and what the server never tells: foreign pages, forged hosts, wrong tokens, paths, large bodies."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient

from keyseg.studio.app import create_app
from keyseg.studio.security import cookie_name
from keyseg.studio.store import Store
from served_folder import ADDRESS, BEARER, TOKEN, add_video, insertion

COOKIE = {"Cookie": f"{cookie_name(8765)}={TOKEN}"}
CHANGES = [
    ("POST", "/api/classes"),
    ("PATCH", "/api/classes/pour"),
    ("POST", "/api/bundles"),
    ("POST", "/api/bundles/b/activate"),
    ("POST", "/api/jobs"),
    ("DELETE", "/api/jobs/1"),
    ("POST", "/api/import"),
    ("POST", "/api/videos/1/import"),
    ("POST", "/api/videos/1/checked"),
    ("POST", "/api/videos/1/rows/correction/edits"),
    ("POST", "/api/videos/1/rows/correction/copy"),
]
READS = ["/", "/api/library", "/api/openapi.json", "/api/next", "/api/jobs", "/page/main.js"]


def test_every_changing_route_is_in_the_list_above(client: TestClient) -> None:
    paths = client.get("/api/openapi.json").json()["paths"]
    changing = {(m.upper(), p) for p, of in paths.items() for m in of if m in ("post", "put", "patch", "delete")}
    assert len(changing) == len(CHANGES)


@pytest.mark.parametrize(("method", "path"), [*(("GET", path) for path in READS), *CHANGES])
def test_without_the_token_nothing_is_shown_or_changed(anyone: TestClient, method: str, path: str) -> None:
    answer = anyone.request(method, path, json={}, headers={"Origin": ADDRESS})
    assert answer.status_code == 401
    assert "error" in answer.json()


@pytest.mark.parametrize("wrong", ["", "x", TOKEN[:-1], f"{TOKEN}x", TOKEN.upper(), "%00", "é" * 20])
def test_a_wrong_token_does_not_open(anyone: TestClient, wrong: str) -> None:
    bearer = {"Authorization": f"Bearer {wrong}".encode()}
    assert anyone.get("/api/library", headers=bearer).status_code == 401
    cookie = {"Cookie": f"{cookie_name(8765)}={wrong}".encode()}
    assert anyone.get("/api/library", headers=cookie).status_code == 401
    answer = anyone.get("/", params={"token": wrong})
    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers


def test_a_token_in_the_address_opens_the_page_only(anyone: TestClient) -> None:
    assert anyone.get("/api/library", params={"token": TOKEN}).status_code == 401
    assert anyone.post("/", params={"token": TOKEN}).status_code == 401


def test_the_token_of_the_address_becomes_a_cookie_that_scripts_cannot_read(anyone: TestClient) -> None:
    answer = anyone.get("/", params={"token": TOKEN, "video": "a b"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/?video=a+b")
    parts = {part.strip().lower() for part in answer.headers["set-cookie"].split(";")[1:]}
    assert {"httponly", "samesite=strict", "path=/"} <= parts
    assert not any(part.startswith(("domain", "expires", "max-age")) for part in parts)
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert anyone.get("/api/library").status_code == 200


def test_the_redirection_stays_on_this_server(anyone: TestClient) -> None:
    answer = anyone.get(f"/?token={TOKEN}&next=//evil.example")
    assert answer.headers["location"].startswith("/?next=")


@pytest.mark.parametrize(
    "origin",
    ["http://evil.example", "null", "http://127.0.0.1", "http://127.0.0.1:8766", "https://127.0.0.1:8765", "", "x"],
)
def test_requests_of_foreign_pages_are_refused(anyone: TestClient, origin: str) -> None:
    for headers in (COOKIE, BEARER):
        for method, path in [("GET", "/api/library"), *CHANGES]:
            answer = anyone.request(method, path, json={}, headers={**headers, "Origin": origin})
            assert answer.status_code == 403, (method, path)
            assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_what_a_browser_says_comes_from_elsewhere_is_refused(anyone: TestClient, site: str) -> None:
    for path in ("/api/library", "/page/main.js"):
        assert anyone.get(path, headers={**COOKIE, "Sec-Fetch-Site": site}).status_code == 403


def test_a_link_from_elsewhere_may_open_the_page(anyone: TestClient) -> None:
    answer = anyone.get("/", params={"token": TOKEN}, headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 303


def test_a_cookie_alone_changes_nothing(anyone: TestClient) -> None:
    body = {"name": "pour", "colour": "#102030"}
    assert anyone.post("/api/classes", json=body, headers=COOKIE).status_code == 403
    assert anyone.post("/api/classes", json=body, headers={**COOKIE, "Origin": ADDRESS}).status_code == 201


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8765",
        "127.0.0.1:8766",
        "127.0.0.1",
        "127.0.0.1.evil.example:8765",
        "localhost.evil.example:8765",
        "127.0.0.1:8765@evil.example",
        "evil.example@127.0.0.1:8765",
        "127.0.0.1:8765/x",
        "127.0.0.1:8765?x",
        "127.0.0.1:8765#x",
        "127.1:8765",
        "0.0.0.0:8765",
        "[::1",
        "127.0.0.1:port",
        "",
    ],
)
def test_a_forged_host_is_refused(anyone: TestClient, host: str) -> None:
    for path in ("/", "/api/library", "/health"):
        assert anyone.get(path, headers={**BEARER, "Host": host}).status_code == 403


@pytest.mark.parametrize("host", ["localhost:8765", "LOCALHOST:8765", "127.0.0.1:8765", "[::1]:8765"])
def test_this_machine_has_three_names(anyone: TestClient, host: str) -> None:
    assert anyone.get("/health", headers={"Host": host}).status_code == 200


def test_a_server_on_all_addresses_is_known_by_address_and_not_by_any_name(store: Store) -> None:
    with TestClient(create_app(store, token=TOKEN, host="0.0.0.0"), base_url="http://10.0.0.7:8765") as client:
        assert client.get("/health").status_code == 200
        assert client.get("/health", headers={"Host": "[fe80::1]:80"}).status_code == 200
        assert client.get("/health", headers={"Host": "evil.example:8765"}).status_code == 403


def test_a_named_host_is_known_by_its_name(store: Store) -> None:
    with TestClient(create_app(store, token=TOKEN, host="lab.example"), base_url="http://lab.example:8765") as client:
        assert client.get("/health").status_code == 200
        assert client.get("/health", headers={"Host": "other.example:8765"}).status_code == 403


def test_health_needs_no_token_and_says_little(anyone: TestClient) -> None:
    answer = anyone.get("/health")
    assert set(answer.json()) == {"status", "version"}


def test_every_answer_forbids_what_a_page_could_be_made_to_do(anyone: TestClient) -> None:
    for path, headers in [("/health", {}), ("/api/library", {}), ("/api/library", BEARER), ("/api/nothing", BEARER)]:
        answer = anyone.get(path, headers=headers)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'self'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cross-origin-opener-policy"] == "same-origin"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert answer.headers["x-frame-options"] == "DENY"


ESCAPES = [
    "../secret.txt",
    "..%2fsecret.txt",
    "..%252fsecret.txt",
    "%2e%2e/secret.txt",
    "%2e%2e%2fsecret.txt",
    "..\\secret.txt",
    "..%5csecret.txt",
    "....//secret.txt",
    "%c0%ae%c0%ae/secret.txt",
    "/etc/passwd",
    "%2fetc%2fpasswd",
    "film.mp4",
    "film.mp4%00",
    "x%0d%0aSet-Cookie:%20a=b",
]


@pytest.mark.parametrize("escape", ESCAPES)
def test_no_path_is_taken_from_an_address(client: TestClient, store: Store, escape: str) -> None:
    (store.folder.parent / "secret.txt").write_text("secret")
    for path in (f"/api/videos/{escape}/media", f"/api/videos/{escape}", f"/page/{escape}", f"/api/jobs/{escape}"):
        answer = client.get(path)
        assert answer.status_code in (404, 405), path
        assert b"secret" not in answer.content.replace(b"secret.txt", b"")
        assert b"root:" not in answer.content
        assert "set-cookie" not in answer.headers


def test_a_video_of_another_folder_is_not_there(client: TestClient, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = Store(tmp_path / "other")
    video = add_video(other, "theirs.mp4")
    other.close()
    for part in ("", "/media", "/thumbnail", "/frame?frame=0", "/waveform", "/export?format=csv", "/report"):
        assert client.get(f"/api/videos/{video}{part}").status_code == 404
    edit = client.post(f"/api/videos/{video}/rows/correction/edits", json=insertion(0, 5, "pour"))
    assert edit.status_code == 404


@pytest.fixture
def linked(store: Store, tmp_path: Path) -> tuple[str, str]:
    """A link to a file outside and one below a linked folder."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret.mp4").write_bytes(b"secret")
    try:
        (store.folder / "link.mp4").symlink_to(tmp_path / "outside" / "secret.mp4")
        (store.folder / "sub").symlink_to(tmp_path / "outside", target_is_directory=True)
    except OSError:
        pytest.skip("this system does not allow links")
    return add_video(store, "link.mp4", b"secret"), add_video(store, "sub/secret.mp4", b"secret")


def test_links_that_lead_out_are_refused(linked: tuple[str, str], client: TestClient) -> None:
    for video in linked:
        for part in ("media", "thumbnail", "frame?frame=0", "waveform"):
            answer = client.get(f"/api/videos/{video}/{part}")
            assert answer.status_code == 404
            assert "leads out" in answer.json()["error"]


def test_a_link_within_the_folder_is_followed(client: TestClient, store: Store) -> None:
    (store.folder / "real.bin").write_bytes(b"within")
    video = add_video(store, "inner.mp4", b"x")
    (store.folder / "inner.mp4").unlink()
    try:
        (store.folder / "inner.mp4").symlink_to("real.bin")
    except OSError:
        pytest.skip("this system does not allow links")
    assert client.get(f"/api/videos/{video}/media").content == b"within"


def test_errors_tell_no_folder_and_no_traceback(client: TestClient, film: str, store: Store) -> None:
    (store.folder / "film.mp4").write_bytes(b"no video")
    answers = [
        client.get(f"{film}/thumbnail"),
        client.get(f"{film}/report"),
        client.post("/api/jobs", json={"kind": "predict"}),
        client.post("/api/jobs", json={"kind": "predict", "bundle": "none"}),
        client.post(f"{film}/import", params={"name": "a.json"}, content=b"{"),
        client.patch("/api/classes/none", json={"colour": "#000000"}),
        client.post("/api/bundles/none/activate"),
        client.get("/api/videos/none"),
    ]
    for answer in answers:
        assert 400 <= answer.status_code < 500
        assert answer.json()["error"]
        assert str(store.folder.parent) not in answer.text
        assert "Traceback" not in answer.text


def test_a_mistake_of_ours_is_reported_without_its_traceback(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, store: Store
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError(f"at {store.folder}")

    monkeypatch.setattr("keyseg.studio.routes_library.library", broken)
    answer = client.get("/api/library")
    assert answer.status_code == 500
    assert set(answer.json()) == {"error"}
    assert str(store.folder) not in answer.text
    assert "x-content-type-options" in answer.headers


def test_other_machines_are_told_no_path_at_all(store: Store) -> None:
    with TestClient(create_app(store, token=TOKEN, host="0.0.0.0"), base_url="http://10.0.0.7:8765") as client:
        studio = client.app.state.studio  # type: ignore[attr-defined]
        assert studio.shown("see /tmp/a/b.log, C:\\Users\\me\\c.log and '/x/y z'") == "see b.log, c.log and 'y z'"
        assert studio.shown("half 1/2, and/or https://a.b/c") == "half 1/2, and/or https://a.b/c"


def test_large_bodies_are_refused(client: TestClient, film: str) -> None:
    large = b"x" * (65 * 2**20)
    assert client.post(f"{film}/import", content=large).status_code == 413
    assert client.post("/api/import", content=large).status_code == 413
    assert client.post("/api/classes", content=large[: 17 * 2**20]).status_code == 413


def test_a_large_body_without_a_length_is_refused_before_it_is_read(client: TestClient, film: str) -> None:
    sent = 0

    def endless() -> Iterator[bytes]:
        nonlocal sent
        while sent < 200:
            sent += 1
            yield b"x" * 2**20

    for path in (f"{film}/import", f"{film}/rows/correction/edits"):
        sent = 0
        answer = client.post(path, content=endless(), headers={"Content-Type": "application/json"})
        assert answer.status_code == 413
        assert "error" in answer.json()


@pytest.mark.parametrize("nested", ["[" * 100_000, '{"a":' * 100_000, '{"revision":' + "9" * 10_000 + "}"])
def test_a_hostile_body_is_an_error_of_the_client(client: TestClient, film: str, nested: str) -> None:
    answer = client.post(
        f"{film}/rows/correction/edits", content=nested.encode(), headers={"Content-Type": "application/json"}
    )
    assert answer.status_code in (400, 422)
    assert len(answer.content) < 2000


def test_an_index_that_no_timeline_has_is_an_error_of_the_client(client: TestClient, film: str) -> None:
    request = insertion(0, 9, "x", at=2**64)
    assert client.post(f"{film}/rows/correction/edits", json=request).status_code == 422


HALF = rb'"\ud800"'  # of a letter outside the basic plane, which no file or table can hold


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("rows/correction/copy", b'{"revision": 0, "from": %s}'),
        ("/api/jobs", b'{"kind": "proxy", "videos": [%s]}'),
        ("/api/jobs", b'{"kind": "predict", "bundle": %s}'),
        ("/api/bundles", b'{"path": %s}'),
        ("/api/classes", b'{"colour": "#000000", "name": %s}'),
    ],
)
def test_half_a_letter_is_an_error_of_the_client(client: TestClient, film: str, path: str, body: bytes) -> None:
    place = path if path.startswith("/") else f"{film}/{path}"
    answer = client.post(place, content=body % HALF, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422


@pytest.mark.parametrize("path", ["~nobody-of-this-name/b", "a\0b", "a" * 3000])
def test_a_path_that_cannot_be_is_no_bundle(client: TestClient, path: str) -> None:
    answer = client.post("/api/bundles", json={"path": path})
    assert answer.status_code == 400
    assert "no bundle" in answer.json()["error"]


@pytest.mark.parametrize("name", ["a\nb", "a\0b", "\x1b[31m", "", " ", "x" * 201])
def test_a_name_that_is_no_line_of_text_is_refused(client: TestClient, film: str, name: str) -> None:
    assert client.post("/api/classes", json={"name": name, "colour": "#000000"}).status_code == 422
    assert client.post(f"{film}/rows/correction/edits", json=insertion(0, 9, name)).status_code == 422


@pytest.mark.parametrize(
    "name", ['"><script>alert(1)</script>', "é ñ 日本 🎬", "' OR 1=1 --", "a\u202eb", "../../x", "%2e"]
)
def test_hostile_names_come_back_as_they_are(client: TestClient, store: Store, film: str, name: str) -> None:
    video = add_video(store, f"{name.replace('/', '_')}.mp4")
    assert client.post(f"/api/videos/{video}/rows/correction/edits", json=insertion(0, 9, name)).status_code == 200
    library = client.get("/api/library").json()
    assert any(one["name"] == f"{name.replace('/', '_')}.mp4" for one in library["videos"])
    assert name in [one["name"] for one in library["classes"]]
    answer = client.get(f"/api/videos/{video}/export", params={"format": "csv"})
    assert answer.status_code == 200
    disposition = answer.headers["content-disposition"]
    assert disposition.isascii()
    assert not set('\r\n<>"') & set(disposition.partition("''")[2])
    twice = quote(quote(name, safe=""), safe="")  # since this client takes the quotes off twice
    renamed = client.patch(f"/api/classes/{twice}", json={"name": "plain"})
    assert renamed.status_code == 200, renamed.text


def test_a_file_name_with_control_characters_cannot_split_a_header(client: TestClient, store: Store) -> None:
    try:
        video = add_video(store, "a\r\nSet-Cookie: x=y\r\n.mp4")
    except OSError:
        pytest.skip("this system has no such file names")
    client.post(f"/api/videos/{video}/rows/correction/edits", json=insertion(0, 9, "pour"))
    for part, status in (("media", 200), ("export?format=csv", 400)):  # no table could be read back with such a name
        answer = client.get(f"/api/videos/{video}/{part}")
        assert answer.status_code == status
        assert "set-cookie" not in answer.headers


def test_a_bundle_elsewhere_is_not_opened_for_other_machines(store: Store, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    app = create_app(store, token=TOKEN, host="0.0.0.0")
    with TestClient(app, base_url="http://10.0.0.7:8765", headers=BEARER) as client:
        for path in (str(tmp_path / "elsewhere"), "../elsewhere", "owner/name"):
            answer = client.post("/api/bundles", json={"path": path})
            assert answer.status_code == 403, path
            assert str(tmp_path) not in answer.text


def test_the_documentation_of_the_api_is_complete(client: TestClient) -> None:
    content = client.get("/api/openapi.json").json()
    assert json.dumps(content).isascii()
    for path, methods in content["paths"].items():
        for operation in methods.values():
            assert operation.get("description"), path
