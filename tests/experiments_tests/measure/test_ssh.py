"""Measuring over ssh, against a real sshd on 127.0.0.1."""

import getpass
import os
import shlex
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from experiments.measure.commands import MeasureError
from experiments.measure.target import Target
from experiments.measure.targets import open_target
from tests.experiments_tests.measure.conformance import Left, TargetConformance
from tests.experiments_tests.measure.examples import OPTIONS, command, placeholder_export, quick

INSTALL = "sshd is needed for this test and is not installed: apt-get install -y --no-install-recommends openssh-server"


@dataclass(frozen=True)
class Server:
    """A server of this test, and the client's configuration that reaches it."""

    address: str
    config: Path
    process: int

    def words(self, out: Path, *more: object) -> Sequence[object]:
        options = ("--on", self.address, "--ssh-config", self.config, "--runtime", "ncnn", "--python", sys.executable)
        return (*quick("nano", *options, "--out", out), *more)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    program = shutil.which("sshd", path=os.environ["PATH"] + ":/usr/sbin:/usr/local/sbin")
    if program is None:
        pytest.skip(INSTALL)
    folder = tmp_path_factory.mktemp("sshd")
    port = free_port()
    config = write_configuration(folder, port)
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # sshd insists on it when root starts it
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([program, "-D", "-e", "-f", str(folder / "sshd_config")], stderr=log)
    try:
        wait_for(port, folder / "log")
        yield Server(f"ssh://{getpass.getuser()}@127.0.0.1:{port}", config, process.pid)
    finally:
        process.terminate()
        process.wait()


@pytest.fixture
def placeholders(monkeypatch: pytest.MonkeyPatch) -> None:
    """No network runs in this test, so none is exported."""
    monkeypatch.setattr("experiments.measure.session.export", placeholder_export)


def write_configuration(folder: Path, port: int) -> Path:
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True)
    host = " ".join((folder / "host.pub").read_text().split()[:2])
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {host}\n")
    (folder / "sshd_config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nAuthorizedKeysFile {folder}/user.pub\n"
        "PidFile none\nStrictModes no\nUsePAM no\nPermitRootLogin yes\nPasswordAuthentication no\n"
        "Subsystem sftp internal-sftp\n"
    )
    config = folder / "ssh_config"
    config.write_text(f"IdentityFile {folder}/user\nIdentitiesOnly yes\nUserKnownHostsFile {folder}/known_hosts\n")
    return config


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for(port: int, log: Path) -> None:
    for _ in range(100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    pytest.fail(f"sshd did not start: {log.read_text()}")


def program(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "python"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder on the device, of a name that no other test has."""
    name = f"{os.getpid()}-{tmp_path.name}"
    monkeypatch.setattr("secrets.token_hex", lambda count: name)
    return Path("/tmp") / f"topformer-{name}"


class TestSsh(TargetConformance):
    """A machine with a server of ssh."""

    @pytest.fixture
    def target(self, server: Server, place: Path) -> Target:  # the folder gets its name first
        return open_target(server.address, replace(OPTIONS, ssh_config=server.config, python=sys.executable))

    @pytest.fixture
    def left(self, place: Path) -> Left:
        return lambda: [place] if place.exists() else []


def test_a_dry_run_prints_what_reaches_the_device(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command("measure", *server.words(tmp_path / "rows.csv", "--dry-run"))
    commands = [shlex.split(line) for line in capsys.readouterr().out.splitlines()[1:]]
    assert [words[0] for words in commands] == ["ssh", "scp", "ssh", "ssh"]
    assert all("BatchMode=yes" in words and "ConnectTimeout=10" in words for words in commands)
    assert sum(word.startswith("FOLDER/") for word in commands[1]) == 6  # script, job, two files of two networks


@pytest.mark.usefixtures("placeholders")
def test_a_device_without_the_interpreter_is_named(server: Server, tmp_path: Path) -> None:
    with pytest.raises(MeasureError, match=r"measuring failed with status 127: .*no-such-python"):
        command("measure", *server.words(tmp_path / "rows.csv", "--python", "/no-such-python"))


@pytest.mark.usefixtures("placeholders")
def test_a_device_that_disappears_is_named(server: Server, tmp_path: Path) -> None:
    # The session is the parent or, behind a shell, the parent's parent; the server itself must live on.
    session = (
        f"above=$(ps -o ppid= -p $PPID); kill -9 $PPID; [ $above -eq {server.process} ] || kill -9 $above; sleep 5"
    )
    python = program(tmp_path, session)
    with pytest.raises(MeasureError, match=r"127\.0\.0\.1:\d+: measuring failed with status 255"):
        command("measure", *server.words(tmp_path / "rows.csv", "--python", python))


@pytest.mark.usefixtures("placeholders")
def test_a_device_that_hangs_is_given_up(server: Server, tmp_path: Path, place: Path) -> None:
    python = program(tmp_path, "exec sleep 20")
    with pytest.raises(MeasureError, match="no answer within 1 seconds while measuring; it hangs or is gone"):
        command("measure", *server.words(tmp_path / "rows.csv", "--python", python, "--timeout", 1))
    assert not place.exists()


@pytest.mark.usefixtures("placeholders")
def test_a_device_that_prints_something_else_is_named(server: Server, tmp_path: Path) -> None:
    python = program(tmp_path, "echo segmentation fault")
    with pytest.raises(MeasureError, match="expected one line of JSON, got 'segmentation fault'"):
        command("measure", *server.words(tmp_path / "rows.csv", "--python", python))


@pytest.mark.usefixtures("placeholders")
def test_a_refused_key_is_named(server: Server, tmp_path: Path) -> None:
    known = server.config.with_name("known_hosts")
    config = tmp_path / "config"
    config.write_text(f"IdentityFile none\nIdentitiesOnly yes\nUserKnownHostsFile {known}\n")
    with pytest.raises(MeasureError, match=r"copying to it failed with status 255: .*Permission denied"):
        command("measure", *server.words(tmp_path / "rows.csv", "--ssh-config", config))


@pytest.mark.usefixtures("placeholders")
def test_a_device_that_is_not_there_is_named(server: Server, tmp_path: Path) -> None:
    address = f"ssh://127.0.0.1:{free_port()}"
    with pytest.raises(MeasureError, match=r"copying to it failed with status 255: .*Connection refused"):
        command("measure", *server.words(tmp_path / "rows.csv", "--on", address))


@pytest.mark.usefixtures("placeholders")
def test_a_full_device_is_named(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scp = program(tmp_path, "echo 'dest open: No space left on device' >&2; echo 'lost connection' >&2; exit 1")
    scp.rename(tmp_path / "scp")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(MeasureError, match="copying to it failed with status 1: dest open: No space left on device"):
        command("measure", *server.words(tmp_path / "rows.csv"))
    assert not (tmp_path / "rows.csv").exists()
