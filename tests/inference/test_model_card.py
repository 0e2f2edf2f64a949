"""The model card: what it states, that odd names cannot break it, and that it gives nothing away."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from markdown_it import MarkdownIt

from keyseg.data.feature_origin import FeatureOrigin
from keyseg.inference.bundle import read_config, save_bundle
from keyseg.inference.decoders import Match
from keyseg.inference.model_card import (
    HeldOutScores,
    TrainingVideos,
    literal,
    model_card,
    with_front_matter,
    write_model_card,
)
from keyseg.matching.alignment import MatchWeights
from keyseg.timeline import BundleError, Segmentation

SCORES = {"F1@50": (61.26, (50.04, 70.0)), "Edit": (70.0, (60.0, 80.0))}
TRAINED = TrainingVideos(5, (500, 300, 200))
TESTED = HeldOutScores(3, SCORES, ("pour",))


@pytest.fixture
def make_config(make_predictor: Any, tmp_path: Path) -> Any:
    """The config of a bundle; options as of `make_predictor`."""

    def make(provenance: dict[str, str] | None = None, **options: Any) -> Any:
        bundle = save_bundle(make_predictor(**options), tmp_path / "bundle", provenance or {}, force=True)
        return read_config(bundle)

    return make


def parts(card: str) -> tuple[dict[str, Any], str]:
    """Front matter and body."""
    start, front, body = card.split("---\n", 2)
    assert start == ""
    return yaml.safe_load(front), body


def tables(body: str) -> list[list[list[str]]]:
    """The text of the cells of each table, as a reader sees them."""
    found: list[list[list[str]]] = []
    tokens = MarkdownIt("commonmark").enable("table").parse(body)
    for before, token in pairwise(tokens):
        if token.type == "table_open":
            found.append([])
        elif token.type == "tr_open":
            found[-1].append([])
        elif before.type in ("th_open", "td_open"):
            assert {child.type for child in token.children} <= {"text", "text_special"}
            found[-1][-1].append("".join(child.content for child in token.children))
    return found


def test_it_states_what_is_known(make_config: Any) -> None:
    config = make_config({"data": "kitchen", "split": "2", "commit": "abc"}, sample_rate=2)
    front, body = parts(model_card(config, TRAINED, TESTED))
    assert front == {
        "license": "unknown",
        "library_name": "keyseg",
        "tags": ["temporal-action-segmentation", "video"],
        "model_version": "1",
    }
    classes, scores, origin = tables(body)
    assert classes[1:] == [["background (not an action)", "50.0 %"], ["cut", "30.0 %"], ["pour", "20.0 %"]]
    assert scores[1:] == [["F1@50", "61.3", "50.0 to 70.0"], ["Edit", "70.0", "60.0 to 80.0"]]
    assert ["system", "RTK"] in origin
    assert origin[-3:] == [["data", "kitchen"], ["split", "2"], ["commit", "abc"]]
    assert body.startswith("\n# RTK for kitchen\n")
    for words in (
        "one of 3 classes",
        "5 annotated videos, 1,000 frames at 29.97 frames per second: 0.6 minutes in all",
        "one row of 11 features for every 2 frames",
        "They were not made by keyseg",
        "on 3 test videos",
        "- these classes, which no test video shows: pour\n",
        'predictor.predict("FEATURES.npy")',
        "keyseg predict BUNDLE FEATURES.npy ",
    ):
        assert words in body
    assert "matched" not in body


def test_features_of_an_extractor_and_the_match_are_described(make_config: Any) -> None:
    facts = {"extractor": "motion", "version": "2", "dimension": 11, "clip_length": 1, "sample_rate": 1}
    origin = FeatureOrigin.model_validate(facts | {"fps": "30000/1001"})
    match = Match.to([Segmentation([0, 3, 9], [2, 0]), Segmentation([0, 20], [0])], 3, MatchWeights())
    body = model_card(make_config(origin=origin, match=match), TRAINED, TESTED)
    assert "motion version 2, 11 dimensions" in body
    assert "one row of 11 features for each frame" in body
    assert "keyseg predict BUNDLE VIDEO.mp4 " in body
    assert "order and lengths of the annotated segments of 2 training videos" in body


def test_the_version_is_in_one_place(make_config: Any) -> None:
    """Which push changes; a second one in the text would stay."""
    front, body = parts(model_card(make_config()))
    assert front["model_version"] == make_config().model_version
    assert "model version" not in body


def test_what_is_not_known_is_not_made_up(make_config: Any) -> None:
    _, body = parts(model_card(make_config()))
    assert [row[1] for row in tables(body)[0][1:]] == ["not recorded"] * 3
    assert "number of training videos is not recorded" in body
    assert "No scores of this model are recorded." in body
    assert "no test video shows" not in body
    one = model_card(make_config(), TRAINED, HeldOutScores(1, {"Acc": (88.6, None)}, ()))
    assert tables(one)[1][1] == ["Acc", "88.6", "not known"]
    assert "on 1 test video of the same data set that was not used" in one
    assert "bootstrap" not in one
    nothing = model_card(make_config(), TrainingVideos(0, (0, 0, 0)), None)
    assert "not recorded" in nothing


ODD = (
    "a|b",
    "<b>bold</b>",
    "x\ny",
    "`code`",
    "*star*",
    "_low_",
    "[a](http://x)",
    "\\|",
    "&amp;",
    "pour_milk",
    "~~no~~",
)


def test_odd_names_are_shown_as_they_are(make_config: Any) -> None:
    config = make_config({"data": "a|<b>\n# x", "note|": "<script>x</script>|"})
    config = config.model_copy(update={"classes": ODD, "background": ("a|b",)})
    frames = list(range(1, len(ODD) + 1))
    front, body = parts(model_card(config, TrainingVideos(1, frames), HeldOutScores(2, SCORES, ODD)))
    classes, scores, origin = tables(body)
    shown = ["a|b (not an action)", *("x y" if name == "x\ny" else name for name in ODD[1:])]
    assert [row[0] for row in classes[1:]] == shown
    assert all(len(row) == 2 for row in classes)
    assert len(scores) == 3
    assert ["note|", "<script>x</script>|"] in origin
    assert not {"<b>", "<script>"} & set(body.split())
    html = MarkdownIt("commonmark", {"html": True}).enable("table").render(body)
    assert not any(tag in html for tag in ("<b>", "<script>", "<em>", "<s>", 'href="http://x"'))
    assert html.count("<h1>") == 1
    assert front["library_name"] == "keyseg"


def test_text_that_needs_nothing_is_left_readable() -> None:
    assert literal("cut_tomato, 50 % (F1@10) 1/2-x Tür 切る") == "cut_tomato, 50 % (F1@10) 1/2-x Tür 切る"
    assert literal("a\x00\u202eb\r\n\tc") == "a b c"


def test_the_command_and_its_folders_are_not_in_it(make_config: Any) -> None:
    config = make_config({"command": "keyseg train ../home/anna/data", "data": "data"})
    assert "anna" not in model_card(config, TRAINED, TESTED)


def test_only_licence_and_version_of_a_card_follow_the_config(make_config: Any) -> None:
    config = make_config().model_copy(update={"licence": "MIT", "model_version": "7"})
    card = model_card(config, TRAINED, TESTED)
    assert with_front_matter(card, config) == card
    front, body = parts(with_front_matter(card, config.model_copy(update={"licence": "LicenseRef-Ours"})))
    assert (front["license"], front["license_name"]) == ("other", "LicenseRef-Ours")
    assert body == parts(card)[1]
    back = with_front_matter(f"---\n{yaml.safe_dump(front)}---\n{body}", config)
    assert parts(back)[0] == parts(card)[0]
    for damaged in ("---\n- a list\n---\ntext\n", "---\nnever closed\n", ""):
        assert parts(with_front_matter(damaged, config))[0]["license"] == "mit"
    with pytest.raises(BundleError, match=r"README\.md, between the two lines of ---:2: not YAML"):
        with_front_matter("---\na: [\n---\ntext\n", config)


def test_it_is_written_whole_or_not_at_all(make_config: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_config()
    bundle = tmp_path / "bundle"
    write_model_card(bundle, TRAINED, TESTED)
    before = (bundle / "README.md").read_bytes()
    assert before.startswith(b"---\nlicense: unknown\n")

    def full(*_: Any) -> None:
        raise OSError("no space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        with pytest.raises(OSError, match="no space left"):
            write_model_card(bundle, TRAINED, None)
    assert (bundle / "README.md").read_bytes() == before
    assert sorted(path.name for path in bundle.iterdir()) == ["README.md", "config.json", "weights.safetensors"]
