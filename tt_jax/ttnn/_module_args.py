"""What the convolutions and pools of a torch model are called with, found by running it (`infer_ttnn_module_args`)."""

from collections.abc import Callable
from typing import Any

from tt_jax.compute import MathFidelity
from tt_jax.dtypes import bfloat16
from tt_jax.ttnn._torch import torch_module
from tt_jax.ttnn.dot_access import DotAccessDict, make_dot_access_dict


class ModuleArgs(DotAccessDict):
    """The arguments of one layer's operation."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{key}={value}' for key, value in self.items())})"


class Conv1dArgs(ModuleArgs):
    """Of a Conv1d: as Conv2dArgs, with `input_length`."""


class Conv2dArgs(ModuleArgs):
    """Of a Conv2d: its hyperparameters, and `batch_size`, `input_height` and `input_width` of the input it was called with."""


class ConvTranspose2dArgs(ModuleArgs):
    """Of a ConvTranspose2d: as Conv2dArgs, with `output_padding`."""


class MaxPool2dArgs(ModuleArgs):
    """Of a MaxPool2d: kernel, stride, padding, dilation, and the input's batch size, height and width."""


class AvgPool2dArgs(ModuleArgs):
    """Of an AvgPool2d: kernel, stride, padding, and the input's batch size, height and width."""


class UpsampleArgs(ModuleArgs):
    """Of an Upsample: scale factor, mode, and the input's batch size, height and width."""


_CONVOLUTION = ("in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation", "groups", "padding_mode")
_KINDS: dict[str, tuple[type[ModuleArgs], tuple[str, ...]]] = {
    "Conv1d": (Conv1dArgs, _CONVOLUTION),
    "Conv2d": (Conv2dArgs, _CONVOLUTION),
    "ConvTranspose2d": (ConvTranspose2dArgs, (*_CONVOLUTION[:5], "output_padding", *_CONVOLUTION[5:])),
    "MaxPool2d": (MaxPool2dArgs, ("kernel_size", "stride", "padding", "dilation", "ceil_mode")),
    "AvgPool2d": (AvgPool2dArgs, ("kernel_size", "stride", "padding", "ceil_mode", "count_include_pad")),
    "Upsample": (UpsampleArgs, ("scale_factor", "mode")),
}


def _args_of(module: Any, shape: tuple[int, ...], device: Any) -> ModuleArgs | None:
    nn = torch_module().nn
    for name, (kind, attributes) in _KINDS.items():
        if not isinstance(module, getattr(nn, name)):
            continue
        args = kind({attribute: getattr(module, attribute) for attribute in attributes}, dtype=bfloat16)
        args["batch_size"] = shape[0]
        if name == "Conv1d":
            args["input_length"] = shape[-1]
        else:
            args["input_height"], args["input_width"] = shape[-2:]
        if name.startswith("Conv"):
            args |= {"math_fidelity": MathFidelity.HiFi4, "weights_dtype": bfloat16, "device": device}
        return args
    return None


def infer_ttnn_module_args(*, model: Any, run_model: Callable[[Any], Any] | None, device: Any) -> Any:
    """The arguments of every convolution, pool and upsampling layer of a torch `model`, in a tree like its modules.

    `run_model(model)` is called once, and each layer's arguments are those of its last call: `args.block[0].conv.input_height`.
    A child named by a number is found by the number and by its digits. Modules that did not run are left out; None if there is no
    `run_model`.
    """
    if run_model is None:
        return None
    shapes: dict[str, tuple[int, ...]] = {}
    modules = dict(model.named_modules(remove_duplicate=False))

    def recorder(name: str) -> Callable[..., None]:
        def record(module: Any, arguments: tuple[Any, ...], options: dict[str, Any]) -> None:
            tensors = [value for value in (*arguments, *options.values()) if torch_module().is_tensor(value)]
            shapes[name] = tuple(tensors[0].shape) if tensors else ()

        return record

    hooks = [module.register_forward_pre_hook(recorder(name), with_kwargs=True) for name, module in modules.items()]
    try:
        with torch_module().no_grad():
            run_model(model)
    finally:
        for hook in hooks:
            hook.remove()

    own = _args_of(model, shapes.get("", ()), device) if "" in shapes else None
    if own is not None:
        return own
    tree: dict[Any, Any] = {}
    for name, shape in shapes.items():
        if name:
            *path, last = name.split(".")
            branch = tree
            for part in path:
                branch = branch.setdefault(part, {})
            args = _args_of(modules[name], shape, device)
            branch[last] = branch.get(last, {}) if args is None else args
    return make_dot_access_dict(_numbered(tree), ignore_types=(ModuleArgs,))


def _numbered(tree: dict[Any, Any]) -> dict[Any, Any]:
    """`tree`, in which a child named "0" is found by 0 too."""
    result: dict[Any, Any] = {}
    for key, value in tree.items():
        result[key] = value if isinstance(value, ModuleArgs) else _numbered(value)
        if key.isdigit():
            result[int(key)] = result[key]
    return result
