from __future__ import annotations

import pytest

from semaudit.models.stated import read_stated


@pytest.mark.parametrize(
    ("metadata", "stated"),
    [
        ({"mean": "[0.5]", "std": "[0.25]"}, {"mean": (0.5,), "std": (0.25,)}),
        ({"mean": "0.5", "std": "0.25"}, {"mean": (0.5,), "std": (0.25,)}),
        ({"mean": "127.5 , 51", "std": "255, 51"}, {"mean": (0.5, 0.2), "std": (1.0, 0.2)}),
        ({"mean": [0.5], "std": [0]}, {}),
        ({"mean": [float("nan")], "std": [1]}, {}),
        ({"mean": "half", "std": "quarter"}, {}),
        ({"mean": [0.5]}, {}),
        ({"imgsz": "[640, 480]"}, {"input_size": (3, 640, 480)}),
        ({"img_size": 32}, {"input_size": (3, 32, 32)}),
        ({"input_size": [1, 28, 30]}, {"input_size": (1, 28, 30)}),
        ({"input_size": [0, 28, 30]}, {}),
        ({"input_size": [1, 28.5, 30]}, {}),
        ({"input_size": "big"}, {}),
        ({"crop_pct": 0.9, "crop_mode": "squash"}, {"crop_pct": 0.9, "crop_mode": "squash"}),
        ({"crop_pct": 9, "crop_mode": "cut", "interpolation": "magic"}, {}),
        ({"meta/config.json": b'{"pretrained_cfg": {"crop_pct": 0.8}}'}, {"crop_pct": 0.8}),
        ({"crop_pct": 0.7, "config.json": '{"crop_pct": 0.8}'}, {"crop_pct": 0.7}),
        ({"config.json": b"\xff\xfe{", "a": "{" * 100000}, {}),
        ({"config.json": "[" * 100000}, {}),
    ],
)
def test_preprocessing(metadata, stated):
    assert read_stated(metadata).preprocessing == stated


@pytest.mark.parametrize(
    ("metadata", "labels"),
    [
        ({"labels.txt": "cat\nbig dog\n"}, ("cat", "big dog")),
        ({"labels": "cat, big dog"}, ("cat", "big dog")),
        ({"class_names.json": '["cat", "dog"]'}, ("cat", "dog")),
        ({"names": "{1: 'dog', 0: 'cat'}"}, ("cat", "dog")),
        ({"config.json": '{"id2label": {"1": "dog", "0": "cat"}}'}, ("cat", "dog")),
        ({"classes": [0, 1]}, ("0", "1")),
        ({"names": "{1: 'dog', 3: 'cat'}"}, None),
        ({"names": {"a": "b"}}, None),
        ({"labels": [["cat"], ["dog"]]}, None),
        ({"labels": ""}, None),
        ({}, None),
    ],
)
def test_labels(metadata, labels):
    assert read_stated(metadata).labels == labels
