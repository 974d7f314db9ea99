"""Handwritten digits shipped with scikit-learn (Alpaydin & Kaynak 1998): 1797 images of 8 x 8; needs no download."""

from spred_bench.components.contract import component
from spred_bench.components.data import BaseSource
from spred_bench.components.data.images import Images, checked


@component
class Source(BaseSource):
    """One image in five, stratified and the same at every seed, is the test set: the collection comes without one."""

    def load(self, seed: int) -> Images:
        """The whole set, whatever the seed."""
        from sklearn.datasets import load_digits
        from sklearn.model_selection import train_test_split

        digits = load_digits()
        pixels = (digits.images / 16.0).astype("float32")
        split = train_test_split(pixels, digits.target, test_size=0.2, stratify=digits.target, random_state=0)
        x_train, x_test, y_train, y_test = split
        return checked("digits", x_train, y_train, x_test, y_test)
