//! Runs of networks that stopped early on some pairs.

use serde_json::json;
use widedeep::network::{Evaluation, Stopped};
use widedeep::pair::Label::{Model1, Model2, Tie};
use widedeep::report::{WIDTH, export, summary};

use super::runs::{A, C, Layers, Run, Said, by_network, network, neuron, pair};

/// Both neurons, in both orders, prefer the first response.
const AGREED: Layers = &[&[neuron((8., 6.), (7., 5.)), neuron((9., 4.), (8., 7.))]];
/// Both neurons call it a tie.
const EVEN: Layers = &[&[neuron((7., 7.), (6., 6.)), neuron((5., 5.), (8., 8.))]];
/// The second layer is lost.
const LOST: Layers = &[
    &[neuron((8., 6.), (5., 9.)), neuron((7., 6.), (7., 6.))],
    &[[Said::TooLong, Said::TooLong], [Said::TooLong, Said::TooLong]],
];

fn stop(at: Stopped) -> impl FnOnce(&mut Evaluation) {
    move |evaluation| evaluation.stopped = Some(at)
}

/// Six pairs of a network of two layers: three stopped after the first.
fn unanimous() -> Run {
    let pairs = [
        pair(0, "shp", Some(Model1), [9, 4]),
        pair(1, "shp", Some(Model2), [9, 4]),
        pair(2, "mt-bench", Some(Tie), [3, 8]),
        pair(3, "mt-bench", Some(Model1), [3, 8]),
        pair(4, "bagel", Some(Model1), [3, 8]),
        pair(5, "bagel", Some(Model1), [3, 8]),
    ];
    let run = Run::start(&by_network(network(&["stop=unanimous"])), &pairs);
    let early = Stopped::Unanimous { layer: 0 };
    run.judge_as(&pairs[0], AGREED, stop(early));
    run.judge_as(&pairs[1], AGREED, stop(early));
    run.judge_as(&pairs[2], EVEN, stop(early));
    run.judge(&pairs[3], A);
    run.judge(&pairs[4], C);
    run.judge(&pairs[5], LOST);
    run
}

/// Four pairs with three roles each: two and three of them were heard, and on one pair all.
fn sequential() -> Run {
    const TWO: Layers = AGREED;
    const THREE: Layers = &[C[0]];
    const SPLIT: Layers = &[
        C[0],
        &[
            neuron((8., 7.), (7., 8.)),
            neuron((7., 8.), (7., 8.)),
            neuron((7., 7.), (6., 7.)),
        ],
    ];
    let pairs = [
        pair(0, "shp", Some(Model1), [9, 4]),
        pair(1, "shp", Some(Model2), [9, 4]),
        pair(2, "shp", None, [9, 4]),
        pair(3, "shp", Some(Model1), [9, 4]),
    ];
    let run = Run::start(&by_network(network(&["stop=sequential", "roles.cap=4"])), &pairs);
    let of_four = |at: Stopped, roles: usize| {
        move |evaluation: &mut Evaluation| {
            evaluation.roles.roles.resize(roles, Some("Tone".to_owned()));
            evaluation.stopped = Some(at);
        }
    };
    run.judge_as(&pairs[0], TWO, of_four(Stopped::Curtailed { neurons: 2 }, 3));
    run.judge_as(&pairs[1], TWO, of_four(Stopped::Curtailed { neurons: 2 }, 3));
    run.judge_as(&pairs[2], THREE, of_four(Stopped::Sequential { neurons: 3 }, 4));
    run.judge(&pairs[3], SPLIT);
    run
}

#[test]
fn pairs_are_counted_by_the_place_where_they_stopped_with_what_that_saved() {
    let found = unanimous().metrics().stopping.unwrap();
    assert_eq!((found.pairs, found.stopped, found.not_stopped.pairs), (6, 3, 3));
    assert_eq!(found.places.len(), 1);
    // Five pairs of two roles, one of three; two layers in both orders. Three pairs did without the second layer.
    assert_eq!((found.full, found.opinions, found.saved), (5 * 8 + 12, 52 - 3 * 4, 12));
    assert_eq!(found.saved_share(), Some(12.0 / 52.0));
    assert_eq!(found.mean_asked, Some(13.0 / 6.0));
    let agreement = found.places[0].share.agreement.unwrap();
    assert_eq!((agreement.n, agreement.accuracy), (3, 2.0 / 3.0));

    let found = sequential().metrics().stopping.unwrap();
    let places: Vec<_> = found
        .places
        .iter()
        .map(|place| (place.stopped, place.share.pairs))
        .collect();
    assert_eq!(
        places,
        [
            (Stopped::Curtailed { neurons: 2 }, 2),
            (Stopped::Sequential { neurons: 3 }, 1)
        ]
    );
    assert_eq!((found.full, found.opinions), (12 + 12 + 16 + 12, 4 + 4 + 6 + 12));
    assert_eq!(found.mean_asked, Some((2.0 + 2.0 + 3.0 + 3.0) / 4.0));
    assert_eq!(found.places[1].share.agreement, None, "no label");
}

