"""Expression data: GEO DataSets, files of the user's, planted genes; and what is wrong with a bad file, in one line."""

import gzip
import os
from pathlib import Path

import numpy as np
import pytest

from spred_bench.components.data.expression import Source as Planted
from spred_bench.components.data.expression_file import Source as File
from spred_bench.components.data.gds import Source as Gds
from spred_bench.components.data.genes import checked, of_table
from spred_bench.components.data.readers import soft
from spred_bench.errors import UserError

SAMPLES = ("GSM1", "GSM2", "GSM3", "GSM4")
ROWS = ("p1\tTP53\t1.5\t2\t3\t4", "p2\tBRCA1\t5\tnull\t7\t8", "p3\tMYC\t1\t0\t0\t1")
SUBSETS = (("tumour", "disease state", "GSM1,GSM2"), ("normal", "disease state", "GSM3,GSM4"), ("old", "age", "GSM2"))


def soft_text(rows=ROWS, columns=SAMPLES, subsets=SUBSETS, features=3, samples=4, end="!dataset_table_end\n") -> str:
    lines = ["^DATABASE = Geo", "!Database_name = Gene Expression Omnibus (GEO)", "^DATASET = GDS999"]
    lines += ['!dataset_title = A = B, with "quotes"', f"!dataset_feature_count = {features}"]
    lines += [f"!dataset_sample_count = {samples}"]
    for i, (label, kind, members) in enumerate(subsets, 1):
        lines += [f"^SUBSET = GDS999_{i}", f"!subset_description = {label}", f"!subset_sample_id = {members}"]
        lines += [f"!subset_type = {kind}"]
    lines += ["^DATASET = GDS999", "#ID_REF = Platform reference identifier", "#IDENTIFIER = identifier"]
    lines += [f"#{name} = Value for {name}" for name in columns]
    lines += ["!dataset_table_begin", "\t".join(["ID_REF", "IDENTIFIER", *columns]), *rows]
    return "\n".join(lines) + "\n" + end


def read_gds(path: Path, accession=None):
    return of_table(str(path), soft.read_gds(path, accession))


@pytest.fixture
def write(tmp_path):
    def to_file(text: str, name="GDS999.soft") -> Path:
        path = tmp_path / name
        path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
        return path

    return to_file


@pytest.mark.parametrize("name", ["GDS999.soft", "GDS999.soft.gz"])
def test_gds_values_names_and_labels(write, name):
    data = read_gds(write(soft_text(), name), "GDS999")
    assert data.samples.tolist() == list(SAMPLES)
    assert data.features.tolist() == ["p1", "p2", "p3"] and data.symbols.tolist() == ["TP53", "BRCA1", "MYC"]
    np.testing.assert_array_equal(data.X[:, 1], [5, np.nan, 7, 8])
    assert {factor: labels.tolist() for factor, labels in data.factors.items()} == {
        "disease state": ["tumour", "tumour", "normal", "normal"],
        "age": ["", "old", "", ""],
    }


def test_full_gds_with_annotation_and_stray_quotation_marks(write):
    text = soft_text().replace("ID_REF\tIDENTIFIER\tGSM1\tGSM2\tGSM3\tGSM4", "{0}\tGene title\tGO:Function")
    text = text.format("ID_REF\tIDENTIFIER\tGSM1\tGSM2\tGSM3\tGSM4").replace("^SUBSET", "^Annotation\n!x\n^SUBSET", 1)
    for row, title in zip(ROWS, ("\"5' end", 'a "b', ""), strict=True):
        text = text.replace(row, f"{row}\t{title}\t")
    data = read_gds(write(text, "GDS999_full.soft"))
    assert data.X.shape == (4, 3) and data.symbols[2] == "MYC"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"end": ""}, "cut: there is no !dataset_table_end"),
        ({"features": 4}, "the table has 3 rows, but dataset_feature_count is 4"),
        ({"samples": 17}, "the table has 4 samples, but dataset_sample_count is 17"),
        ({"columns": ("GSM1", "GSM1", "GSM3", "GSM4")}, "sample GSM1 stands 2 times"),
        ({"rows": (*ROWS[:2], "p3\tMYC\tx\t0\t0\t1")}, "the table cannot be read"),
        ({"subsets": [("a", "age", "GSM1,GSM9")]}, "names the sample 'GSM9'"),
        ({"subsets": [("a", "age", "GSM1"), ("b", "age", "GSM1")]}, "GSM1 is 'a' and 'b' in 'age'"),
        ({"subsets": ()}, "no subsets"),
    ],
)
def test_damaged_gds_files_are_named(write, changes, message):
    path = write(soft_text(**changes))
    with pytest.raises(UserError, match=message) as caught:
        read_gds(path)
    assert str(caught.value).startswith(str(path)) and "\n" not in str(caught.value)


