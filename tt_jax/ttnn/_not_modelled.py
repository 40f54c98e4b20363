"""Names of ttnn that exist here only to say that they are not modelled.

A program that asks `hasattr(ttnn, name)` goes on as with the real library; one that calls such a name gets the error.
"""

from collections.abc import Callable, Iterable
from typing import Any

from tt_jax.errors import NotModelledError

OTHER_COLLECTIVES = (
    "of what moves data between chips all_gather, reduce_scatter, all_reduce, all_broadcast, all_to_all, broadcast, "
    "mesh_partition and point_to_point are"
)
OWN_KERNELS = "programs of one's own kernels are not modelled, only the library's operations"
SUB_DEVICES = "sub-devices and global semaphores are not modelled: every program may use all cores"

NAMES: dict[str, str] = {
    **dict.fromkeys(
        (
            "all_to_all_combine",
            "all_to_all_dispatch",
            "reduce_to_root",
        ),
        OTHER_COLLECTIVES,
    ),
    **dict.fromkeys(
        (
            "CBDescriptor",
            "CBFormatDescriptor",
            "ComputeConfigDescriptor",
            "DataMovementConfigDescriptor",
            "KernelDescriptor",
            "ProgramDescriptor",
            "ReaderConfigDescriptor",
            "RuntimeArgs",
            "SemaphoreDescriptor",
            "TensorAccessorArgs",
            "TileDescriptor",
            "WriterConfigDescriptor",
            "cb_descriptor_from_sharded_tensor",
            "generic_op",
        ),
        OWN_KERNELS,
    ),
    **dict.fromkeys(
        (
            "SubDevice",
            "SubDeviceId",
            "create_global_circular_buffer",
            "create_global_semaphore",
            "dram_prefetcher",
            "get_global_semaphore_address",
            "reset_global_semaphore_value",
        ),
        SUB_DEVICES,
    ),
    "complex_tensor": "complex tensors are not modelled: keep the real and the imaginary part apart",
    **dict.fromkeys(
        ("angle", "conj", "imag", "is_imag", "is_real", "polar", "real"),
        "complex tensors are not modelled: keep the real and the imaginary part apart",
    ),
    **dict.fromkeys(("moe", "moe_expert_token_remap", "moe_routing_remap"), "mixtures of experts are not modelled"),
    **dict.fromkeys(("tosa_gather", "tosa_scatter"), "use gather and scatter"),
    "ema": "exponential moving averages are not modelled",
    "sampling": "sampling from several users' distributions is not modelled: use topk and softmax",
    "slice_write": "writing into a slice is not modelled: concatenate the parts",
    "sparse_matmul": "matmuls that skip blocks by a mask are not modelled",
}

EXPERIMENTAL: dict[str, str] = dict.fromkeys(
    (
        "conv3d",
        "convert_to_chw",
        "convert_to_hwc",
        "create_qkv_heads",
        "create_qkv_heads_from_separate_tensors",
        "deepseek_grouped_gate",
        "dropout",
        "gelu_bw",
        "hc_sum_reduce",
        "nlp_create_qkv_heads_segformer",
        "padded_slice",
        "prefix_scan",
        "repeat_and_interleave_eltwise_mul",
        "rotate_half",
        "slice_write",
        "sort",
        "ssm_1d_sum_reduce",
        "ssm_eltwise_mul",
    ),
    "it is not written yet",
) | dict.fromkeys(
    (
        "all_gather_async",
        "all_gather_matmul",
        "all_gather_matmul_async",
        "all_reduce_async",
        "llama_all_gather_matmul_async",
        "llama_reduce_scatter",
        "llama_rs_matmul",
        "matmul_reduce_scatter_async",
        "neighbor_pad_async",
        "recv_async",
        "reduce_scatter_minimal_async",
        "ring_attention_all_gather_async",
        "send_async",
        "strided_all_gather_async",
    ),
    OTHER_COLLECTIVES,
)


def refusing(prefix: str, names: dict[str, str], known: Iterable[str]) -> dict[str, Callable[..., Any]]:
    """Functions that raise NotModelledError, for each of `names` that is not among `known`."""

    def refuse(name: str, reason: str) -> Callable[..., Any]:
        def not_modelled(*arguments: Any, **options: Any) -> Any:
            raise NotModelledError(f"{prefix}.{name} is not modelled: {reason}")

        not_modelled.__name__ = not_modelled.__qualname__ = name
        not_modelled.__doc__ = f"Raises NotModelledError: {reason}."
        return not_modelled

    held = set(known)
    return {name: refuse(name, reason) for name, reason in names.items() if name not in held}
