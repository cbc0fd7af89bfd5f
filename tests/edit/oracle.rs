//! The default model steered as an independent implementation did it (`bricks/lora_runtime.json`: dequantised weights, 64-bit arithmetic).

use serde::Deserialize;
use widedeep::inside::bricks::UnitSet;
use widedeep::inside::edit::{Predictions, Store, live, rewrite};
use widedeep::inside::masonry::adapters::build_in;
use widedeep::llama::{Adapter, AdapterFile, Format};

use super::support::{default_model, shared};
use super::{default_in_floats, folder, load, set, tap};

#[derive(Deserialize)]
struct Oracle {
    target: String,
    rank: usize,
    alpha: f32,
    text: String,
    token_ids: Vec<i32>,
    edited_ffn_up_layer: usize,
    #[serde(rename = "expected_top10_token_logprob_at_last_position")]
    expected: std::collections::BTreeMap<String, Vec<(usize, f64)>>,
}

fn oracle() -> Oracle {
    serde_json::from_str(&std::fs::read_to_string(shared("bricks/lora_runtime.json")).unwrap()).unwrap()
}

fn rows(layer: usize) -> UnitSet {
    set(&(0..=1520).step_by(20).map(|index| (layer, index)).collect::<Vec<_>>())
}

/// The largest difference from the expected log-probabilities.
fn off(found: &Predictions, expected: &[(usize, f64)]) -> f64 {
    let last = found.last();
    let differences = expected.iter().map(|&(token, log)| (last[token] - log).abs());
    differences.max_by(f64::total_cmp).unwrap()
}

/// The measured difference of llama.cpp on 32-bit weights from the reference is 0.003.
const EXACT: f64 = 5e-3;

fn read(tap: &mut widedeep::llama::Tap<'_>, oracle: &Oracle) -> Predictions {
    let tokens = tap.model().tokens(&oracle.text);
    let ids: Vec<i32> = tokens.iter().map(|token| token.0).collect();
    assert_eq!(ids, oracle.token_ids);
    let mut predictions = Predictions::default();
    tap.read(&tokens, 0, &mut predictions).unwrap();
    predictions
}

#[test]
fn scaled_units_give_the_reference_s_log_probabilities_in_every_form() {
    let oracle = oracle();
    let units = rows(oracle.edited_ffn_up_layer);
    assert_eq!(units.len(), 77);
    let model = default_in_floats();
    let loaded = load(&model);
    let mut reading = tap(&loaded);
    let base = read(&mut reading, &oracle);
    assert!(
        off(&base, &oracle.expected["base"]) < EXACT,
        "{}",
        off(&base, &oracle.expected["base"])
    );
    let folder = folder();
    for (scale, name) in [(0.0, "zero_rows_ffn_up"), (0.5, "half_rows_ffn_up")] {
        let expected = &oracle.expected[name];
        reading.set_edits(&[live(&units, scale)]).unwrap();
        let edited = read(&mut reading, &oracle);
        reading.set_edits(&[]).unwrap();
        let out = folder.path().join("rewritten.gguf");
        rewrite(&model, &units, scale, Store::AsTheyAre, &out).unwrap();
        let rewritten = read(&mut tap(&load(&out)), &oracle);
        let quantised = folder.path().join("quantised.gguf");
        rewrite(&default_model(), &units, scale, Store::AsTheyAre, &quantised).unwrap();
        let quantised = read(&mut tap(&load(&quantised)), &oracle);
        assert!(
            off(&edited, expected) < EXACT,
            "live {name}: {}",
            off(&edited, expected)
        );
        assert!(
            off(&rewritten, expected) < EXACT,
            "file {name}: {}",
            off(&rewritten, expected)
        );
        assert!(
            off(&quantised, expected) < 0.4,
            "quantised {name}: {}",
            off(&quantised, expected)
        );
    }
}

#[test]
fn an_adapter_gives_the_reference_s_log_probabilities_at_run_time_and_built_in() {
    let oracle = oracle();
    let path = shared("bricks/toy_lora.gguf");
    let file = AdapterFile::open(&path).unwrap();
    assert_eq!(file.tensors(), std::slice::from_ref(&oracle.target));
    assert!((file.alpha() - oracle.alpha).abs() < f32::EPSILON);
    assert_eq!(file.pair(&oracle.target).unwrap().rank, oracle.rank);
    let model = default_in_floats();
    let loaded = load(&model);
    let mut reading = tap(&loaded);
    let adapter = Adapter::load(&loaded, &path).unwrap();
    let folder = folder();
    for (scale, name) in [
        (1.0, "lora_scale_1.0"),
        (0.5, "lora_scale_0.5"),
        (-1.0, "lora_scale_-1.0"),
        (0.0, "base"),
    ] {
        let expected = &oracle.expected[name];
        reading.set_adapters(&[(adapter.clone(), scale)]).unwrap();
        let adapted = read(&mut reading, &oracle);
        assert!(off(&adapted, expected) < EXACT, "{name}: {}", off(&adapted, expected));
        let out = folder.path().join("built-in.gguf");
        for (store, tolerance) in [(Store::AsTheyAre, EXACT), (Store::As(Format::F16), 2.0 * EXACT)] {
            build_in(&model, &path, f64::from(scale), store, &out, &mut |_, _| {}).unwrap();
            let built = read(&mut tap(&load(&out)), &oracle);
            assert!(
                off(&built, expected) < tolerance,
                "built in, {name}: {}",
                off(&built, expected)
            );
        }
    }
}
