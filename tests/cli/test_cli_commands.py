"""The commands at work: files, pipes, reports, progress, cuts, salvage."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import struct
import subprocess
import termios
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from api.group_models import NAMES, many_channels, save_groups
from api.plain_edf import PlainEdf, beginning
from api.recordings import SHIPPED

import eegzip
from eegzip.formats.eegz.reader import EegzReader

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def lossy_file(eegmat: Path, compressed: Callable[..., Path]) -> Path:
    return compressed(eegmat, chunk_seconds=7)


def test_the_main_job(run: Run, eegmat: Path, compressed: Callable[..., Path], tmp_path: Path) -> None:
    """A recording in, a file, the recording back; with the names that nobody gave."""
    source = tmp_path / "night.edf"
    source.write_bytes(eegmat.read_bytes())
    done = run("compress", source)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "night.eegz").read_bytes() == compressed(eegmat).read_bytes()
    sentence = done.stdout
    assert sentence.startswith("night.edf: 282 kB -> ")
    assert "3 channels at " in sentence
    assert "error (PRD)" in sentence
    assert sentence.endswith("kept exactly: ECG ECG, EDF Annotations\n")
    assert sentence.count("\n") == 1

    done = run("verify", tmp_path / "night.eegz")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("night.eegz: intact; ")

    before = source.read_bytes()
    assert run("decompress", tmp_path / "night.eegz").returncode == 2  # night.edf is there
    assert source.read_bytes() == before
    source.rename(tmp_path / "original.edf")
    done = run("decompress", tmp_path / "night.eegz")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "night.edf: 282 kB, 70 data records restored\n"
    original, restored = PlainEdf(before), PlainEdf.read(source)
    assert restored.without([0, 1, 2]) == original.without([0, 1, 2])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["night.edf", "night.eegz", "original.edf"]


def test_a_bdf_comes_back_as_bdf(run: Run, short_psg: Path, tmp_path: Path) -> None:
    source = short_psg.with_name("test_bdf_stim_channel.bdf")
    assert run("compress", source, tmp_path / "x.eegz", "--exact", "*").returncode == 0
    assert run("decompress", tmp_path / "x.eegz").returncode == 0
    assert (tmp_path / "x.bdf").read_bytes() == source.read_bytes()


@pytest.mark.parametrize("name", ["eegmat/Subject16_rest_70s.edf", "edf/test.bdf"])
def test_lossless(run: Run, name: str, tmp_path: Path) -> None:
    source = SHIPPED / name
    packed, back = tmp_path / "packed.eegz", tmp_path / f"back{source.suffix}"
    assert run("compress", source, packed, "--lossless", "--lossy", "*").returncode == 0
    assert run("decompress", packed, back).returncode == 0
    assert back.read_bytes() == source.read_bytes()
    assert run("verify", "--deep", packed).returncode == 0
    with eegzip.open(packed) as recording:
        reasons = {signal["reason"] for signal in recording.info["signals"] if signal["kind"] != "annotations"}
    assert reasons == {"kept exactly as asked"}


@pytest.fixture
def ten_seconds(eegmat: Path, tmp_path: Path) -> Path:
    """A recording for commands that run in processes of their own, one after the other."""
    (tmp_path / "short").mkdir()
    return beginning(eegmat, tmp_path / "short" / "in.edf", 10)


def test_standard_input_and_output(command: str, ten_seconds: Path, tmp_path: Path) -> None:
    def pipe(*arguments: str, data: bytes) -> tuple[bytes, str]:
        done = subprocess.run([command, *arguments], input=data, capture_output=True, check=True, cwd=tmp_path)
        return done.stdout, done.stderr.decode()

    original = ten_seconds.read_bytes()
    eegzip.compress(ten_seconds, tmp_path / "here.eegz", exact=["*"], chunk_seconds=4)
    small, said = pipe("compress", "-", "-", "--exact", "*", "--chunk", "4", data=original)
    assert small == (tmp_path / "here.eegz").read_bytes()
    assert said.startswith(f"standard input: {len(original) / 1000:.1f} kB -> ")
    back, said = pipe("decompress", "-", "-", data=small)
    assert back == original
    assert said == f"standard output: {len(original) / 1000:.1f} kB, 10 data records restored\n"
    # Without OUT, too, standard input goes to standard output; a report as JSON goes aside.
    back, said = pipe("decompress", "-", "--json", data=small)
    assert back == original
    assert json.loads(said)["target"] == "standard output"
    assert pipe("compress", "-", "-", "-q", "--exact", "*", "--chunk", "4", data=original) == (small, "")
    pipe("compress", "-", "file.eegz", "--exact", "*", "--chunk", "4", data=original)
    assert (tmp_path / "file.eegz").read_bytes() == small


def test_reports_as_json(run: Run, eegmat: Path, tmp_path: Path) -> None:
    path, back = tmp_path / "a.eegz", tmp_path / "a.edf"
    done = run("compress", "--json", eegmat, path)
    report = json.loads(done.stdout)
    assert done.stderr == ""
    assert report["source"] == str(eegmat)
    assert report["target"] == str(path)
    assert report["original_bytes"] == eegmat.stat().st_size
    assert report["compressed_bytes"] == path.stat().st_size
    assert report["ratio"] == pytest.approx(report["original_bytes"] / report["compressed_bytes"])
    assert report["duration"] == 70
    assert len(report["digest"]) == 64
    assert [signal["coding"] for signal in report["signals"]] == ["tokens"] * 3 + ["exact"] * 2
    for signal in report["signals"][:3]:
        assert 0 < signal["prd"] < 60
        assert {"label", "reason", "stored_bytes", "bits_per_second", "snr", "r", "largest_error_uv"} <= set(signal)

    info = json.loads(run("info", "--json", path).stdout)
    assert info["source_sha256"] == json.loads(run("info", "--json", path).stdout)["source_sha256"]
    assert [signal["prd"] for signal in info["signals"]] == [signal["prd"] for signal in report["signals"]]
    assert info["problems"] == []
    assert info["variant"] == "EDF+C"

    checked = json.loads(run("verify", "--json", path).stdout)
    assert checked["intact"] is True
    assert checked["problems"] == []
    assert checked["tokens"] > 0
    assert checked["exact_samples"] > 35_000

    restored = json.loads(run("decompress", "--json", path, back).stdout)
    assert restored["restored_bytes"] == back.stat().st_size == eegmat.stat().st_size
    assert restored["lost_records"] == []

    edf = json.loads(run("info", "--json", eegmat).stdout)
    assert [signal["kind"] for signal in edf["signals"]] == ["eeg"] * 3 + ["ecg", "annotations"]


def test_quiet_and_verbose(run: Run, eegmat: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.eegz"
    done = run("compress", "-q", eegmat, path, "--exact", "*")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    for words in (["verify", "-q", path], ["decompress", "-q", path, tmp_path / "a.edf"]):
        done = run(*words)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    done = run("compress", "-f", eegmat, path, "--exact", "*", "--lossy", "nobody")
    assert done.returncode == 2
    assert "matches 'nobody' (--lossy); the recording has: EEG Fp1" in done.stderr
    done = run("compress", "-v", "-f", eegmat, path, "--exact", "*")
    assert len(done.stdout.splitlines()) >= 6
    assert "EEG T3: exact (kept exactly as asked)" in done.stdout
    # Errors are never kept quiet.
    done = run("verify", "-q", eegmat)
    assert done.returncode == 1
    assert "is not an .eegz file" in done.stderr


def test_info_for_a_person(run: Run, lossy_file: Path, short_psg: Path) -> None:
    text = run("info", lossy_file).stdout
    assert "EDF+C recording, 1 min 10 s" in text
    assert "70 of 1 s each" in text
    assert "SHA-256" in text
    row = next(line for line in text.splitlines() if line.startswith("EEG T3"))
    assert row.split()[:5] == ["EEG", "T3", "eeg", "500", "lossy"]
    row = next(line for line in text.splitlines() if line.startswith("ECG"))
    assert "exact" in row
    assert row.endswith("a voltage other than EEG")
    text = run("info", short_psg).stdout
    assert "EDF recording, 5 min 00 s" in text
    text = run("info", short_psg.with_name("test.bdf")).stdout
    assert "deviation: " in text


def test_several_files_are_verified(run: Run, exact_file: Path, lossy_file: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.eegz"
    data = bytearray(exact_file.read_bytes())
    data[len(data) // 2] ^= 1
    damaged.write_bytes(data)
    done = run("verify", exact_file, damaged, tmp_path / "missing.eegz", lossy_file)
    assert done.returncode == 1
    assert [line.split(";")[0].split(",")[0] for line in done.stdout.splitlines()] == [
        "exact.eegz: intact", "damaged.eegz: DAMAGED", f"{lossy_file.name}: intact",
    ]  # fmt: skip
    assert "missing.eegz" in done.stderr
    found = json.loads(run("verify", "--json", exact_file, damaged, tmp_path / "missing.eegz").stdout)
    assert [item["intact"] for item in found] == [True, False, False]
    assert run("verify", "--deep", exact_file).returncode == 0


def chunk_places(path: Path) -> dict[int, tuple[int, int]]:
    with EegzReader(path) as reader:
        return {number: (place.payload_offset, place.length) for number, place in reader.chunks.items()}


def spoil(path: Path, target: Path, *chunks: int) -> Path:
    data = bytearray(path.read_bytes())
    places = chunk_places(path)
    for chunk in chunks:
        offset, length = places[chunk]
        data[offset : offset + length] = os.urandom(length)
    target.write_bytes(data)
    return target


def test_verify_lists_all_problems(run: Run, lossy_file: Path, tmp_path: Path) -> None:
    damaged = spoil(lossy_file, tmp_path / "damaged.eegz", 2, 5, 8)
    done = run("verify", damaged)
    assert done.returncode == 1
    assert "DAMAGED" in done.stdout
    problems = [line for line in done.stderr.splitlines() if line.startswith("  problem: ")]
    for chunk in (2, 5, 8):
        assert any(f"chunk {chunk} (data records {7 * chunk} to {7 * chunk + 6}; " in line for line in problems)
    assert not any(f"chunk {chunk} " in line for line in problems for chunk in (0, 1, 3, 4, 6, 7, 9))
    found = json.loads(run("verify", "--json", damaged).stdout)
    assert found["intact"] is False
    assert len(found["problems"]) == len(problems) >= 3


def test_salvage_of_a_damaged_chunk(
    run: Run, lossy_file: Path, restored: Callable[[Path], Path], tmp_path: Path
) -> None:
    damaged, back = spoil(lossy_file, tmp_path / "damaged.eegz", 4), tmp_path / "rest.edf"
    done = run("decompress", damaged, back)
    assert done.returncode == 1
    assert "chunk 4 (data records 28 to 34" in done.stderr
    assert "--salvage" in done.stderr
    assert not back.exists()

    done = run("decompress", "--salvage", "--json", damaged, back)
    assert done.returncode == 1
    assert "lost: data records 28 to 34" in done.stderr
    assert json.loads(done.stdout)["lost_records"] == [[28, 34]]
    assert "7 data records were lost" in run("decompress", "--salvage", "-f", damaged, back).stdout
    whole, rest = PlainEdf.read(restored(lossy_file)), PlainEdf.read(back)
    assert rest.raw[: rest.header_bytes] == whole.raw[: whole.header_bytes]
    assert rest.complete_records == 70
    # Exact signals: only the lost records; coded ones: some seconds of context next to them may differ.
    for index, margin in ((3, 0), (0, 6), (1, 6), (2, 6)):
        a, b = (plain.digital(index).reshape(70, 500) for plain in (whole, rest))
        for part in (slice(0, 28 - margin), slice(35 + margin, 70)):
            assert np.abs(a[part] - b[part]).max() <= (1 if margin else 0)
        assert (b[28:35] == 0).all()


def test_salvage_of_a_truncated_file(
    run: Run, lossy_file: Path, restored: Callable[[Path], Path], tmp_path: Path
) -> None:
    cut, back = tmp_path / "cut.eegz", tmp_path / "rest.edf"
    offset, length = chunk_places(lossy_file)[6]
    cut.write_bytes(lossy_file.read_bytes()[: offset + length // 2])
    done = run("decompress", cut, back)
    assert done.returncode == 1
    assert "4 of 10 chunks are missing" in done.stderr
    assert "--salvage" in done.stderr
    done = run("decompress", "--salvage", "-v", cut, back)
    assert done.returncode == 1
    assert "28 data records were lost" in done.stdout
    whole, rest = PlainEdf.read(restored(lossy_file)), PlainEdf.read(back)
    for index, margin in ((3, 0), (0, 6), (1, 6), (2, 6)):
        a, b = (plain.digital(index).reshape(70, 500) for plain in (whole, rest))
        assert np.abs(a[: 42 - margin] - b[: 42 - margin]).max() <= (1 if margin else 0)
        assert (b[42:] == 0).all()


def test_salvage_says_when_trailing_bytes_are_lost(
    run: Run, eegmat: Path, compressed: Callable[..., Path], tmp_path: Path
) -> None:
    source = tmp_path / "in.edf"
    source.write_bytes(eegmat.read_bytes() + bytes(range(256)) * 4)
    path = tmp_path / "a.eegz"
    eegzip.compress(source, path, exact=["*"])
    with EegzReader(path) as reader:
        (place,) = [place for place in reader.blocks.places if place.type == b"TAIL"]
    data = bytearray(path.read_bytes())
    data[place.payload_offset + place.length // 2] ^= 1
    path.write_bytes(data)
    assert run("decompress", path, tmp_path / "b.edf").returncode == 1
    done = run("decompress", "--salvage", "--json", path, tmp_path / "b.edf")
    assert done.returncode == 0
    report = json.loads(done.stdout)
    assert report["lost_records"] == []
    assert any("TAIL block" in note for note in report["notes"])
    assert (tmp_path / "b.edf").read_bytes() == eegmat.read_bytes()


def test_a_cut(run: Run, lossy_file: Path, restored: Callable[[Path], Path], tmp_path: Path) -> None:
    done = run("decompress", lossy_file, tmp_path / "part.edf", "--start", 12.5, "--stop", 44, "--channels", "T3,ecg")
    assert done.returncode == 0
    assert "32 data records restored" in done.stdout
    whole, part = PlainEdf.read(restored(lossy_file)), PlainEdf.read(tmp_path / "part.edf")
    assert part.labels == ["EEG T3", "ECG ECG", "EDF Annotations"]
    for new, old, bound in ((0, 1, 1), (1, 3, 0)):
        assert np.abs(part.digital(new) - whole.digital(old)[6000:22000]).max() <= bound


def on_a_terminal(words: list[str]) -> tuple[int, str]:
    """Run a command whose standard streams are a terminal; return exit code and what was shown."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 25, 80, 0, 0))
    with subprocess.Popen(words, stdin=slave, stdout=slave, stderr=slave, close_fds=True) as process:
        os.close(slave)
        shown = b""
        while True:
            try:
                data = os.read(master, 65536)
            except OSError:  # all its writers are gone
                break
            if not data:
                break
            shown += data
        process.wait(timeout=60)
    os.close(master)
    return process.returncode, shown.decode()


