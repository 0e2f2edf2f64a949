"""The studio's page in a browser, with the real server: what a person does, and what goes wrong around them."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from moving_square import pictures
from served_studio import TOKEN, ServedStudio, eventually

pytest.importorskip("fastapi", reason="the extra studio is not installed")
sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)
pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")]

HOSTILE = "<img src=x onerror=document.title=1>"
FRAMES = 46
PREDICTED = [
    (0, 8, "rest", 0.9),
    (8, 20, "go right", 0.4),
    (20, 26, "rest", 0.7),
    (26, 38, HOSTILE, 0.6),
    (38, 46, "rest", 0.8),
]
FILM_IS_THERE = "document.getElementById('film').readyState >= 2"
PLAIN = [segment[:3] for segment in PREDICTED]


@pytest.fixture(scope="module")
def clips(make_clip: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("clips")
    return [make_clip(folder / f"{i}.mp4", pictures(i)) for i in range(2)]


@pytest.fixture
def studio(clips: list[Path], tmp_path: Path) -> Iterator[ServedStudio]:
    """A folder of two films, one of them predicted, and its server."""
    from keyseg.studio.segments import TimedSegment
    from keyseg.studio.store import Store
    from keyseg.studio.videos import scan

    names = ["first.mp4", "second & <img src=x>.mp4" if os.name != "nt" else "second.mp4"]
    folder = tmp_path / "films"
    folder.mkdir()
    for clip, name in zip(clips, names, strict=True):
        shutil.copy(clip, folder / name)
    store = Store(folder)
    scan(store)
    first = next(video.id for video in store.videos() if video.path == "first.mp4")
    segments = [TimedSegment(start_frame=a, end_frame=b, label=name, confidence=sure) for a, b, name, sure in PREDICTED]
    store.replace(
        first, "prediction:square", segments, author="square", action="predict", details={"boundaries": [8, 21]}
    )
    store.close()
    served = ServedStudio(folder)
    served.start()
    yield served
    served.kill()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def person(browser: Any, studio: ServedStudio) -> Iterator[Callable[..., Any]]:
    """Open the page as somebody else each time; none may break its security policy, or fail in its script."""
    contexts, wrong = [], []

    def open_page(name: str = "", **options: Any) -> Any:
        context = browser.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda said: wrong.append(said.text) if "Content Security Policy" in said.text else None)
        page.goto(studio.page)
        if name:
            page.evaluate("name => localStorage.setItem('keyseg-author', name)", name)
        page.wait_for_selector("#videos a")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert wrong == []


def until(page: Any, expression: str) -> None:
    """Wait for an expression of the page; `wait_for_function` would need eval, which the page forbids."""
    eventually(lambda: page.evaluate(expression), f"it never came to {expression}")


def video_id(studio: ServedStudio, name: str = "first.mp4") -> str:
    return str(next(video["id"] for video in studio.get("library")["videos"] if video["name"] == name))


def hold(page: Any, address: str) -> Callable[[], None]:
    """Hold requests back until the returned function is called; it waits for the first of them."""
    held: list[Any] = []
    free = []
    page.route(address, lambda route: route.continue_() if free else held.append(route))

    def let_go() -> None:
        eventually(lambda: page.wait_for_timeout(20) or held, f"nothing asks for {address}")
        free.append(True)
        for route in held:
            route.continue_()

    return let_go


def open_video(page: Any, name: str = "first.mp4") -> None:
    page.get_by_role("link", name=name, exact=True).click()
    until(page, f"document.getElementById('video-name').textContent === {json.dumps(name)}")
    until(page, FILM_IS_THERE)


def saved(page: Any) -> None:
    until(page, "document.getElementById('saving').textContent === 'All saved'")


def press(page: Any, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def corrected(page: Any) -> None:
    """Open the predicted video and begin its correction."""
    open_video(page)
    press(page, "c")
    page.get_by_text("Correction started").wait_for()


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
    page, first = person("Ada"), video_id(studio)
    page.locator("body").press("ArrowDown")
    while page.evaluate("document.activeElement.textContent") != "first.mp4":
        press(page, "ArrowDown")
    press(page, "Enter")
    until(page, FILM_IS_THERE)
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
    until(page, FILM_IS_THERE)
    assert page.locator("#segment").inner_text().startswith("1 of 5")
    assert studio.segments(first) == before
    history = studio.get(f"videos/{first}/rows/correction/history")
    assert [edit["author"] for edit in history] == ["Ada"] * len(history)


def test_a_class_is_found_by_typing_or_made(studio, person):
    page, first = person(), video_id(studio)
    corrected(page)
    press(page, "ArrowDown", "t")
    page.keyboard.type("res")
    press(page, "Enter")
    saved(page)
    assert studio.segments(first)[1] == (8, 20, "rest")
    press(page, "t")
    page.keyboard.type("sit down")
    press(page, "Enter")
    page.get_by_role("dialog", name="New class").wait_for()
    press(page, "Enter")
    page.locator("#classes").get_by_text("sit down").wait_for()
    saved(page)
    assert studio.segments(first)[1] == (8, 20, "sit down")
    press(page, "t")
    page.get_by_role("dialog").get_by_role("option", name="rest", exact=True).click()
    saved(page)
    assert studio.segments(first)[1] == (8, 20, "rest")
    press(page, "Control+z")
    saved(page)
    page.get_by_role("button", name="Change class sit down").click()
    page.get_by_role("textbox", name="Name").fill("sit")
    press(page, "Enter")
    eventually(lambda: studio.segments(first)[1] == (8, 20, "sit"), "the class keeps its name")
    page.get_by_text("2 of 5 · sit · ").wait_for()


def test_a_job_that_cannot_start_says_why(person):
    page = person()
    press(page, "x", "p")
    page.get_by_role("alert").get_by_text("bundle").wait_for()


def test_undo_and_redo_go_all_the_way(studio, person):
    page, first = person(), video_id(studio)
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
    page, first = person(), video_id(studio)
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


def test_what_others_save_appears(studio, person):
    one, other = person("Ada"), person("Ben")
    corrected(one)
    open_video(other)
    press(one, "ArrowDown", "m")
    other.get_by_text("Ada edited this timeline.").wait_for()
    assert " of 4 · " in other.locator("#segment").inner_text()


@pytest.mark.parametrize("choice", ["Put mine on top", "Take theirs"])
def test_two_people_at_once_lose_nothing_unasked(studio, person, choice):
    one, other, first = person("Ada"), person("Ben"), video_id(studio)
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


def test_a_killed_server_loses_no_edit(studio, person):
    page, first = person(), video_id(studio)
    corrected(page)
    studio.kill()
    press(page, "ArrowDown", "m", "Home", "s", "ArrowRight", "s")
    page.get_by_text("Server away: 2 edits kept in this browser").wait_for()
    studio.start()
    saved(page)
    assert studio.segments(first) == [(0, 1, "rest"), (1, 8, "rest"), (8, 26, "go right"), *PLAIN[3:]]


def test_a_closed_page_loses_no_edit(studio, person):
    page, first = person(), video_id(studio)
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


def test_edits_of_a_page_that_is_open_are_left_to_it(studio, person):
    page, first = person(), video_id(studio)
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


def test_a_key_alone_does_not_predict_every_video(studio, person):
    page = person()
    press(page, "p")
    page.get_by_text("so all 2 would be predicted").wait_for()
    press(page, "Escape")
    assert page.get_by_role("dialog").count() == 0
    assert page.get_by_role("alert").count() == 0
    press(page, "p", "Enter")
    page.get_by_role("alert").get_by_text("bundle").wait_for()


def test_edits_of_a_video_that_was_left_are_saved_all_the_same(studio, person):
    page, first = person("Ada"), video_id(studio)
    corrected(page)
    let_go = hold(page, "**/edits")
    press(page, "ArrowRight", "s", "ArrowRight", "s", "ArrowRight", "s")
    press(page, "Escape")
    page.get_by_text("Saving…").wait_for()
    open_video(page)
    assert page.locator("#segment").inner_text().startswith("1 of 8")
    press(page, "End", "ArrowLeft", "ArrowLeft", "s")
    press(page, "Escape")
    let_go()
    eventually(lambda: page.wait_for_timeout(20) or len(studio.segments(first)) == 9, "the edits did not arrive")
    until(page, "document.getElementById('saving').textContent === ''")
    assert page.evaluate("Object.keys(localStorage).filter((key) => key.startsWith('keyseg-unsaved'))") == []


def test_a_conflict_in_a_video_that_was_left_waits_there(studio, person):
    one, other, first = person("Ada"), person("Ben"), video_id(studio)
    corrected(one)
    open_video(other)
    let_go = hold(other, "**/edits")
    press(other, "End", "ArrowLeft", "s", "Escape")
    press(one, "ArrowRight", "s")
    saved(one)
    let_go()
    other.get_by_role("button", name="Open it").click()
    other.get_by_role("button", name="Put mine on top").click()
    saved(other)
    assert len(studio.segments(first)) == 7


def test_the_video_of_the_address_is_shown_whichever_comes_first(studio, person):
    page, second = person(), video_id(studio, studio.get("library")["videos"][1]["name"])
    let_go = hold(page, f"**/api/videos/{video_id(studio)}")
    page.evaluate("id => { location.hash = `#/video/${id}`; }", video_id(studio))
    page.evaluate("id => { location.hash = `#/video/${id}`; }", second)
    until(page, "document.getElementById('video-name').textContent.startsWith('second')")
    let_go()
    page.wait_for_timeout(300)
    assert page.locator("#video-name").inner_text().startswith("second")
    assert "No segments yet" in page.locator("#segment").inner_text()


def test_a_video_that_is_moved_while_it_is_open_is_called_by_its_new_name(studio, person):
    page = person()
    open_video(page)
    (studio.folder / "day 1").mkdir()
    (studio.folder / "first.mp4").rename(studio.folder / "day 1" / "again.mp4")
    names = lambda: [video["name"] for video in studio.get("library")["videos"]]  # noqa: E731
    eventually(lambda: "day 1/again.mp4" in names(), "it is not found again")
    until(page, "document.getElementById('video-name').textContent === 'day 1/again.mp4'")


def test_a_waveform_is_asked_for_until_it_is_there(person):
    page, asked = person(), []

    def answer(route: Any) -> None:
        asked.append(route.request.url)
        found = {"seconds": 4.6, "peaks": [255] * 46} if len(asked) > 2 else {"seconds": 0.0, "peaks": []}
        route.fulfill(json=found, status=200 if len(asked) > 2 else 202)

    page.route("**/waveform", answer)
    open_video(page)
    low = page.locator("#timeline").bounding_box()["height"]
    until(page, f"document.getElementById('timeline').clientHeight > {low} + 30")  # the band of the sound
    assert len(asked) == 3


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
    page, first = person("Ada"), video_id(studio)
    corrected(page)
    press(page, "d")
    until(page, "document.getElementById('video-name').textContent.startsWith('second')")
    assert next(video["state"] for video in studio.get("library")["videos"] if video["id"] == first) == "checked"


def test_export_and_import(studio, person, tmp_path):
    page, first = person(), video_id(studio)
    corrected(page)
    press(page, "e")
    page.get_by_label("Format").select_option("csv")
    with page.expect_download() as download:
        page.get_by_role("dialog", name="Export").get_by_role("button", name="Export").click()
    assert download.value.suggested_filename == "first.csv"
    text = Path(download.value.path()).read_text(encoding="utf-8")
    assert text.count("rest") == 3
    file = tmp_path / "first.csv"
    file.write_text(text.replace("go right", "went right"), encoding="utf-8")
    with page.expect_file_chooser() as chooser:
        page.get_by_role("toolbar", name="Video", exact=True).get_by_role("button", name="Import").click()
    chooser.value.set_files(file)
    page.get_by_role("dialog").wait_for()
    press(page, "Enter")
    page.get_by_text("Imported 1 file.").wait_for()
    assert (8, 20, "went right") in studio.segments(first)
    page.locator("#classes").get_by_text("went right").wait_for()


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
