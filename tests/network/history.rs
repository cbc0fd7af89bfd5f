//! What a neuron of a deeper layer reads (spec 5.2, 5.4, 14.3).

use std::sync::Arc;

use widedeep::network::Network;
use widedeep::pair::Order;

use super::support::scripted::{Scripted, judged, order, text, user};
use super::{evaluate, network, pair, scores, shipped, too_long, users};

/// Judges freely and says in which layer (`l2`), as which neuron (`n0`) and in which order (`o21`) it speaks; whatever is shown
/// first gets a 9, the other a 4. No roles are asked for, so group `i` is layer `i`.
fn talkative() -> Arc<Scripted> {
    Scripted::free(|asked| {
        let evidence = says(asked.group + 1, asked.place);
        Ok(judged(asked.request, &evidence, 9, 4))
    })
    .shared()
}

fn says(layer: usize, place: usize) -> String {
    let order = if place.is_multiple_of(2) { "o12" } else { "o21" };
    format!("l{layer} n{} {order}: Assistant 1 wins.", place / 2)
}

/// The review of a neuron of layer 1 as it reads where its winner, which it was shown first, has this number.
fn review(neuron: usize, order: Order, winner: u8) -> String {
    let (order, loser) = (order.name(), 3 - winner);
    format!(
        "l1 n{neuron} o{order}: Assistant {winner} wins.\nScore of Assistant {winner}: 9\nScore of Assistant {loser}: 4"
    )
}

fn official(roles: &[&str], layers: &str) -> Network {
    network(&format!(
        "prompt = \"official\"\n[roles]\nsource = \"fixed\"\nnames = {roles:?}\n{layers}"
    ))
}

const WINDOW_OF_TWO: &str = "[[layers]]\n[[layers]]\nneighbourhood = { window = 2 }";

/// What stands between two markers.
fn between<'a>(text: &'a str, start: &str, end: &str) -> &'a str {
    let (_, rest) = text
        .split_once(start)
        .unwrap_or_else(|| panic!("no `{start}` in:\n{text}"));
    rest.split_once(end).unwrap().0.trim_matches('\n')
}

fn own(prompt: &str) -> &str {
    between(
        prompt,
        "[Start of your own earlier evaluations]",
        "[End of your own earlier evaluations]",
    )
}

fn others(prompt: &str) -> &str {
    between(
        prompt,
        "[Start of the earlier evaluations of other colleagues]",
        "[End of the earlier evaluations of other colleagues]",
    )
}

fn angles(prompt: &str) -> &str {
    between(prompt, "Again, take ", " as your angle of view")
}

#[test]
fn the_middle_one_of_three_reads_its_own_two_reviews_and_four_of_its_neighbours() {
    let model = talkative();
    evaluate(&official(&["A", "B", "C"], WINDOW_OF_TWO), &model);
    let layer = &model.groups()[1];
    let forward = user(&layer[2]);
    assert_eq!(order(&layer[2], &pair()), Order::Forward);
    let canonical = |neuron| [review(neuron, Order::Forward, 1), review(neuron, Order::Swapped, 2)];
    assert_eq!(own(forward), canonical(1).join("\n\n"));
    assert_eq!(others(forward), [canonical(0), canonical(2)].concat().join("\n\n"));
}

#[test]
fn the_other_order_swaps_candidates_and_relabels_the_history() {
    let model = talkative();
    evaluate(&official(&["A", "B", "C"], WINDOW_OF_TWO), &model);
    let layer = &model.groups()[1];
    assert_eq!(order(&layer[3], &pair()), Order::Swapped);
    let swapped = user(&layer[3]);
    // What was shown as Assistant 2 is Assistant 1 here, so each reviewer of order 12 sees its winner under the other name.
    let relabelled = |neuron| [review(neuron, Order::Forward, 2), review(neuron, Order::Swapped, 1)];
    assert_eq!(own(swapped), relabelled(1).join("\n\n"));
    assert_eq!(others(swapped), [relabelled(0), relabelled(2)].concat().join("\n\n"));
}

#[test]
fn the_outer_ones_read_one_neighbour_under_a_window_of_two() {
    let model = talkative();
    evaluate(&official(&["A", "B", "C"], WINDOW_OF_TWO), &model);
    let layer = &model.groups()[1];
    for (place, neighbour) in [(0, 1), (4, 1)] {
        let prompt = user(&layer[place]);
        assert_eq!(
            others(prompt),
            [
                review(neighbour, Order::Forward, 1),
                review(neighbour, Order::Swapped, 2)
            ]
            .join("\n\n")
        );
    }
}

#[test]
fn a_reply_to_the_other_order_comes_back_canonical() {
    let model = talkative();
    let evaluation = evaluate(&official(&["A"], "[[layers]]"), &model);
    let swapped = &evaluation.opinions[1];
    assert_eq!(swapped.order, Order::Swapped);
    assert_eq!(swapped.scores, scores(4, 9));
    assert_eq!(swapped.review, review(0, Order::Swapped, 2));
    assert_eq!(evaluation.opinions[0].scores, scores(9, 4));
    assert_eq!(evaluation.opinions[0].review, review(0, Order::Forward, 1));
}

#[test]
fn score_distributions_and_their_means_come_back_canonical_too() {
    let model = Scripted::steerable(|asked| Ok(judged(asked.request, "So.", 9, 4))).shared();
    let evaluation = evaluate(&shipped("single", &[]), &model);
    for opinion in &evaluation.opinions {
        let [first, second] = opinion.distribution.clone().unwrap();
        let (one, two) = match opinion.order {
            Order::Forward => (8, 3),
            Order::Swapped => (3, 8),
        };
        assert_eq!((first[one], second[two]), (1.0, 1.0), "{:?}", opinion.order);
        assert_eq!(opinion.expected, opinion.scores);
    }
    assert_eq!(evaluation.opinions[1].scores, scores(4, 9));
}

