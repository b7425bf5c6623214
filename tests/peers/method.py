"""MetricOpt on a9a as one would write it in PyTorch: eager, as batched as it pays, the frozen first layer computed once.

The counterpart of the engine's defaults; it shares the network and the data with the host, not its random numbers.
"""

import math
import time

import torch
from safetensors.torch import load_file
from torch.nn import functional

BATCH = 256
FOLDS = 5


class Network:
    """Linear, FiLM, ReLU, Linear, FiLM, ReLU, Linear, for adapters [P, D] at a time."""

    def __init__(self, weights):
        self.first, self.second, self.last = ((weights[f"{at}.weight"].T.contiguous(), weights[f"{at}.bias"]) for at in (0, 2, 4))
        self.width = self.second[0].shape[0]
        self.dimensions = 4 * self.width

    def in_front(self, features):
        """What no adapter changes: the pre-activations of the first hidden layer, [N, width]."""
        return torch.addmm(self.first[1], features, self.first[0])

    def logits(self, phis, z):
        """Logits [P, N] of adapters [P, D] at pre-activations [N, width], or [P, N, width] of rows of their own."""
        scale_1, shift_1, scale_2, shift_2 = phis.unsqueeze(1).split(self.width, dim=2)
        a = torch.relu(torch.addcmul(shift_1, z, 1 + scale_1))
        z = torch.matmul(a, self.second[0]) + self.second[1]
        a = torch.relu(torch.addcmul(shift_2, z, 1 + scale_2))
        return (torch.matmul(a, self.last[0]) + self.last[1]).squeeze(2)


class Data:
    """Splits with the first layer done, and the labels."""

    def __init__(self, inputs):
        arrays = load_file(f"{inputs}/tabular.safetensors")
        self.network = Network(arrays)
        self.z, self.labels = {}, {}
        for split in ("train", "validation", "test"):
            self.z[split] = self.network.in_front(arrays[f"{split}_features"].float())
            self.labels[split] = arrays[f"{split}_labels"]
        self.chunk = None

    @torch.no_grad()
    def scores(self, phis, z):
        """Probabilities [P, N], by chunks of rows that stay in cache: all rows at once would be slower."""
        if self.chunk is None:
            self.chunk = fastest_chunk(self.network, phis, z)
        return torch.cat([torch.sigmoid(self.network.logits(phis, part)) for part in z.split(self.chunk)], dim=1)


def fastest_chunk(network, phis, z):
    """PyTorch gets the chunk that is fastest here: from blocks of 64 rows to all of them."""
    times = {}
    for chunk in (64, 128, 256, 512, len(z)):
        for _ in range(3):
            begun = time.perf_counter()
            for part in z.split(chunk):
                network.logits(phis, part)
            times[chunk] = min(times.get(chunk, math.inf), time.perf_counter() - begun)
    return min(times, key=times.get)


def f1(scores, labels):
    decided, positive = scores > 0.5, labels.bool()
    both = (decided & positive).sum(1)
    return 2 * both / (decided.sum(1) + positive.sum()).clamp(min=1)


def average_precision(scores, labels):
    """Equal scores are one threshold."""
    ordered, order = scores.sort(dim=1, descending=True)
    hits = labels[order].float().cumsum(1)
    ranks = torch.arange(1, scores.shape[1] + 1)
    last = torch.ones_like(ordered, dtype=torch.bool)
    last[:, :-1] = ordered[:, 1:] != ordered[:, :-1]
    # Behind each threshold the counts of the one before: the running maximum of what stood at thresholds.
    at_thresholds = torch.where(last, hits, 0.0).cummax(1).values
    before = functional.pad(at_thresholds, (1, 0))[:, :-1]
    return (torch.where(last, (hits - before) * hits / ranks, 0.0)).sum(1) / hits[:, -1]


METRICS = {"f1": f1, "aucpr": average_precision}


def unit(v):
    length = v.norm()
    return v / length if length > 0 else v


def loss_and_gradient(network, phis, z, labels, weights=None):
    """Binary cross-entropy [P] of adapters [P, D] on rows [P, N, width], and its gradients [P, D]."""
    phis = phis.detach().requires_grad_()
    losses = functional.binary_cross_entropy_with_logits(network.logits(phis, z), labels, weights, reduction="none").mean(1)
    (gradients,) = torch.autograd.grad(losses.sum(), phis)
    return losses.detach(), gradients


def row_weights(labels, positive):
    """Class weights [P, N], of mean 1."""
    weights = 1 + (positive - 1) * labels
    return weights / weights.mean(1, keepdim=True)


