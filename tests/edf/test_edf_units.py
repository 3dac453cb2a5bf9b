"""Units in the encodings that recorders write, made with Python's codecs, and numbers as C on Windows writes them."""

from __future__ import annotations

import pytest
from edf_builder import SHIPPED, Builder, Signal

from eegzip.formats.edf import EdfFile, classify_signals, microvolts_per_unit, parse_header

SIGNS = ("\u00b5V", "\u03bcV", "\u33b6", "\u043c\u043a\u0412", "\u5fae\u4f0f")
ENCODINGS = ("utf-8", "latin-1", "cp1252", "mac_roman", "cp437", "cp850", "iso8859_7", "cp1253", "cp737", "mac_greek",
             "gbk", "gb2312", "euc_jp", "shift_jis", "euc_kr", "big5", "cp1251", "koi8_r")  # fmt: skip


def made(sign: str, encoding: str) -> bytes:
    try:
        return sign.encode(encoding)
    except UnicodeEncodeError:
        return b""


def microvolts(raw: bytes) -> float | None:
    builder = Builder([Signal("Fp1")], damage={("physical dimension", 0): raw})
    return microvolts_per_unit(parse_header(builder.header()).signals[0].unit)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_microvolts_in_every_common_encoding(encoding: str) -> None:
    # Cyrillic and Chinese words only where their readers live.
    foreign = {"koi8_r", "cp1251", "utf-8", "gbk", "gb2312"}
    raw = [made(sign, encoding) for sign in (SIGNS if encoding in foreign else SIGNS[:3])]
    tried = [unit for unit in raw if unit]
    assert tried
    assert [microvolts(unit) for unit in tried if len(unit) <= 8] == [1.0] * len(tried)


@pytest.mark.parametrize(
    ("unit", "scale"),
    [("micV", 1), ("MicV", 1), ("microvol", 1), ("micro V", 1), ("uVolts", 1), ("&micro;V", 1), ("mcV", 1), ("muV", 1),
     ("\u33b7", 1e3), ("millivol", 1e3), ("\u33b5", 1e-3), ("volt(s)", 1e6), ("Vol", None), ("uV/Hz", None),
     ("\u00b5S", None), ("\u00b5M", None), ("\u00b0", None), ("\u00baC", None), ("kV", None), ("mmHg", None)],
)  # fmt: skip
def test_spellings(unit: str, scale: float | None) -> None:
    assert microvolts_per_unit(unit) == scale


def test_recordings_with_such_units() -> None:
    for name in ("unit_micv.edf", "unit_gbk.edf", "unit_square.edf"):
        with EdfFile.open(SHIPPED / name) as file:
            assert [kind.value for kind in classify_signals(file.header)] == ["eeg"] * 4
            assert all(signal.microvolts_per_digit for signal in file.header.signals)


def test_exponents_of_three_digits() -> None:
    with EdfFile.open(SHIPPED / "exponent3.edf") as file:
        first = file.header.signals[0]
        assert (first.physical_minimum, first.physical_maximum) == (-3000.0, 3000.0)
        assert not file.header.deviations
    damage = {("physical minimum", 0): b"-1e+0999", ("physical maximum", 0): b"1e999"}
    signal = parse_header(Builder([Signal("Fp1")], damage=damage).header()).signals[0]
    assert (signal.physical_minimum, signal.physical_maximum) == (None, None)


def test_a_sleep_montage_in_microvolts_throughout() -> None:
    with EdfFile.open(SHIPPED / "sleep_montage.edf") as file:
        kinds = zip(file.header.signals, classify_signals(file.header), strict=True)
        assert [signal.label for signal, kind in kinds if kind.value == "eeg"] == ["F3_M2", "C3_M2", "O1_M2", "Fz_M2"]
