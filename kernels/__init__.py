"""Pure tile kernels: arrays in, arrays out. No tensors, no memory, no I/O.

Import them as `tt_jax.kernels`; the folder stands at the root of the repository since it can be read without the rest.

A bfloat16, bfloat8_b or bfloat4_b array is carried as bfloat16 (every block-float value is exact there); float32 as float32.
Arrays are row-major and unpadded; `tilize` and `block_float.pack` make the physical form where bytes matter.
"""
