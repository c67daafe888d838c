"""A Design: the frozen description of one network of the TopFormer family."""

from dataclasses import dataclass, field
from enum import StrEnum
from itertools import accumulate, pairwise

from topformer.bounds import CHANNELS, CLASSES, KERNEL, POSITIVE
from topformer.errors import DesignError, shown
from topformer.kinds import Fits, Integer, OneOf, is_number
from topformer.schema import check, check_member

_EXTRA = Fits(
    "a multiple of 0.5 from 0 to 1024", lambda value: is_number(value) and 0 <= value <= 1024 and 2 * value % 1 == 0
)
_STRIDE = OneOf((1, 2))

SCALES = (4, 8, 16, 32)
"""Reductions of the four token maps of the pyramid: 1/4, 1/8, 1/16 and 1/32 of the image."""


class Pooled(StrEnum):
    """What is pooled into the semantics extractor (paper, Table 2)."""

    ALL = "all"
    """The token maps of all four scales, concatenated."""
    LAST = "last"
    """The last token map alone, widened by a 1x1 convolution to the same channels."""


class Extractor(StrEnum):
    """How semantics are extracted from the pooled tokens (paper, Table 4)."""

    TRANSFORMER = "transformer"
    FFN = "ffn"
    """Transformer blocks whose attention is replaced by `extra_ffns` more feed-forward networks."""
    PPM = "ppm"
    """The pyramid pooling module of PSPNet (Zhao et al., CVPR 2017)."""
    ASPP = "aspp"
    """Atrous spatial pyramid pooling of DeepLabV3 (Chen et al., 2017)."""
    NONE = "none"
    """The pooled tokens are injected as they are."""


PPM_BINS = (1, 2, 3, 6)
"""Grid sides of the pyramid pooling module (Zhao et al., PSPNet, CVPR 2017, section 3.2)."""

ASPP_DILATIONS = (6, 12, 18)
"""Dilations of the 3x3 branches of atrous spatial pyramid pooling (Chen et al., DeepLabV3, 2017, section 3.3)."""


class Injection(StrEnum):
    """How semantics are injected into one scale (paper, Table 5)."""

    GATE_SUM = "gate+sum"
    """local * gate + info: the released form."""
    GATE = "gate"
    """local * gate."""
    SUM = "sum"
    """local + info."""
    GATE_SUM_CBR = "gate+sum-cbr"
    """local * gate + info, with ReLU after local and info, and a gate convolution with bias and no BN."""


class Head(StrEnum):
    """How the injected scales become logits (paper, Table 6)."""

    SUM = "sum"
    """Upsampled to the finest injected scale and added; a dense 1x1 fuse convolution."""
    SUM_DEPTHWISE = "sum-depthwise"
    """The same with a depthwise 1x1 fuse convolution, as in the released Tiny."""
    CONCAT = "concat"
    """Each reduced by a 1x1 convolution, upsampled and concatenated; no fuse convolution. One scale is `sum`."""


