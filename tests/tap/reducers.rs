//! Every reducer keeps what a full capture would give.

use widedeep::llama::{Cett, Counts, DownNorms, Maxima, Reads, Region, Source, Sums, Tap, Weights};

use super::support::{self, gguf};
use super::{SMALL_TEXT, TEXT, capture, config, default_model, norm, small};

#[test]
fn sums_maxima_and_counts_equal_those_of_a_full_capture() {
    let model = default_model();
    let mut tap = Tap::new(&model, &config(16)).unwrap();
    let all = capture(&mut tap, TEXT, 1, Reads::GATE.and(Reads::UP));
    let ffn = *tap.ffn();
    let tokens = model.tokens(TEXT);
    for source in [Source::Z, Source::Gate, Source::Up] {
        let mut reducers = (
            (Sums::new(&ffn, source), Maxima::new(&ffn, source)),
            Counts::new(&ffn, source),
        );
        tap.read(&tokens, 1, &mut reducers).unwrap();
        let ((sums, maxima), counts) = reducers;
        assert_eq!(sums.tokens(), tokens.len() - 1);
        assert_eq!(counts.tokens(), tokens.len() as u64 - 1);
        for layer in 0..ffn.layers {
            for unit in 0..ffn.units {
                let values = || all.values(layer, source).iter().skip(unit).step_by(ffn.units);
                let sum: f64 = values().map(|&value| f64::from(value)).sum();
                assert!((sums.layer(layer)[unit] - sum).abs() < 1e-9);
                let mean = sum / (tokens.len() - 1) as f64;
                assert!((sums.mean(layer)[unit] - mean).abs() < 1e-9);
                let maximum = values().copied().max_by(f32::total_cmp).unwrap();
                assert!(maxima.layer(layer)[unit].total_cmp(&maximum).is_eq());
                let count = values().filter(|&&value| value > 0.0).count() as u64;
                assert_eq!(
                    counts.layer(layer)[unit],
                    count,
                    "{source:?}, layer {layer}, unit {unit}"
                );
            }
        }
    }
}

#[test]
fn reducers_go_on_over_texts() {
    let model = small(&gguf::llama());
    let mut tap = super::tap(&model);
    let ffn = *tap.ffn();
    let texts = [SMALL_TEXT, "ANOTHER.ONE"].map(|text| model.tokens(text));
    let mut both = Sums::new(&ffn, Source::Z);
    let mut each = [both.clone(), both.clone()];
    for (text, one) in texts.iter().zip(&mut each) {
        tap.read(text, 1, &mut both).unwrap();
        tap.read(text, 1, one).unwrap();
    }
    assert_eq!(both.tokens(), each[0].tokens() + each[1].tokens());
    for (unit, sum) in both.layer(1).iter().enumerate() {
        assert!((sum - each[0].layer(1)[unit] - each[1].layer(1)[unit]).abs() < 1e-9);
    }
}

#[test]
fn cett_over_regions_equals_that_of_a_full_capture() {
    let model = default_model();
    let norms = Weights::open(model.path()).unwrap().down_norms().unwrap();
    let mut tap = Tap::new(&model, &config(16)).unwrap();
    let all = capture(&mut tap, TEXT, 0, Reads::NOTHING);
    let ffn = *tap.ffn();
    let tokens = model.tokens(TEXT);
    let span = 12..23;
    let regions = vec![
        Region::span(span.clone()),
        Region::outside(&span, 1..tokens.len()),
        Region::span(500..501),
    ];
    let mut cett = Cett::new(&ffn, &norms, regions.clone());
    tap.read(&tokens, 1, &mut cett).unwrap();
    assert_eq!([0, 1, 2].map(|region| cett.tokens(region)), [11, tokens.len() - 12, 0]);
    assert_eq!((cett.mean(2), cett.max(2)), (None, None));
    for (number, region) in regions[..2].iter().enumerate() {
        let (means, maxima) = (cett.mean(number).unwrap(), cett.max(number).unwrap());
        for layer in 0..ffn.layers {
            let norms = norms.layer(layer);
            let rows: Vec<(&[f32], f64)> = all
                .rows(layer)
                .enumerate()
                .filter(|(position, _)| region.contains(*position))
                .map(|(_, (z, h))| (z, norm(h.iter().copied()) + 1e-8))
                .collect();
            for unit in 0..ffn.units {
                let values = || rows.iter().map(|(z, h)| f64::from(z[unit]).abs() * norms[unit] / h);
                let place = layer * ffn.units + unit;
                let mean = values().sum::<f64>() / rows.len() as f64;
                assert!((means[place] - mean).abs() <= 1e-12 * (1.0 + mean));
                let maximum = values().max_by(f64::total_cmp).unwrap();
                assert!((maxima[place] - maximum).abs() <= 1e-12 * (1.0 + maximum));
            }
        }
    }
}

#[test]
fn cett_of_the_published_example_is_reproduced() {
    use widedeep::llama::{Block, Ffn, Gate, Reducer};
    let text = std::fs::read_to_string(support::shared("h_neurons/cett_oracle.json")).unwrap();
    let oracle: serde_json::Value = serde_json::from_str(&text).unwrap();
    let floats = |value: &serde_json::Value| -> Vec<f64> { serde_json::from_value(value.clone()).unwrap() };
    #[expect(clippy::cast_possible_truncation, reason = "the tap's precision")]
    let flat = |value: &serde_json::Value| -> Vec<f32> {
        let rows: Vec<Vec<f64>> = serde_json::from_value(value.clone()).unwrap();
        rows.into_iter().flatten().map(|x| x as f32).collect()
    };
    let layers = oracle["layers"].as_array().unwrap();
    let norms = DownNorms::new(
        16,
        layers
            .iter()
            .flat_map(|layer| floats(&layer["down_col_norm"]))
            .collect(),
    );
    let ffn = Ffn {
        layers: 2,
        units: 16,
        width: 8,
        gate: Gate::Separate,
    };
    let regions = (0..5).map(|token| Region::span(token..token + 1)).collect();
    let mut cett = Cett::new(&ffn, &norms, regions);
    for (number, layer) in layers.iter().enumerate() {
        cett.block(&Block {
            layer: number,
            first: 0,
            tokens: 5,
            units: 16,
            width: 8,
            z: &flat(&layer["z"]),
            h: &flat(&layer["h"]),
            gate: &[],
            up: &[],
        });
    }
    for token in 0..5 {
        let expected: Vec<f64> = layers.iter().flat_map(|layer| floats(&layer["cett"][token])).collect();
        for (found, expected) in cett.mean(token).unwrap().iter().zip(expected) {
            // 1e-5 relative in f32, as the oracle's README says.
            assert!(
                (found - expected).abs() <= 1e-5 * (expected + 1e-3),
                "{found} {expected}"
            );
        }
    }
}
