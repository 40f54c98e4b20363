"""What the examples share: accuracy figures, aligned tables, a log of L1, arguments, and errors told in one line."""

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

import tt_jax as tt

ACCURACY_COLUMNS = ("PCC", "relative error", "mean ratio")
ACCURACY_LEGEND = """\
  PCC: Pearson correlation. Relative error: |y - ref| / |ref|, Frobenius norms. Mean ratio: sum |y| / sum |ref|,
  which shows a bias in scale, as PCC can't. None has a unit."""
FIDELITIES = {fidelity.name.lower(): fidelity for fidelity in tt.MathFidelity}
DTYPES = {dtype.kernel_name: dtype for dtype in (tt.bfloat16, tt.bfloat8_b, tt.bfloat4_b)}
PLACES = {"l1": tt.L1_MEMORY_CONFIG, "dram": tt.DRAM_MEMORY_CONFIG}


class Accuracy(NamedTuple):
    """Figures of an array against its reference; `ACCURACY_LEGEND` says what they are."""

    pcc: float
    relative_error: float
    mean_ratio: float

    @classmethod
    def of(cls, y: ArrayLike, reference: ArrayLike) -> "Accuracy":
        """Computed in float64 over all elements."""
        y, reference = (np.asarray(array, np.float64).ravel() for array in (y, reference))
        return cls(
            pcc=float(np.corrcoef(y, reference)[0, 1]),
            relative_error=float(np.linalg.norm(y - reference) / np.linalg.norm(reference)),
            mean_ratio=float(np.abs(y).sum() / np.abs(reference).sum()),
        )

    def cells(self) -> tuple[str, str, str]:
        """The figures as text, for a row of a table."""
        return f"{self.pcc:.6f}", f"{self.relative_error:.4f}", f"{self.mean_ratio:.4f}"


class StepLog:
    """A `step` callback that keeps what each step made, its address, and how L1 stood after it. Sizes in bytes per bank."""

    def __init__(self) -> None:
        self._rows: list[tuple[str, tt.TensorSpec | None, tt.Buffer | None, tt.MemoryView]] = []

    def __call__(self, name: str, memory: tt.MemoryState, tensor: tt.Tensor | None) -> None:
        spec, buffer = (None, None) if tensor is None else (tensor.spec, tensor.buffer)
        self._rows.append((name, spec, buffer, memory.view(tt.BufferType.L1)))

    def peak(self) -> int:
        """The most that was allocated in L1 after a step."""
        return max(view.total_bytes_allocated_per_bank for *_, view in self._rows)

    def addresses(self) -> list[list[str | int]]:
        """`[step, address, size]` of each tensor."""
        return [[name, buffer.address, buffer.size] for name, _, buffer, _ in self._rows if buffer]

    def table(self, what: str) -> str:
        """A line per step; deallocations have no tensor."""
        lines = []
        for name, spec, buffer, view in self._rows:
            made = ("", "", "", "")
            if spec is not None and buffer is not None:
                made = ("x".join(map(str, spec.shape)), spec.dtype.kernel_name, f"{buffer.address}", f"{buffer.size:,}")
            used, hole = view.total_bytes_allocated_per_bank, view.largest_contiguous_bytes_free_per_bank
            lines.append((name, *made, f"{used:,}", f"{hole:,}"))
        l1 = self._rows[0][-1]
        title = f"{what}: L1, {l1.num_banks} banks of {l1.total_bytes_per_bank:,} B; sizes in bytes per bank"
        return table(title, ("step", "tensor", "dtype", "address", "size", "allocated", "largest free"), lines, text_columns=3)


def table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]], *, text_columns: int = 1) -> str:
    """Aligned columns under `title`: the first `text_columns` to the left; the others, numbers, to the right."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    lines = [title]
    for row in (header, *rows):
        cells = [c.ljust(w) if i < text_columns else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True))]
        lines.append("  " + "  ".join(cells).rstrip())
    return "\n".join(lines)


def whole_tiles(length: int) -> int:
    """`length` rounded up to a multiple of a tile's side."""
    return -(-length // tt.TILE_SIZE) * tt.TILE_SIZE


def positive(kind: Callable[[str], Any]) -> Callable[[str], Any]:
    """What reads an argument as a `kind` of number, int or float, above 0."""

    def parsed(text: str) -> Any:
        if not (value := kind(text)) > 0:
            raise ValueError
        return value

    parsed.__name__ = f"positive {kind.__name__}"  # what argparse calls it
    return parsed


def device_parser(description: str) -> argparse.ArgumentParser:
    """A parser that has `--device` already."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=tt.PROFILES, default="n150", help="n150 by default")
    return parser


def compute_config(device: tt.DeviceProfile, fidelity: tt.MathFidelity | None) -> tt.ComputeKernelConfig | None:
    """A matmul's own arithmetic on `device`, but for its fidelity; None, for the device's choice, stays None."""
    if fidelity is None:
        return None
    return tt.ComputeKernelConfig(fidelity, math_approx_mode=False, packer_l1_acc=device.arch != "grayskull")


def run(main: Callable[[], None]) -> None:
    """Run `main`; an error of the library ends the process with status 1 and one line on stderr."""
    try:
        main()
    except tt.TTError as error:
        sys.exit(f"{type(error).__name__}: {error}")
