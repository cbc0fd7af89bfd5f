//! Networks that stop when they have heard enough: where, by which rule, and that nothing but the calls left out tells them from networks that
//! do not.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use tempfile::tempdir;
use widedeep::chat::{ChatModel, Request};
use widedeep::cost::Stage;
use widedeep::network::aggregate::{Cell, Decision, aggregate};
use widedeep::network::spec::{Sequential, Stop};
use widedeep::network::{Evaluation, Network, Opinion, Stopped};
use widedeep::pair::{Label, Order, Pair};
use widedeep::run::{Judge, Meter, Recorded, Store};

use super::support::runs::config;
use super::support::scripted::{Kind, Scripted, judged, kind, order, roles, text, user};
use super::{evaluate, evaluate_with, network, pair, shipped, too_long};

/// Scores in canonical order.
type Scores = (u8, u8);

/// A model that scores by layer (1-based), neuron and order; `None` cannot be read.
fn scoring(score: impl Fn(u32, u32, Order) -> Option<Scores> + Send + Sync + 'static) -> Arc<Scripted> {
    Scripted::free(move |asked| {
        let request = asked.request;
        let shown = order(request, &pair());
        Ok(match score(request.origin.stage, request.origin.neuron, shown) {
            None => text("I would rather not say."),
            Some((one, two)) => match shown {
                Order::Forward => judged(request, "So.", one, two),
                Order::Swapped => judged(request, "So.", two, one),
            },
        })
    })
    .shared()
}

fn unanimous(body: &str, layers: usize) -> Network {
    network(&format!(
        "stop = \"unanimous\"\nroles = {{ source = \"fixed\", names = [\"A\", \"B\"] }}\n{body}\n{}",
        "[[layers]]\n".repeat(layers)
    ))
}

fn layers_asked(evaluation: &Evaluation) -> Vec<Stage> {
    evaluation.stages.iter().map(|stage| stage.stage).collect()
}

#[test]
fn a_unanimous_first_layer_is_not_discussed() {
    let model = scoring(|_, neuron, _| Some((8, 3 + u8::try_from(neuron).unwrap())));
    let evaluation = evaluate(&unanimous("", 3), &model);
    assert_eq!(evaluation.stopped, Some(Stopped::Unanimous { layer: 0 }));
    assert_eq!(model.asked().len(), 4);
    assert_eq!(evaluation.opinions.len(), 4);
    assert_eq!(layers_asked(&evaluation), [Stage::Layer(0)]);
}

#[test]
fn one_order_that_says_otherwise_is_enough_to_go_on() {
    let model = scoring(|_, neuron, shown| match (neuron, shown) {
        (1, Order::Swapped) => Some((4, 5)),
        _ => Some((8, 3)),
    });
    let evaluation = evaluate(&unanimous("", 2), &model);
    assert_eq!(evaluation.stopped, None);
    assert_eq!(model.asked().len(), 8);
    assert_eq!(layers_asked(&evaluation), [Stage::Layer(0), Stage::Layer(1)]);
}

#[test]
fn a_judge_that_always_prefers_what_it_sees_first_is_not_unanimous() {
    let model = Scripted::free(|asked| Ok(judged(asked.request, "So.", 9, 4))).shared();
    assert_eq!(evaluate(&unanimous("", 2), &model).stopped, None);
}

#[test]
fn a_tie_among_preferences_goes_on_and_a_tie_of_all_stops() {
    let one = scoring(|_, neuron, _| Some(if neuron == 0 { (5, 5) } else { (8, 3) }));
    assert_eq!(evaluate(&unanimous("", 2), &one).stopped, None);
    let all = scoring(|_, neuron, _| Some(if neuron == 0 { (5, 5) } else { (8, 8) }));
    assert_eq!(
        evaluate(&unanimous("", 2), &all).stopped,
        Some(Stopped::Unanimous { layer: 0 })
    );
}

