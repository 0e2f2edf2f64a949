"""The HTML report: its structure, that it loads nothing from outside, and that no name becomes markup."""

from __future__ import annotations

import base64
import hashlib
import math
import re
from dataclasses import dataclass, field
from fractions import Fraction
from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keyseg.timeline import LabelMap, OutputExistsError, Segmentation, TimeBase, TimelineError
from keyseg.viz import VideoTimeline, class_colours, plot_curves, write_report
from keyseg.viz.page_bars import video_block

_LABELS = LabelMap(("background", "cut<b>", 'a"&amp;', "unseen"), ("background",))
_TIME = TimeBase(Fraction(15))
_TRUTH = Segmentation(np.array([0, 30, 75, 90, 150]), np.array([0, 1, 2, 1]))
_GUESS = Segmentation(np.array([0, 40, 41, 150]), np.array([0, 1, 2]))
_VOID = {"meta", "img", "br", "rect", "path", "line", "link", "hr", "input"}
_EVIL = '</script><script>alert("x")</script><img src=http://evil.example/x>'


@dataclass
class _Element:
    tag: str
    attributes: dict[str, str]
    children: list[_Element] = field(default_factory=list)
    text: str = ""

    def all(self, tag, **attributes):
        matches = [self] if self.tag == tag and attributes.items() <= self.attributes.items() else []
        return matches + [e for child in self.children for e in child.all(tag, **attributes)]

    def one(self, tag, **attributes):
        (match,) = self.all(tag, **attributes)
        return match

    def full_text(self):
        return self.text + "".join(child.full_text() for child in self.children)


class _Tree(HTMLParser):
    """The page as a tree; raises if a tag is closed that was not open."""

    def __init__(self, page):
        super().__init__()
        self.root = _Element("root", {})
        self._open = [self.root]
        self.feed(page)
        assert self._open == [self.root], "an element was not closed"

    def handle_starttag(self, tag, attrs):
        element = _Element(tag, dict(attrs))
        self._open[-1].children.append(element)
        if tag not in _VOID or tag == "rect":
            self._open.append(element)

    def handle_startendtag(self, tag, attrs):
        self._open[-1].children.append(_Element(tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self._open.pop().tag == tag

    def handle_data(self, data):
        self._open[-1].text += data


def _scores(*values):
    return dict(zip(("f1@10", "f1@25", "f1@50", "edit", "acc"), values, strict=True))


def _write(path, **changed):
    content = {
        "title": "RTK on <GTEA>",
        "introduction": "Two videos & two systems. The first bar is the annotation.",
        "scores": {"A": _scores(70, 60, 50, 40, 30), "B": _scores(71, 59, 50, 40, 30)},
        "videos": [
            VideoTimeline("S1_Coffee", (("truth", _TRUTH), ("RTK", _GUESS))),
            VideoTimeline("S2_Tea", (("truth", _GUESS),)),
        ],
        "labels": _LABELS,
        "timebase": _TIME,
        "figures": {"losses": plot_curves({"a": ([0, 1], [1, 0])})},
        "provenance": {"command": "keyseg evaluate --split 1", "seed": "0"},
    }
    return write_report(path, **{**content, **changed})


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    return _write(tmp_path_factory.mktemp("report") / "new" / "report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def tree(page):
    return _Tree(page).root


def _spans(bar):
    rects = bar.all("rect")
    return sorted((int(r.attributes["x"]), int(r.attributes["x"]) + int(r.attributes["width"])) for r in rects)


def _expected(segmentation):
    return [(s.start_frame, s.end_frame) for s in segmentation]


def test_sections_come_in_order(tree):
    assert [s.attributes["id"] for s in tree.all("section")] == ["scores", "timelines", "figures", "provenance"]
    assert tree.one("h1").text == tree.one("head").one("title").text == "RTK on <GTEA>"
    assert "Two videos & two systems." in tree.one("header").full_text()


def test_each_bar_has_the_rectangles_of_its_segments(tree):
    videos = tree.all("article")
    assert [v.one("h3").text.strip() for v in videos] == ["S1_Coffee", "S2_Tea"]
    bars = [[_spans(bar) for bar in video.all("svg", **{"class": "bar"})] for video in videos]
    assert bars == [[_expected(_TRUTH), _expected(_GUESS)], [_expected(_GUESS)]]
    assert all(bar.attributes["viewbox"] == "0 0 150 1" for bar in tree.all("svg", **{"class": "bar"}))
    assert [n.text for n in videos[0].all("span", **{"class": "name"})] == ["truth", "RTK", "time (s)"]


def test_tooltips_show_class_times_and_duration(tree):
    (rect,) = [r for r in tree.all("article")[0].all("rect") if r.attributes["x"] == "30"]
    assert rect.one("title").text == "cut<b>: 2.00 to 5.00 s (3.00 s)"
    assert rect.attributes["class"] == "c1"


def test_times_of_long_videos_are_in_minutes():
    video = Segmentation(np.array([0, 15 * 95, 15 * 300]), np.array([1, 2]))
    block = _Tree(video_block("v", [("truth", video)], _LABELS, _TIME)).root
    titles = sorted(t.text for t in block.all("title"))
    assert titles == ['a"&amp;: 1:35.00 to 5:00.00 (205.00 s)', "cut<b>: 0:00.00 to 1:35.00 (95.00 s)"]
    assert block.one("small").text == "5:00.0, 4500 frames"
    assert [t.text for t in block.all("text")][:3] == ["0:00", "0:30", "1:00"]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 3), min_size=1, max_size=120), st.integers(1, 60))
