//! The rule judge against hand-made cases and against the verdicts of a public run.

use serde_json::Value;
use widedeep::inside::hallucination::Truth;
use widedeep::inside::hallucination::consistency::{Consistency, Dropped};
use widedeep::inside::hallucination::intervention::corrects;
use widedeep::inside::hallucination::judge::{Matching, Verdict};
use widedeep::inside::hallucination::normalise::normalise;
use widedeep::inside::hallucination::questions::{self, Kind, official};

use crate::data::shared;

#[test]
fn every_case_of_the_oracle_is_normalised_and_judged_alike() {
    let text = std::fs::read_to_string(shared("h_neurons/judge_oracle.json")).unwrap();
    let oracle: Value = serde_json::from_str(&text).unwrap();
    let cases = oracle["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 31);
    for case in cases {
        let text = |field: &str| case[field].as_str().unwrap();
        let texts = |field: &str| -> Vec<String> {
            let values = case[field].as_array().unwrap().iter();
            values.map(|value| value.as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(normalise(text("response")), text("normalized_response"));
        let aliases: Vec<String> = texts("aliases").iter().map(|alias| normalise(alias)).collect();
        assert_eq!(aliases, texts("normalized_aliases"), "{}", text("response"));
        let verdict = Matching::Official.judge(text("response"), &texts("aliases"));
        assert_eq!(Some(verdict), Verdict::named(text("judge")), "{}", text("response"));
    }
}

#[test]
fn the_verdicts_and_classes_of_a_public_run_are_reproduced() {
    let sampled = official::read_sampled(&shared("h_neurons/gemma3_4b_consistency_head250.jsonl")).unwrap();
    let (mut faithful, mut hallucinated, mut mixed) = (0, 0, 0);
    for item in &sampled {
        let judged: Vec<Verdict> = item
            .responses
            .iter()
            .map(|response| Matching::Official.judge(response, &item.golds))
            .collect();
        assert_eq!(judged, item.verdicts, "{}", item.id);
        match Consistency::default().keep(&item.responses, &judged) {
            Ok(kept) => {
                let most = item
                    .responses
                    .iter()
                    .filter(|response| *response == kept.response)
                    .count();
                assert_eq!(most, kept.count);
                match kept.class {
                    Truth::Faithful => faithful += 1,
                    Truth::Hallucinated => hallucinated += 1,
                }
            }
            Err(Dropped::Mixed) => mixed += 1,
            Err(other) => panic!("{}: {other:?}", item.id),
        }
    }
    assert_eq!((faithful, hallucinated, mixed), (90, 135, 25));
}

#[test]
fn the_rule_for_corrections_finds_what_its_documentation_says() {
    // Every answer that people wrote in FalseQA's test file: to false premises, and to sound questions.
    let (mut found, mut missed, mut taken, mut left) = (0, 0, 0, 0);
    for question in questions::read(&shared("qa/falseqa_test.csv")).unwrap() {
        for answer in &question.golds {
            match (question.kind, corrects(answer)) {
                (Kind::FalsePremise, true) => found += 1,
                (Kind::FalsePremise, false) => missed += 1,
                (_, true) => taken += 1,
                (_, false) => left += 1,
            }
        }
    }
    assert_eq!((found + missed, taken + left), (2061, 687));
    let percent = |part: u32, of: u32| (f64::from(part) * 100.0 / f64::from(of)).round();
    assert_eq!(
        (percent(found, found + missed), percent(taken, taken + left)),
        (80.0, 6.0)
    );
}
