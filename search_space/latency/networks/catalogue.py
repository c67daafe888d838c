"""The catalogue of calibration networks: what each is called, how it is built, and what its source says it costs."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from torch import nn

from search_space.latency.networks import classic, mobile, sea, segmentation, shuffled


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """One network at one input size.

    Attributes:
        name: As in the tables of measured times.
        family: Networks of one construction.
        build: Makes the module.
        side: Height and width of the input in pixels.
        params_m: Millions of parameters that the source gives; 0 where it gives none.
        macs_g: Billions of MACs that the source gives.
    """

    name: str
    family: str
    build: Callable[[], nn.Module]
    side: int
    params_m: float
    macs_g: float


# Multiplier, millions of parameters (running statistics of normalisations included), billions of MACs (elements of
# normalisations and activations included): PaddleClas, docs/zh_CN/models/ImageNet1k/README.md, commit d178931fc.
_MOBILENET_V1 = ((0.25, 0.48, 0.04356), (0.5, 1.34, 0.15457), (0.75, 2.60, 0.33300), (1.0, 4.25, 0.57888))
_MOBILENET_V2 = (
    *((0.25, 1.53, 0.03418), (0.5, 1.98, 0.09948), (0.75, 2.65, 0.19737)),
    *((1.0, 3.54, 0.32784), (1.5, 6.90, 0.70235), (2.0, 11.33, 1.21725)),
)
_MOBILENET_V3_LARGE = (
    *((0.35, 2.11, 0.04090), (0.5, 2.69, 0.07183), (0.75, 3.93, 0.15170)),
    *((1.0, 5.50, 0.22966), (1.25, 7.47, 0.36270)),
)
_MOBILENET_V3_SMALL = (
    *((0.35, 1.67, 0.01456), (0.5, 1.91, 0.02260), (0.75, 2.38, 0.04602)),
    *((1.0, 2.95, 0.06367), (1.25, 3.64, 0.10007)),
)
_SHUFFLENET_V2 = (
    *((0.25, 0.61, 0.01895), (0.33, 0.65, 0.02404), (0.5, 1.37, 0.04258)),
    *((1.0, 2.29, 0.14886), (1.5, 3.53, 0.30135), (2.0, 7.40, 0.57170)),
)
_GHOSTNET = ((0.5, 2.60, 0.04615), (1.0, 5.21, 0.14878), (1.3, 7.38, 0.23689))
_ESNET = ((0.25, 2.83, 0.03085), (0.5, 3.25, 0.06731), (0.75, 3.87, 0.12374), (1.0, 4.64, 0.19733))
_PP_LCNET = (
    *((0.25, 1.52, 0.01825), (0.35, 1.65, 0.02946), (0.5, 1.89, 0.04728), (0.75, 2.37, 0.09882)),
    *((1.0, 2.96, 0.16081), (1.5, 4.52, 0.34186), (2.0, 6.54, 0.59000), (2.5, 9.04, 0.90600)),
)
_WIDTHS = (
    ("MobileNetV1", "MobileNetV1", mobile.mobilenet_v1, _MOBILENET_V1),
    ("MobileNetV2", "MobileNetV2", mobile.mobilenet_v2, _MOBILENET_V2),
    ("MobileNetV3_large", "MobileNetV3", mobile.mobilenet_v3_large, _MOBILENET_V3_LARGE),
    ("MobileNetV3_small", "MobileNetV3", mobile.mobilenet_v3_small, _MOBILENET_V3_SMALL),
    ("ShuffleNetV2", "ShuffleNetV2", shuffled.shufflenet_v2, _SHUFFLENET_V2),
    ("GhostNet", "GhostNet", shuffled.ghostnet, _GHOSTNET),
    ("ESNet", "ESNet", shuffled.esnet, _ESNET),
    ("PPLCNet", "PP-LCNet", mobile.pp_lcnet, _PP_LCNET),
)

# Counted from ncnn's parameter files, benchmark/*.param, commit a4d2ea1d4.
_NCNN: tuple[tuple[str, str, Callable[[], nn.Module], int, float, float], ...] = (
    ("squeezenet", "SqueezeNet", classic.squeezenet, 227, 1.235, 0.4185),
    ("mobilenet", "MobileNetV1", mobile.mobilenet_v1, 224, 4.221, 0.5687),
    ("mobilenet_v2", "MobileNetV2", mobile.mobilenet_v2, 224, 3.489, 0.3136),
    ("mobilenet_v3", "MobileNetV3", mobile.mobilenet_v3_early, 224, 5.134, 0.2456),
    ("shufflenet", "ShuffleNet", shuffled.shufflenet_v1, 224, 1.803, 0.1271),
    ("shufflenet_v2", "ShuffleNetV2", shuffled.shufflenet_v2, 224, 2.271, 0.1449),
    ("mnasnet", "MnasNet", mobile.mnasnet_b1, 224, 4.364, 0.3144),
    ("proxylessnasnet", "ProxylessNAS", mobile.proxyless_mobile, 224, 4.065, 0.3365),
    ("efficientnet_b0", "EfficientNet", mobile.efficientnet_b0, 224, 5.268, 0.3858),
    ("regnety_400m", "RegNetY", classic.regnety_400m, 224, 4.331, 0.4018),
    ("resnet18", "ResNet", classic.resnet18, 224, 11.689, 1.8269),
    ("resnet50", "ResNet", partial(classic.resnet50, stride_in_1x1=True), 224, 25.530, 3.8580),
    ("vgg16", "VGG", classic.vgg16, 224, 138.358, 15.4703),
)

# TopFormer paper, Table 1; MACs as its authors count them.
_TABLE_1: tuple[tuple[str, str, Callable[[], nn.Module], float, float], ...] = (
    ("LR-ASPP MobileNetV3-Large", "LR-ASPP", segmentation.lraspp, 3.2, 2.0),
    ("LR-ASPP MobileNetV3-Large-reduce", "LR-ASPP", partial(segmentation.lraspp, divisor=2), 1.6, 1.3),
    ("R-ASPP MobileNetV2", "R-ASPP", segmentation.RASPP, 2.2, 2.8),
)

# SeaFormer paper, Table 1; parameters and MACs as its authors count them.
_SEAFORMER = (
    ("SeaFormer-T", 1.7, 0.6),
    ("SeaFormer-S", 4.0, 1.1),
    ("SeaFormer-B", 8.6, 1.8),
    ("SeaFormer-L", 14.0, 6.5),
)


def catalogue() -> Iterator[Network]:
    """Every network, lazily built."""
    for prefix, family, build, rows in _WIDTHS:
        for multiplier, params_m, macs_g in rows:
            name = f"{prefix}_x{multiplier}"
            wide = partial(build, multiplier)
            yield Network(name=name, family=family, build=wide, side=224, params_m=params_m, macs_g=macs_g)
    yield Network(name="ResNet50", family="ResNet", build=classic.resnet50, side=224, params_m=25.61, macs_g=4.11)
    for name, family, make, side, params_m, macs_g in _NCNN:
        full = f"ncnn {name}"
        yield Network(name=full, family=family, build=make, side=side, params_m=params_m, macs_g=macs_g)
    for name, family, make, params_m, macs_g in _TABLE_1:
        yield Network(name=name, family=family, build=make, side=512, params_m=params_m, macs_g=macs_g)
    for name, params_m, macs_g in _SEAFORMER:
        tall = partial(sea.SeaFormer, sea.SEAFORMERS[name])
        yield Network(name=name, family="SeaFormer", build=tall, side=512, params_m=params_m, macs_g=macs_g)
