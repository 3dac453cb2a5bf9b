"""Models on the Hugging Face hub, and folders that can be put there.

Only the files of a checkpoint are taken, none of which is a pickle; the digest in its config is checked as that of any
model is.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

from eegzip.codecs.checkpoints.checkpoint import CARD, CONFIG, JOINT, Checkpoint, load_checkpoint
from eegzip.codecs.checkpoints.weights import WEIGHTS, weights_file
from eegzip.formats.errors import ModelError, OutputError, OutputExistsError, UsageError
from eegzip.formats.extras import imported
from eegzip.formats.files import replaced
from eegzip.formats.tokens.tables import PRIOR

FILES = (CONFIG, WEIGHTS, PRIOR, JOINT, CARD)
_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")
_COMMIT = re.compile("[0-9a-f]{40}")
_HEAD = """---
library_name: eegzip
license: mit
pipeline_tag: feature-extraction
tags:
- eeg
- neural-codec
- tokenizer
- biosignals
---
"""
_USE = """
```python
import eegzip

tokenizer = eegzip.Tokenizer.from_pretrained("OWNER/NAME", revision="COMMIT")
codes, scales = tokenizer.encode(microvolts, sample_rate, return_scales=True)
```
"""


def is_repository(model: str | Path) -> bool:
    """Whether a model is named by the id of a repository: ``owner/name``, and no folder of that name is here."""
    return isinstance(model, str) and _REPOSITORY.fullmatch(model) is not None and not Path(model).exists()


def downloaded(repository: str, revision: str | None) -> Path:
    """Download a model, into the hub's own cache, and return its folder.

    Raises
    ------
    UsageError
        `revision` is no commit, or eegzip[hub] is not installed.
    ModelError
        There is no such model or commit, or no connection.
    """
    hub = imported("hub", "huggingface_hub")
    if revision is None or not _COMMIT.fullmatch(revision):
        raise UsageError(
            f"name the commit of {repository} that you mean (revision=, 40 hexadecimal digits): a branch or a tag may "
            "be another model tomorrow. The repository's page lists its commits."
        )
    try:
        return Path(hub.snapshot_download(repository, revision=revision, allow_patterns=list(FILES)))
    except Exception as error:  # it has many kinds: no such repository, no access, no connection, a broken cache
        reason = " ".join(str(error).split())[:200]
        raise ModelError(f"the model {repository} at {revision[:12]} can't be had from the hub: {reason}") from error


def save(checkpoint: Checkpoint, folder: Path) -> None:
    """Write a checkpoint into a folder that needs no other: weights that it shares are copied, too.

    Raises
    ------
    OutputExistsError, OutputError
        There is a model, or it can't be written.
    """
    if (folder / CONFIG).exists():
        raise OutputExistsError(f"{folder} already holds a model; choose another folder or remove it.")
    weights = weights_file(checkpoint.folder)
    sources = {WEIGHTS: weights}
    if checkpoint.config.prior is not None:
        own = checkpoint.folder / PRIOR
        sources[PRIOR] = own if own.exists() else weights.parent / PRIOR
    if checkpoint.config.joint is not None:
        sources[JOINT] = checkpoint.folder / JOINT
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, source in sources.items():
            with replaced(folder / name) as temporary:
                shutil.copyfile(source, temporary)
        with replaced(folder / CARD) as temporary:
            temporary.write_text(_card(checkpoint), encoding="utf-8")
        # Last: a folder without it is no model, so a half-written one is never taken for one.
        with replaced(folder / CONFIG) as temporary:
            shutil.copyfile(checkpoint.folder / CONFIG, temporary)
    except OSError as error:
        raise OutputError(f"the model can't be written to {folder}: {error.strerror or error}.") from error
    if load_checkpoint(folder).digest != checkpoint.digest:
        raise ModelError(f"the model in {checkpoint.folder} changed while it was being saved; load it again.")


def pushed(checkpoint: Checkpoint, repository: str, **options: Any) -> str:
    """Upload a checkpoint; return the address of the commit.

    Raises
    ------
    UsageError
        eegzip[hub] is not installed.
    """
    hub = imported("hub", "huggingface_hub")

    # An optional package, loaded above: a type checker can't see the class.
    class Saved(hub.ModelHubMixin):  # type: ignore[name-defined]
        """What the mixin uploads: a folder."""

        def _save_pretrained(self, save_directory: Path) -> None:
            with tempfile.TemporaryDirectory(prefix="eegzip-") as folder:
                save(checkpoint, Path(folder) / "model")
                shutil.copytree(Path(folder) / "model", save_directory, dirs_exist_ok=True)

    return str(Saved().push_to_hub(repository, **options))


def _card(checkpoint: Checkpoint) -> str:
    """The model's card with the hub's head; a card that has a head of its own keeps it."""
    try:
        text = (checkpoint.folder / CARD).read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        text = f"# {checkpoint.config.name}\n"
    return text if text.startswith("---\n") else f"{_HEAD}\n{text.rstrip()}\n{_USE}"
