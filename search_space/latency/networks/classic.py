"""Image classifiers of dense convolutions, from their papers: VGG, ResNet, SqueezeNet, RegNetY."""

from torch import nn

from search_space.latency.networks.layers import Joined, Residual, Squeeze, classifier, unit


def vgg16() -> nn.Module:
    """VGG-16 (Simonyan and Zisserman, ICLR 2015, configuration D)."""
    layers: list[nn.Module] = []
    channels = 3
    for outputs, repeats in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        for _ in range(repeats):
            layers += [nn.Conv2d(channels, outputs, 3, padding=1), nn.ReLU()]
            channels = outputs
        layers.append(nn.MaxPool2d(2))
    dense = [nn.Linear(512 * 49, 4096), nn.ReLU(), nn.Linear(4096, 4096), nn.ReLU(), nn.Linear(4096, 1000)]
    return nn.Sequential(*layers, nn.Flatten(), *dense)


def resnet18() -> nn.Module:
    """ResNet-18 (He et al., CVPR 2016, Table 1)."""
    layers: list[nn.Module] = [unit(3, 64, 7, 2), nn.MaxPool2d(3, 2, 1)]
    channels = 64
    for outputs, first in ((64, 1), (128, 2), (256, 2), (512, 2)):
        for stride in (first, 1):
            body = nn.Sequential(unit(channels, outputs, 3, stride), unit(outputs, outputs, 3, 1, None))
            layers.append(Residual(body, _shortcut(channels, outputs, stride), nn.ReLU))
            channels = outputs
    return nn.Sequential(*layers, classifier(channels))


def resnet50(*, stride_in_1x1: bool = False) -> nn.Module:
    """ResNet-50 (the same table); the grid is halved by the 3x3 convolution, or as in the paper by the 1x1."""
    layers: list[nn.Module] = [unit(3, 64, 7, 2), nn.MaxPool2d(3, 2, 1)]
    channels = 64
    for inner, repeats, first in ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)):
        for index in range(repeats):
            stride = 1 if index else first
            narrow, wide = (stride, 1) if stride_in_1x1 else (1, stride)
            body = nn.Sequential(
                unit(channels, inner, 1, narrow), unit(inner, inner, 3, wide), unit(inner, 4 * inner, 1, 1, None)
            )
            layers.append(Residual(body, _shortcut(channels, 4 * inner, stride), nn.ReLU))
            channels = 4 * inner
    return nn.Sequential(*layers, classifier(channels))


def _shortcut(inputs: int, outputs: int, stride: int) -> nn.Module | None:
    return None if inputs == outputs and stride == 1 else unit(inputs, outputs, 1, stride, None)


def squeezenet() -> nn.Module:
    """SqueezeNet 1.1 (Iandola et al., 2016, and its release, which pads the last convolution)."""
    fires = ((64, 16, 64), (128, 16, 64), None, (128, 32, 128), (256, 32, 128), None)
    rest = ((256, 48, 192), (384, 48, 192), (384, 64, 256), (512, 64, 256))
    layers: list[nn.Module] = [nn.Conv2d(3, 64, 3, 2), nn.ReLU(), nn.MaxPool2d(3, 2, ceil_mode=True)]
    for row in (*fires, *rest):
        layers += _fire(*row) if row else [nn.MaxPool2d(3, 2, ceil_mode=True)]
    return nn.Sequential(*layers, nn.Conv2d(512, 1000, 1, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())


def _fire(inputs: int, squeezed: int, expanded: int) -> list[nn.Module]:
    narrow = nn.Sequential(nn.Conv2d(squeezed, expanded, 1), nn.ReLU())
    wide = nn.Sequential(nn.Conv2d(squeezed, expanded, 3, padding=1), nn.ReLU())
    return [nn.Conv2d(inputs, squeezed, 1), nn.ReLU(), Joined(narrow, wide)]


def regnety_400m() -> nn.Module:
    """RegNetY-400MF (Radosavovic et al., CVPR 2020): groups of 8 channels, squeeze and excitation."""
    layers: list[nn.Module] = [unit(3, 32, 3, 2)]
    channels = 32
    for outputs, repeats in ((48, 1), (104, 3), (208, 6), (440, 6)):
        for index in range(repeats):
            stride = 1 if index else 2
            body = nn.Sequential(
                unit(channels, outputs),
                unit(outputs, outputs, 3, stride, groups=outputs // 8),
                Squeeze(outputs, channels // 4, gate=nn.Sigmoid),
                unit(outputs, outputs, 1, 1, None),
            )
            layers.append(Residual(body, _shortcut(channels, outputs, stride), nn.ReLU))
            channels = outputs
    return nn.Sequential(*layers, classifier(channels))
