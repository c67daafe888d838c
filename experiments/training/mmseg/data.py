"""Our list of pairs and our decoder, as mmsegmentation's data set and its two loading steps.

A written configuration names this module in `custom_imports`: whatever it uses of ours for data is registered here.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from experiments.data.folders import KNOWN, Labelling, SegmentationFolder, find_pairs
from experiments.data.images import check_sizes, read_image, read_label, size_of
from experiments.training.mmseg.configuration import dataset
from experiments.training.mmseg.draws import Draw, reseed_augmentation
from topformer.errors import DataError
from topformer.mmseg import quiet

with quiet():
    import cv2
    from mmengine.registry import DefaultScope
    from mmseg.datasets import BaseSegDataset
    from mmseg.registry import DATASETS, TRANSFORMS

_CV_NO_MEMORY = -4
"""OpenCV's `StsNoMem`."""


@DATASETS.register_module()
class FolderDataset(BaseSegDataset):  # type: ignore[misc]
    """A split of a folder with the pairs that every command reads, in their order.

    It takes a `Draw` as well as a number, and draws that image's augmentation from it.

    Args:
        root: The folder of the data set.
        split: One of its splits.
        pipeline: mmsegmentation's transforms, the first of which is `ReadImage`.
        dataset: Name of the known data set that the folder holds; its layout is then that one's.
        metainfo: Names of the `classes`, and perhaps their colours, the `palette`.
        reduce_zero_label: Whether label 0 is ignored and class k is label k + 1.

    Raises:
        DataError: The split is empty or incomplete.
    """

    def __init__(
        self,
        root: str,
        split: str,
        pipeline: Sequence[dict[str, Any]],
        *,
        metainfo: dict[str, Any],
        dataset: str | None = None,
        reduce_zero_label: bool = False,
    ) -> None:
        self.root, self.split, self.dataset = Path(root), split, dataset
        super().__init__(metainfo=metainfo, pipeline=list(pipeline), reduce_zero_label=reduce_zero_label)

    def load_data_list(self) -> list[dict[str, Any]]:
        """The pairs, and what their labels mean.

        Raises:
            DataError: The split is empty or incomplete.
        """
        pairs, problems = find_pairs(self.root, self.split, KNOWN[self.dataset] if self.dataset else None)
        if problems:
            raise DataError(f"split {self.split} of {self.root}: {problems[0]}")
        labels = {
            "num_classes": len(self.metainfo["classes"]),
            "reduce_zero_label": self.reduce_zero_label,
            "label_map": None,
            "seg_fields": [],
        }
        return [{"img_path": str(pair.image), "seg_map_path": str(pair.label), **labels} for pair in pairs]

    def __getitem__(self, which: int | Draw) -> Any:
        """One sample, through the pipeline.

        Raises:
            DataError: A file cannot be read, or the pipeline cannot bring the image to its size.
        """
        if isinstance(which, Draw):
            reseed_augmentation(which)
            which = which.image
        try:
            return super().__getitem__(which)
        except cv2.error as error:
            if error.code == _CV_NO_MEMORY:
                raise MemoryError(str(error)) from error
            path = self.get_data_info(which)["img_path"]
            height, width = size_of(Path(path))
            raise DataError(
                f"{path} is {width} x {height} px, which the steps before the network cannot resize: {error.err}"
            ) from error


@TRANSFORMS.register_module()
class ReadImage:
    """Decodes an image as every command does, turned as its label lies; blue first, as mmcv's transforms want it."""

    def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
        """Add `img`, `img_shape` and `ori_shape`.

        Raises:
            DataError: A file cannot be read.
        """
        label = results.get("seg_map_path")
        pixels = read_image(Path(results["img_path"]), like=size_of(Path(label)) if label else None)
        results["img"] = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
        results["img_shape"] = results["ori_shape"] = pixels.shape[:2]
        return results


@TRANSFORMS.register_module()
class ReadLabel:
    """Decodes a label, and checks its values and its size."""

    def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
        """Add `gt_seg_map`: class numbers, 255 where ignored.

        Raises:
            DataError: The file cannot be read, has another size than its image, or a label that is no class.
        """
        path = Path(results["seg_map_path"])
        stored = read_label(path)
        check_sizes(Path(results["img_path"]), tuple(results["ori_shape"]), path, stored.shape)
        labelling = Labelling(results["num_classes"], 0 if results["reduce_zero_label"] else 255)
        results["gt_seg_map"] = labelling.targets(stored, path)
        results["seg_fields"].append("gt_seg_map")
        return results


def build_dataset(folder: SegmentationFolder, split: str, pipeline: Sequence[dict[str, Any]]) -> FolderDataset:
    """A split as the configuration of `experiments.training.mmseg.configuration.dataset` describes it.

    Raises:
        DataError: The split is not there, empty or incomplete.
    """
    with DefaultScope.overwrite_default_scope("mmseg"):
        built: FolderDataset = DATASETS.build(dataset(folder, split, list(pipeline)))
    return built
