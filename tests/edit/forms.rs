//! The three forms agree, as far as llama.cpp's attention lets them: it takes keys and values in 16 bits and adds up in 16 bits, so of two computations that differ in the last bit of a
//! float one may fall to the other side of a rounding, and a logit then moves by thousandths. Every tolerance stands beside the effect of the edit, which must be far larger.

use std::fs;
use std::path::Path;

use widedeep::inside::bricks::UnitSet;
use widedeep::inside::edit::{Comparison, Store, adapter, compare, live, predictions, rewrite};
use widedeep::llama::{Adapter, Format};

use super::support::{default_model, gguf};
use super::{TEXT, default_in_floats, folder, load, set, tap};

const SCALES: [f32; 5] = [0.0, 0.5, 1.0, 2.0, 3.0];
const SMALL_TEXT: &str = "HELLO,WORLD!12345678:THE-END";

/// Live against the unedited model, the file against live, and the adapter against live.
fn all_forms(model: &Path, text: &str, units: &UnitSet, scale: f32, store: Store) -> [Comparison; 3] {
    let folder = folder();
    let loaded = load(model);
    let mut reading = tap(&loaded);
    let before = predictions(&mut reading, text, 64).unwrap();
    reading.set_edits(&[live(units, scale)]).unwrap();
    let edited = predictions(&mut reading, text, 64).unwrap();
    reading.set_edits(&[]).unwrap();
    let out = folder.path().join("lora.gguf");
    adapter(model, units, scale, &out).unwrap();
    reading
        .set_adapters(&[(Adapter::load(&loaded, &out).unwrap(), 1.0)])
        .unwrap();
    let adapted = predictions(&mut reading, text, 64).unwrap();
    let out = folder.path().join("rewritten.gguf");
    rewrite(model, units, scale, store, &out).unwrap();
    let rewritten = load(&out);
    let rewritten = predictions(&mut tap(&rewritten), text, 64).unwrap();
    if scale.total_cmp(&1.0).is_eq() {
        assert!(before.same_bits(&edited) && before.same_bits(&rewritten) && before.same_bits(&adapted));
        assert!(
            fs::read(model).unwrap() == fs::read(&out).unwrap(),
            "the file is the same"
        );
    }
    [
        compare(&before, &edited).unwrap(),
        compare(&edited, &rewritten).unwrap(),
        compare(&edited, &adapted).unwrap(),
    ]
}

#[test]
fn on_small_models_of_every_kind_of_gate_the_forms_agree_to_rounding() {
    let folder = folder();
    let units = set(&[(0, 0), (0, 17), (1, 3), (1, 47)]);
    for (kind, file) in [
        ("gated", gguf::llama()),
        ("with biases", gguf::biased()),
        ("fused", gguf::fused()),
        ("without gate", gguf::ungated()),
    ] {
        let model = folder.path().join("small.gguf");
        file.write(&model);
        for scale in SCALES {
            let [effect, file, adapter] = all_forms(&model, SMALL_TEXT, &units, scale, Store::AsTheyAre);
            // Where there is a gate, scaled rows of `ffn_up` give the very products that live scales; without one, columns of `ffn_down` do not.
            let room = if kind == "without gate" { 1e-3 } else { 1e-5 };
            assert!(file.largest_logit < room, "{kind} {scale}: {file:?}");
            assert!(adapter.largest_logit < 1e-3, "{kind} {scale}: {adapter:?}");
            if (scale - 1.0).abs() > 0.0 {
                assert!(effect.largest_logit > 1e-2, "{kind} {scale}: {effect:?}");
            }
        }
    }
}

/// Units over the depth of the default model, the one with massive activations among them.
fn chosen() -> UnitSet {
    let some = (0..30)
        .step_by(3)
        .flat_map(|layer| (0..1536).step_by(96).map(move |index| (layer, index)));
    let mut units = set(&some.collect::<Vec<_>>());
    units.extend(set(&[(28, 678)]).iter());
    units
}

/// A sixth of the units of ten layers: enough to show on a quantised model.
fn many() -> UnitSet {
    let some = (10..20).flat_map(|layer| (0..1536).step_by(6).map(move |index| (layer, index)));
    set(&some.collect::<Vec<_>>())
}

#[test]
fn on_the_default_model_in_floats_the_forms_agree_to_hundredths_where_the_edit_moves_logits_by_units() {
    let model = default_in_floats();
    let units = chosen();
    for scale in SCALES {
        let [effect, file, adapter] = all_forms(&model, TEXT, &units, scale, Store::AsTheyAre);
        // Logits of this model go up to 30, and 30 layers of attention amplify a rounding.
        assert!(file.largest_logit < 0.03, "{scale}: {file:?}");
        assert!(adapter.largest_logit < 0.03, "{scale}: {adapter:?}");
        if (scale - 1.0).abs() > 0.0 {
            assert!(effect.largest_logit > 1.0, "{scale}: {effect:?}");
        }
    }
}