#[test]
fn the_tie_margin_says_what_a_preference_is() {
    let near = || scoring(|_, _, shown| Some(if shown == Order::Forward { (6, 5) } else { (5, 6) }));
    assert_eq!(evaluate(&unanimous("", 2), &near()).stopped, None);
    let within = unanimous("aggregate = { tie_margin = 1 }", 2);
    assert_eq!(
        evaluate(&within, &near()).stopped,
        Some(Stopped::Unanimous { layer: 0 })
    );
}

#[test]
fn the_cell_says_which_score_is_compared() {
    // The most probable scores are 9 to 1 in all calls; the mean of the second neuron's first score is below that of its second.
    let model = || {
        Scripted::steerable(|asked| {
            let mut reply = match order(asked.request, &pair()) {
                Order::Forward => judged(asked.request, "So.", 9, 1),
                Order::Swapped => judged(asked.request, "So.", 1, 9),
            };
            if asked.request.origin.neuron == 1 {
                for chosen in &mut reply.chosen {
                    let likely = chosen.option;
                    chosen.probabilities = vec![0.0; 10];
                    chosen.probabilities[likely] = 0.4;
                    chosen.probabilities[4] = 0.3;
                    chosen.probabilities[if likely == 0 { 9 } else { 0 }] = 0.3;
                }
            }
            Ok(reply)
        })
        .shared()
    };
    // 9: 0.4 · 9 + 0.3 · 5 + 0.3 · 1 = 5.4; 1: 0.4 · 1 + 0.3 · 5 + 0.3 · 10 = 4.9. Half a point is a tie at a margin of 0.6.
    let by = |cell: &str| unanimous(&format!("aggregate = {{ cell = \"{cell}\", tie_margin = 0.6 }}"), 2);
    assert!(evaluate(&by("mean/all/argmax"), &model()).stopped.is_some());
    assert_eq!(evaluate(&by("mean/all/expected"), &model()).stopped, None);
}

#[test]
fn a_missing_opinion_prevents_unanimity_also_where_it_counts_as_zero() {
    let silent = |neuron: u32, shown: Order| neuron == 1 && shown == Order::Swapped;
    for (failure, others) in [("missing", (8, 3)), ("zero", (5, 5))] {
        let model = scoring(move |layer, neuron, shown| (layer > 1 || !silent(neuron, shown)).then_some(others));
        let network = unanimous(&format!("reply = {{ form = \"free\", failure = \"{failure}\" }}"), 2);
        let evaluation = evaluate(&network, &model);
        assert_eq!(evaluation.opinions.iter().filter(|it| it.missing.is_some()).count(), 1);
        assert_eq!(evaluation.stopped, None, "{failure}");
    }
    let cut = Scripted::free(move |asked| {
        if silent(asked.request.origin.neuron, order(asked.request, &pair())) {
            Err(too_long())
        } else {
            Ok(judged(asked.request, "So.", 5, 5))
        }
    });
    assert_eq!(evaluate(&unanimous("", 2), &cut.shared()).stopped, None);
}

#[test]
fn every_sample_counts() {
    let model = Scripted::free(|asked| {
        let odd = asked.request.origin.stage == 1 && asked.place == 6;
        let one_first = order(asked.request, &pair()) == Order::Forward;
        let (one, two) = if one_first == odd { (3, 8) } else { (8, 3) };
        Ok(judged(asked.request, "So.", one, two))
    })
    .shared();
    let network = unanimous("calls = { samples = 2 }\nsampling = { temperature = 1.0 }", 2);
    assert_eq!(evaluate(&network, &model).stopped, None);
}

#[test]
fn a_later_layer_may_be_unanimous_and_the_last_one_is_not_asked_whether_it_is() {
    let model = || scoring(|layer, neuron, _| Some(if layer == 1 && neuron == 1 { (2, 7) } else { (8, 3) }));
    let evaluation = evaluate(&unanimous("", 3), &model());
    assert_eq!(evaluation.stopped, Some(Stopped::Unanimous { layer: 1 }));
    assert_eq!(layers_asked(&evaluation), [Stage::Layer(0), Stage::Layer(1)]);
    assert_eq!(evaluate(&unanimous("", 2), &model()).stopped, None);
}

