"""Parameters of torch models, made ready for the device (`ttnn.model_preprocessing`)."""

import inspect
from collections.abc import Callable, Iterable
from typing import Any

import tt_jax.ttnn as ttnn
from tt_jax.dtypes import DataType, bfloat16, int32, uint8, uint16, uint32
from tt_jax.errors import ArgumentError
from tt_jax.layout import Layout
from tt_jax.ops import model_preprocessing as functional
from tt_jax.ttnn._derive import derive_creation
from tt_jax.ttnn._module_args import AvgPool2dArgs as AvgPool2dArgs
from tt_jax.ttnn._module_args import Conv1dArgs as Conv1dArgs
from tt_jax.ttnn._module_args import Conv2dArgs as Conv2dArgs
from tt_jax.ttnn._module_args import ConvTranspose2dArgs as ConvTranspose2dArgs
from tt_jax.ttnn._module_args import MaxPool2dArgs as MaxPool2dArgs
from tt_jax.ttnn._module_args import ModuleArgs as ModuleArgs
from tt_jax.ttnn._module_args import infer_ttnn_module_args as infer_ttnn_module_args
from tt_jax.ttnn._torch import torch_module
from tt_jax.ttnn.dot_access import DotAccessDict

Convert = Callable[[Any, str], bool]
Preprocessor = Callable[..., dict[Any, Any]]

_linear_weight = derive_creation(
    functional.preprocess_linear_weight, "ttnn.model_preprocessing.preprocess_linear_weight", ("weight",)
)
_linear_bias = derive_creation(functional.preprocess_linear_bias, "ttnn.model_preprocessing.preprocess_linear_bias", ("bias",))


# -- one parameter --------------------------------------------------------------------------------------------------------------
def preprocess_linear_weight(
    weight: Any, *, dtype: DataType, layout: Layout = Layout.TILE, weights_mesh_mapper: Any = None, mesh_mapper: Any = None
) -> Any:
    """A linear layer's weight `[out, in]` as a host tensor `[in, out]`, or its part on each chip as the mesh mapper says."""
    whole = _linear_weight(_array(weight), dtype=dtype, layout=layout)
    return _spread(whole, weight.T, weights_mesh_mapper or mesh_mapper, dtype, layout)


def preprocess_linear_bias(
    bias: Any, *, dtype: DataType, layout: Layout = Layout.TILE, weights_mesh_mapper: Any = None, mesh_mapper: Any = None
) -> Any:
    """A linear layer's bias `[out]` as a host tensor `[1, out]`, or its part on each chip as the mesh mapper says."""
    whole = _linear_bias(_array(bias.reshape(-1)), dtype=dtype, layout=layout)
    return _spread(whole, bias.reshape(1, -1), weights_mesh_mapper or mesh_mapper, dtype, layout)


def _spread(whole: Any, source: Any, mapper: Any, dtype: DataType, layout: Layout) -> Any:
    return whole if mapper is None else ttnn.from_torch(source, dtype=dtype, layout=layout, mesh_mapper=mapper)


def preprocess_layernorm_parameter(parameter: Any, *, dtype: DataType, layout: Layout = Layout.TILE) -> Any:
    """A layer norm's weight or bias as a host tensor `[1, features]`."""
    return ttnn.from_torch(parameter.reshape(1, -1), dtype=dtype, layout=layout)


def preprocess_embedding_weight(weight: Any, *, dtype: DataType) -> Any:
    """An embedding's table as a ROW_MAJOR host tensor `[entries, features]`."""
    return ttnn.from_torch(weight, dtype=dtype, layout=Layout.ROW_MAJOR)


def preprocess_conv2d(weight: Any, bias: Any, ttnn_module_args: dict[str, Any]) -> "ParameterDict":
    """A convolution's weight `[out, in / groups, h, w]` and bias `[1, 1, 1, out]` as ROW_MAJOR host tensors of `weights_dtype`."""
    dtype = ttnn_module_args.get("weights_dtype", bfloat16)
    parameters = ParameterDict(weight=ttnn.from_torch(weight, dtype=dtype))
    if bias is not None:
        parameters["bias"] = ttnn.from_torch(bias.reshape(1, 1, 1, -1), dtype=dtype)
    return parameters


