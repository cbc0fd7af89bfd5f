use widedeep::inside::bricks::{
    Matrix,
    route::{RouteError, Signatures, UnitScale, activity_of_functions, by_function, evaluate, regret, softmax_weights},
    specialise::{Aggregate, Aggregation, Labels, Predictivity, Ties, function_scores, halves, mean_scores, top},
};

use crate::oracle::{get, near, read};

/// The instances of the specialisation oracle: 56 prompts, 24 units, 7 functions.
fn instances() -> (Matrix<f64>, Labels) {
    let oracle = read("scores.json");
    let scores: Vec<Vec<f64>> = get(&oracle["expected"]["mean_abs"]["instance_scores"]);
    let labels = Labels::new(get(&oracle["functions"]), get(&oracle["labels"])).unwrap();
    (Matrix::from_rows(&scores).unwrap(), labels)
}

fn only(scores: &Matrix<f64>, rows: &[usize]) -> Matrix<f64> {
    Matrix::from_fn(rows.len(), scores.columns(), |row, unit| scores.at(rows[row], unit))
}

#[test]
fn signatures_send_held_out_queries_to_their_function() {
    let (scores, labels) = instances();
    let halves = halves(&labels, 1);
    let learnt = labels.only(&halves.choosing).unwrap();
    let signatures = Signatures::learn(
        labels.functions().to_vec(),
        &only(&scores, &halves.choosing),
        learnt.of_instance(),
    )
    .unwrap();
    let number = |name: &String| labels.functions().iter().position(|other| other == name);
    let chosen: Vec<Option<usize>> = halves
        .measuring
        .iter()
        .map(|&query| {
            signatures
                .route(scores.row(query), -1.0)
                .unwrap()
                .chosen
                .as_ref()
                .and_then(number)
        })
        .collect();
    let right: Vec<usize> = halves
        .measuring
        .iter()
        .map(|&query| labels.of_instance()[query])
        .collect();
    let found = evaluate(&chosen, &right, 7).unwrap();
    assert!(found.accuracy >= 0.85, "{found:?}");
    assert!(found.macro_f1 >= 0.85, "{found:?}");
    near(found.majority, 1.0 / 7.0, 1e-12);
    near(found.random, 1.0 / 7.0, 1e-12);
}

#[test]
fn units_of_functions_send_held_out_queries_to_their_function() {
    let (scores, labels) = instances();
    let halves = halves(&labels, 1);
    let (half, learnt) = (only(&scores, &halves.choosing), labels.only(&halves.choosing).unwrap());
    let found = function_scores(&half, &learnt, Predictivity::Precision).unwrap();
    let means = mean_scores(&half, &learnt);
    let set = |function| top(&found, function, 2.0 / 24.0, Ties::LargerMean, &means, &[].into());
    let sets: Vec<Vec<usize>> = (0..7).map(set).collect();
    let scale = UnitScale::new(&half);
    let route = |&query: &usize| by_function(&activity_of_functions(scores.row(query), &scale, &sets).unwrap());
    let chosen: Vec<Option<usize>> = halves.measuring.iter().map(route).collect();
    let right: Vec<usize> = halves
        .measuring
        .iter()
        .map(|&query| labels.of_instance()[query])
        .collect();
    let found = evaluate(&chosen, &right, 7).unwrap();
    assert!(found.accuracy >= 0.8, "{found:?}");
}

fn two() -> (Matrix<f32>, Vec<usize>) {
    let rows: Vec<Vec<f32>> = vec![
        vec![5.0, 1.0, 0.0],
        vec![5.0, 2.0, 0.0],
        vec![5.0, 0.0, 1.0],
        vec![5.0, 0.0, 2.0],
    ];
    (Matrix::from_rows(&rows).unwrap(), vec![0, 0, 1, 1])
}

#[test]
fn the_order_of_bricks_does_not_change_a_route() {
    let (examples, of_example) = two();
    let names = |names: [&str; 2]| names.map(String::from).to_vec();
    let one = Signatures::learn(names(["code", "prose"]), &examples, &of_example).unwrap();
    let swapped: Vec<usize> = of_example.iter().map(|brick| 1 - brick).collect();
    let other = Signatures::learn(names(["prose", "code"]), &examples, &swapped).unwrap();
    for query in [[5.0, 3.0, 0.0], [5.0, 0.0, 0.4], [5.0, 0.75, 0.75], [9.0, 0.0, 0.0]] {
        assert_eq!(one.route(&query, 0.0).unwrap(), other.route(&query, 0.0).unwrap());
    }
    // At the mean of the examples nothing speaks for either: the name decides.
    let tied = one.route(&[5.0, 0.75, 0.75], -1.0).unwrap();
    assert_eq!((tied.chosen.as_deref(), tied.margin), (Some("code"), 0.0));
}

