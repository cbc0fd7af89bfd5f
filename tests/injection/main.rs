//! Every payload of `benchmarks/injection`, in either response: what may not depend on how a model takes it. What it does to verdicts is
//! measured by `cargo bench --bench injection`.

#![expect(clippy::unwrap_used, reason = "tests")]

#[path = "../../benchmarks/injection/blocks.rs"]
mod blocks;
mod judging;
#[path = "../../benchmarks/injection/payloads.rs"]
mod payloads;
mod rendering;
#[path = "../support/mod.rs"]
mod support;
#[path = "../../benchmarks/injection/tally.rs"]
#[expect(dead_code, reason = "rows are printed by the benchmark")]
mod tally;
mod tallies;
mod tokens;
#[path = "../../benchmarks/injection/trial.rs"]
mod trial;

use std::collections::BTreeSet;
use std::sync::LazyLock;

use widedeep::pair::Pair;
use widedeep::prompt::{Nonce, Prompts};

use payloads::{Payload, Side};

static PAYLOADS: LazyLock<Vec<Payload>> = LazyLock::new(Payload::all);
static PROMPTS: LazyLock<Prompts> = LazyLock::new(Prompts::embedded);
const SEED: u64 = 5;

fn clean() -> Pair {
    Pair {
        index: 0,
        id: None,
        query: "Is ice cold?".to_owned(),
        response1: "Yes: it melts at 0 °C.".to_owned(),
        response2: "It depends.".to_owned(),
        label: None,
        dataset: "webgpt".to_owned(),
    }
}

fn nonce(pair: &Pair) -> Nonce {
    Nonce::for_pair(SEED, &[&pair.query, &pair.response1, &pair.response2])
}

/// Every payload in either response.
fn attacks() -> impl Iterator<Item = (&'static Payload, Side, Pair)> {
    let clean = clean();
    let code = nonce(&clean);
    PAYLOADS.iter().flat_map(move |payload| {
        let (clean, code) = (clean.clone(), code.clone());
        Side::ALL.map(move |side| (payload, side, payload.attack(&clean, side, code.as_str())))
    })
}

#[test]
fn there_are_many_payloads_of_many_classes_and_each_changes_the_response_it_is_put_into() {
    let names: BTreeSet<&str> = PAYLOADS.iter().map(|payload| payload.name.as_str()).collect();
    let classes: BTreeSet<&str> = PAYLOADS.iter().map(|payload| payload.class.as_str()).collect();
    assert_eq!(names.len(), PAYLOADS.len());
    assert!(PAYLOADS.iter().filter(|payload| !payload.is_control()).count() >= 40 && classes.len() >= 8);
    let clean = clean();
    for (payload, side, pair) in attacks() {
        let changed = [pair.response1 != clean.response1, pair.response2 != clean.response2];
        assert_eq!(changed, [side == Side::First, side == Side::Second], "{}", payload.name);
    }
}
