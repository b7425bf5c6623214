"""Metrics of binary scores: scikit-learn and torchmetrics."""

import torch
from safetensors.numpy import load_file
from sklearn import metrics
from torchmetrics.functional import classification


def cases(inputs, threads):
    torch.set_num_threads(threads)
    arrays = load_file(f"{inputs}/ranking.safetensors")
    scores, labels = arrays["scores"], arrays["labels"]
    tensors = torch.from_numpy(scores), torch.from_numpy(labels)
    return {
        "aucpr scikit-learn": lambda: metrics.average_precision_score(labels, scores),
        "aucpr torchmetrics": lambda: classification.binary_average_precision(*tensors),
        "auroc scikit-learn": lambda: metrics.roc_auc_score(labels, scores),
        "auroc torchmetrics": lambda: classification.binary_auroc(*tensors),
        "f1 scikit-learn": lambda: metrics.f1_score(labels, scores > 0.5),
        "f1 torchmetrics": lambda: classification.binary_f1_score(*tensors),
    }
