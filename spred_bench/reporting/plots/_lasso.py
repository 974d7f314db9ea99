"""What the figures of lasso problems share."""

import pandas as pd


def strength_labels(records: pd.DataFrame) -> pd.Series:
    r"""The strength of each row in words: '$\lambda/\lambda_{max}$ = 0.1', or '$\kappa$ = 0.05' where kappa was given.

    lambda_max differs from seed to seed: with kappa given, ratios of one problem differ and kappas agree.
    """
    ratios = records["lambda_ratio"].map("{:.3g}".format)
    if records["kappa"].nunique() < ratios.nunique():
        return "$\\kappa$ = " + records["kappa"].map("{:.3g}".format)
    return "$\\lambda/\\lambda_{max}$ = " + ratios
