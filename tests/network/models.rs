//! Mixed panels: which neuron asks which model.

use std::collections::BTreeMap;
use std::sync::Arc;

use widedeep::chat::{ChatModel, ReplyPlan};
use widedeep::network::Evaluation;

use super::support::scripted::{Kind, Scripted, judged, kind, roles, user};
use super::{evaluate_with, network, pair, scores};

fn model(name: &str, score: u8) -> Arc<Scripted> {
    Scripted::free(move |asked| match kind(asked.request) {
        Kind::Roles => Ok(roles(&["A", "B", "C"])),
        Kind::Judge | Kind::Deeper => Ok(judged(asked.request, "So.", score, 1)),
    })
    .named(name)
    .shared()
}

struct Panelists {
    run: Arc<Scripted>,
    north: Arc<Scripted>,
    south: Arc<Scripted>,
}

fn run(body: &str) -> (Panelists, Evaluation) {
    let panelists = Panelists {
        run: model("run", 2),
        north: model("north", 3),
        south: model("south", 4),
    };
    let named: BTreeMap<String, Arc<dyn ChatModel>> = [
        ("north".to_owned(), Arc::clone(&panelists.north) as Arc<dyn ChatModel>),
        ("south".to_owned(), Arc::clone(&panelists.south) as Arc<dyn ChatModel>),
    ]
    .into();
    let evaluation = evaluate_with(
        &network(body),
        &pair(),
        Arc::clone(&panelists.run) as Arc<dyn ChatModel>,
        named,
        7,
    );
    (panelists, evaluation.unwrap())
}

fn asked_by_layer(evaluation: &Evaluation, layer: usize) -> Vec<&str> {
    evaluation
        .opinions
        .iter()
        .filter(|opinion| opinion.layer == layer)
        .step_by(2)
        .map(|opinion| opinion.model.as_str())
        .collect()
}

const FIXED: &str = "[roles]\nsource = \"fixed\"\nnames = [\"A\", \"B\", \"C\"]\n";

#[test]
fn neurons_take_the_entries_in_turn() {
    let (models, evaluation) = run(&format!(
        "{FIXED}[[layers]]\n[[layers.neurons]]\nmodel = \"north\"\n[[layers.neurons]]\nmodel = \"south\"\n"
    ));
    assert_eq!(asked_by_layer(&evaluation, 0), ["north", "south", "north"]);
    assert_eq!(evaluation.opinions[0].scores, scores(3, 1));
    assert_eq!(evaluation.opinions[2].scores, scores(4, 1));
    // One group per model.
    let sizes = |model: &Scripted| model.groups().iter().map(Vec::len).collect::<Vec<_>>();
    assert_eq!(sizes(&models.north), [4]);
    assert_eq!(sizes(&models.south), [2]);
    assert!(models.run.asked().is_empty());
    assert!(user(&models.south.asked()[0]).ends_with("Your angle of view: B"));
}

#[test]
fn a_layers_model_holds_for_neurons_without_their_own_and_the_runs_for_the_rest() {
    let (_, evaluation) = run(&format!(
        "{FIXED}[[layers]]\nmodel = \"north\"\n[[layers.neurons]]\n[[layers.neurons]]\nmodel = \"south\"\n[[layers]]"
    ));
    assert_eq!(asked_by_layer(&evaluation, 0), ["north", "south", "north"]);
    assert_eq!(asked_by_layer(&evaluation, 1), ["run", "run", "run"]);
}

#[test]
fn the_first_neurons_model_names_the_roles() {
    let (models, _) = run("[roles]\nsource = \"generated\"\n[[layers]]\nmodel = \"south\"");
    assert_eq!(kind(&models.south.asked()[0]), Kind::Roles);
    assert!(models.run.asked().is_empty());
}

#[test]
fn deeper_layers_read_reviews_of_other_models() {
    let (models, _) = run(&format!(
        "{FIXED}[[layers]]\nmodel = \"north\"\n[[layers]]\nmodel = \"south\""
    ));
    assert!(user(&models.south.asked()[0]).contains("Score of Assistant 1: 3"));
}

