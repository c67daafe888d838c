"""Scores of a confusion matrix, against arithmetic and against mmsegmentation's own."""

import math

import numpy as np
import pytest
import torch

from experiments.training.scores import as_json, confusion, group_means, scores
from topformer.errors import EvaluationError
from topformer.mmseg import quiet


def test_scores_follow_their_definitions() -> None:
    found = scores(np.array([[6, 2], [1, 3]]))
    assert found.per_class == pytest.approx((100 * 6 / 9, 100 * 3 / 6))
    assert found.miou == pytest.approx((100 * 6 / 9 + 50) / 2)
    assert found.aacc == pytest.approx(100 * 9 / 12)
    assert found.macc == pytest.approx((100 * 6 / 8 + 100 * 3 / 4) / 2)


def test_rows_are_true_classes_and_ignored_pixels_count_nowhere() -> None:
    labels = np.array([[0, 0, 2], [255, 1, 255]], np.uint8)
    predicted = np.array([[0, 1, 2], [2, 1, 0]])
    assert confusion(labels, predicted, 3).tolist() == [[1, 1, 0], [0, 1, 0], [0, 0, 1]]


def test_a_class_without_labels_and_predictions_is_left_out_of_the_mean() -> None:
    found = scores(np.array([[4, 0, 0], [0, 4, 0], [0, 0, 0]]))
    assert found.miou == found.macc == 100
    assert math.isnan(found.per_class[2])


def test_a_class_that_is_only_predicted_counts_as_wrong() -> None:
    found = scores(np.array([[3, 1], [0, 0]]))
    assert found.per_class == (75, 0)
    assert found.macc == 75


def test_no_labelled_pixel_gives_no_score() -> None:
    assert math.isnan(scores(np.zeros((3, 3), np.int64)).miou)


def test_groups_average_the_classes_that_have_an_iou() -> None:
    groups = {"both": ("a", "b"), "one": ("b", "absent"), "none": ("absent",)}
    assert group_means({"a": 10.0, "b": 30.0}, groups) == {"both": 20.0, "one": 30.0}


def test_scores_are_those_of_mmsegmentation() -> None:
    with quiet():
        from mmseg.evaluation import IoUMetric

    random = np.random.default_rng(5)
    labels = random.integers(0, 6, (40, 50)).astype(np.uint8)
    labels[:3], labels[5] = 255, 254
    labels[labels == 254] = 255
    predicted = np.where(random.random(labels.shape) < 0.6, labels, random.integers(0, 5, labels.shape)) % 7
    areas = IoUMetric.intersect_and_union(torch.from_numpy(predicted), torch.from_numpy(labels), 8, 255)
    theirs = IoUMetric.total_area_to_metrics(*areas)
    ours = scores(confusion(labels, predicted, 8))
    np.testing.assert_allclose(ours.per_class, 100 * theirs["IoU"], rtol=1e-6)
    assert math.isnan(ours.per_class[7])
    assert ours.miou == pytest.approx(100 * np.nanmean(theirs["IoU"]))
    assert ours.macc == pytest.approx(100 * np.nanmean(theirs["Acc"]))
    assert ours.aacc == pytest.approx(100 * theirs["aAcc"])


def test_a_split_without_labels_has_no_score() -> None:
    with pytest.raises(EvaluationError, match="no pixel of the split is labelled"):
        as_json(scores(np.zeros((2, 2), np.int64)), ("one", "other"))


@pytest.mark.parametrize(
    ("labels", "predicted", "said"),
    [
        ([0, 7], [0, 0], "labels must be class numbers from 0 to 2, got 0 to 7"),
        ([0, -1], [0, 0], "labels must be class numbers from 0 to 2, got -1 to 0"),
        ([0, 1], [0, 7], "predictions must be class numbers from 0 to 2, got 0 to 7"),
        ([0, 1], [0, -1], "predictions must be class numbers from 0 to 2, got -1 to 0"),
        ([0, 1], [0, 255], "predictions must be class numbers from 0 to 2, got 0 to 255"),
        ([0, 1], [0.2, 0.9], "predictions must be class numbers, got float64"),
        ([0, 1], [[0, 1]], r"must have one shape, got \(2,\) and \(1, 2\)"),
    ],
)
def test_a_number_of_no_class_is_not_counted_as_another_ones(labels: object, predicted: object, said: str) -> None:
    with pytest.raises(EvaluationError, match=said):
        confusion(np.array(labels), np.array(predicted), 3)


def test_what_is_predicted_where_nothing_is_labelled_does_not_matter() -> None:
    assert confusion(np.array([255, 1]), np.array([99, 1]), 3).sum() == 1