def fold_batch_norm2d_into_conv2d(conv: Any, bn: Any) -> tuple[Any, Any]:
    """Weight and bias of the one convolution that does what `conv` and then `bn` do, with `bn`'s running statistics.

    Raises ArgumentError where `bn` tracks none.
    """
    if not bn.track_running_stats:
        raise ArgumentError(
            "fold_batch_norm2d_into_conv2d: the BatchNorm2d keeps no running statistics: track_running_stats=True"
        )
    scale = (1 if bn.weight is None else bn.weight) / torch_module().sqrt(bn.running_var + bn.eps)
    shift = (0 if bn.bias is None else bn.bias) - bn.running_mean * scale
    return conv.weight * scale[:, None, None, None], shift if conv.bias is None else shift + conv.bias * scale


def _array(tensor: Any) -> Any:
    return ttnn.conversion._as_source("preprocess", tensor)


# -- trees of parameters --------------------------------------------------------------------------------------------------------
class ParameterDict(DotAccessDict):
    """A module's parameters and children: `parameters.attention.query.weight`, `parameters["weight"]`, `parameters[0]`."""

    def __repr__(self) -> str:
        return _listed("{", [f"{key}: {_described(value)}" for key, value in self.items()], "}")


class ParameterList(list[Any]):
    """The parameters of a ModuleList's children. `index in parameters` asks for an index, as it does of a ParameterDict's keys."""

    def __contains__(self, index: object) -> bool:
        return isinstance(index, int) and 0 <= index < len(self)

    def __repr__(self) -> str:
        return _listed("[", [_described(value) for value in self], "]")


def _listed(opening: str, items: Iterable[str], closing: str) -> str:
    lines = [line for item in items for line in f"{item},".splitlines()]
    return opening + closing if not lines else "\n".join((opening, *(f"  {line}" for line in lines), closing))


def _described(value: Any) -> str:
    if isinstance(value, ttnn.Tensor):
        return f"ttnn.Tensor(shape={value.shape}, layout={value.layout}, dtype={value.dtype})"
    if hasattr(value, "detach"):
        return f"torch.Tensor(shape={tuple(value.shape)}, dtype={value.dtype})"
    return repr(value)


def make_parameter_dict(dictionary: dict[Any, Any]) -> ParameterDict:
    """`dictionary` as a ParameterDict at every level; module arguments are kept as they are."""
    if isinstance(dictionary, ParameterDict):
        return dictionary
    return ParameterDict(
        {
            key: make_parameter_dict(value) if isinstance(value, dict) and not isinstance(value, ModuleArgs) else value
            for key, value in dictionary.items()
        }
    )


def move_to_device(object: Any, device: Any, memory_config: Any = None) -> Any:
    """A tree of parameters with its ttnn tensors on `device`, changed in place; one tensor too, and whatever else as it is."""
    if isinstance(object, ParameterDict | ParameterList):
        for key, value in list(object.items() if isinstance(object, ParameterDict) else enumerate(object)):
            object[key] = move_to_device(value, device, memory_config)
        return object
    return ttnn.to_device(object, device, memory_config=memory_config) if isinstance(object, ttnn.Tensor) else object


# -- models ---------------------------------------------------------------------------------------------------------------------
def default_preprocessor(model: Any, name: str, ttnn_module_args: Any = None) -> ParameterDict:
    """The parameters of a Linear, LayerNorm or Embedding in the forms that `linear`, `layer_norm` and `embedding` take, in
    bfloat16; nothing for another module."""
    nn = torch_module().nn
    if isinstance(model, nn.Linear):
        parameters = ParameterDict(weight=preprocess_linear_weight(model.weight, dtype=bfloat16))
        if model.bias is not None:
            parameters["bias"] = preprocess_linear_bias(model.bias, dtype=bfloat16)
        return parameters
    if isinstance(model, nn.LayerNorm):
        return ParameterDict(
            {
                key: preprocess_layernorm_parameter(value, dtype=bfloat16)
                for key, value in (("weight", model.weight), ("bias", model.bias))
                if value is not None
            }
        )
    if isinstance(model, nn.Embedding):
        return ParameterDict(weight=preprocess_embedding_weight(model.weight, dtype=bfloat16))
    return ParameterDict()


