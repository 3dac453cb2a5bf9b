"""A nightly job of one's own: skip what is done, survive what is broken, compare, write a manifest.

`eegzip archive FOLDER -o ARCHIVE` does this and more; this is for who wants to decide something in between.

Usage: ``python examples/archive_pipeline.py FOLDER ARCHIVE``

Every EDF and BDF file under FOLDER becomes an .eegz file at the same place under ARCHIVE, and a line of JSON in
ARCHIVE/manifest.jsonl. Originals are never touched. The exit code is 1 when any file failed.
"""

import json
import sys
import tempfile
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import eegzip
from eegzip.formats.edf import EdfFile

WORST_PRD = 60.0  # percent; a recording with a channel worse than this should be looked at by a person


def archive(source: Path, target: Path) -> dict[str, Any]:
    """Compress one recording, check and compare what was written, and say how it went."""
    if target.exists():
        return {"status": "skipped"}
    # Under another name until it has been checked: a job that is killed in between leaves nothing to be skipped.
    unchecked = target.with_name(target.name + ".unchecked")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        report = eegzip.compress(source, unchecked, overwrite=True)
        problems = eegzip.verify(unchecked).problems or compare(source, unchecked)
    except eegzip.EegzipError as error:
        # One sentence for a person. error.exit_code: 1 when the data or the disk are bad, 2 for wrong use.
        problems = (str(error),)
    if problems:
        unchecked.unlink(missing_ok=True)
        return {"status": "failed", "error": "; ".join(problems)}
    unchecked.rename(target)
    worst = max((signal.prd for signal in report.coded if signal.prd is not None), default=0.0)
    sizes = {"original_bytes": report.original_bytes, "compressed_bytes": report.compressed_bytes}
    loss = {"worst_prd": round(worst, 2), "model": report.digest, "notes": [*report.deviations, *report.notes]}
    return {"status": "doubtful" if worst > WORST_PRD else "archived", **sizes, **loss}


def compare(source: Path, compressed: Path) -> tuple[str, ...]:
    """Restore the whole recording and compare its header and length with the original's."""
    with tempfile.TemporaryDirectory() as folder:
        back = Path(folder) / "back.edf"
        eegzip.decompress(compressed, back)
        with EdfFile.open(source) as x, EdfFile.open(back) as y:
            same = x.header.raw == y.header.raw and x.file_size == y.file_size and x.n_records == y.n_records
    return () if same else ("the restored recording has another header or length",)


def main(folder: Path, store: Path) -> int:
    """Archive a folder; return the exit code."""
    sources = sorted(path for path in folder.rglob("*") if path.suffix.lower() in (".edf", ".bdf"))
    store.mkdir(parents=True, exist_ok=True)
    failed = 0
    with (store / "manifest.jsonl").open("a", encoding="utf-8") as manifest:
        for source in sources:
            place = source.relative_to(folder)  # the ending is kept, so that night.edf and night.bdf don't meet
            result = archive(source, store / f"{place}.eegz")
            failed += result["status"] == "failed"
            time = datetime.now(timezone.utc).isoformat(timespec="seconds")
            manifest.write(json.dumps({"source": str(place), "time": time, **result}) + "\n")
            manifest.flush()
            print(f"{result['status']:<10}{place}{': ' + result['error'] if 'error' in result else ''}")
    print(f"{len(sources)} recordings, {failed} failed")
    return int(failed > 0)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: archive_pipeline.py FOLDER ARCHIVE")
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
