"""The closed form of the detector against the paper's Table 11 and against arithmetic."""

from analysis.reference import paper_table
from search_space.candidate import Candidate
from search_space.cost.closed_form import cost
from search_space.cost.detection import retinanet_cost
from topformer.presets import BASE, TINY

PADDED = (800, 1344)


def test_tiny_is_within_one_percent_of_the_table() -> None:
    row = next(row for row in paper_table("table_11_coco_detection") if row["backbone"] == "TopFormer-T")
    parts = retinanet_cost(TINY, *PADDED)["total"]
    assert isinstance(row["gflops"], float)
    assert isinstance(row["params_m"], float)
    assert abs(parts.macs / 1e9 / row["gflops"] - 1) < 0.005
    assert abs(parts.parameters / 1e6 / row["params_m"] - 1) < 0.01


def test_the_head_is_shared_by_all_levels() -> None:
    head = retinanet_cost(TINY, *PADDED)["head"]
    weights = 8 * 9 * 256 * 256 + 9 * 256 * 9 * 80 + 9 * 256 * 9 * 4
    places = 100 * 168 + 50 * 84 + 25 * 42 + 13 * 21 + 7 * 11
    assert head.parameters == weights + 8 * 256 + 720 + 36
    assert head.macs == weights * places


def test_the_backbone_is_the_network_without_its_head() -> None:
    whole = cost(Candidate(design=BASE, height=800, width=1344))
    parts = retinanet_cost(BASE, *PADDED)
    assert parts["backbone"].parameters == whole.parameters - whole.by_module["head"].parameters
    assert parts["backbone"].macs == whole.macs_conv_matmul - whole.by_module["head"].macs_conv_matmul


def test_parts_add_up() -> None:
    parts = dict(retinanet_cost(BASE, 480, 640, classes=3))
    total = parts.pop("total")
    assert total.parameters == sum(part.parameters for part in parts.values())
    assert total.macs == sum(part.macs for part in parts.values())
