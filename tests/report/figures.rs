//! The figures of runs whose scores are known.

use widedeep::network::aggregate::Cell;
use widedeep::pair::Label::{self, Model1, Model2, Tie};
use widedeep::pair::Taxonomy;
use widedeep::report::{Group, Metrics};
use widedeep::run::Baseline;

use super::runs::{A, B, C, Layers, Run, Said, examples, network, neuron, pair};

/// The six argmax cells in the order of the grid, over examples A, B (failed call missing) and C of spec 14.4.
const CELLS: [(&str, [Label; 3]); 6] = [
    ("mean/all/argmax", [Tie, Model2, Model1]),
    ("mean/last/argmax", [Model1, Model2, Model2]),
    ("vote-call/all/argmax", [Model1, Tie, Model2]),
    ("vote-call/last/argmax", [Model1, Model2, Model2]),
    ("vote-neuron/all/argmax", [Model1, Model2, Model2]),
    ("vote-neuron/last/argmax", [Tie, Model2, Model2]),
];

#[test]
fn every_cell_of_the_grid_decides_the_worked_examples_as_the_specification_does() {
    for (example, layers) in [A, B, C].into_iter().enumerate() {
        for label in Label::ALL {
            let run = Run::of(network(&[]), &[(pair(0, "shp", Some(label), [1, 1]), layers)]);
            let grid = run.metrics().grid.unwrap();
            for (cell, verdicts) in CELLS {
                let score = grid.row(cell.parse().unwrap()).unwrap().score.unwrap();
                let right = f64::from(u8::from(verdicts[example] == label));
                assert_eq!(score.accuracy, Some(right), "example {example}, {cell}, {label:?}");
            }
        }
    }
}

#[test]
fn cells_of_expected_scores_are_null_without_distributions_and_the_chosen_one_is_marked() {
    let grid = examples([Tie, Model2, Model1]).metrics().grid.unwrap();
    assert_eq!(grid.cells.len(), 12);
    for row in &grid.cells {
        assert_eq!(
            row.score.is_none(),
            row.cell.to_string().ends_with("expected"),
            "{}",
            row.cell
        );
        assert_eq!(row.chosen, row.cell == Cell::default(), "{}", row.cell);
    }
    let chosen = grid.row(grid.chosen).unwrap().score.unwrap();
    assert_eq!((chosen.n, chosen.decided, chosen.accuracy), (3, 3, Some(1.0)));
    assert_eq!(chosen.tie_rate, Some(1.0 / 3.0));
}

#[test]
fn the_chosen_cell_is_the_headline() {
    let metrics = examples([Tie, Model1, Model1]).metrics();
    let (overall, grid) = (metrics.overall.unwrap(), metrics.grid.unwrap());
    let chosen = grid.row(grid.chosen).unwrap().score.unwrap();
    assert_eq!(chosen.accuracy, Some(overall.accuracy));
    assert_eq!(chosen.macro_f1_all, Some(overall.macro_f1_all));
    assert_eq!(chosen.kappa, overall.kappa);
    assert_eq!(chosen.tie_rate, Some(overall.tie_rate));
}

#[test]
fn position_bias_is_counted_over_neurons_and_calls() {
    // By hand from the examples: A has 2 conflicts in 4 neurons, B 3 in 3 and one with a single order, C 4 in 6.
    let bias = examples([Tie, Tie, Tie]).metrics().position.unwrap().bias;
    assert_eq!(
        (bias.conflicting, bias.neurons, bias.one_sided, bias.calls),
        (9, 13, 1, 27)
    );
    assert_eq!((bias.first_preferred, bias.second_preferred), (12, 12));
    assert_eq!(bias.first_position_preference, Some(0.5));
}

#[test]
fn flips_are_those_from_layer_one_alone_to_the_last_layer_alone() {
    // Means of layer 1: A 28/30, B 20/21, C 43/39.5; of layer 2: A 31/29, B 29/31, C 42/45.
    let found = examples([Model1, Tie, Model1]).metrics().discussion.unwrap();
    assert_eq!((found.pairs, found.changed, found.left_out), (3, 2, 0));
    let flips = found.flips;
    assert_eq!((flips.helped, flips.hurt, flips.neutral, flips.unchanged), (1, 1, 0, 1));
    assert_eq!(found.layer1.unwrap().accuracy, 1.0 / 3.0);
    assert_eq!(found.last.unwrap().accuracy, 1.0 / 3.0);
    assert_eq!(found.gain.unwrap().accuracy.difference, 0.0);
}

