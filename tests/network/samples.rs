//! FairEval's several samples in both orders, and the seeds of all calls (spec 11, 14.6).

use std::collections::HashSet;
use std::sync::Arc;

use widedeep::chat::{ChatModel, Request};
use widedeep::network::Opinion;
use widedeep::network::aggregate::aggregate;
use widedeep::pair::Label;

use super::support::scripted::{Kind, Scripted, judged, kind, roles, text, user};
use super::{evaluate, evaluate_with, pair, scores, shipped};

#[test]
fn fair_eval_draws_three_samples_in_both_orders_with_six_seeds() {
    let model = Scripted::steerable(|asked| Ok(judged(asked.request, "So.", 8, 7))).shared();
    evaluate(&shipped("faireval", &[]), &model);
    let asked = model.asked();
    assert_eq!(asked.len(), 6);
    assert!(asked.iter().all(|request| request.sampling.temperature == 1.0));
    let seeds: HashSet<u64> = asked.iter().map(|request| request.sampling.seed).collect();
    assert_eq!(seeds.len(), 6);
    let prompts: HashSet<&str> = asked.iter().map(user).collect();
    assert_eq!(prompts.len(), 2, "one per order");
}

/// Spec 14.6: forward (8,7)(9,7)(7,8); of the swapped three two are readable, canonical (7,8)(8,8).
#[test]
fn means_are_over_the_samples_that_could_be_read() {
    const SHOWN: [Option<(u8, u8)>; 6] = [
        Some((8, 7)),
        Some((9, 7)),
        Some((7, 8)),
        Some((8, 7)),
        None,
        Some((8, 8)),
    ];
    let model = Scripted::free(|asked| {
        Ok(match SHOWN[asked.place] {
            Some((first, second)) => judged(asked.request, "So.", first, second),
            None => text("Both did well."),
        })
    })
    .shared();
    let network = shipped("faireval", &[]);
    let evaluation = evaluate(&network, &model);
    assert_eq!(model.asked().len(), 6, "the dropped one is not replaced");
    assert_eq!(evaluation.opinions[3].scores, scores(7, 8));
    let votes: Vec<_> = evaluation.opinions.iter().map(Opinion::vote).collect();
    let decision = aggregate(&votes, network.aggregate.cell, network.aggregate.tie_margin).unwrap();
    assert_eq!(decision.n, 5);
    assert_eq!(decision.pair.score1.to_string(), "7.8");
    assert_eq!(decision.pair.score2.to_string(), "7.6");
    assert_eq!(decision.label, Label::Model1);
}

fn asked(name: &str, overrides: &[&str], seed: u64) -> Vec<Request> {
    let model = Scripted::steerable(|asked| match kind(asked.request) {
        Kind::Roles => Ok(roles(&["A", "B"])),
        Kind::Judge | Kind::Deeper => Ok(judged(asked.request, "So.", 8, 7)),
    })
    .shared();
    evaluate_with(
        &shipped(name, overrides),
        &pair(),
        Arc::clone(&model) as Arc<dyn ChatModel>,
        std::collections::BTreeMap::new(),
        seed,
    )
    .unwrap();
    model.asked()
}

#[test]
fn one_seed_gives_the_same_requests_in_every_run() {
    for (name, overrides) in [
        ("widedeep", &["sampling.temperature=0.8", "layers=3"][..]),
        ("widedeep-compat", &[]),
        ("faireval", &[]),
    ] {
        assert_eq!(asked(name, overrides, 1), asked(name, overrides, 1), "{name}");
    }
}

#[test]
fn another_seed_gives_other_draws_and_none_where_nothing_is_drawn() {
    // The official layout has no markers that depend on the seed.
    let draws = |overrides: &[&str], seed| -> Vec<_> {
        asked("widedeep-compat", overrides, seed)
            .into_iter()
            .map(|request| (user(&request).to_owned(), request.sampling.seed))
            .collect()
    };
    let (one, two) = (draws(&[], 1), draws(&[], 2));
    assert_eq!(one[0], two[0], "roles are asked for greedily");
    for (a, b) in one.iter().zip(&two).skip(1) {
        assert_eq!(a.0, b.0);
        assert_ne!(a.1, b.1);
    }
    let greedy = ["sampling.temperature=0"];
    assert_eq!(draws(&greedy, 1), draws(&greedy, 2));
}

#[test]
fn every_drawn_call_of_a_pair_has_a_seed_of_its_own_and_another_in_another_pair() {
    let requests = asked("widedeep-compat", &["layers=3"], 1);
    let seeds: HashSet<u64> = requests[1..].iter().map(|request| request.sampling.seed).collect();
    assert_eq!(seeds.len(), 12);
    let other = widedeep::pair::Pair { index: 4, ..pair() };
    let model = Scripted::steerable(|asked| match kind(asked.request) {
        Kind::Roles => Ok(roles(&["A", "B"])),
        Kind::Judge | Kind::Deeper => Ok(judged(asked.request, "So.", 8, 7)),
    })
    .shared();
    evaluate_with(
        &shipped("widedeep-compat", &["layers=3"]),
        &other,
        Arc::clone(&model) as Arc<dyn ChatModel>,
        std::collections::BTreeMap::new(),
        1,
    )
    .unwrap();
    assert!(
        model.asked()[1..]
            .iter()
            .all(|request| !seeds.contains(&request.sampling.seed))
    );
}
