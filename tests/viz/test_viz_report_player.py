"""The player of the report: the video in the page, key frames, what the script reads, and the logic of the script."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
from bisect import bisect_right
from fractions import Fraction
from html.parser import HTMLParser
from importlib import resources

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keyseg.timeline import DataError, LabelMap, Segmentation, TimeBase, TimelineError
from keyseg.video.reading import read_key_frames
from keyseg.viz import VideoTimeline, page_player, write_report
from keyseg.viz.clock import axis_time
from keyseg.viz.page_player import jpeg, key_frame_times, relative_address

_LABELS = LabelMap(("background", "cut", "stir"), ("background",))
pytestmark = pytest.mark.slow
_TIME = TimeBase(Fraction(10))
_TRUTH = Segmentation(np.array([0, 3, 12, 20]), np.array([0, 1, 2]))
_GUESS = Segmentation(np.array([0, 5, 20]), np.array([0, 1]))
_ROWS = (("truth", _TRUTH), ("RTK", _GUESS))
_EVIL = '"><script>alert("x")</script>'


def _film(path, *, codec="libx264", pixels="yuv420p", frames=20, size=(64, 48), noise=False):
    """A video of 10 frames a second that goes from black to white."""
    rng = np.random.default_rng(0)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=10)
        stream.width, stream.height, stream.pix_fmt = *size, pixels
        for i in range(frames):
            picture = rng.integers(0, 256, (size[1], size[0], 3)) if noise else np.full((size[1], size[0], 3), 12 * i)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture.astype(np.uint8), format="rgb24")))
        container.mux(stream.encode())
    return path


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    return _film(tmp_path_factory.mktemp("film") / "a.mp4")


class _Page(HTMLParser):
    """Elements as (tag, attributes), and the text of each that has one."""

    def __init__(self, path):
        super().__init__()
        self.text = path.read_text(encoding="utf-8")
        self.elements = []
        self.feed(self.text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs), []))

    handle_startendtag = handle_starttag

    def handle_data(self, data):
        if self.elements:
            self.elements[-1][2].append(data)

    def all(self, tag=None, **wanted):
        return [
            (attributes, "".join(text))
            for name, attributes, text in self.elements
            if tag in (None, name) and wanted.items() <= attributes.items()
        ]

    def of_class(self, name):
        return [(tag, a, "".join(text)) for tag, a, text in self.elements if name in (a.get("class") or "").split()]


def _write(path, videos, timebase=_TIME, labels=_LABELS, **more):
    return write_report(
        path, title="t", introduction="i", scores={}, videos=videos, labels=labels, timebase=timebase, **more
    )


def _page(path, videos, **more):
    return _Page(_write(path, videos, **more))


# the page


def test_the_video_is_in_the_page_unchanged(tmp_path, film):
    page = _page(tmp_path / "r.html", [VideoTimeline("S1", _ROWS, video=film)])
    ((video, _),) = page.all("video")
    kind, data = video["src"].split(",")
    assert kind == "data:video/mp4;base64"
    assert base64.b64decode(data) == film.read_bytes()
    assert {"controls", "playsinline"} <= set(video)
    assert video["aria-label"] == "S1"
    assert "default-src 'none'" in page.text
    assert 'media-src data:"' in page.text
    assert not re.search(r"https?://|//[a-z]+\.", page.text)


def test_the_script_finds_frames_and_rate_exactly(tmp_path, film):
    base = TimeBase(Fraction(30000, 1001))
    page = _page(tmp_path / "r.html", [VideoTimeline("S1", _ROWS, video=film)], timebase=base)
    ((article, _),) = page.all("article")
    assert (article["data-fps"], article["data-frames"]) == ("30000/1001", "20")
    ((slider, _),) = page.all("div", role="slider")
    assert slider["tabindex"] == "0"
    assert [slider[f"aria-value{name}"] for name in ("min", "max", "now")] == ["0", "19", "0"]
    assert slider["aria-label"] == "frame of S1"
    assert [a["viewbox"] for _, a, _ in page.of_class("bar")] == ["0 0 20 1"] * 2
    assert len(page.of_class("track")) == 2
    assert [text for _, _, text in page.of_class("who")] == ["truth", "RTK"]
    assert len(page.of_class("what")) == 2
    # The script takes the names of labels from the legend, by class.
    assert [a["data-class"] for a, _ in page.all("button")] == ["c0", "c1", "c2"]


def test_a_page_without_video_has_no_player(tmp_path):
    page = _page(tmp_path / "r.html", [VideoTimeline("S1", _ROWS)])
    assert not page.all("video")
    assert not page.all(role="slider")
    assert not page.of_class("player")
    assert "currentTime" not in page.text
    assert len(page.of_class("bar")) == 2


def test_videos_with_and_without_a_file_share_a_page(tmp_path, film):
    videos = [VideoTimeline("a", _ROWS), VideoTimeline("b", _ROWS, video=film), VideoTimeline("c", _ROWS)]
    page = _page(tmp_path / "r.html", videos)
    assert len(page.all("article")) == 3
    assert [a["aria-label"] for a, _ in page.all("video")] == ["b"]
    assert page.text.count("currentTime") > 0
    assert len(page.all("script")) == 1


def test_names_do_not_become_markup(tmp_path, film):
    labels = LabelMap((_EVIL.replace(" ", ""), "cut", "stir"))
    image = np.zeros((8, 8, 3), np.uint8)
    video = VideoTimeline(_EVIL, ((_EVIL, _TRUTH),), video=film, key_frames=((0.0, image),))
    page = _page(tmp_path / "r.html", [video], labels=labels)
    assert len(page.all("script")) == 1
    assert [a["aria-label"] for a, _ in page.all("video")] == [_EVIL]
    assert [a["aria-label"] for a, _ in page.all(role="slider")] == [f"frame of {_EVIL}"]
    assert [text for _, _, text in page.of_class("who")] == [_EVIL]
    assert [a["aria-label"] for a, _ in page.all(role="group")] == [f"key frames, labels of {_EVIL}"]


def test_the_player_is_not_printed_and_fits_a_phone(tmp_path, film):
    style = _page(tmp_path / "r.html", [VideoTimeline("S1", _ROWS, video=film)]).text
    assert ".player, .scrubber .track::after { display: none; }" in style
    assert style.count("@media (max-width: 40rem)") == 2
    assert "focus-visible" in style


def test_bytes_are_reproducible(tmp_path, film):
    video = VideoTimeline("S1", _ROWS, video=film, key_frames=tuple(read_key_frames(film, [0.3])))
    first, second = (_write(tmp_path / name, [video]).read_bytes() for name in ("a.html", "b.html"))
    assert first == second


def test_a_linked_video_is_played_where_it_lies(tmp_path, film):
    page = _page(tmp_path / "pages" / "r.html", [VideoTimeline("S1", _ROWS, video=film)], linked=True)
    ((video, _),) = page.all("video")
    assert (tmp_path / "pages" / video["src"]).resolve() == film.resolve()
    assert "media-src 'self' file:\"" in page.text
    assert "base64" not in page.text
    assert not re.search(r"https?://|//[a-z]+\.", page.text)
    gone = VideoTimeline("S1", _ROWS, video=tmp_path / "gone.mp4")
    assert _page(tmp_path / "r.html", [gone], linked=True).all("video")[0][0]["src"] == "./gone.mp4"


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("a b.mp4", "./a%20b.mp4"),
        ("x/a.mp4", "./x/a.mp4"),
        ("http:a.mp4", "./http%3Aa.mp4"),
        ("a#1?.mp4", "./a%231%3F.mp4"),
        ("50%41.mp4", "./50%2541.mp4"),
        ("é.mp4", "./%C3%A9.mp4"),
        ("../a.mp4", "../a.mp4"),
    ],
)
def test_addresses_of_linked_videos_lead_to_them(tmp_path, name, address):
    assert relative_address(tmp_path / "p" / name, tmp_path / "p" / "r.html") == address


def test_a_video_on_another_drive_has_its_whole_address(tmp_path, monkeypatch):
    def refuse(*_):
        raise ValueError("path is on mount 'D:', start on mount 'C:'")

    monkeypatch.setattr(page_player.os.path, "relpath", refuse)
    video = tmp_path / "a b.mp4"
    assert relative_address(video, tmp_path / "r.html") == video.resolve().as_uri()


def test_the_legend_stays_in_sight_beside_a_player(tmp_path, film):
    style = _page(tmp_path / "r.html", [VideoTimeline("S1", _ROWS, video=film)]).text.split("</style>")[0]
    rules = re.findall(r"([^{}]*)\{([^{}]*)\}", style)
    assert "position: sticky; top: 0; z-index: 1;" in style
    assert [selector.strip() for selector, body in rules if "static" in body] == [".legend"]  # on paper
    assert "#timelines:has(.player) .classes { max-height: 5.5rem; }" in style  # never most of a small screen


# key frames


def test_key_frames_say_whose_labels_they_carry(tmp_path, film):
    frames = tuple(read_key_frames(film, [0.5]))
    for rows in (_ROWS, _ROWS[::-1]):
        page = _page(tmp_path / f"{rows[0][0]}.html", [VideoTimeline("S1", rows, video=film, key_frames=frames)])
        assert [text for _, _, text in page.of_class("name")][-1] == f"key frames, labels of {rows[0][0]}"
        assert page.of_class("frame")[0][1]["data-frame"] == "5"
        (label,) = {a["class"] for _, a, _ in page.of_class("swatch") if a["class"] != "swatch"} & {
            f"swatch c{int(rows[0][1].to_frames()[5])}"
        }
        assert label


def test_key_frames_are_buttons_to_their_frame(tmp_path, film):
    frames = tuple(read_key_frames(film, key_frame_times(_TRUTH, _TIME)))
    page = _page(tmp_path / "r.html", [VideoTimeline("S1", _ROWS, video=film, key_frames=frames)])
    buttons = page.of_class("frame")
    assert [(tag, a["type"], a["data-frame"]) for tag, a, _ in buttons] == [
        ("button", "button", "1"),
        ("button", "button", "7"),
        ("button", "button", "16"),
    ]
    captions = page.of_class("when")
    assert [text for _, _, text in captions] == ["0.1 s ", "0.7 s ", "1.6 s "]
    assert [a["class"] for _, a, _ in page.of_class("swatch") if "c" in a["class"][6:]][-3:] == [
        f"swatch c{i}" for i in range(3)
    ]
    grey = []
    for image, _ in page.all("img"):
        kind, data = image["src"].split(",")
        assert kind == "data:image/jpeg;base64"
        grey.append(_decoded(base64.b64decode(data)).mean())
    np.testing.assert_allclose(grey, [12, 84, 192], atol=8)


def test_key_frames_without_a_video_are_not_buttons(tmp_path, film):
    frames = tuple(read_key_frames(film, [0.5]))
    page = _page(tmp_path / "r.html", [VideoTimeline("S1", _ROWS, key_frames=frames)])
    assert [tag for tag, _, _ in page.of_class("frame")] == ["span"]
    assert len(page.all("img")) == 1


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 5), min_size=1, max_size=80), st.integers(1, 30), st.integers(1, 12))
def test_key_frame_times_fall_in_the_longest_segments(frames, fps, most):
    segmentation, base = Segmentation.from_frames(frames), TimeBase(Fraction(fps))
    times = key_frame_times(segmentation, base, most=most)
    assert len(times) == min(most, len(segmentation))
    assert times == sorted(set(times))
    shown = [next(s for s in segmentation if s.start_frame <= round(t * fps) < s.end_frame) for t in times]
    lengths = sorted((s.length for s in segmentation), reverse=True)
    assert sorted((s.length for s in shown), reverse=True) == lengths[:most]


def test_a_key_frame_at_the_start_of_a_frame_is_that_frame(tmp_path):
    long = Segmentation.from_frames(np.arange(300) % 3)
    image = np.zeros((4, 4, 3), np.uint8)
    frames = tuple((i / 10, image) for i in range(0, 300, 7))
    page = _page(tmp_path / "r.html", [VideoTimeline("S1", (("truth", long),), key_frames=frames)])
    assert [int(a["data-frame"]) for _, a, _ in page.of_class("frame")] == list(range(0, 300, 7))


@pytest.mark.parametrize("size", [(48, 64), (47, 33), (1, 1), (160, 480)])
def test_jpeg_keeps_a_picture(size):
    rows, columns = np.mgrid[: size[0], : size[1]]
    image = np.stack([80 + 100 * rows / size[0], 60 + 100 * columns / size[1], 120 + 0 * rows], 2).astype(np.uint8)
    shown = _decoded(jpeg(image))
    assert shown.shape == image.shape
    np.testing.assert_allclose(shown.astype(int), image, atol=14)


def _decoded(data):
    (frame,) = av.CodecContext.create("mjpeg", "r").decode(av.Packet(data))
    return frame.to_ndarray(format="rgb24")


# input that is refused


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("a.mp4", {"codec": "mpeg4"}, r"a\.mp4: browsers play h264 .* this is mpeg4, .*convert it with: ffmpeg"),
        ("a.mp4", {"pixels": "yuv444p"}, r"this is h264, yuv444p, in mp4"),
        ("a.avi", {}, r"this is h264, yuv420p, in avi"),
        ("a.mkv", {}, r"this is h264, yuv420p, in webm"),
    ],
)
def test_what_browsers_do_not_play_is_refused(tmp_path, name, options, message):
    film = _film(tmp_path / name, **options)
    with pytest.raises(DataError, match=message):
        _write(tmp_path / "r.html", [VideoTimeline("S1", _ROWS, video=film)])
    assert not (tmp_path / "r.html").exists()


def test_webm_is_played(tmp_path):
    if "libvpx-vp9" not in av.codecs_available:
        pytest.skip("PyAV was built without libvpx-vp9")
    film = _film(tmp_path / "a.webm", codec="libvpx-vp9")
    page = _page(tmp_path / "r.html", [VideoTimeline("S1", _ROWS, video=film)])
    assert page.all("video")[0][0]["src"].startswith("data:video/webm;base64,")


def test_a_missing_file_a_text_and_a_folder_are_refused(tmp_path):
    (tmp_path / "text.mp4").write_text("no video")
    for name, message in (("none.mp4", "no such video file"), ("text.mp4", "cannot read the video"), (".", "no such")):
        with pytest.raises(DataError, match=message):
            _write(tmp_path / "r.html", [VideoTimeline("S1", _ROWS, video=tmp_path / name)])
    assert not (tmp_path / "r.html").exists()


def test_large_videos_are_refused_one_by_one_and_together(tmp_path, film, monkeypatch):
    size = film.stat().st_size
    videos = [VideoTimeline(name, _ROWS, video=film) for name in "ab"]
    monkeypatch.setattr(page_player, "MOST_BYTES", size - 1)
    with pytest.raises(DataError, match=r"a\.mp4 has .* MB, and a page holds .* leave some videos out, or shrink them"):
        _write(tmp_path / "r.html", videos[:1])
    monkeypatch.setattr(page_player, "MOST_BYTES", 2 * size - 1)
    _write(tmp_path / "one.html", videos[:1])
    with pytest.raises(DataError, match=r"the 2 videos of this page have .* MB, and a page holds"):
        _write(tmp_path / "r.html", videos)
    monkeypatch.setattr(page_player, "MOST_BYTES", 2 * size)
    _write(tmp_path / "r.html", videos)


def test_a_page_holds_20_mb_of_video():
    assert page_player.MOST_BYTES == 20_000_000


def test_a_video_that_ends_before_its_timeline_is_not_its_video(tmp_path, film):
    almost = Segmentation(np.array([0, 30]), np.array([1]))
    _write(tmp_path / "a.html", [VideoTimeline("S1", (("truth", almost),), video=film)])
    longer = Segmentation(np.array([0, 31]), np.array([1]))
    with pytest.raises(TimelineError, match=r"ends at 2\.00 s, its timeline at 3\.10 s; does the timeline belong"):
        _write(tmp_path / "r.html", [VideoTimeline("S1", (("truth", longer),), video=film)])


def test_a_timeline_without_frames_cannot_play(tmp_path, film):
    empty = Segmentation.from_frames([])
    with pytest.raises(TimelineError, match="has no frames, so nothing can play"):
        _write(tmp_path / "r.html", [VideoTimeline("S1", (("truth", empty),), video=film)])
    page = _page(tmp_path / "r.html", [VideoTimeline("S1", (("truth", empty),))])
    assert [a["data-frames"] for a, _ in page.all("article")] == ["0"]


def test_key_frames_that_do_not_fit_the_video_are_refused(tmp_path):
    good = np.zeros((8, 8, 3), np.uint8)
    for frame, message in (
        ((2.1, good), r"'S1': a key frame is at 2\.1 s, but the timeline goes from 0 to 2 s"),
        ((-0.1, good), r"a key frame is at -0\.1 s"),
        ((0.0, good.astype(float)), r"key frame at 0 s: expected an image .* of uint8, got \(8, 8, 3\) of float64"),
        ((0.0, good[:, :, 0]), r"got \(8, 8\) of uint8"),
    ):
        with pytest.raises(TimelineError, match=message):
            _write(tmp_path / "r.html", [VideoTimeline("S1", _ROWS, key_frames=(frame,))])
    empty = VideoTimeline("S1", (("truth", Segmentation.from_frames([])),), key_frames=((0.0, good),))
    with pytest.raises(TimelineError, match="a key frame is at 0 s"):
        _write(tmp_path / "r.html", [empty])


# the logic of the script, run by node


def _in_node(expression):
    """The value of an expression over `timeline`, the logic that the page runs."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed, which can run the script without a browser")
    script = resources.files("keyseg.viz").joinpath("player.js").read_text(encoding="utf-8")
    program = (
        f"const document = {{ querySelectorAll: () => [] }};\n{script}\nconsole.log(JSON.stringify({expression}));"
    )
    done = subprocess.run([node, "-"], input=program, capture_output=True, text=True, check=True, timeout=60)
    return json.loads(done.stdout)


