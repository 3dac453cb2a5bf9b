"""Models in folders and on a hub that is a server on this machine."""

from __future__ import annotations

import base64
import json
import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch

import eegzip
from eegzip.codecs.checkpoints import weights as weights_module
from eegzip.tokenizer import hub

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize("name", ["eegz-sc-2", "eegz-mc-2"])
def test_a_saved_model_needs_no_other(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both share the weights of eegz-sc-1, which a stranger's machine need not have."""
    tokenizer = eegzip.Tokenizer.from_pretrained(name)
    tokenizer.save_pretrained(tmp_path / "saved")
    assert not list((tmp_path / "saved").glob("*.part"))
    monkeypatch.setattr(weights_module, "BUNDLED", tmp_path / "nothing")
    again = eegzip.Tokenizer.from_pretrained(tmp_path / "saved")
    assert again.digest == tokenizer.digest
    x = 20 * torch.randn(1, 2, 400, generator=torch.Generator().manual_seed(2))
    assert torch.equal(again.encode(x, 256, codebooks=2), tokenizer.encode(x, 256, codebooks=2))
    card = (tmp_path / "saved" / "README.md").read_text()
    assert card.startswith("---\n")
    assert "library_name: eegzip\n" in card.split("---\n")[1]
    assert f"# {name}" in card
    assert f"# {name}" in eegzip.models.card(tmp_path / "saved")
    with pytest.raises(eegzip.OutputExistsError, match="already holds a model"):
        tokenizer.save_pretrained(tmp_path / "saved")


def test_names_of_repositories(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert hub.is_repository("owner/name-1.0")
    assert not hub.is_repository("eegz-sc-1")
    assert not hub.is_repository(Path("owner/name"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "owner" / "name").mkdir(parents=True)
    assert not hub.is_repository("owner/name")
    with pytest.raises(eegzip.UsageError, match="is none"):
        eegzip.Tokenizer.from_pretrained("eegz-sc-1", revision=COMMIT)


class Hub(BaseHTTPRequestHandler):
    """What huggingface_hub asks of the hub, for one repository: files at a commit, and new commits."""

    files: dict[str, bytes]

    def log_message(self, *_: object) -> None:
        pass

    def _answer(self, content: bytes, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _json(self, content: object) -> None:
        self._answer(json.dumps(content).encode(), **{"Content-Type": "application/json"})

    def do_GET(self) -> None:
        path = self.path.split("?")[0]
        if path.startswith("/api/models/owner/name/tree/"):
            entries = [{"type": "file", "path": n, "size": len(c), "oid": "0" * 40} for n, c in self.files.items()]
            self._json(entries)
            return
        if path.startswith("/api/models/owner/name"):
            siblings = [{"rfilename": name} for name in self.files]
            self._json({"_id": "1", "id": "owner/name", "sha": COMMIT, "private": False, "siblings": siblings})
            return
        name = path.rpartition("/")[2]
        if path != f"/owner/name/resolve/{COMMIT}/{name}" or name not in self.files:
            self._answer(b"", 404, **{"X-Error-Code": "EntryNotFound"})
            return
        self._answer(self.files[name], **{"X-Repo-Commit": COMMIT, "ETag": f'"{abs(hash(self.files[name])):x}"'})

    do_HEAD = do_GET  # noqa: N815

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length) if length else self._chunks()
        if self.path == "/api/repos/create":
            self._json({"url": "https://huggingface.co/owner/name", "id": "owner/name"})
        elif "/preupload/" in self.path:
            names = [each["path"] for each in json.loads(body)["files"]]
            self._json({"files": [{"path": n, "uploadMode": "regular", "shouldIgnore": False} for n in names]})
        elif "/commit/" in self.path:
            for line in map(json.loads, body.splitlines()):
                if line["key"] == "file":
                    self.files[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
            address = f"https://huggingface.co/owner/name/commit/{COMMIT}"
            self._json({"commitUrl": address, "commitOid": COMMIT, "success": True})
        else:
            self._json({})

    def _chunks(self) -> bytes:
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, bytes]]:
    """Files of a repository on a hub of this machine."""
    constants = pytest.importorskip("huggingface_hub.constants")
    files: dict[str, bytes] = {}
    handler = type("Handler", (Hub,), {"files": files})
    running = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{running.server_address[1]}"
    monkeypatch.setenv("HF_ENDPOINT", address)
    monkeypatch.setattr(constants, "ENDPOINT", address)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", address + "/{repo_id}/resolve/{revision}/{filename}")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_TOKEN", "nobody")
    yield files
    running.shutdown()
    running.server_close()


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning", "ignore::FutureWarning")
def test_to_the_hub_and_back(server: dict[str, bytes], tmp_path: Path) -> None:
    tokenizer = eegzip.Tokenizer.from_pretrained("eegz-sc-2")
    tokenizer.push_to_hub("owner/name", token="nobody")
    assert set(server) - {".gitattributes"} == {"config.json", "model.safetensors", "joint.safetensors",
                                                "prior.safetensors", "README.md"}  # fmt: skip
    server["evil.bin"] = b"never asked for"
    again = eegzip.Tokenizer.from_pretrained("owner/name", revision=COMMIT)
    assert again.digest == tokenizer.digest
    assert not list((tmp_path / "cache").rglob("evil.bin"))
    for revision in (None, "main", "v1.0", COMMIT[:12]):
        with pytest.raises(eegzip.UsageError, match="name the commit"):
            eegzip.Tokenizer.from_pretrained("owner/name", revision=revision)
    shutil.rmtree(tmp_path / "cache")
    damaged = bytearray(server["model.safetensors"])
    damaged[-1] ^= 1
    server["model.safetensors"] = bytes(damaged)
    with pytest.raises(eegzip.ModelError, match="not what its config"):
        eegzip.Tokenizer.from_pretrained("owner/name", revision=COMMIT)
    with pytest.raises(eegzip.ModelError, match="can't be had from the hub"):
        eegzip.Tokenizer.from_pretrained("owner/other", revision=COMMIT)
