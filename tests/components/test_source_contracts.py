"""Every data set and every protocol of gene selection, found by themselves."""

import importlib
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import sparse

from contracts import GROUPS, build_all, spec_of
from spred_bench.components import contract
from spred_bench.components.data.genes import Expression
from spred_bench.components.data.images import Images
from spred_bench.components.data.patches import Patches
from spred_bench.components.data.regression import Regression
from spred_bench.errors import UserError


def sources_of(kind: type) -> list[str]:
    """Names of the data sources that give a `kind`: the return annotation of `load` tells."""
    targets = {name: contract.load_target(spec_of("data", name)["_target_"], name) for name in GROUPS["data"]}
    return [name for name, target in targets.items() if contract.data_type(target) is kind]


def small_sources(name: str, tmp_path, **arrays) -> list:
    """A source's components at a small size; one that reads a file of the user's gets these arrays as .npz."""
    spec = spec_of("data", name)
    if spec.get("path") == "???":
        np.savez(tmp_path / "own.npz", **arrays)
        spec |= {"path": str(save_images(tmp_path, **arrays) if name == "image_folder" else tmp_path / "own.npz")}
    small = {"n_samples": 12, "n_features": 8, "n_informative": 3, "n_nonzero": 5}
    small |= {"n_patches": 300, "n_held_out": 60, "side": 6}
    known = contract.parameters(contract.load_target(spec["_target_"], name))
    spec |= {key: value for key, value in small.items() if key in known}
    shared = {"data_dir": Path(os.environ.get("SPRED_DATA_DIR", tmp_path))}
    return list(contract.build_group("data", {name: spec}, shared).values())


def save_images(folder: Path, **arrays) -> Path:
    """The arrays as train/<class>/*.png and test/<class>/*.png."""
    for split in ("train", "test"):
        for number, (pixels, label) in enumerate(zip(arrays[f"x_{split}"], arrays[f"y_{split}"], strict=True)):
            (folder / split / str(label)).mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(folder / split / str(label) / f"{number}.png")
    return folder


def test_every_source_says_what_it_gives():
    kinds = (Regression, Images, Expression, Patches)
    assert {name for kind in kinds for name in sources_of(kind)} == set(GROUPS["data"])


@pytest.mark.parametrize("name", sources_of(Regression))
def test_regression_sources_are_reproducible(name, tmp_path):
    for source in small_sources(name, tmp_path, X=np.eye(4), y=np.arange(4.0)):
        known = contract.parameters(type(source))
        try:
            source.check()
        except UserError as error:
            pytest.skip(f"{error}; SPRED_DATA_DIR names a folder with data")
        first, second, other = source.load(0), source.load(0), source.load(1)
        assert first.X.shape[0] == len(first.Y) and first.X.shape[1] > 0
        values, again = (data.X.data if sparse.issparse(data.X) else data.X for data in (first, second))
        assert np.isfinite(values).all() and np.isfinite(first.Y).all()
        np.testing.assert_array_equal(values, again)
        np.testing.assert_array_equal(first.Y, second.Y)
        assert "n_samples" not in known or not np.array_equal(first.X, other.X)
        assert set(first.keys) <= set(
            importlib.import_module("spred_bench.components.tasks.lasso_scaling").Task.key_columns
        )


@pytest.mark.slow
@pytest.mark.parametrize("name", sources_of(Images))
def test_image_sources_are_reproducible_and_of_matching_shapes(name, tmp_path):
    x, y = np.zeros((6, 4, 5, 3), np.uint8), np.arange(6) % 2
    for source in small_sources(name, tmp_path, x_train=x, y_train=y, x_test=x, y_test=y):
        try:
            source.check()
        except UserError as error:
            assert "spred-bench prepare" in str(error) or "no such file" in str(error)
            pytest.skip(f"{error}; SPRED_DATA_DIR names a folder with data")
        first, second = source.load(0), source.load(0)
        for x, y in ((first.x_train, first.y_train), (first.x_test, first.y_test)):
            assert x.dtype == np.uint8 and x.shape == (len(y), *first.shape) and len(first.shape) == 3
            assert y.dtype == np.int64 and set(y) <= set(range(first.n_classes))
        np.testing.assert_array_equal(first.x_train, second.x_train)
        rows, dev_rows = first.dev_split(0.25)
        assert sorted([*rows, *dev_rows]) == list(range(len(first.y_train)))


@pytest.mark.parametrize("name", sources_of(Expression))
def test_expression_sources_are_reproducible(name, tmp_path):
    for source in small_sources(name, tmp_path, X=np.arange(12.0).reshape(4, 3), Y=np.array([0, 1, 0, 1])):
        try:
            first, second = source.load(0), source.load(0)
        except UserError as error:
            assert "prepare" in str(error) or "data_dir" in str(error)
            pytest.skip("the file is not here; SPRED_DATA_DIR names its folder")
        n, d = first.X.shape
        assert first.X.dtype == np.float32 and len(first.features) == len(first.symbols) == d
        assert len(set(first.samples)) == n and first.factors
        assert all(len(labels) == n for labels in first.factors.values())
        np.testing.assert_array_equal(first.X, second.X)


@pytest.mark.parametrize("name", GROUPS["protocol"])
def test_protocols_divide_alike_twice(name):
    from spred_bench.components.data.expression import Source

    data = Source(n_samples=45, n_features=30).load(0)
    (protocol,) = build_all("protocol", name).values()
    labelled = protocol.label(data)
    first, second, other = (protocol.sample(data, labelled, seed) for seed in (0, 0, 1))
    parts = (first.split.y_train, first.split.y_dev, first.y_test)
    assert sorted(np.concatenate(parts)) == sorted(labelled.y)
    assert [len(part) for part in parts] == [27, 9, 9]
    assert first.split.X_train.dtype == first.X_test.dtype == np.float32 and np.isfinite(first.X_test).all()
    np.testing.assert_array_equal(first.X_test, second.X_test)
    assert not np.array_equal(first.X_test, other.X_test)


@pytest.mark.parametrize("name", sources_of(Patches))
def test_patch_sources_are_reproducible_and_of_matching_shapes(name, tmp_path):
    images = np.random.default_rng(0).random((6, 30, 40))
    for source in small_sources(name, tmp_path, images=images):
        try:
            source.check()
        except UserError as error:
            assert "no such folder" in str(error)
            pytest.skip(f"{error}; SPRED_DATA_DIR names a folder with data")
        first, second = source.load(0), source.load(0)
        for X in (first.train, first.held_out):
            assert X.dtype == np.float32 and X.shape[1] == first.side**2 and np.isfinite(X).all() and len(X)
        np.testing.assert_array_equal(first.train, second.train)
        assert not np.array_equal(first.train, source.load(1).train)
        assert np.mean(first.train**2) == pytest.approx(1, rel=0.5)
