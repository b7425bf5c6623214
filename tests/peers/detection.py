"""Mean average precision of detection: pycocotools, faster-coco-eval, and the loop of the VOC devkit in NumPy."""

import contextlib
import io

import numpy
from faster_coco_eval import COCO as FasterCOCO, COCOeval_faster
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from safetensors.numpy import load_file


def xywh(boxes):
    return numpy.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1).astype(float)


def data_set(arrays):
    """True boxes as the COCO API takes them; difficult ones out of every range of areas, so that they are ignored."""
    boxes = xywh(arrays["gt_boxes"])
    areas = numpy.where(arrays["gt_difficult"] == 1, 1e11, boxes[:, 2] * boxes[:, 3])
    images = sorted(set(arrays["gt_image_ids"].tolist()) | set(arrays["image_ids"].tolist()))
    classes = sorted(set(arrays["gt_labels"].tolist()) | set(arrays["labels"].tolist()))
    rows = zip(arrays["gt_image_ids"].tolist(), arrays["gt_labels"].tolist(), boxes.tolist(), areas.tolist())
    return {
        "info": {},
        "images": [{"id": image} for image in images],
        "categories": [{"id": label, "name": str(label)} for label in classes],
        "annotations": [
            {"id": at + 1, "image_id": image, "category_id": label, "bbox": box, "area": area, "iscrowd": 0}
            for at, (image, label, box, area) in enumerate(rows)
        ],
    }


def results(arrays):
    rows = zip(
        arrays["image_ids"].tolist(),
        arrays["labels"].tolist(),
        xywh(arrays["boxes"]).tolist(),
        arrays["scores"].tolist(),
    )
    return [{"image_id": image, "category_id": label, "bbox": box, "score": score} for image, label, box, score in rows]


def coco(api, evaluation, arrays):
    """The evaluation alone: reading and indexing the boxes, which takes longer, is not timed."""
    with contextlib.redirect_stdout(io.StringIO()):
        truth = api()
        truth.dataset = data_set(arrays)
        truth.createIndex()
        found = truth.loadRes(results(arrays))

    def evaluate():
        with contextlib.redirect_stdout(io.StringIO()):
            evaluator = evaluation(truth, found, "bbox")
            evaluator.evaluate()
            evaluator.accumulate()
            evaluator.summarize()
        return evaluator.stats[0]

    return evaluate


def voc_map(arrays):
    """Eleven-point mean average precision, written after `VOCevaldet.m`: classes, then boxes by falling score."""
    values = []
    for label in numpy.unique(arrays["gt_labels"]):
        of_class = arrays["gt_labels"] == label
        truth = {}
        for image in numpy.unique(arrays["gt_image_ids"][of_class]):
            chosen = of_class & (arrays["gt_image_ids"] == image)
            truth[image] = (
                arrays["gt_boxes"][chosen].astype(float),
                arrays["gt_difficult"][chosen] == 1,
                numpy.zeros(chosen.sum(), bool),
            )
        positives = int((of_class & (arrays["gt_difficult"] == 0)).sum())
        if positives == 0:
            continue
        chosen = numpy.flatnonzero(arrays["labels"] == label)
        chosen = chosen[numpy.argsort(-arrays["scores"][chosen], kind="stable")]
        right, wrong = numpy.zeros(len(chosen)), numpy.zeros(len(chosen))
        for at, row in enumerate(chosen):
            boxes, difficult, taken = truth.get(arrays["image_ids"][row], (numpy.zeros((0, 4)), [], []))
            if len(boxes) == 0:
                wrong[at] = 1
                continue
            box = arrays["boxes"][row].astype(float)
            low, high = numpy.maximum(boxes[:, :2], box[:2]), numpy.minimum(boxes[:, 2:], box[2:])
            common = numpy.clip(high - low + 1, 0, None).prod(axis=1)
            area = lambda box: (box[..., 2] - box[..., 0] + 1) * (box[..., 3] - box[..., 1] + 1)
            overlaps = common / (area(boxes) + area(box) - common)
            best = overlaps.argmax()
            if overlaps[best] < 0.5:
                wrong[at] = 1
            elif not difficult[best]:
                (wrong if taken[best] else right)[at] = 1
                taken[best] = True
        right, wrong = right.cumsum(), wrong.cumsum()
        recall, precision = right / positives, right / numpy.maximum(right + wrong, 1)
        tenths = [precision[recall >= tenth / 10].max(initial=0) for tenth in range(11)]
        values.append(numpy.mean(tenths))
    return numpy.mean(values)


def cases(inputs, threads):
    arrays = load_file(f"{inputs}/detection.safetensors")
    return {
        "coco-map pycocotools": coco(COCO, COCOeval, arrays),
        "coco-map faster-coco-eval": coco(FasterCOCO, COCOeval_faster, arrays),
        "voc-map NumPy loop": lambda: voc_map(arrays),
    }