#[test]
fn a_network_that_never_stops_says_nothing_of_it() {
    let run = Run::of(network(&[]), &[(pair(0, "shp", Some(Model1), [2, 1]), A)]);
    let json = serde_json::to_value(run.metrics()).unwrap();
    assert!(json.get("stopping").is_none());
    assert!(!summary(&run.metrics(), WIDTH).contains("Stopping"));
}

#[test]
fn discussion_is_of_the_pairs_that_came_to_the_last_layer() {
    let found = unanimous().metrics().discussion.unwrap();
    // The lost layer is left out for another reason than the layers that were not asked.
    assert_eq!((found.pairs, found.stopped, found.left_out), (2, 3, 1));
    assert_eq!(found.flips.n(), 2);
    assert_eq!(found.layer1.unwrap().n, 2);
}

#[test]
fn cells_of_the_last_layer_take_the_last_one_that_was_asked() {
    let grid = unanimous().metrics().grid.unwrap();
    let of = |cell: &str| grid.row(cell.parse().unwrap()).unwrap().score.unwrap();
    for cell in ["mean/all/argmax", "mean/last/argmax", "vote-neuron/last/argmax"] {
        assert_eq!(of(cell).decided, 6, "{cell}");
    }
    // Model1, Model1, Tie of the first layer; A: Model1 and C: Model2 of the second (spec 14.4); where it is lost, 27/27 of the first.
    assert_eq!(of("mean/last/argmax").accuracy, Some(3.0 / 6.0));
    assert_eq!(of("mean/last/argmax").tie_rate, Some(2.0 / 6.0));
}

#[test]
fn stages_are_summed_over_the_pairs_that_had_them_and_divided_by_all() {
    let stages = unanimous().metrics().stages.unwrap();
    let layer2 = &stages.stages[2];
    assert_eq!((layer2.stage.as_str(), layer2.sum.calls), ("layer2", 4 + 6 + 4));
    assert_eq!(layer2.per_pair.calls, 14.0 / 6.0);
    assert_eq!(stages.stages[1].sum.calls, 26);
}

#[test]
fn metrics_and_verdicts_carry_the_rule() {
    let run = sequential();
    let json = serde_json::to_value(run.metrics()).unwrap();
    assert_eq!(json["stopping"]["rule"], "sequential");
    assert_eq!(json["stopping"]["test"], json!({"error": 0.1, "p1": 0.8}));
    let place = &json["stopping"]["places"][0];
    assert_eq!(
        (&place["rule"], &place["neurons"], &place["pairs"]),
        (&json!("curtailed"), &json!(2), &json!(2))
    );
    let written = export(&run.store, run.path(), &run.metrics()).unwrap();
    let text = std::fs::read_to_string(written.verdicts).unwrap();
    let rules: Vec<&str> = text.lines().map(|line| line.rsplit(',').next().unwrap()).collect();
    assert_eq!(rules, ["stopped", "curtailed", "curtailed", "sequential", ""]);
}

#[test]
fn the_summary_says_where_pairs_stopped() {
    insta::assert_snapshot!("stopping-unanimous", part(&unanimous()));
    insta::assert_snapshot!("stopping-sequential", part(&sequential()));
}

#[test]
fn a_run_in_which_every_pair_stopped_has_no_discussion_to_show() {
    let pairs = [pair(0, "shp", Some(Model1), [9, 4])];
    let run = Run::start(&by_network(network(&["stop=unanimous"])), &pairs);
    run.judge_as(&pairs[0], AGREED, stop(Stopped::Unanimous { layer: 0 }));
    let text = summary(&run.metrics(), WIDTH);
    assert!(!text.contains("changed on 0"), "{text}");
    assert!(
        text.contains("Left out because the network stopped early: 1 pair."),
        "{text}"
    );
}

/// From the discussion to the length.
fn part(run: &Run) -> String {
    let text = summary(&run.metrics(), WIDTH);
    let (_, rest) = text.split_once("Discussion").unwrap();
    let (part, _) = rest.split_once("\nLength").unwrap();
    format!("Discussion{part}")
}
