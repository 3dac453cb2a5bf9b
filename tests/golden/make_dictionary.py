"""Write the dictionary of small files (SPEC.md, section 3.1), once: ``python tests/golden/make_dictionary.py``.

It is what the maps of a small file look like: an EDF header, HEAD, SUMM and INDX of made-up recordings, the most usual
words last. Only its bytes count; this says where they came from.
"""

from __future__ import annotations

import sys
from pathlib import Path

import msgpack

TARGET = Path(__file__).resolve().parents[2] / "formats" / "small.dictionary"
LABELS = [
    "Resp",
    "Status",
    "Trigger",
    "EMG chin",
    "EOG left",
    "EOG right",
    "ECG EKG",
    "EEG A1",
    "EEG A2",
    "EEG Fpz-Cz",
    "EEG Pz-Oz",
    "EEG Fp1",
    "EEG Fp2",
    "EEG F7",
    "EEG F8",
    "EEG F3",
    "EEG F4",
    "EEG Fz",
    "EEG T3",
    "EEG T4",
    "EEG C3",
    "EEG C4",
    "EEG Cz",
    "EEG T5",
    "EEG T6",
    "EEG P3",
    "EEG P4",
    "EEG Pz",
    "EEG O1",
    "EEG O2",
]
NUMBERS = ["-8388608", "8388607", "-187500", "187500", "-2048", "2047", "-3276.8", "3276.7", "-32768", "32767"]


def edf_header(plus: bool) -> bytes:
    """Return the header of a recording of one signal, with annotations or without."""
    rows = [("EEG Cz", "AgAgCl electrode", "uV", "-1000", "1000", "-32768", "32767", "HP:0.1Hz LP:75Hz N:50Hz", "256")]
    if plus:
        rows.append(("EDF Annotations", "", "", "-1", "1", "-32768", "32767", "", "57"))
    reserved, patient, recording = ("EDF+C", "X X X X", "Startdate X X X X") if plus else ("", "X X X X", "X X X X")
    fixed = [("0", 8), (patient, 80), (recording, 80), ("01.01.00", 8), ("00.00.00", 8), (256 * (len(rows) + 1), 8)]
    fixed += [(reserved, 44), ("60", 8), ("1", 8), (len(rows), 4)]
    columns = list(zip(*[(*row, "") for row in rows], strict=True))
    widths = (16, 80, 8, 8, 8, 8, 8, 80, 8, 32)
    fixed += [(value, width) for column, width in zip(columns, widths, strict=True) for value in column]
    return b"".join(str(value).ljust(width).encode() for value, width in fixed)


def signal(label: str, unit: str, kind: str, reason: str, limit: float, rate: int) -> dict[str, object]:
    """Return the entry of a signal in HEAD."""
    return {
        "label": label,
        "unit": unit,
        "kind": kind,
        "physical_minimum": -limit,
        "physical_maximum": limit,
        "digital_minimum": -32768,
        "digital_maximum": 32767,
        "samples_per_record": rate,
        "sample_rate": float(rate),
        "coding": "exact",
        "reason": reason,
    }


def maps(plus: bool) -> list[dict[str, object]]:
    """Return HEAD, SUMM and INDX of a small file."""
    asked = "kept exactly as asked"
    signals = [signal("EEG Cz", "uV", "eeg", asked, 1000.0, 256)]
    if plus:
        signals += [
            signal("ECG", "mV", "voltage", asked, 5.0, 512),
            signal("Status", "", "other", asked, 1.0, 128),
            signal("EDF Annotations", "", "annotations", "annotations are always kept exactly", 1.0, 57),
        ]
    head = {
        "software": "eegzip 0.1.0",
        "edf_header": edf_header(plus),
        "sample_bytes": 3 if plus else 2,
        "record_duration": 1.0,
        "n_records": 60,
        "trailing_bytes": 0,
        "source_sha256": "0123456789abcdef" * 4,
        "deviations": [],
        "chunk_records": 60,
        "signals": signals,
        "codecs": [],
        "groups": [],
        "predicted": True,
    }
    figures = [{"prd": 0.0, "snr": None, "r": 1.0, "largest_error_uv": 0.0, "largest_error_digits": 0}]
    figures += [{"prd": None, "snr": None, "r": None, "largest_error_uv": None, "largest_error_digits": 0}] * plus
    summary = {
        "original_bytes": 31232,
        "token_bytes": 0,
        "exact_bytes": 30721,
        "knot_bytes": 0,
        "signals": [{"stored_bytes": 30721, **entry} for entry in figures],
    }
    index = {"types": b"HEADCHNKSUMM", "first_offset": 16, "lengths": [170, 30741, 40]}
    return [head, summary, index]


def main() -> None:
    """Write the dictionary."""
    words = b"".join(label.ljust(16).encode() for label in LABELS)
    words += b"".join(number.ljust(8).encode() for number in NUMBERS)
    for plus in (True, False):
        words += b"".join(msgpack.packb(content, use_bin_type=True) for content in maps(plus))
    with TARGET.open("xb") as file:
        file.write(words)
    print(f"{TARGET.name}: {len(words)} bytes")


if __name__ == "__main__":
    try:
        main()
    except FileExistsError as error:
        sys.exit(f"{error.filename} exists already: a dictionary never changes; another one is another format.")
