"""The stand-in for mmcv's compiled operations."""

import pytest
import torch

from topformer.errors import UnknownOperator
from topformer.mmcv_ops import NAME, StandIn, nms, overlaps


def greedy(boxes: list[list[float]], scores: list[float], threshold: float) -> list[int]:
    """The definition, box by box."""

    def iou(a: list[float], b: list[float]) -> float:
        width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
        height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
        areas = [(c[2] - c[0]) * (c[3] - c[1]) for c in (a, b)]
        return width * height / (sum(areas) - width * height)

    staying: list[int] = []
    for number in sorted(range(len(boxes)), key=lambda i: -scores[i]):
        if all(iou(boxes[number], boxes[other]) <= threshold for other in staying):
            staying.append(number)
    return staying


@pytest.mark.parametrize("threshold", [0.2, 0.5, 0.7])
def test_nms_is_greedy_suppression(threshold: float) -> None:
    generator = torch.Generator().manual_seed(0)
    corners = torch.rand(200, 2, generator=generator, dtype=torch.float64) * 60
    boxes = torch.cat([corners, corners + 5 + torch.rand(200, 2, generator=generator, dtype=torch.float64) * 40], dim=1)
    scores = torch.rand(200, generator=generator, dtype=torch.float64)
    staying = nms(boxes, scores, iou_threshold=threshold).tolist()
    assert staying == greedy(boxes.tolist(), scores.tolist(), threshold)
    assert 5 < len(staying) < len(boxes)


def test_overlap_by_hand() -> None:
    boxes = torch.tensor([[0.0, 0, 9, 9], [5, 0, 14, 9], [20, 20, 29, 29]])
    assert overlaps(boxes)[0].tolist() == pytest.approx([1, 36 / (81 + 81 - 36), 0])
    # Coordinates of pixels: every side is one longer.
    assert overlaps(boxes, 1)[0].tolist() == pytest.approx([1, 50 / 150, 0])


def test_no_box_stays_of_none() -> None:
    assert nms(torch.empty(0, 4), torch.empty(0), iou_threshold=0.5).shape == (0,)


def test_any_other_operation_says_what_it_needs() -> None:
    with pytest.raises(UnknownOperator, match="'roi_align_forward' needs mmcv built from source"):
        StandIn(NAME).roi_align_forward(torch.empty(1))
