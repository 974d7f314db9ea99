"""Patches of the two photographs shipped with scikit-learn (427 x 640, a temple and a flower); needs no download."""

import numpy as np

from spred_bench.components.contract import component
from spred_bench.components.data.grey import to_grey
from spred_bench.components.data.patches import Found, PatchSource


@component
class Source(PatchSource):
    """The lower or right fifth of each photograph is held out."""

    def read(self) -> Found:
        """Both photographs."""
        from sklearn.datasets import load_sample_images

        sample = load_sample_images()
        names = [name.replace("\\", "/").rpartition("/")[2] for name in sample.filenames]
        return Found({name: to_grey(np.asarray(image)) for name, image in zip(names, sample.images, strict=True)}, {})
