//! Exchanging the responses of a pair exchanges the verdict, whatever a judge thinks of texts and of positions.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use widedeep::network::Opinion;
use widedeep::network::aggregate::{Cell, Decision, aggregate};
use widedeep::pair::{Order, Pair};

use super::support::scripted::{Scripted, judged, order};
use super::{evaluate_with, pair, shipped};

/// 1 to 8 for a text in the eyes of a neuron.
fn liking(text: &str, place: usize) -> u8 {
    let hash = text.bytes().fold(7 + place as u64 / 2, |hash, byte| {
        hash.wrapping_mul(31).wrapping_add(u64::from(byte))
    });
    u8::try_from(hash % 8 + 1).unwrap()
}

fn decide(pair: &Pair, cell: Cell, favour: u8) -> Decision {
    let (first, second) = (pair.response1.clone(), pair.response2.clone());
    let shown = pair.clone();
    let model = Scripted::steerable(move |asked| {
        let (one, two) = match order(asked.request, &shown) {
            Order::Forward => (&first, &second),
            Order::Swapped => (&second, &first),
        };
        let (one, two) = (liking(one, asked.place) + favour, liking(two, asked.place));
        Ok(judged(asked.request, "Assistant 1, or Assistant 2.", one, two))
    });
    let network = shipped("jury", &["layers=2"]);
    let evaluation = evaluate_with(&network, pair, Arc::new(model), BTreeMap::new(), 7).unwrap();
    let votes: Vec<_> = evaluation.opinions.iter().map(Opinion::vote).collect();
    aggregate(&votes, cell, network.aggregate.tie_margin).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn exchanging_the_responses_exchanges_the_verdict(
        one in "one [a-z]{0,12}",
        two in "two [a-z]{0,12}",
        cell in 0_usize..12,
        favour in 0_u8..3,
    ) {
        let cell = Cell::grid()[cell];
        let given = Pair { response1: one.clone(), response2: two.clone(), ..pair() };
        let swapped = Pair { response1: two, response2: one, ..pair() };
        let (given, swapped) = (decide(&given, cell, favour), decide(&swapped, cell, favour));
        prop_assert_eq!(given.label, swapped.label.swapped());
        prop_assert_eq!(given.pair, swapped.pair.swapped());
        prop_assert_eq!(given.n, swapped.n);
    }
}
