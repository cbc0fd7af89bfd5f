//! A detector on collections of both models.

use std::collections::BTreeMap;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;
use widedeep::inside::hallucination::split::Role;
use widedeep::inside::hallucination::study::{self, Plan, Record};
use widedeep::inside::hallucination::{Detector, Example, Features, ModelId, Part, Provenance, Truth, Writer};
use widedeep::inside::language::files;

use super::super::support::gguf::{self, UNITS};
use super::super::{Folder, rule};
use super::{COMMAND, SHAPE, assert_close, done, folder, json, number, turned_up};

/// Features of some questions of some data sets, taken from a model: two units are larger where the answer is wrong.
pub(super) fn collection(
    folder: &Folder,
    name: &str,
    model: &str,
    sets: &[(&str, std::ops::Range<usize>)],
    seed: u64,
) -> Features {
    let made = Provenance {
        model: ModelId::of(&folder.path(model), model).unwrap(),
        shape: SHAPE,
        rule: rule(),
        prompt: "few-shot-1".to_owned(),
        notes: BTreeMap::new(),
    };
    std::fs::create_dir(folder.path(name)).unwrap();
    let path = folder.path(name).join("features");
    let mut writer = Writer::open(&path, &made).unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    for (set, ids) in sets {
        for id in ids.clone() {
            let truth = if (id * 7 + usize::try_from(seed).unwrap()).is_multiple_of(2) {
                Truth::Hallucinated
            } else {
                Truth::Faithful
            };
            let mut row: Vec<f32> = (0..SHAPE.units()).map(|_| rng.random_range(0.0_f32..0.4)).collect();
            if truth == Truth::Hallucinated {
                row[3] += 0.15;
                row[UNITS + 9] += 0.1;
            }
            let example = Example {
                id: format!("q{id}"),
                dataset: (*set).to_owned(),
                question: format!("What is the number of thing {id}?"),
                response: id.to_string(),
                truth,
                part: Part::Answer,
                stratum: String::new(),
                entity: None,
                tokens: 1,
                characters: 2,
                log_probability: None,
                lowest_log_probability: None,
                entropy: None,
                first_entropy: None,
                agreement: None,
            };
            writer.push(example, &row).unwrap();
        }
    }
    Features::open(&path).unwrap()
}

/// The AUROC of a detector on the rows of a collection that are chosen, pair by pair.
fn auroc(detector: &Detector, features: &Features, chosen: impl Fn(&Example) -> bool) -> (f64, usize, usize) {
    let rows: Vec<usize> = (0..features.examples().len())
        .filter(|&row| chosen(&features.examples()[row]))
        .collect();
    let mut scores: Vec<(Truth, f64)> = Vec::new();
    features
        .each_row(&rows, |place, row| {
            let score = detector
                .units
                .iter()
                .map(|unit| unit.weight * f64::from(row[unit.layer * UNITS + unit.index]));
            scores.push((features.examples()[rows[place]].truth, score.sum()));
        })
        .unwrap();
    let of = |truth: Truth| {
        scores
            .iter()
            .filter(move |(own, _)| *own == truth)
            .map(|(_, score)| *score)
    };
    let (mut sum, mut pairs) = (0.0, 0.0);
    for wrong in of(Truth::Hallucinated) {
        for right in of(Truth::Faithful) {
            sum += if wrong > right {
                1.0
            } else {
                f64::from(u8::from(wrong >= right)) / 2.0
            };
            pairs += 1.0;
        }
    }
    (
        sum / pairs,
        of(Truth::Faithful).count(),
        of(Truth::Hallucinated).count(),
    )
}