_RATES = ["10", "15", "25", "30", "60", "30000/1001", "24000/1001", "1/2"]


def test_frames_and_times_in_the_page_are_those_of_the_time_base():
    rows_by_rate = _in_node(
        f"{json.dumps(_RATES)}.map((text) => {{ const rate = timeline.rate(text); return [...Array(400).keys()].map("
        # A browser rounds times to a millionth of a second, down or up.
        "(i) => [timeline.frameAt(Math.floor(1e6 * i / rate) / 1e6, rate, 400),"
        " timeline.frameAt(Math.ceil(1e6 * i / rate) / 1e6, rate, 400), timeline.middleOf(i, rate, 400)]); })"
    )
    for text, rows in zip(_RATES, rows_by_rate, strict=True):
        base = TimeBase(Fraction(text))
        assert [row[0] for row in rows] == [row[1] for row in rows] == list(range(400))
        assert [base.frame_at(Fraction(row[2])) for row in rows] == list(range(400))


def test_times_outside_the_video_give_the_first_or_the_last_frame():
    assert _in_node("[-1, 0, 1.99, 2, 50].map((t) => timeline.frameAt(t, 10, 20))") == [0, 0, 19, 19, 19]
    assert _in_node("[-5, 19, 20, 99].map((i) => timeline.middleOf(i, 10, 20))") == [0.05, 1.95, 1.95, 1.95]


