"""CIFAR and folders of images: read right, and one line for what is missing, cut, foreign or of another shape."""

import hashlib
import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from spred_bench.components.data import cifar, image_folder
from spred_bench.errors import UserError


@pytest.fixture
def small(tmp_path, monkeypatch):
    """A CIFAR-10 of 6 + 2 images in torchvision's layout, whose checksums stand for the official ones."""
    from torchvision.datasets import CIFAR10

    folder = tmp_path / CIFAR10.base_folder
    folder.mkdir()

    def write(name: str, content: dict) -> list[str]:
        data = pickle.dumps(content)
        (folder / name).write_bytes(data)
        return [name, hashlib.md5(data).hexdigest()]

    pixels = np.arange(8 * 3072).reshape(8, 3072).astype(np.uint8)
    train = write("data_batch_1", {"data": pixels[:6], "labels": [0, 1, 2, 0, 1, 2]})
    test = write("test_batch", {"data": pixels[6:], "labels": [2, 0]})
    meta = write("batches.meta", {"label_names": ["a", "b", "c"]})
    monkeypatch.setattr(CIFAR10, "train_list", [train])
    monkeypatch.setattr(CIFAR10, "test_list", [test])
    monkeypatch.setattr(CIFAR10, "meta", {"filename": meta[0], "key": "label_names", "md5": meta[1]})
    return tmp_path, folder, pixels


def test_images_are_channels_first_and_labels_theirs(small):
    root, _, pixels = small
    source = cifar.Source(n_classes=10, data_dir=root, n_train=5)
    images = source.load(0)
    assert images.x_train.shape == (5, 3, 32, 32) and images.y_test.tolist() == [2, 0]
    np.testing.assert_array_equal(images.x_train[1].ravel(), pixels[1])
    assert set(source.provenance()) == {"data_batch_1", "test_batch", "batches.meta"}


def test_a_file_that_is_not_the_original_is_never_unpickled(small):
    root, folder, _ = small
    (folder / "data_batch_1").write_bytes(b"cos\nsystem\n(S'exit 1'\ntR.")
    with pytest.raises(UserError, match=r"data_batch_1 is cut or not the original"):
        cifar.Source(n_classes=10, data_dir=root).load(0)


def test_missing_data_are_named_with_their_command(tmp_path, monkeypatch):
    with pytest.raises(UserError, match=r"data=cifar100.*train is not there.*prepare data=cifar100.*data_dir"):
        cifar.Source(n_classes=100, data_dir=tmp_path).check()

    def offline(*arguments, **options):
        raise RuntimeError("no network")

    monkeypatch.setattr("torchvision.datasets.cifar.CIFAR10.download", offline)
    with pytest.raises(UserError, match="download failed"):
        cifar.Source(n_classes=10, data_dir=tmp_path).prepare()


def save(file: Path, height: int, width: int, value: int) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((height, width, 3), value, np.uint8)).save(file)


def test_folders_of_images(tmp_path):
    for split, name, value in (("train", "dog", 10), ("train", "cat", 20), ("test", "cat", 30), ("test", "dog", 40)):
        save(tmp_path / split / name / "one.png", 4, 6, value)
    source = image_folder.Source(path=tmp_path)
    images = source.load(0)
    assert images.shape == (3, 4, 6) and images.y_train.tolist() == [0, 1]
    assert images.x_train[:, 0, 0, 0].tolist() == [20, 10] and images.x_test[:, 0, 0, 0].tolist() == [30, 40]
    assert source.provenance()["files"] == 4
    assert image_folder.Source(path=tmp_path, size=8).load(0).shape == (3, 8, 8)
    Image.fromarray(np.full((4, 6), 20 * 257, np.uint16)).save(tmp_path / "train" / "dog" / "one.png")
    assert source.load(0).x_train[1].max() == source.load(0).x_train[1].min() == 20  # of 16 bits

    save(tmp_path / "train" / "dog" / "two.png", 5, 6, 0)
    with pytest.raises(UserError, match=r"two.png: is 6 x 5, one.png is 6 x 4"):
        source.load(0)
    (tmp_path / "train" / "dog" / "two.png").write_bytes(b"no image")
    with pytest.raises(UserError, match=r"two.png: is not a readable image"):
        source.load(0)
    save(tmp_path / "test" / "eel" / "one.png", 4, 6, 0)
    with pytest.raises(UserError, match="the same in both: eel"):
        source.check()
    with pytest.raises(UserError, match="no such folder"):
        image_folder.Source(path=Path("nowhere"), data_dir=tmp_path).check()
