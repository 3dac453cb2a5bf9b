"""The model card: ``README.md`` of a trained model, as the Hugging Face hub reads it.

The folder is a hub repository as it is: weights in ``model.safetensors``, everything needed to rebuild the model
(and the digest of both) in ``config.json``, the curves in ``curves.png``, and this card, whose front matter the hub
indexes. A card states what was done and measured, and says so where something was not.
"""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Iterable, Sequence

from eegzip.codecs.checkpoints.config import ModelConfig, bits_per_second
from eegzip.training.reporting.card_facts import CardFacts

TAGS = ("eeg", "compression", "neural-codec", "rvq")
# Licences by the identifiers that the hub knows; anything else is "other" with a name.
_HUB_LICENCES = frozenset(
    {
        "agpl-3.0",
        "apache-2.0",
        "bsd-2-clause",
        "bsd-3-clause",
        "cc-by-2.0",
        "cc-by-2.5",
        "cc-by-3.0",
        "cc-by-4.0",
        "cc-by-nc-2.0",
        "cc-by-nc-3.0",
        "cc-by-nc-4.0",
        "cc-by-nc-nd-3.0",
        "cc-by-nc-nd-4.0",
        "cc-by-nc-sa-2.0",
        "cc-by-nc-sa-3.0",
        "cc-by-nc-sa-4.0",
        "cc-by-nd-4.0",
        "cc-by-sa-3.0",
        "cc-by-sa-4.0",
        "cc0-1.0",
        "cdla-permissive-1.0",
        "cdla-permissive-2.0",
        "cdla-sharing-1.0",
        "gpl-3.0",
        "lgpl-3.0",
        "mit",
        "odbl",
        "odc-by",
        "openrail",
        "pddl",
        "unlicense",
    }
)
_MAX_NAMES = 200
_MAX_SOURCES = 20
_MAX_SKIPPED = 50


def model_card(facts: CardFacts) -> str:
    """Return the card as Markdown with a YAML front matter.

    Parameters
    ----------
    facts
        What it has to say.
    """
    sections = [
        _front_matter(facts),
        f"# {facts.config.name}\n\n{_summary(facts)}\n\n![Loss curves](curves.png)",
        f"## What it is\n\n{_architecture(facts)}",
        f"## Data\n\n{_data(facts)}",
        f"## Licence of the data\n\n{_licence(facts)}",
        f"## How it was trained\n\n{_training(facts)}",
        f"## What it does to people it never saw\n\n{_metrics(facts)}",
        f"## Valid rates and channels\n\n{_validity(facts)}",
        f"## How to use it\n\n{_use()}",
        f"## Limits\n\n{_limits(facts)}",
    ]
    return "\n\n".join(sections) + "\n"


def _front_matter(facts: CardFacts) -> str:
    import yaml

    content: dict[str, object] = dict(_hub_licence(facts.licence))
    content.update(library_name="eegzip", tags=list(TAGS))
    return f"---\n{yaml.safe_dump(content, sort_keys=False, allow_unicode=True)}---"


def _hub_licence(text: str) -> dict[str, str]:
    """Return the hub's fields for a licence; a model may claim no more than its data allow."""
    text = " ".join(text.split())
    if not text:
        return {"license": "unknown"}
    identifier = text.lower().replace(" ", "-")
    if identifier in _HUB_LICENCES:
        return {"license": identifier}
    name = re.sub(r"[^a-z0-9.]+", "-", text.lower()).strip("-.")[:60].rstrip("-.")
    return {"license": "other", "license_name": name or "see-card"}


def _summary(facts: CardFacts) -> str:
    config = facts.config
    groups = config.multichannel
    what = "every channel coded alone" if groups is None else f"groups of up to {groups.max_channels} channels"
    recordings = "EEG" if facts.domain == "eeg" else "audio"
    return (
        f"An eegzip model ({config.architecture.upper()}, {what}) trained on {recordings}: "
        f"{_rate_of(config)}. The SHA-256 over weights and config is the `digest` in `config.json`."
    )


def _rate_of(config: ModelConfig) -> str:
    """The bit rate in words: of a channel, or of a group and its channels."""
    rate = bits_per_second(config)
    if config.multichannel is None:
        return f"{rate:g} bit/s for each channel"
    size = config.multichannel.max_channels
    return f"{rate:g} bit/s for each group, {rate / size:g} bit/s per channel in a full group of {size}"