def test_progress_bars_on_a_terminal_and_none_in_a_pipe(
    command: str, run: Run, ten_seconds: Path, tmp_path: Path
) -> None:
    words = ["compress", str(ten_seconds), str(tmp_path / "a.eegz"), "--exact", "*", "--chunk", "2"]
    code, shown = on_a_terminal([command, *words])
    assert code == 0
    assert "compressing" in shown
    assert "0/10 [" in shown
    assert "\r" in shown.replace("\r\n", "\n")
    # The bars wipe themselves out; the report is what stays.
    assert "kept exactly: everything" in shown.splitlines()[-1]
    code, shown = on_a_terminal([command, *words, "-q", "-f"])
    assert (code, shown) == (0, "")
    done = run(*words, "-f")
    assert done.stderr == ""
    assert "\r" not in done.stdout
    assert "%|" not in done.stdout
    for name in ("verify", "decompress"):
        code, shown = on_a_terminal([command, name, str(tmp_path / "a.eegz")])
        assert code == 0
        assert "ing: " in shown


def test_binary_data_are_not_written_to_a_terminal(command: str, exact_file: Path) -> None:
    code, shown = on_a_terminal([command, "decompress", str(exact_file), "-"])
    assert code == 2
    assert "redirect the output or name a file" in shown


