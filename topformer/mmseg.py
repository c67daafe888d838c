"""The door to mmsegmentation: our backbone and head under its names. Nothing else in `topformer` may import it.

A config uses it by `custom_imports = dict(imports=["topformer.mmseg"])` and the types `TopFormerBackbone` and
`TopFormerHead`, both with the design as plain JSON (`topformer.codec.to_json`). The maintained packages
(onedl-mmsegmentation, onedl-mmcv, onedl-mmengine) and the originals have the same import names.

Importing it makes mmengine read checkpoints as plain data only; where it would fall back to running a pickle, it
raises.
"""

import io
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from topformer.codec import from_json, to_json
from topformer.design import Design
from topformer.heads import build_head
from topformer.network import Backbone
from topformer.pixels import MEAN as MEAN
from topformer.pixels import STD as STD
from topformer.weights import plain
from topformer.weights.released import load_released_backbone, released_modules, was_released
from topformer.weights.segmentor import from_segmentor_state as from_segmentor_state
from topformer.weights.segmentor import to_segmentor_state as to_segmentor_state


@contextmanager
def quiet() -> Iterator[None]:
    """Printing and warnings are dropped: the packages print at import, and warn of what concerns only themselves."""
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


with quiet():
    import mmseg.datasets
    import mmseg.engine
    import mmseg.evaluation
    import mmseg.models  # noqa: F401
    from mmengine.config import ConfigDict
    from mmengine.config.utils import MODULE2PACKAGE
    from mmengine.logging import HistoryBuffer
    from mmengine.model import BaseModule
    from mmengine.registry import DefaultScope
    from mmengine.runner import CheckpointLoader
    from mmseg.models.decode_heads.decode_head import BaseDecodeHead
    from mmseg.registry import DATASETS, MODELS


