"""keyseg report, and the pages that train and predict leave: what the page shows, and what is refused."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import pytest

from keyseg.data.video_files import find_video_file, write_video_files
from keyseg.formats import FORMATS, annotations_text
from keyseg.formats.format import WriteSettings
from keyseg.reproduction import pages
from keyseg.timeline import Annotation, DataError, Interval
from keyseg.timeline.files import write_content

FIELD = Path(__file__).parents[1] / "field"
EVIL = '"><script>alert("x")</script>'
ACTIONS = ((1, 3, "take cup"), (3, 4, "pour"))


class Page(HTMLParser):
    """What a page says: rows as (name, [(class, start, width)]), fps, frames, and attributes of elements by tag."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.text = path.read_text(encoding="utf-8")
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.said: list[tuple[str, str]] = []
        self.feed(self.text)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        tag, attributes = self.elements[-1] if self.elements else ("", {})
        self.said.append((attributes.get("class") or tag, data.strip()))

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]

    def texts(self, kind: str) -> list[str]:
        return [text for name, text in self.said if name == kind and text]

    def rows(self) -> list[str]:
        return [name for name in self.texts("name") if not name.startswith(("time", "key frames"))]

    def labels(self) -> list[list[tuple[str, int, int]]]:
        """Of each bar, the segments as (class name, first frame, frames), by start."""
        names = dict(
            zip((b["data-class"] for b in self.all("button") if "data-class" in b), self._legend(), strict=True)
        )
        bars: list[list[tuple[str, int, int]]] = []
        for tag, attributes in self.elements:
            if tag == "svg" and attributes["class"] == "bar":
                bars.append([])
            elif tag == "rect":
                bars[-1].append((names[attributes["class"]], int(attributes["x"]), int(attributes["width"])))
        return [sorted(bar, key=lambda part: part[1]) for bar in bars]

    def _legend(self) -> list[str]:
        legend = self.text.split('<div class="classes">')[1].split("</div>")[0]
        return re.findall(r"</i>(.*?)</button>", legend)


@pytest.fixture
def film(make_clip: Callable[..., Path], tmp_path: Path) -> Path:
    """Five seconds of tea, at 10 pictures a second."""
    return make_clip(tmp_path / "my videos" / "tea.mp4", [np.full((48, 64, 3), 5 * i, np.uint8) for i in range(50)])


def timeline(path: Path, form: str, actions: Any = ACTIONS, video: str = "tea", fps: int | None = None) -> Path:
    annotation = Annotation(video, tuple(Interval(*action) for action in actions), 5, fps and fps, ("background",))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_content(path, annotations_text(form, [annotation], WriteSettings(fps=fps)))
    return path


WANTED = [("background", 0, 10), ("take_cup", 10, 20), ("pour", 30, 10), ("background", 40, 10)]


@pytest.mark.parametrize("form", FORMATS)
def test_a_timeline_of_every_format_is_shown_in_seconds(form: str, film: Path, keyseg: Any, tmp_path: Path) -> None:
    actions = [(a, b, label.replace(" ", "_")) for a, b, label in ACTIONS] if form in ("txt", "recog") else ACTIONS
    file = timeline(tmp_path / f"pred{FORMATS[form].suffix}", form, actions, fps=10)
    answer = keyseg("report", file, "--video", film, "--out", tmp_path / "out" / "tea.html")
    assert (answer.code, answer.out) == (0, f"{tmp_path / 'out' / 'tea.html'}\n"), answer.err
    page = Page(tmp_path / "out" / "tea.html")
    (bar,) = page.labels()
    assert [part for part in bar if part[0] != "background"] == WANTED[1:3]
    assert sum(frames for _, _, frames in bar) == 50
    assert page.all("article")[0]["data-fps"] == "10"


