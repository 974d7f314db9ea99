"""How a network is made sparse, one file each. The task sweeps kappa; a method says what kappa does to the network.

    method.prepare(network, generator)          change the module in place, before the optimizer is built
    method.parameter_groups(network, kappa)     groups for the optimizer; `weight_decay` is coupled (see optimizers.py)
    method.penalty(network, kappa)              a term of the loss, or None
    method.finalize(network, threshold)         plain weights again, those up to `threshold` exactly zero

At kappa = 0 nothing is penalised, and `prepare` then `finalize` with threshold 0 leaves the outputs as they were (a
start that redraws the weights excepted). A method may have more:

    method.stacks                               true where it does to networks stacked along the first dimension
                                                (models/stacked.py) what it does to each alone. kappa is then a tensor,
                                                one value per network; `optimizers.per_network` lets it meet a parameter
    method.callbacks()                          what moves kappa in a training, new for each
    method.masks(network, ratio, ...)           it prunes before the training; for task=pruning
    method.scores(network)                      what task=pruning prunes by, instead of magnitudes
"""
