"""Files of a user's own: nothing is guessed, what is ambiguous or cannot be computed with is one line."""

import bz2
import gzip

import numpy as np
import pytest
import scipy.io
from PIL import Image
from scipy import sparse

from spred_bench.components.data import readers
from spred_bench.components.data.expression_file import Source as Expressions
from spred_bench.components.data.file import Source as Regressions
from spred_bench.errors import UserError


def table(tmp_path, text: str, name: str = "own.csv"):
    path = tmp_path / name
    path.write_text(text)
    return path


@pytest.mark.parametrize("word", ["None", "NA", "null", "nan", "N/A", "NULL"])
def test_a_class_may_be_called_anything(tmp_path, word):
    lines = ["label,g1,g2", *(f"{word if i % 3 == 0 else 'ab'[i % 2]},{i},{i % 4}" for i in range(60))]
    data = Expressions(path=table(tmp_path, "\n".join(lines)), label="label").load(0)
    labels, counts = np.unique(data.factors["label"], return_counts=True)
    assert len(data.samples) == 60 and dict(zip(labels, counts, strict=True))[word] == 20


def test_only_an_empty_field_is_missing(tmp_path):
    data = Expressions(path=table(tmp_path, "label,g1,g2\na,1,\nb,2,3\na,3,5\n"), label="label").load(0)
    assert np.isnan(data.X[0, 1]) and np.isfinite(data.X).sum() == 5


BAD = {
    "an index": (",label,g1\n0,a,1\n1,b,2\n", "the first column has no name; is it an index"),
    "a comma at the end of the names": ("label,g1,\na,1,\nb,2,\n", "column 3 has no name"),
    "a comma at the end of a line": ("label,g1\na,1,\nb,2,\n", "line 2 has 3 fields, the line of names 2"),
    "a cut last line": ("label,g1,g2\na,1,2\nb,2", "line 3 has 2 fields, the line of names 3; is the file cut"),
    "dates": ("label,g1\na,2024-01-02\nb,2024-01-03\n", "column 'g1' is not numeric: line 2 holds '2024-01-02'"),
    "words": ("label,g1\na,1\nb,high\n", "column 'g1' is not numeric: line 3 holds 'high'"),
    "the same name twice": ("label,g1,g1\na,1,2\n", "column 'g1' stands 2 times"),
    "semicolons": ("label;g1\na;1\n", "expected commas in a .csv"),
    "no such label": ("class,g1\na,1\n", "no column 'label'; it holds class, g1"),
}


@pytest.mark.parametrize(("text", "message"), BAD.values(), ids=BAD)
def test_an_ambiguous_table_is_refused(tmp_path, text, message):
    with pytest.raises(UserError) as refusal:
        Expressions(path=table(tmp_path, text), label="label").load(0)
    assert message in str(refusal.value) and "own.csv" in str(refusal.value) and "\n" not in str(refusal.value)


@pytest.mark.parametrize(("name", "mark"), [("own.csv", ","), ("own.tsv", "\t"), ("OWN.CSV", ",")])
def test_a_target_is_named(tmp_path, name, mark):
    rng = np.random.default_rng(0)
    lines = [mark.join(["a", "price", "b"]), *(mark.join(f"{x:.6f}" for x in row) for row in rng.normal(size=(20, 3)))]
    data = Regressions(path=table(tmp_path, "\n".join(lines), name), target="price", standardise=False).load(0)
    assert data.X.shape == (20, 2) and data.Y[0] == pytest.approx(float(lines[1].split(mark)[1]))
    with pytest.raises(UserError, match=r"no column 'cost'; it holds a, price, b; data.file.target"):
        Regressions(path=tmp_path / name, target="cost").load(0)


