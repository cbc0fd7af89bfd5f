//! The matrix of what silencing does, and its random controls.

use std::collections::BTreeSet;

use widedeep::inside::language::{
    Control, Loss, Losses, Matrix, Shape, Silenced, Unit,
    matrix::MatrixError,
    random::{RandomError, matched},
};

const NAMES: [&str; 10] = ["en", "ru", "es", "fr", "de", "zh", "ja", "bn", "th", "sw"];

/// Change of perplexity, MistralMathOctopus on MGSM (arXiv 2505.21505, figure 10b).
const PERPLEXITY: [[f64; 10]; 10] = [
    [0.00, -0.02, -0.04, -0.01, -0.02, -0.01, 0.06, 0.02, 0.04, 0.01],
    [0.01, 1.23, 0.05, 0.05, 0.02, 0.11, 0.08, 0.06, 0.11, 0.02],
    [-0.02, -0.03, 0.28, 0.02, -0.01, 0.02, 0.10, 0.01, 0.02, 0.04],
    [0.00, -0.09, -0.02, 0.64, 0.02, 0.01, 0.05, 0.01, 0.03, 0.05],
    [0.04, 0.02, 0.02, 0.05, 0.83, 0.02, 0.07, 0.01, 0.03, 0.06],
    [0.03, 0.05, 0.02, 0.00, -0.02, 1.05, 0.66, 0.10, 0.19, 0.05],
    [-0.01, 0.09, -0.05, -0.02, 0.06, 0.59, 2.44, 0.33, 0.55, 0.04],
    [-0.01, 0.41, -0.03, 0.00, 0.01, 0.08, 1.26, 2.27, 0.73, 0.06],
    [0.02, 0.17, -0.01, 0.03, -0.01, 0.29, 0.94, 0.73, 2.79, 0.04],
    [-0.01, -0.03, -0.06, -0.03, -0.03, -0.01, 0.03, 0.02, 0.04, 0.83],
];

/// Change of accuracy in the same experiment; a loss is harm.
const ACCURACY: [[f64; 10]; 10] = [
    [-0.01, 0.00, 0.01, 0.00, 0.00, 0.00, -0.02, 0.02, -0.02, 0.01],
    [0.00, -0.42, -0.02, -0.01, -0.02, -0.02, -0.04, 0.01, -0.07, 0.02],
    [-0.02, 0.02, -0.04, -0.02, -0.02, -0.01, -0.01, 0.03, -0.03, 0.03],
    [-0.01, 0.00, -0.02, -0.15, -0.03, -0.02, -0.05, 0.01, -0.04, 0.03],
    [-0.02, 0.00, -0.01, -0.01, -0.18, -0.01, -0.03, 0.02, -0.03, 0.00],
    [-0.01, 0.01, -0.01, 0.00, -0.02, -0.38, -0.19, -0.04, -0.15, 0.02],
    [0.00, 0.02, -0.01, 0.02, -0.05, -0.23, -0.53, -0.06, -0.29, 0.06],
    [0.01, -0.10, 0.01, 0.00, -0.01, -0.03, -0.32, -0.36, -0.40, 0.00],
    [0.00, -0.02, 0.00, -0.02, -0.02, -0.02, -0.20, -0.18, -0.52, 0.02],
    [0.00, 0.02, -0.01, 0.00, 0.00, -0.03, -0.01, -0.01, -0.04, -0.02],
];

fn matrix(harm: &[[f64; 10]; 10], sign: f64) -> Matrix {
    Matrix {
        languages: NAMES.map(str::to_owned).into(),
        units: vec![1; 10],
        nll: harm
            .iter()
            .map(|row| row.iter().map(|value| sign * value).collect())
            .collect(),
        perplexity: Vec::new(),
        controls: vec![Vec::new(); 10],
    }
}