def test_rectangles_tile_the_video_with_their_classes(frames, fps):
    segmentation = Segmentation.from_frames(frames)
    block = _Tree(video_block("v", [("truth", segmentation)], _LABELS, TimeBase(Fraction(fps)))).root
    painted = np.full(len(frames), -1)
    for rect in block.all("rect"):
        start, width = int(rect.attributes["x"]), int(rect.attributes["width"])
        assert (painted[start : start + width] == -1).all()
        painted[start : start + width] = int(rect.attributes["class"].removeprefix("c"))
    assert painted.tolist() == frames
    assert len(block.all("rect")) == len(segmentation)


def test_short_segments_are_drawn_last():
    block = _Tree(video_block("v", [("truth", _GUESS)], _LABELS, _TIME)).root
    assert [int(r.attributes["width"]) for r in block.all("rect")] == [109, 40, 1]


def test_neighbours_of_one_class_are_separated_by_a_line():
    twice = Segmentation(np.array([0, 30, 60, 90]), np.array([1, 1, 2]))
    block = _Tree(video_block("v", [("truth", twice)], _LABELS, _TIME)).root
    assert len(block.all("rect")) == 3
    assert block.one("path").attributes["d"] == "M30 0V1"


def test_legend_has_the_classes_that_occur_in_their_colours(page, tree):
    buttons = tree.all("button")
    assert [(b.attributes["data-class"], b.full_text()) for b in buttons] == [
        ("c0", "background"),
        ("c1", "cut<b>"),
        ("c2", 'a"&amp;'),
    ]
    assert [set(b.one("i").attributes["class"].split()) for b in buttons] == [{"swatch", f"c{i}"} for i in range(3)]
    for i, colour in enumerate(class_colours(_LABELS)[:3]):
        assert f".c{i} {{ fill: {colour};" in page


def test_time_axis_ends_within_the_bar(tree):
    at = [float(t.attributes["x"].rstrip("%")) for t in tree.all("article")[0].all("text")]
    assert at == pytest.approx([10 * i for i in range(11)])


