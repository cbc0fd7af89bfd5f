//! Measures against values by hand, scikit-learn 1.9.1 and SciPy 1.17.

use proptest::prelude::*;
use widedeep::{
    agreement::Bootstrap,
    inside::hallucination::{
        Truth,
        evaluate::{
            Binary, Effect, MannWhitney, Permutation, Sample, Scores, auroc, benjamini_hochberg, length_matched, roc,
            shuffled, within_length_auroc, youden,
        },
        logistic::Class::{self, Negative, Positive},
    },
};

#[track_caller]
fn near(found: f64, expected: f64) {
    assert!((found - expected).abs() < 1e-9, "{found} is not {expected}");
}

#[test]
fn ties_count_one_half() {
    // Pairs (positive, negative): (3,1) (3,2) (2,1) in order, (2,2) a tie: 3.5 of 4.
    near(
        auroc(&[3.0, 2.0, 1.0, 2.0], &[Positive, Positive, Negative, Negative]).unwrap(),
        0.875,
    );
    near(
        auroc(&[1.0; 5], &[Positive, Negative, Positive, Negative, Negative]).unwrap(),
        0.5,
    );
    assert_eq!(auroc(&[1.0, 2.0], &[Positive, Positive]), None);
    assert_eq!(auroc(&[], &[]), None);
}

#[test]
fn the_curve_has_the_area() {
    let (scores, classes) = (
        [0.1, 0.4, 0.35, 0.8, 0.4],
        [Negative, Negative, Positive, Positive, Positive],
    );
    let curve = roc(&scores, &classes).unwrap();
    assert_eq!(curve.first(), Some(&(0.0, 0.0)));
    assert_eq!(curve.last(), Some(&(1.0, 1.0)));
    let area: f64 = curve
        .windows(2)
        .map(|pair| (pair[1].0 - pair[0].0) * (pair[1].1 + pair[0].1) / 2.0)
        .sum();
    near(area, auroc(&scores, &classes).unwrap());
}

#[test]
fn the_threshold_parts_where_recall_exceeds_false_alarms_most() {
    // Above 0.5: recall 2/3 and no false alarm. Above 0.2: recall 1, false alarm 1/2.
    let (scores, classes) = (
        [0.1, 0.4, 0.3, 0.6, 0.8],
        [Negative, Negative, Positive, Positive, Positive],
    );
    near(youden(&scores, &classes).unwrap(), 0.5);
    let table = Binary::at(0.5, &scores, &classes);
    assert_eq!(
        (
            table.true_positive,
            table.false_positive,
            table.false_negative,
            table.true_negative
        ),
        (2, 0, 1, 2)
    );
    near(table.f1().unwrap(), 0.8);
    near(table.accuracy().unwrap(), 0.8);
    assert_eq!(youden(&[1.0], &[Positive]), None);
}

#[test]
fn rank_tests_are_what_scipy_says() {
    // scipy.stats.mannwhitneyu([19, 22, 16, 29, 24], [20, 11, 17, 12], method="asymptotic"), the example of SciPy's documentation: U 17,
    // p 0.11134688653314041; the one-sided p is half of it.
    let found = MannWhitney::of(&[19.0, 22.0, 16.0, 29.0, 24.0], &[20.0, 11.0, 17.0, 12.0]).unwrap();
    near(found.u, 17.0);
    near(found.share, 0.85);
    assert!(
        (found.two_sided - 0.111_346_886_533_140_41).abs() < 1e-9,
        "{}",
        found.two_sided
    );
    assert!(
        (found.larger - 0.055_673_443_266_570_2).abs() < 1e-9,
        "{}",
        found.larger
    );
    assert_eq!(MannWhitney::of(&[], &[1.0]), None);
    // All equal: nothing can be told.
    near(MannWhitney::of(&[1.0, 1.0], &[1.0, 1.0]).unwrap().two_sided, 1.0);
}

#[test]
fn effects_are_told_with_their_sign() {
    let found = Effect::of(
        &[3.0, 4.0, 5.0, 1.0, 2.0, 3.0],
        &[Positive, Positive, Positive, Negative, Negative, Negative],
    );
    let found = found.unwrap();
    // Means 4 and 2, both variances 1.
    near(found.cohens_d, 2.0);
    near(found.auroc, 8.5 / 9.0);
    assert_eq!(Effect::of(&[1.0, 2.0], &[Positive, Negative]), None);
}

#[test]
fn false_discoveries_are_adjusted_as_statsmodels_does() {
    // statsmodels.stats.multitest.multipletests([0.01, 0.04, 0.03, 0.005], method="fdr_bh")[1]
    let found = benjamini_hochberg(&[0.01, 0.04, 0.03, 0.005]);
    for (found, expected) in found.iter().zip([0.02, 0.04, 0.04, 0.02]) {
        near(*found, expected);
    }
}

#[test]
fn length_matched_answers_cannot_be_told_by_length() {
    let lengths: Vec<u32> = (0..60)
        .map(|row| if row < 30 { 2 + row % 4 } else { 1 + row % 3 })
        .collect();
    let classes: Vec<Class> = (0..60).map(|row| if row < 30 { Positive } else { Negative }).collect();
    let scores: Vec<f64> = lengths.iter().map(|&length| f64::from(length)).collect();
    assert!(auroc(&scores, &classes).unwrap() > 0.7);
    let rows = length_matched(&lengths, &classes, 3);
    let pick = |row: &usize| (scores[*row], classes[*row]);
    let (own, kinds): (Vec<f64>, Vec<Class>) = rows.iter().map(pick).unzip();
    near(auroc(&own, &kinds).unwrap(), 0.5);
    assert_eq!(
        kinds.iter().filter(|&&class| class == Positive).count() * 2,
        kinds.len()
    );
    near(within_length_auroc(&scores, &lengths, &classes).unwrap(), 0.5);
    assert_eq!(rows, length_matched(&lengths, &classes, 3));
}

