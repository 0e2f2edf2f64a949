"""Long work from the page: predicting, training again, and copies that the browser can play."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from drawn_films import number_of, numbered, write_film, write_untrained_bundle
from moving_square import LABELS, pictures
from opened_page import film_is_there, open_video, press, until
from served_studio import eventually

pytestmark = pytest.mark.slow
LONG = 300  # seconds that a job may take on a busy machine


@pytest.fixture(scope="module")
def scanned(make_clip, tmp_path_factory) -> Path:
    """A folder of four films that the studio knows, all corrected."""
    from keyseg.studio.rows import CORRECTION
    from keyseg.studio.segments import TimedSegment
    from keyseg.studio.store import Store
    from keyseg.studio.videos import scan

    folder = tmp_path_factory.mktemp("scanned") / "films"
    for number in range(4):
        make_clip(folder / f"square{number}.mp4", pictures(number))
    cuts = np.cumsum([0, *(frames for _, frames in LABELS)]).tolist()
    spans = zip(pairwise(cuts), LABELS, strict=True)
    segments = [
        TimedSegment(start_frame=start, end_frame=end, label=label)
        for (start, end), (label, _) in spans
        if label != "rest"
    ]
    store = Store(folder)
    scan(store)
    for video in sorted(store.videos(), key=lambda video: video.path):
        store.replace(video.id, CORRECTION, segments, author="Ada", action="label")
    store.close()
    return folder


@pytest.fixture(scope="module")
def bundle(tmp_path_factory) -> Path:
    """A bundle that knows nothing yet."""
    return write_untrained_bundle(tmp_path_factory.mktemp("bundles") / "blank")


def add_bundle(page, folder):
    press(page, "j")
    page.get_by_role("button", name="Add a bundle").click()
    page.get_by_role("dialog").get_by_label("Folder of the bundle").fill(str(folder))
    press(page, "Enter")
    page.get_by_label("Bundle that predicts").wait_for()


def job(page, text):
    """The job in the list whose title begins so, the newest first."""
    return page.locator("#jobs li").filter(has_text=text).first


def over(of):
    """Whether a job is neither waiting nor at work."""
    return of.locator(".state").inner_text() not in ("queued", "running")


def ends(page, text, state="done"):
    """Wait until a job has ended, in a state."""
    ended = job(page, text)
    eventually(lambda: over(ended), f"{text} does not end", LONG)
    assert ended.locator(".state").inner_text() == state, ended.inner_text()


def test_a_job_that_cannot_start_says_why(person):
    page = person()
    press(page, "x", "p")
    page.get_by_role("alert").get_by_text("bundle").wait_for()


def test_videos_are_predicted_with_progress_and_a_job_is_cancelled(studio, person, bundle):
    page = person()
    add_bundle(page, bundle)
    page.get_by_role("checkbox", name="Select square1.mp4").check()
    page.get_by_role("button", name="Predict 1").click()
    page.get_by_role("progressbar", name="Predict: 1 video, progress").wait_for()
    page.get_by_role("checkbox", name="Select all").check()
    page.get_by_role("button", name="Predict 4").click()
    job(page, "Predict: 4 videos").get_by_role("button", name="Cancel").click()
    ends(page, "Predict: 4 videos", "cancelled")
    ends(page, "Predict: 1 video")
    page.get_by_text("Predict: 1 video: done.").wait_for()
    rows = {video["name"]: video["rows"] for video in studio.get("library")["videos"]}
    assert [name for name, found in rows.items() if "prediction:blank" in found] == ["square1.mp4"]
    open_video(page, "square1.mp4")
    press(page, "p")
    page.locator("#jobs li").filter(has_text="Predict: 1 video").nth(1).wait_for()
    ends(page, "Predict: 1 video")
    assert [each["state"] for each in studio.get("jobs")] == ["done", "cancelled", "done"]


def shortly(route):
    """Let what the page asks for train three epochs."""
    asked = route.request.post_data_json
    route.continue_(post_data={**asked, "epochs": 3}) if asked else route.continue_()


def test_training_again_shows_its_curve_and_the_comparison_that_decides(studio, person, bundle):
    page = person()
    add_bundle(page, bundle)
    page.route("**/api/jobs", shortly)
    page.get_by_role("button", name="Train", exact=True).click()
    training = job(page, "Train")
    curve = training.get_by_role("img", name="loss over")
    eventually(lambda: curve.count() or over(training), "no curve", LONG)
    assert curve.count() == 1, training.inner_text()
    ends(page, "Train")
    (result,) = [each["result"] for each in studio.get("jobs")]
    assert (result["former"], result["bundle"]) == ("blank", "studio-1")
    shown = training.get_by_role("table").get_by_role("row", name="Accuracy").get_by_role("cell").all_inner_texts()
    assert shown[:2] == [f"{result['comparison'][side]['acc']:.1f}" for side in "ab"]
    new, former = "Take over the new bundle", "Go back to the former bundle"
    predicts, other, offer = ("studio-1", "blank", former) if result["active"] else ("blank", "studio-1", new)
    training.get_by_text(f"{predicts} predicts now.").wait_for()
    training.get_by_role("button", name=offer).click()
    training.get_by_text(f"{other} predicts now.").wait_for()
    assert [each["name"] for each in studio.get("library")["bundles"] if each["active"]] == [other]


READ = """(name) => {
    const shown = document.getElementById(name);
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [192, 120];
    const drawing = canvas.getContext("2d");
    drawing.drawImage(shown, 0, 0, 192, 120);
    return [...drawing.getImageData(0, 0, 192, 120).data];
}"""


def shown_number(page, element):
    """The number in the picture that an element shows."""
    return number_of(np.array(page.evaluate(READ, element)).reshape(120, 192, 4)[..., :3])


def test_a_film_that_browsers_do_not_play_shows_its_frames_and_gets_a_copy_that_plays(studio, person):
    write_film(studio.folder / "old.avi", numbered(46), codec="mpeg4")
    page = person()
    page.get_by_role("link", name="old.avi").click(timeout=1000 * LONG)  # it appears by itself
    page.get_by_text("This browser cannot play the video").wait_for()
    until(page, "document.getElementById('still').naturalWidth > 0")
    assert shown_number(page, "still") == 0
    press(page, "Shift+ArrowRight", *["ArrowRight"] * 3)
    eventually(lambda: shown_number(page, "still") == 13, "the picture is not that of frame 13")
    page.get_by_role("button", name="Make a copy that plays").click()
    page.get_by_role("progressbar", name="Make a copy that plays").wait_for()
    film_is_there(page)
    assert page.locator("#still").is_hidden()
    press(page, "End", "ArrowLeft")
    eventually(lambda: shown_number(page, "film") == 44, "the film does not show frame 44")
    press(page, "Home", "Space")
    until(page, "document.getElementById('film').ended")
