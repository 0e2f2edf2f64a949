"""The timeline in a browser, alone: the canvas and its list answer to mouse and keyboard, under a strict policy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import keyseg.studio
from served_studio import eventually

pytestmark = pytest.mark.slow

PAGE = Path(keyseg.studio.__file__).parent / "page"
POLICY = {"Content-Security-Policy": "default-src 'self'"}
KINDS = {".js": "text/javascript", ".html": "text/html"}
HTML = '<!doctype html><meta charset="utf-8"><script type="module" src="/start.js"></script><canvas></canvas>'
START = """
import { openRow, undo } from "/page/edits.js";
import { createTimeline } from "/page/timeline.js";

const cuts = [[0, 100, "pour"], [100, 200, "stir"], [400, 500, "pour"]];
const segments = cuts.map(([start_frame, end_frame, label]) => ({ start_frame, end_frame, label }));
let state = openRow({ segments, revision: 1 }, 1000);
const log = [];
const show = (next) => {
  state = next;
  timeline.setRows([
    { name: "correction", segments: state.segments, state, editable: true },
    { name: "prediction:toy", segments, details: { boundaries: [130], strip: [90, 20] } },
  ]);
};
const timeline = createTimeline(document.querySelector("canvas"), {
  onEdit(result) { log.push(result.action); show(result.state); },
  onSeek(frame) { log.push(`seek ${frame}`); timeline.setPlayhead(frame); },
  onSelect(first, last) { log.push(`select ${first} ${last}`); },
  onContext({ row, index, frame }) { log.push(`context ${row} ${index} ${frame}`); },
});
timeline.setVideo({ frames: 1000, fps: "25" });
timeline.setClasses([{ name: "pour", colour: "#0072b2" }, { name: "stir", colour: "#e69f00" }]);
show(state);
Object.assign(window, { log, timeline, spans: () => state.segments.map((s) => [s.start_frame, s.end_frame, s.label]) });
window.undo = () => show(undo(state).state);
"""
EDITED_Y, OTHER_Y = 110, 170


def answer(route: Any) -> None:
    """The modules of the page, and a page of our own around them."""
    path = route.request.url.removeprefix("http://studio.test")
    texts = {"/": HTML, "/start.js": START, "/favicon.ico": ""}
    text = texts[path] if path in texts else (PAGE / path.removeprefix("/page/")).read_text(encoding="utf-8")
    kind = KINDS.get(Path(path).suffix, "text/html")
    route.fulfill(body=text, headers={**POLICY, "Content-Type": f"{kind}; charset=utf-8"})


@pytest.fixture
def opened(browser: Any) -> Iterator[Callable[..., Any]]:
    """Open the timeline in a window of so many pixels; nothing may go wrong in it."""
    contexts, wrong = [], []

    def open_page(width: int = 1016, **options: Any) -> Any:
        contexts.append(browser.new_context(viewport={"width": width, "height": 400}, **options))
        page = contexts[-1].new_page()
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda message: wrong.append(message.text))
        page.route("**/*", answer)
        page.goto("http://studio.test/")
        until(page, "window.timeline && timeline.pending === 0")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert wrong == []


def until(page: Any, expression: str, arg: Any = None) -> None:
    """Wait for an expression of the page; `wait_for_function` would need eval, which the policy forbids."""
    eventually(lambda: page.evaluate(expression, arg), f"it never came to {expression}")


def at(frame: float, y: float = EDITED_Y) -> tuple[float, float]:
    """Where a frame is while the whole video is shown on 1,000 pixels; the page has a margin of 8."""
    return 8 + frame, 8 + y


def drag(page: Any, start: float, end: float, drop: bool = True) -> None:
    page.mouse.move(*at(start))
    page.mouse.down()
    page.mouse.move(*at((start + end) / 2))
    page.mouse.move(*at(end))
    if drop:
        page.mouse.up()


def test_a_boundary_is_dragged_and_snaps_to_a_keypoint_and_to_a_cut_of_another_row(opened):
    page = opened()
    drag(page, 100, 127)
    assert page.evaluate("spans()")[:2] == [[0, 130, "pour"], [130, 200, "stir"]]
    assert page.evaluate("log.at(-1)") == "move boundary"
    said = page.locator("[aria-live=polite]").inner_text()
    assert said == "Boundary moved: pour 0:00.00 to 0:05.20, stir 0:05.20 to 0:08.00"
    drag(page, 130, 102)
    assert page.evaluate("spans()")[:2] == [[0, 100, "pour"], [100, 200, "stir"]]
    page.evaluate("undo()")
    assert page.evaluate("spans()")[0] == [0, 130, "pour"]


def test_escape_cancels_a_drag(opened):
    page = opened()
    drag(page, 100, 150, drop=False)
    page.keyboard.press("Escape")
    page.mouse.up()
    assert page.evaluate("spans()")[0] == [0, 100, "pour"]
    assert page.evaluate("log.at(-1)") == "seek 0"


def test_segments_are_drawn_split_and_selected(opened):
    page = opened()
    drag(page, 260, 300)
    assert page.evaluate("spans()")[2] == [260, 300, "pour"]
    page.mouse.dblclick(*at(150))
    assert page.evaluate("spans()")[1:3] == [[100, 150, "stir"], [150, 200, "stir"]]
    page.mouse.click(*at(450))
    assert page.evaluate("log.slice(-2)") == ["select 4 4", "seek 450"]
    page.mouse.click(*at(450, OTHER_Y), button="right")
    assert page.evaluate("log.at(-1)") == "context prediction:toy 2 450"


def test_the_wheel_zooms_about_the_pointer_and_pans_sideways(opened):
    page = opened()
    page.mouse.move(*at(250))
    page.mouse.wheel(0, -400)
    until(page, "timeline.view().to < 999")
    view = page.evaluate("timeline.view()")
    assert abs(view["from"] + (view["to"] - view["from"]) / 4 - 250) < 1e-6
    page.mouse.wheel(300, 0)
    until(page, "from => timeline.view().from > from", view["from"])
    page.evaluate("timeline.zoomTo(500, 500)")
    assert page.evaluate("timeline.view().to - timeline.view().from") == pytest.approx(1000 / 48)
    page.evaluate("timeline.zoomAll()")
    assert page.evaluate("timeline.view()") == {"from": 0, "to": 1000}


def test_the_list_is_reached_by_keyboard(opened):
    page = opened()
    page.keyboard.press("Tab")
    options = page.get_by_role("option")
    assert options.all_inner_texts()[1] == "stir, 0:04.00 to 0:08.00"
    page.keyboard.press("ArrowDown")
    until(page, "document.querySelector('[aria-selected=true]')?.textContent.startsWith('stir')")
    chosen = page.get_by_role("listbox").get_attribute("aria-activedescendant")
    assert page.locator(f"#{chosen}").inner_text().startswith("stir")
    page.keyboard.press("Enter")
    assert page.evaluate("log") == ["select 1 1", "seek 100"]
    page.evaluate("timeline.zoomTo(0, 150)")
    page.keyboard.press("ArrowDown")
    assert page.evaluate("log.at(-1)") == "select 2 2"
    assert page.evaluate("timeline.view().from <= 400 && timeline.view().to >= 500")


@pytest.mark.parametrize(("width", "ratio"), [(375, 3), (1416, 1)])
def test_the_canvas_fits_the_window_and_its_pixels(opened, width, ratio):
    page = opened(width, device_scale_factor=ratio)
    box = page.locator("canvas").bounding_box()
    assert box["width"] == width - 16
    assert page.evaluate("[document.querySelector('canvas').width, document.documentElement.scrollWidth]") == [
        (width - 16) * ratio,
        width,
    ]
    page.set_viewport_size({"width": 600, "height": 400})
    until(page, "ratio => document.querySelector('canvas').width === 584 * ratio", ratio)


READ = """(places) => {
  const canvas = document.querySelector("canvas");
  const { data, width } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return places.map(([x, y]) => [...data.slice(4 * (y * width + x), 4 * (y * width + x) + 3)]);
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_rows_have_the_colours_of_their_classes_in_light_and_dark(opened, scheme):
    page = opened(color_scheme=scheme)
    pour, stir, paper = page.evaluate(READ, [[50, EDITED_Y - 15], [150, EDITED_Y - 15], [990, 75]])
    assert pour == [0x00, 0x72, 0xB2]
    assert stir == [0xE6, 0x9F, 0x00]
    assert (sum(paper) > 600) == (scheme == "light")
