from __future__ import annotations

import hashlib
import http.server
import pickle
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from small_models import encode

from eegzip.codecs.checkpoints import download
from eegzip.codecs.checkpoints.config import NetworkConfig
from eegzip.codecs.checkpoints.download import download_official
from eegzip.codecs.networks.descript import DAC
from eegzip.codecs.networks.official_weights import import_descript
from eegzip.codecs.runtime import CodecRuntime
from eegzip.formats.errors import ModelError

KWARGS = {
    "encoder_dim": 8, "encoder_rates": [2, 4, 8, 8], "latent_dim": None, "decoder_dim": 64,
    "decoder_rates": [8, 8, 4, 2], "n_codebooks": 9, "codebook_size": 1024, "codebook_dim": 8,
    "quantizer_dropout": False, "sample_rate": 44100,
}  # fmt: skip


def save(path: Path, state: dict, kwargs: dict | None = None) -> Path:
    """Write a file in the official layout."""
    torch.save({"state_dict": state, "metadata": {"kwargs": kwargs or KWARGS}}, path)
    return path


@pytest.fixture(scope="module")
def dac() -> torch.nn.Module:
    torch.manual_seed(0)
    return DAC(**KWARGS).eval()


def test_the_official_layout_imports(dac: torch.nn.Module, tmp_path: Path) -> None:
    checkpoint = import_descript(save(tmp_path / "weights.pth", dac.state_dict()), tmp_path / "model")
    assert checkpoint.config.scaling.kind == "fixed"
    assert (checkpoint.folder / "README.md").is_file()
    runtime = CodecRuntime(checkpoint)
    length = (runtime.window_frames + 2 * runtime.encoder_context) * runtime.hop
    x = np.random.default_rng(0).standard_normal((1, length)).astype(np.float32) * 0.3
    with torch.inference_mode():
        codes = dac.encode(torch.from_numpy(x)[:, None])[1].numpy()  # type: ignore[operator]
    codes = codes[:, :, runtime.encoder_context : runtime.encoder_context + runtime.window_frames]
    assert np.array_equal(encode(runtime, x), codes)


def test_the_full_size_layout_imports(tmp_path: Path) -> None:
    kwargs = {**KWARGS, "encoder_dim": 64, "decoder_dim": 1536}
    with torch.device("meta"):
        shapes = {name: value.shape for name, value in DAC(**kwargs).state_dict().items()}
    # Any numbers will do, each tensor's its own: one, seen in all places, so that the file is small.
    full = {name: torch.tensor(float(at)).expand(shape) for at, (name, shape) in enumerate(shapes.items(), start=1)}
    assert len(full) == 301
    path = save(tmp_path / "weights.pth", full, kwargs)
    checkpoint = import_descript(path, tmp_path / "model")
    assert checkpoint.config.network == NetworkConfig()
    assert sum(v.numel() for v in checkpoint.state.values()) == 76_651_890
    assert all(torch.equal(v, checkpoint.state[k]) for k, v in full.items())


def test_wrong_keys_are_refused(dac: torch.nn.Module, tmp_path: Path) -> None:
    state = dac.state_dict()
    renamed = {k.replace("encoder", "enc"): v for k, v in state.items()}
    missing = {k: v for k, v in state.items() if not k.endswith("alpha")}
    for wrong in (renamed, missing, {**state, "more": torch.zeros(1)}, {}):
        with pytest.raises(ModelError, match="does not hold the weights"):
            import_descript(save(tmp_path / "weights.pth", wrong), tmp_path / "model")
    with pytest.raises(ModelError, match=r"does not hold the weights.*size mismatch"):
        import_descript(save(tmp_path / "weights.pth", state, {**KWARGS, "encoder_dim": 16}), tmp_path / "model")
    assert not (tmp_path / "model").exists()