class ValueFunction(torch.nn.Module):
    """Principal coordinates, then a small network; predicts the signed, standardised metric."""

    def __init__(self, points):
        super().__init__()
        stride = -(-len(points) // 2000)
        _, _, directions = torch.linalg.svd(points[::stride], full_matrices=False)
        self.directions = directions[:16].T.contiguous()
        self.scale = (points[::stride] @ self.directions).pow(2).mean(0).sqrt().mean()
        self.features = torch.nn.Sequential(torch.nn.Linear(16, 64), torch.nn.ELU(), torch.nn.Linear(64, 32), torch.nn.ELU())
        self.value = torch.nn.Linear(32, 1)

    def project(self, phi):
        return phi @ self.directions / self.scale

    def forward(self, x):
        features = self.features(x)
        return self.value(features).squeeze(-1), features

    def gradient(self, phi):
        phi = phi.detach().requires_grad_()
        return torch.autograd.grad(self(self.project(phi))[0], phi)[0]


def regression(values, means, deviations):
    weights = 1 / deviations
    return (weights * (values - means).abs()).sum() / weights.sum()


def order_embedding(features, means, deviations):
    """log(1 + exp(-(D[t, n] - D[t, p]))) over random positives and negatives by Fisher's ratio."""
    ratio = (means[:, None] - means[None]) ** 2 / (deviations[:, None] ** 2 + deviations[None] ** 2)
    positives, negatives = (ratio < 1).float().fill_diagonal_(0), (ratio > 4).float()
    anchors = (positives.any(1) & negatives.any(1)).nonzero().squeeze(1)
    if len(anchors) == 0:
        return features.sum() * 0
    # Uniform among the marked, and faster than `multinomial`.
    positive, negative = ((torch.rand(len(anchors), len(means)) * marked[anchors]).argmax(1) for marked in (positives, negatives))
    distance = lambda other: ((features[anchors] - features[other]) ** 2).sum(1).add(1e-8).sqrt()
    return functional.softplus(distance(positive) - distance(negative)).mean()


class TrainingSet:
    """Coordinates [K, T, 16] and standardised means and deviations [K, T]."""

    def __init__(self, function, points, means, deviations):
        self.x, self.means, self.deviations = function.project(points), means, deviations

    def draw(self, count):
        k = torch.randint(self.means.shape[0], (count,))
        t = torch.randint(self.means.shape[1], (count,))
        return self.x[k, t], self.means[k, t], self.deviations[k, t]


def train_value_function(points, means, deviations, steps=2000):
    """Joint meta-training on trajectories [K, T, D]."""
    function = ValueFunction(points.flatten(0, 1))
    training = TrainingSet(function, points, means, deviations)
    adam = torch.optim.Adam(function.parameters(), lr=2e-3, weight_decay=1e-2, fused=True)
    for _ in range(steps):
        x, mean, deviation = training.draw(64)
        values, features = function(x)
        loss = regression(values, mean, deviation) + order_embedding(features, mean, deviation)
        adam.zero_grad()
        loss.backward()
        adam.step()
    return function, training


class Adaptation:
    """Keeps the value function true to the run: Adam on its own observations and replayed points."""

    def __init__(self, function, training):
        self.function, self.training = function, training
        self.adam = torch.optim.Adam(function.parameters(), lr=1e-3, fused=True)
        self.x, self.targets = [], []

    def observe(self, phi, target):
        self.x.append(self.function.project(phi))
        self.targets.append(target)
        for _ in range(5):
            x, means, _ = self.training.draw(32)
            x, means = torch.cat([torch.stack(self.x), x]), torch.cat([torch.tensor(self.targets), means])
            loss = (self.function(x)[0] - means).abs().mean()
            self.adam.zero_grad()
            loss.backward()
            self.adam.step()


def search_gradient(phi, memory, objective, pairs=4, sigma=0.5, alpha=0.5):
    """Guided-ES: draws stretched along the last gradients, and the antithetic estimate."""
    basis = torch.linalg.qr(torch.stack(memory, 1))[0] if memory and alpha < 1 else None
    share = alpha if basis is not None else 1.0
    draws = torch.randn(pairs, len(phi)) * (sigma * math.sqrt(share / len(phi)))
    if basis is not None:
        width = basis.shape[1]
        draws += torch.randn(pairs, width) * (sigma * math.sqrt((1 - share) / width)) @ basis.T
    values = objective(torch.cat([phi + draws, phi - draws]))
    return (values[:pairs] - values[pairs:]) @ draws / (2 * sigma**2 * pairs)


def fine_tune(data, metric, steps, value=None, search=None, loss=True, class_weight=None, rate=0.003):
    """Meta-testing: Adam along loss, value function and Guided-ES; observes every five steps. The best value on validation.

    `value` is a value function with its training set and standardisation; `search` the share alpha of the full space.
    """
    phi = torch.zeros(data.network.dimensions)
    first, second = torch.zeros_like(phi), torch.zeros_like(phi)
    z, labels = data.z["validation"], data.labels["validation"]
    best = METRICS[metric](data.scores(phi[None], z), labels).item()
    adaptation = Adaptation(value[0], value[1]) if value else None
    usual, memory = None, []
    for step in range(steps):
        rows = torch.randint(len(data.labels["train"]), (BATCH,))
        batch_labels = data.labels["train"][rows].float()[None]
        weights = None if class_weight is None else row_weights(batch_labels, class_weight)
        _, gradient = loss_and_gradient(data.network, phi[None], data.z["train"][rows], batch_labels, weights)
        gradient = gradient[0]
        length = gradient.norm().item()
        usual = length if usual is None else 0.9 * usual + 0.1 * length
        direction = torch.zeros_like(phi)
        value_gradient = value[0].gradient(phi) if value else None
        if search is not None:
            memory += [unit(g) for g in (gradient, value_gradient) if g is not None]
            del memory[:-5]
            sample = torch.randperm(len(labels))[:2048].sort().values
            objective = lambda phis: -METRICS[metric](data.scores(phis, z[sample]), labels[sample])
            direction += unit(search_gradient(phi, memory, objective, alpha=search))
        if value:
            direction += unit(value_gradient)
        combined = (gradient if loss else 0) + 3 * usual * unit(direction)
        first = 0.9 * first + 0.1 * combined
        second = 0.99 * second + 0.01 * combined**2
        now = rate * 0.5 * (1 + math.cos(math.pi * step / steps))
        phi = phi - now * (first / (1 - 0.9 ** (step + 1))) / ((second / (1 - 0.99 ** (step + 1))).sqrt() + 1e-8)
        if (step + 1) % 5 == 0 or step + 1 == steps:
            observed = METRICS[metric](data.scores(phi[None], z), labels).item()
            best = max(best, observed)
            if adaptation:
                adaptation.observe(phi, (-observed - value[2]) / value[3])
    return best


def collect_trajectories(data, metric, count=24, steps=100, observe_every=10):
    """Loss-only runs side by side: points [K, T + 1, D], observed steps, and the signed metric on the folds [K, S, folds]."""
    rates = torch.exp(torch.empty(count).uniform_(math.log(0.003), math.log(0.1)))[:, None]
    positive = torch.exp(torch.empty(count).uniform_(math.log(0.25), math.log(4)))[:, None]
    starts = torch.rand(count) * 0.1 * (torch.arange(count) % 2)
    phis = torch.randn(count, data.network.dimensions) * starts[:, None]
    velocity = torch.zeros_like(phis)
    train = data.labels["train"]
    subsets = torch.stack([torch.randperm(len(train))[: len(train) // 2] for _ in range(count)])
    folds = list(zip(data.z["validation"].tensor_split(FOLDS), data.labels["validation"].tensor_split(FOLDS)))
    points, observed, values = [phis], [], []
    for step in range(steps + 1):
        if step % observe_every == 0:
            observed.append(step)
            values.append(torch.stack([-METRICS[metric](data.scores(phis, z), labels) for z, labels in folds], 1))
        if step == steps:
            break
        rows = subsets.gather(1, torch.randint(subsets.shape[1], (count, BATCH)))
        labels = train[rows].float()
        _, gradients = loss_and_gradient(data.network, phis, data.z["train"][rows], labels, row_weights(labels, positive))
        velocity = 0.9 * velocity + gradients
        phis = phis - rates * velocity
        points.append(phis)
    return torch.stack(points, 1), torch.tensor(observed), torch.stack(values, 1)


def interpolate(observed, values, steps):
    """A Gaussian process along each trajectory: standardised means and deviations [K, T + 1], and the standardisation."""
    means = values.mean(2)
    noise = ((values - values.mean((0, 1))).var(2).mean(1) / FOLDS).clamp(min=1e-12)
    centre = means.mean(1, keepdim=True)
    signal = torch.maximum(means.var(1) - noise, 0.05 * means.var(1)).clamp(min=1e-12)[:, None, None]
    at = torch.arange(steps + 1)
    kernel = lambda a, b: torch.exp(-0.5 * ((a[:, None] - b[None]) / (0.25 * steps)) ** 2)
    covariance = signal * kernel(observed, observed) + (noise[:, None, None] + 1e-6 * signal) * torch.eye(len(observed))
    cross = signal * kernel(observed, at)
    factor = torch.linalg.cholesky(covariance)
    mean = centre + (cross.mT @ torch.cholesky_solve((means - centre)[..., None], factor)).squeeze(2)
    variance = signal.squeeze(2) - (cross * torch.cholesky_solve(cross, factor)).sum(1)
    shift, scale = mean.mean(), mean.std()
    deviation = (variance.clamp(min=0).sqrt() / scale).clamp(min=1e-3)
    return (mean - shift) / scale, deviation, shift.item(), scale.item()
