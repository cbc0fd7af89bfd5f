use std::collections::BTreeSet;

use serde_json::Value;
use widedeep::inside::bricks::{
    Matrix, Unit, UnitSet,
    grow::Ffn,
    prune::{Kind, PruningTable, Removal, TableError, coupling, perplexity, plan, random_like},
    specialise::{
        Aggregate, Aggregation, FunctionScores, Labels, Predictivity, Ties, function_scores, mean_scores, top,
    },
    update::{scale_units, scale_values},
};

use crate::oracle::{close, get, matrix, near, read, same};

/// The reference's language model: `h = x + FFN(x)`, `x = E[token]`, logits `U h`.
struct Model {
    embeddings: Matrix<f64>,
    ffn: Ffn<f64>,
    unembed: Matrix<f64>,
    /// `[functions][sequences][tokens]`.
    sequences: Vec<Vec<Vec<usize>>>,
}

impl Model {
    fn new(oracle: &Value) -> Self {
        let tensor = |name: &str| matrix(&oracle[name]);
        Self {
            embeddings: tensor("E"),
            ffn: Ffn::new(Some(tensor("W_gate")), tensor("W_up"), tensor("W_down")).unwrap(),
            unembed: tensor("U"),
            sequences: get(&oracle["sequences_by_function"]),
        }
    }

    /// Without the units, whose rows of `ffn_up` or columns of `ffn_down` are zeroed.
    fn without(&self, units: &[usize], columns: bool) -> Self {
        let zero: Vec<(usize, f64)> = units.iter().map(|&unit| (unit, 0.0)).collect();
        let (gate, mut up, mut down) = self.ffn.clone().into_parts();
        if columns {
            scale_values(&mut down, &zero).unwrap();
        } else {
            scale_units(&mut up, &zero).unwrap();
        }
        let ffn = Ffn::new(gate, up, down).unwrap();
        let (embeddings, unembed) = (self.embeddings.clone(), self.unembed.clone());
        Self {
            embeddings,
            ffn,
            unembed,
            sequences: self.sequences.clone(),
        }
    }

    /// The perplexity of every function.
    fn perplexities(&self) -> Vec<f64> {
        let of_function = |sequences: &Vec<Vec<usize>>| {
            let (mut sum, mut count) = (0.0, 0);
            for sequence in sequences {
                for pair in sequence.windows(2) {
                    sum += self.loss(pair[0], pair[1]);
                    count += 1;
                }
            }
            perplexity(sum, count).unwrap()
        };
        self.sequences.iter().map(of_function).collect()
    }

    fn loss(&self, token: usize, next: usize) -> f64 {
        let x = self.embeddings.row(token);
        let hidden: Vec<f64> = self
            .ffn
            .output(x)
            .unwrap()
            .iter()
            .zip(x)
            .map(|(out, x)| out + x)
            .collect();
        let logits = self.unembed.times(&hidden).unwrap();
        logits.iter().map(|logit| logit.exp()).sum::<f64>().ln() - logits[next]
    }

    /// Mean `|a|` of every sequence, and its function.
    fn instance_scores(&self) -> (Matrix<f64>, Labels) {
        let (mut rows, mut of_instance) = (Vec::new(), Vec::new());
        for (function, sequences) in self.sequences.iter().enumerate() {
            for sequence in sequences {
                let mut aggregate = Aggregate::new(Aggregation::MeanAbsolute, self.ffn.units());
                for &token in sequence {
                    aggregate
                        .push(&self.ffn.activations(self.embeddings.row(token)).unwrap())
                        .unwrap();
                }
                rows.push(aggregate.finish().unwrap());
                of_instance.push(function);
            }
        }
        let functions = ["a", "b", "c"].map(String::from).to_vec();
        (
            Matrix::from_rows(&rows).unwrap(),
            Labels::new(functions, of_instance).unwrap(),
        )
    }
}

const TIES: [(Ties, &str); 2] = [
    (Ties::LowerIndex, "func_score, ties by lower index"),
    (
        Ties::LargerMean,
        "func_score, ties by larger mean instance score in the class",
    ),
];

fn brick(scores: &FunctionScores, function: usize, ties: Ties, means: &Matrix<f64>) -> Vec<usize> {
    top(scores, function, 2.0 / 40.0, ties, means, &BTreeSet::new())
}