#[test]
fn a_last_layer_without_scores_is_left_out_and_not_replaced_by_the_first() {
    const LOST: Layers = &[&[neuron((8., 7.), (8., 7.))], &[[Said::TooLong, Said::TooLong]]];
    let run = Run::of(network(&[]), &[(pair(0, "shp", Some(Model1), [1, 1]), LOST)]);
    let metrics = run.metrics();
    let found = metrics.discussion.unwrap();
    assert_eq!((found.pairs, found.left_out, found.flips.n()), (0, 1, 0));
    assert_eq!(found.layer1, None);
    assert_eq!(
        metrics.overall.unwrap().accuracy,
        1.0,
        "the run itself decides by layer 1"
    );
}

#[test]
fn one_layer_has_no_discussion() {
    const ONE: Layers = &[&[neuron((8., 7.), (8., 7.))]];
    let run = Run::of(network(&["layers=1"]), &[(pair(0, "shp", Some(Model1), [1, 1]), ONE)]);
    assert_eq!(run.metrics().discussion, None);
}

#[test]
fn stages_are_summed_and_divided_by_pairs() {
    let stages = examples([Tie, Tie, Tie]).metrics().stages.unwrap();
    let names: Vec<&str> = stages.stages.iter().map(|stage| stage.stage.as_str()).collect();
    assert_eq!(names, ["roles", "layer1", "layer2"]);
    // Layer 1: 4 + 4 + 6 calls, of which one did not fit and used no tokens.
    let layer1 = &stages.stages[1];
    assert_eq!(layer1.sum.calls, 14);
    assert_eq!(
        (
            layer1.sum.prompt_tokens,
            layer1.sum.cached_prompt_tokens,
            layer1.sum.completion_tokens
        ),
        (2600, 1950, 390)
    );
    assert_eq!(layer1.shared(), Some(0.75));
    assert_eq!((layer1.sum.seconds, layer1.per_pair.seconds), (3.75, 1.25));
    assert_eq!(stages.total.sum.calls, 3 + 14 + 14);
    assert_eq!(stages.total.per_pair.calls, 31.0 / 3.0);
}

#[test]
fn a_pair_counts_in_each_of_its_abilities_and_unlisted_datasets_are_together() {
    let labels = [Model1; 4].map(Some);
    let datasets = ["bagel", "hh-rlhf", "mine", "theirs"];
    let pairs: Vec<_> = (0..4).map(|i| pair(i, datasets[i], labels[i], [1, 2])).collect();
    let metrics = Run::baseline(Baseline::AlwaysModel1, &pairs).metrics();
    let names = |groups: &[Group]| -> Vec<(String, usize)> {
        groups.iter().map(|group| (group.name.clone(), group.judged)).collect()
    };
    let expected = |groups: &[(&str, usize)]| -> Vec<(String, usize)> {
        groups.iter().map(|&(name, judged)| (name.to_owned(), judged)).collect()
    };
    assert_eq!(
        names(&metrics.abilities),
        expected(&[
            ("Dialogue", 1),
            ("Harmlessness", 1),
            ("Semantic Understanding", 1),
            ("Text Composition", 1),
            ("not listed", 2)
        ])
    );
    assert_eq!(
        names(&metrics.task_types),
        expected(&[("Data-to-Text Generation", 1), ("Dialogue", 1), ("not listed", 2)])
    );
}

#[test]
fn undecided_pairs_are_no_ties_and_take_no_part_in_agreement() {
    const LOST: Layers = &[
        &[[Said::Unreadable, Said::TooLong]],
        &[[Said::Unreadable, Said::Unreadable]],
    ];
    let run = Run::of(
        network(&[]),
        &[
            (pair(0, "shp", Some(Model1), [1, 1]), C),
            (pair(1, "bagel", Some(Tie), [1, 1]), LOST),
        ],
    );
    let metrics = run.metrics();
    assert_eq!((metrics.counts.compared, metrics.counts.undecided), (1, 1));
    assert_eq!(metrics.counts.verdicts.tie, 0);
    let overall = metrics.overall.unwrap();
    assert_eq!((overall.n, overall.accuracy), (1, 1.0));
    assert_eq!(metrics.counts.missing["reply without readable scores"], 3);
    assert_eq!(metrics.counts.missing["prompt too long"], 1);
    let bagel = &metrics.datasets[0];
    assert_eq!((bagel.name.as_str(), bagel.judged, bagel.undecided), ("bagel", 1, 1));
    assert_eq!(bagel.agreement, None);
}

