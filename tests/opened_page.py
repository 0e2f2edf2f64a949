"""The studio's page in a browser, for tests: films, their server, people who open it, and what these do."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from moving_square import pictures
from served_studio import Served, ServedHere, eventually

HOSTILE = "<img src=x onerror=document.title=1>"
FRAMES = 46
PREDICTED = [
    (0, 8, "rest", 0.9),
    (8, 20, "go right", 0.4),
    (20, 26, "rest", 0.7),
    (26, 38, HOSTILE, 0.6),
    (38, 46, "rest", 0.8),
]
PLAIN = [segment[:3] for segment in PREDICTED]
SECOND = "second & <img src=x>.mp4" if os.name != "nt" else "second.mp4"
LONGEST_WAIT = 60_000  # ms, of a test that waits for the page on a busy machine


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium. Skips where there is none."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    found = (shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome"))
    path = next(filter(None, found), None)
    if path is None:
        pytest.skip("there is no Chromium on this machine")
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def scanned(make_clip: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of two films that the studio knows, one of them predicted, for tests to copy."""
    from keyseg.studio.segments import TimedSegment
    from keyseg.studio.store import Store
    from keyseg.studio.videos import scan

    folder = tmp_path_factory.mktemp("scanned") / "films"
    for number, name in enumerate(("first.mp4", SECOND)):
        make_clip(folder / name, pictures(number))
    store = Store(folder)
    scan(store)
    first = next(video.id for video in store.videos() if video.path == "first.mp4")
    segments = [TimedSegment(start_frame=a, end_frame=b, label=name, confidence=sure) for a, b, name, sure in PREDICTED]
    details = {"boundaries": [8, 21]}
    store.replace(first, "prediction:square", segments, author="square", action="predict", details=details)
    store.close()
    return folder


@pytest.fixture
def films(scanned: Path, tmp_path: Path) -> Path:
    """A copy of that folder."""
    return Path(shutil.copytree(scanned, tmp_path / "films"))


@pytest.fixture
def studio(films: Path, request: pytest.FixtureRequest) -> Iterator[Served]:
    """Its server, of another class if that is the parameter."""
    served = getattr(request, "param", ServedHere)(films)
    served.start()
    yield served
    served.stop()


@pytest.fixture
def person(browser: Any, studio: Served) -> Iterator[Callable[..., Any]]:
    """Open the page as somebody else each time; none may break its security policy, or fail in its script."""
    contexts, wrong = [], []

    def open_page(name: str = "", **options: Any) -> Any:
        context = browser.new_context(**options)
        context.set_default_timeout(LONGEST_WAIT)
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


def open_video(page: Any, name: str = "first.mp4") -> None:
    """Open a video from the list, and wait for its film."""
    page.get_by_role("link", name=name, exact=True).click()
    until(page, f"document.getElementById('video-name').textContent === {json.dumps(name)}")
    film_is_there(page)


def film_is_there(page: Any) -> None:
    """Wait until the film shows a picture."""
    until(page, "document.getElementById('film').readyState >= 2")


def saved(page: Any) -> None:
    """Wait until nothing is left to be saved."""
    until(page, "document.getElementById('saving').textContent === 'All saved'")


def press(page: Any, *keys: str) -> None:
    """Press keys one after the other."""
    for key in keys:
        page.keyboard.press(key)


def corrected(page: Any) -> None:
    """Open the predicted video and begin its correction."""
    open_video(page)
    press(page, "c")
    page.get_by_text("Correction started").wait_for()
