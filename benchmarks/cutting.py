"""Cuts the middle of some channels out of a recording, exactly and at once: no coding in between."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from eegzip.formats.edf import EdfFile, SignalKind, classify_signals, decode_signal, read_timeline
from eegzip.formats.edf.cut import plan_cut
from eegzip.formats.edf.label_patterns import matches


def cut_middle(path: Path, target: Path, seconds: float, channels: Sequence[str] = ()) -> Path:
    """Write the middle `seconds` of the EEG channels that `channels` names (all by default), unless it is there."""
    if target.is_file():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with EdfFile.open(path) as file:
        header, duration = file.header, file.header.record_duration or 1.0
        count = min(round(seconds / duration), file.n_records)
        first = (file.n_records - count) // 2
        eeg = [index for index, kind in enumerate(classify_signals(header)) if kind is SignalKind.EEG]
        kept = [i for i in eeg if not channels or any(matches(name, header.signals[i].label) for name in channels)]
        cut = plan_cut(header, read_timeline(file), first_record=first, stop_record=first + count, signals=kept)
        block = file.read_records(first, first + count)
        records = cut.records(first, {index: decode_signal(block, header, index) for index in kept})
    whole = target.with_suffix(".part")
    whole.write_bytes(cut.header.raw + records.tobytes())
    return whole.replace(target)
