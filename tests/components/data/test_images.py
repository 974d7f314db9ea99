"""Image sources: Keras' layout, MNIST's files, and one-line errors for what is missing, cut or foreign."""

import os
from pathlib import Path

import numpy as np
import pytest

from spred_bench.components.data import image_file, mnist
from spred_bench.components.data.digits import Source as Digits
from spred_bench.components.data.images import checked
from spred_bench.errors import UserError

X = np.arange(4 * 2 * 3, dtype=np.uint8).reshape(4, 2, 3)
Y = np.array([0, 1, 1, 0])


def test_grey_and_colour_images_become_channels_first():
    grey = checked("own", X, Y, X, Y[:, None])
    assert grey.shape == (1, 2, 3) and grey.n_classes == 2 and grey.y_test.shape == (4,)
    colour = checked("own", np.stack([X, X + 1, X + 2], axis=-1), Y, np.stack([X] * 3, axis=-1), Y)
    np.testing.assert_array_equal(colour.x_train[:, 1], X + 1)
    assert checked("own", X / 255, Y, X / 255.0, Y).x_train.tolist() == X[:, None].tolist()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x_train": X.reshape(4, 6)}, "x_train has shape"),
        ({"x_test": X[:, :, :2]}, r"\(1, 2, 2\) in x_test"),
        ({"x_train": X.astype(float)}, "between 0 and 1"),
        ({"y_train": Y[:3]}, "4 images in x_train, 3 labels"),
        (
            {"x_train": np.zeros((4, 3, 8, 8), np.uint8)},
            r"\(4, 3, 8, 8\), channels first; expected \(n, h, w, channels\)",
        ),
        ({"y_train": Y + 1}, r"classes in y_train are 1, 2; expected 0, 1, 2, \.\.\. without a gap"),
        ({"y_train": Y - 1}, "classes in y_train are -1, 0;"),
        ({"y_test": Y * 2}, "y_test holds class 2; expected the classes of y_train, 0 to 1"),
        ({"y_train": Y.astype(float)}, "whole numbers"),
    ],
)
def test_arrays_that_do_not_fit_are_named(change, message):
    arrays = {"x_train": X, "y_train": Y, "x_test": X, "y_test": Y, **change}
    with pytest.raises(UserError, match=message):
        checked("own", **arrays)


def test_dev_split_is_disjoint_and_the_same_every_time():
    images = Digits().load(0)
    rows, held_out = images.dev_split(0.1)
    assert len(held_out) == round(0.1 * len(images.y_train)) and not set(rows) & set(held_out)
    np.testing.assert_array_equal(held_out, Digits().load(1).dev_split(0.1)[1])
    with pytest.raises(ValueError, match="nothing on one side"):
        images.first(3).dev_split(0.1)
    assert images.x_train.max() == 255 and len(images.y_train) + len(images.y_test) == 1797


def test_npz_of_the_users(tmp_path):
    np.savez(tmp_path / "own.npz", x_train=X, y_train=Y, x_test=X[:2], y_test=Y[:2])
    source = image_file.Source(path=Path("own.npz"), data_dir=tmp_path, n_train=3)
    assert source.load(0).x_train.shape == (3, 1, 2, 3)
    assert len(source.provenance()["sha256"]) == 64

    with pytest.raises(UserError, match=r"n_train=1: class 1 is not among the first 1 of"):
        image_file.Source(path=tmp_path / "own.npz", n_train=1).check()
    np.savez(tmp_path / "less.npz", x_train=X, y_train=Y)
    with pytest.raises(UserError, match=r"no array x_test; it holds x_train, y_train"):
        image_file.Source(path=tmp_path / "less.npz").check()
    np.savez(tmp_path / "objects.npz", x_train=np.array([{}]), y_train=Y, x_test=X, y_test=Y)
    with pytest.raises(UserError, match="cannot be read"):
        image_file.Source(path=tmp_path / "objects.npz").check()
    (tmp_path / "cut.npz").write_bytes((tmp_path / "own.npz").read_bytes()[:300])
    with pytest.raises(UserError, match="cannot be read"):
        image_file.Source(path=tmp_path / "cut.npz").check()
    with pytest.raises(UserError, match="no such file"):
        image_file.Source(path=Path("none.npz"), data_dir=tmp_path).check()


def test_mnist_names_the_missing_and_the_cut_file(tmp_path):
    source = mnist.Source(data_dir=tmp_path)
    with pytest.raises(UserError, match=r"train-images-idx3-ubyte is not there.*prepare data=mnist.*data_dir"):
        source.check()
    folder = tmp_path / "MNIST" / "raw"
    folder.mkdir(parents=True)
    for name in mnist.FILES:
        (folder / name).write_bytes(b"foreign")
    with pytest.raises(UserError, match=r"train-images-idx3-ubyte is cut or not the original"):
        mnist.Source(data_dir=tmp_path).check()


def test_nothing_is_fetched_unless_asked(tmp_path, monkeypatch):
    asked = []

    def offline(*arguments, **options):
        asked.append(options)
        raise RuntimeError("no network")

    monkeypatch.setattr("torchvision.datasets.MNIST", offline)
    with pytest.raises(UserError, match="not there"):
        mnist.Source(data_dir=tmp_path).check()
    assert asked == []
    with pytest.raises(UserError, match="download failed"):
        mnist.Source(data_dir=tmp_path, download=True).check()
    with pytest.raises(UserError, match="download failed"):
        mnist.Source(data_dir=tmp_path).prepare()
    assert len(asked) == 2


def test_prepare_says_what_it_found(cli):
    code, out, _ = cli("prepare", "data=digits")
    assert code == 0 and "digits: ready" in out
    code, _, err = cli("prepare", "data=unknown")
    assert code == 2 and "unknown data 'unknown'" in err


@pytest.mark.skipif("SPRED_DATA_DIR" not in os.environ, reason="SPRED_DATA_DIR names no folder with MNIST")
def test_real_mnist(cli):
    source = mnist.Source(data_dir=Path(os.environ["SPRED_DATA_DIR"]))
    if not (source.data_dir / "MNIST").is_dir():
        pytest.skip("no MNIST there")
    images = source.load(0)
    assert images.x_train.shape == (60000, 1, 28, 28) and images.x_test.shape == (10000, 1, 28, 28)
    assert images.y_train[:5].tolist() == [5, 0, 4, 1, 9] and np.bincount(images.y_test)[0] == 980
    assert cli("prepare", "data=mnist", f"data_dir={source.data_dir}")[0] == 0
