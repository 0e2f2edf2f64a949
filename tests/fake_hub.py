"""A Hugging Face Hub on loopback: the few answers that huggingface_hub needs to publish and fetch a model."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

TOKEN = "hf_ThisIsASecretOfTheUser"


class FakeHub(ThreadingHTTPServer):
    """Models by name: each has branches (name -> commit) and commits (commit -> path -> content)."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.models: dict[str, dict[str, Any]] = {}
        self.asked: list[tuple[str, str]] = []  # method and path

    def handle_error(self, *_: object) -> None:
        """Say nothing about a client that was killed."""

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def create(self, name: str, private: bool = False) -> None:
        empty = hashlib.sha1(name.encode()).hexdigest()
        self.models.setdefault(
            name, {"private": private, "branches": {"main": empty}, "commits": {empty: {}}, "messages": []}
        )

    def put(self, name: str, files: dict[str, bytes | None], branch: str = "main", message: str = "") -> str:
        """Commit files (None: deleted) to a branch; the new commit."""
        self.create(name)
        model = self.models[name]
        before = model["commits"][model["branches"][branch]]
        after = {path: content for path, content in {**before, **files}.items() if content is not None}
        commit = hashlib.sha1(f"{name}{branch}{len(model['commits'])}".encode()).hexdigest()
        model["commits"][commit] = after
        model["branches"][branch] = commit
        model["messages"].append(message)
        return commit

    def files(self, name: str, branch: str = "main") -> dict[str, bytes]:
        model = self.models[name]
        return model["commits"][model["branches"][branch]]

    def fetched(self) -> set[str]:
        """Names of the files whose content was fetched."""
        return {path.rpartition("/")[2] for method, path in self.asked if method == "GET" and "/resolve/" in path}


class Answers(BaseHTTPRequestHandler):
    server: FakeHub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def send(self, code: int, content: Any = b"", **headers: str) -> None:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(code)
        for key, value in headers.items():
            self.send_header(key.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def begin(self) -> list[str]:
        path = urlsplit(self.path).path
        self.server.asked.append((self.command, unquote(path)))
        return [unquote(part) for part in path.strip("/").split("/")]

    def model(self, name: str, revision: str = "main") -> tuple[dict[str, Any], str] | None:
        """A model and a commit of it; None if it has been answered that there is no such thing."""
        model = self.server.models.get(name)
        if model is None or (model["private"] and self.headers["Authorization"] != f"Bearer {TOKEN}"):
            self.send(401, {"error": "Repository not found"}, X_Error_Code="RepoNotFound")
            return None
        commit = model["branches"].get(revision, revision)
        if commit not in model["commits"]:
            self.send(404, {"error": "Invalid rev id"}, X_Error_Code="RevisionNotFound")
            return None
        return model, commit

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        parts = self.begin()
        if parts == ["api", "validate-yaml"]:
            self.send(200, {"errors": [], "warnings": []})
        elif self.headers["Authorization"] != f"Bearer {TOKEN}":
            self.send(401, {"error": "Invalid username or password."})
        elif parts == ["api", "repos", "create"]:
            asked = json.loads(body)
            name = f"{asked['organization']}/{asked['name']}"
            exists = name in self.server.models
            private = asked.get("private", False) or asked.get("visibility") == "private"
            self.server.create(name, private=private)
            self.send(409 if exists else 200, {"url": f"{self.server.address}/{name}"})
        elif parts[:2] == ["api", "models"]:
            self.change("/".join(parts[2:4]), parts[4], "/".join(parts[5:]), body)
        else:
            self.send(404)

    def change(self, name: str, what: str, revision: str, body: bytes) -> None:
        found = self.model(name, "main" if what == "branch" else revision)
        if found is None:
            return
        if what == "branch":
            branches = found[0]["branches"]
            self.send(409 if revision in branches else 200, {})
            branches.setdefault(revision, found[1])
        elif what == "preupload":
            files = [file["path"] for file in json.loads(body)["files"]]
            modes = [{"path": path, "uploadMode": "regular", "shouldIgnore": False, "oid": None} for path in files]
            self.send(200, {"files": modes})
        else:
            lines = [json.loads(line) for line in body.splitlines()]
            files: dict[str, bytes | None] = {}
            for line in lines:
                if line["key"] == "file":
                    files[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
                elif line["key"] == "deletedFile":
                    files[line["value"]["path"]] = None
            commit = self.server.put(name, files, revision, lines[0]["value"]["summary"])
            url = f"{self.server.address}/{name}/commit/{commit}"
            self.send(200, {"success": True, "commitOid": commit, "commitUrl": url})

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        parts = self.begin()
        if parts[:2] == ["api", "models"]:
            name, what, revision = "/".join(parts[2:4]), parts[4] if parts[4:] else "", "/".join(parts[5:])
            found = self.model(name, revision or "main")
            if found is None:
                return
            model, commit = found
            files = model["commits"][commit]
            if what == "tree":
                listed = [{"type": "file", "path": path, "size": len(c), "oid": oid(c)} for path, c in files.items()]
                self.send(200, listed)
            else:
                siblings = [{"rfilename": path} for path in files]
                self.send(200, {"id": name, "sha": commit, "private": model["private"], "siblings": siblings})
        elif parts[2:3] == ["resolve"]:
            found = self.model("/".join(parts[:2]), parts[3])
            if found is not None:
                content = found[0]["commits"][found[1]]["/".join(parts[4:])]
                self.send(200, content, ETag=f'"{oid(content)}"', X_Repo_Commit=found[1])
        else:
            self.send(404)


def oid(content: bytes) -> str:
    """What git calls this content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    """An empty hub, at which huggingface_hub of this process looks, logged in and with an empty cache."""
    constants = pytest.importorskip("huggingface_hub.constants")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    server = FakeHub()
    for name, value in {
        "ENDPOINT": server.address,
        "HF_HUB_CACHE": str(tmp_path / "hub-cache"),
        "HUGGINGFACE_CO_URL_TEMPLATE": server.address + "/{repo_id}/resolve/{revision}/{filename}",
    }.items():
        monkeypatch.setattr(constants, name, value)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()
