"""Servers on this machine: one for the web, which counts what it is asked, and one that speaks S3."""

from __future__ import annotations

import datetime as dt
import ipaddress
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import pytest


class Web:
    """A server of the files in a folder.

    Parameters
    ----------
    folder : Path
    context : ssl.SSLContext, optional
        For https.
    """

    def __init__(self, folder: Path, context: ssl.SSLContext | None = None) -> None:
        self.folder = folder
        self.asked: list[tuple[str, str | None]] = []
        self.ranges = True
        web = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                pass

            def do_HEAD(self) -> None:
                self._answer(with_body=False)

            def do_GET(self) -> None:
                self._answer(with_body=True)

            def _answer(self, *, with_body: bool) -> None:
                wanted = self.headers.get("Range") if web.ranges else None
                web.asked.append((self.command, wanted))
                path = web.folder / unquote(self.path.lstrip("/").split("?")[0])
                if path.is_dir():
                    names = [quote(each.name) + "/" * each.is_dir() for each in sorted(path.iterdir())]
                    data, status = "".join(f'<a href="{name}">.</a>' for name in names).encode(), 200
                elif path.is_file():
                    data, status = path.read_bytes(), 200
                else:
                    data, status = b"", 404
                size = len(data)
                if wanted and status == 200:
                    first, last = wanted.removeprefix("bytes=").split("-")
                    begin = max(0, size - int(last)) if first == "" else int(first)
                    end = size if first == "" or last == "" else min(size, int(last) + 1)
                    data, status = data[begin:end], 206
                self.send_response(status)
                if status == 206:
                    self.send_header("Content-Range", f"bytes {begin}-{end - 1}/{size}")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                if with_body:
                    self.wfile.write(data)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        if context is not None:
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.url = f"http{'s' * (context is not None)}://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def web(tmp_path: Path) -> Iterator[Web]:
    """A web server."""
    pytest.importorskip("aiohttp")
    (tmp_path / "www").mkdir()
    server = Web(tmp_path / "www")
    yield server
    server.close()


@pytest.fixture
def secure_web(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    """One with a certificate, which fsspec is told to trust."""
    pytest.importorskip("aiohttp")
    pytest.importorskip("cryptography")
    from fsspec.config import conf

    certificate = _certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    monkeypatch.setitem(conf, "https", {"ssl": ssl.create_default_context(cafile=str(certificate))})
    (tmp_path / "www").mkdir()
    server = Web(tmp_path / "www", context)
    yield server
    server.close()


def _certificate(folder: Path) -> Path:
    """A key and its certificate, in one file."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "eegzip tests")])
    now = dt.datetime.now(dt.timezone.utc)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    text = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = folder / "certificate.pem"
    path.write_bytes(text + made.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """The address of a server that speaks S3."""
    pytest.importorskip("s3fs")
    server = pytest.importorskip("moto.server").ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """An empty bucket ``recordings`` there, seen through fsspec."""
    import s3fs

    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_server)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    system = s3fs.S3FileSystem()
    system.invalidate_cache()
    if system.exists("recordings"):
        system.rm("recordings", recursive=True)
    system.mkdir("recordings")
    return system
