//! What units of the default model do over a text, through the program, against a forward pass of the reference.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use crate::folder::{Folder, oracle};
use crate::support::{default_model, floats};

struct Found {
    rows: Vec<BTreeMap<String, String>>,
    header: Value,
    bytes: Vec<u8>,
    all: Value,
}

/// All positions, the first one too, as the reference has them.
fn measured(model: &Path, text: &str) -> Found {
    let folder = Folder::new();
    folder.write("text.txt", text);
    folder.done(&[
        "measure",
        model.to_str().unwrap(),
        "--text",
        "text.txt",
        "--keep-first",
        "--baselines",
        "none",
        "--threads",
        "1",
        "--out",
        "out",
    ]);
    Found {
        rows: folder.csv("out/dynamic.csv"),
        header: folder.json("out/flow_values.json"),
        bytes: std::fs::read(folder.path("out/flow_values.f32")).unwrap(),
        all: folder.json("out/measurement.json"),
    }
}

impl Found {
    fn figure(&self, block: &str, set: &str, metric: &str, figure: &str) -> f64 {
        let is =
            |row: &&BTreeMap<String, String>| row["block"] == block && row["set"] == set && row["metric"] == metric;
        let row = self
            .rows
            .iter()
            .find(is)
            .unwrap_or_else(|| panic!("{block} {set} {metric}"));
        assert_eq!(row["reconstruction"], "true");
        row[figure].parse().unwrap()
    }

    /// The units with the greatest mean size, the greatest first, with that size.
    fn top(&self, block: u64, count: usize) -> Vec<(u64, f32)> {
        let is = |entry: &&Value| {
            entry["block"] == block
                && entry["set"] == "ffn_neuron"
                && entry["metric"] == "activation"
                && entry["figure"] == "abs_mean"
        };
        let entry = self.header["entries"].as_array().unwrap().iter().find(is).unwrap();
        let number = |key: &str| usize::try_from(entry[key].as_u64().unwrap()).unwrap();
        let (words, _) = self.bytes[number("offset")..][..4 * number("n")].as_chunks::<4>();
        let mut units: Vec<(u64, f32)> = (0..).zip(words.iter().map(|&word| f32::from_le_bytes(word))).collect();
        units.sort_by(|one, other| other.1.total_cmp(&one.1));
        units.truncate(count);
        units
    }
}

/// How much a model's figures may depart from the reference's.
struct Room {
    /// Relative, in a block of so many.
    figures: fn(u64, u64) -> f64,
    /// Of the 8 strongest units of a block, how many must be the reference's.
    strongest: usize,
    /// By how many times more single units may be off than a block's figures.
    unit: f64,
}

fn agrees(model: &Path, room: &Room) {
    for case in oracle("smollm2_activations.json")["cases"].as_array().unwrap() {
        let found = measured(model, case["text"].as_str().unwrap());
        let tokens = case["n_tokens"].as_u64().unwrap();
        let read = &found.all["text"];
        assert_eq!((&read["tokens"], &read["counted"]), (&tokens.into(), &tokens.into()));
        let layers = case["layers"].as_array().unwrap();
        let mut departures = Vec::new();
        for layer in layers {
            let block = layer["block"].as_u64().unwrap();
            let allowed = (room.figures)(block, layers.len() as u64);
            let name = block.to_string();
            for (expected, set, metric, figure) in [
                ("act_abs_mean", "ffn_neuron", "activation", "abs_mean"),
                ("act_rms", "ffn_neuron", "activation", "rms"),
                ("neuron_fluctuation", "ffn_neuron", "neuron_strength", "std"),
                ("attn_channel_activation_rms", "attn_channel", "activation", "rms"),
            ] {
                let (found, reference) = (
                    found.figure(&name, set, metric, figure),
                    layer[expected].as_f64().unwrap(),
                );
                if (found / reference - 1.0).abs() > allowed {
                    departures.push(format!(
                        "block {block}, {expected}: {found} where the reference has {reference}"
                    ));
                }
            }
            let expected = layer["top8_neurons_by_mean_abs"].as_array().unwrap();
            let top = found.top(block, 8);
            let is_in = |unit: &&Value| top.iter().any(|(found, _)| *found == unit.as_u64().unwrap());
            let same = expected.iter().filter(is_in).count();
            if same < room.strongest {
                departures.push(format!(
                    "block {block}: {same} of the 8 strongest units are the reference's"
                ));
            }
            for (size, (unit, found)) in layer["top8_mean_abs"].as_array().unwrap().iter().zip(&top) {
                if (f64::from(*found) / size.as_f64().unwrap() - 1.0).abs() > room.unit * allowed {
                    departures.push(format!(
                        "block {block}, unit {unit}: {found} where the reference has {size}"
                    ));
                }
            }
        }
        assert!(departures.is_empty(), "{}", departures.join("\n"));
    }
}

