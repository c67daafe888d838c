"""The walk of any nn.Module: its forward pass as Operations, without computing anything."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch._ops import OpOverload
from torch._subclasses.fake_tensor import (
    DataDependentOutputException,
    DynamicOutputShapeException,
    FakeTensorMode,
    UnsupportedOperatorException,
)
from torch.nn.parameter import is_lazy
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from search_space.operations.aten import FREE, SHAPE_ONLY, Call, steps
from search_space.operations.operation import FP32, Operation, Shape
from search_space.operations.recurrent import recurrent
from topformer.errors import InputError, UnknownOperator
from topformer.kinds import Integer
from topformer.schema import check


def walk(model: nn.Module, height: int, width: int, *, channels: int = 3, batch: int = 1) -> tuple[Operation, ...]:
    """The operations of `model` on an image of (batch, channels, height, width), in order of execution.

    The model runs in eval mode on tensors that have a shape and no content, so nothing is computed and the model
    is left as it was. The conventions are those of `search_space.operations.operation`. An operation that this project
    has no rule for is reported as `Kind.UNKNOWN` under its aten name. None is dropped but those whose result the
    output does not depend on, which no deployed graph holds.

    Raises:
        UnknownOperator: What the model does depends on the content of its input, or an operation gives no shape.
        InputError: The model does not run on one input of that shape.
    """
    for name, value in (("height", height), ("width", width), ("channels", channels), ("batch", batch)):
        check(name, value, Integer())
    _check_model(model)
    name = type(model).__name__
    fake = FakeTensorMode(allow_non_fake_inputs=True)
    with _unharmed(model, fake), torch.no_grad(), fake, ExitStack() as stack:
        image = _image(model, (batch, channels, height, width))
        recorder = _CallRecorder(model, image)
        stack.enter_context(_module_paths(model, recorder))
        stack.enter_context(recorder)
        try:
            output = model(image)
        except (DataDependentOutputException, DynamicOutputShapeException) as error:
            where = recorder.path[-1] or name
            raise UnknownOperator(
                f"cannot walk {name}: in {where}, the result of {error.func} decides what happens next"
            ) from error
        except UnsupportedOperatorException as error:
            raise UnknownOperator(f"cannot walk {name}: {error.func} gives no shape without computing") from error
        except (RuntimeError, TypeError, ValueError) as error:
            shape = (batch, channels, height, width)
            raise InputError(f"{name} does not run on an input of shape {shape}: {error}") from error
        needed = recorder.numbers(output)
    return _alive(recorder.steps, needed)


def _check_model(model: nn.Module) -> None:
    """Raises InputError for what cannot be walked, and says what to give instead."""
    if not isinstance(model, nn.Module):
        raise InputError(f"a network must be an nn.Module, got {type(model).__name__}")
    for name, module in model.named_modules():
        where = f"the module {name}" if name else "the network"
        if isinstance(module, torch.jit.ScriptModule):
            raise InputError(
                f"{where} is compiled by torch.jit ({type(module).__name__}), which hides what it does: give the "
                "nn.Module that it was made from"
            )
        if any(is_lazy(tensor) for tensor in (*module._parameters.values(), *module._buffers.values())):
            raise InputError(
                f"{where} is lazy ({type(module).__name__}), its weights have no shape yet: run it on an image first"
            )


def _alive(steps: Sequence[Operation], needed: set[int]) -> tuple[Operation, ...]:
    """The steps whose results the output is made of; what nothing reads, an engine leaves out, such as mean weights."""
    alive = []
    # Backwards: a step is needed where a needed one reads it.
    for step in reversed(steps):
        if step.writes in needed:
            alive.append(step)
            needed.update(step.reads)
    return tuple(reversed(alive))


def _image(model: nn.Module, shape: Shape) -> Tensor:
    """An input of the model's own kind of number, on its own device."""
    like = next((p for p in model.parameters() if p.is_floating_point()), torch.empty(0))
    return torch.empty(shape, dtype=like.dtype, device=like.device)