def test_rows_are_files_and_the_reference_comes_first(film: Path, keyseg: Any, tmp_path: Path) -> None:
    first, second = timeline(tmp_path / "pred.eaf", "eaf"), timeline(tmp_path / "other.csv", "csv", fps=10)
    truth = timeline(tmp_path / "truth.txt", "txt", [(1, 4, "pour")], fps=10)
    out = tmp_path / "tea.html"
    assert keyseg("report", first, second, "--video", film, "--ref", truth, "--out", out).code == 0
    page = Page(out)
    assert page.rows() == ["truth (reference)", "pred", "other"]
    assert page.labels() == [[("background", 0, 10), ("pour", 10, 30), ("background", 40, 10)], WANTED, WANTED]
    assert [name for name in page.texts("name") if name.startswith("key")] == [
        "key frames, labels of truth (reference)"
    ]
    assert page.texts("name").count("key frames, labels of truth (reference)") == 1
    assert len([a for a in page.all("button") if a.get("class") == "frame"]) == 3
    (source,) = (video["src"] for video in page.all("video"))
    assert source == "./my%20videos/tea.mp4"
    assert (out.parent / unquote(source)).read_bytes() == film.read_bytes()
    assert "media-src 'self' file:\"" in page.text
    assert "data:video" not in page.text
    assert not re.search(r"https?://|//[a-z]+\.", page.text)
    assert page.text.count("<tr>") == 3  # a head and two scored timelines


def test_files_of_one_name_are_rows_with_their_endings_or_folders(film: Path, keyseg: Any, tmp_path: Path) -> None:
    same = [timeline(tmp_path / "a" / "tea.eaf", "eaf"), timeline(tmp_path / "a" / "tea.vtt", "vtt")]
    assert keyseg("report", *same, "--video", film, "--out", tmp_path / "1.html").code == 0
    assert Page(tmp_path / "1.html").rows() == ["tea.eaf", "tea.vtt"]
    same[1] = timeline(tmp_path / "b" / "tea.eaf", "eaf")
    assert keyseg("report", *same, "--video", film, "--out", tmp_path / "2.html").code == 0
    assert Page(tmp_path / "2.html").rows() == ["a/tea", "b/tea"]


def test_of_several_videos_the_one_of_this_name_is_shown(film: Path, keyseg: Any, tmp_path: Path) -> None:
    table = tmp_path / "all.csv"
    head = "video,start_seconds,end_seconds,label\n"
    rows = "coffee.mp4,0,5,grind\ntea.mp4,1,3,take cup\ntea.mp4,3,4,pour\n"
    table.write_text(head + rows)
    out = tmp_path / "tea.html"
    assert keyseg("report", table, "--video", film, "--out", out).code == 0
    assert Page(out).labels() == [WANTED]
    table.write_text(head + rows.replace("tea", "milk"))
    answer = keyseg("report", table, "--video", film, "--out", tmp_path / "no.html")
    assert answer.code == 1
    assert "several videos, and none of them is called tea: coffee, milk" in answer.err
    assert not (tmp_path / "no.html").exists()
    table.write_text(head + "coffee.mp4,0,5,grind\n")
    answer = keyseg("report", table, "--video", film, "--out", tmp_path / "other.html")
    assert answer.code == 0
    assert f"note: {table}: its timeline is of coffee, shown with tea.mp4" in answer.err


