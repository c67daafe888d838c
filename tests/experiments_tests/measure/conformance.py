"""What every way to a device keeps, as tests; a class of tests for each way inherits them and gives the fixtures."""

import argparse
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from experiments.cli import measure
from experiments.measure.commands import MeasureError
from experiments.measure.session import Session
from experiments.measure.target import RUNTIMES, Target
from experiments.measure.targets import TARGETS
from search_space.candidate import Candidate
from tests.experiments_tests.measure.examples import OPTIONS
from topformer.codec import fingerprint
from topformer.deployment.boundary import Boundary
from topformer.errors import InputError
from topformer.presets import NANO, TINY

FOLDER = Path("FOLDER")
Left = Callable[[], list[Path]]


class TargetConformance:
    """Tests of one way to a device."""

    @pytest.fixture
    def target(self) -> Target:
        """The way, opened by its address, to something that can measure ncnn networks."""
        raise NotImplementedError

    @pytest.fixture
    def left(self) -> Left:
        """What lies on the device now of that which measurements bring there."""
        raise NotImplementedError

    def session(self, target: Target, runtime: str = "ncnn") -> Session:
        return Session(
            target,
            runtime=runtime,
            boundary=Boundary.LOGITS,
            protocol=OPTIONS.protocol,
            reference=("tiny", TINY),
        )

    def test_the_table_has_it_under_the_scheme_of_its_address(self, target: Target) -> None:
        scheme = target.name.partition(":")[0]
        assert TARGETS[scheme] is type(target)
        assert target.form.startswith(scheme)

    def test_help_shows_how_its_address_reads(self, target: Target) -> None:
        parser = argparse.ArgumentParser()
        measure.add_arguments(parser)
        assert target.form in " ".join(parser.format_help().split())

    def test_it_offers_engines_that_are_known_and_refuses_others(self, target: Target) -> None:
        assert set(target.runtimes) <= set(RUNTIMES)
        assert "ncnn" in target.runtimes
        with pytest.raises(InputError, match=f"runtime on {re.escape(target.name)} must be one of .*got 'abacus'"):
            self.session(target, "abacus")

    def test_what_is_brought_to_the_device_is_taken_away(self, target: Target) -> None:
        assert all(program.is_file() for program in target.programs)
        commands = target.commands(FOLDER, ["job.json", "candidate.param"])
        assert bool(commands.prepare) == bool(commands.clean)
        brought = {word for argv in commands.prepare for word in argv if word.startswith("FOLDER/")}
        assert brought == ({"FOLDER/job.json", "FOLDER/candidate.param"} if commands.prepare else set())

    def test_the_same_files_give_the_same_commands(self, target: Target) -> None:
        assert target.commands(FOLDER, ["job.json"]) == target.commands(FOLDER, ["job.json"])

    def test_a_session_makes_a_row_and_leaves_nothing_behind(self, target: Target, left: Left) -> None:
        candidate = Candidate(design=NANO, height=OPTIONS.height, width=OPTIONS.width)
        (measurement,) = self.session(target).measure([candidate])
        row = measurement.row
        assert (row.fingerprint, row.height, row.width, row.runtime) == (fingerprint(NANO), 64, 96, "ncnn")
        assert 0 < row.min_ms <= row.median_ms <= row.p90_ms
        assert row.ratio == pytest.approx(row.median_ms / row.reference_ms)
        assert row.runs == OPTIONS.protocol.runs
        assert f"measure on {target.name}" in row.source
        assert all([row.device, row.core, row.abi, row.precision])
        assert left() == []

    @pytest.mark.parametrize("output", ["", "Segmentation fault", '{"samples_ms": {}}', "[" * 10_000])
    def test_output_that_is_no_reply_is_an_error_with_its_name(self, target: Target, output: str) -> None:
        with pytest.raises(MeasureError, match=re.escape(target.name)):
            target.reply(output)
