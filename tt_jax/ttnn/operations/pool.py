"""`ttnn.operations.pool`: the golden functions of poolings and of images read elsewhere, by the names they have there."""

from tt_jax.ttnn.golden import GOLDEN

golden_maxpool2d = GOLDEN["ttnn.max_pool2d"]
golden_avg_pool2d = GOLDEN["ttnn.avg_pool2d"]
golden_global_avg_pool2d = GOLDEN["ttnn.global_avg_pool2d"]
golden_adaptive_avg_pool2d = GOLDEN["ttnn.adaptive_avg_pool2d"]
golden_adaptive_max_pool2d = GOLDEN["ttnn.adaptive_max_pool2d"]
golden_upsample = GOLDEN["ttnn.upsample"]
golden_grid_sample = GOLDEN["ttnn.grid_sample"]
golden_rotate = GOLDEN["ttnn.rotate"]