def test_scores_are_a_table_with_the_best_in_bold(tree):
    table = tree.one("table")
    assert [h.text for h in table.one("thead").all("th")] == ["System", "F1@10", "F1@25", "F1@50", "Edit", "Acc"]
    rows = table.one("tbody").all("tr")
    assert [row.one("th").text for row in rows] == ["A", "B"]
    assert [[cell.full_text() for cell in row.all("td")] for row in rows] == [
        ["70.0", "60.0", "50.0", "40.0", "30.0"],
        ["71.0", "59.0", "50.0", "40.0", "30.0"],
    ]
    assert [[bool(cell.all("b")) for cell in row.all("td")] for row in rows] == [
        [False, True, True, True, True],
        [True, False, True, True, True],
    ]


def test_missing_scores_are_dashes_and_never_best(tmp_path):
    scores = {"A": _scores(math.nan, 1.04, math.nan, 1, 1), "B": _scores(5, 1.02, math.nan, 2, 0)}
    table = _Tree(_write(tmp_path / "r.html", scores=scores).read_text(encoding="utf-8")).root.one("tbody")
    first, second = table.all("tr")
    assert [c.full_text() for c in first.all("td")] == ["–", "1.0", "–", "1.0", "1.0"]
    # 1.04 and 1.02 print the same, so both are best.
    assert [bool(c.all("b")) for c in first.all("td")] == [False, True, False, False, True]
    assert [bool(c.all("b")) for c in second.all("td")] == [True, True, False, True, False]


def test_nothing_is_loaded_from_elsewhere(page, tree):
    assert not re.search(r"https?://|//[a-z]+\.", page)
    assert not tree.all("link")
    assert not re.search(r"@import|url\(", page)
    assert all("src" not in script.attributes for script in tree.all("script"))
    assert all(image.attributes["src"].startswith("data:image/svg+xml;base64,") for image in tree.all("img"))
    assert "default-src 'none'" in page


def _policy_and_content(path):
    """The directives of a page's policy, and its one style and script as a browser hashes them."""
    page = path.read_text(encoding="utf-8")
    content = _Tree(page).root.one("meta", **{"http-equiv": "Content-Security-Policy"}).attributes["content"]
    policy = {name: values for name, *values in (part.split() for part in content.split(";"))}
    found = {tag: re.findall(rf"<{tag}[^>]*>(.*?)</{tag}>", page, re.DOTALL) for tag in ("style", "script")}
    digests = {
        tag: [base64.b64encode(hashlib.sha256(t.encode()).digest()).decode() for t in found[tag]] for tag in found
    }
    return policy, {tag: [f"'sha256-{digest}'" for digest in digests[tag]] for tag in digests}


def _video(tmp_path):
    """A file that browsers might play; nothing here plays it."""
    path = tmp_path / "film.mp4"
    path.write_bytes(b"film")
    return path


@pytest.mark.parametrize("linked", [False, True])
def test_the_policy_allows_the_style_and_the_script_of_the_page_alone(linked, tmp_path):
    videos = [VideoTimeline("v", (("truth", _TRUTH),), _video(tmp_path) if linked else None)]
    policy, hashes = _policy_and_content(_write(tmp_path / "r.html", videos=videos, linked=linked))
    assert policy == {
        "default-src": ["'none'"],
        "style-src": hashes["style"],
        "script-src": hashes["script"],
        "img-src": ["data:"],
        "media-src": ["'self'", "file:"] if linked else ["data:"],
        "base-uri": ["'none'"],
        "form-action": ["'none'"],
    }


def test_no_element_has_a_style_or_a_script_of_its_own(tree):
    """The policy would keep browsers from applying it."""
    elements = [tree]
    while elements:
        element = elements.pop()
        elements += element.children
        assert not any(name == "style" or name.startswith("on") for name in element.attributes)


def test_figures_are_images_with_their_caption(tree):
    figure = tree.one("figure")
    assert figure.one("figcaption").text == figure.one("img").attributes["alt"] == "losses"
    data = base64.b64decode(figure.one("img").attributes["src"].split(",")[1])
    assert b"<svg" in data


def test_provenance_is_listed(tree):
    assert [(d.text) for d in tree.one("dl").children if d.tag in ("dt", "dd")] == [
        "command", "keyseg evaluate --split 1", "seed", "0",
    ]  # fmt: skip