def reduced_width(width: int) -> int:
    """Channels that the head `concat` reduces each scale of `width` channels M to: 5/18 of M, and at least 1.

    Inferred: the paper prints the parameters alone, 5.044 M for Base with M 256. There this rule gives 71 channels and
    5.0451 M; 70 would give 5.0439 M, 72 would give 5.0463 M.
    """
    return max(5 * width // 18, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stem:
    """The first convolution: k x k, stride 2, BN, ReLU."""

    channels: int
    kernel: int = 3

    def __post_init__(self) -> None:
        check("stem.channels", self.channels, CHANNELS)
        check("stem.kernel", self.kernel, KERNEL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bottleneck:
    """One row of the token pyramid: an inverted residual block (MobileNetV2, Sandler et al., CVPR 2018).

    Attributes:
        kernel: Side of the depthwise kernel.
        expand: Hidden channels divided by input channels; 1 leaves the expanding convolution out.
        channels: Output channels.
        stride: 1 or 2.
    """

    kernel: int
    expand: int
    channels: int
    stride: int

    def __post_init__(self) -> None:
        check("row.kernel", self.kernel, KERNEL)
        check("row.expand", self.expand, CHANNELS)
        check("row.channels", self.channels, CHANNELS)
        check("row.stride", self.stride, _STRIDE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One block of the semantics extractor.

    Attributes:
        heads: Attention heads.
        key_dim: Width of a query or key per head.
        attention_ratio: A head's value has int(attention_ratio * key_dim) channels.
        ffn_ratio: The feed-forward network has int(embedding * ffn_ratio) hidden channels.
    """

    heads: int = 4
    key_dim: int = 16
    attention_ratio: float = 2.0
    ffn_ratio: float = 2.0

    def __post_init__(self) -> None:
        check("block.heads", self.heads, CHANNELS)
        check("block.key_dim", self.key_dim, CHANNELS)
        check("block.attention_ratio", self.attention_ratio, POSITIVE)
        check("block.ffn_ratio", self.ffn_ratio, POSITIVE)
        if self.value_dim < 1:
            raise DesignError(
                "block.attention_ratio must leave at least one value channel per head: "
                f"int({self.attention_ratio} * {self.key_dim}) is {self.value_dim}"
            )

    @property
    def value_dim(self) -> int:
        """Width of a value per head."""
        return int(self.attention_ratio * self.key_dim)

    def hidden(self, embedding: int) -> int:
        """Hidden channels of the feed-forward network on `embedding` channels."""
        return int(embedding * self.ffn_ratio)


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """One network of the TopFormer family (Zhang et al., CVPR 2022), as data.

    Attributes:
        stem: The first convolution.
        rows: The token pyramid, first row first.
        taps: Index of the row whose output is the token map of scale 1/4, 1/8, 1/16 and 1/32.
        pooled: What is pooled into the extractor.
        pool_stride: Reduction of the pooled grid against the image (32, 64, 128, ...): the `s64` of Table 8.
            The grid is the coarsest token map's divided by `pool_stride / 32`, rounded up.
        extractor: Kind of the semantics extractor.
        blocks: Its blocks, first block first; used by the kinds transformer and ffn.
        extra_ffns: Feed-forward networks in the place of each attention; used by the kind ffn. 0.5 is one in the
            place of every second attention.
        injected: Reductions of the scales that receive semantics and feed the head.
        injection: Kind of the semantics injection module.
        width: Channels M of the injected scales (Table 7).
        head: Kind of the segmentation head.
        num_classes: Channels of the logits.

    Raises:
        DesignError: The fields do not describe a network; the message names the field and the value.
    """

    stem: Stem = field(default_factory=lambda: Stem(channels=16))
    rows: tuple[Bottleneck, ...]
    taps: tuple[int, ...]
    pooled: Pooled = Pooled.ALL
    pool_stride: int = 64
    extractor: Extractor = Extractor.TRANSFORMER
    blocks: tuple[Block, ...] = (Block(), Block(), Block(), Block())
    extra_ffns: float = 1
    injected: tuple[int, ...] = (8, 16, 32)
    injection: Injection = Injection.GATE_SUM
    width: int = 128
    head: Head = Head.SUM
    num_classes: int = 150

    def __post_init__(self) -> None:
        if not isinstance(self.stem, Stem):
            raise DesignError(f"stem must be a Stem, got {shown(self.stem)}")
        for name, entry in (("rows", Bottleneck), ("taps", int), ("blocks", Block), ("injected", int)):
            _check_tuple(name, getattr(self, name), entry)
        for name, kind in (("pooled", Pooled), ("extractor", Extractor), ("injection", Injection), ("head", Head)):
            check_member(name, getattr(self, name), kind)
        check("width", self.width, CHANNELS)
        check("num_classes", self.num_classes, CLASSES)
        _check_taps(self.rows, self.taps)
        _check_injected(self.injected)
        _check_pool_stride(self.pool_stride)
        self._check_blocks()

    def _check_blocks(self) -> None:
        check("extra_ffns", self.extra_ffns, _EXTRA)
        if not self.has_blocks:
            return
        if not self.blocks:
            raise DesignError(f"blocks must hold at least one block for extractor={self.extractor.value!r}, got ()")
        for block in self.blocks:
            if block.hidden(self.embedding) < 1:
                raise DesignError(
                    "block.ffn_ratio must leave at least one hidden channel: "
                    f"int({self.embedding} * {block.ffn_ratio}) is {block.hidden(self.embedding)}"
                )

    @property
    def has_blocks(self) -> bool:
        """Whether the extractor is made of blocks."""
        return self.extractor in (Extractor.TRANSFORMER, Extractor.FFN)

    @property
    def depth(self) -> int:
        """Number L of extractor blocks that are built."""
        return len(self.blocks) if self.has_blocks else 0

    @property
    def extra_ffns_by_block(self) -> tuple[int, ...]:
        """Feed-forward networks in the place of each block's attention; of `extra_ffns` 0.5: 0, 1, 0, 1, ..."""
        totals = (int(self.extra_ffns * blocks) for blocks in range(self.depth + 1))
        return tuple(after - before for before, after in pairwise(totals))

    @property
    def tap_channels(self) -> tuple[int, ...]:
        """Channels of the token maps, 1/4 first."""
        return tuple(self.rows[tap].channels for tap in self.taps)

    @property
    def embedding(self) -> int:
        """Channels of the pooled tokens: the sum over all scales."""
        return sum(self.tap_channels)


def _check_tuple(name: str, value: object, entry: type) -> None:
    """A design is compared and hashed by its parts: a list of them would pass until then."""
    if not isinstance(value, tuple) or any(type(one) is not entry for one in value):
        raise DesignError(f"{name} must be a tuple of {entry.__name__}, got {shown(value)}")


def _check_taps(rows: tuple[Bottleneck, ...], taps: tuple[int, ...]) -> None:
    if len(taps) != len(SCALES) or list(taps) != sorted(set(taps)):
        raise DesignError(f"taps must be {len(SCALES)} increasing row numbers, one per scale, got {taps}")
    if taps[0] < 0 or taps[-1] != len(rows) - 1:
        raise DesignError(f"taps must lie in the rows and end at the last one (number {len(rows) - 1}), got {taps}")
    reductions = tuple(accumulate((row.stride for row in rows), int.__mul__, initial=2))[1:]
    tapped = tuple(reductions[tap] for tap in taps)
    if tapped != SCALES:
        raise DesignError(f"taps must see reductions {SCALES} after a stem of stride 2, got {tapped} from {taps=}")


def _check_injected(injected: tuple[int, ...]) -> None:
    if not injected or list(injected) != sorted(set(injected) & set(SCALES)):
        raise DesignError(f"injected must be a non-empty increasing subset of {SCALES}, got {injected}")


def _check_pool_stride(stride: int) -> None:
    check("pool_stride", stride, Integer())
    if stride < SCALES[-1] or stride & (stride - 1):
        raise DesignError(f"pool_stride must be a power of two of at least {SCALES[-1]}, got {stride!r}")
