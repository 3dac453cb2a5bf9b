"""Reads the HEAD block and refuses one that contradicts itself (SPEC.md, sections 4 and 11)."""

from __future__ import annotations

import re
from enum import Enum
from typing import TypeVar

from eegzip.formats import limits
from eegzip.formats.eegz.fields import Fields
from eegzip.formats.eegz.header import (
    CAUSAL,
    MULTICHANNEL,
    CodecEntry,
    Coding,
    FileHeader,
    GroupEntry,
    LayerSet,
    ScalingKind,
    SignalEntry,
    Targets,
)
from eegzip.formats.eegz.klt import KLT
from eegzip.formats.eegz.lines import LineSet
from eegzip.formats.errors import ContainerError
from eegzip.formats.packing import unpack_map

_Kind = TypeVar("_Kind", bound=Enum)


def unpack_header(payload: bytes) -> FileHeader:
    """Read and check the payload of a HEAD block.

    Raises
    ------
    ContainerError
        A field is missing, of the wrong type, out of range, or contradicts another.
    """
    fields = Fields(unpack_map(payload, "the header"), "header")
    signals = tuple(_signal(item) for item in fields.maps("signals", limits.MAX_SIGNALS))
    codecs = tuple(_codec(item) for item in fields.maps("codecs", limits.MAX_SIGNALS))
    header = FileHeader(
        software=fields.text("software"),
        edf_header=fields.binary("edf_header"),
        sample_bytes=fields.integer("sample_bytes", 2, 3),
        record_duration=fields.optional_number("record_duration"),
        n_records=fields.integer("n_records", 0, limits.MAX_RECORDS),
        trailing_bytes=fields.integer("trailing_bytes", 0, 1 << 62),
        source_sha256=_digest(fields, "source_sha256"),
        deviations=fields.texts("deviations", 1 << 20),
        chunk_records=fields.integer("chunk_records", 1, limits.MAX_RECORDS),
        signals=signals,
        codecs=codecs,
        groups=tuple(_group(item, codecs) for item in fields.maps("groups", limits.MAX_SIGNALS)),
        layer_sets=tuple(_layer_set(item) for item in fields.optional_maps("layer_sets", limits.MAX_SIGNALS)),
        targets=_targets(fields),
        predicted=fields.flag("predicted"),
        klts=tuple(_klt(item) for item in fields.optional_maps("mixtures", limits.MAX_SIGNALS)),
        line_sets=tuple(_line_set(item) for item in fields.optional_maps("line_sets", limits.MAX_SIGNALS)),
        level=fields.integer("level", 1, 9) if fields.has("level") else None,
        sealed=fields.flag("sealed"),
    )
    _check(header)
    _check_layer_sets(header)
    _check_klts(header)
    _check_line_sets(header)
    return header


def _signal(fields: Fields) -> SignalEntry:
    coding = _member(Coding, fields.text("coding"), "codes a signal as")
    return SignalEntry(
        label=fields.text("label"),
        unit=fields.text("unit"),
        kind=fields.text("kind"),
        physical_minimum=fields.optional_number("physical_minimum"),
        physical_maximum=fields.optional_number("physical_maximum"),
        digital_minimum=fields.optional_integer("digital_minimum", -(1 << 31), 1 << 31),
        digital_maximum=fields.optional_integer("digital_maximum", -(1 << 31), 1 << 31),
        samples_per_record=fields.integer("samples_per_record", 0, limits.MAX_RECORD_BYTES),
        sample_rate=fields.optional_number("sample_rate"),
        coding=coding,
        reason=fields.text("reason"),
    )


def _codec(fields: Fields) -> CodecEntry:
    scaling = _member(ScalingKind, fields.text("scaling"), "names the scaling")
    joint = fields.flag("joint")
    if joint and (fields.text("name") in (MULTICHANNEL, CAUSAL) or scaling is ScalingKind.FIXED):
        raise ContainerError("the header gives a joint decoder to a codec that can't have one.")
    highpass = fields.number("highpass") if fields.has("highpass") else None
    if highpass is not None and (scaling is not ScalingKind.FIXED or highpass <= 0):
        raise ContainerError("the header gives a high-pass to a codec that can't have it.")
    spacings = (1, limits.MAX_HOP) if scaling is ScalingKind.ADAPTIVE else (0, 0)
    return CodecEntry(
        name=fields.text("name"),
        model=fields.text("model"),
        digest=_digest(fields, "digest"),
        rate=fields.optional_fraction("rate", limits.MAX_RATIO),
        hop=fields.integer("hop", 1, limits.MAX_HOP),
        codebooks=fields.integer("codebooks", 1, limits.MAX_CODEBOOKS),
        codebook_size=fields.integer("codebook_size", 2, limits.MAX_CODEBOOK_SIZE),
        scaling=scaling,
        knot_spacing=fields.integer("knot_spacing", *spacings),
        prior=_digest(fields, "prior") if fields.has("prior") else None,
        joint=joint,
        highpass=highpass,
    )