def test_frames_without_a_rate_are_at_the_given_one_or_the_videos(film: Path, keyseg: Any, tmp_path: Path) -> None:
    labels = tmp_path / "p.txt"
    out = tmp_path / "tea.html"
    labels.write_text("take\n" * 20 + "pour\n" * 30)
    assert keyseg("report", labels, "--video", film, "--out", out).code == 0
    assert Page(out).labels() == [[("take", 0, 20), ("pour", 20, 30)]]
    labels.write_text("take\n" * 40 + "pour\n" * 60)  # 20 a second
    answer = keyseg("report", labels, "--video", film, "--out", out, "--force")
    assert answer.code == 2
    words = (
        "100 frames at the video's rate, 10 per second, last 10.00 s, and the video 5.00 s; give the rate of its frames"
    )
    assert words in answer.err
    answer = keyseg("report", labels, "--video", film, "--out", out, "--force", "--fps", 20)
    assert (answer.code, answer.err) == (0, "")
    assert Page(out).labels() == [[("take", 0, 40), ("pour", 40, 60)]]
    assert Page(out).all("article")[0]["data-fps"] == "20"
    slow = timeline(tmp_path / "slow.json", "json", fps=5)  # its own rate counts; both are shown at the finer one
    assert keyseg("report", labels, slow, "--video", film, "--out", out, "--force", "--fps", 20).code == 0
    assert Page(out).labels()[1] == [(name, 2 * start, 2 * frames) for name, start, frames in WANTED]


def test_ends_that_differ_from_the_video_are_noted(film: Path, keyseg: Any, tmp_path: Path) -> None:
    short = tmp_path / "short.json"
    file = timeline(short, "json", [(0, 2, "pour")], fps=10)
    file.write_text(
        file.read_text().replace('"frames": 50', '"frames": 20').split(',\n  {\n   "start_frame": 20')[0] + "\n ]\n}\n"
    )
    answer = keyseg("report", short, "--video", film, "--out", tmp_path / "1.html")
    assert answer.code == 0, answer.err
    assert "note: short ends at 2.00 s and the video at 5.00 s; the rest of its row is background" in answer.err
    late = tmp_path / "late.vtt"
    late.write_text("WEBVTT\n\n00:01.000 --> 00:09.000\npour\n")
    answer = keyseg("report", late, "--video", film, "--out", tmp_path / "2.html")
    assert answer.code == 0
    assert "the video ends at 5.00 s, its timeline at 9.00 s; does the timeline belong to this video" in answer.err


def test_pictures_that_end_before_the_sound_leave_out_late_key_frames(keyseg: Any, tmp_path: Path) -> None:
    cues = tmp_path / "a.vtt"
    cues.write_text("WEBVTT\n\n00:00.000 --> 00:01.500\nred\n\n00:02.200 --> 00:03.000\nblue\n")
    video = FIELD / "video" / "still-end.mp4"
    answer = keyseg("report", cues, "--video", video, "--fps", 10, "--out", tmp_path / "a.html")
    assert answer.code == 0, answer.err
    assert len(Page(tmp_path / "a.html").labels()[0]) == 3


def test_a_video_that_browsers_may_not_play_is_linked_with_a_note(avi: Path, keyseg: Any, tmp_path: Path) -> None:
    file = timeline(tmp_path / "pred.eaf", "eaf")
    answer = keyseg("report", file, "--video", avi, "--out", tmp_path / "tea.html")
    assert answer.code == 0
    assert "tea.avi: browsers play h264 in mp4" in answer.err
    assert Page(tmp_path / "tea.html").all("video")[0]["src"] == "./tea.avi"


@pytest.fixture
def avi(make_clip: Callable[..., Path], tmp_path: Path) -> Path:
    return make_clip(tmp_path / "tea.avi", [np.full((48, 64, 3), 5 * i, np.uint8) for i in range(50)])


