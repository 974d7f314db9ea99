"""A model seen as named tensors: copied, kept, put back."""

import torch
from torch import Tensor, nn


class ModelMismatch(ValueError):
    """The tensors belong to another model."""


def named_tensors(model) -> dict[str, Tensor]:
    """The tensors, not copied, of a module (with buffers), a tensor, or a dict or sequence of tensors."""
    if isinstance(model, nn.Module):
        return {name: t for name, t in model.state_dict().items() if isinstance(t, Tensor)}
    if isinstance(model, Tensor):
        return {"0": model.detach()}
    items = model.items() if isinstance(model, dict) else enumerate(model)
    return {str(name): t.detach() for name, t in items}


@torch.no_grad()
def load_tensors(model, saved: dict[str, Tensor]) -> None:
    """Copy `saved` into the model's tensors in place. ModelMismatch if a name, shape or dtype differs."""
    live = named_tensors(model)
    if live.keys() != saved.keys():
        name = min(live.keys() ^ saved.keys())
        where = "what was saved" if name in saved else "the model"
        raise ModelMismatch(f"the tensors saved are of another model: {name!r} is only in {where}")
    for name, tensor in live.items():
        mine, theirs = (tuple(tensor.shape), tensor.dtype), (tuple(saved[name].shape), saved[name].dtype)
        if mine != theirs:
            raise ModelMismatch(f"the tensors saved are of another model: {name!r} is {theirs} there, {mine} here")
    for name, tensor in live.items():
        tensor.copy_(saved[name])


class LastFinite:
    """The last tensors with a finite loss; a new copy replaces them only once its own loss is known."""

    def __init__(self):
        self.good: tuple[int, dict[str, Tensor]] | None = None  # step, tensors
        self._spare: tuple[int, dict[str, Tensor]] | None = None

    def stage(self, model, step: int) -> None:
        """Copy the tensors of this step, whose loss is not known yet."""
        live = named_tensors(model)
        copies = self._spare[1] if self._spare else {name: torch.empty_like(t) for name, t in live.items()}
        for name, tensor in live.items():
            copies[name].copy_(tensor)
        self._spare = (step, copies)

    def commit(self) -> None:
        """The staged copy had a finite loss: it is what `restore` gives back."""
        self.good, self._spare = self._spare, self.good

    def restore(self, model) -> int:
        """Put them back; returns their step. Before the first finite loss: the parameters of the start."""
        step, tensors = self.good or self._spare
        load_tensors(model, tensors)
        return step