#[test]
fn one_opinion_alone_agrees_with_nobody() {
    let alone = network("stop = \"unanimous\"\ncalls = { orders = \"one\" }\n[[layers]]\n[[layers]]");
    let model = scoring(|_, _, _| Some((8, 3)));
    assert_eq!(evaluate(&alone, &model).stopped, None);
    assert_eq!(model.asked().len(), 2);
}

fn sequential(width: usize, body: &str) -> Network {
    let names: Vec<String> = (0..width).map(|i| format!("Role {i}")).collect();
    network(&format!(
        "stop = \"sequential\"\nroles = {{ source = \"fixed\", names = {names:?} }}\n{body}\n[[layers]]\n[[layers]]"
    ))
}

/// A model whose neurons vote so: `1` and `2` for a response in both orders, `c` for what they see first, `t` for a tie, `-` not at all.
fn voting(votes: &'static str) -> Arc<Scripted> {
    scoring(move |_, neuron, shown| match votes.as_bytes()[neuron as usize] {
        b'1' => Some((8, 3)),
        b'c' if shown == Order::Forward => Some((8, 3)),
        b'2' | b'c' => Some((3, 8)),
        b't' => Some((6, 6)),
        _ => None,
    })
}

/// By hand, at `error` 0.1 and `p1` 0.8: a lead of three over both rivals stops, since 3 ln 4 = 4.159 and 2 ln 4 = 2.773 lie on both sides of
/// ln 20 = 2.996; or it stops when the rest can change nothing.
#[test]
fn votes_are_heard_until_they_are_decided() {
    use Stopped::{Curtailed, Sequential};
    let cases: [(&str, Option<Stopped>, &[usize]); 16] = [
        // Three of eight agree. Five are left and could turn it, but that is improbable enough.
        ("11111111", Some(Sequential { neurons: 3 }), &[6]),
        ("22211111", Some(Sequential { neurons: 3 }), &[6]),
        ("ttt11111", Some(Sequential { neurons: 3 }), &[6]),
        // A neuron whose orders contradict each other, with equal means, votes for a tie.
        ("ccc11111", Some(Sequential { neurons: 3 }), &[6]),
        // 4 : 1 after five; three were asked at once, then the two without which nothing could be decided.
        ("12111222", Some(Sequential { neurons: 5 }), &[6, 4]),
        // 4 : 1 : 1 leads both others by three, with two left.
        ("1t211122", Some(Curtailed { neurons: 6 }), &[6, 6]),
        // The first two agree, and the third cannot outvote them.
        ("112", Some(Curtailed { neurons: 2 }), &[4]),
        ("tt1", Some(Curtailed { neurons: 2 }), &[4]),
        // Two ties of four would be decided, since two votes for a response would not outnumber them; two for a response are not.
        ("ttxx", Some(Curtailed { neurons: 2 }), &[4]),
        ("1111", Some(Curtailed { neurons: 3 }), &[4, 2]),
        ("t1", Some(Curtailed { neurons: 1 }), &[2]),
        // One vote each and a last one that may decide: all are heard, and then the second layer.
        ("121", None, &[4, 2, 6]),
        ("12", None, &[2, 2, 4]),
        // A missing vote is none: 1 : 0 with one left, of three.
        ("1-1", None, &[4, 2, 6]),
        // 2 : 0 with one left, of four.
        ("1-12", Some(Curtailed { neurons: 3 }), &[4, 2]),
        ("---", None, &[4, 2, 6]),
    ];
    for (votes, stopped, groups) in cases {
        let model = voting(votes);
        let evaluation = evaluate(&sequential(votes.len(), ""), &model);
        assert_eq!(evaluation.stopped, stopped, "{votes}");
        let sizes: Vec<usize> = model.groups().iter().map(Vec::len).collect();
        assert_eq!(sizes, groups, "{votes}");
        assert_eq!(evaluation.opinions.len(), groups.iter().sum::<usize>(), "{votes}");
        let layers = if stopped.is_some() { 1 } else { 2 };
        assert_eq!(evaluation.stages.len(), layers, "{votes}");
        let calls: usize = evaluation.stages.iter().map(|stage| stage.calls).sum();
        assert_eq!(calls, evaluation.opinions.len());
    }
}

