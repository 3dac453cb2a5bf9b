"""Finds the prior that a file's tokens are coded with: the tables in a checkpoint's ``prior.safetensors``.

Needs no torch, and of the model no more than that one file.
"""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING

from eegzip.codecs.checkpoints import registry
from eegzip.codecs.checkpoints.checkpoint import read_prior
from eegzip.formats.eegz.context_tokens import PriorSource
from eegzip.formats.eegz.header import CodecEntry
from eegzip.formats.errors import ModelError
from eegzip.formats.processes import PerProcess

if TYPE_CHECKING:
    from eegzip.formats.tokens.tables import TokenPrior

# By digest. Nearly always one or two, of a megabyte or two each; of more, the first loaded make room.
_LOADED: dict[str, TokenPrior] = {}
_MAX_LOADED = 8
_LOADING = PerProcess(Lock)


def priors(model: registry.Models = None) -> PriorSource:
    """Return what finds priors for a reader or writer of files.

    Parameters
    ----------
    model : path-like, or a sequence or mapping of such, optional
        Checkpoints to look into first, where they are neither bundled nor cached.

    Returns
    -------
    callable
        Takes a codec's entry; raises :class:`ModelError` where no model at hand has its prior.
    """

    def find(codec: CodecEntry) -> TokenPrior:
        wanted = codec.prior or ""
        with _LOADING():
            if wanted not in _LOADED:
                prior = _read(codec, wanted, model)
                if len(_LOADED) >= _MAX_LOADED:
                    del _LOADED[next(iter(_LOADED))]
                _LOADED[wanted] = prior
            return _LOADED[wanted]

    return find


def _read(codec: CodecEntry, wanted: str, model: registry.Models) -> TokenPrior:
    """Read the prior of a digest from the folder of whichever model has it."""
    folders = [*map(registry.resolve, registry.listed(model)), *registry.available().values()]
    for folder in registry.naming_first(wanted, folders):
        prior = read_prior(folder, wanted)
        if prior is not None:
            return prior
    raise ModelError(
        f"tokens are coded with the prior of the model '{codec.model}' (digest {codec.digest[:16]}...), "
        f"which is not here; put its folder into {registry.cache_dir() / 'models'} or name it with --model."
    )
