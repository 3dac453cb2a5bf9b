"""Train the DAC-SC checkpoint that ships with eegzip.

``python -m eegzip.training.first_checkpoint --data ../shared/data/eeg --out DIR --minutes 60``

1. The network starts as an MDCT codec (see :mod:`eegzip.codecs.network`): without a quantiser it is perfect
   from its first step, so the usual pretraining of the autoencoder is over before it begins.
2. Each codebook starts as k-means on the residual of the levels before it.
3. All codebooks are refined together: given the codes that the codec's own beam search chooses, the
   codewords of least error solve one linear system (:mod:`eegzip.training.refine`).
4. The decoder is fine-tuned on the waveform error of what the quantiser gives it. Half of each batch uses a
   random number of codebooks. The encoder stays the MDCT: the straight-through gradient only ever made it
   worse, as it pushes latents away from their codewords; its convolutional branch is in the weights, silent.

The run resumes where it was stopped (``last.pt``), logs to ``log.jsonl`` and ends with a checkpoint whose
codebook entries are sorted by use.
"""

from __future__ import annotations

import argparse
import json
import logging
import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from eegzip.codecs.checkpoint import save_checkpoint
from eegzip.codecs.config import ModelConfig, NetworkConfig, ScalingConfig
from eegzip.codecs.network import EegDac
from eegzip.codecs.runtime import CodecRuntime, tune_malloc
from eegzip.codecs.scaling import AdaptiveScaling
from eegzip.codecs.search import ResidualSearch
from eegzip.training import heldout, kmeans, refine
from eegzip.training.recordings import Sampler, Waveforms, augmented, load
from eegzip.training.refine import sum_of_codewords

log = logging.getLogger(__name__)

CONFIG = ModelConfig(
    name="dac-sc-compact-1",
    rate=256.0,
    network=NetworkConfig(
        encoder_dim=8,
        encoder_rates=(8, 8),
        latent_dim=64,
        decoder_dim=64,
        decoder_rates=(8, 8),
        n_codebooks=11,
        codebook_size=256,
        codebook_dim=64,
        linear_path=True,
        search="euclid",
        final_tanh=False,
    ),
    scaling=ScalingConfig(kind="adaptive", spacing=1024, level_rms=1.0, level_peak=8.0),
    window_frames=240,
    beam=4,
)
DEPTHS = (1, 3, 5, 8, 11)
# A wider beam than the one that ships, which pays for its speed with about one percent of the error.
TRAINING_BEAM = 6
CHECK_SECONDS = 300


@dataclass(frozen=True)
class Settings:
    """What a run can vary.

    Attributes
    ----------
    minutes
        Time for fine-tuning; the learning rate falls to nothing over it.
    variants
        Augmented variants of every training recording, beside the recording itself.
    rows
        Latent vectors for k-means.
    batch, length
        Segments a step and samples a segment.
    refinements
        Rounds of joint refinement of the codebooks.
    rate_network, rate_linear
        Learning rates of the decoder's convolutions and of its linear path.
    heavy_hum
        Share of the segments that a mains-like tone drowns.
    seed
        Of everything random.
    """

    minutes: float = 60.0
    variants: int = 2
    rows: int = 400_000
    refinements: int = 20
    batch: int = 32
    length: int = 4096
    rate_network: float = 2e-3
    rate_linear: float = 3e-5
    heavy_hum: float = 0.0
    seed: int = 20261120


def latent_rows(network: EegDac, sampler: Sampler, count: int) -> torch.Tensor:
    """Return ``count`` latent vectors of training segments, in random order."""
    latent = latent_segments(network, sampler, count)
    rows = latent.reshape(-1, latent.shape[2])
    return rows[torch.randperm(len(rows), generator=torch.Generator().manual_seed(1))][:count]


def latent_segments(network: EegDac, sampler: Sampler, count: int) -> torch.Tensor:
    """Return latents [segments, frames, D] of at least ``count`` frames, segments' outer frames left out."""
    parts: list[torch.Tensor] = []
    with torch.no_grad():
        while sum(len(p) * p.shape[1] for p in parts) < count:
            z = network.encoder(torch.from_numpy(sampler.batch(256))[:, None])[:, :, 1:-1]
            parts.append(z.transpose(1, 2))
    return torch.cat(parts)


def relative_error(rows: torch.Tensor, books: torch.Tensor) -> float:
    """Return the RMS error of all levels over the RMS of ``rows``."""
    codes = ResidualSearch(books, TRAINING_BEAM)(rows, len(books))
    error = rows - sum_of_codewords(books, codes)
    return round(float((error.square().sum() / rows.square().sum()).sqrt()), 5)


def books_of(network: EegDac) -> torch.Tensor:
    """Return the codebooks [levels, size, D]."""
    return torch.stack([q.codebook.weight for q in network.quantizer.quantizers])


