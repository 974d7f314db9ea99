"""Networks trained together go the way each would go alone."""

import pytest
import torch
from torch import nn

from fake_cuda import needs_fake_cuda
from spred_bench.components import contract
from spred_bench.components.methods import group_lasso, spred, weight_decay
from spred_bench.components.models.mlp import Mlp, Model
from spred_bench.components.models.stacked import StackedMlp
from spred_bench.experiments import network_training
from spred_bench.experiments.network_training import Recipe
from spred_bench.training import optimizers

KAPPAS = [0.0, 1e-3, 0.3]
METHODS = {
    "weight_decay": weight_decay.Method(),
    "decayed_biases": weight_decay.Method(decay_biases=True),
    "spred": spred.Method(names="hidden.weight", group=-1),
    "group_lasso": group_lasso.Method(names="hidden.weight"),
}


def problem():
    generator = torch.Generator().manual_seed(1)
    return torch.rand(48, 1, 3, 2, generator=generator), torch.randint(0, 3, (48,), generator=generator)


def start(bias="input", activation="relu"):
    model = Model(hidden=7, bias=bias, activation=activation)
    return model, model.build((1, 3, 2), 3, torch.Generator().manual_seed(0))


@pytest.mark.parametrize("bias", ["input", "usual", "none"])
@pytest.mark.parametrize("activation", ["relu", "swish", "tanh", "gelu"])
def test_a_stack_computes_what_its_networks_compute(bias, activation):
    images, _ = problem()
    model = Model(hidden=7, bias=bias, activation=activation)
    networks = [model.build((1, 3, 2), 3, torch.Generator().manual_seed(seed)) for seed in range(3)]
    stack = model.stack(networks)
    torch.testing.assert_close(stack(images), torch.stack([network(images) for network in networks]))
    for single, network in zip(stack.unstack(), networks, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(single.parameters(), network.parameters(), strict=True))


@pytest.mark.parametrize("bias", ["input", "usual"])
@pytest.mark.parametrize("name", METHODS)
def test_training_together_ends_where_training_alone_ends(name, bias):
    images, labels = problem()
    recipe = Recipe(epochs=10, batch_size=16, learning_rate=1e-2)

    def trained(kappas):
        model, network = start(bias)
        network = network if len(kappas) == 1 else model.stack([network] * len(kappas))
        METHODS[name].prepare(network, torch.Generator().manual_seed(0))
        kappa = kappas[0] if len(kappas) == 1 else torch.tensor(kappas)
        run = network_training.fit(network, METHODS[name], kappa, images, labels, recipe, seed=5)
        assert run.status == "done" and run.step == 30
        network = METHODS[name].finalize(network)
        return [network] if len(kappas) == 1 else network.unstack()

    for kappa, together in zip(KAPPAS, trained(KAPPAS), strict=True):
        [alone] = trained([kappa])
        torch.testing.assert_close(together(images), alone(images), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("kind", optimizers.KINDS)
def test_a_decay_per_network_is_the_optimizers_own_decay(kind):
    start, gradient = torch.randn(2, 3, 4), torch.randn(2, 3, 4)

    def stepped(weight, gradient, decay):
        parameter = nn.Parameter(weight.clone())
        optimizer = optimizers.build(kind, [{"params": [parameter], "weight_decay": decay}], lr=0.1)
        for _ in range(3):
            optimizer.zero_grad()
            (parameter * gradient).sum().backward()
            optimizer.step()
        return parameter.detach()

    together = stepped(start, gradient, torch.tensor([0.5, 2.0]))
    for k, decay in enumerate((0.5, 2.0)):
        torch.testing.assert_close(together[k], stepped(start[k], gradient[k], decay))


def test_an_unknown_optimizer_is_refused():
    with pytest.raises(ValueError, match="adam, sgd"):
        optimizers.build("adamw", [], lr=0.1)


def test_cross_entropy_and_accuracy_of_a_stack_are_per_network():
    logits = torch.randn(3, 5, 4)
    labels = torch.tensor([0, 1, 2, 3, 0])
    expected = sum(nn.functional.cross_entropy(one, labels) for one in logits)
    torch.testing.assert_close(network_training.cross_entropy(logits, labels), expected)
    model, network = start()
    images, labels = problem()
    scores = network_training.accuracy(model.stack([network, network]), images, labels)
    assert scores.tolist() == [network_training.accuracy(network, images, labels).item()] * 2


def test_group_lasso_is_twice_kappa_times_the_norms():
    network = start()[1]
    method = group_lasso.Method(names="hidden.weight")
    expected = 2 * 0.3 * network.hidden.weight.norm(dim=1).sum()
    torch.testing.assert_close(method.penalty(network, 0.3), expected)
    with pytest.raises(ValueError, match="matches no parameter"):
        group_lasso.Method(names="nothing").prepare(network)


def test_methods_know_their_starts():
    spec = {"_target_": "spred_bench.components.methods.spred.Method", "init": "nothing"}
    with pytest.raises(contract.UserError, match="off_balance"):
        contract.build("method.spred", spec)


@needs_fake_cuda
def test_stacked_forward_has_no_cpu_tensor_on_cuda():
    from torch._subclasses.fake_tensor import FakeTensorMode

    with FakeTensorMode(), torch.device("cuda"):
        network = Mlp(6, 7, 3, bias="usual")
        stack = StackedMlp([network, network])
        logits = stack(torch.empty(4, 1, 3, 2))
        assert logits.shape == (2, 4, 3) and logits.device.type == "cuda"
        loss = network_training.cross_entropy(logits, torch.zeros(4, dtype=torch.long))
        assert loss.device.type == "cuda"
