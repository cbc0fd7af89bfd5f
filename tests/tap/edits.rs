//! Scaling units.

use widedeep::llama::{Block, Capture, Edit, NextTokens, Predicted, Reads, Reducer, Source, Tap, TapError, Unit};

use super::support::{self, gguf};
use super::{SMALL_TEXT, TEXT, capture, default_model, distance, small, tap};

#[derive(Default)]
struct Logits(Vec<f32>);

impl Reducer for Logits {
    fn reads(&self) -> Reads {
        Reads::PREDICTIONS
    }

    fn block(&mut self, _: &Block<'_>) {}

    fn predicted(&mut self, predicted: &Predicted<'_>) {
        self.0.extend_from_slice(predicted.logits);
    }
}

fn logits(tap: &mut Tap<'_>, text: &str) -> Vec<f32> {
    let tokens = tap.model().tokens(text);
    let mut logits = Logits::default();
    tap.read(&tokens, 0, &mut logits).unwrap();
    logits.0
}

fn edit(units: &[(usize, usize)], scale: f32) -> Edit {
    let units = units.iter().map(|&(layer, index)| Unit { layer, index }).collect();
    Edit { units, scale }
}

#[test]
fn watching_changes_no_logit() {
    let model = default_model();
    let mut tap = tap(&model);
    let alone = logits(&mut tap, TEXT);
    let tokens = model.tokens(TEXT);
    let mut watched = (Capture::new(tap.ffn(), Reads::GATE.and(Reads::UP)), Logits::default());
    tap.read(&tokens, 0, &mut watched).unwrap();
    assert!(alone == watched.1.0, "{}", distance(&alone, &watched.1.0));
}

#[test]
fn scale_1_changes_no_bit_and_taking_edits_back_undoes_them() {
    let model = default_model();
    let mut tap = tap(&model);
    let before = logits(&mut tap, TEXT);
    tap.set_edits(&[edit(&[(0, 3), (15, 700), (29, 1535)], 1.0)]).unwrap();
    assert!(before == logits(&mut tap, TEXT));
    tap.set_edits(&[edit(&[(0, 3), (15, 700), (29, 1535)], 3.0)]).unwrap();
    assert!(before != logits(&mut tap, TEXT));
    tap.set_edits(&[]).unwrap();
    assert!(before == logits(&mut tap, TEXT));
}

#[test]
fn reducers_see_what_the_model_computes_with() {
    let model = default_model();
    let mut tap = tap(&model);
    let before = capture(&mut tap, TEXT, 0, Reads::NOTHING);
    tap.set_edits(&[edit(&[(4, 10), (4, 11)], 0.0), edit(&[(4, 20)], -2.0)])
        .unwrap();
    let after = capture(&mut tap, TEXT, 0, Reads::NOTHING);
    let units = tap.ffn().units;
    for layer in 0..4 {
        assert!(
            before.values(layer, Source::Z) == after.values(layer, Source::Z),
            "layer {layer}"
        );
    }
    let rows = before
        .values(4, Source::Z)
        .chunks_exact(units)
        .zip(after.values(4, Source::Z).chunks_exact(units));
    for (before, after) in rows {
        for (unit, (before, after)) in before.iter().zip(after).enumerate() {
            let factor = match unit {
                10 | 11 => 0.0,
                20 => -2.0,
                _ => 1.0,
            };
            assert!((before * factor - after).abs() <= 0.0, "unit {unit}: {before} {after}");
        }
    }
    assert!(before.h(4) != after.h(4) && before.values(5, Source::Z) != after.values(5, Source::Z));
}

/// A file in which the rows of `ffn_up` that belong to units are multiplied.
fn rewritten(units: &[(usize, usize)], scale: f32) -> gguf::Gguf {
    let mut file = gguf::llama();
    for layer in 0..gguf::LAYERS {
        let name = format!("blk.{layer}.ffn_up.weight");
        let mut values = file.values(&name);
        for &(_, unit) in units.iter().filter(|unit| unit.0 == layer) {
            for value in &mut values[unit * gguf::WIDTH..][..gguf::WIDTH] {
                *value *= scale;
            }
        }
        file = file
            .without(|other| other == name)
            .floats(&name, &[gguf::WIDTH, gguf::UNITS], &values);
    }
    file
}

#[test]
fn scaling_equals_a_file_with_scaled_weights() {
    let units = [(0, 0), (0, 17), (1, 3), (1, 47)];
    let original = small(&gguf::llama());
    let mut live = tap(&original);
    let base = logits(&mut live, SMALL_TEXT);
    for scale in [0.0, 0.5, 3.0] {
        live.set_edits(&[edit(&units, scale)]).unwrap();
        let edited = logits(&mut live, SMALL_TEXT);
        let file = small(&rewritten(&units, scale));
        let expected = logits(&mut tap(&file), SMALL_TEXT);
        // Scaling before or after a product of 32 floats; the spec measures 4e-7 on a larger model.
        assert!(
            distance(&edited, &expected) < 1e-5,
            "{scale}: {}",
            distance(&edited, &expected)
        );
        assert!(distance(&edited, &base) > 1e-2, "{scale}: {}", distance(&edited, &base));
    }
}

#[test]
fn scale_0_takes_the_units_out_of_what_the_layer_writes() {
    let file = gguf::llama();
    let model = small(&file);
    let mut tap = tap(&model);
    let before = capture(&mut tap, SMALL_TEXT, 0, Reads::NOTHING);
    let silenced = [5, 40];
    tap.set_edits(&[edit(&silenced.map(|unit| (0, unit)), 0.0)]).unwrap();
    let after = capture(&mut tap, SMALL_TEXT, 0, Reads::NOTHING);
    let down = file.values("blk.0.ffn_down.weight");
    for ((z, h), (_, without)) in before.rows(0).zip(after.rows(0)) {
        let expected: Vec<f32> = down
            .chunks_exact(gguf::UNITS)
            .zip(h)
            .map(|(row, h)| h - silenced.iter().map(|&unit| z[unit] * row[unit]).sum::<f32>())
            .collect();
        assert!(distance(without, &expected) < 1e-5);
    }
}

#[test]
fn scaled_rows_change_the_predictions_as_published() {
    // Rows 0, 20, 40 … of ffn_up in block 15: the reference is exact arithmetic on dequantised weights, from which llama.cpp on this quantised file
    // may be 0.4 away (README of the data).
    let text = std::fs::read_to_string(support::shared("bricks/lora_runtime.json")).unwrap();
    let oracle: serde_json::Value = serde_json::from_str(&text).unwrap();
    let model = default_model();
    let mut tap = tap(&model);
    let ids: Vec<i32> = serde_json::from_value(oracle["token_ids"].clone()).unwrap();
    let tokens = model.tokens(oracle["text"].as_str().unwrap());
    assert!(tokens.iter().map(|token| token.0).eq(ids), "no special token in front");
    let units: Vec<(usize, usize)> = (0..1536).step_by(20).map(|unit| (15, unit)).collect();
    for (name, scale) in [("base", 1.0), ("zero_rows_ffn_up", 0.0), ("half_rows_ffn_up", 0.5)] {
        tap.set_edits(&[edit(&units, scale)]).unwrap();
        let all = logits(&mut tap, oracle["text"].as_str().unwrap());
        let last = &all[all.len() - all.len() / tokens.len()..];
        let sum: f64 = last.iter().map(|&logit| f64::from(logit).exp()).sum();
        let expected: Vec<(usize, f64)> =
            serde_json::from_value(oracle["expected_top10_token_logprob_at_last_position"][name].clone()).unwrap();
        for (token, expected) in expected {
            let found = f64::from(last[token]) - sum.ln();
            assert!(
                (found - expected).abs() < 0.4,
                "{name}: token {token} has {found}, not {expected}"
            );
        }
    }
}

#[test]
fn edits_of_what_is_not_there_are_refused() {
    let model = small(&gguf::llama());
    let mut tap = tap(&model);
    for unit in [(gguf::LAYERS, 0), (0, gguf::UNITS)] {
        let error = tap.set_edits(&[edit(&[unit], 0.0)]).unwrap_err();
        assert!(matches!(error, TapError::NoUnit { .. }), "{error}");
    }
    let error = tap.set_edits(&[edit(&[(0, 0)], f32::NAN)]).unwrap_err();
    assert_eq!(error.to_string(), "units cannot be scaled by NaN; give a finite number");
}

#[test]
fn units_can_be_scaled_while_only_predictions_are_read() {
    let model = small(&gguf::llama());
    let mut tap = tap(&model);
    let tokens = model.tokens(SMALL_TEXT);
    let before = tap.perplexity(&tokens).unwrap();
    tap.set_edits(&[edit(&[(1, 1), (1, 2)], 50.0)]).unwrap();
    let mut next = NextTokens::default();
    tap.read(&tokens, 0, &mut next).unwrap();
    assert!((next.perplexity().unwrap().nats - before.nats).abs() > 1e-3);
}
