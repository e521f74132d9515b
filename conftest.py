"""Puts the repository root on the path (``tests.shared``, ``benchmarks``) and keeps each test process on one thread."""

import torch

torch.set_num_threads(1)
