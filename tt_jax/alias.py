"""Plain `import ttnn`, answered by `tt_jax.ttnn`."""

import importlib
import importlib.abc
import importlib.machinery
import sys
from collections.abc import Sequence
from types import ModuleType

_ALIAS, _TARGET = "ttnn", "tt_jax.ttnn"


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds `ttnn` and `ttnn.x` as the modules `tt_jax.ttnn` and `tt_jax.ttnn.x` themselves, not as copies."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name != _ALIAS and not name.startswith(_ALIAS + "."):
            return None
        real = _TARGET + name[len(_ALIAS) :]
        if importlib.util.find_spec(real) is None:
            return None
        return importlib.machinery.ModuleSpec(name, self)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        module = importlib.import_module(_TARGET + spec.name[len(_ALIAS) :])
        self._spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self._spec  # importlib has put the alias's there: the module is what it was


def install() -> None:
    """From now on `import ttnn` gives `tt_jax.ttnn`. Raises ImportError if another ttnn is imported already."""
    import tt_jax.ttnn

    loaded = sys.modules.get(_ALIAS)
    if loaded is not None and loaded is not tt_jax.ttnn:
        raise ImportError(f"another ttnn is imported already, from {loaded.__file__}: install the alias before it")
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())
