"""A dense checkpoint to begin with: taken as it is, or refused with the reason."""

import pytest
import torch

from spred_bench.components.models.mlp import Mlp
from spred_bench.errors import UserError
from spred_bench.networks.export import export
from spred_bench.networks.warm_start import load_dense


def network(hidden=5, seed=0, bias="usual"):
    return Mlp(6, hidden, 3, bias=bias, generator=torch.Generator().manual_seed(seed))


def test_plain_nested_half_and_exported_files(tmp_path):
    dense, images = network(), torch.rand(4, 6)
    torch.save(dense.state_dict(), tmp_path / "plain.pt")
    torch.save({"state_dict": dense.state_dict(), "epoch": 3}, tmp_path / "nested.pt")
    torch.save({name: t.half() for name, t in dense.state_dict().items()}, tmp_path / "half.pt")
    list(export(dense, tmp_path))
    for name, tolerance in (("plain", 0), ("nested", 0), ("weights.csr", 0), ("weights.bitmask", 0), ("half", 1e-2)):
        again = load_dense(network(seed=1), tmp_path / f"{name}.pt")
        torch.testing.assert_close(again(images), dense(images), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (lambda: network(hidden=7), r"does not fit Mlp: .*'hidden.weight' is .*\(7, 6\).* there, .*\(5, 6\)"),
        (lambda: network(bias="none"), "'hidden.bias' is only in the model"),
        (lambda: torch.nn.BatchNorm1d(3), "is only in"),
    ],
)
def test_another_architecture_is_refused_and_nothing_changed(other, message, tmp_path):
    torch.save(other().state_dict(), tmp_path / "other.pt")
    mine = network()
    before = mine.hidden.weight.clone()
    with pytest.raises(UserError, match=message):
        load_dense(mine, tmp_path / "other.pt")
    assert torch.equal(mine.hidden.weight, before)


def test_foreign_files_are_refused(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        load_dense(network(), tmp_path / "none.pt")
    (tmp_path / "text.pt").write_text("no tensors")
    with pytest.raises(UserError, match="not a file of tensors"):
        load_dense(network(), tmp_path / "text.pt")
    torch.save([1, 2], tmp_path / "list.pt")
    with pytest.raises(UserError, match="not a file of tensors"):
        load_dense(network(), tmp_path / "list.pt")
    tensors = network().state_dict()
    tensors["hidden.weight"][0, 0] = float("nan")
    torch.save(tensors, tmp_path / "nan.pt")
    with pytest.raises(UserError, match=r"'hidden\.weight' holds NaN"):
        load_dense(network(), tmp_path / "nan.pt")
