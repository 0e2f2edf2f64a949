"""The documentation site: `make docs` builds it, every link is checked, and its pages load nothing from elsewhere."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import keyseg

ROOT = Path(__file__).parents[1]
LOADED = re.compile(r"<(?:script|link|img|iframe|source)\b[^>]*?\b(?:src|href)=\"?((?:https?:)?//[^\s\">]+)")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        importlib.util.find_spec("zensical") is None or importlib.util.find_spec("mkdocstrings_handlers") is None,
        reason="the tools of the site come with: pip install 'keyseg[dev]'",
    ),
]


def sources(folder: Path) -> Path:
    """A copy of all that the site is made from."""
    for part in ("docs", "src"):
        shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "zensical.toml", folder)
    return folder


def build(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "zensical", "build", "--clean"], cwd=folder, capture_output=True, encoding="utf-8"
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = sources(tmp_path_factory.mktemp("site"))
    done = build(folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "site"


def test_a_page_loads_nothing_from_elsewhere(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert len(pages) > 15
    outside = {
        address
        for page in pages
        for address in LOADED.findall(page.read_text(encoding="utf-8"))
        if not address.startswith("https://keyseg.github.io/keyseg/")  # the canonical address of the page itself
    }
    assert outside == set()
    assert not any("fonts.g" in sheet.read_text(encoding="utf-8") for sheet in site.rglob("*.css"))


def test_every_public_name_is_in_the_reference(site: Path) -> None:
    text = "".join(page.read_text(encoding="utf-8") for page in (site / "reference").rglob("*.html"))
    missing = [name for name in keyseg.__all__ if name != "__version__" and f'keyseg.{name}"' not in text]
    assert missing == []


def test_examples_are_blocks_of_code(site: Path) -> None:
    text = "".join(page.read_text(encoding="utf-8") for page in (site / "reference").rglob("*.html"))
    assert "language-pycon" in text
    assert "<blockquote>" not in text  # what Markdown makes of a bare >>>


def test_a_broken_link_fails_the_build(tmp_path: Path) -> None:
    folder = sources(tmp_path)
    with (folder / "docs" / "faq.md").open("a", encoding="utf-8") as page:
        page.write("\n[nowhere](nowhere.md)\n")
    done = build(folder)
    assert done.returncode != 0
    assert "page does not exist" in done.stdout + done.stderr
