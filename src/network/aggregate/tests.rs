//! The worked examples of spec 14.4, to the digit, and what must hold for any votes.

#![expect(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;

use super::*;

/// One layer's neurons, each with its pair in order 12 and in order 21 (canonical); `None` is a failed call.
type Layer = &'static [[Option<(f64, f64)>; 2]];

const fn neuron(forward: (f64, f64), swapped: (f64, f64)) -> [Option<(f64, f64)>; 2] {
    [Some(forward), Some(swapped)]
}

const A: &[Layer] = &[
    &[neuron((8., 7.), (7., 7.)), neuron((6., 8.), (7., 8.))],
    &[neuron((8., 7.), (8., 7.)), neuron((7., 8.), (8., 7.))],
];
/// The call that failed is a 0–0, as in the released code.
const B_COMPAT: &[Layer] = &[
    &[neuron((8., 6.), (5., 9.)), neuron((0., 0.), (7., 6.))],
    &[neuron((7., 8.), (8., 8.)), neuron((6., 8.), (8., 7.))],
];
/// The call that failed is missing.
const B: &[Layer] = &[
    &[neuron((8., 6.), (5., 9.)), [None, Some((7., 6.))]],
    &[neuron((7., 8.), (8., 8.)), neuron((6., 8.), (8., 7.))],
];
const C: &[Layer] = &[
    &[
        neuron((9., 3.), (6., 7.)),
        neuron((6., 7.), (7., 7.5)),
        neuron((7., 8.), (8., 7.)),
    ],
    &[
        neuron((8., 7.), (7., 8.)),
        neuron((7., 8.), (7., 8.)),
        neuron((7., 7.), (6., 7.)),
    ],
];

fn votes(layers: &[Layer]) -> Vec<Vote> {
    let mut votes = Vec::new();
    for (layer, neurons) in layers.iter().enumerate() {
        for (neuron, pairs) in neurons.iter().enumerate() {
            for (order, scores) in [Order::Forward, Order::Swapped].into_iter().zip(pairs) {
                let argmax = scores.map(|(a, b)| pair(a, b));
                votes.push(Vote {
                    layer,
                    neuron,
                    order,
                    sample: 0,
                    argmax,
                    expected: None,
                });
            }
        }
    }
    votes
}

fn pair(score1: f64, score2: f64) -> ScorePair {
    ScorePair::new(Score::from_f64(score1).unwrap(), Score::from_f64(score2).unwrap())
}

fn decide(layers: &[Layer], cell: &str) -> Decision {
    aggregate(&votes(layers), cell.parse().unwrap(), Margin::default()).unwrap()
}

fn label(layers: &[Layer], cell: &str) -> Label {
    decide(layers, cell).label
}

/// (model1, model2, tie)
fn tallied(layers: &[Layer], cell: &str) -> (usize, usize, usize) {
    let tally = tally(&votes(layers), cell.parse().unwrap(), Margin::default()).unwrap();
    (tally.model1, tally.model2, tally.tie)
}

/// Sums in points over all layers, or over the last.
fn sums(layers: &[Layer]) -> (f64, f64) {
    let sum: PairSum = votes(layers).iter().filter_map(|vote| vote.argmax).collect();
    let (sum1, sum2) = sum.millionths();
    (sum1 as f64 / 1e6, sum2 as f64 / 1e6)
}

fn assert_printed(layers: &[Layer], printed: (f64, f64)) {
    let (mean1, mean2) = official_mean(&votes(layers));
    assert!(
        (mean1 - printed.0).abs() < 5e-10 && (mean2 - printed.1).abs() < 5e-10,
        "{mean1} {mean2}"
    );
}