def _member(kind: type[_Kind], value: str, what: str) -> _Kind:
    try:
        return kind(value)
    except ValueError:
        raise ContainerError(f"the header {what} '{value}', which this version does not know.") from None


def _digest(fields: Fields, key: str) -> str:
    value = fields.text(key)
    if not re.fullmatch("[0-9a-f]{64}", value):
        raise ContainerError(f"the header's field '{key}' is not a SHA-256 of 64 hexadecimal digits.")
    return value


def _group(fields: Fields, codecs: tuple[CodecEntry, ...]) -> GroupEntry:
    codec = fields.integer("codec", 0, limits.MAX_SIGNALS)
    # Of other codecs the field means nothing, and what a reader does not know it ignores.
    styled = codec < len(codecs) and codecs[codec].name == MULTICHANNEL
    ranges, centres = fields.numbers("ranges", limits.MAX_SIGNALS), fields.numbers("centres", limits.MAX_SIGNALS)
    if any(not 1 / limits.MAX_LEVEL <= size <= limits.MAX_LEVEL for size in ranges) or any(
        abs(centre) > limits.MAX_LEVEL for centre in centres
    ):
        raise ContainerError("the header has a group whose centres or ranges are out of range.")
    return GroupEntry(
        signals=fields.integers("signals", limits.MAX_SIGNALS, 0, limits.MAX_SIGNALS),
        codec=codec,
        codebooks=fields.integer("codebooks", 1, limits.MAX_CODEBOOKS),
        up=fields.integer("up", 1, limits.MAX_RATIO),
        down=fields.integer("down", 1, limits.MAX_RATIO),
        centres=centres,
        ranges=ranges,
        lowest=fields.integers("lowest", limits.MAX_SIGNALS, -(1 << 23), 1 << 23),
        highest=fields.integers("highest", limits.MAX_SIGNALS, -(1 << 23), 1 << 23),
        bits_per_second=fields.number("bits_per_second"),
        bits_per_sample=fields.number("bits_per_sample"),
        styles=fields.integers("styles", limits.MAX_SIGNALS, 0, limits.MAX_STYLE) if styled else None,
    )


def _layer_set(fields: Fields) -> LayerSet:
    return LayerSet(
        signals=fields.integers("signals", limits.MAX_LAYER_SIGNALS, 0, limits.MAX_SIGNALS),
        lowest=fields.integers("lowest", limits.MAX_LAYER_SIGNALS, -(1 << 23), 1 << 23),
        highest=fields.integers("highest", limits.MAX_LAYER_SIGNALS, -(1 << 23), 1 << 23),
    )


def _klt(fields: Fields) -> KLT:
    return KLT(
        groups=fields.integers("groups", limits.MAX_KLT_SIGNALS, 0, limits.MAX_SIGNALS),
        gains=fields.numbers("gains", limits.MAX_KLT_SIGNALS),
        matrix=fields.binary("matrix"),
    )


def _line_set(fields: Fields) -> LineSet:
    return LineSet(
        signals=fields.integers("signals", limits.MAX_SIGNALS, 0, limits.MAX_SIGNALS),
        lowest=fields.integers("lowest", limits.MAX_SIGNALS, -(1 << 23), 1 << 23),
        highest=fields.integers("highest", limits.MAX_SIGNALS, -(1 << 23), 1 << 23),
        steps=fields.integers("steps", limits.MAX_SIGNALS, 1, limits.MAX_LINE_STEP),
        count=fields.integer("count", 1, limits.MAX_LINES),
        spacing=fields.integer("spacing", limits.MIN_LINE_SPACING, limits.MAX_LINE_SPACING),
        grain=fields.integer("grain", 0, 31),
    )


def _targets(fields: Fields) -> Targets | None:
    found = fields.optional_map("targets")
    if found is None:
        return None
    names = ("max_prd", "min_snr", "max_error_uv")
    measure = found.text("measure") if found.has("measure") else None
    return Targets(**{name: found.optional_number(name) for name in names}, measure=measure)


