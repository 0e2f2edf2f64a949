"""The stream of events: who hears what, over real connections."""

from __future__ import annotations

import asyncio
import http.client
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from keyseg.studio.address import listening
from keyseg.studio.app import create_app
from keyseg.studio.events import Events
from keyseg.studio.http_server import StudioServer
from keyseg.studio.store import Store
from served_folder import BEARER, TOKEN, add_video, insertion


@pytest.fixture
def port(store: Store) -> Iterator[int]:
    """The port of a running server of a folder with film.mp4."""
    add_video(store, "film.mp4")
    listener = listening("127.0.0.1", 0)
    app = create_app(store, token=TOKEN)
    server = StudioServer(app, app.state.studio.events.close)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    yield listener.getsockname()[1]
    server.handle_exit(2, None)
    thread.join(20)
    assert not thread.is_alive()


def asked(port: int, method: str, path: str, body: Any = None, **headers: str) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    sent = {"Content-Type": "application/json", **BEARER, **headers}
    connection.request(method, path, None if body is None else json.dumps(body), sent)
    return connection.getresponse()


def listen(port: int) -> http.client.HTTPResponse:
    """An open stream, after its first event."""
    stream = asked(port, "GET", "/api/events")
    assert stream.status == 200
    assert stream.headers["content-type"].startswith("text/event-stream")
    first = [stream.readline() for _ in range(4)]
    assert first[:2] == [b"event: library\n", b"data: {}\n"]  # what happened before it listened was told to nobody
    assert first[2].startswith(b"retry:")
    assert first[3] == b"\n"
    return stream


def heard(stream: http.client.HTTPResponse) -> tuple[str, Any]:
    kind, data, end = stream.readline(), stream.readline(), stream.readline()
    assert end == b"\n"
    return kind.decode().removeprefix("event: ").strip(), json.loads(data.decode().removeprefix("data: "))


def test_all_pages_hear_of_a_save(port: int, store: Store) -> None:
    video = store.videos()[0].id
    pages = [listen(port), listen(port)]
    answer = asked(port, "POST", f"/api/videos/{video}/rows/correction/edits", insertion(0, 9, "pour"))
    assert answer.status == 200
    for page in pages:
        saved = {"video": video, "row": "correction", "revision": 1, "author": "Ada"}
        assert heard(page) == ("saved", saved)
        page.close()


def test_a_refused_edit_is_not_news(port: int, store: Store) -> None:
    path = f"/api/videos/{store.videos()[0].id}/rows/correction/edits"
    page = listen(port)
    assert asked(port, "POST", path, insertion(0, 999, "pour")).status == 400
    assert asked(port, "POST", path, insertion(0, 9, "pour", revision=5)).status == 409
    assert asked(port, "POST", "/api/classes", {"name": "cut", "colour": "#000000"}).status == 201
    assert heard(page)[0] == "library"
    page.close()


def test_the_stream_needs_the_token_and_the_own_page(port: int) -> None:
    assert asked(port, "GET", "/api/events", Authorization="").status == 401
    assert asked(port, "GET", "/api/events", Origin="http://evil.example").status == 403
    assert asked(port, "GET", "/api/events", **{"Sec-Fetch-Site": "cross-site"}).status == 403
    assert asked(port, "GET", "/api/events", Host="evil.example").status == 403


@pytest.mark.parametrize("length", [None, "999999999999", "-5", "x"])
def test_a_body_of_a_false_length_does_not_hold_the_server(port: int, length: str | None) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.putrequest("POST", "/api/classes")
    for name, value in BEARER.items():
        connection.putheader(name, value)
    connection.putheader("Content-Type", "application/json")
    if length is None:
        connection.putheader("Transfer-Encoding", "chunked")
    else:
        connection.putheader("Content-Length", length)
    connection.endheaders()
    if length is None:
        chunk = b"100000\r\n" + b"x" * 2**20 + b"\r\n"
        try:
            for _ in range(20):
                connection.send(chunk)
        except OSError:
            pass  # it has hung up
    try:
        assert connection.getresponse().status in (400, 413)
    except OSError:
        assert length is None
    assert asked(port, "GET", "/health").status == 200


def test_two_hosts_in_one_request_are_refused(port: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.putrequest("GET", "/health", skip_host=True)
    connection.putheader("Host", f"127.0.0.1:{port}")
    connection.putheader("Host", "evil.example")
    connection.endheaders()
    assert connection.getresponse().status in (400, 403)


@pytest.mark.parametrize(
    "path", ["/api/videos/../../../etc/passwd/media", "//evil.example/%2e%2e", "/page/..%2f..%2fapp.py"]
)
def test_a_raw_path_leads_nowhere(port: int, path: str) -> None:
    answer = asked(port, "GET", path)
    assert answer.status in (403, 404)
    assert b"import" not in answer.read()


def test_the_server_ends_while_pages_listen(store: Store) -> None:
    listener = listening("127.0.0.1", 0)
    app = create_app(store, token=TOKEN)
    server = StudioServer(app, app.state.studio.events.close)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    page = listen(listener.getsockname()[1])
    server.handle_exit(2, None)
    assert page.read() == b""
    thread.join(20)
    assert not thread.is_alive()


def test_the_server_says_nothing_of_its_make(port: int) -> None:
    assert "server" not in {name.lower() for name, _ in asked(port, "GET", "/health").getheaders()}


def test_a_page_that_does_not_read_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("keyseg.studio.events._WAITING", 3)

    async def scene() -> list[Any]:
        events = Events()
        stream = events.stream()
        await anext(stream)
        for number in range(10):
            events.publish("job", {"number": number})
        await asyncio.sleep(0)
        return [event.data["number"] async for event in stream]

    assert asyncio.run(scene()) == [0, 1, 2]


def test_news_of_other_threads_arrive_in_order() -> None:
    async def scene() -> list[int]:
        events = Events()
        stream = events.stream()
        await anext(stream)
        thread = threading.Thread(target=lambda: [events.publish("job", {"number": n}) for n in range(50)])
        thread.start()
        found = [(await anext(stream)).data["number"] for _ in range(50)]
        thread.join()
        events.close()
        assert [event async for event in stream] == []
        return found

    assert asyncio.run(scene()) == list(range(50))


def test_a_page_that_connects_to_a_closed_studio_hears_nothing() -> None:
    async def scene() -> int:
        events = Events()
        events.close()
        return len([event async for event in events.stream()])

    assert asyncio.run(scene()) == 1
