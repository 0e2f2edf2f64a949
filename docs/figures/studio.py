"""Draw the pictures of the studio's guide: test videos of the toy kitchen, from the folder that `keyseg demo` leaves.

See README.md in this folder.
"""

import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import Page, sync_playwright

TOKEN = "token-of-the-pictures"
VIDEOS = 6
SHOWN = "pancakes_031.mp4"
MINUTE = 60_000  # ms


def main(demo: Path, out: Path, scheme: str = "light") -> None:
    """studio-library.png and studio-video.png, in light or dark colours."""
    with TemporaryDirectory() as place:
        films = Path(place, "kitchen")
        films.mkdir()
        for film in sorted((demo / "toy-kitchen/videos").glob("*.mp4"), key=lambda film: film.stem[-3:])[-VIDEOS:]:
            shutil.copy(film, films)
        options = ["--bundle", str(demo / "run"), "--without-browser", "--token", TOKEN]
        command = [sys.executable, "-m", "keyseg", "studio", str(films), *options]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout is not None
            try:
                draw(server.stdout.readline().strip(), out, scheme)
            finally:
                server.terminate()


def draw(address: str, out: Path, scheme: str) -> None:
    """Predict all videos, check one, correct one, and take the pictures."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1060, "height": 520}, color_scheme=scheme)
        page.set_default_timeout(10 * MINUTE)
        page.goto(address)
        page.get_by_role("button", name=f"all {VIDEOS}").wait_for()
        page.get_by_role("button", name="Predict all").click()
        page.locator(".job.done").wait_for()
        page.get_by_role("button", name="Hide the jobs").click()
        open_corrected(page, page.locator("#videos a").nth(2).inner_text())
        page.keyboard.press("d")
        page.get_by_text(": checked.").wait_for()
        page.keyboard.press("Escape")
        open_corrected(page, SHOWN)
        for key in ("u", "a"):
            page.keyboard.press(key)
        take(page, out / "studio-video.png", height=740)
        page.keyboard.press("Escape")
        page.get_by_role("button", name=f"predicted {VIDEOS - 2}").wait_for()
        while not page.evaluate("[...document.images].every((image) => !image.dataset.src || image.naturalWidth)"):
            time.sleep(0.1)
        take(page, out / "studio-library.png", height=520)
        browser.close()


def open_corrected(page: Page, name: str) -> None:
    """Open a video and begin its correction."""
    page.get_by_role("link", name=name).click()
    page.locator("#segment", has_text=re.compile("segments| of ")).wait_for()
    page.keyboard.press("c")
    page.locator("#video-state", has_text="corrected").wait_for()


def take(page: Page, path: Path, height: int) -> None:
    """Take a picture, without notices."""
    page.set_viewport_size({"width": 1060, "height": height})
    page.evaluate("document.getElementById('notices').replaceChildren()")
    page.mouse.move(1, 1)
    page.screenshot(path=path, animations="disabled")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:])
