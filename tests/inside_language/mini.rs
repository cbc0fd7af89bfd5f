//! Five cases over a small piece of the published counts, LAPE among them.

use std::collections::BTreeMap;

use serde::Deserialize;
use widedeep::inside::language::{
    Aligned, Bar, Counts, Lambda, Lape, Method, Rate, Search, identify, published::Header,
};

use super::oracle::{self, Classified, Evaluation, Mask};

#[derive(Deserialize)]
struct Fixture {
    shape: [usize; 3],
    languages: Vec<String>,
    tokens: BTreeMap<String, u64>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    algorithm: String,
    lambda: Option<f64>,
    best_lambda: Option<f64>,
    filter: Option<f64>,
    filter_tau: Option<f64>,
    survivors: Option<usize>,
    evaluations: Option<Vec<Evaluation>>,
    top_rate: f64,
    bar: f64,
    selected: usize,
    tau: f64,
    tau_rank: usize,
    last_selected_score: f64,
    first_rejected_score: f64,
    #[serde(rename = "count_by_N")]
    by_number: Vec<usize>,
    mask: Mask,
    #[serde(flatten)]
    classified: Classified,
}

fn counts(fixture: &Fixture) -> Counts {
    let header = Header {
        model: "mini".into(),
        languages: fixture.languages.clone(),
        layers: fixture.shape[1],
        width: fixture.shape[2],
        tokens: fixture.tokens.clone(),
    };
    header
        .counts(std::fs::File::open(oracle::path("mini/counts.u32le.bin")).unwrap())
        .unwrap()
}

fn method(case: &Case) -> Method {
    let top = Rate::new(case.top_rate).unwrap();
    let quantile = |rate: f64| Bar::Quantile(Rate::new(rate).unwrap());
    let bar = quantile(case.bar);
    match case.algorithm.as_str() {
        "nju" => Method::Aligned(Aligned {
            top,
            bar,
            lambda: Lambda::Fixed(case.lambda.unwrap()),
        }),
        "nju+autosweep" => Method::Aligned(Aligned {
            top,
            bar,
            lambda: Lambda::Search(Search::default()),
        }),
        "lape" => Method::Lape(Lape {
            top,
            bar,
            filter: quantile(case.filter.unwrap()),
        }),
        other => panic!("unknown algorithm `{other}`"),
    }
}

#[test]
fn every_case_of_the_small_fixture_comes_out_exactly() {
    let fixture: Fixture = oracle::json("mini/expected.json");
    assert_eq!(fixture.cases.len(), 5);
    let counts = counts(&fixture);
    for (nth, case) in fixture.cases.iter().enumerate() {
        let found = identify(&counts, method(case)).unwrap();
        assert!(oracle::mask(&found) == case.mask, "case {nth}: sets differ");
        case.classified.check(&found);
        assert_eq!(found.selected().len(), case.selected, "case {nth}");
        assert_eq!(found.threshold_rank(), Some(case.tau_rank), "case {nth}");
        oracle::close(found.threshold(), case.tau);
        oracle::close(found.cut().0.unwrap(), case.last_selected_score);
        oracle::close(found.cut().1.unwrap(), case.first_rejected_score);
        assert_eq!(found.tally().by_number[1..], case.by_number[1..], "case {nth}");
        if let Some(evaluations) = &case.evaluations {
            assert_eq!(&oracle::evaluations(&found), evaluations);
            assert_eq!(found.lambda(), case.best_lambda);
        }
        if let Some((filter, survivors)) = found.filter() {
            oracle::close(filter, case.filter_tau.unwrap());
            assert_eq!(Some(survivors), case.survivors);
        }
    }
}

#[test]
fn thresholds_handed_on_as_values_select_the_same_units() {
    let fixture: Fixture = oracle::json("mini/expected.json");
    let counts = counts(&fixture);
    for case in &fixture.cases {
        let first = identify(&counts, method(case)).unwrap();
        let again = identify(&counts, first.fixed()).unwrap();
        assert_eq!(first.selected(), again.selected());
        assert_eq!(again.threshold_rank(), None);
    }
}

#[test]
fn the_order_of_languages_does_not_matter() {
    let fixture: Fixture = oracle::json("mini/expected.json");
    let counts = counts(&fixture);
    let reversed: Vec<&String> = fixture.languages.iter().rev().collect();
    let reversed = counts.only(&reversed).unwrap();
    for case in &fixture.cases {
        assert!(oracle::mask(&identify(&reversed, method(case)).unwrap()) == case.mask);
    }
    assert!(counts.only(&["xx"]).is_none());
}
