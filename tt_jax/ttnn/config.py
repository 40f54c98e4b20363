"""`ttnn.CONFIG`: settings of the process."""

import dataclasses
import json
import os
import pathlib
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import tt_jax.ttnn as ttnn
from tt_jax.errors import NotModelledError
from tt_jax.ttnn import hooks
from tt_jax.ttnn._derive import interceptors
from tt_jax.ttnn.tensor import tensors_in


def _comparison(operation: Any, args: Any, kwargs: Any, proceed: Callable[..., Any]) -> Any:
    if not ttnn.CONFIG.enable_comparison_mode:
        return proceed(args, kwargs)
    if any(x._storage.device is not None and x._storage.device.mesh.size > 1 for x in tensors_in((args, kwargs))):
        raise NotModelledError(
            "comparison mode compares the tensors of one chip: switch CONFIG.enable_comparison_mode off on a mesh"
        )
    return hooks.compare(operation, args, kwargs, proceed, ttnn.CONFIG)


@dataclasses.dataclass(init=False)
class Config:
    """What can be set; the names are ttnn's. Those that choose what the real library logs or caches are kept and do nothing.

    `Config(other)` is a copy, `Config(**settings)` the defaults but for those.

    Attributes:
        enable_comparison_mode: compare every operation with its golden function in float32 (needs torch).
        comparison_mode_pcc: the least Pearson correlation that passes.
        comparison_mode_should_raise_exception: raise ComparisonError below it, else log.
    """

    cache_path: pathlib.Path = pathlib.Path.home() / ".cache" / "tt_jax"
    model_cache_path: pathlib.Path = pathlib.Path.home() / ".cache" / "tt_jax" / "models"
    tmp_dir: pathlib.Path = pathlib.Path(tempfile.gettempdir()) / "tt_jax"
    enable_model_cache: bool = False
    enable_fast_runtime_mode: bool = True
    throw_exception_on_fallback: bool = False
    enable_logging: bool = False
    enable_graph_report: bool = False
    enable_detailed_buffer_report: bool = False
    enable_detailed_tensor_report: bool = False
    enable_comparison_mode: bool = False
    comparison_mode_should_raise_exception: bool = False
    comparison_mode_pcc: float = 0.9999
    root_report_path: pathlib.Path = pathlib.Path("generated") / "ttnn" / "reports"
    report_name: str | None = None

    def __init__(self, other: "Config | None" = None, **settings: Any):
        for field in dataclasses.fields(self):
            setattr(self, field.name, getattr(other, field.name) if other is not None else field.default)
        for name, value in settings.items():
            setattr(self, name, value)

    @property
    def report_path(self) -> pathlib.Path | None:
        """Where reports go; None without a `report_name`."""
        return None if self.report_name is None else self.root_report_path / self.report_name

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in {field.name for field in dataclasses.fields(self)}:
            raise AttributeError(
                f"CONFIG has no setting {name!r}; there are {', '.join(f.name for f in dataclasses.fields(self))}"
            )
        object.__setattr__(self, name, value)
        if name == "enable_comparison_mode" and value and _comparison not in interceptors:
            interceptors.append(_comparison)


CONFIG = Config()


@contextmanager
def manage_config(name: str, value: Any) -> Iterator[None]:
    """Set `CONFIG.name` for a `with` block."""
    before = getattr(ttnn.CONFIG, name)
    setattr(ttnn.CONFIG, name, value)
    try:
        yield
    finally:
        setattr(ttnn.CONFIG, name, before)


def load_config_from_dictionary(config: dict[str, Any], from_file: bool = False) -> Config:
    """Set what `config` names, and return the settings. Raises AttributeError for an unknown name."""
    for name, value in config.items():
        setattr(ttnn.CONFIG, name, pathlib.Path(value) if name.endswith(("_path", "_dir")) else value)
    return ttnn.CONFIG


def load_config_from_json_file(path: str | pathlib.Path) -> Config:
    """As `load_config_from_dictionary`, from a file."""
    return load_config_from_dictionary(json.loads(pathlib.Path(path).read_text()), from_file=True)


def save_config_to_json_file(path: str | pathlib.Path) -> None:
    """Write the settings to a file."""
    settings = {
        name: value if isinstance(value, bool | float | None) else str(value) for name, value in vars(ttnn.CONFIG).items()
    }
    pathlib.Path(path).write_text(json.dumps(settings, indent=2))


CONFIG_PATH: str | None = os.environ.get("TTNN_CONFIG_PATH")
CONFIG_OVERRIDES: str | None = os.environ.get("TTNN_CONFIG_OVERRIDES")
