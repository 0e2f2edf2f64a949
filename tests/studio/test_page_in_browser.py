"""The studio's page in a browser, with the real server: what a person does."""

from __future__ import annotations

import re

import pytest

from opened_page import FRAMES, HOSTILE, PLAIN, corrected, film_is_there, open_video, press, saved, until
from served_studio import TOKEN, eventually

pytestmark = pytest.mark.slow


def test_the_token_opens_the_page_and_leaves_its_address(studio, person):
    page = person()
    assert TOKEN not in page.url
    assert page.request.get(f"{studio.address}/api/library").ok
    assert page.locator("#videos [role=row]").count() == 3
    assert page.locator("#folder").inner_text() == "films"


def test_without_the_token_nothing_is_shown(studio, browser):
    page = browser.new_page()
    assert page.goto(studio.address).status == 401
    assert "keyseg studio printed" in page.content()
    page.close()


def test_names_are_text_whatever_they_hold(studio, person):
    page = person()
    corrected(page)
    press(page, "n")
    page.get_by_role("textbox", name="Name").fill("<script>document.title=1</script>")
    press(page, "Enter")
    page.locator("#classes").get_by_text("<script>document.title=1</script>").wait_for()
    assert page.locator("#classes").get_by_text(HOSTILE).count() == 1
    press(page, "t")
    page.get_by_role("dialog").get_by_role("option", name=HOSTILE).wait_for()
    assert page.locator("img[src=x], #classes script, dialog script").count() == 0
    assert page.title().startswith("first.mp4")


def test_a_correction_by_keyboard_alone_survives_a_reload(studio, person):
    page, first = person("Ada"), studio.video()
    page.locator("body").press("ArrowDown")
    while page.evaluate("document.activeElement.textContent") != "first.mp4":
        press(page, "ArrowDown")
    press(page, "Enter")
    film_is_there(page)
    press(page, "c")
    page.get_by_text("Correction started").wait_for()
    assert studio.segments(first) == PLAIN
    press(page, "u")
    assert page.locator("#segment").inner_text().startswith("2 of 5 · go right")
    press(page, "1", "ArrowRight", "ArrowRight", "s", "Shift+ArrowRight", "ArrowDown")
    saved(page)
    names = [each["name"] for each in studio.get("library")["classes"]]
    assert studio.segments(first)[1:3] == [(8, 10, names[0]), (10, 20, names[0])]
    press(page, "Delete")
    saved(page)
    before = studio.segments(first)
    page.reload()
    film_is_there(page)
    assert page.locator("#segment").inner_text().startswith("1 of 5")
    assert studio.segments(first) == before
    history = studio.get(f"videos/{first}/rows/correction/history")
    assert [edit["author"] for edit in history] == ["Ada"] * len(history)


def test_a_class_is_found_by_typing_or_made(studio, person):
    page, first = person(), studio.video()
    corrected(page)
    press(page, "ArrowDown", "t")
    page.keyboard.type("res")
    press(page, "Enter")
    eventually(lambda: studio.segments(first)[1] == (8, 20, "rest"), "the class found is saved")
    saved(page)
    press(page, "t")
    page.keyboard.type("sit down")
    press(page, "Enter")
    page.get_by_role("dialog", name="New class").wait_for()
    press(page, "Enter")
    page.locator("#classes").get_by_text("sit down").wait_for()
    eventually(lambda: studio.segments(first)[1] == (8, 20, "sit down"), "the new class is saved")
    saved(page)
    page.get_by_role("button", name="Change class sit down").click()
    page.get_by_role("textbox", name="Name").fill("sit")
    press(page, "Enter")
    eventually(lambda: studio.segments(first)[1] == (8, 20, "sit"), "the class keeps its name")
    page.get_by_text("2 of 5 · sit · ").wait_for()


