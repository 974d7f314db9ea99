"""Patches: cut, split and whitened as told, from whatever images people have, and one line for what cannot be used."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from spred_bench.components.data import patch_file, patch_folder, photographs
from spred_bench.components.data.grey import read_grey, to_grey
from spred_bench.components.data.patches import Found, cut, draw, split
from spred_bench.components.data.whitening import one_over_f, zca_matrix
from spred_bench.errors import UserError


def natural(height, width, seed=0) -> np.ndarray:
    """An image (h, w) with the 1/f spectrum of natural ones, within [0, 1]."""
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width))
    noise = np.random.default_rng(seed).standard_normal((height, width))
    image = np.fft.ifft2(np.fft.fft2(noise) / np.maximum(frequency, 1 / height)).real
    return ((image - image.min()) / np.ptp(image)).astype(np.float32)


def found(n, height=40, width=50) -> Found:
    return Found({f"image {i}": natural(height, width, i) for i in range(n)}, {})


@pytest.mark.parametrize("n_images", [2, 10])
def test_no_pixel_is_learnt_from_and_judged_on(n_images):
    # Every pixel of every image has a value of its own, so that patches tell where they come from.
    images = [1 + np.arange(40 * 50, dtype=np.float32).reshape(40, 50) + 2000 * i for i in range(n_images)]
    train, held_out = split(images, 8)
    assert not set(np.concatenate([area.ravel() for area in train])) & set(
        np.concatenate([area.ravel() for area in held_out])
    )
    share = sum(area.size for area in held_out) / sum(image.size for image in images)
    assert share == pytest.approx(0.2, abs=0.01)
    assert [area.shape for area in split([image.T for image in images], 8)[1]] == [area.T.shape for area in held_out]


def test_patches_are_distinct_pieces_without_their_means():
    area = np.random.default_rng(0).random((12, 13)).astype(np.float32)
    X, n_constant = draw([area, area + 5], 4, 2 * 9 * 10, 0)
    windows = np.lib.stride_tricks.sliding_window_view(area, (4, 4)).reshape(-1, 16)
    expected = np.repeat(windows - windows.mean(axis=1, keepdims=True), 2, axis=0)
    assert X.shape == (180, 16) and n_constant == 0
    np.testing.assert_allclose(X[np.lexsort(X.T)], expected[np.lexsort(expected.T)], atol=1e-5)


def test_constant_patches_are_dropped_and_counted():
    area = np.zeros((8, 40), np.float32)
    area[:, 20:] = np.random.default_rng(0).random((8, 20))
    X, n_constant = draw([area], 8, 10, 0)
    assert len(X) == 10 and np.ptp(X, axis=1).min() > 0 and 0 < n_constant <= 13
    assert draw([area], 8, 99, 0)[0].shape == (20, 64) and draw([area], 8, 99, 0)[1] == 13
    few = Found({f"image {i}": area for i in range(5)}, {})
    with pytest.raises(UserError, match="n_patches=81, but the images have only 80 different patches with contrast"):
        cut(few, 8, 81, 5, "none", 0.0, 0)
    with pytest.raises(UserError, match="n_held_out=21, but the images have only 20"):
        cut(few, 8, 80, 21, "none", 0.0, 0)


def test_zca_makes_pixels_uncorrelated_and_says_how():
    patches = cut(found(6), 6, 7875, 500, "zca", 0.0, 0)  # all there are
    covariance = patches.train.T.astype(float) @ patches.train / len(patches.train)
    values = np.linalg.eigvalsh(covariance)
    assert values[0] == pytest.approx(0, abs=1e-6)  # the mean, which was removed
    np.testing.assert_allclose(values[1:], 36 / 35, rtol=1e-3)
    assert patches.whitening.matrix.shape == (36, 36) and "ZCA" in patches.whitening.description
    raw = cut(found(6), 6, 7875, 500, "none", 0.0, 0)
    ratio = (raw.train @ patches.whitening.matrix) / patches.train
    np.testing.assert_allclose(ratio, np.median(ratio), rtol=0.05, atol=0.05)
    assert np.mean(raw.train**2) == pytest.approx(1) and raw.whitening.matrix is None


def test_a_regulariser_leaves_the_weak_directions_weak():
    X = np.random.default_rng(0).standard_normal((5000, 3)) * [1.0, 1.0, 0.01]
    whitened = X @ zca_matrix(X, 0.5)
    np.testing.assert_allclose(whitened.std(axis=0), [0.866, 0.866, 0.0173], rtol=0.05)


def test_the_filter_flattens_the_spectrum_and_cuts_the_corners():
    filtered = one_over_f(natural(128, 128))
    power = np.abs(np.fft.fft2(filtered)) ** 2
    frequency = np.hypot(np.fft.fftfreq(128)[:, None], np.fft.fftfreq(128))
    low, middle, high = (
        power[(a < frequency) & (frequency < b)].mean() for a, b in ((0.02, 0.08), (0.1, 0.2), (0.6, 0.7))
    )
    assert 0.5 < low / middle < 2 and high < 1e-3 * middle
    patches = cut(found(2), 8, 500, 100, "one_over_f", 0.0, 0)
    assert np.mean(patches.train**2) == pytest.approx(1, rel=0.1) and patches.held_out.shape == (100, 64)


def test_the_same_seed_gives_the_same_patches():
    first, second, other = (cut(found(6), 8, 300, 50, "zca", 0.1, seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first.train, second.train)
    np.testing.assert_array_equal(first.held_out, second.held_out)
    assert not np.array_equal(first.train, other.train)


@pytest.mark.parametrize("whitening", ["zca", "one_over_f"])
def test_more_patches_begin_with_the_fewer(whitening):
    few, many = (cut(found(6), 8, n, 50, whitening, 0.1, 0) for n in (100, 300))
    # Some BLAS sum in another order where there are more rows.
    np.testing.assert_allclose(many.train[:100], few.train, atol=1e-5)
    np.testing.assert_allclose(many.held_out, few.held_out, atol=1e-5)


def test_colour_alpha_palette_and_16_bits_give_the_same_grey(tmp_path):
    values = np.round(255 * natural(20, 30)).astype(np.uint8)
    grey = values.astype(np.float32) / 255
    colour = np.stack([values] * 3, axis=-1)
    alpha = np.full_like(values, 128)[..., None]
    Image.fromarray(values).save(tmp_path / "grey.png")
    Image.fromarray(colour).save(tmp_path / "colour.png")
    Image.fromarray(np.concatenate([colour, alpha], axis=-1)).save(tmp_path / "alpha.png")
    Image.fromarray(np.stack([values, alpha[..., 0]], axis=-1)).save(tmp_path / "grey_alpha.png")
    Image.fromarray(values.astype(np.uint16) * 257).save(tmp_path / "deep.png")
    Image.fromarray(values).convert("P").save(tmp_path / "palette.png")
    Image.fromarray(values > 100).save(tmp_path / "bits.png")
    for name in ("grey", "colour", "alpha", "grey_alpha", "deep", "palette"):
        np.testing.assert_allclose(read_grey(tmp_path / f"{name}.png"), grey, atol=2e-3, err_msg=name)
    np.testing.assert_array_equal(read_grey(tmp_path / "bits.png"), values > 100)
    with pytest.raises(ValueError, match="no image"):
        to_grey(np.zeros((4, 4, 5)))


def test_images_that_cannot_be_used_are_named_and_the_others_are(tmp_path, capsys):
    for i in range(2):
        Image.fromarray(np.uint8(255 * natural(40, 40, i))).save(tmp_path / f"good{i}.png")
    Image.fromarray(np.zeros((8, 99), np.uint8)).save(tmp_path / "small.png")
    (tmp_path / "broken.jpg").write_bytes(b"no image")
    (tmp_path / "readme.txt").write_text("not an image, and not meant as one")
    source = patch_folder.Source(path=tmp_path, n_patches=50, n_held_out=20, side=16)
    patches = source.load(0)
    assert set(patches.skipped) == {"broken.jpg", "small.png"}
    told = capsys.readouterr().err
    assert "2 of 4 images skipped" in told and "small.png (99 x 8 pixels, a patch has 16 x 16)" in told
    assert source.provenance()["files"] == 4 and set(source.provenance()["skipped"]) == {"broken.jpg", "small.png"}
    for i in range(2):
        (tmp_path / f"good{i}.png").unlink()
    with pytest.raises(UserError, match=r"none of 2 images is of use; broken\.jpg: no image that PIL knows"):
        patch_folder.Source(path=tmp_path).check()


def test_missing_and_empty_folders_are_named(tmp_path):
    with pytest.raises(UserError, match="path=nowhere: no such folder here nor in data_dir"):
        patch_folder.Source(path=Path("nowhere"), data_dir=tmp_path).check()
    with pytest.raises(UserError, match="no image there"):
        patch_folder.Source(path=tmp_path).check()


def test_arrays_of_the_users(tmp_path):
    images = np.stack([natural(30, 30, i) for i in range(6)])
    np.save(tmp_path / "images.npy", images)
    np.savez(tmp_path / "images.npz", pictures=np.stack([images] * 3, axis=-1))
    settings = {"n_patches": 100, "n_held_out": 20, "side": 8}
    plain = patch_file.Source(path=Path("images.npy"), data_dir=tmp_path, **settings).load(0)
    colour = patch_file.Source(path=tmp_path / "images.npz", key="pictures", **settings)
    np.testing.assert_allclose(colour.load(0).train, plain.train, atol=1e-4)
    assert len(colour.provenance()["sha256"]) == 64
    with pytest.raises(UserError, match=r"data.key=images: .* holds pictures"):
        patch_file.Source(path=tmp_path / "images.npz", **settings).check()
    np.save(tmp_path / "flat.npy", np.zeros(9))
    with pytest.raises(UserError, match=r"float64 of shape \(9,\); expected images"):
        patch_file.Source(path=tmp_path / "flat.npy").check()
    np.save(tmp_path / "objects.npy", np.array([{}]))
    with pytest.raises(UserError, match=r"is no \.npy or \.npz file of numbers"):
        patch_file.Source(path=tmp_path / "objects.npy").check()
    images[1, 2, 3] = np.nan
    np.save(tmp_path / "nan.npy", images)
    assert patch_file.Source(path=tmp_path / "nan.npy", **settings).load(0).skipped == {"image 1": "holds NaN or inf"}
    np.save(tmp_path / "nan.npy", images * np.nan)
    with pytest.raises(UserError, match="none of 6 images is of use; image 0: holds NaN"):
        patch_file.Source(path=tmp_path / "nan.npy", **settings).check()


def test_one_image_too_small_to_hold_anything_out():
    with pytest.raises(UserError, match="nothing can be held out of images of 20 x 20"):
        split([np.zeros((20, 20))], 16)


def test_photographs_need_no_download():
    patches = photographs.Source(n_patches=500, n_held_out=100).load(0)
    assert patches.train.shape == (500, 256) and patches.held_out.shape == (100, 256)
    assert np.isfinite(patches.train).all() and not patches.skipped


@pytest.mark.skipif("SPRED_DATA_DIR" not in os.environ, reason="SPRED_DATA_DIR names no folder with natural images")
def test_real_images():
    folder = Path(os.environ["SPRED_DATA_DIR"]) / "natural_images"
    if not folder.is_dir():
        pytest.skip("no natural_images there")
    patches = patch_folder.Source(path=folder, n_patches=5000, n_held_out=500).load(0)
    assert patches.train.shape == (5000, 256) and not patches.skipped
