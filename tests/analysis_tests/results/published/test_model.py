"""The model of published accuracies: its arithmetic, its support, and what it refuses."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from analysis.results.published.anchors import anchors
from analysis.results.published.factors import difference
from analysis.results.published.model import (
    CHANGE_SD,
    RUN_SD,
    PublishedModel,
    Support,
    coefficients,
    features,
    published_model,
)
from search_space.candidate import Candidate
from search_space.spaces.space import space
from topformer.design import Design, Extractor, Head, Injection
from topformer.errors import EvaluationError, StudyError
from topformer.presets import BASE, SMALL, TINY, dense_head


def at(design: Design, side: int = 512) -> Candidate:
    return Candidate(design=design, height=side, width=side)


def test_one_point_moves_the_level_by_the_weight_of_its_noise() -> None:
    (point,) = [one for one in anchors() if (one.model, one.source, one.dataset) == ("small", "paper", "ade20k")]
    model = PublishedModel.fit([point], [])
    # Prior 35 +- 10 and one observation +- 0.42 of the level alone: precision 1 / 100 and 1 / 0.42^2.
    weight = (1 / RUN_SD**2) / (1 / RUN_SD**2 + 1 / 100)
    assert model.mean[0] == pytest.approx(35 + weight * (point.miou - 35))
    assert model.covariance[0, 0] == pytest.approx(1 / (1 / RUN_SD**2 + 1 / 100))
    assert model.predict([at(SMALL)]).sd[0] ** 2 == pytest.approx(model.covariance[0, 0] + RUN_SD**2)


def test_without_any_point_the_prior_speaks() -> None:
    model = PublishedModel.fit([], [])
    assert model.mean == pytest.approx([mean for _, mean, _ in coefficients()])
    assert np.sqrt(np.diag(model.covariance)) == pytest.approx([sd for *_, sd in coefficients()])


def test_a_row_of_features_has_a_column_for_every_coefficient() -> None:
    row = features("coco-stuff-10k", difference(BASE), 512, 32, "release")
    used = {name: value for (name, *_), value in zip(coefficients(), row, strict=True) if value}
    size = difference(BASE).size
    assert used == {
        "level": 1, "size": size, "batch": 1, "release": 1, "level of coco-stuff-10k": 1, "size on coco-stuff-10k": size
    }  # fmt: skip


def test_what_was_published_is_predicted_within_its_interval() -> None:
    model = published_model()
    for one in anchors():
        found = model.predict([at(one.design, one.side)], dataset=one.dataset, batch=one.batch, source=one.source)
        assert abs(found.mean[0] - one.miou) < 1.96 * found.sd[0]


@pytest.mark.parametrize(
    ("candidate", "support"),
    [
        (at(SMALL), Support.PUBLISHED),
        (at(dense_head(TINY), 448), Support.PUBLISHED),
        (at(replace(TINY, num_classes=11)), Support.PUBLISHED),
        (at(replace(BASE, head=Head.CONCAT)), Support.PUBLISHED),
        (at(BASE, 448), Support.INTERPOLATED),
        (at(TINY, 480), Support.INTERPOLATED),
        (at(replace(SMALL, head=Head.CONCAT)), Support.ONE_FACTOR),
        (at(replace(SMALL, injected=(4, 32))), Support.ONE_FACTOR),
        (at(replace(SMALL, injected=(4, 32), width=64)), Support.EXTRAPOLATED),
        (at(SMALL, 576), Support.EXTRAPOLATED),
    ],
)
def test_support_says_what_a_prediction_stands_on(candidate: Candidate, support: Support) -> None:
    assert published_model().predict([candidate]).support == (support,)


def test_doubt_grows_with_every_change() -> None:
    changed = [SMALL, replace(SMALL, width=96), replace(SMALL, width=96, pool_stride=128)]
    doubts = published_model().predict([at(one) for one in changed]).sd
    assert doubts[0] < doubts[1] < doubts[2]
    assert doubts[1] ** 2 > RUN_SD**2 + CHANGE_SD**2


@pytest.mark.parametrize(
    ("candidate", "message"),
    [
        (at(replace(SMALL, extractor=Extractor.PPM)), "of extractor 'ppm' no number; known are transformer, ffn, none"),
        (at(replace(SMALL, injection=Injection.GATE)), r"of injection 'gate' no number; known are gate\+sum, sum"),
        (at(SMALL, 256), "images of 448 to 512 px, and 256 is too far from them"),
        (replace(at(SMALL), width=448), "only square images, and this one is 512 x 448 px"),
        (
            at(replace(BASE, rows=tuple(replace(row, channels=3 * row.channels) for row in BASE.rows))),
            "pyramids from Tiny to Base, and this one has .* times the MACs of Small",
        ),
    ],
)
def test_a_design_far_from_everything_published_is_refused(candidate: Candidate, message: str) -> None:
    with pytest.raises(EvaluationError, match=f"nothing near this design was published on ade20k: .*{message}"):
        published_model().predict([candidate])


def test_a_training_of_which_nothing_was_published_is_refused() -> None:
    with pytest.raises(StudyError, match="unknown data set with published TopFormers 'cityscapes'"):
        published_model().predict([at(SMALL)], dataset="cityscapes")
    with pytest.raises(StudyError, match="batch of published points on ade20k must be 16 to 32, got 64"):
        published_model().predict([at(SMALL)], batch=64)
    with pytest.raises(StudyError, match="batch of published points on coco-stuff-10k must be 16, got 32"):
        published_model().predict([at(SMALL)], dataset="coco-stuff-10k", batch=32)


def test_every_design_of_the_space_paper_is_predicted() -> None:
    found = published_model().predict(space("paper", base="small", height=512, width=512).sample(3, 500))
    assert np.isfinite(found.mean).all()
    assert (found.sd > RUN_SD).all()


def test_predicting_needs_no_torch() -> None:
    program = "import sys, analysis.results.published.model as m; m.published_model(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