#[test]
fn the_accepted_error_and_the_share_that_is_supposed_move_the_decision() {
    for (test, neurons) in [
        // ln 200 = 5.298 over ln 4 = 1.386: four votes.
        ("{ error = 0.01 }", 4),
        // ln 20 = 2.996 over ln 9 = 2.197: two.
        ("{ p1 = 0.9 }", 2),
        // ln 16 over ln 4: two exactly.
        ("{ error = 0.125 }", 2),
        // ln 20 = 2.996 over ln (0.7 / 0.3) = 0.847: four (3.536).
        ("{ p1 = 0.7 }", 4),
    ] {
        let evaluation = evaluate(&sequential(9, &format!("sequential = {test}")), &voting("111111111"));
        assert_eq!(evaluation.stopped, Some(Stopped::Sequential { neurons }), "{test}");
    }
    let exact = evaluate(&sequential(9, "sequential = { error = 0 }"), &voting("111111111"));
    assert_eq!(exact.stopped, Some(Stopped::Curtailed { neurons: 5 }));
}

#[test]
fn votes_follow_the_tie_margin() {
    let model = scoring(|_, neuron, _| Some(if neuron == 2 { (9, 1) } else { (6, 5) }));
    let network = sequential(3, "aggregate = { cell = \"vote-neuron/all/argmax\", tie_margin = 1 }");
    let evaluation = evaluate(&network, &model);
    assert_eq!(evaluation.stopped, Some(Stopped::Curtailed { neurons: 2 }));
    assert_eq!(decided(&evaluation, &network).label, Label::Tie);
}

fn decided(evaluation: &Evaluation, network: &Network) -> Decision {
    let votes: Vec<_> = evaluation.opinions.iter().map(Opinion::vote).collect();
    aggregate(&votes, network.aggregate.cell, network.aggregate.tie_margin).unwrap()
}

#[test]
fn a_network_of_one_layer_can_be_heard_in_sequence() {
    let jury = shipped("jury", &["stop=sequential"]);
    let model = scoring(|_, _, _| Some((3, 8)));
    let evaluation = evaluate(&jury, &model);
    assert_eq!(evaluation.stopped, Some(Stopped::Curtailed { neurons: 3 }));
    assert_eq!(model.asked().len(), 6);
    assert_eq!(decided(&evaluation, &jury).label, Label::Model2);
}

