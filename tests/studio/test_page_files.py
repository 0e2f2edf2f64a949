"""Timelines out of the page and into it."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from keyseg.formats import read_annotations
from opened_page import PLAIN, SECOND, corrected, press, saved
from served_studio import eventually

pytestmark = pytest.mark.slow

DOWNLOAD_PAUSE = 120  # ms: Chromium drops the eleventh download of a second without a word, faster than people export
DROPPED = """(files) => {
    const held = new DataTransfer();
    for (const [name, text] of files) held.items.add(new File([text], name));
    for (const type of ["dragover", "drop"]) {
        document.body.dispatchEvent(new DragEvent(type, { dataTransfer: held, bubbles: true, cancelable: true }));
    }
}"""


def exported(page, folder, fmt, every=False):
    """Export in a format by the dialog; the file, under the name that the server suggests."""
    press(page, "e")
    dialog = page.get_by_role("dialog", name="Export")
    dialog.get_by_label("Format").select_option(fmt)
    if every:
        dialog.get_by_label("All corrected videos").check()
    with page.expect_download() as download:
        dialog.get_by_role("button", name="Export").click()
    file = folder / download.value.suggested_filename
    download.value.save_as(file)
    page.wait_for_timeout(DOWNLOAD_PAUSE)
    return file


def taken_in(page, row="correction"):
    """Answer what the imported files are."""
    dialog = page.get_by_role("dialog", name="Import")
    dialog.get_by_label("As").select_option(row)
    dialog.get_by_role("button", name="Import").click()


def test_every_format_is_exported_and_says_the_same(studio, person, tmp_path):
    page = person()
    corrected(page)
    formats = studio.get("library")["formats"]
    assert len(formats) > 20
    for fmt in formats:
        file = exported(page, tmp_path, fmt)
        assert file.name.startswith("first.")
        (found,) = read_annotations(file, fmt, fps=10, videos=["first"])
        cuts = [(one.start_seconds * 10, one.end_seconds * 10) for one in found.intervals]
        assert [(round(start), round(end)) for start, end in cuts] == [(a, b) for a, b, _ in PLAIN], fmt
    with zipfile.ZipFile(exported(page, tmp_path, "csv", every=True)) as every:
        assert every.namelist() == ["first.csv"]
        assert every.read("first.csv") == (tmp_path / "first.csv").read_bytes()


def test_a_file_is_imported_by_the_button(studio, person, tmp_path):
    page, first = person(), studio.video()
    corrected(page)
    file = exported(page, tmp_path, "csv")
    file.write_text(file.read_text(encoding="utf-8").replace("go right", "went right"), encoding="utf-8")
    with page.expect_file_chooser() as chooser:
        page.get_by_role("toolbar", name="Video", exact=True).get_by_role("button", name="Import").click()
    chooser.value.set_files(file)
    taken_in(page)
    page.get_by_text("Imported 1 file.").wait_for()
    assert (8, 20, "went right") in studio.segments(first)
    page.locator("#classes").get_by_text("went right").wait_for()
    press(page, "Control+z")
    saved(page)
    assert studio.segments(first) == PLAIN


def test_files_dropped_on_the_list_find_their_videos(studio, person):
    page = person()
    table = "start_seconds,end_seconds,label\n0,2,wait\n2,4.6,walk\n"
    page.evaluate(DROPPED, [["first.csv", table], [f"{Path(SECOND).stem}.csv", table], ["third.csv", table]])
    assert page.locator("#drop").is_hidden()
    taken_in(page)
    page.get_by_text("Imported 2 files.").wait_for()
    page.get_by_role("alert").get_by_text("third").wait_for()
    for name in ("first.mp4", SECOND):
        assert studio.segments(studio.video(name)) == [(0, 20, "wait"), (20, 46, "walk")]
        eventually(
            lambda name=name: page.get_by_role("row").filter(has_text=name).get_by_text("corrected").count(), name
        )


def test_a_file_dropped_on_a_video_is_shown_beside_the_correction(studio, person):
    page, first = person(), studio.video()
    corrected(page)
    page.evaluate(DROPPED, [["of-ben.vtt", "WEBVTT\n\n00:00.000 --> 00:01.000\nwait\n"]])
    taken_in(page, "reference")
    page.get_by_text("Imported 1 file.").wait_for()
    assert studio.segments(first, "reference") == [(0, 10, "wait")]
    assert studio.segments(first) == PLAIN
    page.evaluate(DROPPED, [["of-ben.vtt", "no timeline"]])
    taken_in(page, "reference")
    page.get_by_role("alert").get_by_text("of-ben.vtt").wait_for()
    assert studio.segments(first, "reference") == [(0, 10, "wait")]
