"""The phases of a default run: `method.py` from the trajectories to the alternatives.

Each phase hands its result to the next, as in a run, so that they are to be asked for in order.
"""

import torch

import method


def cases(inputs, threads):
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    data, metric, kept = method.Data(inputs), "f1", {}

    def trajectories():
        kept["trajectories"] = method.collect_trajectories(data, metric)

    def value_function():
        points, observed, values = kept["trajectories"]
        means, deviations, shift, scale = method.interpolate(observed, values, points.shape[1] - 1)
        folds = torch.arange(len(points)) * 6 // len(points)
        for fold in range(6):
            rest = folds != fold
            function, _ = method.train_value_function(points[rest], means[rest], deviations[rest])
            with torch.no_grad():
                function(function.project(points[~rest]))
        function, training = method.train_value_function(points, means, deviations)
        kept["value"] = (function, training, shift, scale)

    def alternatives():
        method.fine_tune(data, metric, 100)
        for weight in (2.0, 4.0):
            method.fine_tune(data, metric, 100, class_weight=weight)
        method.fine_tune(data, metric, 100, search=1.0, loss=False, rate=0.01)

    def test():
        """The paired bootstrap of the five other methods against the pre-trained network."""
        labels = data.labels["test"]
        scores = data.scores(torch.zeros(6, data.network.dimensions), data.z["test"])
        for _ in range(1000):
            rows = torch.randint(len(labels), (len(labels),))
            method.METRICS[metric](scores[:, rows], labels[rows])

    return {
        "trajectories": trajectories,
        "value function": value_function,
        "fine-tuning": lambda: method.fine_tune(data, metric, 100, value=kept["value"], search=0.5),
        "alternatives": alternatives,
        "test": test,
    }
