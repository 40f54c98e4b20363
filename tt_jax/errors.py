"""What tt_jax raises. Every message names what was asked, what was found, and what to do next."""


class TTError(RuntimeError):
    """Base of every error of the library."""


class NotModelledError(TTError, NotImplementedError):
    """The device can do this and tt_jax cannot, yet."""


class ArgumentError(TTError, ValueError):
    """An argument of an operation does not fit: shape, dtype, layout, or a value out of range."""


class DeallocatedError(TTError):
    """A tensor was used, or freed again, after its buffer had been freed."""


class OutOfMemoryError(TTError):
    """No free block of a bank is large enough."""


class L1ClashError(OutOfMemoryError):
    """A program's static circular buffers would reach into live L1 buffers, or beyond L1."""


class NotInstalledError(TTError, ImportError):
    """An optional package is wanted that is not installed."""
