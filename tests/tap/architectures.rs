//! Layers with biases, with gate and up-projection in one tensor, without a gate, and with experts.

use widedeep::llama::{Edit, Gate, Reads, Source, Tap, TapConfig, TapError, Unit, WeightsError};

use super::support::gguf::{self, Gguf, LAYERS, UNITS};
use super::{SMALL_TEXT, capture, distance, product, small, tap};

fn silu(x: f32) -> f32 {
    x / (1.0 + (-x).exp())
}

/// z from gate and up, and h from z, for all tokens of all layers.
fn fits_together(file: &Gguf) {
    let model = small(file);
    let all = capture(&mut tap(&model), SMALL_TEXT, 0, Reads::GATE.and(Reads::UP));
    for layer in 0..LAYERS {
        let down = file.values(&format!("blk.{layer}.ffn_down.weight"));
        let (gate, up) = (all.values(layer, Source::Gate), all.values(layer, Source::Up));
        let z: Vec<f32> = gate.iter().zip(up).map(|(&gate, up)| silu(gate) * up).collect();
        assert!(distance(all.values(layer, Source::Z), &z) < 1e-5, "layer {layer}");
        let bias = file.optional(&format!("blk.{layer}.ffn_down.bias"));
        for (z, h) in all.rows(layer) {
            let mut again = product(&down, z);
            for (value, bias) in again.iter_mut().zip(bias.iter().flatten()) {
                *value += bias;
            }
            assert!(distance(h, &again) < 1e-5, "layer {layer}");
        }
    }
}

#[test]
fn biases_belong_to_what_is_read() {
    fits_together(&gguf::biased());
}

#[test]
fn gate_and_up_projection_in_one_tensor_are_taken_apart() {
    let file = gguf::fused();
    fits_together(&file);
    let model = small(&file);
    assert_eq!(tap(&model).ffn().gate, Gate::Fused);
}

#[test]
fn a_layer_without_gate_shows_z_and_up_but_refuses_to_show_a_gate() {
    let file = gguf::ungated();
    let model = small(&file);
    let mut tap = tap(&model);
    assert_eq!(tap.ffn().gate, Gate::Absent);
    let all = capture(&mut tap, SMALL_TEXT, 0, Reads::UP);
    for layer in 0..LAYERS {
        let gelu = |x: f32| 0.5 * x * (1.0 + (0.797_884_6 * (x + 0.044_715 * x * x * x)).tanh());
        let z: Vec<f32> = all.values(layer, Source::Up).iter().map(|&x| gelu(x)).collect();
        // ggml looks GELU up in a table of 16-bit floats.
        assert!(distance(all.values(layer, Source::Z), &z) < 2e-3, "layer {layer}");
    }
    let mut gate = widedeep::llama::Counts::new(tap.ffn(), Source::Gate);
    let error = tap.read(&model.tokens(SMALL_TEXT), 0, &mut gate).unwrap_err();
    assert!(matches!(error, TapError::NoGate { .. }), "{error}");
    assert!(error.to_string().contains("`blk.0.ffn_gate.weight`"), "{error}");
}

#[test]
fn units_are_scaled_in_every_kind_of_layer() {
    for file in [gguf::llama(), gguf::biased(), gguf::fused(), gguf::ungated()] {
        let model = small(&file);
        let mut tap = tap(&model);
        let before = capture(&mut tap, SMALL_TEXT, 0, Reads::NOTHING);
        let units = vec![Unit { layer: 1, index: 9 }];
        tap.set_edits(&[Edit { units, scale: -3.0 }]).unwrap();
        let after = capture(&mut tap, SMALL_TEXT, 0, Reads::NOTHING);
        let values = |all: &widedeep::llama::Capture| -> Vec<f32> {
            all.values(1, Source::Z)
                .iter()
                .skip(9)
                .step_by(UNITS)
                .copied()
                .collect()
        };
        let expected: Vec<f32> = values(&before).iter().map(|x| -3.0 * x).collect();
        assert_eq!(values(&after), expected);
    }
}

#[test]
fn experts_are_refused_with_the_name_of_their_tensor() {
    let model = small(&gguf::experts());
    let error = Tap::new(&model, &TapConfig::default()).unwrap_err();
    assert!(
        matches!(&error, TapError::Weights(WeightsError::Experts { layer: 0, tensor, .. }) if tensor == "blk.0.ffn_down_exps.weight"),
        "{error}"
    );
}