def test_light_dark_print_and_phone_are_styled(page):
    for rule in ("prefers-color-scheme: dark", "@media print", "max-width: 40rem", 'name="viewport"'):
        assert rule in page


def test_no_text_becomes_markup(tmp_path):
    evil = "".join(_EVIL.split())
    labels = LabelMap((evil, "rest"))
    path = _write(
        tmp_path / "r.html",
        title=_EVIL,
        introduction=_EVIL + " $title ${style}",
        scores={_EVIL: _scores(1, 1, 1, 1, 1)},
        videos=[VideoTimeline(_EVIL, ((_EVIL, Segmentation.from_frames([0, 0, 1])),))],
        labels=labels,
        figures={_EVIL: plot_curves({"a": ([0, 1], [1, 0])})},
        provenance={_EVIL: _EVIL},
    )
    tree = _Tree(path.read_text(encoding="utf-8")).root
    assert len(tree.all("script")) == 1
    assert "alert" not in tree.one("script").full_text()
    assert [i.attributes["alt"] for i in tree.all("img")] == [_EVIL]
    assert tree.one("header").one("p").text == _EVIL + " $title ${style}"
    assert tree.one("tbody").one("th").text == _EVIL
    assert tree.one("article").one("h3").text.strip() == _EVIL
    assert tree.all("button")[0].full_text() == evil
    assert tree.one("dt").text == tree.one("dd").text == _EVIL


@settings(max_examples=25, deadline=None)
@given(st.text(max_size=30), st.text(max_size=30))
def test_any_name_is_shown_unchanged(video, row):
    block = _Tree(video_block(video, [(row, _TRUTH)], _LABELS, _TIME)).root
    assert block.one("h3").text == video + " "
    assert block.all("span")[0].text == row
    assert block.one("svg", **{"class": "bar"}).attributes["aria-label"] == f"{row}: 4 segments"


def test_an_empty_report_has_its_heading_and_no_section(tmp_path):
    path = _write(tmp_path / "r.html", scores={}, videos=[], figures={}, provenance={})
    tree = _Tree(path.read_text(encoding="utf-8")).root
    assert tree.one("h1").text == "RTK on <GTEA>"
    assert not tree.all("section")


def test_an_empty_video_and_one_frame_are_drawn(tmp_path):
    videos = [
        VideoTimeline("empty", (("truth", Segmentation.from_frames([])),)),
        VideoTimeline("one", (("truth", Segmentation.from_frames([2])),)),
    ]
    tree = _Tree(_write(tmp_path / "r.html", videos=videos).read_text(encoding="utf-8")).root
    empty, one = tree.all("article")
    assert not empty.all("rect")
    assert empty.one("small").text == "0.0 s, 0 frames"
    assert _spans(one.one("svg", **{"class": "bar"})) == [(0, 1)]
    assert one.one("small").text == "0.1 s, 1 frame"


def test_rows_that_do_not_fit_together_are_refused_with_the_video(tmp_path):
    video = VideoTimeline("S3_Pie", (("truth", _TRUTH), ("RTK", Segmentation.from_frames([0, 1]))))
    with pytest.raises(TimelineError, match=r"video 'S3_Pie'.*'truth' has 150 frames and 'RTK' has 2"):
        _write(tmp_path / "r.html", videos=[video])
    with pytest.raises(TimelineError, match=r"video 'v', row 'x': class id 7 is unknown"):
        _write(tmp_path / "r.html", videos=[VideoTimeline("v", (("x", Segmentation.from_frames([7])),))])
    assert not list(tmp_path.iterdir())


def test_nothing_is_overwritten_unless_forced_and_bytes_are_reproducible(tmp_path):
    path = _write(tmp_path / "r.html")
    before = path.read_bytes()
    with pytest.raises(OutputExistsError, match=r"r\.html exists already"):
        _write(path)
    assert _write(path, force=True).read_bytes() == before