def test_what_cannot_be_shown_is_refused_before_anything_is_written(film: Path, keyseg: Any, tmp_path: Path) -> None:
    file = timeline(tmp_path / "pred.eaf", "eaf")
    (tmp_path / "text.mp4").write_text("no video")
    (tmp_path / "there.html").write_text("mine")
    out = tmp_path / "new.html"
    cases = [
        ((file, "--video", tmp_path / "none.mp4", "--out", out), 1, "none.mp4: no such video file"),
        ((file, "--video", tmp_path / "text.mp4", "--out", out), 1, "text.mp4: cannot read the video"),
        ((file, "--video", tmp_path, "--out", out), 1, "no such video file"),
        (("--video", film, "--out", out), 2, "name at least one timeline"),
        ((tmp_path / "gone.eaf", "--video", film, "--out", out), 1, "gone.eaf: cannot read it (no such file)"),
        ((file, "--video", film, "--out", tmp_path / "there.html"), 2, "there.html exists already"),
        ((file, "--video", film, "--out", film, "--force"), 2, "a page is saved as .html, got suffix '.mp4'"),
        ((file, "--video", film, "--out", out, "--tier", "gone"), 2, "no tier 'gone'"),
    ]
    before = film.read_bytes()
    for arguments, code, words in cases:
        answer = keyseg("report", *arguments)
        assert (answer.code, answer.out) == (code, ""), arguments
        assert words in answer.err, answer.err
        assert not out.exists()
    assert (tmp_path / "there.html").read_text() == "mine"
    assert film.read_bytes() == before
    assert keyseg("report", file, "--video", film, "--out", tmp_path / "there.html", "--force").code == 0
    assert Page(tmp_path / "there.html").labels() == [WANTED]