#[test]
fn a_query_that_is_like_no_brick_is_left_to_the_base_model() {
    let (examples, of_example) = two();
    let signatures = Signatures::learn(vec!["code".into(), "prose".into()], &examples, &of_example).unwrap();
    let far = signatures.route(&[5.0, 0.7, 0.7], 0.8).unwrap();
    assert_eq!(far.chosen, None);
    let clear = signatures.route(&[5.0, 3.0, 0.0], 0.8).unwrap();
    assert_eq!(clear.chosen.as_deref(), Some("code"));
    assert!(clear.margin > 0.9);
    let weights = softmax_weights(&clear, 2, 0.5);
    near(weights.iter().map(|(_, weight)| weight).sum(), 1.0, 1e-12);
    assert!(weights[0].1 > weights[1].1);
    assert_eq!(softmax_weights(&clear, 1, 0.5)[0].1.to_bits(), 1.0_f64.to_bits());
}

#[test]
fn signatures_survive_a_file() {
    let (examples, of_example) = two();
    let signatures = Signatures::learn(vec!["code".into(), "prose".into()], &examples, &of_example).unwrap();
    let text = serde_json::to_string(&signatures).unwrap();
    assert_eq!(serde_json::from_str::<Signatures>(&text).unwrap(), signatures);
}

#[test]
fn bricks_that_cannot_be_told_apart_are_refused() {
    let (examples, of_example) = two();
    let learn = |names: &[&str], of_example: &[usize]| {
        Signatures::learn(names.iter().map(ToString::to_string).collect(), &examples, of_example).unwrap_err()
    };
    assert_eq!(
        learn(&["code", "code"], &of_example),
        RouteError::Repeated("code".into())
    );
    assert_eq!(
        learn(&["code", "prose", "law"], &of_example),
        RouteError::Empty("law".into())
    );
    assert_eq!(
        learn(&["code"], &of_example),
        RouteError::Unknown {
            example: 2,
            brick: 1,
            bricks: 1
        }
    );
}

#[test]
fn abstaining_counts_as_wrong() {
    let found = evaluate(&[Some(0), None, Some(1), Some(1)], &[0, 0, 1, 0], 2).unwrap();
    assert_eq!((found.queries, found.abstained), (4, 1));
    near(found.accuracy, 0.5, 1e-12);
    // F1: 2·1/(1 + 3) and 2·1/(2 + 1).
    near(found.macro_f1, f64::midpoint(0.5, 2.0 / 3.0), 1e-12);
    near(found.majority, 0.75, 1e-12);
}

#[test]
fn regret_is_zero_for_the_best_choices_and_compares_with_the_best_single_brick() {
    let costs = vec![vec![1.0, 2.0], vec![3.0, 2.0], vec![1.0, 4.0]];
    let best = regret(&costs, &[0, 1, 0]).unwrap();
    near(best.routed, 0.0, 1e-12);
    assert_eq!(best.single, 0);
    near(best.best_single, 1.0 / 3.0, 1e-12);
    near(regret(&costs, &[1, 1, 1]).unwrap().routed, 4.0 / 3.0, 1e-12);
    assert_eq!(regret(&costs, &[0, 2, 0]), None);
}

#[test]
fn a_unit_that_never_varies_has_no_say() {
    let mut aggregate = Aggregate::new(Aggregation::MeanAbsolute, 2);
    aggregate.push(&[1.0_f32, -3.0]).unwrap();
    aggregate.push(&[1.0_f32, 1.0]).unwrap();
    let query = aggregate.finish().unwrap();
    assert_eq!(query, [1.0, 2.0]);
    let scale = UnitScale::new(&Matrix::new(2, 2, vec![1.0_f32, 1.0, 1.0, 3.0]).unwrap());
    let found = activity_of_functions(&query, &scale, &[vec![0], vec![1], vec![]]).unwrap();
    assert_eq!(found, [0.0, 0.0, 0.0]);
    assert_eq!(by_function(&found), Some(0), "the first of equal ones");
    assert_eq!(by_function(&[]), None);
}
