"""The Hugging Face Hub, as far as bundles need it: names of models, one snapshot of a model, and errors in words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from keyseg.timeline import BundleError
from keyseg.timeline.extras import extra
from keyseg.timeline.files import naming

if TYPE_CHECKING:
    from huggingface_hub import HfApi

WEIGHTS_OR_ONNX = ("weights*.safetensors", "*model.onnx", "*refiner.onnx")
FILES = ("config.json", *WEIGHTS_OR_ONNX, "README.md")
"""Patterns of what is sent to the hub and fetched from it; nothing else is."""

_NAME = re.compile(r"[a-z0-9][\w.-]*/[a-z0-9][\w.-]*(@[^@\s]+)?", re.ASCII | re.IGNORECASE)


def is_hub_name(text: str) -> bool:
    """Whether a text names a model on the hub, `owner/name` or `owner/name@revision`, since no folder `owner` exists.

    >>> is_hub_name("anna/kitchen@v2"), is_hub_name("runs/mine/bundle"), is_hub_name("./anna/kitchen")
    (True, False, False)
    """
    return _NAME.fullmatch(text) is not None and not Path(text.partition("/")[0]).exists()


def snapshot(name: str) -> tuple[Path, str]:
    """The folder of the hub's cache with the files of `owner/name@revision`, and its name with the commit as revision.

    What is in the cache is not fetched again, and is used where the hub cannot be reached. Raises BundleError if there
    is no such model or revision, ConfigError if huggingface_hub is not installed, OSError that names a file or the
    cache's folder if the disk fails.
    """
    model, _, revision = name.partition("@")
    with asking(name) as hub:
        from huggingface_hub import constants

        with naming(Path(constants.HF_HUB_CACHE)):
            commit = hub.resolve_revision(model, revision=revision or None).resolved
            folder = hub.snapshot_download(model, revision=commit, allow_patterns=list(FILES))
    return Path(folder), f"{model}@{commit}"


@contextmanager
def asking(name: str) -> Iterator[HfApi]:
    """The hub, with the token of the user's login; its errors become BundleError that starts with `name`."""
    with extra("hub", "the Hugging Face Hub"):
        import httpx2
        from huggingface_hub import HfApi, errors

    reasons: dict[type[Exception], str] = {
        errors.GatedRepoError: "its owner grants access; ask for it on the model's page",
        errors.RevisionNotFoundError: "the model has no such revision",
        errors.RepositoryNotFoundError: "no such model, or a private one; to see private models: hf auth login",
        errors.RevisionResolutionError: "the hub cannot be reached, and the model is not in its cache",
        errors.LocalEntryNotFoundError: "the hub cannot be reached, and the model is not in its cache",
    }
    kinds: tuple[type[Exception], ...] = (*reasons, httpx2.HTTPError, errors.OfflineModeIsEnabled, ValueError)
    try:
        yield HfApi()
    except kinds as error:
        reason = next((words for kind, words in reasons.items() if isinstance(error, kind)), "")
        if not reason and isinstance(error, errors.HfHubHTTPError):
            reason = _answer(error.response.status_code, error.server_message)
        elif not reason:
            reason = str(error) if isinstance(error, ValueError) else f"the hub cannot be reached ({error})"
        raise BundleError(f"{name}: {reason}") from error


def _answer(status: int, message: str | None) -> str:
    """What a refusal of the hub means."""
    if status in (401, 403):
        return f"the hub does not allow it ({status}); log in with a token that may write: hf auth login"
    return f"the hub answers {status}" + (f" ({message})" if message else "")
