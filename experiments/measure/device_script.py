"""What runs on the device: times two networks in turns and prints one JSON line. Needs Python and the runtime only.

It is copied alone to the device and started as `python3 device_script.py job.json`; it imports nothing of this
project. The job: `runtime`, `models` (role to file, beside the job), `shape`, `warmup`, `runs`, `seconds`,
`limit_seconds`.
"""

from __future__ import annotations  # a device may have Python 3.9

import json
import os
import platform
import re
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

Runners = dict[str, Any]
"""A role to a function that runs its network once."""

ROUND = 10
"""Runs of one network before the other has its turn."""


def main(path: str) -> int:
    """Do the job of that file; the exit status."""
    job = json.loads(Path(path).read_text(encoding="utf-8"))
    os.chdir(Path(path).resolve().parent)
    signal.alarm(int(job["limit_seconds"]))  # nothing stays behind when the connection is lost
    core = pin()
    try:
        runners, version = RUNTIMES[job["runtime"]](job["models"], job["shape"])
    except ImportError as error:
        return answer(error=f"{job['runtime']} cannot be imported on the device: {error}")
    for run in runners.values():
        for _ in range(job["warmup"]):
            run()
    before = state(core)
    samples = in_turns(runners, job["runs"], job["seconds"])
    after = state(core)
    facts = {"core": core_name(core), "runtime_version": version, "abi": platform.machine(), **about()}
    states = {f"{name}_{when}": at[name] for when, at in (("before", before), ("after", after)) for name in at}
    return answer(samples_ms=samples, **facts, **states)


def answer(**values: object) -> int:
    """Print the one line."""
    sys.stdout.write("\n" + json.dumps(values) + "\n")
    return 0


def in_turns(runners: Runners, runs: int, seconds: float) -> dict[str, list[float]]:
    """Milliseconds of every run, by role: rounds of each network in turns, until there are enough or time is up."""
    samples: dict[str, list[float]] = {role: [] for role in runners}
    spent = 0.0
    while spent < seconds and min(map(len, samples.values())) < runs:
        for role, run in runners.items():
            run()  # the first run of a round finds the caches full of the other network
            count = min(ROUND, runs - len(samples[role]))
            found = [timed(run) for _ in range(count)]
            samples[role] += found
            spent += sum(found) / 1e3 if role == "candidate" else 0.0
    return samples


def timed(run: Callable[[], object]) -> float:
    """Milliseconds of one run."""
    start = time.perf_counter()
    run()
    return (time.perf_counter() - start) * 1e3


def pin() -> int | None:
    """Keep this process on the fastest core that it may use; its number, or None where the system cannot."""
    if not hasattr(os, "sched_setaffinity"):
        return None
    # Of equal cores the last, for core 0 serves most interrupts.
    core = max(os.sched_getaffinity(0), key=lambda n: (highest_khz(n), n))
    os.sched_setaffinity(0, {core})
    return core


def highest_khz(core: int) -> float:
    """The highest clock of a core, 0 where it is not known."""
    return number(f"/sys/devices/system/cpu/cpu{core}/cpufreq/cpuinfo_max_freq") or 0.0


def core_name(core: int | None) -> str:
    """The core's number, with its highest clock where that is known."""
    if core is None:
        return "not pinned"
    khz = highest_khz(core)
    return f"cpu{core}" + (f" ({khz / 1e3:.0f} MHz)" if khz else "")


def state(core: int | None) -> dict[str, float | None]:
    """Clock and temperature now; None for what the system does not expose."""
    khz = number(f"/sys/devices/system/cpu/cpu{core}/cpufreq/scaling_cur_freq")
    mhz = khz / 1e3 if khz else cpuinfo_mhz(core)
    return {"clock_mhz": mhz, "temperature_c": temperature()}


def cpuinfo_mhz(core: int | None) -> float | None:
    """The clock of a core as /proc/cpuinfo tells it on x86."""
    clocks = re.findall(r"^cpu MHz\s*:\s*([\d.]+)", text("/proc/cpuinfo"), re.M)
    return float(clocks[core]) if core is not None and core < len(clocks) else None


def temperature() -> float | None:
    """Degrees Celsius of the hottest thermal zone of the processor, or of any where none says it is one."""
    zones = {path.parent: text(str(path)) for path in Path("/sys/class/thermal").glob("thermal_zone*/type")}
    chosen = [zone for zone, kind in zones.items() if "cpu" in kind.lower()] or list(zones)
    found = [value for zone in chosen if (value := number(f"{zone}/temp")) is not None]
    return max(found) / 1e3 if found else None


def about() -> dict[str, str]:
    """Name of the machine and of its chip."""
    cpuinfo = text("/proc/cpuinfo")
    named = re.search(r"^(?:Hardware|model name)\s*:\s*(.+)$", cpuinfo, re.M)
    board = text("/proc/device-tree/model").strip("\0\n ")
    return {"device": platform.node(), "soc": board or (named.group(1).strip() if named else platform.processor())}


def text(path: str) -> str:
    """Content of a file, empty where it cannot be read."""
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def number(path: str) -> float | None:
    """The number in a file, or None."""
    try:
        return float(text(path))
    except ValueError:
        return None


def onnxruntime_runners(models: Mapping[str, str], shape: Sequence[int]) -> tuple[Runners, str]:
    """One thread, sequential, CPU provider."""
    numpy, onnxruntime = import_module("numpy"), import_module("onnxruntime")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    feed = {"image": numpy.full(shape, 0.01, dtype=numpy.float32)}

    def runner(file: str) -> Callable[[], object]:
        session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
        return lambda: session.run(None, feed)

    return {role: runner(file) for role, file in models.items()}, onnxruntime.__version__


def ncnn_runners(models: Mapping[str, str], shape: Sequence[int]) -> tuple[Runners, str]:
    """One thread, fp32."""
    numpy, ncnn = import_module("numpy"), import_module("ncnn")
    numbers = numpy.full(shape[1:], 0.01, dtype=numpy.float32)
    image = ncnn.Mat(numbers).clone()  # a Mat does not keep its numbers alive, so they need a name until here

    def runner(file: str) -> Callable[[], object]:
        net = ncnn.Net()
        net.opt.num_threads = 1
        for option in ("use_fp16_packed", "use_fp16_storage", "use_fp16_arithmetic"):
            setattr(net.opt, option, False)
        net.load_param(file)
        net.load_model(file[: -len("param")] + "bin")

        def run() -> object:
            extractor = net.create_extractor()
            extractor.input("in0", image)
            return extractor.extract("out0")

        return run

    return {role: runner(file) for role, file in models.items()}, ncnn.__version__


def torch_runners(models: Mapping[str, str], shape: Sequence[int]) -> tuple[Runners, str]:
    """One thread, TorchScript."""
    torch = import_module("torch")
    torch.set_num_threads(1)
    image = torch.full(shape, 0.01)

    def runner(file: str) -> Callable[[], object]:
        module = torch.jit.load(file)

        def run() -> object:
            with torch.inference_mode():
                return module(image)

        return run

    return {role: runner(file) for role, file in models.items()}, torch.__version__


RUNTIMES = {"onnxruntime": onnxruntime_runners, "ncnn": ncnn_runners, "torch": torch_runners}

if __name__ == "__main__":
    os.environ["OMP_NUM_THREADS"] = "1"
    sys.exit(main(sys.argv[1]))