def test_undo_and_redo_go_all_the_way(studio, person):
    page, first = person(), studio.video()
    corrected(page)
    press(page, "ArrowDown", "m", "s", "ArrowRight", "s", "Delete", "i")
    saved(page)
    edited = studio.segments(first)
    assert edited != PLAIN
    for _ in range(8):
        press(page, "Control+z")
    saved(page)
    assert studio.segments(first) == PLAIN
    for _ in range(8):
        press(page, "Control+Shift+z")
    saved(page)
    assert studio.segments(first) == edited


def test_a_boundary_is_dragged_and_snaps_to_a_keypoint(studio, person):
    page, first = person(), studio.video()
    corrected(page)
    box = page.locator("#timeline").bounding_box()
    row = box["y"] + 28 + 17 + 23  # below the axis and its caption, in the middle of the row
    x = lambda frame: box["x"] + box["width"] * frame / FRAMES  # noqa: E731
    page.mouse.move(x(20), row)
    page.mouse.down()
    page.mouse.move(x(22.4), row, steps=4)
    page.mouse.move(x(21.1), row, steps=4)
    page.mouse.up()
    saved(page)
    assert studio.segments(first)[1:3] == [(8, 21, "go right"), (21, 26, "rest")]


def test_a_film_plays_steps_loops_and_changes_speed(person):
    page = person()
    open_video(page)
    frame = lambda: int(re.search(r"frame (\d+)", page.locator(".clock").inner_text())[1])  # type: ignore[index]  # noqa: E731
    press(page, "ArrowRight", "ArrowRight", "ArrowLeft")
    assert frame() == 1
    press(page, "Shift+ArrowRight")
    assert frame() == 11
    press(page, "End")
    assert frame() == FRAMES - 1
    press(page, "Home", "ArrowDown", ".", "l")
    assert page.evaluate("film.playbackRate") == 1.25
    page.evaluate("""() => {
        const clock = document.querySelector(".clock");
        globalThis.seen = new Set();
        const look = () => seen.add(Number(/frame ([0-9]+)/.exec(clock.textContent)[1]));
        new MutationObserver(look).observe(clock, { childList: true });
    }""")
    until(page, "seen.has(8) && seen.has(19)")
    assert set(page.evaluate("[...seen]")) <= set(range(8, 21))
    press(page, "Space")
    assert page.evaluate("film.paused")


def test_the_sheet_names_every_key(person):
    page = person()
    press(page, "?")
    dialog = page.get_by_role("dialog", name="Keyboard")
    dialog.wait_for()
    commands = page.evaluate("import('/page/keys.js').then(({ COMMANDS }) => COMMANDS.map(({ title }) => title))")
    assert dialog.locator("dd").all_inner_texts() == commands
    press(page, "Escape")
    assert dialog.count() == 0


def test_checked_with_one_key_leads_to_the_next_video(studio, person):
    page, first = person("Ada"), studio.video()
    corrected(page)
    press(page, "d")
    until(page, "document.getElementById('video-name').textContent.startsWith('second')")
    assert next(video["state"] for video in studio.get("library")["videos"] if video["id"] == first) == "checked"


