"""Probes learn what tokens tell, know channels apart, and are never tested on whom they were trained on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from api.plain_edf import PlainEdf

import eegzip
from eegzip.probing import probe as probing
from eegzip.probing.head import TokenClassifier, principal
from eegzip.probing.linear import histograms, mean_embeddings

WORDS = np.random.default_rng(5).standard_normal((2, 12, 16)).astype(np.float32)
"""Codewords of two levels."""
QUICK = eegzip.HeadSettings(epochs=12, batch=8, learning_rate=4e-3)


def _tokens(kind: str, people: int = 12) -> eegzip.LabelledTokens:
    """Three windows of each person; classes differ in the codes of channel 0, or only in which channel has which."""
    rng = np.random.default_rng(1)
    subjects = np.repeat([f"s{number:02}" for number in range(people)], 3)
    second = np.repeat(np.arange(people) % 2 == 1, 3)
    codes = rng.integers(0, 12, (len(subjects), 2, 2, 6))
    if kind == "vocabulary":
        codes[:, 0, 0] = rng.integers(0, 6, (len(subjects), 6)) + 6 * second[:, None]
    if kind == "order":
        low, high = rng.integers(0, 6, (2, len(subjects), 6))
        codes[:, 0, 0] = np.where(second[:, None], high + 6, low)
        codes[:, 1, 0] = np.where(second[:, None], low, high + 6)
    labels = np.where(second, "task", "rest")
    return eegzip.LabelledTokens(codes, labels, subjects, WORDS, subjects)


def test_a_vocabulary_that_tells_is_learned() -> None:
    report = eegzip.probe(_tokens("vocabulary"), folds=3, settings=QUICK)
    for name in ("transformer", "embeddings", "histograms"):
        assert report.accuracy(name).value > 0.9, name
    assert (report.chance, report.subjects, report.recordings, report.windows) == (0.5, 12, 12, 36)
    # Windows of a person are judged as one, by shares that are 1 together.
    shares = report.predictions["transformer"].probabilities
    assert shares.shape == (1, 12, 2)
    np.testing.assert_allclose(shares.sum(axis=2), 1, atol=1e-5)
    assert "chance       0.500" in str(report)
    assert report.to_dict()["accuracy"]["transformer"]["value"] == report.accuracy().value


def test_channels_are_known_by_their_order() -> None:
    tokens = _tokens("order")
    report = eegzip.probe(tokens, folds=3, settings=QUICK)
    assert report.accuracy("transformer").value > 0.9
    assert report.accuracy("embeddings").value > 0.9
    # Histograms are over all channels, which hold the same codes in both classes.
    assert report.accuracy("histograms").value < 0.9
    turned = eegzip.LabelledTokens(tokens.codes[:, ::-1], tokens.labels, tokens.subjects, WORDS)
    width = WORDS.shape[2]
    means = mean_embeddings(tokens)
    np.testing.assert_allclose(mean_embeddings(turned), np.roll(means, width, axis=1), atol=1e-6)
    np.testing.assert_array_equal(histograms(turned), histograms(tokens))


def test_no_subject_is_trained_on_and_tested(monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = _tokens("none")
    owners = {codes.tobytes(): who for codes, who in zip(tokens.codes, tokens.subjects, strict=True)}
    seen: list[tuple[set[str], set[str]]] = []
    train, ask = probing.trained, probing.probabilities

    def trained(codes: np.ndarray, *rest: object) -> TokenClassifier:
        seen.append(({owners[window.tobytes()] for window in codes}, set()))
        return train(codes, *rest)

    def asked(head: TokenClassifier, codes: np.ndarray, settings: eegzip.HeadSettings) -> np.ndarray:
        seen[-1][1].update(owners[window.tobytes()] for window in codes)
        return ask(head, codes, settings)

    monkeypatch.setattr(probing, "trained", trained)
    monkeypatch.setattr(probing, "probabilities", asked)
    eegzip.probe(tokens, folds=3, settings=eegzip.HeadSettings(epochs=1))
    assert [learned & tested for learned, tested in seen] == [set()] * 3
    assert set.union(*(tested for _, tested in seen)) == set(tokens.subjects)
    assert all(len(learned | tested) == 12 for learned, tested in seen)


def test_a_seed_decides_everything() -> None:
    tokens, settings = _tokens("none"), eegzip.HeadSettings(epochs=1)
    torch.manual_seed(9)
    one, again, other = (eegzip.probe(tokens, folds=2, seed=seed, settings=settings) for seed in (3, 3, 4))
    drawn = torch.rand(1)
    for name in one.predictions:
        assert np.array_equal(one.predictions[name].probabilities, again.predictions[name].probabilities)
        assert not np.array_equal(one.predictions[name].probabilities, other.predictions[name].probabilities)
    torch.manual_seed(9)
    assert torch.equal(torch.rand(1), drawn), "a probe leaves the caller's generator alone"


def test_embeddings_start_as_codewords() -> None:
    # At full width the turn keeps all distances, up to one scale.
    turned = principal(WORDS, 16)
    before, after = (np.linalg.norm(words[0, 0] - words[1], axis=1) for words in (WORDS, turned))
    np.testing.assert_allclose(after / before, (after / before)[0], rtol=1e-5)
    head = TokenClassifier(WORDS, 2, 2, width=16).eval()
    np.testing.assert_allclose(head.embedding.weight[12:24].detach(), turned[1], atol=1e-6)
    assert not head.embedding.weight[24].any()
    codes = torch.randint(0, 12, (2, 2, 2, 5))
    codes[:, :, 1] = -1
    coarse = TokenClassifier(WORDS[:1], 2, 2, width=16).eval()
    kept = {name: values for name, values in head.state_dict().items() if name != "embedding.weight"}
    coarse.load_state_dict(kept, strict=False)
    with torch.no_grad():
        coarse.embedding.weight[:12] = head.embedding.weight[:12]
        assert torch.allclose(head(codes), coarse(codes[:, :, :1]), atol=1e-6), "no token adds nothing"


def test_linear_features_by_hand() -> None:
    codes = np.array([[[[0, 0, 3], [1, -1, 1]]], [[[2, 2, 2], [0, 1, 2]]]])
    tokens = eegzip.LabelledTokens(codes, ["a", "b"], ["x", "y"], WORDS)
    expected = (2 * WORDS[0, 0] + WORDS[0, 3] + 2 * WORDS[1, 1]) / 3
    np.testing.assert_allclose(mean_embeddings(tokens)[0], expected, rtol=1e-5)
    shares = histograms(tokens)[0].reshape(2, 12)
    assert shares[0].tolist() == [2 / 3, 0, 0, 1 / 3] + [0] * 8
    assert shares[1].tolist() == [0, 2 / 3] + [0] * 10


def test_what_does_not_fit_is_said() -> None:
    tokens = _tokens("none")
    for changed, sentence in (
        ({"codes": tokens.codes + 5}, "of another model"),
        ({"labels": ["a"] * 36}, "all of one class"),
        ({"recordings": ["one"] * 36}, "several classes"),
        ({"codewords": WORDS[:1]}, "codes of 2 levels"),
        ({"subjects": ["s"]}, "as many"),
    ):
        values = {name: getattr(tokens, name) for name in ("codes", "labels", "subjects", "codewords", "recordings")}
        with pytest.raises(eegzip.UsageError, match=sentence):
            eegzip.LabelledTokens(**{**values, **changed})
    with pytest.raises(eegzip.UsageError, match="too few for 7 folds"):
        eegzip.probe(tokens, folds=7)
    with pytest.raises(eegzip.UsageError, match="multiple of 8"):
        TokenClassifier(WORDS, 2, 2, width=12)


def test_files_with_labels_are_probed(eegmat: Path, tmp_path: Path) -> None:
    """From a real recording to a report: pieces of it as people, whose files are judged as one each."""
    plain = PlainEdf.read(eegmat)
    microvolts = np.stack([plain.digital(index)[:8000] / 100 for index in range(2)])
    rows = ["participant_id,label"]
    (tmp_path / "set").mkdir()
    for number in range(4):
        piece = microvolts[:, 2000 * number : 2000 * (number + 1)]
        path = tmp_path / "set" / f"sub-0{number}.eegz"
        eegzip.compress_array(piece, 500, ["Fp1", "T3"], path, model="eegz-sc-1", codebooks=2)
        rows.append(f"sub-0{number},{'ab'[number % 2]}")
    (tmp_path / "labels.csv").write_text("\n".join(rows))
    data = eegzip.TokenDataset(tmp_path / "set", window=1, labels=tmp_path / "labels.csv")
    report = eegzip.probe(data, folds=2, settings=eegzip.HeadSettings(epochs=1))
    assert (report.recordings, report.windows, report.classes) == (4, len(data), ("a", "b"))
    assert 0 <= report.accuracy().low <= report.accuracy().value <= report.accuracy().high <= 1
    with pytest.raises(eegzip.UsageError, match="labels"):
        eegzip.probe(eegzip.TokenDataset(tmp_path / "set", window=1))
    with pytest.raises(eegzip.UsageError, match="not of biocodec-1"):
        eegzip.probe(data, model="biocodec-1")
