"""Steps of meta-testing: `fine_tune` of `method.py`."""

import torch

import method

STEPS = 20


def fine_tune(*arguments, **options):
    # The value is another one than ours, for the random numbers are: nothing to compare.
    method.fine_tune(*arguments, **options)


def cases(inputs, threads):
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    data = method.Data(inputs)
    found = {}
    for metric in ("f1", "aucpr"):
        points, observed, values = method.collect_trajectories(data, metric)
        means, deviations, shift, scale = method.interpolate(observed, values, points.shape[1] - 1)
        function, training = method.train_value_function(points, means, deviations)
        value = (function, training, shift, scale)
        for name, search in (("without search", None), ("with search", 0.5)):
            found[f"{STEPS} steps, {metric} {name} PyTorch"] = lambda metric=metric, search=search, value=value: fine_tune(
                data, metric, STEPS, value=value, search=search
            )
    return found
