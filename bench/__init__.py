"""Measurements. All of them have one thread for sums of matrices, as the workers of a run have."""

import os

os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"))