#[test]
fn the_diagonal_dominates_the_published_perplexity_matrix_in_nine_of_nine_languages() {
    let found = matrix(&PERPLEXITY, 1.0).dominance(Some("en")).unwrap();
    assert_eq!((found.rows, found.verdicts.len()), (9, 9));
    assert_eq!(found.left_out.unwrap().language, "en");
    assert_eq!((found.past_controls, found.mean_control), (None, None));
}

#[test]
fn the_diagonal_dominates_the_published_accuracy_matrix_in_seven_of_nine_languages() {
    let found = matrix(&ACCURACY, -1.0).dominance(Some("en")).unwrap();
    assert_eq!(found.rows, 7);
    let beaten: Vec<_> = found
        .verdicts
        .iter()
        .filter(|verdict| !verdict.dominates_row())
        .collect();
    let beaten: Vec<_> = beaten
        .iter()
        .map(|verdict| (verdict.language.as_str(), verdict.in_row.as_ref().unwrap()))
        .collect();
    assert_eq!(
        beaten
            .iter()
            .map(|(own, rival)| (*own, rival.language.as_str()))
            .collect::<Vec<_>>(),
        [("bn", "th"), ("sw", "th")]
    );
    let text = found.to_string();
    assert!(text.contains("bn: +0.3600 on itself, but +0.4000 on th"), "{text}");
}

fn losses(means: [f64; 2], tokens: u64) -> Vec<Loss> {
    means
        .map(|mean| Loss {
            sum: mean * tokens as f64,
            tokens,
        })
        .into()
}

/// Two languages; silencing `a` harms `a`, silencing `b` harms nobody more than chance.
fn experiment() -> Losses {
    let control = |seed, means| Control {
        seed,
        losses: losses(means, 8),
    };
    Losses {
        languages: vec!["a".into(), "b".into()],
        base: losses([2.0, 3.0], 4),
        silenced: vec![
            Silenced {
                units: 5,
                losses: losses([2.5, 3.125], 8),
                controls: vec![control(1, [2.0, 3.25]), control(2, [2.25, 3.0])],
            },
            Silenced {
                units: 7,
                losses: losses([2.0, 3.25], 8),
                controls: vec![control(3, [2.0, 3.5]), control(4, [2.0, 3.0])],
            },
        ],
    }
}

#[test]
fn changes_are_means_per_token_against_the_base_and_are_judged_beside_random_sets() {
    let matrix = experiment().matrix().unwrap();
    assert_eq!(matrix.nll, [[0.5, 0.125], [0.0, 0.25]]);
    assert_eq!(matrix.controls[0], [[0.0, 0.25], [0.25, 0.0]]);
    assert!((matrix.perplexity[0][0] - (2.5_f64.exp() - 2.0_f64.exp())).abs() < 1e-12);
    let found = matrix.dominance(None).unwrap();
    assert_eq!((found.rows, found.columns, found.past_controls), (2, 2, Some(1)));
    assert_eq!(
        (found.mean_diagonal, found.mean_elsewhere, found.mean_control),
        (0.375, 0.0625, Some(0.1875))
    );
    let [a, b] = &found.verdicts[..] else { panic!() };
    assert_eq!((a.passes_controls(), a.over_controls()), (Some(true), Some(0.375)));
    assert_eq!((b.passes_controls(), b.over_controls()), (Some(false), Some(0.0)));
    assert!(
        found.to_string().contains("b: +0.2500, but +0.5000 by random units"),
        "{found}"
    );
}

#[test]
fn an_empty_set_changes_nothing_and_dominates_nothing() {
    let mut experiment = experiment();
    for row in &mut experiment.silenced {
        row.losses = experiment.base.clone();
    }
    let matrix = experiment.matrix().unwrap();
    assert!(matrix.nll.iter().flatten().all(|&change| change == 0.0));
    assert_eq!(matrix.dominance(None).unwrap().rows, 0);
}