def _check(header: FileHeader) -> None:
    """Refuse a header whose parts contradict one another or ask for more than the limits."""
    if header.record_bytes > limits.MAX_RECORD_BYTES:
        raise ContainerError(f"the header declares data records of {header.record_bytes} bytes, more than can be.")
    if header.n_records and header.record_bytes * min(header.chunk_records, header.n_records) > limits.MAX_RECORD_BYTES:
        raise ContainerError("the header declares chunks larger than can be.")
    if header.record_duration is not None and header.record_duration < 0:
        raise ContainerError(f"the header declares data records of {header.record_duration:g} seconds.")
    if (header.record_duration or 0.0) > limits.MAX_MAGNITUDE:
        raise ContainerError(f"the header declares data records of {header.record_duration:g} seconds.")
    rates = [signal.sample_rate for signal in header.signals if signal.sample_rate]
    if any(not 1 / limits.MAX_MAGNITUDE <= rate <= limits.MAX_MAGNITUDE for rate in rates):
        raise ContainerError("the header declares a sample rate that can't be.")
    grouped: set[int] = set()
    knots = 0
    for number, group in enumerate(header.groups):
        if group.codec >= len(header.codecs) or not group.signals or max(group.signals) >= len(header.signals):
            raise ContainerError(f"group {number} of the header names a codec or signal that is not there.")
        if group.codebooks > header.codecs[group.codec].codebooks:
            raise ContainerError(f"group {number} of the header uses more codebooks than its codec has.")
        per_signal = (group.centres, group.ranges, group.lowest, group.highest)
        if any(len(values) != len(group.signals) for values in per_signal) or min(group.ranges) <= 0:
            raise ContainerError(f"group {number} of the header has no valid centre and range for each signal.")
        _check_styles(number, group)
        if header.codecs[group.codec].name == CAUSAL and len(group.signals) > 1:
            raise ContainerError(f"group {number} of the header has several signals, but its codec codes each alone.")
        for signal, low, high in zip(group.signals, group.lowest, group.highest, strict=True):
            limit = _range_limit(header, signal)
            if not -limit <= low <= high < limit:
                raise ContainerError(f"group {number} of the header has a range that its samples can't take.")
        members = [header.signals[index] for index in group.signals]
        if any(m.coding is Coding.EXACT or m.samples_per_record != members[0].samples_per_record for m in members):
            raise ContainerError(f"group {number} of the header holds signals that can't share a stream.")
        repeated = len(set(group.signals)) < len(group.signals) or grouped.intersection(group.signals)
        if members[0].samples_per_record == 0 or repeated:
            raise ContainerError(f"group {number} of the header holds an empty signal, or one that is grouped already.")
        grouped.update(group.signals)
        grid, codec = header.grid(number), header.codecs[group.codec]
        first, stop = grid.frames_of_records(0, min(header.chunk_records, header.n_records))
        if (stop - first) * group.codebooks > limits.MAX_TOKENS:
            raise ContainerError(f"group {number} of the header declares more tokens a chunk than can be.")
        if codec.scaling is ScalingKind.ADAPTIVE:
            begin, end = grid.knots_of_frames(first, stop, codec.knot_spacing)
            knots += (end - begin) * len(group.signals)
    if knots > limits.MAX_KNOTS:
        raise ContainerError("the header declares more scaling knots a chunk than can be.")
    if any(max(group.up, group.down) > limits.MAX_RESAMPLING for group in header.groups):
        raise ContainerError("the header declares a resampling ratio that takes a larger filter than can be.")
    if not grouped >= {index for index, signal in enumerate(header.signals) if signal.coding is Coding.TOKENS}:
        raise ContainerError("the header codes a signal with tokens but puts it in no group.")


def _range_limit(header: FileHeader, signal: int) -> int:
    """Magnitude of a signal's samples; twice of what a sample can take where lines were taken out."""
    lined = any(signal in entry.signals for entry in header.line_sets)
    return 1 << (8 * header.sample_bytes - (0 if lined else 1))