#[test]
fn example_a_ties_by_mean_of_all_layers_and_not_by_mean_of_the_last() {
    assert_eq!(sums(A), (59., 59.));
    assert_eq!(
        decide(A, "mean/all/argmax"),
        Decision {
            label: Label::Tie,
            pair: pair(7.375, 7.375),
            n: 8
        }
    );
    assert_printed(A, (7.374_990_781, 7.374_990_781));
    assert_eq!(sums(&A[1..]), (31., 29.));
    assert_eq!(
        decide(A, "mean/last/argmax"),
        Decision {
            label: Label::Model1,
            pair: pair(7.75, 7.25),
            n: 4
        }
    );
    assert_eq!(tallied(A, "vote-call/all/argmax"), (4, 3, 1));
    assert_eq!(label(A, "vote-call/all/argmax"), Label::Model1);
    assert_eq!(tallied(A, "vote-call/last/argmax"), (3, 1, 0));
    assert_eq!(label(A, "vote-call/last/argmax"), Label::Model1);
    assert_eq!(tallied(A, "vote-neuron/all/argmax"), (2, 1, 1));
    assert_eq!(label(A, "vote-neuron/all/argmax"), Label::Model1);
    assert_eq!(tallied(A, "vote-neuron/last/argmax"), (1, 0, 1));
    assert_eq!(label(A, "vote-neuron/last/argmax"), Label::Tie);
}

#[test]
fn example_b_with_the_failed_call_as_zero_zero_follows_the_released_code() {
    assert_eq!(sums(B_COMPAT), (49., 52.));
    assert_eq!(
        decide(B_COMPAT, "mean/all/argmax"),
        Decision {
            label: Label::Model2,
            pair: pair(6.125, 6.5),
            n: 8
        }
    );
    assert_printed(B_COMPAT, (6.124_992_344, 6.499_991_875));
    assert_eq!(sums(&B_COMPAT[1..]), (29., 31.));
    assert_eq!(label(B_COMPAT, "mean/last/argmax"), Label::Model2);
    assert_eq!(tallied(B_COMPAT, "vote-call/all/argmax"), (3, 3, 2));
    assert_eq!(label(B_COMPAT, "vote-call/all/argmax"), Label::Tie);
    assert_eq!(tallied(B_COMPAT, "vote-neuron/all/argmax"), (1, 3, 0));
    assert_eq!(label(B_COMPAT, "vote-neuron/all/argmax"), Label::Model2);
}

#[test]
fn example_b_with_the_failed_call_missing_has_no_phantom_tie_vote() {
    let decision = decide(B, "mean/all/argmax");
    assert_eq!(
        decision,
        Decision {
            label: Label::Model2,
            pair: pair(7.0, 7.428_571),
            n: 7
        }
    );
    assert_eq!(tallied(B, "vote-call/all/argmax"), (3, 3, 1));
    assert_eq!(label(B, "vote-call/all/argmax"), Label::Tie);
}

#[test]
fn the_official_mean_counts_a_failed_call_as_zero_zero_even_where_it_is_missing() {
    assert_printed(B, (6.124_992_344, 6.499_991_875));
    assert_eq!(official_mean(&[]), (0.0, 0.0));
}

#[test]
fn example_c_is_decided_by_one_outlier_in_the_mean_and_not_in_the_vote() {
    assert_eq!(sums(C), (85., 84.5));
    assert_eq!(label(C, "mean/all/argmax"), Label::Model1);
    assert_printed(C, (7.083_327_431, 7.041_660_799));
    assert_eq!(sums(&C[1..]), (42., 45.));
    assert_eq!(label(C, "mean/last/argmax"), Label::Model2);
    assert_eq!(tallied(C, "vote-call/all/argmax"), (3, 8, 1));
    assert_eq!(label(C, "vote-call/all/argmax"), Label::Model2);
    assert_eq!(tallied(C, "vote-call/last/argmax"), (1, 4, 1));
    assert_eq!(label(C, "vote-call/last/argmax"), Label::Model2);
}

#[test]
fn a_margin_makes_a_tie_of_means_no_further_apart_than_itself() {
    let decide =
        |margin: &str| aggregate(&votes(C), Cell::default(), margin.parse().unwrap()).map(|decision| decision.label);
    assert_eq!(decide("0.05"), Some(Label::Tie));
    // The difference is 0.5/12 = 0.0416666…: a margin one millionth below does not reach it, and none is lost to rounding.
    assert_eq!(decide("0.041666"), Some(Label::Model1));
    assert_eq!(decide("0.041667"), Some(Label::Tie));
}

