"""The residual quantiser in training: rounding that lets gradients through, and codebooks that stay in use.

Both of DAC's ways around collapse are here (projections, a loss that pulls codewords towards what chose them) and
three that it lacks: codebooks start as k-means of what they will have to code, may follow by moving averages, and
entries that nothing chooses are set onto vectors of the batch.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from eegzip.codecs.networks.token_network import TokenNetwork
from eegzip.training.settings.sections import QuantiserSettings


@dataclass
class Quantised:
    """What the quantiser made of latents [B, D, F].

    Attributes
    ----------
    latent : Tensor
        The sum of the codewords [B, D, F]; its gradient goes to the encoder as if nothing had been rounded.
    commitment, codebook : Tensor
        Losses, scalars: mean squared distance of the latents to their codewords, summed over levels; the gradient
        of the first moves the encoder, that of the second the codebooks.
    codes : Tensor
        Indices [B, levels, F].
    rows : list of Tensor
        What each level had to code: vectors [B, F, d], without gradient.
    """

    latent: torch.Tensor
    commitment: torch.Tensor
    codebook: torch.Tensor
    codes: torch.Tensor
    rows: list[torch.Tensor]


def quantise(network: TokenNetwork, latent: torch.Tensor, depth: torch.Tensor, *, is_open: bool = False) -> Quantised:
    """Quantise latents [B, D, F], each of the batch with its own number of levels.

    Parameters
    ----------
    network
        Whose quantiser is used.
    latent
        What the encoder gave.
    depth
        Levels of each row [B]; deeper ones add nothing to its sum or its losses.
    is_open
        Pass the latents on as they are; the commitment loss is then what their mean square has beyond 1.
    """
    if is_open:
        return _passed(network, latent)
    residual = latent
    total = torch.zeros_like(latent)
    commitment = latent.new_zeros(())
    codebook = latent.new_zeros(())
    codes, rows = [], []
    for level, quantizer in enumerate(network.quantizer.quantizers):
        used = (depth > level).to(latent.dtype)
        entering = quantizer.in_proj(residual)
        found, index = quantizer.decode_latents(entering)
        distance = (entering - found.detach()).square().mean((1, 2))
        commitment = commitment + (distance * used).mean()
        codebook = codebook + ((entering.detach() - found).square().mean((1, 2)) * used).mean()
        out = quantizer.out_proj(entering + (found - entering).detach())
        total = total + out * used[:, None, None]
        residual = residual - out
        codes.append(index)
        rows.append(entering.detach().transpose(1, 2))
    return Quantised(total, commitment, codebook, torch.stack(codes, 1), rows)


def _passed(network: TokenNetwork, latent: torch.Tensor) -> Quantised:
    """Return latents as they are; see ``is_open`` of :func:`quantise`."""
    # Codewords hold latents near their own size; without them nothing would keep these from growing for ever.
    growth = (latent.square().mean((1, 2)) - 1).clamp(min=0).mean()
    # Every parameter takes part in every step, as distributed training wants.
    unused = sum((0.0 * p.sum() for p in network.quantizer.parameters()), latent.new_zeros(()))
    codes = latent.new_zeros((len(latent), network.config.n_codebooks, latent.shape[2]), dtype=torch.int64)
    return Quantised(latent, growth, unused, codes, [])


def drawn_depths(batch: int, levels: int, dropout: float, generator: torch.Generator) -> torch.Tensor:
    """Return the number of levels of each row of a batch: all, but for the first share of ``dropout`` (as DAC).

    What is left of a row when that share is rounded down is one with that probability: small batches have their share.
    """
    depth = torch.full((batch,), levels)
    few = int(batch * dropout + float(torch.rand((), generator=generator)))
    depth[:few] = torch.randint(1, levels + 1, (few,), generator=generator)
    return depth


class CodebookKeeper:
    """Counts what is chosen, moves codebooks by moving averages where asked, and revives dead entries.

    Parameters
    ----------
    network
        Whose codebooks are kept.
    settings
        How.
    """

    def __init__(self, network: TokenNetwork, settings: QuantiserSettings) -> None:
        self.settings = settings
        self.uses: list[torch.Tensor] = []
        self.sums: list[torch.Tensor] = []
        self.begin(network)

    @staticmethod
    def _codebooks(network: TokenNetwork) -> list[nn.Parameter]:
        return [quantizer.codebook.weight for quantizer in network.quantizer.quantizers]

    def begin(self, network: TokenNetwork) -> None:
        """Count from nothing, as after the codebooks were set."""
        codebooks = self._codebooks(network)
        self.uses = [torch.full((len(each),), 1.0 / len(each), device=each.device) for each in codebooks]
        self.sums = [each.detach() / len(each) for each in codebooks] if self.settings.update == "ema" else []

    @torch.no_grad()
    def update(self, network: TokenNetwork, codes: torch.Tensor, rows: list[torch.Tensor], depth: torch.Tensor) -> None:
        """Take note of a batch: codes [B, levels, F], rows of vectors [B, F, d] for each level, depths [B]."""
        decay = self.settings.ema_decay
        for level, codebook in enumerate(self._codebooks(network)):
            chosen = codes[depth > level, level].reshape(-1)
            if not len(chosen):
                continue
            count = torch.bincount(chosen, minlength=len(codebook)).to(codebook.dtype) / len(chosen)
            self.uses[level].lerp_(count, 1 - decay)
            if self.sums:
                vectors = rows[level][depth > level].reshape(-1, codebook.shape[1]).to(codebook.dtype)
                total = torch.zeros_like(codebook).index_add_(0, chosen, vectors) / len(chosen)
                self.sums[level].lerp_(total, 1 - decay)
                seen = self.uses[level] > 1e-9
                codebook[seen] = self.sums[level][seen] / self.uses[level][seen, None]

    @torch.no_grad()
    def revive(
        self,
        network: TokenNetwork,
        rows: list[torch.Tensor],
        optimiser: torch.optim.Optimizer,
        average: dict[str, torch.Tensor],
        generator: torch.Generator,
    ) -> list[int]:
        """Set dead entries onto vectors of the batch; return how many of each level.

        The optimiser's memory of the entry is cleared, and the averaged weights take the new entry at once.
        """
        revived = []
        for level, codebook in enumerate(self._codebooks(network)):
            fair = 1.0 / len(codebook)
            dead = (self.uses[level] < self.settings.revive_below * fair).nonzero()[:, 0]
            vectors = rows[level].reshape(-1, codebook.shape[1])
            order = torch.randperm(len(vectors), generator=generator)[: len(dead)].to(vectors.device)
            dead = dead[: len(order)]
            revived.append(len(dead))
            if not len(dead):
                continue
            codebook[dead] = vectors[order].to(codebook.dtype)
            self.uses[level][dead] = fair
            if self.sums:
                self.sums[level][dead] = codebook[dead] * fair
            for value in optimiser.state.get(codebook, {}).values():
                if isinstance(value, torch.Tensor) and value.shape == codebook.shape:
                    value[dead] = 0
            name = f"quantizer.quantizers.{level}.codebook.weight"
            if name in average:
                average[name][dead] = codebook[dead]
        return revived

    def state(self) -> dict[str, list[torch.Tensor]]:
        """Return what a resumed run needs."""
        return {"uses": self.uses, "sums": self.sums}

    def load(self, state: dict[str, list[torch.Tensor]]) -> None:
        """Take up what :meth:`state` gave."""
        for mine, theirs in ((self.uses, state["uses"]), (self.sums, state["sums"])):
            for target, value in zip(mine, theirs, strict=True):
                target.copy_(value)
