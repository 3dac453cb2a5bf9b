"""What the card of a stage without a network has to say, as plain data."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from eegzip._version import __version__
from eegzip.codecs.checkpoints.checkpoint import Checkpoint
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

    def front(self) -> str:
        """Return the YAML front matter."""
        licence = self.settings.run.licence.strip()
        return (
            f"---\nlicense: other\nlicense_name: {'see-card' if licence else 'unknown'}\nlibrary_name: eegzip\n"
            "tags:\n- eeg\n- compression\n- neural-codec\n- rvq\n---"
        )

    def made(self, minutes: float) -> str:
        """Return how the model was made: command, recordings, people, licence, versions."""
        people, held_out = self.finished.subjects, self.finished.held_out
        both = sorted(set(people) & set(held_out))
        by_time = f" Of {', '.join(both)} the last third of each recording was held out." if both else ""
        shown = self.command[0].rsplit("/", 1)[-1] if self.command else "eegzip"
        licence = " ".join(self.settings.run.licence.split())
        return f"""```sh
{shlex.join([shown, *self.command[1:]])}
```

* {self.files} recordings, {self.hours:.2f} hours. {len(people)} people trained on, {len(held_out)} held out:
  {", ".join(held_out)}.{by_time}
* {minutes:.0f} minutes, seed {self.settings.run.seed}, eegzip {__version__}.
* Licence of the data: {licence or "not stated"}."""