def set_books(network: EegDac, books: torch.Tensor) -> None:
    """Overwrite the codebooks."""
    with torch.no_grad():
        for quantizer, book in zip(network.quantizer.quantizers, books, strict=True):
            quantizer.codebook.weight.copy_(book)


def quantised(search: ResidualSearch, latent: torch.Tensor, depth: int) -> torch.Tensor:
    """Return latents [B, D, F] after the codec's own search over ``depth`` levels."""
    rows = latent.transpose(1, 2).reshape(-1, latent.shape[1])
    found = sum_of_codewords(search.books, search(rows, depth))
    return found.view(latent.shape[0], -1, latent.shape[1]).transpose(1, 2)


def waveform_loss(x: torch.Tensor, decoded: torch.Tensor, edge: int) -> torch.Tensor:
    """Return the mean PRD (as a fraction) over segments [B, T], ``edge`` samples at both ends left out.

    The root weighs quiet, predictable and noisy recordings alike; a plain mean square would be ruled by
    the noisiest.
    """
    x, decoded = x[:, edge:-edge], decoded[:, edge:-edge]
    error = (x - decoded).square().mean(1)
    return (error / (x.var(1) + 1e-2) + 1e-6).sqrt().mean()


def train_step(
    network: EegDac,
    search: ResidualSearch,
    wave: torch.Tensor,
    depth: int,
    optimiser: torch.optim.Optimizer,
) -> tuple[float, float]:
    """Do one step, half of the batch at full depth, half at ``depth``; returns both losses."""
    levels, half = network.config.n_codebooks, len(wave) // 2
    with torch.no_grad():
        latent = network.encoder(wave[:, None])
        full = quantised(search, latent[:half], levels)
        part = quantised(search, latent[half:], depth)
    decoded = network.decoder(torch.cat([full, part]))[:, 0]
    hop = network.config.hop
    loss_full = waveform_loss(wave[:half], decoded[:half], hop)
    loss_part = waveform_loss(wave[half:], decoded[half:], hop)
    # Shallow depths have the larger errors; their gradient is brought to the size of the full depth's.
    loss = loss_full / loss_full.detach() + loss_part / loss_part.detach()
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(network.decoder.parameters(), 2.0)
    optimiser.step()
    return float(loss_full), float(loss_part)


def parameter_groups(network: EegDac, settings: Settings) -> list[dict[str, Any]]:
    """Return the optimiser's groups with their learning rates."""
    return [
        {"params": list(network.decoder.model.parameters()), "peak": settings.rate_network},
        {"params": [network.decoder.linear.weight], "peak": settings.rate_linear},
    ]


class Run:
    """A training run in a folder, resumable."""

    def __init__(self, out: Path, settings: Settings, train: list[Waveforms]) -> None:
        self.out, self.settings = out, settings
        torch.manual_seed(settings.seed)
        self.network = EegDac(CONFIG.network, CONFIG.rate)
        self.network.encoder.requires_grad_(False)
        self.network.encoder.skips_branch = True
        self.network.quantizer.requires_grad_(False)
        self.optimiser = torch.optim.Adam(parameter_groups(self.network, settings), lr=0.0, betas=(0.9, 0.99))
        self.average: dict[str, torch.Tensor] = {}
        self.step, self.spent = 0, 0.0
        self.sampler = Sampler(train, settings.length, settings.seed, settings.heavy_hum)
        last = out / "last.pt"
        if last.is_file():
            content = torch.load(last, weights_only=True)
            self.network.load_state_dict(content["network"])
            self.optimiser.load_state_dict(content["optimiser"])
            self.average, self.step, self.spent = content["average"], content["step"], content["spent"]
            # A sampler of its own seed for what is left: the same segments need not come again.
            self.sampler = Sampler(train, settings.length, settings.seed + self.step, settings.heavy_hum)
        else:
            self.fit_codebooks()
            self.average = {k: v.clone() for k, v in self.network.state_dict().items()}

    def fit_codebooks(self) -> None:
        """Start the codebooks by k-means and refine them together."""
        shape, settings = CONFIG.network, self.settings
        rows = latent_rows(self.network, self.sampler, settings.rows)
        books = kmeans.fit_levels(rows, shape.n_codebooks, shape.codebook_size, settings.seed)
        self.record(stage="k-means", error=relative_error(rows[:50_000], books))
        generator = torch.Generator().manual_seed(settings.seed)
        for _ in range(settings.refinements):
            latent = latent_segments(self.network, self.sampler, settings.rows)
            books = refine.refined(books, latent, TRAINING_BEAM, generator)
            self.record(stage="refine", error=relative_error(rows[:50_000], books))
        set_books(self.network, books)

    def record(self, **values: object) -> None:
        """Append a line to the log."""
        with (self.out / "log.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": self.step, "minutes": round(self.spent / 60, 2), **values}) + "\n")
        log.info("step %d %.1f min %s", self.step, self.spent / 60, values)

    def save(self) -> None:
        """Write ``last.pt``, whole or not at all."""
        content = {
            "network": self.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "average": self.average,
            "step": self.step,
            "spent": self.spent,
        }
        torch.save(content, self.out / "last.part")
        (self.out / "last.part").replace(self.out / "last.pt")

    def train(self, aside: list[Waveforms]) -> None:
        """Fine-tune until the time is spent, with a look at ``aside`` every few minutes."""
        budget = self.settings.minutes * 60
        depths = np.random.default_rng(self.settings.seed + 7 + self.step)
        search = ResidualSearch(books_of(self.network).detach(), TRAINING_BEAM)
        losses: list[tuple[float, float]] = []
        checked = self.spent
        while self.spent < budget:
            began = time.monotonic()
            warm = min(1.0, (self.step + 1) / 200)
            for group in self.optimiser.param_groups:
                group["lr"] = group["peak"] * warm * 0.5 * (1 + math.cos(math.pi * self.spent / budget))
            wave = torch.from_numpy(self.sampler.batch(self.settings.batch))
            depth = int(depths.integers(1, CONFIG.network.n_codebooks))
            losses.append(train_step(self.network, search, wave, depth, self.optimiser))
            self.step += 1
            decay = min(0.998, self.step / (self.step + 20))
            with torch.no_grad():
                for name, value in self.network.state_dict().items():
                    self.average[name].lerp_(value, 1 - decay)
            self.spent += time.monotonic() - began
            if self.step % 100 == 0:
                full, part = np.mean(losses, axis=0)
                self.record(loss_full=round(float(full), 5), loss_part=round(float(part), 5))
                losses = []
            if self.spent - checked > CHECK_SECONDS:
                checked = self.spent
                self.save()
                self.record(aside=evaluated(self.out / "now", self.average, aside, (3, 11)))
        self.save()


