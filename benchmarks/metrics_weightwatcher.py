"""Times WeightWatcher on the same matrices, in processor seconds; needs torch and weightwatcher in the environment.

usage: OPENBLAS_NUM_THREADS=1 python benchmarks/metrics_weightwatcher.py FILE.safetensors
"""

from __future__ import annotations

import logging
import sys
import time

import torch
import weightwatcher
from safetensors.torch import load_file

torch.set_num_threads(1)
logging.getLogger("weightwatcher").setLevel(logging.ERROR)
model = torch.nn.ModuleDict()
for name, weight in load_file(sys.argv[1]).items():
    layer = torch.nn.Linear(weight.shape[1], weight.shape[0], bias=False)
    layer.weight = torch.nn.Parameter(weight, requires_grad=False)
    model[name.replace(".", "/")] = layer
begun = time.process_time()
details = weightwatcher.WeightWatcher(model=model).analyze()
print(f"{sys.argv[1]}: {len(details)} matrices in {time.process_time() - begun:.2f} s of processor time")
