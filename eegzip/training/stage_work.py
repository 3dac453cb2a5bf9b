"""Work of a stage: all that it is given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from eegzip.codecs.checkpoints.checkpoint import Checkpoint
from eegzip.formats.errors import UsageError
from eegzip.training.settings.checked import TrainSettings

if TYPE_CHECKING:
    from eegzip.progress import Progress
    from eegzip.training.loop.history import Watcher


@dataclass(frozen=True)
class StageWork:
    """One stage of a run.

    Attributes
    ----------
    settings : TrainSettings
        Of the run, with the shape of the model that the stage works on.
    out : Path
        Folder of the stage.
    name : str
        Of the checkpoint that it makes.
    start : Checkpoint, optional
        What it goes on from; ``None``: untrained.
    origin : Checkpoint, optional
        What the run's first stage went on from.
    resume : bool
        Go on from the state in the folder.
    progress, watch
        As in :func:`eegzip.training.api.train`.
    command : sequence of str
        The command line, for the card.
    """

    settings: TrainSettings
    out: Path
    name: str
    start: Checkpoint | None
    origin: Checkpoint | None
    resume: bool
    progress: Progress | None
    watch: Watcher | None
    command: Sequence[str]

    def model_for(self, stage: str) -> Checkpoint:
        """Return the start, for a stage that can't do without.

        Raises
        ------
        UsageError
            There is none.
        """
        if self.start is None:
            raise UsageError(f"the stage {stage} needs a model to build on: --init.")
        return self.start
