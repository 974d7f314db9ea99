"""Train by a method, prune the network as a whole, fine-tune what is left, count: the parts of the task `pruning`."""
