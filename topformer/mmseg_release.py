"""The release's names in mmsegmentation: `Topformer` and `SimpleHead`, with the keys of its configuration files.

Importing it registers both, so that a configuration of mmsegmentation 1.x with the release's `model` builds with
`custom_imports = dict(imports=["topformer.mmseg_release"])`. Networks, names of tensors and checkpoints are those of
`TopFormerBackbone` and `TopFormerHead`; released checkpoints are loaded by their own names too.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from topformer.codec import to_json
from topformer.errors import DesignError, InputError, unknown_name
from topformer.mmseg import TopFormerBackbone, TopFormerHead, quiet
from topformer.weights.released_designs import BACKBONE, HEAD, backbone_design, head_design

with quiet():
    from mmseg.registry import MODELS

_NORMS = ("BN", "SyncBN")


class Topformer(TopFormerBackbone):
    """The released backbone.

    Args:
        cfgs: Rows of the pyramid: kernel, expansion, channels, stride.
        channels: Channels of the four scales.
        out_channels: Channels of the injected scales, by number of the scale.
        embed_out_indice: Rows that give the scales.
        drop_path_rate: Stochastic depth of the last extractor block.
        norm_cfg: `BN`, or `SyncBN` to synchronise over several devices.
        injection: Must be true: a network without it is no segmentation backbone.
        init_cfg: As of `TopFormerBackbone`.
        settings: The other keys of the release, see `topformer.weights.released_designs.backbone_design`.

    Raises:
        DesignError: A key is unknown or the values describe no network.
    """

    _OTHERS = (
        "decode_out_indices",
        "depths",
        "key_dim",
        "num_heads",
        "attn_ratios",
        "mlp_ratios",
        "c2t_stride",
        "injection_type",
    )

    def __init__(
        self,
        cfgs: Sequence[Sequence[int]],
        channels: Sequence[int],
        out_channels: Sequence[int | None],
        embed_out_indice: Sequence[int],
        drop_path_rate: float = 0.0,
        norm_cfg: Mapping[str, Any] | None = None,
        injection: bool = True,
        init_cfg: Mapping[str, Any] | None = None,
        **settings: Any,
    ) -> None:
        if injection is not True:
            raise DesignError(f"injection must be True, got {injection!r}")
        for key in settings:
            if key not in self._OTHERS:
                raise DesignError(unknown_name(f"key of {BACKBONE}", key, self._OTHERS))
        rows = {"cfgs": cfgs, "channels": channels, "out_channels": out_channels, "embed_out_indice": embed_out_indice}
        super().__init__(to_json(backbone_design({**rows, **settings})), drop_path=drop_path_rate, init_cfg=init_cfg)
        self.body = _synchronised(self.body, norm_cfg)


class SimpleHead(TopFormerHead):
    """The released head.

    Args:
        in_channels: Channels of the maps, all equal.
        channels: The same number.
        num_classes: Channels of the logits.
        is_dw: Whether the fuse convolution is depthwise.
        dropout_ratio: Probability with which a whole channel is dropped before the classifier.
        norm_cfg: `BN`, or `SyncBN` to synchronise over several devices.
        align_corners: Must be false: the release resizes so.
        in_index: Numbers of the maps, finest first; must be all of them.
        settings: Settings of BaseDecodeHead, such as `loss_decode` or `ignore_index`.

    Raises:
        DesignError: The values describe no head.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        channels: int,
        num_classes: int,
        is_dw: bool = False,
        dropout_ratio: float = 0.1,
        norm_cfg: Mapping[str, Any] | None = None,
        align_corners: bool = False,
        in_index: Sequence[int] | None = None,
        **settings: Any,
    ) -> None:
        if align_corners:
            raise DesignError(f"align_corners must be False, got {align_corners!r}")
        if in_index is not None and list(in_index) != list(range(len(in_channels))):
            raise DesignError(f"in_index must be 0 to {len(in_channels) - 1} in order, got {list(in_index)}")
        keys = {"in_channels": in_channels, "channels": channels, "num_classes": num_classes, "is_dw": is_dw}
        super().__init__(to_json(head_design(keys)), dropout=dropout_ratio, **settings)
        self.body = _synchronised(self.body, norm_cfg)


def _synchronised(body: nn.Module, norm_cfg: Mapping[str, Any] | None) -> Any:
    kind = (norm_cfg or {"type": "BN"}).get("type")
    if kind not in _NORMS:
        raise DesignError(unknown_name("norm_cfg.type", kind, _NORMS))
    return nn.SyncBatchNorm.convert_sync_batchnorm(body) if kind == "SyncBN" else body  # type: ignore[no-untyped-call]


def register() -> None:
    """Enter both under the release's names.

    Raises:
        InputError: Another module has entered one of them.
    """
    for name, kind in ((BACKBONE, Topformer), (HEAD, SimpleHead)):
        held = MODELS.module_dict.get(name)
        if held is not None and held.__module__ != __name__:
            raise InputError(
                f"{name} is registered in mmsegmentation already, by {held.__module__}; import either that module or "
                f"{__name__}, not both"
            )
        MODELS.register_module(name=name, module=kind, force=True)


register()
