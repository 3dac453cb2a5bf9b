"""Everything that a training run can vary, as plain data: read from TOML, YAML or JSON, overridden one by one.

No torch here: settings are checked, and printed, before anything slow begins.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from eegzip.codecs.checkpoints.config import ARCHITECTURES, SCALINGS
from eegzip.codecs.checkpoints.schema import WrongTypeError, typed
from eegzip.formats.errors import UsageError
from eegzip.training.settings.sections import (
    PARTS,
    AdversarialSettings,
    CodebookSettings,
    DataSettings,
    GroupSettings,
    JointSettings,
    LossSettings,
    ModelSettings,
    OptimiserSettings,
    PriorSettings,
    QuantiserSettings,
    RunSettings,
    StartSettings,
)

INITS = ("scratch", "audio")
STAGES = ("codebooks", "network", "prior", "joint")
GROUPINGS = ("random", "manual", "single")


@dataclass(frozen=True)
class TrainSettings:
    """All sections of a run."""

    data: DataSettings = field(default_factory=DataSettings)
    model: ModelSettings = field(default_factory=ModelSettings)
    start: StartSettings = field(default_factory=StartSettings)
    groups: GroupSettings = field(default_factory=GroupSettings)
    quantiser: QuantiserSettings = field(default_factory=QuantiserSettings)
    losses: LossSettings = field(default_factory=LossSettings)
    adversarial: AdversarialSettings = field(default_factory=AdversarialSettings)
    codebooks: CodebookSettings = field(default_factory=CodebookSettings)
    prior: PriorSettings = field(default_factory=PriorSettings)
    joint: JointSettings = field(default_factory=JointSettings)
    optimiser: OptimiserSettings = field(default_factory=OptimiserSettings)
    run: RunSettings = field(default_factory=RunSettings)

    def to_dict(self) -> dict[str, dict[str, Any]]:
        """Return the sections as JSON knows them."""
        return {
            section: {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}
            for section, values in asdict(self).items()
        }

    def changed(self, values: Mapping[str, Any], where: str = "the settings") -> TrainSettings:
        """Return these settings with some values replaced.

        Parameters
        ----------
        values
            Sections of values, ``{"optimiser": {"lr": 1e-4}}``.
        where
            What to blame in an error.

        Raises
        ------
        UsageError
            A section or name is unknown, or a value is of the wrong type.
        """
        sections: dict[str, Any] = {}
        for section, content in values.items():
            if section not in _SECTIONS or not isinstance(content, Mapping):
                raise UsageError(f"{where}: there is no section '{section}'; known are {', '.join(_SECTIONS)}.")
            current = getattr(self, section)
            known = {f.name: str(f.type) for f in fields(current)}
            read = {}
            for name, value in content.items():
                if name not in known:
                    raise UsageError(f"{where}: [{section}] has no '{name}'; known are {', '.join(known)}.")
                read[name] = _read(known[name], value, f"{where}: {section}.{name}")
            sections[section] = replace(current, **read)
        return replace(self, **sections)

    def check(self) -> None:
        """Raise :class:`UsageError` where a value makes no sense."""
        for section, name, allowed in (
            ("data", "domain", ("eeg", "audio")),
            ("data", "scaling", SCALINGS),
            ("model", "architecture", ARCHITECTURES),
            ("start", "channels", ("apart", "mean")),
            ("quantiser", "start", ("kmeans", "random")),
            ("quantiser", "update", ("gradient", "ema")),
            ("losses", "waveform_kind", ("l1", "squared", "log_relative", "huber")),
            ("optimiser", "autocast", ("auto", "bfloat16", "off")),
            ("run", "best", ("prd", "spectrogram")),
            ("run", "weights", ("float32", "float16")),
        ):
            value = getattr(getattr(self, section), name)
            if value not in allowed:
                raise UsageError(f"{section}.{name} is '{value}'; it must be one of {', '.join(allowed)}.")
        for section, name, low, high in _RANGES:
            value = getattr(getattr(self, section), name)
            if not (math.isfinite(value) and low <= value <= high):
                raise UsageError(f"{section}.{name} is {value:g}; it must lie between {low:g} and {high:g}.")
        if not self.losses.phase_windows or any(not 8 <= window <= 65536 for window in self.losses.phase_windows):
            raise UsageError("losses.phase_windows must be lengths from 8 to 65536 samples, such as 32, 64.")
        if len(self.optimiser.betas) != 2 or not all(0 <= b < 1 for b in self.optimiser.betas):
            raise UsageError("optimiser.betas must be two numbers from 0 to 1, such as 0.8, 0.99.")
        if self.losses.waveform_kind == "log_relative" and self.adversarial.weight:
            raise UsageError(
                "losses.waveform_kind=log_relative goes below zero, which the rule that ends the discriminators' phase "
                "can't take: set adversarial.weight=0."
            )
        self._check_parts()
        self._check_stages()
        if "joint" in self.run.stages:
            self._check_joint()
        if self.data.domain == "audio" and self.model.architecture != "dac-sc":
            raise UsageError("audio has no channels to group; train DAC-SC on it and start DAC-MC from that.")

    def _check_parts(self) -> None:
        """Raise :class:`UsageError` where parts are frozen that were never trained, or all of them."""
        frozen = [part for part in PARTS if not getattr(self.optimiser, part)]
        if frozen and self.start.init == "scratch" and self.run.stages[:1] in ((), ("network",)):
            raise UsageError(f"optimiser.{frozen[0]}=0 would keep random weights; name a model to start from: --init.")
        if {"encoder", "quantiser", "decoder"} <= set(frozen):
            raise UsageError("optimiser.encoder, quantiser and decoder are all 0, which leaves nothing to train.")

    def _check_stages(self) -> None:
        """Raise :class:`UsageError` where stages can't follow one another so."""
        stages = self.run.stages
        if [stage for stage in STAGES if stage in stages] != list(stages):
            raise UsageError(
                f"run.stages is '{','.join(stages)}'; it must be some of {', '.join(STAGES)}, in this order, each once."
            )
        beside = [stage for stage in stages if stage != "network"]
        if beside and self.data.domain != "eeg":
            raise UsageError(f"the stage {beside[0]} is for EEG; audio has the stage network.")
        if stages[:1] == ("prior",) and self.start.init in INITS:
            raise UsageError("a prior needs a model whose tokens it codes, such as --init eegz-sc-1.")
        if "codebooks" in stages and self.start.init == "audio":
            raise UsageError("the stage codebooks needs a model with an MDCT, or none: --init eegz-sc-1 or scratch.")

    def _check_joint(self) -> None:
        """Raise :class:`UsageError` where no joint decoder can be trained so."""
        if self.run.stages[0] == "joint" and self.start.init in INITS:
            raise UsageError("a joint decoder needs a model whose tokens it decodes, such as --init eegz-sc-1.")
        if not (self.run.max_steps or self.run.max_seconds):
            raise UsageError("the rate of a joint decoder falls to nothing at its end: give --max-steps or --max-time.")
        if self.joint.width % self.joint.heads or self.joint.kernel % 2 == 0:
            raise UsageError("joint.kernel must be odd, and joint.width a multiple of joint.heads.")