#[test]
fn each_model_is_steered_or_not_as_it_allows() {
    let steerable = Scripted::steerable(|asked| Ok(judged(asked.request, "So.", 9, 2)))
        .named("steerable")
        .shared();
    let free = model("free", 5);
    let named = [("steerable".to_owned(), Arc::clone(&steerable) as Arc<dyn ChatModel>)].into();
    let body = format!("{FIXED}[[layers]]\n[[layers.neurons]]\n[[layers.neurons]]\nmodel = \"steerable\"");
    let evaluation = evaluate_with(&network(&body), &pair(), Arc::clone(&free) as Arc<_>, named, 7).unwrap();
    assert!(matches!(steerable.asked()[0].plan, ReplyPlan::Scaffold(_)));
    assert!(matches!(free.asked()[0].plan, ReplyPlan::Judgement { .. }));
    assert!(evaluation.opinions[0].distribution.is_none());
    assert!(evaluation.opinions[2].distribution.is_some());
    assert_eq!(evaluation.opinions[2].scores, scores(9, 2));
}

#[test]
fn a_network_lists_the_models_that_it_names_once() {
    let network =
        network("[[layers]]\nmodel = \"north\"\n[[layers.neurons]]\nmodel = \"south\"\n[[layers]]\nmodel = \"south\"");
    assert_eq!(network.models(), ["north", "south"]);
    assert_eq!(network.model_of(0, 5), Some("south"));
    assert_eq!(network.model_of(9, 0), None);
}

#[test]
fn a_detector_gets_the_pair_as_it_is_and_its_opinion_counts_like_the_others() {
    let detector = Scripted::free(|_| {
        let text = "Evaluation evidence: read.\nScore of Assistant 1: 9.10\nScore of Assistant 2: 2.35";
        Ok(super::support::scripted::text(text))
    })
    .named("detector:units.json")
    .shared();
    let run = model("run", 5);
    let body = format!(
        "{FIXED}[[layers]]\n[[layers.neurons]]\n[[layers.neurons]]\n[[layers.neurons]]\nkind = \"detector\"\ndetector = \"units.json\"\n[[layers]]"
    );
    let network = network(&body);
    assert_eq!(network.models(), ["detector:units.json"]);
    let named = [(
        "detector:units.json".to_owned(),
        Arc::clone(&detector) as Arc<dyn ChatModel>,
    )]
    .into();
    let evaluation = evaluate_with(&network, &pair(), Arc::clone(&run) as Arc<_>, named, 7).unwrap();

    let asked = detector.asked();
    assert_eq!(asked.len(), 2, "both orders");
    let contents: Vec<&str> = asked[0].turns.iter().map(|turn| turn.content.as_str()).collect();
    let pair = pair();
    assert_eq!(
        contents,
        [&pair.query, &pair.response1, &pair.response2],
        "verbatim, nothing around them"
    );
    let swapped: Vec<&str> = asked[1].turns.iter().map(|turn| turn.content.as_str()).collect();
    assert_eq!(swapped, [&pair.query, &pair.response2, &pair.response1]);

    let of_detector: Vec<_> = evaluation
        .opinions
        .iter()
        .filter(|opinion| opinion.layer == 0 && opinion.neuron == 2)
        .collect();
    assert_eq!(of_detector.len(), 2);
    let canonical = of_detector[0].scores.unwrap();
    assert_eq!(
        of_detector[1].scores.unwrap(),
        canonical.swapped(),
        "what it says of the swapped pair is turned back"
    );
    // Layer 2 reads what it said.
    let deeper = run.asked();
    let deeper = user(deeper.last().unwrap());
    assert!(deeper.contains("Evaluation evidence: read."), "{deeper}");
}

#[test]
fn a_detector_without_its_file_or_in_the_place_of_who_names_the_roles_is_refused() {
    let refused = |body: &str| {
        let text = format!("name = \"test\"\nsummary = \"for a test\"\n{body}");
        widedeep::network::Network::parse(&text, "test", &[])
            .unwrap_err()
            .to_string()
    };
    let error = refused("[[layers]]\n[[layers.neurons]]\n[[layers.neurons]]\nkind = \"detector\"");
    assert!(error.contains("add `detector = \"detector.json\"`"), "{error}");
    let error = refused("[[layers]]\n[[layers.neurons]]\ndetector = \"d.json\"");
    assert!(
        error.contains("belongs to a neuron of `kind = \"detector\"`"),
        "{error}"
    );
    let error = refused(
        "[roles]\nsource = \"generated\"\n[[layers]]\n[[layers.neurons]]\nkind = \"detector\"\ndetector = \"d.json\"",
    );
    assert!(error.contains("a detector writes nothing"), "{error}");
}
