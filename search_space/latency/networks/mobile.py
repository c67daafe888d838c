"""Mobile image classifiers, from their papers: MobileNetV1 to V3, MnasNet, ProxylessNAS, EfficientNet, PP-LCNet."""

from torch import nn

from search_space.latency.networks.layers import (
    Activation,
    Squeeze,
    classifier,
    depthwise,
    eighths,
    inverted,
    unit,
)

# Channels, stride.
MOBILENET_V1 = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *((512, 1),) * 5, (1024, 2), (1024, 1))
"""Rows of depthwise separable convolutions (Howard et al., 2017, Table 1)."""

# Expansion, channels, repeats, stride, kernel.
MOBILENET_V2 = (
    *((1, 16, 1, 1, 3), (6, 24, 2, 2, 3), (6, 32, 3, 2, 3), (6, 64, 4, 2, 3)),
    *((6, 96, 3, 1, 3), (6, 160, 3, 2, 3), (6, 320, 1, 1, 3)),
)
"""Stages (Sandler et al., CVPR 2018, Table 2)."""

MNASNET_B1 = (
    *((3, 24, 3, 2, 3), (3, 40, 3, 2, 5), (6, 80, 3, 2, 5)),
    *((6, 96, 2, 1, 3), (6, 192, 4, 2, 5), (6, 320, 1, 1, 3)),
)
"""Stages of the network without squeeze and excitation (Tan et al., CVPR 2019, Figure 7)."""

# Kernel, hidden channels, channels, stride.
PROXYLESS_MOBILE = (
    *(
        (3, 32, 32, 1),
        (5, 48, 32, 2),
        (3, 96, 32, 1),
        (7, 96, 40, 2),
        (3, 120, 40, 1),
        (5, 120, 40, 1),
        (5, 120, 40, 1),
    ),
    *((7, 240, 80, 2), (5, 240, 80, 1), (5, 240, 80, 1), (5, 240, 80, 1), (5, 480, 96, 1), (5, 288, 96, 1)),
    *((5, 288, 96, 1), (5, 288, 96, 1), (7, 576, 192, 2), (7, 1152, 192, 1), (7, 576, 192, 1), (7, 576, 192, 1)),
    (7, 1152, 320, 1),
)
"""Rows of the network found for phones (Cai et al., ICLR 2019, Figure 4), as timed by ncnn: the first has 32 channels
where the paper has 16 (benchmark/proxylessnasnet.param, commit 39a14a7)."""

# Kernel, hidden channels, channels, squeeze and excitation, hard swish, stride.
MOBILENET_V3_LARGE = (
    *((3, 16, 16, 0, 0, 1), (3, 64, 24, 0, 0, 2), (3, 72, 24, 0, 0, 1)),
    *((5, 72, 40, 1, 0, 2), (5, 120, 40, 1, 0, 1), (5, 120, 40, 1, 0, 1)),
    *((3, 240, 80, 0, 1, 2), (3, 200, 80, 0, 1, 1), (3, 184, 80, 0, 1, 1), (3, 184, 80, 0, 1, 1)),
    *((3, 480, 112, 1, 1, 1), (3, 672, 112, 1, 1, 1)),
    *((5, 672, 160, 1, 1, 2), (5, 960, 160, 1, 1, 1), (5, 960, 160, 1, 1, 1)),
)
"""Rows (Howard et al., ICCV 2019, Table 1)."""

MOBILENET_V3_SMALL = (
    *((3, 16, 16, 1, 0, 2), (3, 72, 24, 0, 0, 2), (3, 88, 24, 0, 0, 1)),
    *((5, 96, 40, 1, 1, 2), (5, 240, 40, 1, 1, 1), (5, 240, 40, 1, 1, 1), (5, 120, 48, 1, 1, 1), (5, 144, 48, 1, 1, 1)),
    *((5, 288, 96, 1, 1, 2), (5, 576, 96, 1, 1, 1), (5, 576, 96, 1, 1, 1)),
)
"""Rows (the same paper, Table 2)."""

# Expansion, channels, repeats, stride, kernel.
EFFICIENTNET_B0 = (
    *((1, 16, 1, 1, 3), (6, 24, 2, 2, 3), (6, 40, 2, 2, 5), (6, 80, 3, 2, 3)),
    *((6, 112, 3, 1, 5), (6, 192, 4, 2, 5), (6, 320, 1, 1, 3)),
)
"""Stages (Tan and Le, ICML 2019, Table 1)."""

# Kernel, channels, stride, squeeze and excitation.
PP_LCNET = (
    *((3, 32, 1, 0), (3, 64, 2, 0), (3, 64, 1, 0), (3, 128, 2, 0), (3, 128, 1, 0), (3, 256, 2, 0)),
    *(((5, 256, 1, 0),) * 5),
    *((5, 512, 2, 1), (5, 512, 1, 1)),
)
"""Rows of depthwise separable convolutions (Cui et al., 2021, Table 1)."""


def mobilenet_v1(multiplier: float = 1.0) -> nn.Module:
    """MobileNet; the published multipliers give whole numbers of channels."""
    channels = int(32 * multiplier)
    layers: list[nn.Module] = [unit(3, channels, 3, 2)]
    for width, stride in MOBILENET_V1:
        outputs = int(width * multiplier)
        layers += [depthwise(channels, 3, stride, nn.ReLU), unit(channels, outputs)]
        channels = outputs
    return nn.Sequential(*layers, classifier(channels))


