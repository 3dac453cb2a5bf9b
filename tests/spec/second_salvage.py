"""What of a damaged file can't be restored, and what is said of it in the annotations (SPEC.md, section 8)."""

from __future__ import annotations

from typing import Any

import numpy as np
from second_prediction import references_of
from second_prior import groups_leaned_on

KNOTS, TOKENS, EXACT, LINES = 0, 1, 2, 6


def lost_signals(head: dict[str, Any], streams: dict[tuple[int, int], bytes]) -> set[int]:
    """Signals of a chunk that need a stream that is not there."""

    def is_there(kind: int, ident: int) -> bool:
        stream = streams.get((kind, ident))
        if stream is None or stream[:1] != b"\x03" or kind not in (TOKENS, EXACT):
            return stream is not None
        others = groups_leaned_on(stream[1:]) if kind == TOKENS else references_of(stream[1:])[0]
        return all(is_there(kind, other) for other in others)

    signals, groups = head["signals"], head["groups"]
    exact = [i for i, s in enumerate(signals) if s["coding"] == "exact" and s["samples_per_record"]]
    lost = {signal for signal in exact if not is_there(EXACT, signal)}
    bad = {number for number in range(len(groups)) if not is_there(TOKENS, number)}
    if (KNOTS, 0) not in streams:
        bad |= {i for i, group in enumerate(groups) if head["codecs"][group["codec"]]["scaling"] == "adaptive"}
    for entry in head.get("mixtures", []):
        bad |= set(entry["groups"]) if bad.intersection(entry["groups"]) else set()
    lost |= {signal for number in bad for signal in groups[number]["signals"]}
    for number, entry in enumerate(head.get("line_sets", [])):
        lost |= set() if (LINES, number) in streams else set(entry["signals"])
    return lost


def stretches(chunks: set[int], each: int, n_records: int) -> list[tuple[int, int]]:
    """Records, the last not included, of chunks that follow each other."""
    starts = sorted(chunk for chunk in chunks if chunk - 1 not in chunks)
    ends = [next(c for c in range(start, max(chunks) + 2) if c not in chunks) for start in starts]
    return [(a * each, min(b * each, n_records)) for a, b in zip(starts, ends, strict=True)]


def say_what_is_lost(head: dict[str, Any], rows: np.ndarray, lost: dict[int, set[int]]) -> None:
    """Write lists into data records (bytes), which are whole seconds; `lost` has the signals of chunks, if any."""
    widths = [signal["samples_per_record"] * head["sample_bytes"] for signal in head["signals"]]
    places = np.cumsum([0, *widths])
    annotations = {i for i, s in enumerate(head["signals"]) if s["kind"] == "annotations"}
    texts = [i for i in sorted(annotations) if widths[i]]
    ordinary = {i for i, width in enumerate(widths) if width} - annotations
    if not lost or not texts:
        return
    step, each, n = int(float(head["edf_header"][244:252])), head["chunk_records"], len(rows)

    def field(record: int, text: int) -> np.ndarray:
        return rows[record, places[text] : places[text + 1]]

    def onset(record: int) -> int:
        kept = field(record, texts[0]).tobytes()
        return round(float(kept[: kept.index(b"\x14")]))

    for first, stop in stretches({c for c, signals in lost.items() if texts[0] in signals}, each, n):
        for record in range(first, stop):  # before the first intact record nothing is asked for here
            kept = b"+%d\x14\x14\0" % (onset(record - 1) + step)
            if len(kept) <= widths[texts[0]]:
                field(record, texts[0])[:] = np.frombuffer(kept.ljust(widths[texts[0]], b"\0"), np.uint8)
    whole = {chunk for chunk, signals in lost.items() if ordinary <= signals}
    marks = [(span, "BAD_LOST") for span in stretches(whole, each, n)]
    for signal in sorted(ordinary):
        chunks = {chunk for chunk, signals in lost.items() if signal in signals} - whole
        marks += [(span, f"BAD_LOST@@{head['signals'][signal]['label']}") for span in stretches(chunks, each, n)]
    without = {chunk for chunk, signals in lost.items() if signals.intersection(texts)} - whole
    marks += [(span, "ANNOTATIONS_LOST") for span in stretches(without, each, n)]
    for (first, stop), text in sorted(marks, key=lambda mark: mark[0][0]):
        try:
            start = onset(first)
        except ValueError:
            continue  # no room for a time, so for nothing
        found = b"+%d\x15%d\x14%s\x14\0" % (start, (stop - first) * step, text.encode())
        for record, signal in ((record, signal) for record in range(first, stop) for signal in texts):
            used = len(field(record, signal).tobytes().rstrip(b"\0"))
            begin = used + 1 if used else 0
            if begin + len(found) <= widths[signal] and (used or signal != texts[0]):
                field(record, signal)[begin : begin + len(found)] = np.frombuffer(found, np.uint8)
                break