def _check_layer_sets(header: FileHeader) -> None:
    """Refuse layer sets whose signals are none, not alike, or not all those that are coded in layers."""
    seen: set[int] = set()
    for number, entry in enumerate(header.layer_sets):
        what = f"layer set {number} of the header"
        if not entry.signals or max(entry.signals) >= len(header.signals):
            raise ContainerError(f"{what} is empty or names a signal that is not there.")
        members = [header.signals[index] for index in entry.signals]
        samples = members[0].samples_per_record
        if not samples or any(m.coding is not Coding.LAYERS or m.samples_per_record != samples for m in members):
            raise ContainerError(f"{what} holds signals that can't be coded together.")
        if len(set(entry.signals)) < len(members) or seen.intersection(entry.signals):
            raise ContainerError(f"{what} holds a signal twice, or one of another set.")
        if len(entry.lowest) != len(members) or len(entry.highest) != len(members):
            raise ContainerError(f"{what} has no range for each signal.")
        for signal, low, high in zip(entry.signals, entry.lowest, entry.highest, strict=True):
            limit = _range_limit(header, signal)
            if not -limit <= low <= high < limit:
                raise ContainerError(f"{what} has a range that its samples can't take.")
        if len(members) * samples * min(header.chunk_records, header.n_records) > limits.MAX_LAYER_SAMPLES:
            raise ContainerError(f"{what} declares more samples a chunk than can be.")
        seen.update(entry.signals)
    if seen != {index for index, signal in enumerate(header.signals) if signal.coding is Coding.LAYERS}:
        raise ContainerError("the header codes a signal in layers but puts it in no set of them.")


def _check_klts(header: FileHeader) -> None:
    """Refuse KLTs of groups that are none, not alike, or in two of them, and gains that are none."""
    seen: set[int] = set()
    for number, klt in enumerate(header.klts):
        what = f"mixture {number} of the header"
        if not klt.groups or max(klt.groups) >= len(header.groups):
            raise ContainerError(f"{what} is empty or names a group that is not there.")
        members = [header.groups[group] for group in klt.groups]
        codec, grid = header.codecs[members[0].codec], header.grid(klt.groups[0])
        alike = all(
            len(group.signals) == 1
            and (group.codec, group.codebooks) == (members[0].codec, members[0].codebooks)
            and header.grid(index) == grid
            for index, group in zip(klt.groups, members, strict=True)
        )
        if not alike or codec.name != MULTICHANNEL or codec.scaling is not ScalingKind.ADAPTIVE:
            raise ContainerError(f"{what} holds groups that can't be components together.")
        if len(set(klt.groups)) < len(members) or seen.intersection(klt.groups):
            raise ContainerError(f"{what} holds a group twice, or one of another mixture.")
        if len(klt.gains) != len(members) or not all(limits.MIN_GAIN <= gain <= limits.MAX_GAIN for gain in klt.gains):
            raise ContainerError(f"{what} has no valid gain for each signal.")
        if len(klt.matrix) > limits.matrix_bytes(len(members)):
            raise ContainerError(f"{what} has a matrix of more bytes than it can have.")
        seen.update(klt.groups)


def _check_line_sets(header: FileHeader) -> None:
    """Refuse lines of signals that are none, exact, not alike or in two sets, and more knots than can be."""
    seen: set[int] = set()
    knots = 0
    limit = 1 << (8 * header.sample_bytes - 1)
    for number, entry in enumerate(header.line_sets):
        what = f"line set {number} of the header"
        if not entry.signals or max(entry.signals) >= len(header.signals):
            raise ContainerError(f"{what} is empty or names a signal that is not there.")
        members = [header.signals[index] for index in entry.signals]
        samples = members[0].samples_per_record
        if not samples or any(m.coding is Coding.EXACT or m.samples_per_record != samples for m in members):
            raise ContainerError(f"{what} holds signals that can't have lines in common.")
        if len(set(entry.signals)) < len(members) or seen.intersection(entry.signals):
            raise ContainerError(f"{what} holds a signal twice, or one of another set.")
        if any(len(values) != len(members) for values in (entry.lowest, entry.highest, entry.steps)):
            raise ContainerError(f"{what} has no range and step for each signal.")
        if any(not -limit <= low <= high < limit for low, high in zip(entry.lowest, entry.highest, strict=True)):
            raise ContainerError(f"{what} has a range that its samples can't take.")
        longest = samples * min(header.chunk_records, header.n_records)
        knots += entry.count * len(members) * (longest // entry.spacing + 3)
        seen.update(entry.signals)
    if knots > limits.MAX_LINE_KNOTS:
        raise ContainerError("the header declares more knots of lines a chunk than can be.")


def _check_styles(number: int, group: GroupEntry) -> None:
    """Refuse styles that would give signals of one group the same waveform."""
    if group.styles is None:
        return
    if len(group.styles) != len(group.signals):
        raise ContainerError(f"group {number} of the header has no style for each signal.")
    if len(group.styles) > 1 and (0 in group.styles or len(set(group.styles)) < len(group.styles)):
        raise ContainerError(f"group {number} of the header has signals that its codec can't tell apart.")
