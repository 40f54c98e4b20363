"""Weight preparation, as `tt_jax.model_preprocessing` (ttnn's `ttnn.model_preprocessing`)."""

from tt_jax.ops.model_preprocessing import preprocess_linear_bias as preprocess_linear_bias
from tt_jax.ops.model_preprocessing import preprocess_linear_weight as preprocess_linear_weight