/// A model whose replies depend on the request and on this number alone. Some cannot be read, and are asked for again.
fn arbitrary(number: u64) -> Arc<Scripted> {
    Scripted::free(move |asked| {
        let seed = asked.request.sampling.seed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let hash = user(asked.request).bytes().fold(seed, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        let digit = |shift: u32| u8::try_from((hash >> shift) % 4).unwrap();
        Ok(match kind(asked.request) {
            Kind::Roles => roles(&["Accuracy", "Relevance", "Clarity", "Depth", "Tone"]),
            _ if (hash >> 13).is_multiple_of(9) => text("No."),
            // Of two kinds of pairs, one is agreed upon now and then.
            _ if number.is_multiple_of(2) => match order(asked.request, &pair()) {
                Order::Forward => judged(asked.request, "So.", 6 + digit(20), 5),
                Order::Swapped => judged(asked.request, "So.", 5, 6 + digit(20)),
            },
            _ => judged(asked.request, "So.", 4 + digit(20), 4 + digit(30)),
        })
    })
    .shared()
}

/// Networks that may stop, with what makes them the ones that do not.
const ADAPTIVE: [(&str, &[&str], &[&str]); 6] = [
    ("widedeep-unanimous", &[], &["stop=never"]),
    ("widedeep-sequential", &[], &["stop=never"]),
    (
        "widedeep-unanimous",
        &["layers=3", "sampling.temperature=0.8", "calls.samples=2"],
        &["stop=never", "layers=3", "sampling.temperature=0.8", "calls.samples=2"],
    ),
    (
        "widedeep-sequential",
        &["roles.cap=5", "sampling.temperature=0.8", "sequential.error=0.2"],
        &["roles.cap=5", "sampling.temperature=0.8", "stop=never"],
    ),
    ("widedeep-compat", &["stop=sequential", "sequential.p1=0.9"], &[]),
    ("jury", &["stop=sequential", "layers=2"], &["layers=2"]),
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Equal opinions have equal call keys.
    #[test]
    fn what_is_said_is_a_prefix_of_what_the_full_network_says(number: u64) {
        for (name, adaptive, full) in ADAPTIVE {
            let adaptive = evaluate(&shipped(name, adaptive), &arbitrary(number));
            let full = evaluate(&shipped(name, full), &arbitrary(number));
            prop_assert_eq!(full.stopped, None);
            prop_assert_eq!(&adaptive.roles, &full.roles);
            let n = adaptive.opinions.len();
            prop_assert_eq!(&adaptive.opinions[..], &full.opinions[..n], "{}", name);
            prop_assert_eq!(adaptive.stopped.is_none(), n == full.opinions.len(), "{}", name);
        }
    }

    #[test]
    fn without_accepted_error_the_verdict_is_that_of_the_full_first_layer(number: u64) {
        let settings = ["roles.cap=5", "layers=1", "reply.attempts=1"];
        let exact = shipped("widedeep-sequential", &[&settings[..], &["sequential.error=0"]].concat());
        let full = shipped("widedeep-sequential", &[&settings[..], &["stop=never"]].concat());
        let label = |network: &Network| {
            let opinions = evaluate(network, &arbitrary(number)).opinions;
            let votes: Vec<_> = opinions.iter().map(Opinion::vote).collect();
            aggregate(&votes, network.aggregate.cell, network.aggregate.tie_margin).map(|it| it.label)
        };
        prop_assert_eq!(label(&exact), label(&full));
    }

    #[test]
    fn after_a_unanimous_first_layer_all_cells_of_the_reading_agree(number: u64) {
        let network = shipped("widedeep-unanimous", &[]);
        let evaluation = evaluate(&network, &arbitrary(number / 2 * 2));
        prop_assume!(evaluation.stopped.is_some());
        let votes: Vec<_> = evaluation.opinions.iter().map(Opinion::vote).collect();
        for cell in Cell::grid().into_iter().filter(|cell| cell.reading == network.aggregate.cell.reading) {
            let decision = aggregate(&votes, cell, network.aggregate.tie_margin).unwrap();
            prop_assert_eq!(decision.label, decided(&evaluation, &network).label, "{}", cell);
        }
    }
}

#[test]
fn the_arbitrary_model_stops_and_goes_on_often_enough_to_test_something() {
    for (name, adaptive, _) in ADAPTIVE {
        let network = shipped(name, adaptive);
        let stopped = (0..40).filter(|&number| evaluate(&network, &arbitrary(number)).stopped.is_some());
        let stopped = stopped.count();
        assert!((3..=37).contains(&stopped), "{name} {adaptive:?}: {stopped} of 40");
    }
}

/// The number of requests that reach the model when the store already has what it has.
fn asked_anew(network: &Network, model: &Arc<Scripted>, store: &Arc<Store>) -> u64 {
    let meter = Arc::new(Meter::default());
    let recorded = Recorded::new(
        Arc::clone(model) as Arc<dyn ChatModel>,
        Arc::clone(store),
        Arc::clone(&meter),
    );
    evaluate_with(network, &pair(), Arc::new(recorded), BTreeMap::new(), 7).unwrap();
    meter.tally().asked
}

fn store(folder: &std::path::Path, network: &Network, model: &Scripted, pair: Pair) -> Arc<Store> {
    let config = config(Judge::Network {
        network: network.clone(),
        model: model.identity().clone(),
        named: Vec::new(),
    });
    Arc::new(Store::start(folder, &config, &[pair]).unwrap())
}

#[test]
fn one_store_of_calls_serves_the_network_that_stops_and_the_one_that_does_not() {
    let warm = "sampling.temperature=0.8";
    let full = shipped("widedeep", &[warm]);
    for name in ["widedeep-unanimous", "widedeep-sequential"] {
        let adaptive = shipped(name, &[warm]);
        let mut saved = 0;
        for number in 0..10 {
            let folder = tempdir().unwrap();
            let model = arbitrary(number);
            let calls = store(folder.path(), &full, &model, pair());
            let all = asked_anew(&full, &model, &calls);
            assert_eq!(asked_anew(&adaptive, &model, &calls), 0, "{name}");

            let folder = tempdir().unwrap();
            let calls = store(folder.path(), &full, &model, pair());
            let some = asked_anew(&adaptive, &model, &calls);
            assert_eq!(some + asked_anew(&full, &model, &calls), all, "{name}");
            saved += all - some;
        }
        assert!(saved > 0, "{name}");
    }
}

#[test]
fn the_shipped_networks_are_the_recommended_one_but_for_when_they_stop() {
    let base = shipped("widedeep", &[]);
    let bare = |network: Network| Network {
        name: String::new(),
        summary: String::new(),
        ..network
    };
    let unanimous = shipped("widedeep-unanimous", &[]);
    assert_eq!(unanimous.stop, Stop::Unanimous);
    assert_eq!(bare(shipped("widedeep", &["stop=unanimous"])), bare(unanimous));
    let sequential = shipped("widedeep-sequential", &[]);
    assert_eq!(
        (sequential.stop, sequential.sequential),
        (Stop::Sequential, Some(Sequential::default()))
    );
    let cell = "aggregate.cell=vote-neuron/all/argmax";
    assert_eq!(bare(shipped("widedeep", &["stop=sequential", cell])), bare(sequential));
    assert_eq!(
        bare(shipped(
            "widedeep-sequential",
            &["stop=never", "aggregate.cell=mean/all/argmax"]
        )),
        bare(base)
    );
}

#[test]
fn runs_from_before_there_was_such_a_rule_can_be_read_and_go_on() {
    let never = serde_json::to_value(shipped("widedeep", &[])).unwrap();
    assert!(never.get("stop").is_none() && never.get("sequential").is_none());
    let model: Arc<Scripted> = scoring(|_, _, _| Some((8, 3)));
    let whole = evaluate(&shipped("jury", &[]), &model);
    let json = serde_json::to_value(&whole).unwrap();
    assert!(json.get("stopped").is_none());
    assert_eq!(serde_json::from_value::<Evaluation>(json).unwrap(), whole);

    let stopped = evaluate(&unanimous("", 2), &model);
    let json = serde_json::to_value(&stopped).unwrap();
    assert_eq!(json["stopped"], serde_json::json!({"rule": "unanimous", "layer": 0}));
    assert_eq!(serde_json::from_value::<Evaluation>(json).unwrap(), stopped);
}

#[test]
fn neurons_of_a_sequence_may_have_models_of_their_own() {
    let other = Scripted::free(|asked| Ok(judged(asked.request, "So.", 5, 5)))
        .named("other")
        .shared();
    let run = voting("11111");
    let network = network(
        "stop = \"sequential\"\nroles = { source = \"fixed\", names = [\"A\", \"B\", \"C\", \"D\", \"E\"] }\n[[layers]]\n\
         [[layers.neurons]]\n[[layers.neurons]]\nmodel = \"other\"",
    );
    let named: BTreeMap<String, Arc<dyn ChatModel>> =
        [("other".to_owned(), Arc::clone(&other) as Arc<dyn ChatModel>)].into();
    let evaluation = evaluate_with(&network, &pair(), Arc::clone(&run) as Arc<dyn ChatModel>, named, 7).unwrap();
    // 1, tie, 1, tie: the last one decides.
    assert_eq!(evaluation.stopped, None);
    let places = |requests: Vec<Request>| -> Vec<u32> { requests.iter().map(|it| it.origin.neuron).collect() };
    assert_eq!(places(run.asked()), [0, 0, 2, 2, 4, 4]);
    assert_eq!(places(other.asked()), [1, 1, 3, 3]);
}
