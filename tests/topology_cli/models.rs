//! The default model as a GGUF file, through the program, against the reference.

use std::sync::LazyLock;

use serde_json::Value;

use crate::folder::{Folder, near, numbers, oracle};
use crate::support::default_model;

/// One measurement for all tests that read it.
static MEASURED: LazyLock<(Folder, String)> = LazyLock::new(|| {
    let folder = Folder::new();
    let model = default_model();
    let said = folder.done(&["measure", model.to_str().unwrap(), "--out", "out"]);
    (folder, said)
});

fn rows() -> Vec<Value> {
    MEASURED.0.json("out/measurement.json")["record"]["nodes"]
        .as_array()
        .unwrap()
        .clone()
}

fn figure(rows: &[Value], at: (usize, &str, &str, &str), figure: &str) -> f64 {
    let (block, set, side, mode) = at;
    let is = |row: &&Value| row["block"] == block && row["set"] == set && row["side"] == side && row["mode"] == mode;
    rows.iter().find(is).unwrap_or_else(|| panic!("{at:?}"))[figure]
        .as_f64()
        .unwrap()
}

#[test]
fn curves_over_all_blocks_of_the_default_model_match_the_reference() {
    let found = rows();
    for row in oracle("smollm2_curves.json")["rows"].as_array().unwrap() {
        let block = usize::try_from(row["block"].as_u64().unwrap()).unwrap();
        for (mode, name) in [("raw", "raw"), ("folded", "gamma_folded")] {
            let figures = [
                ("ffn_in_mean", "ffn_neuron", "in", "mean"),
                ("ffn_in_std", "ffn_neuron", "in", "std"),
                ("ffn_out_mean", "ffn_neuron", "out", "mean"),
                ("ffn_out_std", "ffn_neuron", "out", "std"),
                ("ffn_strength_mean", "ffn_neuron", "strength", "mean"),
                ("ffn_fluctuation", "ffn_neuron", "strength", "std"),
                ("attn_channel_fluctuation", "attn_channel", "strength", "std"),
                ("resid_mid_fluctuation", "resid_mid", "strength", "std"),
            ];
            for (key, set, side, statistic) in figures {
                let value = figure(&found, (block, set, side, mode), statistic);
                let absolute = if statistic == "mean" { 1e-4 } else { 0.0 };
                near(
                    &format!("block {block}, {name}, {key}"),
                    &[value],
                    &numbers(&row[name][key]),
                    1e-5,
                    absolute,
                );
            }
        }
    }
}

#[test]
fn link_statistics_of_the_default_model_match_the_reference() {
    let all = MEASURED.0.json("out/measurement.json");
    let links = all["record"]["links"].as_array().unwrap();
    let expected = &oracle("smollm2_blk15.json")["layer"]["link_weights"];
    for tensor in [
        "attn_q",
        "attn_k",
        "attn_v",
        "attn_output",
        "ffn_up",
        "ffn_gate",
        "ffn_down",
    ] {
        let row = links
            .iter()
            .find(|row| row["block"] == 15 && row["tensor"] == tensor)
            .unwrap();
        for (statistic, absolute) in [
            ("mean", 1e-7),
            ("std", 0.0),
            ("l1", 0.0),
            ("l2", 0.0),
            ("min", 0.0),
            ("max", 0.0),
        ] {
            let found = row[statistic].as_f64().unwrap();
            near(
                &format!("{tensor} {statistic}"),
                &[found],
                &numbers(&expected[tensor][statistic]),
                1e-5,
                absolute,
            );
        }
    }
    // Embedding and output share one matrix in this model.
    let outside: Vec<&Value> = links.iter().filter(|row| row["block"].is_null()).collect();
    assert_eq!(outside.len(), 1);
    assert_eq!(
        (&outside[0]["tensor"], &outside[0]["n"]),
        (&"token_embd".into(), &(49152 * 576).into())
    );
}

#[test]
fn node_values_lie_where_their_header_says() {
    let (folder, _) = &*MEASURED;
    let header = folder.json("out/node_values.json");
    let bytes = std::fs::read(folder.path("out/node_values.f32")).unwrap();
    let entry = header["entries"]
        .as_array()
        .unwrap()
        .iter()
        .find(|entry| {
            entry["block"] == 15 && entry["set"] == "ffn_neuron" && entry["side"] == "out" && entry["mode"] == "folded"
        })
        .unwrap();
    let at = usize::try_from(entry["offset"].as_u64().unwrap()).unwrap();
    assert_eq!(entry["n"], 1536);
    let (values, _) = bytes[at..at + 8 * 4].as_chunks::<4>();
    let found: Vec<f64> = values.iter().map(|&bytes| f32::from_le_bytes(bytes).into()).collect();
    let expected = &oracle("smollm2_blk15.json")["layer"]["nodes"]["gamma_folded"]["ffn_neuron"]["out"]["first"];
    near("first units", &found, &numbers(expected), 1e-5, 1e-4);
}

#[test]
fn the_file_is_named_by_its_hash_and_real_strengths_stand_beside_shuffled_ones() {
    let (folder, said) = &*MEASURED;
    let all = folder.json("out/measurement.json");
    let expected = oracle("smollm2_blk15.json");
    let model = &all["record"]["model"];
    assert_eq!(model["architecture"], "llama");
    let hash = model["file_sha256"].as_str().unwrap();
    assert!(expected.to_string().contains(hash), "{hash}");
    assert_eq!(all["blocks"], 30);

    let baselines = folder.csv("out/baselines.csv");
    let blocks: Vec<&str> = baselines.iter().map(|row| row["block"].as_str()).collect();
    assert_eq!(
        baselines.len(),
        12,
        "four matrices of the first, the middle and the last block"
    );
    assert!(["0", "14", "29"].iter().all(|block| blocks.contains(block)));
    for row in &baselines {
        let number = |column: &str| row[column].parse::<f64>().unwrap();
        assert!(
            (number("in_std_shuffled") / number("in_std_independent") - 1.0).abs() < 0.12,
            "{row:?}"
        );
    }
    assert!(said.contains("30 blocks, 9 query and 3 key/value heads"), "{said}");
    assert!(said.contains("shuffled") && said.contains("ffn_down"), "{said}");
    for file in [
        "fluctuation.svg",
        "fluctuation_per_link.svg",
        "ffn_strength_divergence.svg",
        "profile.csv",
        "links.csv",
        "nodes.csv",
    ] {
        assert!(folder.path("out").join(file).is_file(), "{file}");
    }
    assert!(!folder.path("out/dynamic.csv").exists(), "no text was read");
}

#[test]
fn a_raw_profile_has_indices_against_independent_weights() {
    let rows = MEASURED.0.csv("out/profile.csv");
    assert_eq!(rows.len(), 30 * 3 * 2);
    for row in rows {
        let is_raw = row["mode"] == "raw";
        assert_eq!(row["in_index"].is_empty(), !is_raw, "{row:?}");
        let number = |column: &str| row[column].parse::<f64>().unwrap();
        let per_link = number("fluctuation") / (number("fan_in") + number("fan_out")).sqrt();
        assert!((number("per_link") - per_link).abs() < 1e-12);
        if row["set"] == "ffn_neuron" {
            assert_eq!((row["fan_in"].as_str(), row["fan_out"].as_str()), ("1152", "576"));
        }
    }
}