def test_foreign_files_are_rejected_by_name(write, tmp_path):
    cut = tmp_path / "cut.soft.gz"
    cut.write_bytes(gzip.compress(soft_text().encode())[:-40])
    cases = [
        (cut, "cut or damaged packed file"),
        (write("<!DOCTYPE html><html></html>", "page.soft"), "HTML"),
        (write("^DATABASE = Geo\n^SERIES = GSE1\n", "series.soft"), "it holds DATABASE, SERIES"),
        (write("", "empty.soft"), "no \\^DATASET line"),
    ]
    for path, message in cases:
        with pytest.raises(UserError, match=message) as caught:
            read_gds(path)
        assert path.name in str(caught.value)
    assert File(path=write(soft_text())).load(0).symbols[1] == "BRCA1"
    with pytest.raises(UserError, match="holds GDS999, not GDS1815"):
        read_gds(write(soft_text()), "GDS1815")


def test_gds_is_found_or_the_fetching_command_is_named(write, tmp_path):
    (tmp_path / "geo").mkdir()
    write(soft_text(), "geo/GDS999_full.soft.gz")
    source = Gds(accession="GDS999", data_dir=tmp_path)
    assert source.load(0).X.shape == (4, 3) and source.name == "GDS999"
    assert source.provenance()["file"] == "GDS999_full.soft.gz"
    with pytest.raises(UserError, match=r"GDS1815.soft.gz is not there.*prepare data=gds data.gds.accession=GDS1815"):
        Gds(accession="GDS1815", data_dir=tmp_path).check()
    (tmp_path / "geo" / "GDS999_full.soft.gz.sha256").write_text("0" * 64)
    with pytest.raises(UserError, match="not the file that was fetched"):
        Gds(accession="GDS999", data_dir=tmp_path).check()


def test_prepare_asks_geo_by_https_and_checks_what_came(tmp_path, monkeypatch):
    asked = []

    def fetch(urls, target, sha256, examine):
        asked.extend(urls)
        target.parent.mkdir(parents=True)
        target.write_bytes(gzip.compress(b"<html>too many requests</html>"))

    monkeypatch.setattr("spred_bench.components.data.gds.fetch", fetch)
    with pytest.raises(UserError, match="HTML"):
        Gds(accession="GDS5027", data_dir=tmp_path).prepare()
    assert asked == ["https://ftp.ncbi.nlm.nih.gov/geo/datasets/GDS5nnn/GDS5027/soft/GDS5027.soft.gz"]


X = np.array([[1.0, 5, 2], [2, 5, 0], [3, 5, 1], [4, 5, 9]])


def test_arrays_and_tables_of_the_users(tmp_path):
    from scipy.io import savemat

    savemat(tmp_path / "own.mat", {"X": X, "Y": np.array([[1], [1], [2], [2]], np.uint8)})
    np.savez(tmp_path / "own.npz", X=X, Y=np.array([0.0, 0, 1, np.nan]), features=["a", "b;c", "d"])
    table = "id,tumour,b,a,c\n1,1,yes,1,5\n2,,no,2,5\n3,x,no,,5\n"
    (tmp_path / "own.csv").write_text(table)
    mat = File(path=tmp_path / "own.mat").load(0)
    # The second feature is constant: left out, and counted.
    assert mat.X.shape == (4, 2) and mat.n_constant == 1 and mat.features.tolist() == ["x1", "x3"]
    assert mat.factors["Y"].tolist() == ["1", "1", "2", "2"]
    npz = File(path=Path("own.npz"), data_dir=tmp_path).load(0)
    assert npz.features.tolist() == ["a", "d"] and npz.factors["Y"].tolist() == ["0", "0", "1", ""]
    csv = File(path=tmp_path / "own.csv", label=["tumour", "b"], sample="id").load(0)
    assert csv.samples.tolist() == ["1", "2", "3"] and csv.features.tolist() == ["a"] and np.isnan(csv.X[2, 0])
    assert csv.factors["tumour"].tolist() == ["1", "", "x"] and csv.factors["b"].tolist() == ["yes", "no", "no"]