#[test]
fn on_the_quantised_default_model_the_file_agrees_and_the_adapter_differs_by_the_rounding_of_activations() {
    let model = default_model();
    // What rounding activations to 8 bits does to the model without any edit.
    let rounding = {
        let [rounded, exact] =
            [model.clone(), default_in_floats()].map(|path| predictions(&mut tap(&load(&path)), TEXT, 64).unwrap());
        compare(&exact, &rounded).unwrap()
    };
    let units = many();
    for scale in SCALES {
        let [effect, file, adapter] = all_forms(&model, TEXT, &units, scale, Store::AsTheyAre);
        // Rows of `ffn_up` are scaled by 16-bit scales: exactly for 0 and powers of two, to a rounding for 3.
        if scale < 3.0 {
            assert!(file.largest_logit == 0.0, "{scale}: {file:?}");
        }
        assert!(file.divergence < 2.0 * rounding.divergence, "{scale}: {file:?}");
        // The adapter reads activations in floats, the base product in 8 bits, and live in 8 bits of other numbers: each is a rounding like that of the model itself, and two of
        // them may add up.
        assert!(adapter.divergence < 2.0 * rounding.divergence, "{scale}: {adapter:?}");
        assert!(
            adapter.largest_likely < 2.0 * rounding.largest_likely,
            "{scale}: {adapter:?}"
        );
        if (scale - 1.0).abs() > 0.9 {
            assert!(effect.divergence > 10.0 * rounding.divergence, "{scale}: {effect:?}");
        }
    }
}

#[test]
fn an_adapter_serves_other_strengths_by_its_runtime_scale() {
    let folder = folder();
    let model = default_in_floats();
    let units = chosen();
    let loaded = load(&model);
    let mut reading = tap(&loaded);
    let out = folder.path().join("lora.gguf");
    // Made for 2, so that a runtime scale t multiplies by 1 + t.
    adapter(&model, &units, 2.0, &out).unwrap();
    let adapter = Adapter::load(&loaded, &out).unwrap();
    for scale in [0.0, 0.5, 3.0] {
        reading.set_adapters(&[]).unwrap();
        reading.set_edits(&[live(&units, scale)]).unwrap();
        let edited = predictions(&mut reading, TEXT, 64).unwrap();
        reading.set_edits(&[]).unwrap();
        reading.set_adapters(&[(adapter.clone(), scale - 1.0)]).unwrap();
        let adapted = predictions(&mut reading, TEXT, 64).unwrap();
        let found = compare(&edited, &adapted).unwrap();
        assert!(found.largest_logit < 0.03, "{scale}: {found:?}");
    }
}

#[test]
fn edited_tensors_can_be_stored_in_another_format() {
    let units = set(&[(3, 10), (12, 5), (21, 1000)]);
    let half = Store::As(Format::F16);
    let [_, file, _] = all_forms(&default_model(), TEXT, &units, 0.7, half);
    // `ffn_up` of three layers in 16 bits reads its inputs without rounding them to 8.
    assert!(file.largest_likely < 0.4, "{file:?}");
}

#[test]
fn adapters_are_refused_by_other_models_and_when_damaged() {
    let folder = folder();
    let (one, other) = (folder.path().join("one.gguf"), folder.path().join("other.gguf"));
    gguf::llama().write(&one);
    gguf::llama().write(&other);
    let out = folder.path().join("lora.gguf");
    adapter(&one, &set(&[(0, 1)]), 0.0, &out).unwrap();
    let (one, other) = (load(&one), load(&other));
    let loaded = Adapter::load(&one, &out).unwrap();
    let error = tap(&other).set_adapters(&[(loaded.clone(), 1.0)]).unwrap_err();
    assert!(error.to_string().contains("was loaded for another model"), "{error}");
    let error = tap(&one).set_adapters(&[(loaded, f32::NAN)]).unwrap_err();
    assert!(error.to_string().contains("finite"), "{error}");
    fs::write(&out, b"GGUF").unwrap();
    let error = Adapter::load(&one, &out).unwrap_err();
    assert!(error.to_string().contains("lora.gguf"), "{error}");
    let error = Adapter::load(&one, "absent.gguf".as_ref()).unwrap_err();
    assert!(error.to_string().contains("No such file"), "{error}");
}
