//! What is written, in llama.cpp's own server.

use std::path::Path;

use serde_json::{Value, json};
use widedeep::inside::edit::{Store, adapter, live, predictions, rewrite};
use widedeep::llama::Tap;

use super::support::{default_model, llama_server::LlamaServer};
use super::{TEXT, folder, load, set, tap};

/// Log-probabilities of the token after the text, by token, from a server of this model with this adapter.
fn served(model: &Path, adapter: Option<&Path>) -> Vec<(usize, f64)> {
    let mut flags = vec![
        "--model",
        model.to_str().unwrap(),
        "--threads",
        "1",
        "--ctx-size",
        "512",
        "--parallel",
        "1",
    ];
    if let Some(adapter) = adapter {
        flags.extend(["--lora", adapter.to_str().unwrap()]);
    }
    let server = LlamaServer::start(&flags, "");
    let body = json!({
        "prompt": TEXT, "n_predict": 1, "temperature": 0.0, "n_probs": 10, "cache_prompt": false, "post_sampling_probs": false,
    });
    let answer = server.post("/completion", &body.to_string());
    let start = answer.find('{').unwrap();
    let end = answer.rfind('}').unwrap();
    let answer: Value = serde_json::from_str(&answer[start..=end]).unwrap();
    let listed = answer["completion_probabilities"][0]["top_logprobs"]
        .as_array()
        .expect("log-probabilities");
    let entry = |entry: &Value| {
        let token = usize::try_from(entry["id"].as_u64().unwrap()).unwrap();
        (token, entry["logprob"].as_f64().unwrap())
    };
    listed.iter().map(entry).collect()
}

/// The most likely next tokens by ourselves.
fn expected(reading: &mut Tap<'_>) -> Vec<f64> {
    predictions(reading, TEXT, 256).unwrap().last()
}

/// How far the server's log-probabilities are from ours, over its ten likeliest tokens. Another build of llama.cpp rounds otherwise on a quantised file.
fn off(server: &[(usize, f64)], ours: &[f64]) -> f64 {
    assert_eq!(server.len(), 10);
    server
        .iter()
        .map(|&(token, log)| (log - ours[token]).abs())
        .max_by(f64::total_cmp)
        .unwrap()
}

#[test]
fn the_rewritten_file_and_the_adapter_work_in_a_stock_server() {
    let folder = folder();
    let model = default_model();
    let loaded = load(&model);
    let mut reading = tap(&loaded);
    // Strong enough to show: a sixth of the units of ten layers.
    let units = (10..20).flat_map(|layer| (0..1536).step_by(6).map(move |index| (layer, index)));
    let units = set(&units.collect::<Vec<_>>());
    let base = expected(&mut reading);
    reading.set_edits(&[live(&units, 0.0)]).unwrap();
    let edited = expected(&mut reading);
    let (file, lora) = (folder.path().join("silenced.gguf"), folder.path().join("silencer.gguf"));
    rewrite(&model, &units, 0.0, Store::AsTheyAre, &file).unwrap();
    adapter(&model, &units, 0.0, &lora).unwrap();
    let unedited = served(&model, None);
    let rewritten = served(&file, None);
    let adapted = served(&model, Some(&lora));
    assert!(off(&unedited, &base) < 0.4, "{unedited:?}");
    assert!(off(&rewritten, &edited) < 0.4, "{rewritten:?}");
    assert!(off(&adapted, &edited) < 0.4, "{adapted:?}");
    assert!(
        off(&rewritten, &base) > 0.4 && off(&adapted, &base) > 0.4,
        "the edit shows"
    );
}
