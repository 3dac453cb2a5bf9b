"""Facts of a stage's card, as plain data, and the sentences that all such cards share."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from eegzip._version import __version__
from eegzip.codecs.checkpoints.checkpoint import CARD, Checkpoint
from eegzip.formats.files import atomic_output
from eegzip.training.outcome import FinishedRun
from eegzip.training.settings.checked import TrainSettings


@dataclass(frozen=True)
class StageFacts:
    """What a card has to say.

    Attributes
    ----------
    checkpoint : Checkpoint
        The model.
    start : Checkpoint or None
        The one that it was made of.
    settings : TrainSettings
    finished : FinishedRun
    hours : float
        Of recordings, those held out included.
    files : int
    command : sequence of str
        The command line.
    """

    checkpoint: Checkpoint
    start: Checkpoint | None
    settings: TrainSettings
    finished: FinishedRun
    hours: float
    files: int
    command: Sequence[str]

    @property
    def licence(self) -> str:
        """That of the data, on one line."""
        return " ".join(self.settings.run.licence.split())

    @property
    def front(self) -> str:
        """The YAML front matter."""
        return (
            f"---\nlicense: other\nlicense_name: {'see-card' if self.licence else 'unknown'}\nlibrary_name: eegzip\n"
            "tags:\n- eeg\n- compression\n- neural-codec\n- rvq\n---"
        )

    @property
    def run(self) -> str:
        """The command line, without where the command lies."""
        shown = self.command[0].rsplit("/", 1)[-1] if self.command else "eegzip"
        return shlex.join([shown, *self.command[1:]])

    @property
    def people(self) -> str:
        """Of whom the recordings are."""
        subjects, held_out = self.finished.subjects, self.finished.held_out
        # Of sets of one subject, the last third of a recording is held out, not the subject.
        both = sorted(set(subjects) & set(held_out))
        by_time = f" Of {', '.join(both)} the last third of each recording was held out." if both else ""
        return (
            f"{self.files} recordings, {self.hours:.2f} hours. {len(subjects)} people trained on,\n"
            f"  {len(held_out)} held out: {', '.join(held_out)}.{by_time}"
        )

    def made(self, minutes: float) -> str:
        """Return how the model was made: command, recordings, people, licence, versions."""
        return f"""```sh
{self.run}
```

* {self.people}
* {minutes:.0f} minutes, seed {self.settings.run.seed}, eegzip {__version__}.
* Licence of the data: {self.licence or "not stated"}."""


def write_card(folder: Path, text: str) -> None:
    """Write a model's card."""
    with atomic_output(folder / CARD, overwrite=True) as file:
        file.write(text.encode())
