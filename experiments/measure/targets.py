"""The one table of ways to a device. Adding one is a class with the members of `Target`, and an entry here."""

from collections.abc import Mapping
from types import MappingProxyType

from experiments.measure.adb import Adb
from experiments.measure.local import Local
from experiments.measure.ssh import Ssh
from experiments.measure.target import Target, TargetOptions
from topformer.errors import InputError

TARGETS: Mapping[str, type[Target]] = MappingProxyType({"local": Local, "ssh": Ssh, "adb": Adb})
"""What stands before the colon of an address, to the way that it names."""


def forms() -> str:
    """How addresses read, as part of a sentence."""
    return ", ".join(target.form for target in TARGETS.values())


def open_target(address: str, options: TargetOptions) -> Target:
    """The way to the device that an address names.

    Raises:
        InputError: No target has such addresses, or the one that has them refuses this one.
    """
    scheme = address.partition(":")[0]
    if scheme not in TARGETS:
        raise InputError(f"device must be {forms()}, got {address!r}")
    return TARGETS[scheme].open(address, options)
