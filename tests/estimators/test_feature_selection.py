"""The scikit-learn estimators that select features: their contract, exact numbers of features, pipelines."""

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC
from sklearn.utils.estimator_checks import parametrize_with_checks

from spred_bench import SpredClassifier, SpredFeatureSelector


@parametrize_with_checks([SpredClassifier(kappa=0.01), SpredFeatureSelector(kappa=0.01), SpredFeatureSelector(1)])
@pytest.mark.filterwarnings("ignore")
def test_scikit_learn_s_own_checks(estimator, check):
    check(estimator)
    assert estimator is not None


def planted(n=60, d=200, n_informative=3, n_classes=3, seed=0):
    """Features of very different scales, the first few with class means; labels that are words."""
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(n) % n_classes)
    X = rng.standard_normal((n, d))
    X[:, :n_informative] += 2.5 * rng.standard_normal((n_classes, n_informative))[y]
    return 5 + X * rng.uniform(0.01, 100, d), np.array(["a", "b", "c"])[y]


@pytest.mark.parametrize("number", [1, 2, 5, 17, 60, 199, 200])
def test_the_number_of_features_is_exact(number):
    X, y = planted()
    selector = SpredFeatureSelector(number).fit(X, y)
    assert selector.get_support().sum() == number == len(set(selector.selected_.tolist()))
    np.testing.assert_array_equal(selector.transform(X), X[:, selector.get_support()])
    assert number < 3 or {0, 1, 2} <= set(selector.selected_[:10].tolist())


def test_a_network_may_help_to_select():
    X, y = planted(d=60)
    selector = SpredFeatureSelector(4, hidden=(8,), max_steps=60, random_state=0).fit(X, y)
    assert selector.get_support().sum() == 4
    assert len({0, 1, 2} & set(selector.selected_.tolist())) >= 2
    again = SpredFeatureSelector(4, hidden=(8,), max_steps=60, random_state=0).fit(X, y)
    np.testing.assert_array_equal(selector.selected_, again.selected_)


def test_names_of_a_data_frame_come_out():
    X, y = planted(d=20)
    frame = pd.DataFrame(X, columns=[f"gene{j}" for j in range(20)])
    selector = SpredFeatureSelector(3).fit(frame, y).set_output(transform="pandas")
    expected = [f"gene{j}" for j in sorted(selector.selected_)]
    assert len(expected) == 3 and {"gene1", "gene2"} <= set(expected)
    assert list(selector.get_feature_names_out()) == list(selector.transform(frame).columns) == expected


def test_in_a_pipeline_with_cross_validation():
    X, y = planted()
    scores = cross_val_score(make_pipeline(SpredFeatureSelector(5), SVC()), X, y)
    assert scores.mean() > 0.6
    search = GridSearchCV(SpredClassifier(), {"kappa": [0.02, 0.1]}, cv=3).fit(X, y)
    assert search.best_score_ > 0.8


def test_the_classifier_does_not_depend_on_units():
    X, y = planted()
    scale = np.random.default_rng(1).uniform(0.1, 10, X.shape[1])
    first, second = SpredClassifier(0.05).fit(X, y), SpredClassifier(0.05).fit(X * scale, y)
    np.testing.assert_allclose(first.predict_proba(X), second.predict_proba(X * scale), atol=1e-4)
    assert 0 < first.n_selected_ == np.count_nonzero(first.coef_.any(axis=0)) < 60
    assert first.residual_ <= 1e-5
    nothing = SpredClassifier(1.01 * first.kappa_max_).fit(X, y)
    assert nothing.n_selected_ == 0
    np.testing.assert_allclose(nothing.predict_proba(X[:1]), [[1 / 3, 1 / 3, 1 / 3]], atol=1e-6)


def test_bad_input_ends_in_one_line():
    X, y = planted(d=10)
    for estimator, message in (
        (SpredClassifier(0.0), "kappa=0.0: expected a finite number above 0"),
        (SpredClassifier(True), "kappa=True"),
        (SpredFeatureSelector(11), "n_features=11: expected None or an integer from 1 to 10"),
        (SpredFeatureSelector(2.5), "n_features=2.5"),
        (SpredFeatureSelector(2, hidden=8), "hidden=8: expected the sizes of the layers"),
        (SpredFeatureSelector(2, hidden="8"), "hidden='8': expected"),
        (SpredFeatureSelector(2, hidden=(8, 0)), "hidden=.8, 0.: expected"),
        (SpredFeatureSelector(2, hidden=(8,), max_steps=0), "max_steps=0: expected an integer of at least 1"),
        (SpredFeatureSelector(2, hidden=(8,), learning_rate=-1), "learning_rate=-1: expected"),
    ):
        with pytest.raises(ValueError, match=message):
            estimator.fit(X, y)
    with pytest.raises(ValueError, match="one class only, a"):
        SpredClassifier().fit(X, np.full(len(X), "a"))