#[test]
fn the_detector_is_measured_on_both_models_without_the_questions_it_was_fitted_on() {
    let base = gguf::llama();
    let folder = folder(&base, &turned_up(&base), "tuned.gguf");
    let own = collection(&folder, "facts", "tuned.gguf", &[("made", 0..160)], 2);
    let plan = Plan {
        permutations: 0,
        random_draws: 0,
        ..Plan::default()
    };
    let (detector, record): (Detector, Record) = study::fit(&own, &plan, &mut |_| ()).unwrap();
    detector.write(&folder.path("fitted.json")).unwrap();
    let command = "--base base.gguf --tuned tuned.gguf --detector fitted.json --draws 9";

    // The base model answered some of the same questions and others, and some of the same under another name.
    let before = collection(
        &folder,
        "facts-base",
        "base.gguf",
        &[("made", 40..220), ("renamed", 0..30)],
        3,
    );
    let fitted: Vec<&str> = record
        .split
        .roles
        .iter()
        .filter(|assigned| assigned.role != Role::Test)
        .map(|assigned| assigned.id.as_str())
        .collect();
    assert!(fitted.len() > 60);
    let is_fitted = |example: &Example| fitted.contains(&example.id.as_str());

    // Without the record nobody knows.
    let found = json(&folder, &format!("{command} --features facts-base"));
    let measured = &found["transfer"][0]["measured"];
    assert_eq!(measured["left_out"], Value::Null);
    assert_close(&measured["auroc"]["value"], auroc(&detector, &before, |_| true).0);
    assert!(
        found["remarks"]
            .to_string()
            .contains("no record stands beside the detector")
    );

    files::json(&folder.path("fitted.record.json"), &record).unwrap();
    let found = json(&folder, &format!("{command} --features facts-base --features facts"));
    for (transfer, (side, features)) in found["transfer"]
        .as_array()
        .unwrap()
        .iter()
        .zip([("base", &before), ("tuned", &own)])
    {
        assert_eq!(transfer["side"], side);
        let measured = &transfer["measured"];
        let (value, right, wrong) = auroc(&detector, features, |example| !is_fitted(example));
        assert_close(&measured["auroc"]["value"], value);
        assert!(value > 0.6, "{value}");
        assert_eq!(
            (&measured["faithful"], &measured["hallucinated"]),
            (&right.into(), &wrong.into())
        );
        assert_eq!(measured["left_out"], features.examples().len() - right - wrong);
        let interval = &measured["auroc"]["interval"];
        assert!(
            number(&interval["low"]) < value && value < number(&interval["high"]),
            "{interval}"
        );
        // All questions together would be another figure, so leaving out is seen.
        assert!((auroc(&detector, features, |_| true).0 - value).abs() > 1e-6);
    }
    assert_eq!(found["remarks"], serde_json::json!([]));

    // Alone, the other names are not known for what they are: data sets and ids are all that a record holds.
    let alone = json(&folder, &format!("{command} --features facts-base"));
    let (value, right, wrong) = auroc(&detector, &before, |example| !shared_text(&before, example, &is_fitted));
    let measured = &alone["transfer"][0]["measured"];
    assert_eq!(
        (&measured["faithful"], &measured["hallucinated"]),
        (&right.into(), &wrong.into())
    );
    assert_close(&measured["auroc"]["value"], value);
    assert!(
        alone["remarks"]
            .to_string()
            .contains("are in none of these collections"),
        "{alone}"
    );
}

/// Whether a fitted question of the collection itself asks the same.
fn shared_text(features: &Features, example: &Example, is_fitted: &impl Fn(&Example) -> bool) -> bool {
    let mut all = features.examples().iter();
    all.any(|other| other.dataset == "made" && is_fitted(other) && other.question == example.question)
}

#[test]
fn collections_of_both_models_over_the_same_data_stand_beside_each_other() {
    let base = gguf::llama();
    let folder = folder(&base, &turned_up(&base), "tuned.gguf");
    collection(&folder, "one", "base.gguf", &[("made", 0..40)], 1);
    collection(&folder, "two", "tuned.gguf", &[("made", 0..50)], 2);
    collection(&folder, "three", "tuned.gguf", &[("web", 0..24)], 3);
    let printed = done(
        &folder,
        &format!("{COMMAND} --features one --features two --features three"),
    );
    let line = |data: &str| {
        let found = printed.lines().find(|line| line.trim_start().starts_with(data));
        found.unwrap_or_else(|| panic!("{data} in {printed}")).to_owned()
    };
    let made = line("made");
    assert!(made.find("20/20").unwrap() < made.find("25/25").unwrap(), "{made}");
    assert_eq!(made.matches("not known").count(), 2, "{made}");
    let web = line("web");
    assert!(web.find('–').unwrap() < web.find("12/12").unwrap(), "{web}");
}
