"""`ttnn.CONFIG`: settings of the process."""

import dataclasses
import pathlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tt_jax.ttnn import hooks
from tt_jax.ttnn._derive import interceptors


def _comparison(operation: Any, args: Any, kwargs: Any, proceed: Callable[..., Any]) -> Any:
    return hooks.compare(operation, args, kwargs, proceed, CONFIG)


@dataclasses.dataclass
class Config:
    """What can be set; the names are ttnn's. Those that choose what the real library logs or caches are kept and do nothing.

    Attributes:
        enable_comparison_mode: compare every operation with its golden function in float32 (needs torch).
        comparison_mode_pcc: the least Pearson correlation that passes.
        comparison_mode_should_raise_exception: raise ComparisonError below it, else log.
    """

    cache_path: pathlib.Path = pathlib.Path.home() / ".cache" / "tt_jax"
    model_cache_path: pathlib.Path = pathlib.Path.home() / ".cache" / "tt_jax" / "models"
    tmp_dir: pathlib.Path = pathlib.Path("/tmp/tt_jax")
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
    root_report_path: pathlib.Path = pathlib.Path("generated/ttnn/reports")
    report_name: str | None = None

    @property
    def report_path(self) -> pathlib.Path | None:
        """Where reports go; None without a `report_name`."""
        return None if self.report_name is None else self.root_report_path / self.report_name

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in {field.name for field in dataclasses.fields(self)}:
            raise AttributeError(f"CONFIG has no setting {name!r}; there are {', '.join(f.name for f in dataclasses.fields(self))}")
        object.__setattr__(self, name, value)
        if name == "enable_comparison_mode":
            if _comparison in interceptors:
                interceptors.remove(_comparison)
            if value:
                interceptors.append(_comparison)


CONFIG = Config()


@contextmanager
def manage_config(name: str, value: Any) -> Iterator[None]:
    """Set `CONFIG.name` for a `with` block."""
    before = getattr(CONFIG, name)
    setattr(CONFIG, name, value)
    try:
        yield
    finally:
        setattr(CONFIG, name, before)
