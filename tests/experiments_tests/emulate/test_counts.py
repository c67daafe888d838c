"""Counts under emulation: what the plugin writes, differences, files, rates, the preparation, and one real count."""

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from experiments.cli import main
from experiments.emulate import setup
from experiments.emulate.counts import COLUMNS, CountRow, Counts, append, difference, read, read_counts, render
from experiments.emulate.fit import fit, load
from experiments.emulate.folder import DEFAULT, steps
from experiments.emulate.setup import EmulationError, check_ready, prepare
from topformer.codec import to_json
from topformer.errors import InputError
from topformer.presets import preset

SHIPPED = Path(setup.__file__).with_name("counts.csv")

ONE = Counts(fma=10, neon=20, loads=30, stores=40, branches=50, other=60, loaded_bytes=70, stored_bytes=80)
TWO = Counts(fma=14, neon=21, loads=32, stores=44, branches=50, other=66, loaded_bytes=90, stored_bytes=88)
WRITTEN = "fma 10\nneon 20\nloads 30\nstores 40\nbranches 50\nother 60\nloaded_bytes 70\nstored_bytes 80\n"


def row(network: str = "tiny", size: int = 512, counts: Counts = ONE) -> CountRow:
    return CountRow(
        network=network,
        design=json.dumps(to_json(preset(network))),
        height=size,
        width=size,
        runtime="ncnn 1 fp32",
        emulator="qemu-user 7.2.22",
        cpu="cortex-a76",
        model_sha256="0" * 64,
        counts=counts,
    )


def test_what_the_plugin_writes_is_read() -> None:
    assert read_counts(WRITTEN) == ONE


@pytest.mark.parametrize("text", ["", "fma 10\n", WRITTEN + "more 1\n", WRITTEN.replace("80", "-1")])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(EmulationError, match="the plugin must write fma, neon"):
        read_counts(text)


def test_all_kinds_together_are_all_instructions() -> None:
    assert ONE.instructions == 10 + 20 + 30 + 40 + 50 + 60


def test_a_forward_is_what_a_longer_run_executes_more_per_forward() -> None:
    expected = Counts(fma=2, neon=0.5, loads=1, stores=2, branches=0, other=3, loaded_bytes=10, stored_bytes=4)
    assert difference(ONE, TWO, 2) == expected


def test_a_longer_run_that_executes_less_is_refused() -> None:
    with pytest.raises(EmulationError, match="2 forwards executed 210 instructions and one 227"):
        difference(TWO, ONE, 1)


def test_a_table_says_that_it_is_no_time() -> None:
    text = render([row(counts=replace(ONE, fma=128_328_032))])
    assert text.startswith("millions per forward up to the logits: instructions, not time")
    assert "128.3" in text


def test_rows_come_back_as_they_were_written(tmp_path: Path) -> None:
    path = tmp_path / "counts.csv"
    rows = (row(), row("base", 384))
    for item in rows:
        append(path, item)
    assert tuple(read(path)) == rows


@pytest.mark.parametrize(("old", "new"), [("512", "big"), ("70", "inf"), ("80", "-3")])
def test_a_row_with_an_impossible_value_is_named_by_its_line(tmp_path: Path, old: str, new: str) -> None:
    path = tmp_path / "counts.csv"
    append(path, row())
    path.write_text(path.read_text().replace(f",{old}", f",{new}"))
    with pytest.raises(InputError, match=r"counts\.csv, line 2"):
        tuple(read(path))


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("device,median_ms\n")
    with pytest.raises(InputError, match="must have the columns network"):
        append(path, row())
    assert path.read_text() == "device,median_ms\n"


def made(network: str, size: int, rates: tuple[float, float, float]) -> CountRow:
    """A row whose instructions are exactly what the rates say."""
    plain = row(network, size)
    millions = sum(rate * amount for rate, amount in zip(rates, load(plain), strict=True))
    return replace(plain, counts=replace(ONE, fma=1e6 * millions - (ONE.instructions - ONE.fma)))


def test_a_fit_finds_the_rates_that_made_the_counts() -> None:
    rates = (250.0, 650.0, 220.0)
    sizes = [("tiny", 448), ("tiny", 512), ("small", 512), ("base", 512), ("nano", 256)]
    found = fit([made(name, size, rates) for name, size in sizes])
    assert found.rates == pytest.approx(rates, rel=1e-6)
    assert max(map(abs, found.left_out)) < 1e-6


def test_depthwise_and_dense_work_of_tiny_add_up_to_its_macs() -> None:
    # 534,110,208 MACs of convolutions and matrix products; Tiny has no convolution that Winograd shortens.
    dense, depthwise, _ = load(row())
    assert dense + depthwise == pytest.approx(0.534110208, abs=1e-9)
    assert 0.02 < depthwise < 0.15 * (dense + depthwise)


