"""Videos that are left while their edits are on the way, answers that come late, and what the page asks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from opened_page import corrected, open_video, press, saved, until
from served_studio import eventually

pytestmark = pytest.mark.slow


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


def test_edits_of_a_video_that_was_left_are_saved_all_the_same(studio, person):
    page, first = person("Ada"), studio.video()
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
    one, other, first = person("Ada"), person("Ben"), studio.video()
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
    page, second = person(), studio.video(studio.get("library")["videos"][1]["name"])
    let_go = hold(page, f"**/api/videos/{studio.video()}")
    page.evaluate("id => { location.hash = `#/video/${id}`; }", studio.video())
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


def test_a_key_alone_does_not_predict_every_video(studio, person):
    page = person()
    press(page, "p")
    page.get_by_text("so all 2 would be predicted").wait_for()
    press(page, "Escape")
    assert page.get_by_role("dialog").count() == 0
    assert page.get_by_role("alert").count() == 0
    press(page, "p", "Enter")
    page.get_by_role("alert").get_by_text("bundle").wait_for()


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