def _architecture(facts: CardFacts) -> str:
    config, shape = facts.config, facts.config.network
    bits = math.log2(shape.codebook_size)
    frames = config.rate / shape.hop
    depth = shape.n_codebooks
    network = "BioCodec's causal SEANet with LSTMs" if config.causal else "network of the Descript Audio Codec"
    lines = [
        f"* `{config.architecture}`, {_millions(facts.parameters)} parameters; {network}.",
        f"* Encoder: {shape.encoder_dim} wide, strides {_list(shape.encoder_rates)}.",
        f"* Decoder: {shape.decoder_dim} wide, strides {_list(shape.decoder_rates)}.",
        f"* Latent vectors of {shape.latent_width}; {depth} codebooks of {shape.codebook_size} x {shape.codebook_dim}.",
        f"* Input at {config.rate:g} Hz, hop of {shape.hop} samples: {frames:g} frames a second.",
        f"* {frames:g} frames/s x {depth} tokens x log2({shape.codebook_size}) = {bits:g} bit: {_rate_of(config)}.",
        f"* Of 16-bit samples at {config.rate:g} Hz that is {16 * config.rate / _per_channel(config):.1f}:1.",
        f"* `--codebooks N` uses the first N codebooks, {_per_channel(config) / depth:g} bit/s per channel each.",
        f"* Level: {_scaling(config)}.",
    ]
    if config.multichannel is not None:
        groups = config.multichannel
        lines[1:1] = [
            f"* Groups of up to {groups.max_channels} channels, one stream of tokens a group.",
            f"* Self-attention over channels and {groups.reach} frames to either side, {groups.heads} heads.",
            f"* A learned style for each of {len(groups.vocabulary)} channel names and one for any other.",
        ]
    return "\n".join(lines)


def _per_channel(config: ModelConfig) -> float:
    """Bit/s of a channel at best: in a full group."""
    return bits_per_second(config) / (1 if config.multichannel is None else config.multichannel.max_channels)


def _scaling(config: ModelConfig) -> str:
    level = config.scaling
    if level.kind == "fixed":
        return f"clipped at +-{level.limit_uv:g} uV, which becomes +-1"
    if level.kind == "robust":
        return f"each signal's interquartile range becomes 1, and what is beyond +-{level.clamp:g} of these is clipped"
    return f"offset and scale at knots of {level.spacing} samples; nothing is clipped"


def _data(facts: CardFacts) -> str:
    lines = [
        f"* Sources: {_sources(facts.sources)}.",
        f"* {facts.files} recordings, {facts.hours:.2f} hours.",
        f"* Trained on {_subjects(facts.subjects_trained, facts.ids_from_files, _MAX_NAMES)}.",
        # All of them, however many: whoever compares metrics has to leave the same subjects out.
        f"* Held out {_subjects(facts.subjects_held_out, facts.ids_from_files, None)}.",
    ]
    if facts.preprocessing:
        lines.append(f"* Preprocessing: {'; '.join(facts.preprocessing)}.")
    if facts.skipped:
        count = len(facts.skipped)
        lines.append(f"* {count} {'file was' if count == 1 else 'files were'} skipped:")
        # A reason often begins with the file's name.
        reasons = [(name, why.removeprefix(name).lstrip(": ")) for name, why in facts.skipped[:_MAX_SKIPPED]]
        lines += [f"  * {_code(name)}: {_inline(why)}" for name, why in reasons]
        if len(facts.skipped) > _MAX_SKIPPED:
            lines.append(f"  * and {len(facts.skipped) - _MAX_SKIPPED} more")
    else:
        lines.append("* No files were skipped.")
    return "\n".join(lines)


def _sources(names: Sequence[str]) -> str:
    if not names:
        return "not stated"
    rest = f" and {len(names) - _MAX_SOURCES} more" if len(names) > _MAX_SOURCES else ""
    return ", ".join(_code(name) for name in names[:_MAX_SOURCES]) + rest


def _subjects(subjects: Sequence[str], named: bool, most: int | None) -> str:
    if not subjects:
        return "nobody"
    count = "1 person" if len(subjects) == 1 else f"{len(subjects)} people"
    if not named:
        return count
    shown = sorted(subjects)[:most]
    rest = f" and {len(subjects) - len(shown)} more" if len(shown) < len(subjects) else ""
    return f"{count}: {', '.join(_code(p) for p in shown)}{rest}"


def _licence(facts: CardFacts) -> str:
    if not facts.licence.strip():
        return "Not stated. Find out under which terms the data may be used before you pass this model on."
    return f"{_inline(facts.licence)} (as stated by who trained the model)."


