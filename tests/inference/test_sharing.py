"""push and pull, against a folder and a hub on loopback: what travels, what is pinned, and what is refused."""

from __future__ import annotations

import errno
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from safetensors.torch import load_file, save_file

import keyseg
from fake_hub import TOKEN, FakeHub, hub
from keyseg import pull, push
from keyseg.data.feature_origin import FeatureOrigin
from keyseg.inference.bundle import save_bundle
from keyseg.inference.hub import is_hub_name
from keyseg.timeline import BundleError, ConfigError, DataError, OutputExistsError

__all__ = ["hub"]

BUNDLE = ["README.md", "config.json", "weights.safetensors"]


@pytest.fixture
def bundle(make_predictor: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return save_bundle(make_predictor(), tmp_path / "bundle", {"data": "kitchen", "command": "keyseg train"})


def config(folder: Path) -> Any:
    return json.loads((folder / "config.json").read_text(encoding="utf-8"))


def front(folder: Path) -> Any:
    return yaml.safe_load((folder / "README.md").read_text(encoding="utf-8").split("---\n")[1])


def listing(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


# There and back


def test_what_is_pushed_comes_back_and_predicts_the_same(
    bundle: Path, hub: FakeHub, features: Any, agree: Any, tmp_path: Path
) -> None:
    (bundle / "notes.txt").write_text("mine")
    (bundle / "last.ckpt").write_bytes(b"pickle")
    pushed = push(bundle, "anna/kitchen", licence="cc-by-4.0", model_version="2", message="Second try")
    assert sorted(hub.files("anna/kitchen")) == BUNDLE
    model = hub.models["anna/kitchen"]
    assert (model["private"], model["messages"]) == (False, ["Second try"])
    assert pushed == f"anna/kitchen@{model['branches']['main']}"

    lines: list[str] = []
    out = pull("anna/kitchen", tmp_path / "deep" / "pulled", report=lines.append)
    assert out == tmp_path / "deep" / "pulled"
    assert lines == [pushed]
    assert listing(out) == BUNDLE
    expected = config(bundle) | {"licence": "CC-BY-4.0", "model_version": "2"}
    assert config(out) == expected | {"provenance": expected["provenance"] | {"hub": pushed}}
    assert (front(out)["license"], front(out)["model_version"]) == ("cc-by-4.0", "2")
    original = keyseg.load(bundle).predict(features)
    for place in (out, "anna/kitchen", pushed, Path("anna/kitchen@main")):
        assert agree(keyseg.load(place).predict(features), original)
    assert config(bundle)["licence"] == "unknown"  # the bundle here is as it was


def test_a_run_is_pushed_to_a_private_model_and_a_branch(bundle: Path, hub: FakeHub, tmp_path: Path) -> None:
    run = tmp_path / "run"
    (run / "split1" / "seed0").mkdir(parents=True)
    bundle.rename(run / "split1" / "seed0" / "bundle")
    pushed = push(run, "anna/kitchen", private=True, revision="next", licence="MIT")
    model = hub.models["anna/kitchen"]
    assert model["private"]
    assert pushed == f"anna/kitchen@{model['branches']['next']}"
    assert hub.files("anna/kitchen") == {}
    assert sorted(hub.files("anna/kitchen", "next")) == BUNDLE
    push(run, "anna/kitchen", private=True, revision="next", licence="MIT", model_version="2")  # the branch is there
    assert pull("anna/kitchen@next", tmp_path / "out").is_dir()


def test_a_revision_is_pinned(bundle: Path, make_predictor: Any, hub: FakeHub, tmp_path: Path) -> None:
    first = push(bundle, "anna/kitchen", licence="MIT")
    other = save_bundle(make_predictor(seed=1), tmp_path / "other", {})
    second = push(other, "anna/kitchen", licence="MIT")
    assert first != second
    for name, source in ((first, bundle), (second, other), ("anna/kitchen", other)):
        out = pull(name, tmp_path / source.name / "out" / name[-4:])
        assert (out / "weights.safetensors").read_bytes() == (source / "weights.safetensors").read_bytes()
        assert config(out)["provenance"]["hub"] == (first if source == bundle else second)


def test_weights_of_an_earlier_bundle_are_deleted_and_other_files_kept(bundle: Path, hub: FakeHub) -> None:
    hub.put("anna/kitchen", {"weights-3.safetensors": b"old", "demo.gif": b"GIF"})
    push(bundle, "anna/kitchen", licence="MIT")
    assert sorted(hub.files("anna/kitchen")) == [*BUNDLE[:2], "demo.gif", BUNDLE[2]]


def test_nothing_else_is_fetched(bundle: Path, hub: FakeHub, tmp_path: Path) -> None:
    push(bundle, "anna/kitchen", licence="MIT")
    others = {"pytorch_model.bin": b"pickle", "config.py": b"import os", "sub/weights.safetensors": b"x"}
    hub.put("anna/kitchen", dict(others))
    assert listing(pull("anna/kitchen", tmp_path / "out")) == BUNDLE
    assert hub.fetched() == set(BUNDLE)


def test_what_is_in_the_cache_is_used_without_the_hub(bundle: Path, hub: FakeHub, monkeypatch: Any) -> None:
    pushed = push(bundle, "anna/kitchen", licence="MIT")
    keyseg.load("anna/kitchen")
    hub.asked.clear()
    keyseg.load(pushed)
    assert hub.fetched() == set()
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    for name in (pushed, "anna/kitchen"):
        assert keyseg.load(name).input_dim == 11


# A folder to share


def test_a_folder_gets_the_bundle_with_card_and_licence(bundle: Path, tmp_path: Path) -> None:
    (bundle / "notes.txt").write_text("mine")
    where = push(bundle, "./share/kitchen", licence="MIT")
    assert where == str(Path("share/kitchen"))
    assert listing(tmp_path / where) == BUNDLE
    assert (config(Path(where))["licence"], front(Path(where))["license"]) == ("MIT", "mit")
    assert keyseg.load(where).input_dim == 11
    with pytest.raises(OutputExistsError, match="kitchen exists; name a new folder"):
        push(bundle, where)
    for options in ({"private": True}, {"revision": "next"}):
        with pytest.raises(ConfigError, match="is a folder; --private and --revision are for owner/name on the hub"):
            push(bundle, "./share/other", **options)  # type: ignore[arg-type]
    assert push(bundle, "share/other", licence="MIT") == str(Path("share/other"))  # since the folder share exists


def test_the_folder_of_a_local_extractor_does_not_travel(make_predictor: Any, tmp_path: Path) -> None:
    """Its content identifies it, so that the copy works with features that are made here."""
    place = str(tmp_path / "anna" / "dino")
    facts = {"extractor": place, "version": "1", "dimension": 11, "clip_length": 1, "sample_rate": 1, "fps": "15"}
    origin = FeatureOrigin.model_validate(facts | {"options": {"sha256": "12ab"}})
    bundle = save_bundle(make_predictor(origin=origin), tmp_path / "bundle", {})
    out = tmp_path / "share"
    push(bundle, str(out))
    assert [path.name for path in out.iterdir() if str(tmp_path).encode() in path.read_bytes()] == []
    assert config(out)["features"]["extractor"] == "dino"
    keyseg.load(out).check_origin(origin, tmp_path)
    with pytest.raises(DataError, match="features by"):
        keyseg.load(out).check_origin(origin.model_copy(update={"options": {"sha256": "34cd"}}), tmp_path)


def test_a_card_that_was_edited_is_kept_but_for_licence_and_version(bundle: Path) -> None:
    (bundle / "README.md").write_text("---\nlicense: mit\nlanguage: de\n---\n\n# My own words\n", encoding="utf-8")
    where = Path(push(bundle, "./a", licence="LicenseRef-Lab-Only", model_version="3"))
    assert (where / "README.md").read_text(encoding="utf-8").endswith("---\n\n# My own words\n")
    facts = front(where)
    assert (facts["license"], facts["license_name"]) == ("other", "LicenseRef-Lab-Only")
    assert (facts["language"], facts["library_name"], facts["model_version"]) == ("de", "keyseg", "3")
    (bundle / "README.md").write_text("# No front matter\n", encoding="utf-8")
    where = Path(push(bundle, "./b", licence="GPL-3.0-or-later"))
    assert front(where)["license"] == "gpl-3.0"
    assert (where / "README.md").read_text(encoding="utf-8").endswith("---\n\n# No front matter\n")


def test_an_unknown_licence_is_warned_of(bundle: Path) -> None:
    lines: list[str] = []
    where = Path(push(bundle, "./a", report=lines.append))
    assert ["the licence is unknown" in line and "--licence" in line for line in lines] == [True]
    assert front(where)["license"] == "unknown"
    lines.clear()
    push(bundle, "./b", licence="MIT OR Apache-2.0", report=lines.append)
    assert lines == []
    assert front(Path("b"))["license_name"] == "MIT OR Apache-2.0"
    with pytest.raises(ConfigError, match=r"'mine' is not an SPDX licence .*spdx.org.*LicenseRef-NAME"):
        push(bundle, "./c", licence="mine")
    assert not Path("c").exists()


# What is refused


def test_a_damaged_bundle_is_not_published(bundle: Path, make_predictor: Any, hub: FakeHub) -> None:
    other = save_bundle(make_predictor(seed=1), bundle.with_name("other"), {})
    (bundle / "weights.safetensors").write_bytes((other / "weights.safetensors").read_bytes())
    for target in ("anna/kitchen", "./share/kitchen"):
        with pytest.raises(BundleError, match="SHA-256 differs"):
            push(bundle, target, licence="MIT")
    assert (hub.asked, hub.models) == ([], {})
    assert not Path("share").exists()


def test_a_swapped_weights_file_on_the_hub_is_refused(bundle: Path, hub: FakeHub, tmp_path: Path) -> None:
    push(bundle, "anna/kitchen", licence="MIT")
    weights = load_file(bundle / "weights.safetensors")
    save_file({name: value + 1 for name, value in weights.items()}, tmp_path / "swapped")
    hub.put("anna/kitchen", {"weights.safetensors": (tmp_path / "swapped").read_bytes()})
    with pytest.raises(BundleError, match="SHA-256 differs"):
        keyseg.load("anna/kitchen")
    with pytest.raises(BundleError, match="SHA-256 differs"):
        pull("anna/kitchen", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_full_disk_names_the_cache(
    bundle: Path, hub: FakeHub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    push(bundle, "anna/kitchen", licence="MIT")

    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("huggingface_hub.file_download._create_symlink", full)
    with pytest.raises(OSError, match="hub-cache") as caught:
        pull("anna/kitchen", tmp_path / "out")
    assert caught.value.filename == str(tmp_path / "hub-cache")
    assert not (tmp_path / "out").exists()


def test_a_public_model_does_not_get_what_should_be_private(bundle: Path, hub: FakeHub) -> None:
    hub.create("anna/kitchen")
    with pytest.raises(BundleError, match="anna/kitchen: it exists and is public, so nothing was sent"):
        push(bundle, "anna/kitchen", private=True, licence="MIT")
    assert hub.files("anna/kitchen") == {}


def test_the_token_is_needed_and_never_shown(bundle: Path, hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.create("anna/secret", private=True)
    monkeypatch.setenv("HF_TOKEN", "hf_WrongToken")
    with pytest.raises(BundleError) as caught:
        push(bundle, "anna/kitchen", licence="MIT")
    assert str(caught.value) == (
        "anna/kitchen: the hub does not allow it (401); log in with a token that may write: hf auth login"
    )
    with pytest.raises(BundleError, match=r"anna/secret: no such model, or .*: hf auth login") as hidden:
        pull("anna/secret", "out")
    for error in (caught, hidden):
        assert "hf_WrongToken" not in str(error.value)
    assert hub.models.keys() == {"anna/secret"}
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    push(bundle, "anna/secret", licence="MIT")
    assert all(TOKEN.encode() not in content for content in hub.files("anna/secret").values())


def test_names_and_revisions_that_do_not_exist(bundle: Path, hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    push(bundle, "anna/kitchen", licence="MIT")
    for name, reason in {
        "anna/kitchn": "anna/kitchn: no such model",
        "anna/kitchen@v9": "anna/kitchen@v9: the model has no such revision",
        f"anna/kitchen@{'0' * 40}": "the model has no such revision",
    }.items():
        with pytest.raises(BundleError, match=reason):
            pull(name, "out")
        with pytest.raises(BundleError, match=rf"{name}: no bundle here; .*; nor on the Hugging Face Hub: .*{reason}"):
            keyseg.load(name)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(BundleError, match=r"no bundle here; .*: bob/x: the hub cannot be reached, and the model"):
        keyseg.load("bob/x")
    with pytest.raises(BundleError, match=r"bob/x: the hub cannot be reached \("):
        push(bundle, "bob/x", licence="MIT")
    with pytest.raises(ConfigError, match="expected owner/name or owner/name@revision on the hub, got 'kitchen'"):
        pull("kitchen", "out")
    with pytest.raises(ConfigError, match="name the branch with --revision"):
        push(bundle, "bob/x@next", licence="MIT")
    assert not Path("out").exists()


def test_a_model_of_another_library(hub: FakeHub) -> None:
    hub.put("google/vit", {"config.json": b"{}", "model.safetensors": b"", "README.md": b""})
    with pytest.raises(BundleError, match=r"config\.json: not a bundle that keyseg"):
        pull("google/vit", "out")
    hub.put("google/other", {"model.bin": b""})
    with pytest.raises(BundleError, match=r"no bundle here; expected a folder with config\.json"):
        pull("google/other", "out")
    assert not Path("out").exists()


def test_nothing_is_overwritten(bundle: Path, hub: FakeHub, tmp_path: Path) -> None:
    with pytest.raises(OutputExistsError, match="bundle exists; name a new folder"):
        pull("anna/kitchen", bundle)
    assert hub.asked == []


def test_names_of_the_hub_and_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("anna/kitchen", "a.b-c/D_e.1", "anna/kitchen@v2", "anna/kitchen@refs/pr/3"):
        assert is_hub_name(name)
    for path in ("kitchen", "./a/b", "../a/b", "/a/b", "a/b/c", "a/", "~/a", "C:/a", "a\\b", "a/b@", "-a/b", ""):
        assert not is_hub_name(path)
    (tmp_path / "anna").mkdir()
    assert not is_hub_name("anna/kitchen")


def test_a_folder_that_is_missing_asks_no_hub(hub: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").mkdir()
    for path in ("runs/mine", "kitchen", tmp_path / "kitchen"):
        with pytest.raises(BundleError, match="no bundle here") as caught:
            keyseg.load(path)
        assert "Hub" not in str(caught.value)
    assert hub.asked == []


def test_without_huggingface_hub_the_error_says_how_to_install_it(
    bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "huggingface_hub", None)
    install = r'pip install "keyseg\[hub\]"'
    for call in (lambda: push(bundle, "anna/kitchen", licence="MIT"), lambda: pull("anna/kitchen", "out")):
        with pytest.raises(ConfigError, match=f"the Hugging Face Hub needs huggingface_hub, .*{install}"):
            call()
    with pytest.raises(BundleError, match=f"anna/kitchen: no bundle here; .*{install}"):
        keyseg.load("anna/kitchen")
    assert push(bundle, "./a")
