//! Values computed by scikit-learn 1.9.1 (numpy 2.4.6, float64) on the same inputs.
//!
//! The inputs are those of `generate_binary` and `generate_several`, divided in float32 and then widened. `S` are the
//! scores, `L` the labels, `D` the decisions `S >= 0.5` or `S.argmax(1)`, `avg` is `"binary"` or `"macro"`:
//!
//! | metric | scikit-learn |
//! |---|---|
//! | `mcr` | `zero_one_loss(L, D)` |
//! | `accuracy` | `accuracy_score(L, D)` |
//! | `balanced-error` | `1 - balanced_accuracy_score(L, D)` |
//! | `f1` | `f1_score(L, D, average=avg)` |
//! | `jaccard` | `jaccard_score(L, D, average=avg)` |
//! | `g-mean` | `prod(recall_score(L, D, average=None)) ** (1 / C)` |
//! | `macro-recall` | `recall_score(L, D, average="macro")` |
//! | `worst-class-error` | `1 - recall_score(L, D, average=None).min()` |
//! | `fbeta` | `fbeta_score(L, D, beta=beta, average=average)`, `"binary"` or `"macro"` for `auto` |
//! | `cohen-kappa` | `cohen_kappa_score(L, D, weights=weights)` |
//! | `top-k-error` | `1 - top_k_accuracy_score(C-1-L, S[:, ::-1], k=k)`: reversed, since it ranks the last of equals first |
//! | `mcc` | `matthews_corrcoef(L, D)` |
//! | `auroc` | `roc_auc_score(L, S)`, with `multi_class="ovr", average="macro"` |
//! | `aucpr` | `average_precision_score(L, S)`, of `label_binarize(L)` with `average="macro"` |
//! | `precision-at-recall` | `p[r >= recall].max()` of `precision_recall_curve` less its last point; class mean |
//! | `recall-at-precision` | `r[p >= precision].max()` of the same |
//! | `log-loss` | `log_loss(L, S)`; no score is near the floor |
//! | `brier` | `brier_score_loss(L, S)` |
//! | `ece` | gaps of `calibration_curve(L, S, n_bins=bins)`, or of `(D == L, S.max(1))`, weighted by bin sizes |

use serde_json::json;

use crate::support::{assert_values, generate_binary, generate_several};

#[test]
fn binary_without_many_ties() {
    let input = generate_binary(2000, 1000, 1);
    let expected = [
        ("mcr", json!({}), 0.364),
        ("accuracy", json!({}), 0.636),
        ("balanced-error", json!({}), 0.35635357782487165),
        ("f1", json!({}), 0.5159574468085106),
        ("jaccard", json!({}), 0.34767025089605735),
        ("g-mean", json!({}), 0.6433813720966332),
        ("mcc", json!({}), 0.2623997100653878),
        ("macro-recall", json!({}), 0.6436464221751284),
        ("worst-class-error", json!({}), 0.3748231966053748),
        (
            "cohen-kappa",
            json!({"weights": "none"}),
            0.24641737711841594,
        ),
        (
            "cohen-kappa",
            json!({"weights": "linear"}),
            0.24641737711841594,
        ),
        (
            "cohen-kappa",
            json!({"weights": "quadratic"}),
            0.24641737711841594,
        ),
        (
            "fbeta",
            json!({"beta": 0.5, "average": "macro"}),
            0.6126897978341913,
        ),
        ("fbeta", json!({"beta": 0.5, "average": "micro"}), 0.636),
        (
            "fbeta",
            json!({"beta": 0.5, "average": "weighted"}),
            0.6777196071107734,
        ),
        (
            "fbeta",
            json!({"beta": 0.5, "average": "auto"}),
            0.4556129638327853,
        ),
        (
            "fbeta",
            json!({"beta": 2.0, "average": "macro"}),
            0.6253540822579151,
        ),
        (
            "fbeta",
            json!({"beta": 2.0, "average": "weighted"}),
            0.6380336275548747,
        ),
        (
            "fbeta",
            json!({"beta": 2.0, "average": "auto"}),
            0.5947271612507664,
        ),
        ("auroc", json!({}), 0.73445035264131),
        ("aucpr", json!({}), 0.609200173657557),
        (
            "precision-at-recall",
            json!({"recall": 0.5}),
            0.49337748344370863,
        ),
        (
            "precision-at-recall",
            json!({"recall": 0.9}),
            0.3723849372384937,
        ),
        (
            "recall-at-precision",
            json!({"precision": 0.6}),
            0.3361774744027304,
        ),
        (
            "recall-at-precision",
            json!({"precision": 0.75}),
            0.2986348122866894,
        ),
        ("log-loss", json!({}), 0.5909138421454313),
        ("brier", json!({}), 0.21032460293349947),
        ("ece", json!({"bins": 10}), 0.1874280000044382),
        ("ece", json!({"bins": 15}), 0.18613279998436338),
    ];
    assert_values(&input, 1e-12, &expected);
}

