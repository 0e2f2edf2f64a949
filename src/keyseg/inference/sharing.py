"""Bundles for others: published on the Hugging Face Hub or in a folder, and fetched from the hub at one commit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from keyseg.inference.bundle import (
    CARD,
    CONFIG,
    UNKNOWN_LICENCE,
    BundleConfig,
    config_text,
    find_bundle,
    load,
    read_config,
)
from keyseg.inference.hub import FILES, WEIGHTS_OR_ONNX, asking, is_hub_name, snapshot
from keyseg.inference.model_card import model_card, with_front_matter
from keyseg.timeline import BundleError, ConfigError, OutputExistsError
from keyseg.timeline.extras import extra
from keyseg.timeline.files import read_text, whole_folder, write_bytes, write_text


def push(
    bundle: Path | str,
    repo: str,
    *,
    private: bool = False,
    revision: str | None = None,
    licence: str | None = None,
    model_version: str | None = None,
    message: str = "Add a model",
    report: Callable[[str], None] = lambda _: None,
) -> str:
    """Publish a bundle on the Hugging Face Hub, or write a copy to share to a folder.

    Its config, weights and model card are sent, and nothing else. The token is that of `hf auth login`. Returns what
    `load` takes: owner/name with the new commit, or the folder.

    Args:
        bundle: Folder of a bundle, or of a run that holds one.
        repo: owner/name on the hub, which is created, or a new folder such as ./share/kitchen.
        private: Create a private model.
        revision: Branch of the model, which is created. Default: main.
        licence: SPDX expression such as CC-BY-4.0, for the config and the card. Default: the bundle's.
        model_version: Version of the model, free text, for the config and the card. Default: the bundle's.
        message: Message of the commit.
        report: Called with a line about what you may not expect.

    Raises BundleError on a damaged bundle and if the hub refuses, ConfigError on a licence that is not SPDX, and
    OutputExistsError if the folder exists.

    >>> push("kitchen", "./share/kitchen")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    keyseg.timeline.errors.BundleError: kitchen: no bundle here; expected a folder with config.json and ...
    """
    folder = find_bundle(Path(bundle))
    load(folder)  # what is damaged is not published
    config = read_config(folder)
    stated: dict[str, Any] = {"licence": licence and _spdx(licence), "model_version": model_version}
    stated["features"] = config.features and config.features.without_folders()
    config = config.model_copy(update={key: value for key, value in stated.items() if value})
    if config.licence == UNKNOWN_LICENCE:
        report("the licence is unknown, so others may not use the model; state one, as in --licence CC-BY-4.0")
    if not is_hub_name(repo):
        if private or revision:
            raise ConfigError(f"{repo} is a folder; --private and --revision are for owner/name on the hub")
        return str(_write(folder, config, Path(repo).expanduser()))
    if "@" in repo:
        raise ConfigError(f"{repo}: name the branch with --revision, not after @")
    with TemporaryDirectory() as staged, asking(repo) as hub:
        _gather(folder, config, Path(staged))
        hub.create_repo(repo, private=private or None, exist_ok=True)
        if private and not hub.model_info(repo).private:
            raise BundleError(
                f"{repo}: it exists and is public, so nothing was sent; change that on its page, or leave out --private"
            )
        if revision:
            hub.create_branch(repo, branch=revision, exist_ok=True)
        sent = hub.upload_folder(
            repo_id=repo,
            folder_path=staged,
            allow_patterns=list(FILES),
            delete_patterns=list(WEIGHTS_OR_ONNX),  # of an earlier bundle
            revision=revision,
            commit_message=message,
        )
    return f"{repo}@{sent.oid}"


def pull(repo: str, out: Path | str, *, report: Callable[[str], None] = lambda _: None) -> Path:
    """Fetch a bundle from the Hugging Face Hub into a new folder.

    Returns the folder. The revision becomes a commit, which the provenance in the bundle's config records. Only
    config, weights in safetensors or networks in ONNX, and model card are fetched, whatever else the model has.

    Args:
        repo: owner/name, or owner/name@revision with a branch, tag or commit. Default: the newest commit of main.
        out: New folder for the bundle.
        report: Called with owner/name@commit.

    Raises BundleError if there is no such model, or none of keyseg; OutputExistsError if `out` exists.

    >>> pull("kitchen", "bundle")
    Traceback (most recent call last):
    keyseg.timeline.errors.ConfigError: expected owner/name or owner/name@revision on the hub, got 'kitchen'
    """
    out = Path(out)
    if not is_hub_name(repo):
        raise ConfigError(f"expected owner/name or owner/name@revision on the hub, got {repo!r}")
    _refuse_existing(out)
    folder, pinned = snapshot(repo)
    load(folder)
    config = read_config(folder)
    provenance = config.provenance | {"hub": pinned}
    _write(folder, config.model_copy(update={"provenance": provenance}), out)
    report(pinned)
    return out


def _spdx(licence: str) -> str:
    with extra("hub", "a licence"):
        from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

    try:
        return canonicalize_license_expression(licence)
    except InvalidLicenseExpression as error:
        raise ConfigError(
            f"{licence!r} is not an SPDX licence ({error}); expected one of https://spdx.org/licenses, such as"
            " CC-BY-4.0, or LicenseRef-NAME for another"
        ) from error


def _refuse_existing(folder: Path) -> None:
    if folder.exists():
        raise OutputExistsError(f"{folder} exists; name a new folder")


def _write(folder: Path, config: BundleConfig, out: Path) -> Path:
    """Copy a bundle with another config, whole or not at all."""
    _refuse_existing(out)
    with whole_folder(out) as partial:
        _gather(folder, config, partial)
    return out


def _gather(folder: Path, config: BundleConfig, target: Path) -> None:
    """The files that others get, into a folder that exists."""
    card = folder / CARD
    text = read_text(card, "a model card") if card.is_file() else model_card(config)
    write_text(target / CARD, with_front_matter(text, config))
    write_text(target / CONFIG, config_text(config))
    for pattern in WEIGHTS_OR_ONNX:
        for weights in folder.glob(pattern):
            write_bytes(target / weights.name, weights.read_bytes())