def test_help_has_examples_and_documents_exit_codes(run: Run) -> None:
    text = run("--help").stdout
    for word in ("Examples:\n    eegzip compress night.edf", "Exit codes:\n    0  fine\n    1  ", "\n    2  wrong use"):
        assert word in text
    for name in ("compress", "decompress", "info", "verify"):
        text = run(name, "--help").stdout
        assert "Examples:\n" in text
        examples = text.split("Examples:\n")[1].splitlines()
        assert all(line.strip().startswith(f"eegzip {name}") for line in examples if line.strip())
    assert run("--version").stdout == f"eegzip {eegzip.__version__}\n"
    assert run().returncode in (0, 2)


def test_groups_of_channels(run: Run, refused: Callable[..., str], eegmat: Path, tmp_path: Path) -> None:
    """A model of groups: which channels share tokens is asked for, shown and refused."""
    source = many_channels(tmp_path / "night.edf", eegmat, NAMES[19], seconds=5)
    model, groups = save_groups(tmp_path / "model").folder, tmp_path / "groups.txt"
    groups.write_text("C3, Cz, C4\nT7, P7\n")
    done = run("compress", "-v", source, "-m", model, "--groups", groups)
    assert (done.returncode, done.stderr) == (0, "")
    assert "coded together: EEG C3-REF, EEG Cz-REF, EEG C4-REF\n" in done.stdout
    shown = run("info", tmp_path / "night.eegz").stdout.splitlines()
    start = shown.index("  groups      19 channels in 16 token streams:")
    assert [line.strip() for line in shown[start + 1 : start + 3]] == [
        "EEG T3-REF, EEG T5-REF",
        "EEG C3-REF, EEG Cz-REF, EEG C4-REF",
    ]
    assert shown[start + 3].startswith("              alone: EEG Fp1-REF, EEG Fp2-REF, EEG F7-REF")
    assert len(json.loads(run("info", "--json", tmp_path / "night.eegz").stdout)["groups"]) == 16
    done = run("decompress", tmp_path / "night.eegz", tmp_path / "back.edf", "--model", model)
    assert (done.returncode, done.stderr) == (0, "")
    for kind, streams in (("manual", 7), ("single", 19)):
        report = run("compress", "--json", "-f", source, tmp_path / "x.eegz", "-m", model, "--groups", kind).stdout
        assert len(json.loads(report)["groups"]) == streams
    assert "  groups      19 channels in 19 token streams" in run("info", tmp_path / "x.eegz").stdout.splitlines()
    groups.write_text("C3, Cz, C4\nT7, T9\n")
    command = ("compress", source, tmp_path / "no.eegz", "-m", model, "--groups")
    assert "groups.txt, line 2: the recording has no channel 'T9'" in refused(2, *command, groups, folder=tmp_path)
    assert "'manual', 'random', 'single' or a file" in refused(2, *command, "mannual", folder=tmp_path)
    sentence = refused(
        2, "compress", source, tmp_path / "no.eegz", "-m", "eegz-sc-1", "--groups", "manual", folder=tmp_path
    )
    assert "codes every channel alone (dac-sc)" in sentence