def test_mistakes_in_files_are_one_line(tmp_path):
    np.savez(tmp_path / "own.npz", X=X, labels=[0, 1, 0, 1], names=["s", "t", "s", "u"])
    (tmp_path / "own.csv").write_text("a,b\n1,x\n")
    (tmp_path / "own.xls").write_text("")
    (tmp_path / "names.csv").write_text("Y,g1\n")
    (tmp_path / "text.npz").write_text("no archive")
    (tmp_path / "cut.mat").write_bytes(b"MATLAB 5.0 MAT-file")
    cases = [
        ({"path": tmp_path / "own.npz"}, "no array 'Y'; it holds X, labels, names"),
        ({"path": tmp_path / "own.npz", "label": "labels", "sample": "names"}, "sample s stands 2 times"),
        ({"path": tmp_path / "own.csv", "label": "status"}, "no column 'status'; it holds a, b"),
        ({"path": tmp_path / "own.csv", "label": "a"}, "column 'b' is not numeric"),
        ({"path": tmp_path / "own.xls"}, "unknown kind of file"),
        ({"path": tmp_path / "names.csv"}, "a line of names, but no sample"),
        ({"path": tmp_path / "text.npz"}, "not a .npz file"),
        ({"path": tmp_path / "cut.mat"}, "cannot be read"),
        ({"path": tmp_path / "none.csv"}, "no such file"),
    ]
    for parameters, message in cases:
        with pytest.raises(UserError, match=message) as caught:
            File(**parameters).check()
        assert "\n" not in str(caught.value)


def test_useless_features_are_counted_and_left_out():
    values = X.copy()
    values[:, 0] = np.nan
    data = checked("own", values, "abcd", {"f": [0, 1, 0, 1]}, planted=np.array([1, 2]))
    assert (data.n_missing, data.n_constant) == (1, 1) and data.features.tolist() == ["x3"]
    assert data.planted.tolist() == [0]
    with pytest.raises(UserError, match="none of the 2 features varies"):
        checked("own", values[:, :2], "abcd", {"f": [0, 1, 0, 1]})
    with pytest.raises(UserError, match="1 expression values are infinite"):
        checked("own", np.where(X == 9, np.inf, X), "abcd", {"f": [0, 1, 0, 1]})
    with pytest.raises(UserError, match="4 samples, but 2 labels of 'f'"):
        checked("own", X, "abcd", {"f": [0, 1]})
    with pytest.raises(UserError, match="no sample has a label"):
        checked("own", X, "abcd", {"f": [""] * 4})


def test_planted_genes_differ_between_classes():
    source = Planted(n_samples=600, n_features=80, n_informative=4, effect=2.0, correlation=0.5)
    data = source.load(0)
    _, y = np.unique(data.factors["class"], return_inverse=True)
    means = np.array([data.X[y == label].mean(axis=0) for label in range(3)])
    spread = means.std(axis=0)
    assert spread[data.planted].min() > 3 * np.delete(spread, data.planted).max()
    others = np.setdiff1d(np.arange(80), data.planted)
    correlation = np.corrcoef(data.X[:, others].T)
    same = others[:, None] // 20 == others // 20
    off = ~np.eye(len(others), dtype=bool)
    assert correlation[same & off].mean() == pytest.approx(0.5, abs=0.05)
    assert correlation[~same].mean() == pytest.approx(0, abs=0.05)
    with pytest.raises(ValueError, match="n_informative"):
        Planted(n_features=3, n_informative=4)


@pytest.mark.skipif("SPRED_DATA_DIR" not in os.environ, reason="SPRED_DATA_DIR names no folder with geo/GDS507")
def test_the_real_gds507():
    source = Gds(data_dir=Path(os.environ["SPRED_DATA_DIR"]))
    if source._found is None:
        pytest.skip("no GDS507 there")
    data = source.load(0)
    assert data.X.shape == (17, 22645) and np.isfinite(data.X).all()
    assert data.symbols[0] == "PRPF8" and data.X[0, 0] == np.float32(4254)
    counts = {factor: len(set(labels)) for factor, labels in data.factors.items()}
    assert counts == {"disease state": 2, "individual": 10}