def _stored(parameter: Any) -> Any:
    """Another module's parameter: ROW_MAJOR, floats in bfloat16, integers in the dtype of their size."""
    torch = torch_module()
    integers = {torch.uint8: uint8, torch.int16: uint16, torch.int32: int32, torch.int64: uint32}
    return ttnn.from_torch(parameter, dtype=integers.get(parameter.dtype, bfloat16))


def _custom(preprocessor: Preprocessor, model: Any, name: str, convert_to_ttnn: Convert, args: Any) -> dict[Any, Any]:
    given = list(inspect.signature(preprocessor).parameters)
    optional = {"ttnn_module_args": args, "convert_to_ttnn": convert_to_ttnn}
    unknown = [parameter for parameter in given[2:] if parameter not in optional]
    if len(given) < 2 or unknown:
        raise ArgumentError(
            f"preprocess_model: `custom_preprocessor` takes (model, name) and, if it likes, {' and '.join(optional)}; "
            f"this one takes ({', '.join(given)})"
        )
    return preprocessor(model, name, **{key: value for key, value in optional.items() if key in given})


def _always(model: Any, name: str) -> bool:
    return True


def convert_torch_model_to_ttnn_model(
    model: Any,
    *,
    convert_to_ttnn: Convert = _always,
    custom_preprocessor: Preprocessor | None = None,
    name: str = "",
    ttnn_module_args: Any = None,
) -> Any:
    """The parameters of `model` and of the modules within it: host tensors, or torch's own where `convert_to_ttnn` says no.

    See `preprocess_model_parameters`. A Linear's weight is transposed in both cases. Modules without parameters are left out.
    """
    descend = lambda child, key, args: convert_torch_model_to_ttnn_model(
        child,
        convert_to_ttnn=convert_to_ttnn,
        custom_preprocessor=custom_preprocessor,
        name=f"{name}.{key}" if name else str(key),
        ttnn_module_args=args,
    )
    args_of = lambda key: None if ttnn_module_args is None else ttnn_module_args.get(key)
    nn = torch_module().nn
    if isinstance(model, nn.ModuleList):
        return ParameterList(descend(child, index, args_of(index)) for index, child in enumerate(model))
    if custom_preprocessor is not None:
        custom = _custom(custom_preprocessor, model, name, convert_to_ttnn, ttnn_module_args)
        if custom:
            return make_parameter_dict(custom)

    own = dict(model.named_parameters(recurse=False))
    if convert_to_ttnn(model, name):
        parameters = default_preprocessor(model, name, ttnn_module_args)
        if parameters:
            left = (own.keys() | dict(model.named_children()).keys()) - parameters.keys()
            if left:
                raise ArgumentError(
                    f"preprocess_model: {type(model).__name__} {name!r} has {', '.join(sorted(left))} besides what its base class "
                    "has: give a custom_preprocessor for it"
                )
            return parameters
        parameters.update((key, _stored(parameter)) for key, parameter in own.items())
    elif isinstance(model, nn.Linear):
        parameters = ParameterDict(own)
        parameters["weight"] = model.weight.T.contiguous()
    else:
        parameters = ParameterDict(own)

    for child_name, child in model.named_children():
        key = int(child_name) if child_name.isdigit() else child_name
        within = descend(child, key, args_of(key))
        if within:
            parameters[key] = within
    return parameters


def merge_ttnn_module_args_into_parameters(parameters: Any, ttnn_module_args: Any) -> Any:
    """`parameters`, with the arguments of each layer that has some as its `ttnn_module_args`."""
    if isinstance(ttnn_module_args, ModuleArgs):
        parameters["ttnn_module_args"] = type(ttnn_module_args)({k: v for k, v in ttnn_module_args.items() if k != "device"})
        return parameters
    for key, args in ttnn_module_args.items():
        if key in parameters:
            merge_ttnn_module_args_into_parameters(parameters[key], args)
        elif isinstance(args, ModuleArgs) and isinstance(parameters, ParameterDict):  # a pool has no parameters
            merge_ttnn_module_args_into_parameters(parameters.setdefault(key, ParameterDict()), args)
    return parameters