def mobilenet_v2(multiplier: float = 1.0) -> nn.Module:
    """MobileNetV2 as PaddleClas and ncnn time it.

    Channels are rounded down, the last convolution has at least 1280, and the first block widens its 32 channels to
    32, which the paper leaves out.
    """
    last = int(1280 * max(1.0, multiplier))
    return _staged(MOBILENET_V2, int(32 * multiplier), last, nn.ReLU6, multiplier, widens=True)


def mnasnet_b1() -> nn.Module:
    """MnasNet-B1: a first separable convolution to 16 channels, then its stages."""
    return _staged(((1, 16, 1, 1, 3), *MNASNET_B1), 32, 1280, nn.ReLU)


def efficientnet_b0() -> nn.Module:
    """EfficientNet-B0; a block squeezes to a quarter of its input channels."""
    return _staged(EFFICIENTNET_B0, 32, 1280, nn.SiLU, squeezes=True)


def _staged(
    stages: tuple[tuple[int, int, int, int, int], ...],
    stem: int,
    last: int,
    activation: Activation,
    multiplier: float = 1.0,
    *,
    squeezes: bool = False,
    widens: bool = False,
) -> nn.Module:
    """Inverted residuals by stage, the first of a stage with its stride."""
    layers: list[nn.Module] = [unit(3, stem, 3, 2, activation)]
    channels = stem
    for expansion, width, repeats, first, kernel in stages:
        outputs = int(width * multiplier)
        for index in range(repeats):
            hidden = channels * expansion
            squeeze = Squeeze(hidden, max(1, channels // 4), nn.SiLU, nn.Sigmoid) if squeezes else None
            stride = 1 if index else first
            block = inverted(channels, hidden, outputs, kernel, stride, activation, squeeze=squeeze, widens=widens)
            layers.append(block)
            channels = outputs
    return nn.Sequential(*layers, unit(channels, last, 1, 1, activation), classifier(last))


def proxyless_mobile() -> nn.Module:
    """ProxylessNAS (Mobile)."""
    layers: list[nn.Module] = [unit(3, 32, 3, 2, nn.ReLU6)]
    channels = 32
    for kernel, hidden, outputs, stride in PROXYLESS_MOBILE:
        layers.append(inverted(channels, hidden, outputs, kernel, stride, nn.ReLU6))
        channels = outputs
    return nn.Sequential(*layers, unit(channels, 1280, 1, 1, nn.ReLU6), classifier(1280))


def mobilenet_v3_large(multiplier: float = 1.0) -> nn.Module:
    """MobileNetV3-Large as in PaddleClas, whose first row has an expanding convolution."""
    return _mobilenet_v3(MOBILENET_V3_LARGE, multiplier, 960, widens=True)


def mobilenet_v3_early() -> nn.Module:
    """MobileNetV3-Large as in the first version of the paper, which ncnn times: the grid is halved a row later."""
    last = ((5, 672, 160, 1, 1, 1), (5, 672, 160, 1, 1, 2), (5, 960, 160, 1, 1, 1))
    return _mobilenet_v3((*MOBILENET_V3_LARGE[:-3], *last), 1.0, 960)


def mobilenet_v3_small(multiplier: float = 1.0) -> nn.Module:
    """MobileNetV3-Small as in PaddleClas: its classifier has 1280 hidden channels, 1024 in the paper."""
    return _mobilenet_v3(MOBILENET_V3_SMALL, multiplier, 576, widens=True)


def _mobilenet_v3(
    rows: tuple[tuple[int, ...], ...], multiplier: float, wide: int, *, widens: bool = False
) -> nn.Module:
    channels = eighths(16 * multiplier)
    layers: list[nn.Module] = [unit(3, channels, 3, 2, nn.Hardswish)]
    for kernel, width, out, squeezes, swish, stride in rows:
        hidden, outputs = eighths(width * multiplier), eighths(out * multiplier)
        squeeze = Squeeze(hidden, hidden // 4) if squeezes else None
        activation = nn.Hardswish if swish else nn.ReLU
        block = inverted(channels, hidden, outputs, kernel, stride, activation, squeeze=squeeze, widens=widens)
        layers.append(block)
        channels = outputs
    wide = eighths(wide * multiplier)
    head = [nn.Conv2d(wide, 1280, 1, bias=False), nn.Hardswish()]
    return nn.Sequential(*layers, unit(channels, wide, 1, 1, nn.Hardswish), classifier(1280, *head))


def pp_lcnet(multiplier: float = 1.0) -> nn.Module:
    """PP-LCNet."""
    channels = eighths(16 * multiplier)
    layers: list[nn.Module] = [unit(3, channels, 3, 2, nn.Hardswish)]
    for kernel, width, stride, squeezes in PP_LCNET:
        outputs = eighths(width * multiplier)
        layers.append(depthwise(channels, kernel, stride, nn.Hardswish))
        layers += [Squeeze(channels, channels // 4)] if squeezes else []
        layers.append(unit(channels, outputs, 1, 1, nn.Hardswish))
        channels = outputs
    head = [nn.Conv2d(channels, 1280, 1, bias=False), nn.Hardswish()]
    return nn.Sequential(*layers, classifier(1280, *head))