#[test]
fn scores_bricks_and_perplexities_of_a_small_model_are_those_of_the_reference() {
    let oracle = read("pruning.json");
    let (model, expected) = (Model::new(&oracle), &oracle["expected"]);
    let (instances, labels) = model.instance_scores();
    same(&instances, &expected["instance_scores"], 1e-8);
    let scores = function_scores(&instances, &labels, Predictivity::Precision).unwrap();
    same(&scores.0, &expected["func_scores"], 1e-9);
    let original = model.perplexities();
    close(&original, &get::<Vec<f64>>(&expected["ppl_original"]), 1e-7);

    let means = mean_scores(&instances, &labels);
    let mut measured = Vec::new();
    let rows: Vec<Value> = get(&expected["rows"]);
    assert_eq!(rows.len(), 6);
    for row in &rows {
        let function: usize = get(&row["pruned_function"]);
        let (ties, _) = TIES.into_iter().find(|(_, name)| row["selection"] == *name).unwrap();
        let units = brick(&scores, function, ties, &means);
        assert_eq!(units, get::<Vec<usize>>(&row["pruned_neurons"]));
        let pruned = model.without(&units, false).perplexities();
        close(&pruned, &get::<Vec<f64>>(&row["ppl"]), 1e-7);
        let kind = Kind::Brick {
            function: labels.functions()[function].clone(),
        };
        measured.push((
            Removal {
                kind,
                units: UnitSet::of_layer(0, units),
            },
            pruned,
        ));
    }
    let random: Vec<usize> = get(&expected["random_control"]["pruned"]);
    let pruned = model.without(&random, false).perplexities();
    let units = UnitSet::of_layer(0, random);
    measured.push((
        Removal {
            kind: Kind::Random { seed: 0 },
            units,
        },
        pruned,
    ));

    let table = PruningTable::new(labels.functions().to_vec(), original, measured).unwrap();
    let increases = rows.iter().chain([&expected["random_control"]]);
    for (found, expected) in table.rows.iter().zip(increases) {
        close(
            &found.percent_increase,
            &get::<Vec<f64>>(&expected["percent_increase"]),
            1e-6,
        );
        assert_eq!(found.units, 2);
    }
}

#[test]
fn zeroing_rows_of_ffn_up_equals_zeroing_columns_of_ffn_down() {
    let model = Model::new(&read("pruning.json"));
    let rows = model.without(&[2, 5, 7], false).perplexities();
    close(&model.without(&[2, 5, 7], true).perplexities(), &rows, 1e-12);
}

fn removal(kind: Kind) -> Removal {
    Removal {
        kind,
        units: UnitSet::of_layer(0, [1, 2]),
    }
}

fn of(function: &str) -> Kind {
    Kind::Brick {
        function: function.into(),
    }
}

#[test]
fn a_table_counts_diagonals_and_compares_bricks_with_random_units() {
    let functions = vec!["code".to_string(), "prose".to_string()];
    let measured = vec![
        (removal(of("code")), vec![20.0, 11.0]),
        (removal(of("prose")), vec![16.0, 12.0]),
        (removal(Kind::Random { seed: 1 }), vec![10.1, 10.0]),
        (removal(Kind::Random { seed: 2 }), vec![10.3, 10.0]),
    ];
    let table = PruningTable::new(functions, vec![10.0, 10.0], measured).unwrap();
    assert_eq!(table.diagonal(), (1, 2));
    // Random controls rise by 1 and 3 %: mean 2, deviation √2.
    near(table.beyond_random("code").unwrap(), 98.0 / 2.0_f64.sqrt(), 1e-9);
    assert_eq!(
        table.beyond_random("prose"),
        None,
        "controls that do not vary compare with nothing"
    );
    close(&table.mean_of_random().unwrap(), &[2.0, 0.0], 1e-9);
}

#[test]
fn figures_that_are_no_perplexities_are_refused() {
    let functions = || vec!["code".to_string(), "prose".to_string()];
    let made = |original, pruned| PruningTable::new(functions(), original, vec![(removal(of("code")), pruned)]);
    assert!(matches!(
        made(vec![1.0], vec![2.0, 2.0]),
        Err(TableError::Count {
            found: 1,
            functions: 2,
            ..
        })
    ));
    assert!(matches!(
        made(vec![3.0, 3.0], vec![2.0, f64::NAN]),
        Err(TableError::Value { .. })
    ));
    assert!(matches!(
        made(vec![3.0, 0.4], vec![2.0, 2.0]),
        Err(TableError::Value { .. })
    ));
    assert!(
        made(vec![3.0, 3.0], vec![2.0, f64::INFINITY]).is_ok(),
        "a destroyed model is a result"
    );
    assert_eq!(perplexity(0.0, 0), None);
}

#[test]
fn random_controls_have_as_many_units_in_each_layer() {
    let like: UnitSet = [(0, 3), (0, 9), (2, 1)]
        .into_iter()
        .map(|(layer, index)| Unit { layer, index })
        .collect();
    let widths = [10, 10, 10];
    let random = random_like(&like, &widths, 5);
    assert_eq!(
        (
            random.in_layer(0).count(),
            random.in_layer(1).count(),
            random.in_layer(2).count()
        ),
        (2, 0, 1)
    );
    assert_eq!(random, random_like(&like, &widths, 5));
    assert!((6..30).any(|seed| random_like(&like, &widths, seed) != random));
    let removals = plan(&[("code".into(), like.clone())], &widths, &[1, 2], Some(like));
    let names: Vec<String> = removals.iter().map(Removal::name).collect();
    assert_eq!(names, ["code", "random 1", "random 2", "mean activation"]);
    assert!(removals.iter().all(|removal| removal.units.len() == 3));
}

#[test]
fn coupling_is_zero_for_independent_bricks_and_positive_where_each_makes_up_for_the_other() {
    near(coupling(0.2, 0.1, 0.3).unwrap(), 0.0, 1e-12);
    near(coupling(0.1, 0.1, 0.5).unwrap(), 3.0, 1e-12);
    assert_eq!(coupling(0.0, -0.1, 0.5), None);
}