def test_a_thousand_videos_ask_for_few_thumbnails(studio, person):
    page = person()
    one = studio.get("library")
    many = [{**one["videos"][0], "id": f"v{i}", "name": f"film {i}.mp4"} for i in range(1000)]
    asked: list[str] = []
    page.route("**/api/library", lambda route: route.fulfill(json={**one, "videos": many}))
    page.route("**/thumbnail", lambda route: (asked.append(route.request.url), route.fulfill(status=404)))
    page.reload()
    page.get_by_role("button", name="all 1000").wait_for()
    page.get_by_label("Search videos").fill("film 77")
    page.get_by_role("button", name=f"all {sum('77' in str(i) for i in range(1000))}").wait_for()
    assert page.locator("#videos a").first.inner_text() == "film 77.mp4"
    assert len(asked) < 60


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone_nothing_is_wider_than_the_screen(person, scheme):
    page = person(viewport={"width": 375, "height": 740}, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") == 375
    assert page.evaluate("document.documentElement.dataset.theme") == scheme
    open_video(page)
    assert page.evaluate("document.documentElement.scrollWidth") == 375
    for name in ("#film", "#timeline"):
        assert page.locator(name).bounding_box()["width"] > 340
    page.get_by_role("button", name="Light colours" if scheme == "dark" else "Dark colours").click()
    page.reload()
    page.wait_for_selector("#video-name:not(:empty)")
    assert page.evaluate("document.documentElement.dataset.theme") != scheme


START, END = PLAIN[:1], PLAIN[2:]
EDITS = {
    "split": (["Shift+ArrowRight", "s"], [*START, (8, 10, "go right"), (10, 20, "go right"), *END]),
    "merge": (["ArrowDown", "m"], [*START, (8, 26, "go right"), *PLAIN[3:]]),
    "label by number": (["ArrowDown", "2"], [*START, (8, 20, "SECOND CLASS"), *END]),
    "label by name": (["ArrowDown", "t", "r", "e", "s", "Enter"], [*START, (8, 20, "rest"), *END]),
    "let it start here": (["ArrowDown", *["ArrowRight"] * 4, "["], [(0, 12, "rest"), (12, 20, "go right"), *END]),
    "let it end here": (
        ["ArrowDown", *["ArrowRight"] * 4, "]"],
        [*START, (8, 12, "go right"), (12, 26, "rest"), *PLAIN[3:]],
    ),
    "insert": (["ArrowDown", "Delete", "Shift+ArrowRight", "i"], [*START, (18, 20, "FIRST CLASS"), *END]),
    "delete": (["ArrowDown", "Delete"], [*START, *END]),
}


@pytest.mark.parametrize("edit", EDITS)
def test_each_edit_is_saved_undone_and_done_again(studio, person, edit):
    page, first = person(), studio.video()
    corrected(page)
    names = [each["name"] for each in studio.get("library")["classes"]]
    keys, expected = EDITS[edit]
    press(page, *keys)
    saved(page)
    stand_in = {"FIRST CLASS": names[0], "SECOND CLASS": names[1]}
    edited = [(start, end, stand_in.get(label, label)) for start, end, label in expected]
    assert studio.segments(first) == edited
    steps = len(studio.get(f"videos/{first}/rows/correction/history")) - 1
    press(page, *["Control+z"] * steps)
    saved(page)
    assert studio.segments(first) == PLAIN
    press(page, *["Control+y"] * steps)
    saved(page)
    assert studio.segments(first) == edited


def test_key_frames_are_spread_over_the_view_and_lead_to_their_moment(person):
    page = person()
    open_video(page)
    until(page, "document.querySelectorAll('#key-frames img[src]').length > 2")
    few = page.locator("#key-frames img").count()
    page.locator("#key-frames img").nth(1).click()
    address = page.locator("#key-frames img").nth(1).get_attribute("data-src")
    frame = address.rpartition("=")[2]
    until(page, f"document.querySelector('#transport .clock').textContent.endsWith('frame {frame}')")
    press(page, "+", "+")
    until(page, f"document.querySelectorAll('#key-frames img')[1]?.dataset.src !== {address!r}")
    assert page.locator("#key-frames img").count() <= few + 2


def test_a_click_is_not_lost_when_the_list_comes_anew_meanwhile(person):
    page = person()
    page.get_by_role("link", name="first.mp4", exact=True).hover()
    page.mouse.down()
    with page.expect_response("**/api/library"):
        status = page.evaluate(
            """() => fetch("/api/classes", {
                method: "POST",
                headers: { "content-type": "application/json" },
                body: JSON.stringify({ name: "new", colour: "#336699" }),
            }).then((answer) => answer.status)"""
        )
    assert status == 201
    page.wait_for_timeout(100)
    page.mouse.up()
    until(page, "document.getElementById('video-name').textContent === 'first.mp4'")