def test_three_networks_are_too_few() -> None:
    with pytest.raises(InputError, match="at least 4 networks, got 3"):
        fit([row(), row("small"), row("base")])


def test_the_shipped_counts_have_the_products_of_the_networks() -> None:
    # An FMLA on four lanes makes four products; a few are made by other instructions.
    shipped = {(item.network, item.height, item.width): item.counts for item in read(SHIPPED)}
    assert 4 * shipped["tiny", 512, 512].fma == pytest.approx(534e6, rel=0.05)
    assert 4 * shipped["base", 512, 512].fma == pytest.approx(1752e6, rel=0.05)


def test_a_dry_run_prints_what_setup_would_do_and_does_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "arm"
    assert main(["emulate", "setup", "--dry-run", "--folder", str(folder)]) == 0
    printed = capsys.readouterr().out
    assert "--download-only qemu-user:amd64 python3.11:arm64" in printed
    assert "manylinux_2_28_aarch64" in printed
    assert "gcc" in printed
    assert "sudo" not in printed
    assert not folder.exists()


def test_a_dry_run_is_a_script_that_a_shell_takes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["emulate", "setup", "--dry-run", "--folder", str(tmp_path)])
    subprocess.run(["sh", "-n"], input=capsys.readouterr().out, text=True, check=True)


def test_a_dry_run_of_a_count_differs_by_the_forwards(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["emulate", "tiny", "--forwards", "2", "--size", "64x96", "--dry-run", "--folder", str(tmp_path)]
    assert main(words) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.endswith("NETWORK.param 64 96 1")
    assert second.endswith("NETWORK.param 64 96 3")
    assert "-cpu cortex-a76 -plugin" in first


def test_a_folder_that_is_not_ready_says_how_to_prepare_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["emulate", "tiny", "--folder", str(tmp_path)]) == 1
    error = capsys.readouterr().err
    assert "missing: lists, packages, unpack, wheels, python, plugin" in error
    assert f"topformer emulate setup --folder {tmp_path}" in error


def test_a_missing_program_is_named_with_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("experiments.emulate.setup.shutil.which", lambda name: None)
    with pytest.raises(EmulationError, match="apt-get is needed and is not here; install apt, so a Debian or Ubuntu"):
        next(prepare(tmp_path))


def test_another_machine_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("experiments.emulate.setup.platform.machine", lambda: "riscv64")
    with pytest.raises(EmulationError, match=r"needs Linux on x86_64 with apt, .* on riscv64"):
        check_ready(tmp_path)


def test_a_network_that_is_gone_is_named(tmp_path: Path) -> None:
    script = "echo 'E: Failed to fetch http://deb.debian.org  Temporary failure resolving' >&2; exit 100"
    with pytest.raises(EmulationError, match=r"status 100: E: Failed to fetch .*is the network there"):
        setup.carry_out(("sh", "-c", script), tmp_path, "step lists", 10)


def test_what_is_done_is_not_done_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[tuple[str, ...]] = []
    monkeypatch.setattr(setup, "carry_out", lambda argv, *_: ran.append(argv))
    for step in steps(tmp_path):
        (tmp_path / step.result).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / step.result).touch()
    monkeypatch.setattr("experiments.emulate.setup.shutil.which", lambda name: name)
    assert all(due for _, due in prepare(tmp_path))
    first = len(ran)
    assert not any(due for _, due in prepare(tmp_path))
    assert len(ran) == first


@pytest.mark.parametrize("name", ["a b", "a,b", "a:b"])
def test_a_folder_that_qemu_would_misread_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    assert main(["emulate", "setup", "--dry-run", "--folder", str(tmp_path / name)]) == 2
    assert "no comma, colon" in capsys.readouterr().err


def test_setup_stands_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["emulate", "setup", "tiny"]) == 2
    assert "setup must stand alone" in capsys.readouterr().err


@pytest.mark.slow
def test_a_real_count_is_the_same_twice(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    try:
        check_ready(DEFAULT.expanduser())
    except EmulationError as error:
        pytest.skip(str(error))
    found = []
    for name in ("a.csv", "b.csv"):
        assert main(["emulate", "nano", "--size", "128", "--out", str(tmp_path / name), "--json"]) == 0
        found.append(json.loads(capsys.readouterr().out)[0])
    # Nano computes 4 products per FMLA; the rest of the program is not counted.
    assert found[0]["fma"] == found[1]["fma"] > 0
    assert found[0]["instructions"] == pytest.approx(found[1]["instructions"], rel=0.05)
    header = (tmp_path / "a.csv").read_text().splitlines()[0]
    assert header == ",".join(COLUMNS)