@MODELS.register_module()
class TopFormerBackbone(BaseModule):  # type: ignore[misc]
    """Token pyramid, semantics extractor and injection as an mmsegmentation backbone.

    Args:
        design: The design as plain JSON.
        drop_path: Stochastic depth of the last extractor block.
        init_cfg: As for every mmengine module; `Pretrained` takes a checkpoint of the release.

    Tensors of a checkpoint may have our names or the release's.

    Raises:
        DesignError: The JSON describes no design.
    """

    def __init__(
        self, design: Mapping[str, Any], drop_path: float = 0.1, init_cfg: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(init_cfg)
        self.design = from_json(design)
        self.body = Backbone(self.design, drop_path=drop_path)
        _accept_released_names(self, self.design, "backbone.")

    def init_weights(self) -> None:
        """As mmengine does; `Pretrained` is a released checkpoint, whose averaged weights are taken first.

        Raises:
            CheckpointError: The file cannot be read or does not fit.
        """
        if not self.init_cfg or self.init_cfg["type"] != "Pretrained":
            super().init_weights()
            return
        load_released_backbone(self.body, self.design, self.init_cfg["checkpoint"])
        self.is_init = True

    def forward(self, image_B3HW: Tensor) -> tuple[Tensor, ...]:
        """Injected maps, finest first; each is (B, M, H_i, W_i)."""
        return self.body(image_B3HW)  # type: ignore[no-any-return]


@MODELS.register_module()
class TopFormerHead(BaseDecodeHead):  # type: ignore[misc]
    """The design's segmentation head as an mmsegmentation decode head; loss and prediction are mmsegmentation's.

    Args:
        design: The design as plain JSON; it says the number of classes.
        dropout: Probability with which a whole channel is dropped before the classifier.
        settings: Settings of BaseDecodeHead, such as `loss_decode` or `ignore_index`.

    Raises:
        DesignError: The JSON describes no design.
    """

    def __init__(self, design: Mapping[str, Any], dropout: float = 0.1, **settings: Any) -> None:
        read = from_json(design)
        maps = len(read.injected)
        super().__init__(
            in_channels=[read.width] * maps,
            channels=read.width,
            num_classes=read.num_classes,
            # Said although it is the default: without it mmsegmentation warns about two classes.
            out_channels=read.num_classes,
            in_index=list(range(maps)),
            input_transform="multiple_select",
            dropout_ratio=0,
            **{"init_cfg": None, **settings},
        )
        # The base class builds a classifier of its own, with a dropout before it; ours are in the body.
        self.conv_seg = nn.Identity()
        self.body = build_head(read, dropout=dropout)
        _accept_released_names(self, read, "head.")

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Logits (B, classes, H, W) on the grid of the first map, which is the finest."""
        return self.body(self._transform_inputs(maps))  # type: ignore[no-any-return]


def _accept_released_names(module: nn.Module, design: Design, part: str) -> None:
    """Let a module's `body` be loaded by the release's names too, whatever lies around it."""
    if not was_released(design):
        return
    parts = {"backbone.": "backbone.", "head.": "decode_head."}
    names = [
        (released.removeprefix(parts[part]), f"body.{ours.removeprefix(part)}")
        for ours, released in released_modules(design)
        if ours.startswith(part)
    ]

    def rename(_: nn.Module, state: dict[str, Any], prefix: str, *__: Any) -> None:
        for released, ours in names:
            for leaf in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked"):
                if f"{prefix}{released}.{leaf}" in state:
                    state[f"{prefix}{ours}.{leaf}"] = state.pop(f"{prefix}{released}.{leaf}")

    module.register_load_state_dict_pre_hook(rename)  # type: ignore[no-untyped-call]


def segmentor(design: Design, *, height: int, width: int, drop_path: float = 0.1, dropout: float = 0.1) -> Any:
    """An mmsegmentation EncoderDecoder of the design, with the release's normalisation and cross-entropy.

    Args:
        design: The network.
        height: Height that training images are padded to.
        width: Width that training images are padded to.
        drop_path: Stochastic depth of the last extractor block.
        dropout: Probability with which a whole channel is dropped before the classifier.
    """
    plain = to_json(design)
    config = {
        "type": "EncoderDecoder",
        "data_preprocessor": {
            "type": "SegDataPreProcessor",
            "mean": list(MEAN),
            "std": list(STD),
            "bgr_to_rgb": True,
            "pad_val": 0,
            "seg_pad_val": 255,
            "size": (height, width),
        },
        "backbone": {"type": "TopFormerBackbone", "design": plain, "drop_path": drop_path},
        "decode_head": {"type": "TopFormerHead", "design": plain, "dropout": dropout},
        "train_cfg": {},
        "test_cfg": {"mode": "whole"},
    }
    with DefaultScope.overwrite_default_scope("mmseg"), warnings.catch_warnings():
        # The release divides by all pixels, ignored ones too; mmsegmentation warns of that default of its own.
        warnings.filterwarnings("ignore", message="Default ``avg_non_ignore`` is False")
        return MODELS.build(ConfigDict(config))


def classes_of(reader: str) -> tuple[tuple[str, ...], tuple[tuple[int, int, int], ...]]:
    """Names and colours of the classes of one of mmsegmentation's dataset classes, such as `ADE20KDataset`."""
    about = DATASETS.get(reader).METAINFO
    return tuple(name.strip() for name in about["classes"]), tuple(
        (red, green, blue) for red, green, blue in about["palette"]
    )


def load_plain(filename: str | Path, map_location: Any = None, logger: Any = None) -> Any:  # noqa: ARG001
    """As `topformer.weights.plain.load_plain`, with mmengine's own histories, which a resumed training goes on.

    Takes the place of mmengine's `CheckpointLoader.load_checkpoint`, which unpickles whatever it cannot read safely.

    Raises:
        CheckpointError: The file is missing, broken, or holds anything else.
    """
    return plain.load_plain(filename, map_location, history=HistoryBuffer)


def _find_configs_of_the_fork() -> None:
    """`_base_ = 'mmseg::...'` looks for a distribution, which the fork names otherwise."""
    for module, package in (("mmseg", "onedl-mmsegmentation"), ("mmdet", "onedl-mmdetection")):
        try:
            version(package)
        except PackageNotFoundError:
            continue
        MODULE2PACKAGE[module] = package


_find_configs_of_the_fork()
CheckpointLoader.load_checkpoint = staticmethod(load_plain)
