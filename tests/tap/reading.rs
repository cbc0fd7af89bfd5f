//! What is read: all layers, all tokens, and numbers that fit together.

use widedeep::llama::{Block, Reads, Reducer, Source, Tap, TapError, Weights};

use super::support::gguf;
use super::{SMALL_TEXT, TEXT, capture, config, default_model, distance, farthest_row, norm, product, small, tap};

#[test]
fn every_layer_shows_every_token_and_the_last_one_too() {
    let model = default_model();
    let mut tap = tap(&model);
    let tokens = model.tokens(TEXT).len();
    assert!(tokens > 40, "{tokens}");
    let all = capture(&mut tap, TEXT, 0, Reads::GATE.and(Reads::UP));
    let ffn = *tap.ffn();
    assert_eq!((ffn.layers, ffn.units, ffn.width), (30, 1536, 576));
    for layer in 0..ffn.layers {
        assert!(all.positions(layer).iter().copied().eq(0..tokens), "layer {layer}");
        assert_eq!(all.h(layer).len(), tokens * ffn.width);
        for source in [Source::Z, Source::Gate, Source::Up] {
            assert_eq!(all.values(layer, source).len(), tokens * ffn.units, "layer {layer}");
        }
    }
}

#[test]
fn on_floats_h_is_the_down_projection_of_z_and_z_the_product_of_gate_and_up() {
    let file = gguf::llama();
    let model = small(&file);
    let all = capture(&mut tap(&model), SMALL_TEXT, 0, Reads::GATE.and(Reads::UP));
    for layer in 0..gguf::LAYERS {
        let down = file.values(&format!("blk.{layer}.ffn_down.weight"));
        for (z, h) in all.rows(layer) {
            // The spec asks for 1e-5 on 32-bit floats.
            assert!(distance(h, &product(&down, z)) < 1e-5, "layer {layer}");
        }
        let (gate, up) = (all.values(layer, Source::Gate), all.values(layer, Source::Up));
        let z: Vec<f32> = gate.iter().zip(up).map(|(g, u)| g / (1.0 + (-g).exp()) * u).collect();
        assert!(distance(all.values(layer, Source::Z), &z) < 1e-5, "layer {layer}");
    }
}

#[test]
fn on_a_quantised_model_h_is_the_down_projection_of_z_within_what_8_bit_activations_explain() {
    let model = default_model();
    let weights = Weights::open(model.path()).unwrap();
    let all = capture(&mut tap(&model), TEXT, 0, Reads::NOTHING);
    for layer in 0..30 {
        let down = weights.all(&format!("blk.{layer}.ffn_down.weight")).unwrap();
        for (position, (z, h)) in all.rows(layer).enumerate() {
            let again = product(&down, z);
            let apart = norm(h.iter().zip(&again).map(|(a, b)| a - b)) / norm(h.iter().copied());
            let longer = norm(again) / norm(h.iter().copied());
            // Spec h_neurons 13.5; for this file 9.1 measures 0.9 % in the median and 1.9 % at most.
            assert!(apart < 0.07, "layer {layer}, token {position}: {apart}");
            assert!((longer - 1.0).abs() < 0.01, "layer {layer}, token {position}: {longer}");
        }
    }
}

#[test]
fn chunks_of_any_size_give_the_same_numbers() {
    for (model, text, tolerance) in [(small(&gguf::llama()), SMALL_TEXT, 1e-3), (default_model(), TEXT, 0.05)] {
        let whole = capture(&mut tap(&model), text, 0, Reads::GATE);
        for chunk in [1, 7, 32] {
            let mut tap = Tap::new(&model, &config(chunk)).unwrap();
            let pieces = capture(&mut tap, text, 0, Reads::GATE);
            let (units, width) = (tap.ffn().units, tap.ffn().width);
            for layer in 0..tap.ffn().layers {
                assert_eq!(whole.positions(layer), pieces.positions(layer));
                let values = |source| (whole.values(layer, source), pieces.values(layer, source), units);
                for (a, b, columns) in [
                    values(Source::Z),
                    values(Source::Gate),
                    (whole.h(layer), pieces.h(layer), width),
                ] {
                    let apart = farthest_row(a, b, columns);
                    assert!(apart < tolerance, "layer {layer}, chunks of {chunk}: {apart}");
                }
            }
        }
    }
}

#[test]
fn a_text_is_read_the_same_whatever_was_read_before() {
    let model = default_model();
    let mut tap = tap(&model);
    let first = capture(&mut tap, TEXT, 0, Reads::NOTHING);
    capture(&mut tap, "Something else entirely.", 0, Reads::NOTHING);
    let again = capture(&mut tap, TEXT, 0, Reads::NOTHING);
    for layer in 0..tap.ffn().layers {
        assert_eq!(first.values(layer, Source::Z), again.values(layer, Source::Z));
    }
}

#[test]
fn positions_before_the_first_that_is_asked_for_are_left_out() {
    let model = small(&gguf::llama());
    // In chunks of 5, so that whole chunks are left out as well.
    let mut tap = Tap::new(&model, &config(5)).unwrap();
    let tokens = model.tokens(SMALL_TEXT).len();
    let all = capture(&mut tap, SMALL_TEXT, 0, Reads::GATE);
    for from in [1, 5, 12] {
        let part = capture(&mut tap, SMALL_TEXT, from, Reads::GATE);
        for layer in 0..gguf::LAYERS {
            assert!(part.positions(layer).iter().copied().eq(from..tokens), "from {from}");
            let rest = |source| &all.values(layer, source)[from * gguf::UNITS..];
            assert_eq!(part.values(layer, Source::Z), rest(Source::Z));
            assert_eq!(part.values(layer, Source::Gate), rest(Source::Gate));
            assert_eq!(part.h(layer), &all.h(layer)[from * gguf::WIDTH..]);
        }
    }
}

#[test]
fn texts_that_are_empty_or_too_long_are_refused() {
    let model = small(&gguf::llama());
    let mut tap = tap(&model);
    let tokens = model.tokens(&"A".repeat(300));
    let mut nothing = widedeep::llama::NextTokens::default();
    let long = tap.read(&tokens, 1, &mut nothing).unwrap_err();
    assert!(
        matches!(
            long,
            TapError::TooLong {
                tokens: 300,
                context: 256
            }
        ),
        "{long}"
    );
    assert!(matches!(tap.read(&[], 1, &mut nothing), Err(TapError::NoTokens)));
    assert!(matches!(tap.perplexity(&tokens[..1]), Err(TapError::NoTokens)));
}

struct Fails;

impl Reducer for Fails {
    fn block(&mut self, block: &Block<'_>) {
        assert!(block.layer < 1, "a reducer that fails in layer {}", block.layer);
    }
}

#[test]
fn a_reducer_that_panics_neither_aborts_nor_harms_the_tap() {
    let model = small(&gguf::llama());
    let mut tap = tap(&model);
    let tokens = model.tokens(SMALL_TEXT);
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| tap.read(&tokens, 0, &mut Fails)));
    let message = panic.unwrap_err();
    assert_eq!(
        message.downcast_ref::<String>().map(String::as_str),
        Some("a reducer that fails in layer 1")
    );
    assert_eq!(
        capture(&mut tap, SMALL_TEXT, 0, Reads::NOTHING).positions(1).len(),
        tokens.len()
    );
}
