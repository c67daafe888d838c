"""From a run folder to the files of its Pareto front."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from analysis.records.record import Metric, State
from analysis.reports.run_report import anchor_names, pareto_plot, read_run, write_pareto
from tests.analysis_tests.examples import FIDELITY, LATENCY, MIOU, record, run_folder
from topformer import codec
from topformer.errors import InputError, RecordError, StudyError
from topformer.presets import NANO, TINY, dense_head

RECORDS = [record(0, 50, 4), record(1, 60, 5), record(2, None, 9.0), record(3, 1, state=State.FAILED, reason="nan")]


def test_four_files_are_written(tmp_path: Path) -> None:
    files = write_pareto(run_folder(tmp_path / "run", RECORDS))
    assert [path.name for path in files] == ["pareto.csv", "pareto.png", "pareto.svg", "pareto.md"]
    assert all(path.parent == tmp_path / "run" and path.stat().st_size > 100 for path in files)


def test_files_go_where_they_are_asked_for(tmp_path: Path) -> None:
    files = write_pareto(run_folder(tmp_path / "run", RECORDS), tmp_path / "new" / "figures")
    assert {path.parent for path in files} == {tmp_path / "new" / "figures"}
    assert not (tmp_path / "run" / "pareto.png").exists()


@pytest.mark.parametrize("name", ["pareto.csv", "pareto.png", "pareto.svg", "pareto.md"])
def test_no_other_file_is_written_over(name: str, tmp_path: Path) -> None:
    folder = run_folder(tmp_path / "run", RECORDS)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / name).write_text("mine")
    with pytest.raises(InputError, match=f"{name} is there already and no file of topformer pareto"):
        write_pareto(folder, tmp_path / "mine")
    assert [path.name for path in (tmp_path / "mine").iterdir()] == [name]
    for _ in range(2):
        write_pareto(folder, tmp_path / "again")


def test_the_caption_says_what_was_spent(tmp_path: Path) -> None:
    folder = run_folder(tmp_path, RECORDS)
    (folder / "screened.csv").write_text(
        "fingerprint,latency_ms,macs,parameters,verdict\n" + "a,4.5,100,10,kept\n" * 2500
    )
    plot = pareto_plot(read_run(folder))
    assert plot.caption[0] == (
        "2 trained, 1 pruned before training, 1 failed, 2,500 screened by cost; "
        "seed 3; budget 1,200 iterations per trial."
    )
    assert plot.considered == (4.5,) * 2500
    assert plot.pruned == (9.0,)
    assert plot.limit == 6.0
    assert plot.title == "Pareto front of nano: designs of mobile around nano"


def test_a_result_on_tokenworld_is_never_compared_with_ade20k(tmp_path: Path) -> None:
    plot = pareto_plot(read_run(run_folder(tmp_path, RECORDS)))
    assert plot.published == ()
    assert plot.caption[-1] == "miou@tokenworld-128 is not comparable with published mIoU on ADE20K."


def test_a_result_on_ade20k_stands_beside_the_published_ones(tmp_path: Path) -> None:
    metrics = {"miou@ade20k": Metric(value=33.0, source="trained"), LATENCY: Metric(value=44.0, source="predicted")}
    objectives = [
        {"metric": "miou@ade20k", "direction": "maximize"},
        {"metric": LATENCY, "direction": "minimize"},
    ]
    plot = pareto_plot(read_run(run_folder(tmp_path, [record(metrics=metrics)], objectives=objectives)))
    assert "TopFormer-T" in {point.name for point in plot.published}
    assert "Published points" in plot.caption[-1]


def test_an_accuracy_that_was_not_trained_is_not_called_trained(tmp_path: Path) -> None:
    metrics = {**record().metrics, MIOU: Metric(value=50.0, source="supernet")}
    plot = pareto_plot(read_run(run_folder(tmp_path, [record(metrics=metrics)])))
    assert plot.caption[0].startswith("1 evaluated, ")


def test_a_running_study_with_a_torn_line_can_be_drawn(tmp_path: Path) -> None:
    folder = run_folder(tmp_path, RECORDS)
    with (folder / "records.jsonl").open("a") as file:
        file.write('{"schema":1,')
    assert "The last record is unfinished and left out." in pareto_plot(read_run(folder)).caption


def test_presets_are_recognised_whatever_their_classes() -> None:
    designs = (NANO, replace(TINY, num_classes=11), dense_head(TINY), replace(NANO, width=64))
    records = [record(t, origin="anchor", design=codec.to_json(one)) for t, one in enumerate(designs)]
    assert list(anchor_names(records).values()) == ["nano", "tiny", "tiny-dense", "anchor"]
    assert anchor_names([record(design=codec.to_json(NANO))]) == {}


def test_no_complete_trial_says_what_there_is(tmp_path: Path) -> None:
    folder = run_folder(tmp_path, RECORDS[2:])
    with pytest.raises(RecordError, match=r"no complete trial with miou@.* and latency.*\(1 pruned, 1 failed\)"):
        write_pareto(folder)
    assert not (folder / "pareto.csv").exists()


def test_no_record_at_all_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=r"no record in .*records\.jsonl"):
        write_pareto(run_folder(tmp_path, []))


def test_a_folder_that_is_no_run_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"no study\.json in .*: it must be the run folder of a study"):
        write_pareto(tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schema": 2}, "schema is 1"),
        ({"name": 3}, "name must be a string, got 3"),
        ({"objectives": {}}, "objectives must be a list"),
        ({"objectives": [{"metric": MIOU, "direction": "up"}]}, "must be minimize or maximize, got 'up'"),
        ({"objectives": ["macs"]}, "an objective must have a metric and a direction, got 'macs'"),
        ({"objectives": [{"metric": MIOU, "direction": "maximize"}]}, "at least two objectives"),
        ({"objectives": []}, "at least one objective"),
        ({"limits": [1]}, "limits must be an object"),
    ],
)
def test_a_wrong_study_is_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(StudyError, match=message):
        write_pareto(run_folder(tmp_path, RECORDS, **changes))


def test_a_study_that_is_no_json_is_refused(tmp_path: Path) -> None:
    (run_folder(tmp_path, RECORDS) / "study.json").write_text("{")
    with pytest.raises(StudyError, match=r"study\.json is not JSON"):
        write_pareto(tmp_path)


def test_records_of_two_fidelities_are_not_drawn_together(tmp_path: Path) -> None:
    short = record(4, 55, 6, fidelity=replace(FIDELITY, budget=300))
    with pytest.raises(StudyError, match=r"a Pareto front needs accuracies of one fidelity, got 2: .*300 iterations"):
        write_pareto(run_folder(tmp_path, [*RECORDS, short]))


def test_a_foreign_record_is_refused(tmp_path: Path) -> None:
    folder = run_folder(tmp_path, [*RECORDS, record(4, study="other")])
    with pytest.raises(RecordError, match=r"records\.jsonl, line 5: the record is of study other"):
        write_pareto(folder)


def test_a_broken_list_of_screened_designs_is_refused(tmp_path: Path) -> None:
    (run_folder(tmp_path, RECORDS) / "screened.csv").write_text("fingerprint,latency_ms,verdict\na,fast,kept\n")
    with pytest.raises(RecordError, match=r"screened.csv: a row .*'fast'"):
        write_pareto(tmp_path)


def test_drawing_needs_neither_torch_nor_pyplot(tmp_path: Path) -> None:
    folder = run_folder(tmp_path, RECORDS)
    heavy = ("torch", "optuna", "scipy", "matplotlib.pyplot", "mmengine", "fvcore")
    code = (
        "import json, sys\nfrom pathlib import Path\nfrom analysis.reports.run_report import write_pareto\n"
        f"write_pareto(Path({str(folder)!r}))\nprint(json.dumps([name for name in {heavy} if name in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []
