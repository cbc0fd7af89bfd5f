//! Units of functions, found, removed and routed by; how sparse layers are, and how their units group.

use std::path::Path;

use widedeep::inside::bricks::record::{Brick, Members};
use widedeep::inside::bricks::{Matrix, partition::Groups};
use widedeep::inside::edit::read_units;
use widedeep::inside::masonry::partition::{Settings, partition};
use widedeep::inside::masonry::profiles::Presentation;
use widedeep::inside::masonry::sparsity::{self, capture};
use widedeep::llama::{Ffn, Gate, Weights};

use super::support::{default_model, gguf};
use super::{SMALL_TEXT, TEXT, bricks, folder, json, load, predict, refused, tap};

/// Every function's texts of the program, the first twelve of each.
const FEW: [&str; 4] = ["--most", "12", "--context", "64"];

fn with<'a>(command: &'a str, model: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&[command, model], &FEW[..], more].concat()
}

#[test]
fn the_units_of_functions_are_found_kept_removed_and_routed_by() {
    let folder = folder();
    let model = default_model();
    let name = model.to_str().unwrap();
    let said = bricks(
        folder.path(),
        &with("specialise", name, &["--permutations", "10", "--out", "out"]),
    );
    for function in ["code", "mathematics", "prose", "german", "dialogue"] {
        assert!(said.contains(function));
        let path = folder.path().join(format!("out/{function}.json"));
        let brick = Brick::read(&path).unwrap();
        // A twentieth of 1,536 units in each of 30 layers.
        assert!(matches!(&brick.members, Members::UnitSet { units } if units.len() == 76 * 30));
        let ffn = Ffn {
            layers: 30,
            units: 1536,
            width: 576,
            gate: Gate::Separate,
        };
        assert_eq!(read_units(&path, &ffn).unwrap().len(), 2280);
    }
    let found = json(&folder.path().join("out/specialise.json"));
    let layers = found["layers"].as_array().unwrap();
    assert_eq!(layers.len(), 30);
    // German is told from the rest by single units, also by units that other texts chose.
    let german = 3;
    let held: Vec<f64> = layers
        .iter()
        .map(|layer| layer["held_out"][german]["held_out"].as_f64().unwrap())
        .collect();
    let all: Vec<f64> = layers
        .iter()
        .map(|layer| layer["held_out"][german]["all_units"].as_f64().unwrap())
        .collect();
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    assert!(mean(&held) > mean(&all) + 0.2, "{} {}", mean(&held), mean(&all));
    for file in ["scores.csv", "overlap.csv", "specialisation.svg", "profiles.npy"] {
        assert!(
            folder.path().join("out").join(file).metadata().unwrap().len() > 100,
            "{file}"
        );
    }
    // What NumPy opens: 60 texts of all units.
    let profiles = std::fs::read(folder.path().join("out/profiles.npy")).unwrap();
    assert!(profiles.starts_with(b"\x93NUMPY\x01\x00"));
    assert_eq!(profiles.len(), 128 + 60 * 30 * 1536 * 4);

    // A cut file is completed, to the same bytes.
    std::fs::write(folder.path().join("out/profiles.npy"), &profiles[..profiles.len() / 2]).unwrap();
    let again = bricks(
        folder.path(),
        &with("specialise", name, &["--permutations", "10", "--out", "out"]),
    );
    assert_eq!(said, again);
    assert!(std::fs::read(folder.path().join("out/profiles.npy")).unwrap() == profiles);

    let more = [
        "--random",
        "2",
        "--remove",
        "german",
        "--pruned",
        "pruned.gguf",
        "--out",
        "out",
    ];
    let said = bricks(folder.path(), &with("prune", name, &more));
    let table = json(&folder.path().join("out/pruning.json"));
    let rows = table["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 5 + 2 + 1);
    let rise = |row: usize, column: usize| rows[row]["percent_increase"][column].as_f64().unwrap();
    assert!(
        rise(german, german) > rise(5, german) && rise(german, german) > rise(6, german),
        "{said}"
    );
    assert!(folder.path().join("out/pruning.svg").is_file());
    // What was measured is not measured again.
    assert_eq!(bricks(folder.path(), &with("prune", name, &more)), said);
    let cells = json(&folder.path().join("out/pruning-cells.json"));
    assert_eq!(cells["cells"].as_object().unwrap().len(), 9);
    // The pruned file is the model without these units.
    assert!(!predict(&model, TEXT).same_bits(&predict(&folder.path().join("pruned.gguf"), TEXT)));

    let said = bricks(folder.path(), &with("route", name, &["--out", "out"]));
    let routing = json(&folder.path().join("out/routing.json"));
    assert!(routing["by_signature"]["accuracy"].as_f64().unwrap() > 0.5, "{said}");
    assert_eq!(routing["by_signature"]["queries"], 30);
    let query = "Das Wetter wird morgen schön, und wir gehen in den Wald.";
    let said = bricks(
        folder.path(),
        &["route", name, "--query", query, "--router", "out/router.json"],
    );
    assert!(said.starts_with("german (margin"), "{said}");
}

#[test]
fn sparsity_is_measured_layer_by_layer() {
    let folder = folder();
    let model = default_model();
    let name = model.to_str().unwrap();
    bricks(
        folder.path(),
        &with("sparsity", name, &["--tokens", "12", "--out", "out"]),
    );
    let layers = json(&folder.path().join("out/sparsity.json"));
    let layers = layers.as_array().unwrap();
    assert_eq!(layers.len(), 30);
    for layer in layers {
        let figures = &layer[1];
        assert_eq!(figures["tokens"], 12);
        // By magnitude the same mask costs less, or hardly more.
        let masked = |indicator: usize| {
            figures["distributions"][indicator]["masks"][3]["mean_cett"]
                .as_f64()
                .unwrap()
        };
        assert!(masked(1) < masked(0) + 0.05, "{layer}");
        let below = figures["distributions"][0]["below"][2][1].as_f64().unwrap();
        assert!((0.8..1.0).contains(&below), "{below}");
    }
    let table = std::fs::read_to_string(folder.path().join("out/sparsity.csv")).unwrap();
    assert!(table.starts_with("layer,measure,indicator,at,value,sparsity\n0,below,activation,0.05,"));
}

#[test]
fn the_units_of_a_layer_are_grouped_beside_chance() {
    let folder = folder();
    let model = default_model();
    let name = model.to_str().unwrap();
    let more = [
        "--layers",
        "4",
        "--tokens",
        "128",
        "--draws",
        "2",
        "--experts",
        "24",
        "--out",
        "out",
    ];
    let said = bricks(folder.path(), &with("partition", name, &more));
    let found = json(&folder.path().join("out/partition.json"));
    let layer = &found[0];
    assert_eq!(layer["layer"], 4);
    let sizes: u64 = layer["sizes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|size| size.as_u64().unwrap())
        .sum();
    assert_eq!(sizes, 1536);
    let observed = layer["modularity"]["observed"].as_f64().unwrap();
    let by_chance: Vec<f64> = layer["modularity"]["null"]
        .as_array()
        .unwrap()
        .iter()
        .map(|value| value.as_f64().unwrap())
        .collect();
    assert!(by_chance.iter().all(|&chance| observed > chance), "{said}");
    let table = std::fs::read_to_string(folder.path().join("out/groups.csv")).unwrap();
    assert_eq!(table.lines().count(), 1537);
    assert!(folder.path().join("out/coactivation-4.svg").is_file());
}

#[test]
fn small_models_without_a_gate_are_grouped_too() {
    let folder = folder();
    let path = folder.path().join("small.gguf");
    gguf::ungated().write(&path);
    let model = load(&path);
    let captured = capture(&mut tap(&model), &[SMALL_TEXT], Presentation::Plain, 100).unwrap();
    assert_eq!(
        (captured.tokens(), captured.layers()),
        (SMALL_TEXT.len() - 1, gguf::LAYERS)
    );
    let weights = Weights::open(&path).unwrap();
    let settings = Settings {
        cett: 0.2,
        neighbours: 8,
        resolution: 1.0,
        draws: 2,
        experts: 4,
        top: 0.05,
        seed: 0,
    };
    let found = partition(&captured, &weights, &[0, 1], &[], &settings, &mut |_, _| {}).unwrap();
    assert_eq!(found.len(), 2);
    assert_eq!(found[1].experts.sizes(), [12, 12, 12, 12]);
    let of_units: &Groups = &found[0].communities;
    assert_eq!(of_units.of_unit().len(), gguf::UNITS);
    let down: Matrix<f32> = sparsity::down(&weights, 1).unwrap();
    assert_eq!((down.rows(), down.columns()), (gguf::WIDTH, gguf::UNITS));
}

#[test]
fn texts_come_from_folders_and_lines_and_mistakes_are_named() {
    let folder = folder();
    let model = default_model();
    let name = model.to_str().unwrap();
    let texts = folder.path().join("texts");
    std::fs::create_dir(&texts).unwrap();
    let write = |name: &str, text: &str| std::fs::write(texts.join(name), text).unwrap();
    write(
        "loud.txt",
        "HELLO THERE YOU!\n\nWHAT A DAY THIS IS.\n\nSTOP THAT NOW.\n\nNO WAY AT ALL.\n",
    );
    write(
        "quiet.jsonl",
        "{\"prompt\": \"hello there\"}\n{\"text\": \"what a day this is\"}\n{\"prompt\": \"stop that\"}\n{\"prompt\": \"no way\"}\n",
    );
    write("notes.md", "not read");
    let said = bricks(
        folder.path(),
        &["route", name, "--functions", "texts", "--plain", "--out", "out"],
    );
    assert!(said.contains("loud") && said.contains("quiet"), "{said}");
    write("quiet.jsonl", "{\"prompt\": \"hello\"}\n{\"promt\": \"x\"}\n");
    let said = refused(folder.path(), &["route", name, "--functions", "texts", "--out", "out"]);
    assert!(said.contains("quiet.jsonl:2`") && said.contains("`prompt`"), "{said}");
    let said = refused(folder.path(), &["specialise", name, "--only", "french", "--out", "out"]);
    assert!(
        said.contains("there is no function `french`; there are code, mathematics"),
        "{said}"
    );
    let said = refused(folder.path(), &["specialise", name, "--only", "code", "--out", "out"]);
    assert!(said.contains("specialisation compares functions"), "{said}");
    let router = Path::new("no-router.json");
    let said = refused(
        folder.path(),
        &["route", name, "--query", "x", "--router", router.to_str().unwrap()],
    );
    assert!(said.contains("failed to read `no-router.json`"), "{said}");
}
