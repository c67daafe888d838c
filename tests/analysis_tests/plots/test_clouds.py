"""What lower rungs said, below a front."""

from matplotlib.figure import Figure

from analysis.plots.clouds import clouds, draw_clouds
from analysis.records.fidelity import Fidelity
from analysis.records.record import Metric
from analysis.results.pareto import Objective
from tests.analysis_tests.examples import LATENCY, MIOU, record

X, Y = Objective(LATENCY, "min"), Objective(MIOU, "max")
SUPERNET = Fidelity(evaluator="supernet:1", data="", size="128x128", budget=0)


def test_only_what_has_the_unit_of_the_axis_is_drawn_and_each_rung_has_its_name() -> None:
    cheap = {LATENCY: Metric(value=2.0, source="predicted"), "miou@supernet-x": Metric(value=40.0, source="supernet")}
    proxy = {LATENCY: Metric(value=2.0, source="predicted"), "zico@x": Metric(value=7.0, source="proxy")}
    short = Fidelity(evaluator="lean:1", data="", size="128x128", budget=600)
    records = [record(0, metrics=cheap, fidelity=SUPERNET), record(1, metrics=proxy), record(2, 30, fidelity=short)]
    found = clouds(records, X, Y)
    assert [one.label for one in found] == ["not confirmed: supernet", "not confirmed: trained at 600 iterations"]
    assert found[0].points == ((2.0, 40.0),)
    ax = Figure().add_subplot()
    draw_clouds(found, ax, X, Y)
    assert [marks.get_label() for marks in ax.collections] == [
        "not confirmed: supernet (1)",
        "not confirmed: trained at 600 iterations (1)",
    ]
