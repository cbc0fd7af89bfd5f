//! What the prompts of a pair have in common, which an engine evaluates once.

use std::sync::Arc;

use widedeep::chat::{Request, Speaker};
use widedeep::pair::Order;

use super::support::scripted::{Kind, Scripted, judged, kind, order, roles, user};
use super::{evaluate, pair, shipped};

fn asked() -> Vec<Request> {
    let model: Arc<Scripted> = Scripted::steerable(|asked| match kind(asked.request) {
        Kind::Roles => Ok(roles(&["Accuracy", "Relevance", "Clarity"])),
        Kind::Judge | Kind::Deeper => Ok(judged(asked.request, &format!("Number {} says so.", asked.place), 7, 6)),
    })
    .shared();
    evaluate(&shipped("widedeep", &[]), &model);
    model.asked()
}

fn of_order(requests: &[Request], wanted: Order) -> Vec<&Request> {
    requests
        .iter()
        .filter(|request| order(request, &pair()) == wanted)
        .collect()
}

/// What two texts begin with alike.
fn shared<'a>(a: &'a str, b: &str) -> &'a str {
    let end = a
        .char_indices()
        .zip(b.chars())
        .find(|((_, x), y)| x != y)
        .map_or(a.len().min(b.len()), |((at, _), _)| at);
    &a[..end]
}

#[test]
fn all_prompts_of_one_order_begin_with_the_same_text_up_to_the_end_of_the_candidates() {
    let requests = asked();
    for (wanted, kinds) in [
        (Order::Forward, vec![Kind::Roles, Kind::Judge, Kind::Deeper]),
        (Order::Swapped, vec![Kind::Judge, Kind::Deeper]),
    ] {
        let requests = of_order(&requests, wanted);
        for kind_wanted in kinds {
            assert!(requests.iter().any(|request| kind(request) == kind_wanted));
        }
        let first = requests[0];
        let prefix = requests
            .iter()
            .fold(user(first), |prefix, request| shared(prefix, user(request)));
        let (start, end) = match wanted {
            Order::Forward => (pair().response1, pair().response2),
            Order::Swapped => (pair().response2, pair().response1),
        };
        for text in [&pair().query, &start, &end] {
            assert!(prefix.contains(text.as_str()), "{prefix}");
        }
        assert!(prefix.contains("[End of Assistant 2's Answer "), "{prefix}");
        for request in requests {
            assert_eq!(request.turns.len(), 2);
            assert_eq!(request.turns[0].speaker, Speaker::System);
            assert_eq!(request.turns[0], first.turns[0]);
        }
    }
}

#[test]
fn neurons_that_hear_everybody_differ_in_their_last_lines_only() {
    for wanted in [Order::Forward, Order::Swapped] {
        let requests = asked();
        let deeper: Vec<&Request> = of_order(&requests, wanted)
            .into_iter()
            .filter(|request| kind(request) == Kind::Deeper)
            .collect();
        assert_eq!(deeper.len(), 3);
        let but_the_last_two = |request: &Request| {
            let mut lines: Vec<String> = user(request).lines().map(str::to_owned).collect();
            lines.truncate(lines.len() - 2);
            lines
        };
        for other in &deeper[1..] {
            assert_eq!(but_the_last_two(deeper[0]), but_the_last_two(other));
            assert_ne!(user(deeper[0]), user(other));
        }
        assert!(user(deeper[2]).ends_with("Your angle of view: Clarity"));
    }
}

#[test]
fn requests_of_a_pair_have_its_index_as_origin() {
    assert!(asked().iter().all(|request| request.origin.pair == 3));
}
