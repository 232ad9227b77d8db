"""PyTorch on the CPU in float64, batched over seeds as far as memory allows."""

import math

import numpy as np
import torch

CELLS = 2**26  # numbers in the features of one batch


def versions():
    return {"torch": torch.__version__, "threads": torch.get_num_threads()}


def run(work):
    torch.set_default_dtype(torch.float64)
    torch.manual_seed(0)
    lgen = np.empty((len(work.betas), len(work.sizes), work.seeds))
    failure = np.empty((*lgen.shape, work.num_k))
    eigenvalues, theta = torch.tensor(work.eigenvalues), torch.tensor(work.theta)
    k = torch.tensor(work.k)
    for i, beta in enumerate(work.betas):
        gamma = torch.distributions.Gamma(torch.tensor(beta / 2), torch.tensor(1.0))
        for j, n in enumerate(work.sizes):
            batch = max(1, min(work.seeds, CELLS // (n * work.dim)))
            for first in range(0, work.seeds, batch):
                count = min(batch, work.seeds - first)
                x = torch.randn(count, n, work.dim) * eigenvalues.sqrt()
                noise = work.sigma_eta * torch.randn(count, n) / gamma.sample((count, n)).sqrt()
                y = x @ theta + noise
                gram = x.mT @ x / n + work.ridge * torch.eye(work.dim)
                moment = (x.mT @ y[..., None]) / n
                estimate = torch.cholesky_solve(moment, torch.linalg.cholesky(gram))[..., 0]
                value = (eigenvalues * (estimate - theta) ** 2).sum(-1)
                lgen[i, j, first : first + count] = value.numpy()
                for s in range(count):
                    failure[i, j, first + s] = curve(value[s], gamma, k, work).numpy()
    return lgen, failure


def curve(lgen, gamma, k, work):
    bias = lgen.sqrt() * torch.randn(work.instances)
    width = gamma.sample((work.instances,)).sqrt() / work.sigma_eta / math.sqrt(2)
    upper, lower = torch.erf((work.delta - bias) * width), torch.erf((-work.delta - bias) * width)
    log_miss = torch.log1p(-((upper - lower) / 2).clamp(max=1 - 1e-16))
    return torch.exp(k[:, None] * log_miss).mean(1)