def test_sparse_arrays_as_scipy_saves_them(tmp_path):
    X = sparse.random(30, 12, density=0.3, random_state=0, format="csr")
    sparse.save_npz(tmp_path / "words.npz", X)
    with np.load(tmp_path / "words.npz") as saved:
        np.savez(tmp_path / "words.npz", y=np.arange(30.0), **saved)
    data = Regressions(path=tmp_path / "words.npz", standardise=False).load(0)
    assert sparse.issparse(data.X) and (data.X != X).nnz == 0 and data.Y[7] == 7


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.eye(4) * (1 + 1j), "it holds complex numbers"),
        (np.full((4, 4), np.datetime64("2024-01-01")), "it holds dates"),
        (np.eye(4) * 1e200, "holds 1e+200, whose square overflows in float64"),
        (np.eye(4, dtype=np.float32) * np.float32(1e25), "whose square overflows in float32"),
        (np.array([["a"] * 4] * 4), "it holds text"),
    ],
    ids=["complex", "dates", "overflow", "overflow32", "text"],
)
def test_what_no_solver_can_use_is_refused(tmp_path, X, message):
    np.savez(tmp_path / "own.npz", X=X, y=np.arange(4.0))
    with pytest.raises(UserError) as refusal:
        Regressions(path=tmp_path / "own.npz").load(0)
    assert message in str(refusal.value)


def test_complex_values_of_matlab_are_refused(tmp_path):
    scipy.io.savemat(tmp_path / "own.mat", {"X": np.eye(4) + 1j, "y": np.arange(4.0)})
    with pytest.raises(UserError, match="complex numbers"):
        Regressions(path=tmp_path / "own.mat").load(0)


def test_cells_of_matlab_are_their_text(tmp_path):
    labels = np.array([["ALL"], ["AML"], ["ALL"], ["AML"]], dtype=object)
    scipy.io.savemat(tmp_path / "own.mat", {"X": np.arange(12.0).reshape(4, 3) % 5, "Y": labels})
    data = Expressions(path=tmp_path / "own.mat", label="Y").load(0)
    assert data.factors["Y"].tolist() == ["ALL", "AML", "ALL", "AML"]


@pytest.mark.parametrize(
    ("text", "message"),
    [("# nothing\n# here\n", "no sample"), ("1 2000000000:1.0\n", "2000000000"), ("1 0:1\n", "")],
    ids=["comments alone", "a huge index", "index zero"],
)
def test_svmlight_files_without_sense(tmp_path, text, message):
    path = table(tmp_path, text, "own.SVM")
    if not message:
        assert readers.read(path, "X", []).X.shape[0] == 1
        return
    with pytest.raises(UserError) as refusal:
        Regressions(path=path).load(0)
    assert message in str(refusal.value) and "\n" not in str(refusal.value)


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress])
def test_a_packed_text_is_read_up_to_a_bound(tmp_path, monkeypatch, pack):
    path = tmp_path / "large.csv.gz"
    path.write_bytes(pack(b"label,g1\n" + b"a,1\nb,2\n" * 400))
    assert len(readers.read(path, "X", ["label"]).X) == 800
    monkeypatch.setattr(readers, "LARGEST_TEXT", 1000)
    with pytest.raises(UserError, match="holds more than"):
        readers.read(path, "X", ["label"])


def test_a_phone_s_orientation_is_applied(tmp_path):
    from spred_bench.components.data import pictures

    pixels = np.zeros((4, 6), np.uint8)
    pixels[:, 0] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # turned a quarter: the left column of the file is the top row of the picture
    Image.fromarray(pixels).save(tmp_path / "turned.png", exif=exif)
    with pictures.opened(tmp_path / "turned.png") as image:
        upright = np.asarray(image)
    assert upright.shape == (6, 4) and (upright[0] == 255).all()


@pytest.mark.parametrize(
    ("pixels", "message"),
    [(np.full((3, 3), 70_000, np.int32), "whole numbers of 32 bits"), (np.zeros((90, 90), np.uint8), "more than 1000")],
    ids=["32 bits", "decompression bomb"],
)
def test_images_of_unknown_scale_or_size_are_refused(tmp_path, monkeypatch, pixels, message):
    from spred_bench.components.data import pictures

    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    Image.fromarray(pixels).save(tmp_path / "odd.tif")
    with pytest.raises(ValueError, match=message), pictures.opened(tmp_path / "odd.tif"):
        pass


def test_sixteen_bits_in_a_file_of_32_keep_their_values(tmp_path):
    from spred_bench.components.data import pictures

    pixels = np.array([[0, 65535], [300, 7]], np.int32)
    Image.fromarray(pixels).save(tmp_path / "deep.tif")
    with pictures.opened(tmp_path / "deep.tif") as image:
        np.testing.assert_array_equal(np.asarray(image), pixels)
