"""Trees of classes, which tell how far apart in meaning two classes are.

A tree comes from the classifier's own weights (``head``) or from a file. The semantic transport
weighs the shift of an output by it: see `semaudit.metrics.transport`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from semaudit.errors import UsageError
from semaudit.metric import TRANSPORT
from semaudit.models import Classifier
from semaudit.models.names import ClassNames
from semaudit.taxonomy.file import read_tree
from semaudit.taxonomy.head import head_tree
from semaudit.taxonomy.tree import Taxonomy

HEAD = "head"
"""Instead of a file's name: the tree that the classifier's own weights make."""


def open_taxonomy(
    spec: str | None, classifier: Classifier, class_names: Sequence[str] | None = None
) -> Taxonomy | None:
    """Return the tree that ``spec`` names, on the classifier's device; None for none.

    Args:
        spec: ``head``, the path of a YAML or JSON file, or None.
        classifier: whose classes it must hold.
        class_names: what the data calls the classes, where it knows; else the classifier's names.

    Raises:
        UsageError: the outputs are not one class of several, or the file is wrong.
        ModelError: ``head`` of a model that shows no weights of a last linear layer.
    """
    if spec is None:
        return None
    refused = {
        "sigmoid": "labels that hold independently carry no mass from one to another",
        "none": "an embedding names no classes",
    }.get(classifier.activation)
    if refused is not None:
        raise UsageError(
            f"--taxonomy {spec} goes with a model that chooses one class of several: {refused}"
        )
    if spec == HEAD:
        tree = head_tree(classifier)
    else:
        names = classifier.class_names
        if class_names is not None:
            names = ClassNames(tuple(class_names), tuple((name,) for name in class_names))
        tree = read_tree(Path(spec), names, classifier.num_classes)
    return tree.to(classifier.placement.device)


__all__ = ["HEAD", "TRANSPORT", "Taxonomy", "open_taxonomy"]