def test_without_groups_none_are_shown(run: Run, lossy_file: Path) -> None:
    assert "groups" not in run("info", lossy_file).stdout


def test_bounds_from_the_command_line(run: Run, refused: Callable[..., str], eegmat: Path, tmp_path: Path) -> None:
    target = tmp_path / "a.eegz"
    done = run("compress", eegmat, target, "--quality", "compact", "--max-error", "0.03mV", "--min-snr", "12", "-v")
    assert done.returncode == 0
    promise = (
        "PRD at most 20 %, SNR at least 12 dB of the whole and of the EEG above 0.5 Hz beside mains, "
        "no error above 30 uV"
    )
    assert f"promised {promise}: worst chunk" in done.stdout
    assert "EEG Fp1: bounded" in done.stdout
    shown = run("info", target).stdout
    assert f"promised    {promise}" in shown
    assert "chunks: 2 layer" in shown
    content = json.loads(run("info", "--json", target).stdout)
    assert content["targets"] == {"max_prd": 20.0, "min_snr": 12.0, "max_error_uv": 30.0, "measure": "eeg-1"}
    assert sum(content["signals"][0]["chunks"].values()) == 2
    assert "samples in layers" in run("verify", target).stdout
    for words in (["--max-error", "2kg"], ["--quality", "best"], ["--keep-tokens"]):
        assert refused(2, "compress", eegmat, tmp_path / "b.eegz", *words, folder=tmp_path)
