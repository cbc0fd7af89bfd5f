//! Where H-units come from: pairs of models whose difference is known, and collections of both.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;
use widedeep::inside::hallucination::detector::Weighted;
use widedeep::inside::hallucination::split::Role;
use widedeep::inside::hallucination::study::{self, Plan, Record};
use widedeep::inside::hallucination::{Detector, Example, Features, ModelId, Part, Provenance, Truth, Writer};
use widedeep::inside::language::{Shape, files};

use super::support::gguf::{self, Field, Gguf, LAYERS, UNITS, WIDTH};
use super::{Folder, made_up, rule, support, text};

const SHAPE: Shape = Shape {
    layers: LAYERS,
    width: UNITS,
};

/// Six units of positive weight; the one of negative weight is no H-unit.
const H_UNITS: [(usize, usize); 6] = [(0, 3), (0, 20), (0, 47), (1, 0), (1, 9), (1, 30)];
const NEGATIVE: (usize, usize) = (1, 12);

const COMMAND: &str = "--base base.gguf --tuned tuned.gguf --detector detector.json";

fn origin(folder: &Folder, arguments: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_widedeep"))
        .args(["detect", "origin"])
        .args(arguments.split_whitespace())
        .current_dir(folder.path(""))
        .env("COLUMNS", "120")
        .env_remove("RUST_LOG")
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn done(folder: &Folder, arguments: &str) -> String {
    let output = origin(folder, arguments);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    text(&output.stdout)
}

fn json(folder: &Folder, arguments: &str) -> Value {
    serde_json::from_str(&done(folder, &format!("{arguments} --json"))).unwrap()
}

fn refused(folder: &Folder, arguments: &str) -> String {
    let output = origin(folder, arguments);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stdout));
    assert_eq!(text(&output.stdout), "");
    text(&output.stderr)
}

/// Writes a tensor anew.
fn changed(file: Gguf, name: &str, size: [usize; 2], change: impl Fn(&mut Vec<f32>)) -> Gguf {
    let mut values = file.values(name);
    change(&mut values);
    file.without(|other| other == name).floats(name, &size, &values)
}

/// A copy in which the up and down vectors of some units point elsewhere, each a different way.
fn turned(mut file: Gguf, is_turned: impl Fn((usize, usize)) -> bool) -> Gguf {
    for layer in 0..LAYERS {
        let noise = |seed: u64, unit: usize, dimension: usize| {
            let mut rng = ChaCha8Rng::seed_from_u64(seed + (layer * 10_000 + unit * 100 + dimension) as u64);
            rng.random_range(-0.02_f32..0.02)
        };
        let units: Vec<usize> = (0..UNITS).filter(|&unit| is_turned((layer, unit))).collect();
        file = changed(file, &format!("blk.{layer}.ffn_up.weight"), [WIDTH, UNITS], |values| {
            for &unit in &units {
                for dimension in 0..WIDTH {
                    values[unit * WIDTH + dimension] += noise(0, unit, dimension);
                }
            }
        });
        file = changed(
            file,
            &format!("blk.{layer}.ffn_down.weight"),
            [UNITS, WIDTH],
            |values| {
                for &unit in &units {
                    for dimension in 0..WIDTH {
                        values[dimension * UNITS + unit] += noise(1 << 40, unit, dimension);
                    }
                }
            },
        );
    }
    file
}

/// A detector of these units for a tiny model.
fn detector(model: &Path) -> Detector {
    let mut units: Vec<Weighted> = H_UNITS
        .into_iter()
        .map(|(layer, index)| Weighted {
            layer,
            index,
            weight: 2.0,
        })
        .collect();
    units.push(Weighted {
        layer: NEGATIVE.0,
        index: NEGATIVE.1,
        weight: -3.0,
    });
    units.sort_by_key(|unit| (unit.layer, unit.index));
    Detector {
        units,
        ..made_up(model)
    }
}