#[test]
fn binary_with_many_ties() {
    let input = generate_binary(2000, 16, 2);
    let expected = [
        ("mcr", json!({}), 0.364),
        ("accuracy", json!({}), 0.636),
        ("balanced-error", json!({}), 0.36528777649296873),
        ("f1", json!({}), 0.5054347826086957),
        ("jaccard", json!({}), 0.3381818181818182),
        ("g-mean", json!({}), 0.6347044897035775),
        ("mcc", json!({}), 0.24731543185357358),
        ("macro-recall", json!({}), 0.6347122235070313),
        ("worst-class-error", json!({}), 0.368421052631579),
        (
            "cohen-kappa",
            json!({"weights": "none"}),
            0.23522422742414484,
        ),
        (
            "cohen-kappa",
            json!({"weights": "linear"}),
            0.23522422742414484,
        ),
        (
            "cohen-kappa",
            json!({"weights": "quadratic"}),
            0.23522422742414484,
        ),
        (
            "fbeta",
            json!({"beta": 0.5, "average": "macro"}),
            0.6083915295926394,
        ),
        ("fbeta", json!({"beta": 0.5, "average": "micro"}), 0.636),
        (
            "fbeta",
            json!({"beta": 0.5, "average": "weighted"}),
            0.6729369296917588,
        ),
        (
            "fbeta",
            json!({"beta": 0.5, "average": "auto"}),
            0.4513467604950255,
        ),
        (
            "fbeta",
            json!({"beta": 2.0, "average": "macro"}),
            0.6199166633141359,
        ),
        (
            "fbeta",
            json!({"beta": 2.0, "average": "weighted"}),
            0.6386851226494288,
        ),
        (
            "fbeta",
            json!({"beta": 2.0, "average": "auto"}),
            0.5742513121333745,
        ),
        ("auroc", json!({}), 0.7303343003493049),
        ("aucpr", json!({}), 0.5950669623768717),
        ("precision-at-recall", json!({"recall": 0.5}), 0.465625),
        (
            "precision-at-recall",
            json!({"recall": 0.9}),
            0.36577400391900716,
        ),
        (
            "recall-at-precision",
            json!({"precision": 0.6}),
            0.3310696095076401,
        ),
        (
            "recall-at-precision",
            json!({"precision": 0.75}),
            0.2699490662139219,
        ),
        ("log-loss", json!({}), 0.570299108916973),
        ("brier", json!({}), 0.20209499947011483),
        ("ece", json!({"bins": 10}), 0.17430000026896597),
        ("ece", json!({"bins": 15}), 0.17430000026896597),
    ];
    assert_values(&input, 1e-12, &expected);
}

#[test]
fn several_classes() {
    let input = generate_several(1500, 5, 3);
    let expected = [
        ("mcr", json!({}), 0.5326666666666666),
        ("accuracy", json!({}), 0.4673333333333333),
        ("balanced-error", json!({}), 0.532330879890635),
        ("f1", json!({}), 0.4672801567980588),
        ("jaccard", json!({}), 0.3049719766035658),
        ("g-mean", json!({}), 0.4673752087148921),
        ("mcc", json!({}), 0.33439660603892934),
        ("macro-recall", json!({}), 0.467669120109365),
        ("worst-class-error", json!({}), 0.5592105263157895),
        ("cohen-kappa", json!({"weights": "none"}), 0.334216230569502),
        (
            "cohen-kappa",
            json!({"weights": "linear"}),
            0.3360310485322149,
        ),
        (
            "cohen-kappa",
            json!({"weights": "quadratic"}),
            0.33492146564294034,
        ),
        (
            "fbeta",
            json!({"beta": 0.5, "average": "auto"}),
            0.46751239740803807,
        ),
        (
            "fbeta",
            json!({"beta": 0.5, "average": "macro"}),
            0.46751239740803807,
        ),
        (
            "fbeta",
            json!({"beta": 0.5, "average": "micro"}),
            0.4673333333333333,
        ),
        (
            "fbeta",
            json!({"beta": 0.5, "average": "weighted"}),
            0.46803899177649744,
        ),
        (
            "fbeta",
            json!({"beta": 2.0, "average": "macro"}),
            0.4673944380714919,
        ),
        (
            "fbeta",
            json!({"beta": 2.0, "average": "weighted"}),
            0.46727547108411416,
        ),
        ("top-k-error", json!({"k": 1}), 0.5326666666666666),
        ("top-k-error", json!({"k": 2}), 0.33399999999999996),
        ("top-k-error", json!({"k": 3}), 0.15533333333333332),
        ("auroc", json!({}), 0.756365812594055),
        ("aucpr", json!({}), 0.45013830094492946),
        (
            "precision-at-recall",
            json!({"recall": 0.5}),
            0.42817298864349185,
        ),
        (
            "precision-at-recall",
            json!({"recall": 0.9}),
            0.2708648825515626,
        ),
        (
            "recall-at-precision",
            json!({"precision": 0.6}),
            0.1937228675652966,
        ),
        (
            "recall-at-precision",
            json!({"precision": 0.75}),
            0.035965707456935524,
        ),
        ("log-loss", json!({}), 1.3212748063070447),
        ("brier", json!({}), 0.6877937132332784),
        ("ece", json!({"bins": 10}), 0.020016760836044957),
        ("ece", json!({"bins": 15}), 0.024415165295203527),
    ];
    assert_values(&input, 1e-12, &expected);
}
