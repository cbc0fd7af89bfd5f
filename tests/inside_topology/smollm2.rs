//! The default model's blocks. What is captured while it runs (`smollm2_activations.json`) needs llama.cpp and is tested where it is.

use std::sync::LazyLock;

use serde_json::Value;
use widedeep::inside::topology::{
    Decoder, Heads, Measure, Mode, Set, Skip, Summary, Topology, Weights, Wiring, jensen_shannon, tensor_links,
    topology,
};

use crate::gguf::{Gguf, default_model};
use crate::oracle::{Within, file, numbers};
use crate::toy::each_measure;

static MODEL: LazyLock<Gguf> = LazyLock::new(default_model);

static FOUND: LazyLock<Topology> = LazyLock::new(|| {
    let heads = Heads { query: 9, key_value: 3 };
    let decoder = Decoder::find(&*MODEL, heads, Wiring::Sequential).unwrap();
    assert_eq!(decoder.blocks.len(), 30);
    topology(&*MODEL, &decoder, Skip::Left, |_| {}).unwrap()
});

const MODES: [(Mode, &str); 2] = [(Mode::Raw, "raw"), (Mode::Folded, "gamma_folded")];

#[test]
fn link_statistics_of_a_real_block_match_the_reference() {
    let expected = &file("smollm2_blk15.json")["layer"]["link_weights"];
    for (tensor, expected) in expected.as_object().unwrap() {
        let links = if tensor.ends_with("norm") {
            tensor_links(&*MODEL, &format!("blk.15.{tensor}.weight"))
                .unwrap()
                .unwrap()
        } else {
            let wanted = FOUND
                .links
                .iter()
                .find(|links| links.block == Some(15) && links.tensor == *tensor);
            wanted.unwrap().clone()
        };
        Within(1e-5, 1e-7).summary(tensor, &links.summary, expected);
        let counts = numbers(&expected["hist64"]["counts"]);
        assert_eq!(counts.len(), links.histogram.counts.len(), "{tensor}");
        for (bin, (found, expected)) in links.histogram.counts.iter().zip(counts).enumerate() {
            assert!(
                (*found as f64 - expected).abs() <= 3.0,
                "{tensor}, bin {bin}: {found} where the oracle has {expected}"
            );
        }
    }
}

#[test]
fn strengths_of_a_real_block_match_the_reference() {
    let expected = &file("smollm2_blk15.json")["layer"]["nodes"];
    let within = Within(1e-5, 1e-4);
    for (mode, name) in MODES {
        each_measure(&expected[name], &FOUND, 15, mode, |what, values, expected| {
            if expected.is_number() {
                return within.one(what, values[0], expected);
            }
            // Disparities are a few thousandths, so that 1e-4 would forgive too much.
            let within = if what.contains("disparity") {
                Within(1e-5, 1e-9)
            } else {
                within
            };
            let summary = Summary::of(values).unwrap();
            for (figure, found) in [("mean", summary.mean), ("min", summary.min), ("max", summary.max)] {
                within.one(&format!("{what}: {figure}"), found, &expected[figure]);
            }
            for (figure, found) in [("std", summary.std), ("l1", summary.l1), ("l2", summary.l2)] {
                Within(1e-5, 0.0).one(&format!("{what}: {figure}"), found, &expected[figure]);
            }
            within.all(what, &summary.quantiles, &expected["quantiles_1_5_25_50_75_95_99"]);
            within.all(what, &values[..8], &expected["first"]);
            for (extreme, found) in [("argmax", summary.max), ("argmin", summary.min)] {
                let at = usize::try_from(expected[extreme].as_u64().unwrap()).unwrap();
                assert!((values[at] - found).abs() < 1e-12, "{what}: {extreme}");
            }
        });
    }
}

#[test]
fn curves_over_all_blocks_match_the_reference() {
    for row in file("smollm2_curves.json")["rows"].as_array().unwrap() {
        let block = usize::try_from(row["block"].as_u64().unwrap()).unwrap();
        for (mode, name) in MODES {
            let summary = |set, measure| Summary::of(FOUND.values(block, set, measure, mode).unwrap()).unwrap();
            let arriving = summary(Set::FfnNeuron, Measure::In);
            let leaving = summary(Set::FfnNeuron, Measure::Out);
            let strength = summary(Set::FfnNeuron, Measure::Strength);
            let figures = [
                ("ffn_in_mean", arriving.mean),
                ("ffn_in_std", arriving.std),
                ("ffn_out_mean", leaving.mean),
                ("ffn_out_std", leaving.std),
                ("ffn_strength_mean", strength.mean),
                ("ffn_fluctuation", strength.std),
                (
                    "attn_channel_fluctuation",
                    summary(Set::AttnChannel, Measure::Strength).std,
                ),
                ("resid_mid_fluctuation", summary(Set::ResidMid, Measure::Strength).std),
            ];
            assert_eq!(figures.len(), row[name].as_object().unwrap().len());
            for (figure, found) in figures {
                let within = if figure.ends_with("mean") {
                    Within(1e-5, 1e-4)
                } else {
                    Within(1e-5, 0.0)
                };
                within.one(&format!("block {block}, {name}, {figure}"), found, &row[name][figure]);
            }
        }
    }
}

#[test]
fn divergences_between_real_blocks_match_the_reference() {
    let expected: Value = file("smollm2_blk15.json")["between"].clone();
    let values = |block: usize| {
        let name = format!("blk.{block}.ffn_down.weight");
        let mut values = Vec::new();
        MODEL
            .read(&name, 0..MODEL.shape(&name).unwrap().rows, &mut values)
            .unwrap();
        values.into_iter().map(f64::from).collect::<Vec<f64>>()
    };
    for (block, name) in [
        (14, "ffn_down_blk15_vs_blk14_js_bits"),
        (0, "ffn_down_blk15_vs_blk0_js_bits"),
    ] {
        let bits = jensen_shannon(&values(15), &values(block), 256).unwrap();
        Within(0.0, 1e-4).one(name, bits, &expected[name]["js_bits"]);
        // The absolute tolerance alone would let nearly anything pass.
        Within(0.02, 0.0).one(name, bits, &expected[name]["js_bits"]);
    }
}