def test_the_page_is_called_like_the_video(
    film: Path, keyseg: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = timeline(tmp_path / "pred.eaf", "eaf")
    monkeypatch.chdir(tmp_path)
    assert keyseg("report", file, "--video", film).out == "tea.html\n"


def test_names_from_files_do_not_become_markup(make_clip: Any, keyseg: Any, tmp_path: Path) -> None:
    name = EVIL.replace("/", "_").replace('"', "'")
    film = make_clip(tmp_path / f"{name}#?%41:.mp4", [np.full((48, 64, 3), 5 * i, np.uint8) for i in range(50)])
    cues = tmp_path / f"{name}.srt"
    cues.write_text(f"1\n00:00:01,000 --> 00:00:03,000\n{EVIL}\n")
    out = tmp_path / "x.html"
    assert keyseg("report", cues, "--ref", cues, "--video", film, "--out", out, "--title", EVIL).code == 0
    page = Page(out)
    assert len(page.all("script")) == 1
    assert "alert" not in page.text.split("<script>")[1]
    assert (tmp_path / unquote(page.all("video")[0]["src"])).samefile(film)


# the pages of train and predict


def test_train_leaves_a_page_with_the_test_videos(trained: Path, kitchen: Path) -> None:
    page = Page(trained / "report.html")
    names = (kitchen / "splits" / "test.split1.bundle").read_text().split()
    assert page.texts("h3") == [name.removesuffix(".txt") for name in names]
    assert page.rows() == ["ground truth", "prediction"] * len(names)
    truth = (kitchen / "groundTruth" / names[0]).read_text().split()
    predicted = (trained / "split1/seed0/predictions" / names[0]).read_text().split()
    for bar, wanted in zip(page.labels(), (truth, predicted), strict=False):
        assert [name for name, _, frames in bar for _ in range(frames)] == wanted
    assert not page.all("video")
    captions = page.texts("figcaption")
    assert [caption.split(":")[0].split(",")[0] for caption in captions] == [
        *("What was taken for what", "How long segments are"),
        *("How early or late the segments that were found start and end", "Confidence of segments", "Losses by epoch"),
    ]
    assert "test videos are shown" not in page.text
    assert "<h2>Scores</h2>" in page.text


def test_the_page_of_a_run_shows_every_training_and_few_videos(
    kitchen: Path, trained: Path, options: Any, keyseg: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = shutil.copytree(trained, tmp_path / "run")
    (run / "report.html").unlink()
    monkeypatch.setattr(pages, "_MOST_VIDEOS", 1)
    answer = keyseg("train", kitchen, "--out", run, *options, "--resume", "--seed", 0, 1)
    assert answer.code == 0
    page = Page(run / "report.html")
    assert len(page.texts("h3")) == 1
    assert page.rows() == ["ground truth", "prediction, split1/seed0", "prediction, split1/seed1"]
    assert "1 of 2 test videos are shown." in page.text
    before = (run / "report.html").read_bytes()
    assert keyseg("train", kitchen, "--out", run, *options, "--resume").code == 0  # nothing left to train
    assert len((run / "report.html").read_bytes()) == len(before)


def test_no_failure_of_the_page_loses_a_training(
    trained: Path, kitchen: Path, options: Any, keyseg: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = shutil.copytree(trained, tmp_path / "run")
    (run / "report.html").unlink()

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("no page today")

    monkeypatch.setattr(pages, "write_report", broken)
    answer = keyseg("train", kitchen, "--out", run, *options, "--resume")
    assert answer.code == 0
    assert "note: the page with the test videos could not be written (RuntimeError: no page today)" in answer.err
    assert not (run / "report.html").exists()


def test_the_page_of_a_run_plays_the_videos_that_the_data_set_knows(
    trained: Path, kitchen: Path, options: Any, keyseg: Any, tmp_path: Path, make_clip: Callable[..., Path]
) -> None:
    names = [name[:-4] for name in (kitchen / "splits" / "test.split1.bundle").read_text().split()]
    frames = len((kitchen / "groundTruth" / f"{names[0]}.txt").read_text().split())
    films = {names[0]: tmp_path / "films" / "a.mp4", names[1]: tmp_path / "films" / "b.mp4"}
    make_clip(films[names[0]], [np.full((48, 64, 3), i % 250, np.uint8) for i in range(frames)], 15)
    films[names[1]].write_text("no video")
    data = shutil.copytree(kitchen, tmp_path / "kitchen")
    write_video_files(data, films, data)
    run = tmp_path / "run"
    answer = keyseg("train", data, "--out", run, *options)
    assert answer.code == 0
    page = Page(run / "report.html")
    assert [video["src"] for video in page.all("video")] == ["../films/a.mp4"]
    assert f"note: report.html shows {names[1]} without its video: " in answer.err
    assert page.texts("h3") == names


def test_predict_writes_a_page_for_each_input(trained: Path, kitchen: Path, keyseg: Any, tmp_path: Path) -> None:
    file = sorted((kitchen / "features").iterdir())[0]
    out = tmp_path / "out"
    assert keyseg("predict", trained, file, "--out", out, "--report").code == 0
    assert {path.name for path in out.iterdir()} == {f"{file.stem}.txt", f"{file.stem}.html"}
    page = Page(out / f"{file.stem}.html")
    labels = (out / f"{file.stem}.txt").read_text().split()
    assert [name for name, _, frames in page.labels()[0] for _ in range(frames)] == labels
    assert page.rows() == ["prediction"]
    answer = keyseg("predict", trained, file, "--out", out, "--report")
    assert answer.code == 2
    assert "exists (2 such files)" in answer.err
    (out / f"{file.stem}.html").unlink()
    assert keyseg("predict", trained, file, "--out", out, "--report", "--resume").code == 0
    assert Page(out / f"{file.stem}.html").labels() == page.labels()


def test_video_files_of_a_data_set_are_found_again(tmp_path: Path) -> None:
    root, folder = tmp_path / "data", tmp_path / "my, films"
    root.mkdir()
    folder.mkdir()
    (folder / "a.mp4").touch()
    features = root / "features" / "a.npy"
    assert find_video_file(root, "a", features) is None
    write_video_files(root, {"a": folder / "a.mp4", "b": folder / "b.mp4"}, root)
    found = find_video_file(root, "a", features)
    assert found is not None
    assert found.samefile(folder / "a.mp4")
    assert find_video_file(root, "b", features) is None  # it has gone
    assert find_video_file(root, "c", features) is None
    (root / "videos.csv").write_text("name,path\n")
    with pytest.raises(DataError, match=r"videos\.csv:1: expected the columns video and file"):
        find_video_file(root, "a", features)