#[test]
fn a_network_of_one_neuron_reads_its_own_history() {
    for layout in ["official", "shared"] {
        let model = talkative();
        let one = network(&format!(
            "prompt = \"{layout}\"\n[roles]\nsource = \"fixed\"\nnames = [\"Accuracy\"]\n[[layers]]\n[[layers]]"
        ));
        evaluate(&one, &model);
        let groups = model.groups();
        for prompt in users(&groups[1]) {
            assert!(
                prompt.contains("l1 n0 o12:") && prompt.contains("l1 n0 o21:"),
                "{prompt}"
            );
            assert!(prompt.contains("Accuracy"));
            assert!(!prompt.contains(['{', '}']), "{prompt}");
        }
    }
}

/// Defect B1.
#[test]
fn the_published_code_shows_a_single_neuron_no_history_and_an_unfilled_slot() {
    let model = talkative();
    evaluate(
        &shipped("widedeep-compat", &["roles.source=fixed", "roles.names=[\"Accuracy\"]"]),
        &model,
    );
    for prompt in users(&model.groups()[1]) {
        assert!(prompt.contains("Take {aspect} as your angle of view"), "{prompt}");
        assert!(!prompt.contains("l1 n0"), "{prompt}");
    }
}

/// Defect B3: `Acc, b` falls apart, and its second piece then is the role `b`.
#[test]
fn the_published_code_breaks_angles_at_commas_from_the_third_layer_on() {
    let roles = ["Acc, b", "b"];
    let layers = "[[layers]]\n[[layers]]\n[[layers]]";
    for (defects, third) in [("fixed", "Acc, b, b"), ("reproduce", "Acc, b")] {
        let model = talkative();
        evaluate(
            &official(&roles, &format!("[reply]\ndefects = \"{defects}\"\n{layers}")),
            &model,
        );
        let groups = model.groups();
        assert_eq!(angles(user(&groups[1][0])), "Acc, b, b");
        assert_eq!(angles(user(&groups[2][0])), third, "{defects}");
    }
}

/// Defect B4.
#[test]
fn the_published_code_turns_five_asterisks_into_an_assistant() {
    for (defects, heading) in [("fixed", "***** So *****"), ("reproduce", "Assistant 2 So Assistant 2")] {
        let model = Scripted::free(|asked| Ok(judged(asked.request, "***** So *****", 9, 4))).shared();
        let evaluation = evaluate(
            &official(&["A"], &format!("[reply]\ndefects = \"{defects}\"\n[[layers]]")),
            &model,
        );
        assert!(evaluation.opinions[0].review.starts_with("***** So *****"));
        assert!(evaluation.opinions[1].review.starts_with(heading), "{defects}");
    }
}

#[test]
fn the_third_layer_reads_the_second_and_not_the_first() {
    let model = talkative();
    evaluate(&shipped("jury", &["layers=3"]), &model);
    for prompt in users(&model.groups()[2]) {
        assert_eq!(prompt.matches("l2 n").count(), 8);
        assert!(!prompt.contains("l1 n"), "{prompt}");
    }
}

#[test]
fn angles_spread_by_one_neighbour_per_layer_under_a_window_of_two() {
    let roles = ["A", "B", "C", "D", "E"];
    let model = talkative();
    let window = "[[layers]]\nneighbourhood = { window = 2 }\n";
    evaluate(&official(&roles, &format!("[[layers]]\n{window}{window}")), &model);
    let groups = model.groups();
    let of = |layer: usize| -> Vec<&str> { (0..5).map(|i| angles(user(&groups[layer][2 * i]))).collect() };
    assert_eq!(of(1), ["A, B", "A, B, C", "B, C, D", "C, D, E", "D, E"]);
    assert_eq!(
        of(2),
        ["A, B, C", "A, B, C, D", "A, B, C, D, E", "B, C, D, E", "C, D, E"]
    );
}

#[test]
fn angles_are_everybodys_where_all_are_heard() {
    let model = talkative();
    evaluate(&official(&["A", "B", "C"], "[[layers]]\n[[layers]]"), &model);
    for prompt in users(&model.groups()[1]) {
        assert_eq!(angles(prompt), "A, B, C");
    }
}

#[test]
fn a_layer_without_history_judges_afresh_and_passes_no_angles_on() {
    let model = talkative();
    let none = "[[layers]]\nhistory = \"none\"\n";
    evaluate(
        &official(
            &["A", "B", "C"],
            &format!("[[layers]]\n{none}[[layers]]\nneighbourhood = {{ window = 2 }}"),
        ),
        &model,
    );
    let groups = model.groups();
    assert_eq!(users(&groups[1]), users(&groups[0]));
    assert_eq!(angles(user(&groups[2][0])), "A, B");
    assert!(own(user(&groups[2][0])).starts_with("l2 n0"));
}

#[test]
fn a_call_without_reply_leaves_no_review_and_an_unreadable_one_does() {
    let model = Scripted::free(|asked| match (asked.group, asked.place) {
        (0, 0) => Err(too_long()),
        (0, 1) => Ok(text("Assistant 1 is fine, I would not put a number on it.")),
        _ => Ok(judged(asked.request, &says(asked.group + 1, asked.place), 9, 4)),
    })
    .shared();
    evaluate(&official(&["A", "B"], WINDOW_OF_TWO), &model);
    let groups = model.groups();
    assert_eq!(
        own(user(&groups[1][0])),
        "Assistant 2 is fine, I would not put a number on it."
    );
}
