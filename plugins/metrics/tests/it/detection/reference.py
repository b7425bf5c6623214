"""Prints the table of `pycocotools.rs` beside it: pip install numpy==2.4.6 pycocotools==2.0.11"""

import contextlib
import io

from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

CASES = [
    # seed, images, classes, levels, noise, difficult
    (1, 40, 5, 1 << 20, 3, False),
    (2, 40, 3, 8, 3, False),
    (3, 2, 1, 1 << 16, 300, False),
    (4, 2, 1, 4, 300, False),
    (5, 60, 4, 1 << 20, 3, True),
    (6, 60, 4, 16, 6, True),
    (7, 4, 9, 1 << 20, 2, False),
]


def generate(seed, images, classes, levels, noise, difficult):
    """The same as `Scene::generate` of `scene.rs`."""
    state = seed

    def below(n):
        nonlocal state
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        return ((state >> 40) * n) >> 24

    def anywhere():
        x, y = below(400), below(400)
        return [x, y, x + 20 + below(80), y + 20 + below(80)]

    truth, found = [], []
    for image in range(images):
        image_id = 3 * (images - image)
        for _ in range(below(5)):
            label, box = below(classes), anywhere()
            hard = below(5) == 0 and difficult
            truth.append((image_id, label, box, hard))
            for _ in range(below(3)):
                near = [corner + below(17) - 8 for corner in box]
                other = below(classes) if below(10) == 0 else label
                found.append((image_id, other, near, (levels + below(levels)) / (2 * levels)))
        for _ in range(below(noise + 1)):
            label, box = below(classes), anywhere()
            found.append((image_id, label, box, below(levels) / levels))
    return truth, found


def xywh(box):
    return [float(box[0]), float(box[1]), float(box[2] - box[0]), float(box[3] - box[1])]


def evaluate(seed, images, classes, levels, noise, difficult):
    truth, found = generate(seed, images, classes, levels, noise, difficult)
    # pycocotools ignores an object out of the area range, as a difficult one is to be ignored.
    area = lambda box, hard: 1e11 if hard else (box[2] - box[0]) * (box[3] - box[1])
    coco = COCO()
    coco.dataset = {
        "info": {},
        "images": [{"id": 3 * (image + 1)} for image in range(images)],
        "categories": [{"id": label} for label in range(classes)],
        "annotations": [
            {"id": at + 1, "image_id": i, "category_id": c, "bbox": xywh(b), "area": area(b, h), "iscrowd": 0}
            for at, (i, c, b, h) in enumerate(truth)
        ],
    }
    with contextlib.redirect_stdout(io.StringIO()):
        coco.createIndex()
        results = coco.loadRes(
            [{"image_id": i, "category_id": c, "bbox": xywh(b), "score": s} for i, c, b, s in found]
        )
        evaluation = COCOeval(coco, results, "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return [float(evaluation.stats[at]) for at in (0, 1, 2, 6, 7, 8)]


for case in CASES:
    print(case, evaluate(*case))
