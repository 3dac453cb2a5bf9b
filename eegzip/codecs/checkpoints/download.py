"""Fetches official DAC weights into the cache.

Not with pooch: where a connection breaks it begins a download of 300 MB anew, and it takes whatever amount is sent.
"""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from eegzip.codecs.checkpoints.registry import cache_dir
from eegzip.codecs.checkpoints.weights import MAX_WEIGHT_BYTES
from eegzip.formats.errors import ModelError, OutputError
from eegzip.formats.files import sha256_of

RELEASES = "https://github.com/descriptinc/descript-audio-codec/releases/download"
# The releases whose strides are all even; 16 and 24 kHz use a stride of 5, which loses samples.
OFFICIAL = {
    "44khz-8kbps": "0.0.1/weights.pth",
    "44khz-16kbps": "1.0.0/weights_44khz_16kbps.pth",
}
# Descript publishes no digests. This one is pinned by several public projects that have nothing to do with one another
# (found in their sources in 2026); for the other release none was found.
DIGESTS = {"44khz-8kbps": "a88eed82a7024ccc1facdb1e605c4c2f99281c8118c22c9895ffa846d8fb61aa"}
_CHUNK = 1 << 20

Progress = Callable[[int, "int | None"], None]
"""Called with how many bytes there are, and of how many."""


def download_official(
    sha256: str | None = None,
    release: str = "44khz-8kbps",
    folder: str | Path | None = None,
    progress: Progress | None = None,
) -> Path:
    """Download official weights into the cache and return the file; an interrupted download is resumed.

    What arrives must have a digest that was known before: trusting whatever comes first would be no check at all. A
    file that someone put into the folder under its release's name (``weights.pth``) is taken instead of a download; it
    must have that digest too where one is known, and else counts as what its owner says it is. Either way
    :func:`import_descript` then looks into it and runs nothing of it.

    Parameters
    ----------
    sha256
        SHA-256 of the file in hexadecimal, from a source that you trust; by default the one in :data:`DIGESTS`.
    release
        One of :data:`OFFICIAL`.
    folder
        Where to keep it; by default ``descript`` in the cache folder (``EEGZIP_CACHE``).
    progress
        Called with the bytes that are there and those there will be, or ``None`` where the server doesn't say.

    Raises
    ------
    ModelError
        There is no such release, no digest to expect, no connection, or another file than expected.
    OutputError
        The file can't be written.
    """
    if release not in OFFICIAL:
        raise ModelError(f"There is no official release {release!r}; known are {', '.join(OFFICIAL)}.")
    expected = (sha256 or DIGESTS.get(release, "")).lower()
    if expected and (len(expected) != 64 or set(expected) - set("0123456789abcdef")):
        raise ModelError("The expected SHA-256 of the official weights must be 64 hexadecimal digits.")
    folder = Path(folder) if folder is not None else cache_dir() / "descript"
    url = f"{RELEASES}/{OFFICIAL[release]}"
    placed = folder / Path(url).name
    by_hand = (
        f"get {url} on any machine, then start from that file (--init PATH) or put it into {folder} as {placed.name} "
        "(EEGZIP_CACHE names another cache folder)"
    )
    if placed.is_file():
        if expected and (found := sha256_of(placed)) != expected:
            raise ModelError(f"{placed} has the SHA-256 {found}, not {expected}; remove it, or name it by its path.")
        return placed
    if not expected:
        raise ModelError(
            f"No digest of the official weights {release} is known, so a download could not be checked: state the "
            f"SHA-256 to expect, or {by_hand}."
        )
    target = folder / f"{release}-{expected[:16]}.pth"
    if target.is_file() and sha256_of(target) == expected:
        return target
    part = target.with_suffix(".part")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _fetch(url, part, progress)
        _accept(part, target, expected)
    except urllib.error.URLError as error:
        raise ModelError(f"The official weights can't be downloaded ({error.reason}); {by_hand}.") from error
    except OSError as error:
        raise OutputError(f"The official weights can't be kept in {folder}: {error}.") from error
    return target


def _accept(part: Path, target: Path, expected: str) -> None:
    """Give a finished download its name, or throw it away when it is not what was expected."""
    found = sha256_of(part)
    if found != expected:
        part.unlink()
        raise ModelError(f"The downloaded weights have the SHA-256 {found}, not {expected}; they were thrown away.")
    part.replace(target)


def _fetch(url: str, part: Path, progress: Progress | None) -> None:
    """Download ``url`` to ``part``, going on from what is there already."""
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})  # noqa: S310
    try:
        response = urllib.request.urlopen(request, timeout=60)  # noqa: S310 - a constant https address
    except urllib.error.HTTPError as error:
        if error.code == 416 and have:
            # Nothing beyond what is there: it is complete, or wrong, as its digest will tell.
            error.close()
            return
        raise
    with response, part.open("ab" if response.status == 206 else "wb") as file:
        have = file.tell()
        # What the connection still counts down: the bytes of this answer.
        total = None if response.length is None else have + response.length
        while block := _received(response):
            file.write(block)
            have += len(block)
            if progress is not None:
                progress(have, total)
            if have > MAX_WEIGHT_BYTES:
                raise ModelError(f"The download is larger than {MAX_WEIGHT_BYTES} bytes; it was stopped.")
    if total is not None and have < total:
        raise urllib.error.URLError(f"it broke off after {have} of {total} bytes; trying again goes on from there")


def _received(response: http.client.HTTPResponse) -> bytes:
    """Return the next bytes of a download; a broken connection is no trouble with the disk."""
    try:
        return response.read(_CHUNK)
    except (OSError, http.client.HTTPException) as error:
        raise urllib.error.URLError(f"the connection broke: {error}; trying again goes on from there") from error
