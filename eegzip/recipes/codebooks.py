"""Train the checkpoints that ship with eegzip, from a folder of recordings.

``python -m eegzip.recipes.codebooks eegz-sc-1 --data ../shared/data/eeg --out DIR``

1. The network starts as an MDCT codec (see :mod:`eegzip.codecs.networks.dac`): without a quantiser it is perfect
   reconstruction.
2. Each codebook starts as k-means on the residual of the levels before it, in the dimensions that need it most
   (:mod:`eegzip.training.initialisation.kmeans`).
3. All codebooks are refined together under the codec's own beam search (:mod:`eegzip.recipes.refine`).
4. Entries are sorted by use.

The convolutional branches are silent: their last gain is zero. Fine-tuning (``eegzip train --init``) can wake them.
The run resumes where it was stopped (``books.safetensors``) and logs to ``log.jsonl``.
"""

from __future__ import annotations

import argparse
import json
import logging
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from eegzip.codecs.checkpoints.checkpoint import save_checkpoint
from eegzip.codecs.checkpoints.config import ModelConfig, NetworkConfig, ScalingConfig
from eegzip.codecs.networks.build import build
from eegzip.codecs.networks.dac import EegDac, mdct_basis
from eegzip.codecs.runtime import tune_malloc
from eegzip.codecs.signal.scaling import AdaptiveScaling
from eegzip.formats.files import replaced
from eegzip.recipes import refine
from eegzip.recipes.dataset import Waveforms, augmented, load
from eegzip.recipes.fit_levels import fit_levels
from eegzip.recipes.latents import Latents, of_channels

log = logging.getLogger(__name__)

_RATE = 256.0
_SCALING = ScalingConfig(kind="adaptive", spacing=1024, level_rms=1.0, level_peak=8.0)


@dataclass(frozen=True)
class Recipe:
    """What is trained, and how.

    Attributes
    ----------
    config
        The model.
    supports
        Number of dimensions in which each level has codewords.
    frames
        Latent vectors that the codebooks start from, and that each round of refinement sees afresh.
    rounds
        Of refinement.
    beam
        Of the search while refining.
    """

    config: ModelConfig
    supports: tuple[int, ...]
    frames: int
    rounds: int
    beam: int


RECIPES = {
    "eegz-sc-1": Recipe(
        ModelConfig(
            name="eegz-sc-1",
            rate=_RATE,
            network=NetworkConfig(
                encoder_dim=8,
                encoder_rates=(8, 16),
                latent_dim=128,
                decoder_dim=32,
                decoder_rates=(16, 8),
                n_codebooks=48,
                codebook_size=256,
                codebook_dim=128,
                linear_path=True,
                search="euclid",
                final_tanh=False,
            ),
            scaling=_SCALING,
            window_frames=120,
            beam=8,
        ),
        supports=(32,) * 48,
        frames=70_000,
        rounds=12,
        beam=8,
    ),
}


def linear_start(network: EegDac) -> None:
    """Make a network whose latents are as many as its hop has samples an MDCT codec."""
    hop = network.config.hop
    with torch.no_grad():
        for path in (network.encoder.linear, network.decoder.linear):
            path.weight.view(hop, 2 * hop).copy_(mdct_basis(hop))


def set_books(network: EegDac, books: torch.Tensor) -> None:
    """Put codebooks [levels, size, D] into a network whose codebooks lie in its latents."""
    with torch.no_grad():
        for quantizer, book in zip(network.quantizer.quantizers, books, strict=True):
            quantizer.codebook.weight.copy_(book)


def sorted_by_use(books: torch.Tensor, latents: list[Latents], beam: int) -> torch.Tensor:
    """Return codebooks with each one's entries in order of use, most used first, as simple entropy coders like it."""
    levels, size, _ = books.shape
    use = torch.zeros(levels, size, dtype=torch.int64)
    for part in latents:
        codes = refine.coded(books, part.rows.reshape(-1, part.width), levels, beam)
        for level in range(levels):
            use[level] += torch.bincount(codes[:, level], minlength=size)
    order = use.argsort(dim=1, descending=True, stable=True)
    return books.gather(1, order[:, :, None].expand_as(books))


class Run:
    """A training run in a folder, resumable."""

    def __init__(self, recipe: Recipe, out: Path, recordings: list[Waveforms], seed: int) -> None:
        self.recipe, self.out, self.seed = recipe, out, seed
        self.recordings = recordings
        self.began = time.monotonic()

    def latents(self, turn: int) -> list[Latents]:
        """Return fresh training latents."""
        hop, frames, seed = self.recipe.config.network.hop, self.recipe.frames, self.seed + 1000 * turn
        return of_channels(self.recordings, _RATE, hop, frames, seed)

    def record(self, **values: object) -> None:
        """Append a line to the log."""
        with (self.out / "log.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps({"seconds": round(time.monotonic() - self.began), **values}) + "\n")
        log.info("%s", values)

    def books(self) -> torch.Tensor:
        """Fit and refine the codebooks, from where an earlier run stopped."""
        recipe, shape = self.recipe, self.recipe.config.network
        kept = self.out / "books.safetensors"
        if kept.is_file():
            content = load_file(kept)
            books, done = content["books"], int(content["rounds"])
        else:
            books = fit_levels(self.latents(0), recipe.supports, shape.codebook_size, self.seed)
            done = 0
            self._keep(books, done)
            self.record(stage="k-means")
        for turn in range(done + 1, recipe.rounds + 1):
            generator = torch.Generator().manual_seed(self.seed + turn)
            books, before = refine.refined(books, self.latents(turn), recipe.beam, generator)
            self._keep(books, turn)
            self.record(stage="refine", round=turn, mean_log_prd_before=round(before, 4))
        return sorted_by_use(books, self.latents(recipe.rounds + 1), recipe.beam)

    def _keep(self, books: torch.Tensor, done: int) -> None:
        with replaced(self.out / "books.safetensors") as part:
            save_file({"books": books.contiguous(), "rounds": torch.tensor(done)}, part)

    def network(self, books: torch.Tensor) -> EegDac:
        """Return the whole network around codebooks."""
        torch.manual_seed(self.seed)
        network = build(self.recipe.config)
        linear_start(network)
        set_books(network, books)
        return network


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description="Train a checkpoint that ships with eegzip.")
    parser.add_argument("model", choices=list(RECIPES))
    parser.add_argument("--data", type=Path, required=True, help="folder with one folder of EDF files per set")
    parser.add_argument(
        "--out", type=Path, required=True, help="folder of the run; the checkpoint comes into OUT/MODEL"
    )
    parser.add_argument("--seed", type=int, default=20261124)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    recipe = RECIPES[options.model]
    tune_malloc()
    # The searches have threads of their own, which don't wait for one another as torch's do.
    torch.set_num_threads(1)
    options.out.mkdir(parents=True, exist_ok=True)
    scaling = AdaptiveScaling(_SCALING.spacing, _SCALING.level_rms, _SCALING.level_peak)
    train, aside = load(options.data, _RATE, scaling)
    rng = np.random.default_rng(options.seed)
    variants = [augmented(r, _RATE, scaling, rng) for r in train]
    log.info("%d training recordings and as many variants; %d kept aside", len(train), len(aside))
    run = Run(recipe, options.out, train + variants, options.seed)
    network = run.network(run.books())
    save_checkpoint(options.out / options.model, recipe.config, network.state_dict(), overwrite=True)


if __name__ == "__main__":
    main()
