//! Probabilities.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use widedeep::inside::hallucination::{
    evaluate::{Platt, Reliability},
    logistic::Class::{self, Negative, Positive},
};

/// Scores from −3 to 3 whose class is positive with probability σ(2 s − 1).
fn sample(n: usize, seed: u64) -> (Vec<f64>, Vec<Class>) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..n)
        .map(|_| {
            let score = rng.random_range(-3.0..3.0);
            let p = 1.0 / (1.0 + f64::exp(-(2.0 * score - 1.0)));
            (score, if rng.random_bool(p) { Positive } else { Negative })
        })
        .unzip()
}

#[test]
fn scaling_finds_the_probabilities_that_made_the_labels() {
    let (scores, classes) = sample(20_000, 1);
    let found = Platt::fit(&scores, &classes).unwrap();
    assert!(
        (found.slope - 2.0).abs() < 0.1 && (found.intercept + 1.0).abs() < 0.1,
        "{found:?}"
    );
    let (fresh, kinds) = sample(20_000, 2);
    let probabilities: Vec<f64> = fresh.iter().map(|&score| found.probability(score)).collect();
    let reliability = Reliability::of(&probabilities, &kinds).unwrap();
    assert!(reliability.ece < 0.015, "{}", reliability.ece);
    // Scores taken for probabilities as they are would be far off.
    let raw: Vec<f64> = fresh.iter().map(|score| 1.0 / (1.0 + (-score).exp())).collect();
    let worse = Reliability::of(&raw, &kinds).unwrap();
    assert!(worse.ece > 5.0 * reliability.ece && worse.brier > reliability.brier);
    assert_eq!(reliability.bins.iter().map(|bin| bin.rows).sum::<usize>(), 20_000);
}

#[test]
fn the_unit_of_the_scores_does_not_matter() {
    let (scores, classes) = sample(500, 3);
    let one = Platt::fit(&scores, &classes).unwrap();
    let scaled: Vec<f64> = scores.iter().map(|score| 1e-4 * score + 7.0).collect();
    let other = Platt::fit(&scaled, &classes).unwrap();
    for (score, same) in scores.iter().zip(&scaled) {
        assert!((one.probability(*score) - other.probability(*same)).abs() < 1e-6);
    }
}

#[test]
fn classes_that_do_not_overlap_still_have_finite_probabilities() {
    let found = Platt::fit(&[-2.0, -1.0, 1.0, 2.0], &[Negative, Negative, Positive, Positive]).unwrap();
    assert!(found.slope.is_finite() && found.slope > 0.0);
    // Platt's targets: 3/4 and 1/4.
    assert!(
        (0.6..0.95).contains(&found.probability(2.0)),
        "{}",
        found.probability(2.0)
    );
}

#[test]
fn a_score_that_says_nothing_gives_everybody_the_prevalence() {
    let classes: Vec<Class> = (0..40)
        .map(|row| if row % 4 == 0 { Positive } else { Negative })
        .collect();
    let backwards: Vec<f64> = classes.iter().map(|&class| -class.sign()).collect();
    for scores in [vec![1.0; 40], backwards] {
        let found = Platt::fit(&scores, &classes).unwrap();
        assert_eq!(found.slope, 0.0);
        assert!(
            (found.probability(0.3) - 11.0 / 42.0).abs() < 1e-9,
            "(10 + 1) to (30 + 1)"
        );
    }
    assert_eq!(Platt::fit(&[1.0, 2.0], &[Positive, Positive]), None);
}