/// Tolerances of `../shared/data/topology/README.md` for llama.cpp on the quantised file, which rounds what it multiplies to 8 bits: 5 % per block, 15 % in the
/// last three; strengths, which the page does not name, get the same.
#[test]
fn activations_and_strengths_over_a_text_match_the_reference() {
    let room = Room {
        figures: |block, blocks| if block + 3 >= blocks { 0.15 } else { 0.05 },
        strongest: 6,
        unit: 2.0,
    };
    agrees(&default_model(), &room);
}

/// The same page for a copy in 32-bit floats: a thousandth.
#[test]
fn without_rounding_they_match_the_reference_to_a_thousandth() {
    let folder = Folder::new();
    let copy = folder.path("floats.gguf");
    floats::write(&default_model(), &copy);
    let room = Room {
        figures: |_, _| 1e-3,
        // The eighth and the ninth may be as good as equal: in block 7 they are.
        strongest: 7,
        // Unit 198 of block 10, which two tokens open, is 2.2 thousandths off. llama.cpp's attention takes keys and values in 16 bits and adds up in 16 bits,
        // whatever the cache holds; the reference with only its queries, keys or values rounded to 16 bits has that unit off by up to half a thousandth.
        unit: 3.0,
    };
    agrees(&copy, &room);
}

#[test]
fn windows_begin_anew_and_their_first_positions_are_left_out() {
    let folder = Folder::new();
    folder.write(
        "text.txt",
        "The river rises in the hills above the old town. ".repeat(20),
    );
    let model = default_model();
    let said = folder.done(&[
        "measure",
        model.to_str().unwrap(),
        "--text",
        "text.txt",
        "--window",
        "32",
        "--tokens",
        "100",
        "--baselines",
        "none",
        "--threads",
        "1",
        "--out",
        "out",
    ]);
    let read = folder.json("out/measurement.json")["text"].clone();
    assert_eq!(read["text"], "text.txt");
    assert_eq!(
        (&read["tokens"], &read["windows"], &read["counted"]),
        (&100.into(), &4.into(), &96.into())
    );
    assert!(
        said.contains("100 tokens in 4 windows of 32, position 0 of each left out"),
        "{said}"
    );
    let rows = folder.csv("out/dynamic.csv");
    assert!(rows.iter().all(|row| row["n_inputs"] == "96"));
    let sets: std::collections::BTreeSet<&str> = rows.iter().map(|row| row["set"].as_str()).collect();
    let expected = ["attn_channel", "ffn_neuron", "resid_mid", "resid_out"];
    assert!(sets.iter().eq(expected.iter()), "{sets:?}");
    // The stream before the FFN is normalised, so that its mean square is 1.
    for row in rows
        .iter()
        .filter(|row| row["set"] == "resid_mid" && row["metric"] == "activation")
    {
        assert!((row["rms"].parse::<f64>().unwrap() - 1.0).abs() < 0.01, "{row:?}");
    }
    let figures = ["activation.svg", "neuron_fluctuation.svg"];
    assert!(figures.iter().all(|figure| folder.path("out").join(figure).is_file()));
}