#[test]
fn resampled_intervals_hold_the_value_and_shrink_with_the_sample() {
    let width = |n: usize| {
        let classes: Vec<Class> = (0..n)
            .map(|row| if row % 2 == 0 { Positive } else { Negative })
            .collect();
        // A shifted, overlapping pair of combs: AUROC about 0.7.
        let scores: Vec<f64> = (0..n)
            .map(|row| (row * 7919 % 101) as f64 + if row % 2 == 0 { 23.0 } else { 0.0 })
            .collect();
        let questions: Vec<usize> = (0..n).collect();
        let sample = Sample {
            classes: &classes,
            questions: &questions,
        };
        let opposite: Vec<f64> = scores.iter().map(|score| -score).collect();
        let scorers = [
            Scores {
                values: &scores,
                threshold: 60.0,
            },
            Scores {
                values: &opposite,
                threshold: -60.0,
            },
        ];
        let found = sample.measure(&scorers, Bootstrap::default()).unwrap();
        assert_eq!(found, sample.measure(&scorers, Bootstrap::default()).unwrap());
        let (measures, gap) = found[0];
        for estimate in [measures.auroc, measures.accuracy, measures.f1] {
            assert!(estimate.interval.unwrap().contains(estimate.value), "{estimate:?}");
        }
        // The first is compared with itself, the second with its opposite.
        near(gap.difference.value, 0.0);
        near(gap.p_value, 1.0);
        near(found[1].1.difference.value, 2.0 * measures.auroc.value - 1.0);
        assert!(found[1].1.p_value < 0.01);
        let interval = measures.auroc.interval.unwrap();
        interval.high - interval.low
    };
    let (few, many) = (width(100), width(1600));
    assert!(
        few / many > 3.0 && few / many < 5.5,
        "{few} and {many}: four times the sample's root"
    );
}

#[test]
fn rows_of_a_question_are_resampled_together() {
    // The same ten questions, each in eight identical rows: the interval must be that of ten, not of eighty.
    let base: Vec<f64> = vec![0.9, 0.4, 0.7, 0.6, 0.8, 0.5, 0.3, 0.65, 0.2, 0.45];
    let kinds = [Positive, Negative];
    let measure = |copies: usize| {
        let rows = || (0..10).flat_map(|question| std::iter::repeat_n(question, copies));
        let scores: Vec<f64> = rows().map(|question| base[question]).collect();
        let classes: Vec<Class> = rows().map(|question| kinds[question % 2]).collect();
        let questions: Vec<usize> = rows().collect();
        let sample = Sample {
            classes: &classes,
            questions: &questions,
        };
        let found = sample
            .measure(
                &[Scores {
                    values: &scores,
                    threshold: 0.5,
                }],
                Bootstrap::default(),
            )
            .unwrap();
        found[0].0.auroc
    };
    assert_eq!(measure(1), measure(8));
}

#[test]
fn permutation_p_values_count_the_observed_labelling() {
    let found = Permutation::of(0.8, vec![0.5, 0.85, 0.4, 0.8]);
    near(found.p_value, 3.0 / 5.0);
    near(Permutation::of(0.9, vec![0.5; 99]).p_value, 0.01);
}

#[test]
fn labels_are_shuffled_within_strata() {
    let truths: Vec<Truth> = (0..40)
        .map(|n| {
            if n % 4 == 0 {
                Truth::Hallucinated
            } else {
                Truth::Faithful
            }
        })
        .collect();
    let strata: Vec<usize> = (0..40).map(|n| n / 20).collect();
    let count = |truths: &[Truth]| truths.iter().filter(|&&truth| truth == Truth::Hallucinated).count();
    let one = shuffled(&truths, &strata, 5, 0);
    assert_ne!(one, truths);
    assert_ne!(one, shuffled(&truths, &strata, 5, 1));
    assert_eq!(one, shuffled(&truths, &strata, 5, 0));
    assert_eq!((count(&one[..20]), count(&one[20..])), (5, 5));
}

proptest! {
    #[test]
    fn the_area_is_that_of_all_pairs(rows in prop::collection::vec((0_u8..12, any::<bool>()), 2..60)) {
        let scores: Vec<f64> = rows.iter().map(|row| f64::from(row.0)).collect();
        let classes: Vec<Class> = rows.iter().map(|row| if row.1 { Positive } else { Negative }).collect();
        let (mut sum, mut pairs) = (0.0, 0.0);
        for (one, _) in rows.iter().filter(|row| row.1) {
            for (other, _) in rows.iter().filter(|row| !row.1) {
                pairs += 1.0;
                sum += match one.cmp(other) {
                    std::cmp::Ordering::Greater => 1.0,
                    std::cmp::Ordering::Equal => 0.5,
                    std::cmp::Ordering::Less => 0.0,
                };
            }
        }
        match auroc(&scores, &classes) {
            Some(found) => prop_assert!((found - sum / pairs).abs() < 1e-12),
            None => prop_assert!(pairs == 0.0),
        }
        // The rank test's share is the same number.
        let of = |class| scores.iter().zip(&classes).filter(|row| *row.1 == class).map(|row| *row.0).collect::<Vec<_>>();
        if let Some(test) = MannWhitney::of(&of(Positive), &of(Negative)) {
            prop_assert!((test.share - sum / pairs).abs() < 1e-12);
        }
    }
}
