"""The tree of classes that a classifier's own last layer makes."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.cluster.hierarchy import linkage
from torch import Tensor, nn

from semaudit.errors import ModelError
from semaudit.models import Classifier
from semaudit.models.tap import classifying_layer
from semaudit.taxonomy.tree import Taxonomy

_ROWS = 256  # a block of distances at a time: all at once would need twice the memory


def head_tree(classifier: Classifier) -> Taxonomy:
    """Join classes whose rows of the last layer's weights point the same way.

    Average linkage (UPGMA) of the cosine distances 1 - cos(w_a, w_b) of the rows. First their mean
    is taken off: softmax does not see what is common to all rows, so the tree must not either. A
    row of zeros is at distance 1 of every other. Needs about 8 C**2 bytes for C classes.

    Raises:
        ModelError: the model shows no linear layer of that many outputs, or it is not finite.
    """
    rows = _rows(classifier)
    if not np.isfinite(rows).all():
        raise ModelError(f"{classifier.name}: the weights of its last layer are not finite")
    centred = rows - rows.mean(0)
    norms = np.linalg.norm(centred, axis=1, keepdims=True)
    # What is left of equal rows is rounding, which points nowhere.
    scale = np.abs(rows).max() * np.sqrt(rows.shape[1]) * 1e-12
    units = np.where(norms > scale, centred / np.maximum(norms, 1e-300), 0.0)
    return linked_tree(units, "average linkage of the classifier's own weight rows")


def linked_tree(units: NDArray[np.float64], origin: str) -> Taxonomy:
    """Average linkage of the cosine distances of rows (C, d) of length 1 or 0."""
    count = len(units)
    if count < 2:
        raise ModelError("a tree of classes needs at least 2 of them")
    joins = linkage(_cosine_distances(units), "average")
    # linkage numbers the leaves first and the root last; a taxonomy wants parents first.
    last = 2 * count - 2
    parents, lengths, heights = [-1] * (last + 1), [0.0] * (last + 1), [0.0] * (last + 1)
    for step, (one, other, height, _) in enumerate(joins.tolist()):
        node = last - (count + step)
        heights[node] = height
        for child in (last - int(one), last - int(other)):
            parents[child] = node
            lengths[child] = max(height - heights[child], 0.0)
    classes = [-1] * (count - 1) + [last - node for node in range(count - 1, last + 1)]
    return Taxonomy.of(origin, parents, lengths, classes)


def _cosine_distances(units: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 - cos of every pair of rows, (C (C - 1) / 2,), in the order that scipy takes."""
    count = len(units)
    condensed = np.empty(count * (count - 1) // 2)
    at = 0
    for start in range(0, count, _ROWS):
        block = 1 - units[start : start + _ROWS] @ units[start:].T
        for row, distances in enumerate(block):
            others = distances[row + 1 :]
            condensed[at : at + len(others)] = others
            at += len(others)
    return np.clip(condensed, 0, 2, out=condensed)


def _rows(classifier: Classifier) -> NDArray[np.float64]:
    """The weights of the last layer, (C, d)."""
    count = classifier.num_classes
    width = count if classifier.form is None else classifier.form.width
    weight = _weight(classifier.module, width)
    if weight is None:
        raise ModelError(
            f"{classifier.name} shows no linear layer of {count} outputs whose weights could make "
            "a tree of the classes (exported programs often hide theirs): give --taxonomy a file"
        )
    rows: NDArray[np.float64] = weight.detach().flatten(1).double().cpu().numpy()
    # One value that tells yes from no is the logit of class 1 against 0.
    return np.concatenate([np.zeros_like(rows), rows]) if len(rows) < count else rows


def _weight(module: nn.Module, width: int) -> Tensor | None:
    head = classifying_layer(module, width)
    if head is None:
        return None
    # timm's classifier may be a block whose last layer is the linear one.
    weights = [getattr(layer, "weight", None) for layer in head.modules()]
    fitting = [
        weight
        for weight in weights
        if isinstance(weight, Tensor)
        and weight.is_floating_point()
        and weight.shape[:1] == torch.Size([width])
        and (weight.ndim == 2 or weight.shape[2:] == (1, 1))
    ]
    return fitting[-1] if fitting else None
