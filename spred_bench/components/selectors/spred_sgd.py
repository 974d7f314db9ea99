"""spred as the paper trained it (Eq. (8)): f_l, or f_l and f_n behind one mask, by SGD; `estimators.joint_training`."""

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

from spred_bench.components.contract import component
from spred_bench.components.selectors import BaseSelector, Selection, Split, scored
from spred_bench.estimators.joint_training import train_jointly
from spred_bench.estimators.selecting import SelectingRecipe


@component
class Selector(BaseSelector):
    """hidden: sizes of f_n's hidden layers, [] for f_l alone.  Grid: all pairs of kappas and learning_rates.

    patience: early stopping, see `SelectingRecipe`; the paper has it, but a network stopped early has few zeros.
    weight_decay: of f_n's other layers.  compact_every: steps between two compactions; 0 switches them off.
    """

    hidden: list[PositiveInt]
    kappas: list[PositiveFloat] = Field(min_length=1)
    learning_rates: list[PositiveFloat] = Field(min_length=1)
    max_steps: PositiveInt = 5000
    patience: PositiveInt | None = None
    clip_norm: PositiveFloat | None = 1.0
    weight_decay: NonNegativeFloat = 1e-5
    compact_every: NonNegativeInt = 20

    def select(self, split: Split, n_classes: int, seed: int, device: str) -> list[Selection]:
        """One point per kappa and learning rate, each trained from the same start."""
        return [self._at(split, n_classes, seed, device, k, lr) for k in self.kappas for lr in self.learning_rates]

    def _at(self, split: Split, n_classes: int, seed: int, device: str, kappa: float, rate: float) -> Selection:
        recipe = SelectingRecipe(rate, self.max_steps, self.patience, self.clip_norm, self.compact_every)
        options = {"weight_decay": self.weight_decay, "seed": seed, "device": device}
        features, decide, curve = train_jointly(split, n_classes, self.hidden, kappa, recipe, **options)
        return scored({"kappa": kappa, "learning_rate": rate}, features, decide, split, curve)