#[test]
fn incomplete_or_broken_losses_are_refused_by_name() {
    let mut short = experiment();
    short.silenced[1].losses.pop();
    assert!(
        short
            .matrix()
            .unwrap_err()
            .to_string()
            .contains("row of silenced language `b`")
    );
    let mut rows = experiment();
    rows.silenced.pop();
    assert!(matches!(
        rows.matrix(),
        Err(MatrixError::Size {
            found: 1,
            expected: 2,
            ..
        })
    ));
    let mut empty = experiment();
    empty.silenced[0].controls[1].losses[0] = Loss { sum: 0.0, tokens: 0 };
    let error = empty.matrix().unwrap_err().to_string();
    assert!(
        error.contains("with seed 2") && error.contains("language `a`"),
        "{error}"
    );
    let matrix = experiment().matrix().unwrap();
    assert!(matches!(matrix.dominance(Some("xx")), Err(MatrixError::Unknown { .. })));
}

const SHAPE: Shape = Shape { layers: 4, width: 50 };

fn units(list: &[(usize, usize)]) -> Vec<Unit> {
    list.iter().map(|&(layer, index)| Unit { layer, index }).collect()
}

#[test]
fn a_control_has_as_many_units_in_every_layer_and_none_of_the_set() {
    let set = units(&[(0, 3), (0, 4), (2, 0), (2, 1), (2, 2), (3, 49)]);
    let spared: BTreeSet<Unit> = units(&[(3, 0), (3, 1)]).into_iter().collect();
    for seed in 0..50 {
        let drawn = matched(&set, SHAPE, &spared, seed).unwrap();
        let per_layer = |units: &[Unit]| {
            (0..4)
                .map(|layer| units.iter().filter(|unit| unit.layer == layer).count())
                .collect::<Vec<_>>()
        };
        assert_eq!(per_layer(&drawn), per_layer(&set));
        assert!(
            drawn.is_sorted()
                && drawn
                    .iter()
                    .all(|unit| !set.contains(unit) && !spared.contains(unit) && SHAPE.has(*unit))
        );
        assert_eq!(drawn.iter().collect::<BTreeSet<_>>().len(), drawn.len());
    }
}

#[test]
fn a_seed_means_the_same_units_whatever_the_other_layers_hold() {
    let none = BTreeSet::new();
    let of = |set: &[(usize, usize)], seed| matched(&units(set), SHAPE, &none, seed).unwrap();
    let small = of(&[(2, 7), (2, 8)], 5);
    assert_eq!(small, of(&[(2, 7), (2, 8)], 5));
    let large = of(&[(0, 1), (1, 1), (2, 7), (2, 8)], 5);
    assert_eq!(small, large[2..]);
    assert_ne!(small, of(&[(2, 7), (2, 8)], 6));
    // Written down from the first run: a change here would make recorded seeds mean other units.
    let written: Vec<usize> = of(&[(0, 0), (0, 1), (0, 2)], 1).iter().map(|unit| unit.index).collect();
    assert_eq!(written, [23, 24, 28]);
}

#[test]
fn every_other_unit_is_drawn_about_equally_often() {
    let set = units(&[(1, 0)]);
    let mut hits = [0_u32; 50];
    for seed in 0..4900 {
        hits[matched(&set, SHAPE, &BTreeSet::new(), seed).unwrap()[0].index] += 1;
    }
    assert_eq!(hits[0], 0);
    // 100 expected each; 5 standard deviations on either side.
    assert!(hits[1..].iter().all(|hits| (50..150).contains(hits)), "{hits:?}");
}

#[test]
fn a_layer_without_enough_other_units_is_named() {
    let set: Vec<Unit> = (0..26).map(|index| Unit { layer: 1, index }).collect();
    let error = matched(&set, SHAPE, &BTreeSet::new(), 0).unwrap_err();
    assert_eq!(
        error,
        RandomError::TooFew {
            layer: 1,
            left: 24,
            wanted: 26
        }
    );
    let beyond = matched(&units(&[(4, 0)]), SHAPE, &BTreeSet::new(), 0).unwrap_err();
    assert!(beyond.to_string().contains("unit 0 of layer 4"), "{beyond}");
}
