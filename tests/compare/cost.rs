//! Cost beside agreement.

use widedeep::chat::Origin;
use widedeep::chat::openai::AttemptResult;
use widedeep::cost::{Served, Tokens};
use widedeep::report::compare::{Human, Terms, Unit, compare};
use widedeep::report::{self};
use widedeep::run::{Baseline, Entry};

use crate::runs::Run;
use crate::stored::{ONE, TWO, assert_near, baseline, folders, free_machine, judged, pairs};

/// Enters two calls for every pair: one that was made, one that was reused.
pub fn spend(run: &Run, completion: u64) {
    let call = |pair: usize, served| Entry {
        origin: Some(Origin {
            pair: pair as u64,
            stage: 1,
            neuron: 0,
            attempt: 0,
        }),
        model: "openai:gpt-4@api.openai.com/v1".into(),
        number: 1,
        served,
        result: Some(AttemptResult::Answered),
        tokens: Some(Tokens::new(1000, completion)),
        most: Tokens::new(1000, completion),
        seconds: 0.0,
    };
    let entries = (0..12).flat_map(|pair| [call(pair, Served::Model), call(pair, Served::Cache)]);
    run.store.enter(entries.collect());
    // Committed after the entries.
    run.judge(&pairs()[0], crate::stored::TORN);
}

#[test]
fn configurations_cost_what_they_would_have_cost_alone() {
    let (longer, one, two) = (baseline(Baseline::Longer), judged("one", 0, ONE), judged("two", 0, TWO));
    spend(&one, 100);
    spend(&two, 1000);
    let terms = Terms {
        tariff: free_machine(),
        human: Human {
            usd_per_pair: Some(0.18),
            seconds_per_pair: Some(60.0),
        },
        hand_over: None,
    };
    let found = compare(&folders(&[&longer, &one, &two]), &terms).unwrap();
    let usd = |place: usize| found.configurations[place].spending.per_thousand.unwrap().usd;
    assert_near(usd(0), 0.0, "a baseline");
    // gpt-4 in the paper: $30 and $60 per million; two calls for each pair.
    assert_near(usd(1), 1000.0 * 2.0 * (0.03 + 0.006), "one");
    assert_near(usd(2), 1000.0 * 2.0 * (0.03 + 0.06), "two");
    let spending = found.configurations[1].spending;
    assert_eq!((spending.billed_calls, spending.reused_calls), (12, 12));
    assert!(spending.seconds_estimated);
    // 72 against 180 dollars.
    let versus = &found.versus[2];
    assert_near(versus.usd_saved, 0.6, "the first is 60 % cheaper");
    assert_eq!(found.pareto.unit, Unit::Usd);
    let front: Vec<&str> = found.pareto.front().map(|point| point.configuration.as_str()).collect();
    assert_eq!(front, ["longer", "one@tiny"], "two is dearer and worse");
    let text = report::comparison(&found, 100);
    assert!(
        text.contains("60.0 %"),
        "72 dollars are 60 % cheaper than people's 180: {text}"
    );
    assert!(text.contains("60 % cheaper"), "{text}");
}

#[test]
fn without_a_price_the_front_is_over_seconds_and_no_amount_is_shown() {
    let (longer, one) = (baseline(Baseline::Longer), judged("one", 0, ONE));
    spend(&one, 100);
    let found = compare(&folders(&[&longer, &one]), &Terms::default()).unwrap();
    assert_eq!(found.pareto.unit, Unit::Seconds);
    assert_eq!(found.configurations[1].spending.per_thousand.unwrap().usd, None);
    assert!(report::comparison(&found, 100).contains("--machine-usd-per-hour"));
}