@contextmanager
def _unharmed(model: nn.Module, fake: FakeTensorMode) -> Iterator[None]:
    """Run the body in eval mode and with weights without content; afterwards every attribute is what it was."""
    saved: list[tuple[dict[str, Any], dict[str, Any]]] = [
        (space, dict(space))
        for module in model.modules()
        for space in (module.__dict__, module._parameters, module._buffers)
    ]
    # The fused attention kernels of torch hide what they do; without them the attention is a row of plain steps.
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        model.eval()
        for space, values in saved:
            space.update({name: fake.from_tensor(value) for name, value in values.items() if isinstance(value, Tensor)})
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
        for space, values in saved:
            space.clear()
            space.update(values)


@contextmanager
def _module_paths(model: nn.Module, recorder: "_CallRecorder") -> Iterator[None]:
    """Keep the dotted path of the module that runs on top of the recorder's; a recurrent layer is one step."""
    with ExitStack() as hooks:
        for name, module in model.named_modules():

            def enter(_module: nn.Module, _inputs: object, name: str = name) -> None:
                recorder.path.append(name)
                recorder.begun.append(len(recorder.steps))

            def leave(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
                begun = recorder.begun.pop()
                if isinstance(module, nn.RNNBase) and isinstance(inputs[0], Tensor):
                    recorder.join(begun, recurrent(module, recorder.path[-1], inputs[0].shape, output[0].shape))
                recorder.path.pop()

            hooks.callback(module.register_forward_pre_hook(enter).remove)
            hooks.callback(module.register_forward_hook(leave).remove)
        yield


class _CallRecorder(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch leaves it untyped
    """Writes down every aten call as steps; tensors are told apart by their storage, so views need no care."""

    def __init__(self, model: nn.Module, image: Tensor) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        self.steps: list[Operation] = []
        self.path: list[str] = [""]
        self.begun: list[int] = []
        self._numbers = {_storage(image): 0}
        self._trained = {_storage(p): frozenset({(_storage(p), p.numel())}) for p in model.parameters()}
        self._unflattened: dict[int, Shape] = {}
        # A storage that is freed gives its address to the next; keeping all of them keeps the addresses unique.
        self._kept = [image]

    def __torch_dispatch__(
        self, func: OpOverload, types: object, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        outputs = [leaf for leaf in tree_leaves(result) if isinstance(leaf, Tensor)]
        if outputs:
            self._kept.extend(outputs)
            self._record(func, args, kwargs or {}, outputs)
        return result

    def numbers(self, output: object) -> set[int]:
        """Numbers of the tensors that the model returned."""
        leaves = [leaf for leaf in tree_leaves(output) if isinstance(leaf, Tensor)]
        return {self._numbers[_storage(leaf)] for leaf in leaves if _storage(leaf) in self._numbers}

    def join(self, begun: int, whole: Operation) -> None:
        """Puts one step in the place of all those from number `begun` on; what they wrote, it writes."""
        joined = self.steps[begun:]
        reads = tuple(dict.fromkeys(number for step in joined for number in step.reads if number <= begun))
        if not joined or not reads:
            return
        self.steps[begun:] = [whole._replace(reads=reads[:1], writes=begun + 1, dtype=joined[0].dtype)]
        self._numbers = {storage: min(number, begun + 1) for storage, number in self._numbers.items()}

    def _record(self, func: OpOverload, args: Sequence[Any], kwargs: Mapping[str, Any], outputs: list[Tensor]) -> None:
        name = func.overloadpacket.__name__.rstrip("_")
        inputs = [leaf for leaf in tree_leaves((args, dict(kwargs))) if isinstance(leaf, Tensor)]
        activations = [tensor for tensor in inputs if _storage(tensor) in self._numbers]
        if not activations or name in SHAPE_ONLY:
            self._constant(inputs, outputs)
        elif func.is_view or name in FREE:
            self._view(activations[0], outputs)
        elif name == "add" and self._adds_bias(inputs):
            self._view(activations[0], outputs)
            self.steps[-1] = self.steps[-1]._replace(
                parameters=self.steps[-1].parameters + sum(map(self._parameters, inputs))
            )
        else:
            self._step(name, args, kwargs, inputs, outputs)

    def _adds_bias(self, inputs: list[Tensor]) -> bool:
        """PyTorch adds the bias of a linear layer in a call of its own where its tokens are a transposed view."""
        last = self.steps[-1] if self.steps else None
        if last is None or last.name != "linear" or len(inputs) != 2:
            return False
        product, bias = inputs
        return self._numbers.get(_storage(product)) == last.writes and tuple(bias.shape) == last.output[-1:]

    def _constant(self, inputs: list[Tensor], outputs: list[Tensor]) -> None:
        """What is made of weights alone is computed once, before deployment: it is a weight itself."""
        trained = frozenset().union(*(self._trained.get(_storage(tensor), frozenset()) for tensor in inputs))
        for output in outputs:
            self._trained.setdefault(_storage(output), trained)

    def _view(self, source: Tensor, outputs: list[Tensor]) -> None:
        number = self._numbers[_storage(source)]
        for output in outputs:
            self._numbers[_storage(output)] = number
            self._matmul_batch(source, output, number)

    def _matmul_batch(self, source: Tensor, output: Tensor, number: int) -> None:
        """PyTorch flattens the batch dimensions around a matrix product; the step keeps the shapes of the call."""
        before, after = tuple(source.shape), tuple(output.shape)
        before = self._unflattened.get(id(source), before)
        if len(after) == 3 and len(before) > 3 and before[-2:] == after[-2:]:
            self._unflattened[id(output)] = before
        last = self.steps[-1] if self.steps else None
        if last and last.writes == number and last.name == "matmul" and after[-2:] == last.output[-2:]:
            self.steps[-1] = last._replace(output=after)

    def _step(
        self, name: str, args: Sequence[Any], kwargs: Mapping[str, Any], inputs: list[Tensor], outputs: list[Tensor]
    ) -> None:
        call = Call(
            name=name,
            args=tuple(args),
            kwargs=kwargs,
            active=tuple(_storage(tensor) in self._numbers for tensor in inputs),
            inputs=tuple(inputs),
            shapes=tuple(self._unflattened.get(id(tensor), tuple(tensor.shape)) for tensor in inputs),
            output=tuple(outputs[0].shape),
        )
        reads = tuple(self._numbers[_storage(t)] for t, active in zip(inputs, call.active, strict=True) if active)
        parameters = sum(self._parameters(t) for t, active in zip(inputs, call.active, strict=True) if not active)
        for step in steps(call, reads, len(self.steps) + 1):
            self.steps.append(step._replace(module=self.path[-1], parameters=parameters, dtype=_format(inputs)))
            # The weights belong to the first of the steps that a call stands for.
            parameters = 0
        for output in outputs:
            self._numbers[_storage(output)] = len(self.steps)

    def _parameters(self, weight: Tensor) -> int:
        """Trained numbers in a weight: of a slice its own, of an expanded one those that it was made from."""
        return min(weight.numel(), sum(size for _, size in self._trained.get(_storage(weight), ())))


def _format(inputs: Sequence[Tensor]) -> str:
    """The first format among the inputs that is not the usual one; whole numbers, which index, say nothing."""
    formats = (str(tensor.dtype).removeprefix("torch.") for tensor in inputs if _computes(tensor))
    return next((name for name in formats if name != FP32), FP32)


def _computes(tensor: Tensor) -> bool:
    return tensor.is_floating_point() or tensor.is_complex() or tensor.is_quantized


def _storage(tensor: Tensor) -> int:
    address: int = tensor.untyped_storage()._cdata
    return address
