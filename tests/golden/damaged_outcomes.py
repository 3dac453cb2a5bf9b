"""What becomes of a damaged file, as the golden errors keep it: the kind of each error and its places, no words."""

from __future__ import annotations

import hashlib
import re
import tempfile
from pathlib import Path
from typing import Any

import eegzip

_PLACE = re.compile(r"\b(?:bytes?|chunks?|data records|seconds|version|stream|group|signal) [\d.]+(?: to [\d.]*\d)?")


def said(error: eegzip.EegzipError) -> dict[str, Any]:
    """Type of an error, and the places that its sentence names."""
    return {"type": type(error).__name__, "places": [place.rstrip(".") for place in _PLACE.findall(str(error))]}


def outcome(path: Path) -> dict[str, Any]:
    """What reading a file gives: without salvage, by verify, and what salvage loses and restores.

    Restored samples of tokens and layers may differ in their last digits from one machine to the next, so only files
    where all is exact have a digest.
    """
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "restored"
        try:
            eegzip.decompress(path, target)
            found["decompress"] = "restored"
        except eegzip.EegzipError as error:
            named = str(path) in str(error) and not target.exists()
            found["decompress"] = said(error) if named else f"not as it should be: {error}"
        try:
            result = eegzip.verify(path)
            found["verify"] = {"intact": result.intact, "problems": len(result.problems)}
        except eegzip.EegzipError as error:
            found["verify"] = said(error)
        try:
            report = eegzip.decompress(path, target, salvage=True, overwrite=True)
            found["salvage"] = {
                "records": [list(span) for span in report.lost_records],
                "signals": {str(lost.signal): [list(span) for span in lost.records] for lost in report.lost_signals},
            }
            with eegzip.open(path) as recording:
                if all(signal["coding"] == "exact" for signal in recording.info["signals"]):
                    found["salvage"]["sha256"] = hashlib.sha256(target.read_bytes()).hexdigest()
        except eegzip.EegzipError as error:
            found["salvage"] = said(error)
    return found