/// A folder with `base.gguf`, `tuned.gguf` and a detector of one of them.
fn folder(base: &Gguf, tuned: &Gguf, detector_of: &str) -> Folder {
    let folder = Folder::new();
    base.write(&folder.path("base.gguf"));
    tuned.write(&folder.path("tuned.gguf"));
    detector(&folder.path(detector_of))
        .write(&folder.path("detector.json"))
        .unwrap();
    folder
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

fn assert_close(found: &Value, expected: f64) {
    assert!((number(found) - expected).abs() < 1e-9, "{found} is not {expected}");
}

fn cosine_distance(one: &[f32], other: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum::<f64>();
    1.0 - dot(one, other) / (dot(one, one) * dot(other, other)).sqrt()
}

#[test]
fn h_units_that_tuning_left_alone_rank_near_one() {
    let base = gguf::llama();
    let tuned = turned(base.clone(), |unit| !H_UNITS.contains(&unit));
    let folder = folder(&base, &tuned, "tuned.gguf");
    let printed = done(&folder, &format!("{COMMAND} --draws 499 --out out"));
    let found: Value = serde_json::from_str(&folder.read("out/origin.json")).unwrap();
    assert_eq!(found, json(&folder, &format!("{COMMAND} --draws 499")));
    assert_eq!(found["detector_of"], "tuned");
    assert_eq!((&found["h_units"], &found["moved"]), (&6.into(), &90.into()));
    assert_eq!(found["h_units_moved"]["up"], 0.0);
    assert_eq!(found["remarks"], serde_json::json!([]));
    let variants = found["stability"].as_array().unwrap();
    let names: Vec<(&str, &str)> = variants
        .iter()
        .map(|found| (found["modules"].as_str().unwrap(), found["scaling"].as_str().unwrap()))
        .collect();
    assert_eq!(
        names,
        [
            ("up-down", "model"),
            ("up-down", "layer"),
            ("gate-up-down", "model"),
            ("gate-up-down", "layer")
        ]
    );
    // The six share the last six of 96 places: (90 + 95)/2 of 95.
    assert_close(&variants[0]["mean_rank"], 92.5 / 95.0);
    assert_close(&variants[0]["others_mean_rank"], 44.5 / 95.0);
    for found in variants {
        assert!(number(&found["mean_rank"]) > 0.95, "{found}");
        assert!(number(&found["rank_test"]["larger"]) < 1e-4, "{found}");
        assert!(number(&found["t_test"]) < 1e-4, "{found}");
        assert_close(&found["layer_matched"], 1.0 / 500.0);
    }
    for expected in [
        "6 H-units of 96 units",
        "90 of 96 units point elsewhere",
        "0.974",
        "0.0020",
    ] {
        assert!(printed.contains(expected), "{expected} in {printed}");
    }
    assert!(printed.find("up, down").unwrap() < printed.find("gate, up, down").unwrap());
    assert!(!printed.contains("NaN") && !printed.contains("Transfer"), "{printed}");
    assert!(folder.read("out/ranks.svg").contains("mean 0.974"));
}

#[test]
fn h_units_that_tuning_moved_rank_near_zero() {
    let base = gguf::llama();
    let tuned = turned(base.clone(), |unit| H_UNITS.contains(&unit));
    let folder = folder(&base, &tuned, "base.gguf");
    let found = json(&folder, &format!("{COMMAND} --out out"));
    assert_eq!((&found["detector_of"], &found["moved"]), (&"base".into(), &6.into()));
    for found in found["stability"].as_array().unwrap() {
        assert!(number(&found["mean_rank"]) < 0.05, "{found}");
        for p in [&found["rank_test"]["larger"], &found["t_test"], &found["layer_matched"]] {
            assert!(number(p) > 0.99, "{found}");
        }
    }

    // Every H-unit with what its vectors say.
    let mut reader = csv::Reader::from_path(folder.path("out/units.csv")).unwrap();
    assert_eq!(
        reader.headers().unwrap(),
        vec!["layer", "index", "weight", "gate", "up", "down", "change", "rank"]
    );
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let mut ranks = Vec::new();
    for (row, (layer, unit)) in rows.iter().zip(H_UNITS) {
        assert_eq!((&row[0], &row[1]), (&*layer.to_string(), &*unit.to_string()));
        assert_eq!(
            (&row[2], &row[3]),
            ("2", "0"),
            "its weight, and no movement of the gate"
        );
        let name = format!("blk.{layer}.ffn_up.weight");
        let up = |file: &Gguf| file.values(&name)[unit * WIDTH..][..WIDTH].to_vec();
        let expected = cosine_distance(&up(&base), &up(&tuned));
        assert!((row[4].parse::<f64>().unwrap() - expected).abs() < 1e-9);
        let name = format!("blk.{layer}.ffn_down.weight");
        let down = |file: &Gguf| -> Vec<f32> { file.values(&name).into_iter().skip(unit).step_by(UNITS).collect() };
        let expected = cosine_distance(&down(&base), &down(&tuned));
        assert!((row[5].parse::<f64>().unwrap() - expected).abs() < 1e-9);
        ranks.push(row[7].parse::<f64>().unwrap());
    }
    ranks.sort_by(f64::total_cmp);
    let places: Vec<f64> = (0..6).map(|place| f64::from(place) / 95.0).collect();
    assert_eq!(ranks.len(), 6);
    assert!(
        ranks
            .iter()
            .zip(places)
            .all(|(rank, place)| (rank - place).abs() < 1e-9),
        "{ranks:?}"
    );
}

#[test]
fn units_chosen_at_random_say_nothing() {
    let base = gguf::llama();
    let tuned = turned(base.clone(), |_| true);
    let folder = folder(&base, &tuned, "tuned.gguf");
    let found = json(&folder, COMMAND);
    for found in found["stability"].as_array().unwrap() {
        for p in [&found["rank_test"]["larger"], &found["t_test"], &found["layer_matched"]] {
            assert!((0.02..0.98).contains(&number(p)), "{found}");
        }
    }
    let again = json(&folder, COMMAND);
    assert_eq!(found, again, "the same seed draws the same sets");
    let other = json(&folder, &format!("{COMMAND} --seed 7 --draws 0"));
    assert_eq!(other["stability"][0]["layer_matched"], Value::Null);
    assert_eq!(other["stability"][0]["mean_rank"], found["stability"][0]["mean_rank"]);
}

#[test]
fn files_that_differ_in_no_direction_are_said_to() {
    let base = gguf::llama();
    let same = folder(&base, &base, "tuned.gguf");
    let printed = done(&same, COMMAND);
    assert!(
        printed.contains("no unit moved") && printed.contains("one and the same file"),
        "{printed}"
    );
    assert!(
        !printed.contains("NaN") && !printed.contains("p, rank test"),
        "{printed}"
    );

    // Other lengths are another file, but no other direction.
    let longer = changed(base.clone(), "blk.1.ffn_up.weight", [WIDTH, UNITS], |values| {
        for value in &mut values[5 * WIDTH..9 * WIDTH] {
            *value *= 0.3;
        }
    });
    let scaled = folder(&base, &longer, "tuned.gguf");
    let found = json(&scaled, &format!("{COMMAND} --out out"));
    assert_eq!(
        (&found["moved"], &found["stability"]),
        (&0.into(), &serde_json::json!([]))
    );
    let remark = found["remarks"][0].as_str().unwrap();
    assert!(
        remark.starts_with("no unit moved") && !remark.contains("same file"),
        "{remark}"
    );
    assert_eq!(scaled.read("out/units.csv").lines().count(), 1, "the header alone");
    assert!(!scaled.path("out/ranks.svg").exists());
}

#[test]
fn a_movement_of_gates_alone_is_ranked_with_gates_alone() {
    let base = gguf::llama();
    let tuned = changed(base.clone(), "blk.0.ffn_gate.weight", [WIDTH, UNITS], |values| {
        values[7 * WIDTH] += 1.0;
    });
    let folder = folder(&base, &tuned, "tuned.gguf");
    let found = json(&folder, COMMAND);
    assert_eq!(found["moved"], 1);
    let variants = found["stability"].as_array().unwrap();
    assert_eq!(variants.len(), 2);
    assert!(variants.iter().all(|found| found["modules"] == "gate-up-down"));
    assert!(found["remarks"][0].as_str().unwrap().contains("nothing to rank"));
}

#[test]
fn gates_are_found_where_the_architecture_has_them() {
    // Gate and up in one tensor, the gate's rows first.
    let base = gguf::fused();
    let tuned = changed(base.clone(), "blk.0.ffn_up.weight", [WIDTH, 2 * UNITS], |values| {
        values[3 * WIDTH] += 1.0;
        values[(UNITS + 20) * WIDTH] += 1.0;
    });
    let fused = folder(&base, &tuned, "tuned.gguf");
    done(&fused, &format!("{COMMAND} --out out"));
    let mut reader = csv::Reader::from_path(fused.path("out/units.csv")).unwrap();
    let turned: Vec<[bool; 3]> = reader
        .records()
        .map(|row| {
            let row = row.unwrap();
            [3, 4, 5].map(|column| row[column].parse::<f64>().unwrap() > 0.0)
        })
        .collect();
    assert_eq!(turned[..3], [[true, false, false], [false, true, false], [false; 3]]);

    let base = gguf::ungated();
    let tuned = turned_up(&base);
    let ungated = folder(&base, &tuned, "tuned.gguf");
    let found = json(&ungated, COMMAND);
    assert_eq!(found["stability"].as_array().unwrap().len(), 2);
    assert_eq!(found["others_moved"]["gate"], Value::Null);
}

fn turned_up(base: &Gguf) -> Gguf {
    changed(base.clone(), "blk.0.ffn_up.weight", [WIDTH, UNITS], |values| {
        for (nth, value) in values.iter_mut().enumerate() {
            *value += (nth % 13) as f32 / 100.0;
        }
    })
}

#[test]
fn a_detector_without_h_units_is_told_so() {
    let base = gguf::llama();
    let folder = folder(&base, &turned_up(&base), "tuned.gguf");
    let mut detector = detector(&folder.path("tuned.gguf"));
    detector.units.retain(|unit| unit.weight < 0.0);
    detector.write(&folder.path("detector.json")).unwrap();
    let printed = done(&folder, COMMAND);
    assert!(
        printed.contains("0 H-units") && printed.contains("no H-units (no unit of positive weight)"),
        "{printed}"
    );
    assert!(
        !printed.contains("NaN") && !printed.contains("p, rank test"),
        "{printed}"
    );
}

#[test]
fn rounded_weights_and_two_formats_are_remarked_on() {
    let base = gguf::llama();
    let name = "blk.1.ffn_down.weight";
    let halves: Vec<u8> = base
        .values(name)
        .iter()
        .flat_map(|&value| half::f16::from_f32(value).to_le_bytes())
        .collect();
    let tuned = base
        .clone()
        .without(|other| other == name)
        .bytes(name, &[UNITS, WIDTH], 1, halves);
    let mixed = folder(&base, &tuned, "tuned.gguf");
    let printed = done(&mixed, COMMAND);
    assert!(printed.contains("F32 (base) and F16, F32 (tuned)"), "{printed}");
    assert!(printed.contains("can fake the ranks"), "{printed}");
    // Rounding alone turned the vectors of a layer, which is why there is a remark.
    assert!(printed.contains("48 of 96 units point elsewhere"), "{printed}");

    let model = support::default_model();
    let quantised = Folder::new();
    made_up(&model).write(&quantised.path("detector.json")).unwrap();
    let model = model.display();
    let found = json(
        &quantised,
        &format!("--base {model} --tuned {model} --detector detector.json"),
    );
    let remarks: Vec<&str> = found["remarks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| r.as_str().unwrap())
        .collect();
    assert!(
        remarks.iter().any(|remark| remark.contains("rounding below 16 bits")),
        "{remarks:?}"
    );
    assert_eq!((&found["moved"], &found["h_units"]), (&0.into(), &2.into()));
}

#[test]
fn models_that_are_no_pair_are_refused_with_what_differs() {
    let base = gguf::llama();
    let narrow = base
        .clone()
        .without(|name| name.contains(".ffn_up") || name.contains(".ffn_gate") || name.contains(".ffn_down"));
    let narrow = (0..LAYERS).fold(narrow, |file, layer| {
        let name = |part: &str| format!("blk.{layer}.{part}.weight");
        let values = vec![0.5; WIDTH * 32];
        file.floats(&name("ffn_gate"), &[WIDTH, 32], &values)
            .floats(&name("ffn_up"), &[WIDTH, 32], &values)
            .floats(&name("ffn_down"), &[32, WIDTH], &values)
    });
    let error = refused(&folder(&base, &narrow, "base.gguf"), COMMAND);
    assert!(error.contains("units per layer (48 and 32)"), "{error}");
    assert!(!error.contains("layers ("), "only what differs: {error}");

    let error = refused(&folder(&base, &gguf::ungated(), "base.gguf"), COMMAND);
    assert!(
        error.contains("base model is a `llama` and the tuned one a `gpt2`"),
        "{error}"
    );

    let short = base.clone().without(|name| name == "blk.1.ffn_up.weight").floats(
        "blk.1.ffn_up.weight",
        &[WIDTH, 40],
        &[0.5; WIDTH * 40],
    );
    let error = refused(&folder(&base, &short, "base.gguf"), COMMAND);
    assert!(
        error.contains("`blk.1.ffn_up.weight` has 48 rows of 32 numbers in the base model and 40 of 32"),
        "{error}"
    );

    let damaged = changed(base.clone(), "blk.1.ffn_down.weight", [UNITS, WIDTH], |values| {
        values[UNITS + 5] = f32::NAN;
    });
    let error = refused(&folder(&base, &damaged, "base.gguf"), COMMAND);
    assert!(
        error.contains("unit 5 of `blk.1.ffn_down.weight` holds a weight that is not finite"),
        "{error}"
    );
}

#[test]
fn what_belongs_to_a_third_model_is_refused() {
    let base = gguf::llama();
    let third = base.clone().field("general.name", Field::Text("third".to_owned()));
    let folder = folder(&base, &turned_up(&base), "tuned.gguf");
    third.write(&folder.path("third.gguf"));
    detector(&folder.path("third.gguf"))
        .write(&folder.path("other.json"))
        .unwrap();
    let error = refused(
        &folder,
        "--base base.gguf --tuned tuned.gguf --detector other.json --out out",
    );
    let id = ModelId::of(&folder.path("third.gguf"), "third").unwrap();
    assert!(
        error.contains(&format!("with SHA-256 {}", id.sha256))
            && error.contains("one of the two must be the very file"),
        "{error}"
    );

    collection(&folder, "foreign", "third.gguf", &[("made", 0..20)], 1);
    let error = refused(&folder, &format!("{COMMAND} --features foreign --out out"));
    assert!(
        error.contains("`foreign` holds features of") && error.contains(&id.sha256.to_string()),
        "{error}"
    );
    let error = refused(&folder, &format!("{COMMAND} --features nowhere"));
    assert!(error.contains("`nowhere` holds no features"), "{error}");
    assert!(!folder.path("out").exists(), "nothing is written");
}

/// Features of some questions of some data sets, taken from a model: two units are larger where the answer is wrong.
fn collection(
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
