//! What a researcher reads.

use widedeep::pair::Label::{Model1, Model2, Tie};
use widedeep::report::{WIDTH, summary};
use widedeep::run::Baseline;

use super::runs::{A, B, C, Layers, Run, Said, by_network, network, pair};

const fn both(written: (f64, f64), expected: (f64, f64)) -> [Said; 2] {
    [Said::Expected(written, expected), Said::Expected(written, expected)]
}

const FIRST: Layers = &[&[both((8., 6.), (7.6, 6.4))], &[both((9., 5.), (8.1, 5.9))]];
const SECOND: Layers = &[&[both((5., 7.), (5.5, 6.75))], &[both((6., 8.), (5.9, 7.2))]];
const TURNED: Layers = &[&[both((7., 6.), (6.6, 6.5))], &[both((6., 9.), (6.2, 7.8))]];
const EQUAL: Layers = &[&[both((7., 7.), (7.1, 6.8))], &[both((7., 7.), (6.9, 7.3))]];

fn twelve() -> Run {
    let pairs = [
        ("shp", Model1, [9, 4], A),
        ("shp", Tie, [5, 5], B),
        ("mt-bench", Model2, [3, 8], C),
        ("mt-bench", Model1, [12, 8], FIRST),
        ("bagel", Model2, [3, 4], SECOND),
        ("bagel", Tie, [3, 4], EQUAL),
        ("hh-rlhf", Model2, [30, 20], TURNED),
        ("hh-rlhf", Model1, [31, 20], FIRST),
        ("shp", Model1, [7, 9], TURNED),
        ("shp", Model2, [7, 9], SECOND),
        ("webgpt", Model1, [7, 2], FIRST),
        ("webgpt", Tie, [7, 2], SECOND),
    ];
    let pairs: Vec<_> = pairs
        .into_iter()
        .enumerate()
        .map(|(index, (dataset, label, lengths, layers))| (pair(index, dataset, Some(label), lengths), layers))
        .collect();
    Run::of(network(&[]), &pairs)
}

/// Missing opinions of both kinds, an undecided pair, a pair without label, one that is not judged yet, fallback roles, short reviews.
pub fn with_gaps() -> Run {
    const GAPS: Layers = &[
        &[
            [Said::Scores(8., 6.), Said::Unreadable],
            [Said::TooLong, Said::Scores(7., 6.)],
        ],
        &[
            [Said::Scores(8., 7.), Said::Scores(7., 7.)],
            [Said::Unreadable, Said::Scores(6., 8.)],
        ],
    ];
    const LOST: Layers = &[&[[Said::TooLong, Said::TooLong]], &[[Said::TooLong, Said::TooLong]]];
    let pairs = [
        pair(0, "mine", Some(Model1), [9, 4]),
        pair(1, "mine", Some(Model1), [5, 5]),
        pair(2, "notes, \"quoted\"", Some(Model2), [3, 8]),
        pair(3, "mine", None, [3, 8]),
        pair(4, "mine", Some(Tie), [3, 8]),
    ];
    let mut config = by_network(network(&["aggregate.tie_margin=0.2"]));
    config.data.skipped = 2;
    let run = Run::start(&config, &pairs);
    run.judge_as(&pairs[0], GAPS, |evaluation| evaluation.roles.fallback = true);
    run.judge(&pairs[1], LOST);
    run.judge_as(&pairs[2], C, |evaluation| {
        for opinion in evaluation.opinions.iter_mut().filter(|opinion| opinion.layer == 1) {
            opinion.reviews_shortened_to = Some(200);
        }
    });
    run.judge(&pairs[3], A);
    run
}

#[test]
fn a_network_of_two_layers_over_twelve_pairs() {
    insta::assert_snapshot!("two-layers", summary(&twelve().metrics(), WIDTH));
}

#[test]
fn a_baseline_shows_what_it_has() {
    let pairs = [
        pair(0, "shp", Some(Model1), [9, 4]),
        pair(1, "shp", Some(Tie), [5, 5]),
        pair(2, "bagel", Some(Model2), [3, 8]),
        pair(3, "bagel", Some(Model2), [8, 3]),
        pair(4, "mine", Some(Model1), [8, 3]),
    ];
    insta::assert_snapshot!(
        "baseline",
        summary(&Run::baseline(Baseline::Longer, &pairs).metrics(), WIDTH)
    );
}

#[test]
fn what_is_missing_is_counted_and_said() {
    insta::assert_snapshot!("missing-opinions", summary(&with_gaps().metrics(), WIDTH));
}

#[test]
fn without_labels_there_is_no_agreement_and_nothing_that_looks_like_one() {
    let run = Run::of(network(&[]), &[(pair(0, "shp", None, [2, 1]), A)]);
    let text = summary(&run.metrics(), WIDTH);
    assert!(text.contains("nothing to compare"), "{text}");
    assert!(!text.contains("Confusion") && !text.contains("By dataset"), "{text}");
    assert!(text.contains("The verdict changed on 1 of 1 pair."), "{text}");
}

#[test]
fn an_undefined_kappa_is_a_dash_and_a_caveat() {
    let run = Run::baseline(Baseline::AlwaysModel1, &[pair(0, "shp", Some(Model1), [2, 1])]);
    let text = summary(&run.metrics(), WIDTH);
    let kappa = text.lines().find(|line| line.contains("Cohen's kappa")).unwrap();
    assert!(kappa.contains('–') && !kappa.contains("0."), "{kappa}");
    assert!(text.contains("kappa is undefined: labels and verdicts are all of one and the same class"));
}

#[test]
fn lines_fit_the_width() {
    for width in [80, 100, 140] {
        for run in [twelve(), with_gaps()] {
            let text = summary(&run.metrics(), width);
            for line in text.lines() {
                assert!(line.chars().count() <= usize::from(width), "{width}: {line}");
            }
        }
    }
}
