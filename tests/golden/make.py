"""Write the golden files of this version of the format, once: ``python tests/golden/make.py v1.1``."""

from __future__ import annotations

import io
import json
import sys
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "eegz"))

from synthetic import Group, Recording, block_offsets, build_header, build_recording, write  # noqa: E402

ANNOTATIONS = b"+0\x14\x14\x00+1.5\x152\x14Sleep stage W\x14\x00"


def plain(value: Any) -> Any:
    """Make a header or summary fit for JSON."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, bytes):
        return value.hex()
    return [value.numerator, value.denominator] if isinstance(value, Fraction) else value


def edf() -> Recording:
    """A recording of everything that an EDF can hold: groups of signals, one alone, one of another codec."""
    header = build_header(
        (
            Group(
                members=3,
                samples=250,
                up=128,
                down=125,
                hop=128,
                codebooks=9,
                size=1024,
                spacing=256,
                styles=(2, 65536, 19),
            ),
            Group(samples=200, up=1, down=1, hop=64, codebooks=3, size=700, scaling="fixed", styles=(0,)),
            Group(samples=200, up=1, down=1, hop=64, codebooks=2, size=64),
        ),
        exact=(50, 100, 30),
        n_records=11,
        chunk_records=4,
        trailing_bytes=100,
        edf_header=b"0       X X X X golden".ljust(256) + bytes(range(256)),
    )
    recording = build_recording(header, 2026)
    text = (ANNOTATIONS * 40)[: 11 * 60]
    recording.exact[max(recording.exact)][:] = np.frombuffer(text, "<i2").reshape(11, 30)
    return recording


def bdf() -> Recording:
    """A recording of 24 bits with a group of five signals at a fixed scaling."""
    group = Group(members=5, samples=128, hop=32, codebooks=4, size=256, scaling="fixed", styles=(9, 1, 5, 30, 31))
    header = build_header(
        (group,), exact=(128, 100, 30, 0), sample_bytes=3, n_records=7, chunk_records=3, trailing_bytes=300
    )
    return build_recording(header, 24)


def arrays(recording: Recording) -> bytes:
    """Everything that a file holds, as the bytes of an ``.npz``."""
    content: dict[str, Any] = {f"tokens{number}": codes for number, codes in enumerate(recording.tokens)}
    content |= {f"exact{signal}": values for signal, values in recording.exact.items()}
    for chunk in range(recording.header.n_chunks):
        content |= {f"knots{chunk}_{n}": knots for n, knots in enumerate(recording.chunk_knots(chunk))}
    content["trailing"] = np.frombuffer(recording.trailing, np.uint8)
    content["header"] = np.array(json.dumps(plain(asdict(recording.header))))
    content["summary"] = np.array(json.dumps(plain(asdict(recording.summary))))
    file = io.BytesIO()
    np.savez_compressed(file, **content)
    return file.getvalue()


def main(folder: Path) -> None:
    """Write all files of a version into a new folder."""
    folder.mkdir()
    first, second = edf(), bdf()
    data = write(first)
    files = {
        "edf.eegz": data,
        "edf.npz": arrays(first),
        "bdf.eegz": write(second, pieces=256),
        "bdf.npz": arrays(second),
        "cut.eegz": data[: block_offsets(data)[3] + 100],
        "text.eegz": data.replace(b"\r\n", b"\n"),
    }
    files["errors.json"] = json.dumps(
        {
            "text.eegz": "began as an .eegz file, but bytes 0 to 8 were changed, as a transfer in text mode does",
            "cut.eegz": "chunk 2 (data records 8 to 10; seconds 8 to 11) is missing",
        },
        indent=2,
    ).encode()
    for name, content in files.items():
        with (folder / name).open("xb") as file:
            file.write(content)
        print(f"{folder / name}: {len(content)} bytes")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    try:
        main(HERE / sys.argv[1])
    except FileExistsError as error:
        sys.exit(f"{error.filename} exists already: golden files are written once. Name a new version.")