_SECTIONS = tuple(f.name for f in fields(TrainSettings))
_RANGES = (
    ("data", "skip_seconds", 0, 1e6),
    ("data", "rate", 1, 1e6),
    ("data", "highpass_hz", 0, 1e5),
    ("data", "limit_uv", 1e-3, 1e6),
    ("data", "clamp", 1e-3, 1e6),
    ("data", "window_seconds", 1e-3, 3600),
    ("data", "workers", 0, 1024),
    ("start", "reduce_every", 1, 1e9),
    ("groups", "exponential_rate", 1e-3, 1e3),
    ("groups", "scale", 1e-3, 1e3),
    ("groups", "tau", 1e-3, 1e3),
    ("quantiser", "open_steps", 0, 1e9),
    ("quantiser", "ema_decay", 0, 0.99999),
    ("quantiser", "revive_every", 0, 1e9),
    ("quantiser", "revive_below", 0, 1),
    ("quantiser", "dropout", 0, 1),
    ("losses", "waveform_half_life", 1e-3, 1e12),
    *(
        ("losses", name, 0, 1e6)
        for name in ("waveform_start", "waveform_end", "stft", "spectrogram", "phase", "commitment", "codebook")
    ),
    *(("adversarial", name, 0, 1e6) for name in ("weight", "adversarial", "feature", "rise")),
    ("adversarial", "patience", 1, 1e6),
    ("adversarial", "lr", 0, 1),
    ("adversarial", "width", 1, 1024),
    ("codebooks", "frames", 256, 1e9),
    ("codebooks", "rounds", 0, 1000),
    ("codebooks", "dimensions", 1, 4096),
    ("codebooks", "renditions", 0, 16),
    ("prior", "steps", 1, 1e6),
    ("prior", "batch", 1, 1e6),
    ("prior", "lr", 0, 1),
    ("prior", "hidden", 1, 255),
    ("prior", "rows", 1, 1e9),
    ("prior", "recordings", 1, 1e6),
    ("prior", "minutes", 0.1, 1e4),
    ("joint", "width", 8, 512),
    ("joint", "blocks", 1, 8),
    ("joint", "heads", 1, 64),
    ("joint", "kernel", 1, 31),
    ("joint", "crop_frames", 8, 4096),
    ("joint", "most_channels", 2, 64),
    ("joint", "renditions", 0, 16),
    ("joint", "drift", 0, 1),
    ("joint", "weight_decay", 0, 1),
    ("optimiser", "lr", 0, 1),
    *(("optimiser", part, 0, 1000) for part in PARTS),
    ("optimiser", "warmup", 0, 1e9),
    ("optimiser", "half_life", 0, 1e12),
    ("optimiser", "cosine_steps", 0, 1e12),
    ("optimiser", "batch", 1, 1e6),
    ("optimiser", "clip", 1e-6, 1e9),
    ("optimiser", "average", 0, 0.9999999),
    ("run", "max_steps", 0, 1e12),
    ("run", "max_seconds", 0, 1e9),
    ("run", "validate_every", 1, 1e12),
    ("run", "validation_windows", 1, 1e6),
    ("run", "save_seconds", 1, 1e9),
    ("run", "log_every", 1, 1e9),
    ("run", "threads", 0, 4096),
)


def _read(kind: str, value: Any, where: str) -> Any:
    """Return a value as the annotated type; text, as the command line gives it, is read."""
    try:
        return typed(kind, value, text=True)
    except WrongTypeError as error:
        if error.kind == "tuple":
            raise UsageError(f"{where} must be a list.") from error
        raise UsageError(f"{where} must be of type {error.kind}, not {error.value!r}.") from error