#[test]
fn missing_opinions_that_count_as_zero_are_told() {
    let run = Run::start(
        &super::runs::by_network(network(&["reply.failure=zero"])),
        &[pair(0, "shp", None, [1, 1])],
    );
    run.judge_as(&pair(0, "shp", None, [1, 1]), B, |evaluation| {
        for opinion in &mut evaluation.opinions {
            if opinion.missing.is_some() {
                opinion.scores = Some(widedeep::network::score::ScorePair::default());
            }
        }
    });
    let counts = run.metrics().counts;
    assert_eq!((counts.missing_opinions(), counts.missing_as_zero), (1, 1));
}

#[test]
fn the_share_that_prefers_the_longer_response_leaves_out_ties_and_equal_lengths() {
    let pairs = [
        pair(0, "shp", Some(Model1), [9, 4]),
        pair(1, "shp", Some(Model2), [9, 4]),
        pair(2, "shp", Some(Model2), [4, 9]),
        pair(3, "shp", Some(Tie), [9, 4]),
        pair(4, "shp", Some(Model1), [5, 5]),
        pair(5, "shp", None, [1, 2]),
    ];
    let length = Run::baseline(Baseline::AlwaysModel1, &pairs).metrics().length;
    // The judge says model1 on all: longer on 0, 1 and 3, shorter on 2 and 5.
    assert_eq!((length.verdicts.n, length.verdicts.longer), (5, 3));
    assert_eq!((length.labels.n, length.labels.longer), (3, 2));
    assert_eq!(length.verdicts.share, Some(0.6));
}

#[test]
fn the_same_seed_gives_the_same_intervals_and_another_seed_does_not() {
    let pairs: Vec<_> = (0..60)
        .map(|i| pair(i, "shp", Some(Label::ALL[i * i % 3]), [i % 7, i % 5]))
        .collect();
    let run = Run::baseline(Baseline::Longer, &pairs);
    assert_eq!(run.metrics(), run.metrics());
    assert_eq!(run.metrics().bootstrap.seed, 7, "the run's own");
    let mut config = run.store.config().clone();
    config.seed = 8;
    let judged = run.store.judged().unwrap();
    let other = Metrics::of(
        &config,
        &judged,
        60,
        &Taxonomy::embedded(),
        widedeep::report::bootstrap(&config),
    );
    let (mine, other) = (run.metrics().overall.unwrap(), other.overall.unwrap());
    assert_eq!(mine.kappa, other.kappa);
    assert_ne!(mine.intervals, other.intervals);
}

#[test]
fn datasets_judged_as_the_default_family_are_named_unless_the_taxonomy_is_another() {
    let run = Run::of(
        network(&[]),
        &[(pair(0, "shp", None, [1, 1]), A), (pair(1, "mine", None, [1, 1]), B)],
    );
    let named = run.metrics().counts.default_family.unwrap();
    assert_eq!(named.into_iter().collect::<Vec<_>>(), [("mine".to_owned(), 1)]);

    let other: Taxonomy = "default_family = \"code\"".parse().unwrap();
    let judged = run.store.judged().unwrap();
    let metrics = Metrics::of(
        run.store.config(),
        &judged,
        2,
        &other,
        widedeep::agreement::Bootstrap::default(),
    );
    assert_eq!(metrics.counts.default_family, None);
}

#[test]
fn a_baseline_has_only_what_exists() {
    let run = Run::baseline(Baseline::Longer, &[pair(0, "shp", Some(Model1), [3, 1])]);
    let json = serde_json::to_value(run.metrics()).unwrap();
    for absent in ["grid", "position", "discussion", "roles", "stages"] {
        assert!(json.get(absent).is_none(), "{absent}");
    }
    assert_eq!(json["run"]["judge"], "longer");
    assert_eq!(json["overall"]["n"], 1);
    assert!(json["overall"]["kappa"].is_null());

    let unlabelled = Run::baseline(Baseline::Longer, &[pair(0, "shp", None, [3, 1])]);
    let json = serde_json::to_value(unlabelled.metrics()).unwrap();
    assert!(json.get("overall").is_none());
    assert_eq!(json["counts"]["unlabelled"], 1);
    assert_eq!(json["counts"]["verdicts"]["model1"], 1);
}
