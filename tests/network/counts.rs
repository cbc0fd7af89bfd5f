//! How many requests are made, and in which groups (spec 5.3, 14.3).

use widedeep::cost::Stage;
use widedeep::pair::Order;

use super::support::scripted::{Kind, Scripted, USAGE, judged, kind, order, roles};
use super::{evaluate, network, pair, shipped};

const ROLES: [&str; 5] = ["Accuracy", "Relevance", "Clarity", "Depth", "Tone"];

/// A model that names so many roles and finds everything equally good.
fn model(width: usize) -> std::sync::Arc<Scripted> {
    Scripted::steerable(move |asked| match kind(asked.request) {
        Kind::Roles => Ok(roles(&ROLES[..width])),
        Kind::Judge | Kind::Deeper => Ok(judged(asked.request, "Equal.", 5, 5)),
    })
    .shared()
}

fn layers(depth: usize) -> String {
    format!("[roles]\nsource = \"generated\"\n{}", "[[layers]]\n".repeat(depth))
}

#[test]
fn a_network_makes_one_request_for_roles_and_two_per_neuron_and_layer() {
    for (width, depth, requests) in [(1, 1, 3), (2, 1, 5), (2, 2, 9), (5, 2, 21), (3, 3, 19)] {
        let model = model(width);
        let evaluation = evaluate(&network(&layers(depth)), &model);
        assert_eq!(model.asked().len(), requests, "{width} wide, {depth} deep");
        assert_eq!(requests, 1 + 2 * width * depth);
        assert_eq!(
            evaluation.stages.iter().map(|stage| stage.calls).sum::<usize>(),
            requests
        );
        assert_eq!(evaluation.opinions.len(), 2 * width * depth);
    }
}

#[test]
fn all_requests_of_a_layer_go_out_as_one_group() {
    let model = model(3);
    evaluate(&network(&layers(2)), &model);
    let sizes: Vec<usize> = model.groups().iter().map(Vec::len).collect();
    assert_eq!(sizes, [1, 6, 6]);
}

#[test]
fn opinions_come_by_layer_neuron_order_and_sample() {
    let model = model(2);
    let evaluation = evaluate(
        &network(
            "calls = { samples = 2 }\nsampling = { temperature = 1.0 }\n[roles]\nsource = \"generated\"\n[[layers]]\n[[layers]]",
        ),
        &model,
    );
    let mut places = Vec::new();
    for layer in 0..2 {
        for neuron in 0..2 {
            for order in [Order::Forward, Order::Swapped] {
                for sample in 0..2 {
                    places.push((layer, neuron, order, sample));
                }
            }
        }
    }
    let got: Vec<_> = evaluation
        .opinions
        .iter()
        .map(|opinion| (opinion.layer, opinion.neuron, opinion.order, opinion.sample))
        .collect();
    assert_eq!(got, places);
    let roles: Vec<_> = evaluation
        .opinions
        .iter()
        .map(|opinion| opinion.role.as_deref())
        .collect();
    assert_eq!(roles[..4], [Some("Accuracy"); 4]);
    assert_eq!(roles[4..8], [Some("Relevance"); 4]);
}

#[test]
fn every_stage_is_recorded_with_its_requests_and_tokens() {
    let model = model(2);
    let evaluation = evaluate(&shipped("widedeep", &[]), &model);
    let stages: Vec<_> = evaluation
        .stages
        .iter()
        .map(|stage| (stage.stage, stage.calls, stage.usage.prompt, stage.usage.completion))
        .collect();
    let of = |calls: u64| (calls * USAGE.prompt, calls * USAGE.completion);
    assert_eq!(
        stages,
        [
            (Stage::Roles, 1, of(1).0, of(1).1),
            (Stage::Layer(0), 4, of(4).0, of(4).1),
            (Stage::Layer(1), 4, of(4).0, of(4).1),
        ]
    );
}

#[test]
fn roles_that_need_no_request_have_no_stage() {
    let model = model(1);
    let evaluation = evaluate(&shipped("jury", &[]), &model);
    assert_eq!(model.asked().len(), 8);
    assert_eq!(evaluation.stages.len(), 1);
    assert_eq!(evaluation.stages[0].stage, Stage::Layer(0));
}

#[test]
fn both_orders_are_asked_by_default_and_the_given_one_alone_on_request() {
    let both = model(2);
    evaluate(&shipped("widedeep", &[]), &both);
    let orders: Vec<Order> = both.groups()[1].iter().map(|request| order(request, &pair())).collect();
    assert_eq!(orders, [Order::Forward, Order::Swapped, Order::Forward, Order::Swapped]);

    let one = model(2);
    let evaluation = evaluate(&shipped("widedeep", &["calls.orders=one"]), &one);
    assert_eq!(one.asked().len(), 1 + 4);
    assert!(
        one.asked()
            .iter()
            .all(|request| order(request, &pair()) == Order::Forward)
    );
    assert_eq!(evaluation.opinions.len(), 4);
}
