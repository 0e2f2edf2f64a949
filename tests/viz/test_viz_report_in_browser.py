"""The report in a browser: it works under its own policy, and a script in a name does not run even as markup."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from keyseg.timeline import LabelMap, Segmentation, TimeBase
from keyseg.viz import VideoTimeline, write_report
from opened_page import browser  # noqa: F401

HOSTILE = "</style></script><script>document.title='broken'</script><img src=x onerror=document.title='broken'>"


@pytest.fixture
def opened(browser: Any) -> Iterator[Any]:  # noqa: F811
    """A page that keeps what the browser says of its policy in `said`."""
    context = browser.new_context()
    page = context.new_page()
    page.said = []
    page.on("console", lambda message: page.said.append(message.text))
    page.on("pageerror", lambda error: page.said.append(str(error)))
    yield page
    context.close()


def written(folder: Path) -> Path:
    labels = LabelMap(("background", "".join(HOSTILE.split())), ("background",))
    rows = ((HOSTILE, Segmentation.from_frames([0, 0, 1, 1])),)
    return write_report(
        folder / "r.html",
        title="plain",
        introduction=HOSTILE,
        scores={},
        videos=[VideoTimeline(HOSTILE, rows)],
        labels=labels,
        timebase=TimeBase(1),
    )


@pytest.mark.slow
def test_the_page_has_its_colours_and_its_script_and_breaks_no_rule(opened: Any, tmp_path: Path) -> None:
    opened.goto(written(tmp_path).as_uri())
    assert opened.evaluate("getComputedStyle(document.querySelector('svg.bar rect.c1')).fill").startswith("rgb(")
    opened.locator("button").first.click()
    assert opened.evaluate("document.body.innerHTML.includes('aria-pressed=\"true\"')")
    assert opened.title() == "plain"
    assert opened.said == []


@pytest.mark.slow
def test_a_script_that_is_not_the_pages_own_does_not_run(opened: Any, tmp_path: Path) -> None:
    """As if a name had not been escaped."""
    path = written(tmp_path)
    path.write_text(path.read_text(encoding="utf-8").replace("<main>", f"<main>{HOSTILE}"), encoding="utf-8")
    opened.goto(path.as_uri())
    assert opened.title() == "plain"
    assert any("Content Security Policy" in text for text in opened.said)
