"""Recall at 1, each item searching all others by cosine: FAISS."""

import faiss
import numpy
from safetensors.numpy import load_file


def cases(inputs, threads):
    faiss.omp_set_num_threads(threads)
    arrays = load_file(f"{inputs}/retrieval.safetensors")
    embeddings, labels = arrays["embeddings"], arrays["labels"]

    def recall_at_1():
        normalised = embeddings / numpy.linalg.norm(embeddings, axis=1, keepdims=True)
        index = faiss.IndexFlatIP(normalised.shape[1])
        index.add(normalised)
        # Two of each, because an item finds itself.
        _, found = index.search(normalised, 2)
        items = numpy.arange(len(labels))
        nearest = numpy.where(found[:, 0] == items, found[:, 1], found[:, 0])
        return (labels[nearest] == labels).mean()

    return {"recall-at-k FAISS": recall_at_1}