def evaluated(
    folder: Path, state: dict[str, torch.Tensor], aside: list[Waveforms], depths: tuple[int, ...]
) -> dict[str, dict[int, dict[str, float]]]:
    """Save a state as a checkpoint in ``folder`` and return its figures on the recordings aside."""
    checkpoint = save_checkpoint(folder, CONFIG, state, overwrite=True)
    return heldout.evaluate(CodecRuntime(checkpoint), aside, depths)


def sorted_by_use(
    state: dict[str, torch.Tensor], network: EegDac, sampler: Sampler, rows: int = 200_000
) -> dict[str, torch.Tensor]:
    """Return the state with each codebook's entries in order of use, most used first.

    The indices then have small numbers more often than large ones, which entropy coders like.
    """
    network.load_state_dict(state)
    books = books_of(network).detach()
    codes = ResidualSearch(books, TRAINING_BEAM)(latent_rows(network, sampler, rows), len(books))
    state = dict(state)
    for level in range(len(books)):
        use = torch.bincount(codes[:, level], minlength=books.shape[1])
        order = use.argsort(descending=True, stable=True)
        state[f"quantizer.quantizers.{level}.codebook.weight"] = books[level][order]
    return state


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description="Train the DAC-SC checkpoint that ships with eegzip.")
    parser.add_argument("--data", type=Path, required=True, help="folder with one folder of EDF files per set")
    parser.add_argument("--out", type=Path, required=True, help="folder of the run")
    parser.add_argument("--minutes", type=float, default=Settings.minutes, help="time for fine-tuning")
    parser.add_argument("--variants", type=int, default=Settings.variants, help="augmented variants a recording")
    parser.add_argument("--heavy-hum", type=float, default=Settings.heavy_hum, help="share of hum-ridden segments")
    parser.add_argument("--seed", type=int, default=Settings.seed)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    settings = Settings(
        minutes=options.minutes, variants=options.variants, heavy_hum=options.heavy_hum, seed=options.seed
    )
    tune_malloc()
    torch.set_num_threads(options.threads)
    options.out.mkdir(parents=True, exist_ok=True)
    level = CONFIG.scaling
    scaling = AdaptiveScaling(level.spacing, level.level_rms, level.level_peak)
    train, aside = load(options.data, CONFIG.rate, scaling)
    rng = np.random.default_rng(settings.seed)
    variants = [augmented(r, CONFIG.rate, scaling, rng) for r in train for _ in range(settings.variants)]
    log.info("%d training recordings and %d variants, %d aside", len(train), len(variants), len(aside))
    run = Run(options.out, settings, train + variants)
    if run.step == 0:
        started = sorted_by_use(run.network.state_dict(), run.network, run.sampler)
        run.record(start=evaluated(options.out / "start", started, heldout.excerpts(aside), DEPTHS))
    run.train(heldout.excerpts(aside))
    final = sorted_by_use(run.average, run.network, run.sampler)
    run.record(final=evaluated(options.out / "final", final, heldout.excerpts(aside), DEPTHS))


if __name__ == "__main__":
    main()