#[test]
fn a_margin_equal_to_the_difference_is_a_tie() {
    const APART: &[Layer] = &[&[neuron((7.3, 7.0), (7.3, 7.0))]];
    let votes = votes(APART);
    assert_eq!(
        aggregate(&votes, Cell::default(), "0.3".parse().unwrap())
            .unwrap()
            .label,
        Label::Tie
    );
    assert_eq!(
        aggregate(&votes, Cell::default(), "0.299999".parse().unwrap())
            .unwrap()
            .label,
        Label::Model1
    );
}

#[test]
fn in_a_vote_the_margin_applies_to_each_unit() {
    let margin = "1".parse().unwrap();
    let tally = |cell: &str| tally(&votes(A), cell.parse().unwrap(), margin).unwrap();
    // By call, only (6, 8) is further apart than one point; by neuron, only 13 to 16 halved is.
    assert_eq!(
        tally("vote-call/all/argmax"),
        Tally {
            model1: 0,
            model2: 1,
            tie: 7
        }
    );
    assert_eq!(
        tally("vote-neuron/all/argmax"),
        Tally {
            model1: 0,
            model2: 1,
            tie: 3
        }
    );
}

#[test]
fn forward_and_swapped_means_of_five_valid_calls_decide_for_model1() {
    // Spec 14.6: forward (8,7)(9,7)(7,8), swapped two valid of three, canonical (7,8)(8,8); the dropped one is not replaced.
    let vote = |order, sample, argmax| Vote {
        layer: 0,
        neuron: 0,
        order,
        sample,
        argmax,
        expected: None,
    };
    let votes = [
        vote(Order::Forward, 0, Some(pair(8., 7.))),
        vote(Order::Forward, 1, Some(pair(9., 7.))),
        vote(Order::Forward, 2, Some(pair(7., 8.))),
        vote(Order::Swapped, 0, Some(pair(7., 8.))),
        vote(Order::Swapped, 1, None),
        vote(Order::Swapped, 2, Some(pair(8., 8.))),
    ];
    let decision = aggregate(&votes, Cell::default(), Margin::default());
    assert_eq!(
        decision,
        Some(Decision {
            label: Label::Model1,
            pair: pair(7.8, 7.6),
            n: 5
        })
    );
}

#[test]
fn each_reading_decides_on_its_own_scores() {
    let votes = [Vote {
        layer: 0,
        neuron: 0,
        order: Order::Forward,
        sample: 0,
        argmax: Some(pair(8., 8.)),
        expected: Some(pair(7.6, 8.2)),
    }];
    let label = |cell: &str| {
        aggregate(&votes, cell.parse().unwrap(), Margin::default())
            .unwrap()
            .label
    };
    assert_eq!(label("mean/all/argmax"), Label::Tie);
    assert_eq!(label("mean/all/expected"), Label::Model2);
}

#[test]
fn nothing_decides_nothing() {
    let unread: Vec<Vote> = votes(B).into_iter().map(|vote| Vote { argmax: None, ..vote }).collect();
    for cell in Cell::grid() {
        assert_eq!(aggregate(&[], cell, Margin::default()), None);
        assert_eq!(aggregate(&unread, cell, Margin::default()), None);
        assert_eq!(tally(&[], cell, Margin::default()), None);
    }
    let mean = Cell::default();
    assert_eq!(tally(&votes(A), mean, Margin::default()), None, "a mean has no votes");
}

#[test]
fn the_last_layer_is_the_last_that_has_scores() {
    let mut votes = votes(A);
    for vote in &mut votes {
        if vote.layer == 1 {
            vote.argmax = None;
        }
    }
    let decision = aggregate(&votes, "mean/last/argmax".parse().unwrap(), Margin::default()).unwrap();
    assert_eq!(
        decision,
        Decision {
            label: Label::Model2,
            pair: pair(7.0, 7.5),
            n: 4
        }
    );
}

