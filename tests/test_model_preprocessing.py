"""Parameters of torch models as `ttnn.model_preprocessing` makes them, against the models themselves."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

from tt_jax import ttnn  # noqa: E402
from tt_jax.errors import ArgumentError  # noqa: E402
from tt_jax.ttnn import model_preprocessing as preprocessing  # noqa: E402
from tt_jax.ttnn.dot_access import DotAccessDict, make_dot_access_dict  # noqa: E402
from tt_jax.ttnn.model_preprocessing import (  # noqa: E402
    ParameterDict,
    ParameterList,
    infer_ttnn_module_args,
    preprocess_model,
    preprocess_model_parameters,
)

nn = torch.nn
BOTH = (ttnn.TILE_LAYOUT, ttnn.ROW_MAJOR_LAYOUT)


class Block(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        self.query = nn.Linear(width, width)
        self.norm = nn.LayerNorm(width)
        self.activation = nn.GELU()
        self.scale = nn.Parameter(torch.rand(width))

    def forward(self, x):
        return self.activation(self.norm(self.query(x))) * self.scale


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(16, 8)
        self.layer = nn.ModuleList([Block(), Block()])
        self.head = nn.Sequential(nn.Linear(8, 4, bias=False), nn.ReLU(), nn.Linear(4, 2))
        self.register_parameter("steps", nn.Parameter(torch.arange(3, dtype=torch.int32), requires_grad=False))

    def forward(self, ids):
        x = self.words(ids)
        for layer in self.layer:
            x = layer(x)
        return self.head(x)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 4, 3, stride=2, padding=1), nn.ReLU())
        self.pool = nn.MaxPool2d(2)
        self.up = nn.ConvTranspose2d(4, 2, 2, stride=2)

    def forward(self, x):
        return self.up(self.pool(self.stem(x)))


@pytest.fixture
def device():
    device = ttnn.open_device(device_id=0)
    yield device
    ttnn.close_device(device)


def values(tensor):
    return ttnn.to_torch(tensor).float()


def stored(parameter):
    return parameter.detach().to(torch.bfloat16).float()


def test_a_model_becomes_a_tree_of_its_modules():
    model = Model()
    parameters = preprocess_model_parameters(initialize_model=lambda: model)
    assert list(parameters) == ["steps", "words", "layer", "head"] and not model.training
    assert isinstance(parameters, ParameterDict) and isinstance(parameters.layer, ParameterList) and len(parameters.layer) == 2
    assert set(parameters.layer[0]) == {"query", "norm", "scale"}  # the GELU has no parameters
    assert set(parameters.head) == {0, 2} and "bias" not in parameters.head[0]

    query, torch_query = parameters.layer[1].query, model.layer[1].query
    assert torch.equal(values(query.weight), stored(torch_query.weight).T)
    assert torch.equal(values(query["bias"]), stored(torch_query.bias)[None])
    assert torch.equal(values(parameters.layer[0].norm.weight), stored(model.layer[0].norm.weight)[None])
    assert torch.equal(values(parameters.words.weight), stored(model.words.weight))
    assert torch.equal(values(parameters.layer[0].scale), stored(model.layer[0].scale))

    form = lambda tensor: (tensor.layout, tensor.dtype, tensor.device())
    assert form(query.weight) == form(query.bias) == (ttnn.TILE_LAYOUT, ttnn.bfloat16, None)
    assert form(parameters.words.weight) == form(parameters.layer[0].scale) == (ttnn.ROW_MAJOR_LAYOUT, ttnn.bfloat16, None)
    assert form(parameters.steps) == (ttnn.ROW_MAJOR_LAYOUT, ttnn.int32, None)
    assert parameters.steps.to_list() == [0, 1, 2]


def test_parameters_on_a_device_compute_what_the_model_does(device):
    model = nn.Sequential(nn.Linear(32, 64), nn.Linear(64, 32))
    parameters = preprocess_model_parameters(initialize_model=lambda: model, device=device)
    x = torch.rand(1, 32, 32)
    y = ttnn.from_torch(x, dtype=ttnn.bfloat16, layout=ttnn.TILE_LAYOUT, device=device)
    for layer in (parameters[0], parameters[1]):
        y = ttnn.linear(y, layer.weight, bias=layer.bias)
    expected, actual = model(x).detach().numpy(), ttnn.to_torch(y).float().numpy()
    assert np.linalg.norm(actual - expected) / np.linalg.norm(expected) < 0.02


def test_convert_to_ttnn_says_which_parameters_stay_torchs():
    model, names = Model(), []

    def convert(module, name):
        names.append(name)
        return not name.startswith("bert.layer.1") and not isinstance(module, nn.Embedding)

    parameters = preprocess_model_parameters(initialize_model=lambda: model, convert_to_ttnn=convert, prefix="bert")
    assert {"bert", "bert.words", "bert.layer.0.query", "bert.layer.1", "bert.layer.1.norm", "bert.head.2"} <= set(names)
    assert isinstance(parameters.layer[0].query.weight, ttnn.Tensor)
    assert torch.equal(parameters.layer[1].query.weight, model.layer[1].query.weight.T)
    assert parameters.layer[1].query.bias is model.layer[1].query.bias
    assert parameters.layer[1].norm.weight is model.layer[1].norm.weight
    assert parameters.layer[1].scale is model.layer[1].scale and parameters.words.weight is model.words.weight


def test_a_custom_preprocessor_goes_first():
    model, asked = Model(), []

    def custom(module, name, ttnn_module_args, convert_to_ttnn):
        asked.append(name)
        assert ttnn_module_args is None and convert_to_ttnn(module, name)
        if isinstance(module, Block):
            return {"fused": {"weight": ttnn.from_torch(module.query.weight)}}
        return {}

    parameters = preprocess_model_parameters(initialize_model=lambda: model, custom_preprocessor=custom)
    assert set(parameters.layer[0]) == {"fused"} and isinstance(parameters.layer[0].fused, ParameterDict)
    assert parameters.layer[0].fused.weight.dtype is ttnn.float32
    assert isinstance(parameters.head[2].weight, ttnn.Tensor) and "layer.0" in asked and "layer.0.query" not in asked


def test_the_rest_of_a_custom_module():
    model = Block()

    def custom(module, name, convert_to_ttnn):
        if not isinstance(module, Block):
            return None
        return preprocessing.preprocess_remaining_children_and_parameters(
            *(module, name, convert_to_ttnn, custom, {"query": 1}, None), already_preprocessed_children={"query"}
        )

    parameters = preprocess_model_parameters(initialize_model=lambda: model, custom_preprocessor=custom)
    assert parameters.query == 1 and torch.equal(values(parameters.scale), stored(model.scale))
    assert torch.equal(values(parameters.norm.bias), stored(model.norm.bias)[None]) and parameters.activation == {}


def test_single_parameters():
    weight, bias = torch.rand(3, 5), torch.rand(3)
    for layout in BOTH:
        made = preprocessing.preprocess_linear_weight(weight, dtype=ttnn.float32, layout=layout)
        assert torch.equal(ttnn.to_torch(made), weight.T) and made.layout is layout
        made = preprocessing.preprocess_linear_bias(bias, dtype=ttnn.float32, layout=layout, weights_mesh_mapper=None)
        assert torch.equal(ttnn.to_torch(made), bias[None]) and made.layout is layout
        made = preprocessing.preprocess_layernorm_parameter(bias, dtype=ttnn.float32, layout=layout)
        assert torch.equal(ttnn.to_torch(made), bias[None]) and made.layout is layout
    assert preprocessing.preprocess_linear_weight(weight, dtype=ttnn.bfloat8_b).dtype is ttnn.bfloat8_b
    conv = nn.Conv2d(2, 4, 3)
    parameters = preprocessing.preprocess_conv2d(conv.weight, conv.bias, {"weights_dtype": ttnn.float32})
    assert torch.equal(ttnn.to_torch(parameters.weight), conv.weight) and tuple(parameters.bias.shape) == (1, 1, 1, 4)
    assert "bias" not in preprocessing.preprocess_conv2d(conv.weight, None, {})


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("affine", [True, False])
def test_a_folded_batch_norm_is_the_convolution_followed_by_it(bias, affine):
    conv, bn = nn.Conv2d(3, 4, 3, bias=bias), nn.BatchNorm2d(4, affine=affine).eval()
    bn.running_mean.normal_()
    bn.running_var.uniform_(0.5, 2.0)
    if affine:
        nn.init.normal_(bn.weight)
        nn.init.normal_(bn.bias)
    x = torch.rand(2, 3, 6, 6)
    torch.testing.assert_close(nn.functional.conv2d(x, *preprocessing.fold_batch_norm2d_into_conv2d(conv, bn)), bn(conv(x)))


def test_module_args_are_found_by_running_the_model():
    model = Net()
    args = infer_ttnn_module_args(model=model, run_model=lambda m: m(torch.rand(2, 3, 16, 12)), device=None)
    conv = args.stem[0]
    assert conv is args.stem["0"] and conv.kernel_size == (3, 3) and conv.stride == (2, 2) and conv.padding == (1, 1)
    assert (conv.in_channels, conv.out_channels, conv.groups, conv.dilation) == (3, 4, 1, (1, 1))
    assert (conv.batch_size, conv.input_height, conv.input_width, conv.dtype) == (2, 16, 12, ttnn.bfloat16)
    assert (args.pool.kernel_size, args.pool.input_height, args.pool["input_width"]) == (2, 8, 6)
    assert (args.up.input_height, args.up.output_padding) == (4, (0, 0)) and args.stem[1] == {}
    assert not any(module._forward_pre_hooks for module in model.modules())
    assert infer_ttnn_module_args(model=model, run_model=None, device=None) is None
    alone = infer_ttnn_module_args(model=model.pool, run_model=lambda m: m(torch.rand(1, 3, 4, 6)), device=None)
    assert isinstance(alone, preprocessing.MaxPool2dArgs) and alone.input_width == 6


def test_a_run_gives_parameters_their_module_args():
    parameters = preprocess_model(initialize_model=Net, run_model=lambda m: m(torch.rand(2, 3, 16, 12)))
    assert parameters.stem[0].ttnn_module_args.input_height == 16 and "device" not in parameters.stem[0].ttnn_module_args
    assert parameters.pool.ttnn_module_args.input_height == 8
    assert tuple(parameters.stem[0].weight.shape) == (4, 3, 3, 3)


def test_containers():
    parameters = preprocessing.make_parameter_dict({"a": {"b": 1}, "args": preprocessing.Conv2dArgs(stride=2)})
    assert parameters.a.b == 1 and isinstance(parameters.a, ParameterDict) and type(parameters.args) is preprocessing.Conv2dArgs
    assert preprocessing.make_parameter_dict(parameters) is parameters
    del parameters.a
    parameters.c = 2
    assert dict(parameters) == {"args": {"stride": 2}, "c": 2}
    listed = ParameterList([1, 2])
    assert 1 in listed and 2 not in listed
    nested = make_dot_access_dict({"x": {"y": 1}, "args": parameters.args}, ignore_types=(preprocessing.ModuleArgs,))
    assert nested.x.y == 1 and nested.args is parameters.args and isinstance(nested.x, DotAccessDict)


def test_printing():
    parameters = ParameterDict(
        layer=ParameterList([ParameterDict(weight=ttnn.from_torch(torch.zeros(2, 3)))]),
        scale=torch.ones(2),
        none=ParameterDict(),
    )
    assert "".join(repr(parameters).split()) == "".join(
        f"{{layer:[{{weight:ttnn.Tensor(shape={ttnn.Shape((2, 3))},layout={ttnn.ROW_MAJOR_LAYOUT},dtype={ttnn.float32}),}},],"
        "scale:torch.Tensor(shape=(2,),dtype=torch.float32),none:{},}".split()
    )


def test_move_to_device(device):
    torch_tensor = torch.ones(2)
    parameters = ParameterDict(a=ParameterList([ttnn.from_torch(torch.zeros(2, 3))]), b=torch_tensor)
    assert preprocessing.move_to_device(parameters, device) is parameters
    assert parameters.a[0].device() is device and parameters.b is torch_tensor


class WithMore(nn.Linear):
    def __init__(self):
        super().__init__(2, 2)
        self.extra = nn.Parameter(torch.zeros(2))


ERRORS = {
    "no model": ("initialize_model", lambda: preprocess_model_parameters(model_name="bert")),
    "more than a Linear": ("WithMore '' has extra", lambda: preprocess_model_parameters(initialize_model=WithMore)),
    "signature": (
        r"takes \(model\)",
        lambda: preprocess_model_parameters(initialize_model=Block, custom_preprocessor=lambda model: {}),
    ),
    "unknown parameter": (
        "model, name, size",
        lambda: preprocess_model_parameters(initialize_model=Block, custom_preprocessor=lambda model, name, size: {}),
    ),
    "no statistics": (
        "track_running_stats",
        lambda: preprocessing.fold_batch_norm2d_into_conv2d(nn.Conv2d(1, 1, 1), nn.BatchNorm2d(1, track_running_stats=False)),
    ),
    "rank": ("out, in", lambda: preprocessing.preprocess_linear_weight(torch.zeros(2), dtype=ttnn.bfloat16)),
}


@pytest.mark.parametrize("match, call", ERRORS.values(), ids=ERRORS)
def test_errors(match, call):
    with pytest.raises(ArgumentError, match=match):
        call()


def test_a_missing_parameter_is_named():
    with pytest.raises(AttributeError, match="has no 'weigth': it has weight, bias"):
        ParameterDict(weight=1, bias=2).weigth  # noqa: B018