def test_the_label_of_a_moment_is_that_of_its_segment():
    starts = [0, 3, 12, 20, 21]
    segments = _in_node(f"[...Array(30).keys()].map((i) => timeline.lastStart({starts}, i))")
    assert segments == [bisect_right(starts, i) - 1 for i in range(30)]
    assert _in_node("[timeline.lastStart([], 4), timeline.lastStart([5], 4)]") == [-1, -1]


def test_keys_move_by_a_second_by_a_frame_and_to_the_ends():
    keys = ["ArrowRight", "ArrowLeft", ".", ",", "Home", "End", " ", "a", "toString"]
    moved = _in_node(f"{json.dumps(keys)}.map((key) => timeline.moved(key, 25, 10, 40))")
    assert moved == [35, 15, 26, 24, 0, 39, None, None, None]
    ends = _in_node("[['ArrowRight', 38], [',', 0], ['ArrowLeft', 3]].map(([k, i]) => timeline.moved(k, i, 0.5, 40))")
    assert ends == [39, 0, 2]


def test_times_are_written_as_on_the_axis():
    cases = [(0, 5), (3.25, 119.9), (59.999, 120), (75.5, 300), (3599.996, 3599.999), (3725.25, 7200)]
    texts = _in_node(f"{json.dumps(cases)}.map(([seconds, total]) => timeline.clock(seconds, total))")
    assert texts == [axis_time(s, total, 2, unit=True) for s, total in cases]
