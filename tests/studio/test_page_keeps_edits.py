"""No edit is lost unasked: two people at once, a server that is away or killed, a page that is closed."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from opened_page import PLAIN, corrected, open_video, press, saved, until
from served_studio import ServedStudio, eventually

pytestmark = pytest.mark.slow
KILLABLE = pytest.mark.parametrize("studio", [ServedStudio], indirect=True, ids=["killable"])


def test_what_others_save_appears(studio, person):
    one, other = person("Ada"), person("Ben")
    corrected(one)
    open_video(other)
    press(one, "ArrowDown", "m")
    other.get_by_text("Ada edited this timeline.").wait_for()
    assert " of 4 · " in other.locator("#segment").inner_text()


def test_what_happens_while_a_page_opens_is_shown(studio, person):
    one = person("Ada")
    other, held = one.context.new_page(), []
    other.route("**/api/events", lambda route: held.append(route))
    other.goto(studio.page)
    first = other.get_by_role("row").filter(has_text="first.mp4")
    first.get_by_text("predicted").wait_for()
    corrected(one)
    eventually(lambda: other.evaluate("true") and held, "the page does not listen")
    held[0].continue_()
    first.get_by_text("corrected").wait_for()


@pytest.mark.parametrize("choice", ["Put mine on top", "Take theirs"])
def test_two_people_at_once_lose_nothing_unasked(studio, person, choice):
    one, other, first = person("Ada"), person("Ben"), studio.video()
    corrected(one)
    open_video(other)
    until(other, "document.getElementById('segment').textContent.includes('of 5')")
    other.context.set_offline(True)
    press(one, "ArrowDown", "ArrowDown", "[", "ArrowRight", "s")
    saved(one)
    theirs = studio.segments(first)
    press(other, "End", "Delete")
    other.get_by_text("Server away: 1 edit").wait_for()
    other.context.set_offline(False)
    dialog = other.get_by_role("dialog", name="Two versions")
    dialog.get_by_text("Ada saved this timeline").wait_for()
    assert studio.segments(first) == theirs
    dialog.get_by_role("button", name=choice).click()
    saved(other)
    assert studio.segments(first) == (theirs[:-1] if choice == "Put mine on top" else theirs)


def test_edits_of_a_page_that_is_open_are_left_to_it(studio, person):
    page, first = person(), studio.video()
    corrected(page)
    page.route("**/edits", lambda route: route.abort())
    press(page, "ArrowRight", "s")
    page.get_by_text("Server away: 1 edit").wait_for()
    other = page.context.new_page()
    other.goto(studio.page)
    other.wait_for_selector("#videos a")
    open_video(other)
    assert other.get_by_text("taken up").count() == 0
    page.unroute("**/edits")
    saved(page)
    assert len(studio.get(f"videos/{first}/rows/correction/history")) == 2


@KILLABLE
def test_a_killed_server_loses_no_edit(studio, person):
    page, first = person(), studio.video()
    corrected(page)
    studio.kill()
    press(page, "ArrowDown", "m", "Home", "s", "ArrowRight", "s")
    page.get_by_text("Server away: 2 edits kept in this browser").wait_for()
    studio.start()
    saved(page)
    assert studio.segments(first) == [(0, 1, "rest"), (1, 8, "rest"), (8, 26, "go right"), *PLAIN[3:]]


@KILLABLE
def test_a_closed_page_loses_no_edit(studio, person):
    page, first = person(), studio.video()
    corrected(page)
    studio.kill()
    press(page, "ArrowRight", "s")
    page.get_by_text("Server away: 1 edit").wait_for()
    asked: list[str] = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
    with page.expect_event("close"):
        page.close(run_before_unload=True)
    assert asked == ["beforeunload"]
    studio.start()
    again = page.context.new_page()
    again.goto(studio.page)
    again.get_by_role("button", name="Open it").click()
    saved(again)
    eventually(lambda: len(studio.segments(first)) == 6, "the edit of the closed page did not arrive")


class Elsewhere(BaseHTTPRequestHandler):
    """The page of another server on this machine."""

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>elsewhere</title>")

    def log_message(self, *words):
        pass


@pytest.fixture(scope="module")
def elsewhere():
    """The address of another server on this machine: browsers send it the studio's cookie too."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


SENT = """async ([address, body]) => {
    const tries = [["GET", "text/plain", null], ["POST", "text/plain", body], ["POST", "application/json", body]];
    const seen = [];
    for (const [method, type, content] of tries) {
        const headers = { "content-type": type };
        const options = { method, body: content, headers, credentials: "include", mode: "cors" };
        seen.push(await fetch(address, options).then((answer) => answer.text(), () => "refused"));
    }
    return seen;
}"""


def test_a_page_of_another_origin_reads_and_changes_nothing(studio, person, elsewhere):
    page, first = person(), studio.video()
    corrected(page)
    before = studio.get(f"videos/{first}")
    cut = {"at": 0, "removed": before["rows"]["correction"]["segments"][:1], "inserted": []}
    edit = {"revision": before["rows"]["correction"]["revision"], "splice": cut, "action": "delete", "author": "Eve"}
    foreign = page.context.new_page()
    answers = []
    foreign.on("response", lambda answer: answers.append(answer.status) if studio.address in answer.url else None)
    foreign.goto(elsewhere)
    address = f"{studio.address}/api/videos/{first}/rows/correction/edits"
    assert foreign.evaluate(SENT, [address, json.dumps(edit)]) == ["refused"] * 3
    foreign.set_content(
        f'<form method="post" enctype="text/plain" action="{studio.address}/api/jobs"><button>x</button></form>'
    )
    with foreign.expect_navigation():
        foreign.get_by_role("button").click()
    assert "are refused" in foreign.content()
    assert set(answers) == {403}
    assert studio.get(f"videos/{first}") == before
    assert studio.get("jobs") == []
    same = page.evaluate(
        "([path, body]) => fetch(path, { method: 'POST', body, headers: { 'content-type': 'application/json' } })"
        ".then((answer) => answer.status)",
        [address.removeprefix(studio.address), json.dumps(edit)],
    )
    assert same == 200  # it was the origin that was refused, and not the edit