class Payload:
    """A pickle that would create a file when opened."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple:
        return (Path.touch, (self.marker,))


def test_a_pickle_payload_runs_nothing(dac: torch.nn.Module, tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    path = tmp_path / "weights.pth"
    torch.save({"state_dict": dac.state_dict(), "metadata": {"kwargs": KWARGS, "x": Payload(marker)}}, path)
    with pytest.raises(ModelError, match="nothing was run"):
        import_descript(path, tmp_path / "model")
    assert not marker.exists()


def test_payloads_in_other_guises_run_nothing(dac: torch.nn.Module, tmp_path: Path) -> None:
    marker, path = tmp_path / "ran", tmp_path / "weights.pth"
    content = {"state_dict": {**dac.state_dict(), "x": Payload(marker)}, "metadata": {"kwargs": KWARGS}}
    torch.save(content, path, _use_new_zipfile_serialization=False)
    with pytest.raises(ModelError, match="nothing was run"):
        import_descript(path, tmp_path / "model")
    path.write_bytes(pickle.dumps(Payload(marker)))
    with pytest.raises(ModelError):
        import_descript(path, tmp_path / "model")
    assert not marker.exists()
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x03\x04" + b"\0" * 50])
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "weights.pth").write_bytes(content)
    with pytest.raises(ModelError):
        import_descript(tmp_path / "weights.pth", tmp_path / "model")


def test_odd_strides_are_refused(tmp_path: Path) -> None:
    kwargs = {**KWARGS, "encoder_rates": [2, 4, 5, 8], "decoder_rates": [8, 5, 4, 2]}
    with pytest.raises(ModelError, match="even"):
        import_descript(save(tmp_path / "weights.pth", {}, kwargs), tmp_path / "model")


CONTENT = bytes(range(256)) * 5000


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves CONTENT, ranges too; breaks off after `most` bytes."""

    ranges: ClassVar[list[str | None]] = []
    most: ClassVar[int | None] = None

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.ranges.append(wanted)
        start = int(wanted.split("=")[1].rstrip("-")) if wanted else 0
        self.send_response(206 if wanted else 200)
        self.send_header("Content-Length", str(len(CONTENT) - start))
        self.end_headers()
        self.wfile.write(CONTENT[start:] if self.most is None else CONTENT[start : start + self.most])

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Keep the test's output clean."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        thread = threading.Thread(target=httpd.serve_forever, daemon=True)
        thread.start()
        monkeypatch.setattr(download, "RELEASES", f"http://127.0.0.1:{httpd.server_port}")
        monkeypatch.setattr(Handler, "ranges", [])
        yield
        httpd.shutdown()
        thread.join()


@pytest.mark.usefixtures("server")
def test_downloads_are_checked_resumed_and_kept(tmp_path: Path) -> None:
    digest = hashlib.sha256(CONTENT).hexdigest()
    part = tmp_path / f"44khz-8kbps-{digest[:16]}.part"
    part.write_bytes(CONTENT[:1000])
    seen: list[tuple[int, int | None]] = []
    path = download_official(digest, folder=tmp_path, progress=lambda done, total: seen.append((done, total)))
    assert path.read_bytes() == CONTENT
    assert not part.exists()
    assert seen[0][0] > 1000
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert {total for _, total in seen} == {len(CONTENT)}
    assert Handler.ranges == ["bytes=1000-"]
    assert download_official(digest, folder=tmp_path) == path
    assert len(Handler.ranges) == 1


@pytest.mark.usefixtures("server")
def test_a_download_with_another_digest_is_thrown_away(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="thrown away"):
        download_official("0" * 64, folder=tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("server")
def test_a_download_that_breaks_off_goes_on_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    digest = hashlib.sha256(CONTENT).hexdigest()
    monkeypatch.setattr(Handler, "most", 700_000)
    with pytest.raises(ModelError, match=r"broke off after 700000 of 1280000 bytes.*--init PATH"):
        download_official(digest, folder=tmp_path)
    assert download_official(digest, folder=tmp_path).read_bytes() == CONTENT
    assert Handler.ranges == [None, "bytes=700000-"]


@pytest.mark.usefixtures("server")
def test_the_known_digest_is_expected_when_none_is_stated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ModelError, match="not a88eed82"):
        download_official(folder=tmp_path)
    monkeypatch.setitem(download.DIGESTS, "44khz-8kbps", hashlib.sha256(CONTENT).hexdigest())
    assert download_official(folder=tmp_path).read_bytes() == CONTENT


@pytest.mark.usefixtures("server")
def test_without_a_digest_nothing_is_fetched_but_a_file_put_there_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EEGZIP_CACHE", str(tmp_path))
    with pytest.raises(ModelError, match=r"not be checked.*SHA-256.*--init PATH.*weights_44khz_16kbps\.pth.*CACHE"):
        download_official(release="44khz-16kbps")
    assert not list(tmp_path.iterdir())
    placed = tmp_path / "descript" / "weights_44khz_16kbps.pth"
    placed.parent.mkdir()
    placed.write_bytes(CONTENT)
    assert download_official(release="44khz-16kbps") == placed
    assert download_official(hashlib.sha256(CONTENT).hexdigest(), release="44khz-16kbps") == placed
    with pytest.raises(ModelError, match="remove it"):
        download_official("0" * 64, release="44khz-16kbps")
    assert Handler.ranges == []


def test_offline_and_nonsense_are_said_plainly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "RELEASES", "http://127.0.0.1:9")
    with pytest.raises(ModelError, match=r"can't be downloaded.*--init PATH.*EEGZIP_CACHE"):
        download_official("0" * 64, folder=tmp_path)
    with pytest.raises(ModelError, match="64 hexadecimal"):
        download_official("trust me", folder=tmp_path)
    with pytest.raises(ModelError, match="no official release"):
        download_official("0" * 64, release="16khz", folder=tmp_path)
