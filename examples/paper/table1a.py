"""Table 1a of the paper: whether audio is a good place to start from.

    python examples/paper/table1a.py

The paper compares the spectrogram loss on test people of three models: a codec trained on audio and never shown
EEG, one trained on EEG from scratch, and one fine-tuned from audio to EEG. With `here.toml` the first is trained on the
audio folder, with `paper.toml` it is DAC with its official weights, which need a download.
"""

from __future__ import annotations

from experiment import ROOT, Experiment, table

PAPER = {"Audio-pretrained": 2.50, "Scratch": 1.46, "Audio-to-EEG": 1.05}


def main() -> None:
    """Run from the command line."""
    work = Experiment("table1a", "Table 1a: audio as a start")
    own = work.own
    how = {"presets": own["presets"], "values": own["values"]}
    heard: str = "audio"
    if work.config["audio"]:
        values = {**own["values"], **own["audio_values"]}
        values["data"] = own["audio_values"]["data"]
        sources = (ROOT / work.config["audio"]).resolve()
        heard = str(work.trained("table1a-audio", presets=[*own["presets"], "audio"], values=values, sources=sources))
    models = {
        "Audio-pretrained": heard,
        "Scratch": str(work.trained("table1a-scratch", **how)),
        "Audio-to-EEG": str(work.trained("table1a-transfer", init=heard, **how)),
    }
    pieces = work.test_pieces()
    found = {name: work.loss(model, pieces, rate=256) for name, model in models.items()}
    rows = [
        [name, f"{loss.spectrogram:.2f}", f"{loss.prd:.1f}", f"{loss.bits:.0f}", f"{PAPER[name]:.2f}"]
        for name, loss in found.items()
    ]
    ratio = found["Audio-to-EEG"].spectrogram / found["Scratch"].spectrogram
    told = f"Audio-to-EEG over Scratch: {ratio:.3f} (the paper: {PAPER['Audio-to-EEG'] / PAPER['Scratch']:.3f})."
    work.page([*table(["model", "spectrogram loss", "PRD %", "bit/s", "the paper's loss"], rows), "", told])


if __name__ == "__main__":
    main()