def preprocess_model(
    *,
    model_name: str | None = None,
    version: str | None = None,
    initialize_model: Callable[[], Any] | None = None,
    convert_to_ttnn: Convert | None = None,
    custom_preprocessor: Preprocessor | None = None,
    device: Any = None,
    prefix: str | None = "",
    run_model: Callable[[Any], Any] | None = None,
    reader_patterns_cache: dict[Any, Any] | None = None,
) -> Any:
    """As `preprocess_model_parameters`; with `run_model`, each convolution and pool also gets its `ttnn_module_args`."""
    del model_name, version, reader_patterns_cache
    if initialize_model is None:
        raise ArgumentError("preprocess_model: `initialize_model` is needed: tt_jax keeps no cache of models to find it in")
    model = initialize_model().eval()
    args = infer_ttnn_module_args(model=model, run_model=run_model, device=device)
    parameters = convert_torch_model_to_ttnn_model(
        model,
        convert_to_ttnn=_always if convert_to_ttnn is None else convert_to_ttnn,
        custom_preprocessor=custom_preprocessor,
        name=prefix or "",
        ttnn_module_args=args,
    )
    if args is not None:
        merge_ttnn_module_args_into_parameters(parameters, args)
    return parameters if device is None else move_to_device(parameters, device)


def preprocess_model_parameters(
    *,
    model_name: str | None = None,
    version: str | None = None,
    initialize_model: Callable[[], Any] | None = None,
    convert_to_ttnn: Convert | None = None,
    custom_preprocessor: Preprocessor | None = None,
    device: Any = None,
    prefix: str | None = "",
    run_model: Callable[[Any], Any] | None = None,
    reader_patterns_cache: dict[Any, Any] | None = None,
) -> Any:
    """The parameters of a torch model as a tree that its modules shape: `parameters.encoder.layer[0].attention.query.weight`.

    Linear: `weight [in, out]` and `bias [1, out]`, TILE. LayerNorm: `[1, features]`, TILE. Embedding: ROW_MAJOR. Another module's
    own parameters: as they are, ROW_MAJOR. Floats are stored in bfloat16. A ModuleList is a ParameterList, a child named by a
    number is found by the number, and modules without parameters are left out. Buffers (running statistics) are not parameters.

    Args:
        initialize_model: makes the model, which is then put into eval mode.
        convert_to_ttnn: `(module, name) -> bool`; where it says False, torch tensors are kept.
        custom_preprocessor: `(module, name) -> dict`, asked first at each module; where it gives anything, that is taken for the
            module and all within it. It may also take `ttnn_module_args` and `convert_to_ttnn`, by name.
        device: where the ttnn tensors go; on the host without one.
        prefix: the name of the model itself, which the names of its modules begin with.
        model_name, version: of ttnn's cache of models; there is none here, and the parameters are made anew.
        run_model: see `preprocess_model`. reader_patterns_cache: of ttnn's old convolutions, unused.

    Raises ArgumentError without `initialize_model`, and where a subclass of Linear, LayerNorm or Embedding has more parameters.
    """
    return preprocess_model(
        model_name=model_name,
        version=version,
        initialize_model=initialize_model,
        convert_to_ttnn=convert_to_ttnn,
        custom_preprocessor=custom_preprocessor,
        device=device,
        prefix=prefix,
        run_model=run_model,
        reader_patterns_cache=reader_patterns_cache,
    )


from_torch = preprocess_model


def preprocess_remaining_children_and_parameters(
    model: Any,
    name: str,
    convert_to_ttnn: Convert,
    custom_preprocessor: Preprocessor | None,
    parameters: dict[Any, Any],
    ttnn_module_args: Any,
    *,
    already_preprocessed_children: Iterable[str],
) -> dict[Any, Any]:
    """`parameters`, to which a custom preprocessor's module has its other children and own parameters added."""
    done = set(already_preprocessed_children)
    for key, parameter in model.named_parameters(recurse=False):
        if key not in done:
            parameters[key] = _stored(parameter) if convert_to_ttnn(model, name) else parameter
    for key, child in model.named_children():
        if key not in done:
            parameters[key] = convert_torch_model_to_ttnn_model(
                child,
                convert_to_ttnn=convert_to_ttnn,
                custom_preprocessor=custom_preprocessor,
                name=f"{name}.{key}" if name else key,
                ttnn_module_args=None if ttnn_module_args is None else ttnn_module_args.get(key),
            )
    return parameters
