"""Networks, one file each: plain torch modules that know nothing of sparsity.

A model component has `build(shape, n_classes, generator) -> nn.Module`, drawn from the generator alone, from images
(batch, *shape), floats, to logits (batch, n_classes); and `keys`, its columns of the record. One whose networks can
train together has `stack(networks) -> nn.Module` too, see `models/stacked.py`. `task=node_sparsity` takes those with
one hidden layer: the component has its size, `hidden`, and the network what `models/mlp.py` has.
"""