def _training(facts: CardFacts) -> str:
    command = shlex.join(facts.command) if facts.command else ""
    fence = "```" if "```" not in command else "````"
    start = {"scratch": "random weights", "audio": "the official audio weights"}.get(facts.initial, facts.initial)
    lines = [f"{fence}sh\n{command}\n{fence}\n"] if command else []
    seed = "no seed stated" if facts.seed is None else f"seed {facts.seed}"
    lines += [
        f"* Began as: {_inline(start)}.",
        f"* {facts.steps} steps in {_time(facts.seconds)} on {_inline(facts.device)}, {seed}.",
        f"* eegzip {facts.eegzip_version}{f', torch {facts.torch_version}' if facts.torch_version else ''}.",
    ]
    if facts.saved_step:
        lines.insert(-1, f"* The weights are those of step {facts.saved_step}, the best on people held out.")
    if facts.losses:
        lines.append(f"* Losses: {', '.join(_inline(part) for part in facts.losses)}.")
    lines += [f"* {_inline(event)}" for event in facts.events]
    return "\n".join(lines)


def _metrics(facts: CardFacts) -> str:
    both = (("before training", facts.before), ("this model", facts.after))
    rows = [(label, metrics) for label, metrics in both if metrics is not None]
    if not rows or not facts.subjects_held_out:
        return "Nothing was held out or measured, so nothing is known about people it never saw."
    bands = list(dict.fromkeys(band for _, metrics in rows for band in metrics.r))
    head = ["", "PRD in %", "SNR in dB", *(f"r, {band}" for band in bands), "spectrogram loss"]
    table = [_row(head), _row(["---"] * len(head))]
    for label, metrics in rows:
        cells = [_fixed(metrics.prd, 1), _fixed(metrics.snr, 1), *(_fixed(metrics.r.get(b), 3) for b in bands)]
        table.append(_row([label, *cells, _fixed(metrics.spectrogram, 4)]))
    note = f"\n\n{_inline(facts.metrics_note)}" if facts.metrics_note else ""
    return "\n".join(table) + note


def _validity(facts: CardFacts) -> str:
    config = facts.config
    rates = ", ".join(f"{r:g}" for r in sorted(set(facts.recording_rates)))
    lines = [
        f"* The network runs at {config.rate:g} Hz; recordings at other rates are resampled to it and back."
        + (f" Trained on recordings at {rates} Hz." if rates else "")
    ]
    if config.multichannel is not None:
        lines.append(f"* Channels with a style of their own: {', '.join(config.multichannel.vocabulary) or 'none'}.")
        lines.append("* Any other channel shares one style and is coded in a group of its own.")
    if facts.channels:
        lines.append(f"* Channels trained on: {', '.join(_inline(c) for c in sorted(set(facts.channels)))}.")
    elif config.multichannel is None:
        lines.append("* Channels of any name: each is coded alone.")
    return "\n".join(lines)


def _use() -> str:
    return (
        "Where `DIR` is this folder (a download from the Hugging Face hub is one as it is):\n\n"
        "```sh\n"
        "eegzip compress --model DIR night.edf night.eegz\n"
        "eegzip decompress --model DIR night.eegz back.edf\n"
        "eegzip models DIR\n"
        "```\n\n"
        "A compressed file names the model it needs by digest: keep both, or put this folder into the cache\n"
        "(`EEGZIP_CACHE`, else `~/.cache/eegzip`, there in `models/`), and `--model` can be left out."
    )


def _limits(facts: CardFacts) -> str:
    config = facts.config
    lines = [f"Codes up to about {0.45 * config.rate:g} Hz; what is above is lost."]
    if facts.domain != "eeg":
        lines.append("Not trained on EEG: it is a start for fine-tuning, and its error on EEG is large.")
    if len(facts.subjects_held_out) < 5 and facts.subjects_held_out:
        count = len(facts.subjects_held_out)
        lines.append(f"The figures are of {count} held-out {'person' if count == 1 else 'people'} only.")
    lines += facts.limits
    lines.append("Lossy: `eegzip` measures what is lost of every channel and writes it into the file; look at it.")
    lines.append("Not a medical device.")
    return "\n".join(f"* {_inline(line)}" for line in lines)


def _inline(text: str) -> str:
    """Text on one line, without what would start HTML or a table cell."""
    return " ".join(str(text).split()).replace("<", "&lt;").replace("|", "\\|")


def _code(text: str) -> str:
    """Text as code, backticks in it allowed."""
    text = " ".join(str(text).split())
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    ticks, room = "`" * (longest + 1), " " if longest else ""
    return f"{ticks}{room}{text}{room}{ticks}"


def _list(numbers: Iterable[int]) -> str:
    return ", ".join(str(n) for n in numbers)


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _fixed(value: float | None, digits: int) -> str:
    return "-" if value is None or not math.isfinite(value) else f"{value:.{digits}f}"


def _millions(count: int) -> str:
    return f"{count / 1e6:.2f} million" if count >= 1e6 else f"{count / 1e3:.0f} thousand"


def _time(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 3600:.1f} h" if seconds >= 5400 else f"{seconds / 60:.1f} min"