#[test]
fn conflict_reports_each_neuron_and_both_positions() {
    let found = conflict(&votes(B), Reading::Argmax);
    let neuron = |layer, neuron, forward, swapped| NeuronOrders {
        layer,
        neuron,
        forward,
        swapped,
    };
    assert_eq!(
        found.neurons,
        [
            neuron(0, 0, Label::Model1, Label::Model2),
            neuron(1, 0, Label::Model2, Label::Tie),
            neuron(1, 1, Label::Model2, Label::Model1),
        ]
    );
    assert_eq!((found.conflicting(), found.one_sided), (3, 1));
    // Shown first: 8, 7, 6 in order 12 and 9, 6, 8, 7 in order 21. Shown second: 6, 8, 8 and 5, 7, 8, 8.
    assert_eq!(found.mean_by_position(), Some(pair(51. / 7., 50. / 7.)));
    assert_eq!((found.first_preferred, found.second_preferred), (2, 4));
    assert!((found.first_position_preference().unwrap() - 1.0 / 3.0).abs() < 1e-12);
}

#[test]
fn conflict_averages_samples_before_it_compares_orders() {
    let vote = |order, sample, a, b| Vote {
        layer: 0,
        neuron: 0,
        order,
        sample,
        argmax: Some(pair(a, b)),
        expected: None,
    };
    let votes = [
        vote(Order::Forward, 0, 9., 5.),
        vote(Order::Forward, 1, 6., 7.),
        vote(Order::Swapped, 0, 8., 7.),
    ];
    let found = conflict(&votes, Reading::Argmax);
    assert_eq!((found.neurons.len(), found.conflicting()), (1, 0));
    assert_eq!(conflict(&[], Reading::Argmax), Conflict::default());
    assert_eq!(conflict(&[], Reading::Argmax).first_position_preference(), None);
}

fn any_pair() -> impl Strategy<Value = ScorePair> {
    // Tenths and few values, so that ties and shared counts do occur.
    (10_u8..=30, 10_u8..=30).prop_map(|(a, b)| pair(f64::from(a) / 10., f64::from(b) / 10.))
}

fn any_votes() -> impl Strategy<Value = Vec<Vote>> {
    let vote = (
        0_usize..3,
        0_usize..3,
        any::<bool>(),
        0_usize..2,
        prop::option::of(any_pair()),
        prop::option::of(any_pair()),
    );
    let vote = vote.prop_map(|(layer, neuron, forward, sample, argmax, expected)| Vote {
        layer,
        neuron,
        order: if forward { Order::Forward } else { Order::Swapped },
        sample,
        argmax,
        expected,
    });
    prop::collection::vec(vote, 0..24)
}

fn any_margin() -> impl Strategy<Value = Margin> {
    (0_u8..8).prop_map(|tenths| Margin::new(Score::from_f64(f64::from(tenths) / 10.).unwrap()).unwrap())
}

proptest! {
    #[test]
    fn the_order_of_votes_does_not_matter(
        (votes, shuffled) in any_votes().prop_flat_map(|votes| (Just(votes.clone()), Just(votes).prop_shuffle())),
        margin in any_margin(),
    ) {
        for cell in Cell::grid() {
            prop_assert_eq!(aggregate(&votes, cell, margin), aggregate(&shuffled, cell, margin));
        }
        prop_assert_eq!(conflict(&votes, Reading::Argmax), conflict(&shuffled, Reading::Argmax));
    }

    #[test]
    fn swapping_all_pairs_swaps_the_decision(votes in any_votes(), margin in any_margin()) {
        let swapped: Vec<Vote> = votes
            .iter()
            .map(|vote| Vote {
                argmax: vote.argmax.map(ScorePair::swapped),
                expected: vote.expected.map(ScorePair::swapped),
                ..*vote
            })
            .collect();
        for cell in Cell::grid() {
            let expected = aggregate(&votes, cell, margin).map(|decision| Decision {
                label: decision.label.swapped(),
                pair: decision.pair.swapped(),
                ..decision
            });
            prop_assert_eq!(aggregate(&swapped, cell, margin), expected);
        }
    }

    #[test]
    fn an_absent_call_and_a_call_without_scores_are_the_same(votes in any_votes(), margin in any_margin()) {
        for cell in Cell::grid() {
            let present: Vec<Vote> = votes.iter().filter(|vote| vote.pair(cell.reading).is_some()).copied().collect();
            prop_assert_eq!(aggregate(&votes, cell, margin), aggregate(&present, cell, margin));
        }
    }
}
