//! Where H-units come from: pairs of models whose difference is known.

mod transfer;

use std::path::Path;
use std::process::{Command, Output, Stdio};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;
use widedeep::inside::hallucination::detector::Weighted;
use widedeep::inside::hallucination::{Detector, ModelId};
use widedeep::inside::language::Shape;

use super::support::gguf::{self, Field, Gguf, LAYERS, UNITS, WIDTH};
use super::{Folder, made_up, support, text};
use transfer::collection;

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
