"""Where a value is written to memory before anything reads it."""

from typing import Any

import jax.numpy as jnp
from jax import Array
from jax.experimental.layout import Layout, with_layout_constraint
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir


def in_memory(x: Array) -> Array:
    """`x`, written out row by row: XLA fuses nothing across, where it would otherwise compute `x` again for each of its readers.

    It is a constraint on the layout, which XLA takes away after fusing and which itself costs nothing (`lax.optimization_barrier` it
    takes away before, on CPUs). Where the constraint would do harm it is left out, and `x` is only `x`: over several devices, which
    would gather the pieces of `x`, and in `jax.export`, which refuses it.
    """
    return _in_memory.bind(jnp.asarray(x))


# A primitive of our own, since vmap gives `with_layout_constraint` itself the layout of another order of axes, which an array that
# is the result of a jit then has, unknown to what reads it.
_in_memory = Primitive("in_memory")
_in_memory.def_abstract_eval(lambda x: x)
_in_memory.def_impl(lambda x: x)


def _constrained(x: Array) -> Array:
    return with_layout_constraint(x, Layout(tuple(range(x.ndim))))


_lower_constrained = mlir.lower_fun(_constrained, multiple_results=False)


def _lower(context: mlir.LoweringRuleContext, x: Any) -> Any:
    module = context.module_context
    if module.lowering_parameters.for_export or getattr(module.axis_context, "num_devices", 1) not in (None, 1):
        return [x]
    return _lower_constrained(context, x)


mlir.register_lowering(_in_memory, _lower)
ad.deflinear2(_in_memory, lambda cotangent, _: [cotangent if type(cotangent) is ad.Zero else in_memory(cotangent)])
batching.primitive_batchers[_in_memory] = lambda args, axes: (in_memory(jnp.moveaxis(args[0], axes[0], 0)), 0)
