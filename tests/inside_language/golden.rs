//! From the published counts of a 7B model to the published sets.

use std::{collections::BTreeMap, sync::OnceLock};

use serde::Deserialize;
use widedeep::inside::language::{
    Aligned, Counts, Identified, Lambda, LanguageCounts, Lape, Method, Origin, Parts, Shape, identify,
};

use super::oracle::{self, Classified, Evaluation, Mask};

fn counts() -> &'static Counts {
    static COUNTS: OnceLock<Counts> = OnceLock::new();
    COUNTS.get_or_init(oracle::published)
}

/// Identified with the defaults: λ is searched for.
fn identified() -> &'static Identified {
    static IDENTIFIED: OnceLock<Identified> = OnceLock::new();
    IDENTIFIED.get_or_init(|| identify(counts(), Method::default()).unwrap())
}

#[derive(Deserialize)]
struct Expected {
    selected: usize,
    tau: f64,
    tau_rank: usize,
    last_selected_score: f64,
    first_rejected_score: f64,
    pairs: usize,
    per_language_count: BTreeMap<String, usize>,
    mask: Mask,
}

fn fixed(lambda: f64) -> Method {
    Method::Aligned(Aligned {
        lambda: Lambda::Fixed(lambda),
        ..Aligned::default()
    })
}

fn check(identified: &Identified) {
    let expected: Expected = oracle::json("expected_mask.json");
    assert_eq!(identified.selected().len(), expected.selected);
    assert_eq!(identified.threshold_rank(), Some(expected.tau_rank));
    oracle::close(identified.threshold(), expected.tau);
    let (last, first) = identified.cut();
    oracle::close(last.unwrap(), expected.last_selected_score);
    oracle::close(first.unwrap(), expected.first_rejected_score);
    assert_eq!(identified.pairs(), expected.pairs);
    assert_eq!(expected.pairs, 6307);
    for (k, language) in identified.languages().iter().enumerate() {
        assert_eq!(
            identified.set(k).len(),
            expected.per_language_count[&language.name],
            "{}",
            language.name
        );
    }
    assert!(
        oracle::mask(identified) == expected.mask,
        "the sets are not the published ones"
    );
}

#[test]
fn the_published_sets_come_out_of_the_published_counts_exactly() {
    check(&identify(counts(), fixed(0.109_375)).unwrap());
}

#[test]
fn the_search_finds_the_published_lambda_by_the_published_steps_and_with_it_the_published_sets() {
    #[derive(Deserialize)]
    struct Trace {
        best: f64,
        evaluations: Vec<Evaluation>,
    }
    let trace: Trace = oracle::json("autosweep_trace.json");
    assert_eq!(identified().lambda(), Some(trace.best));
    assert_eq!(oracle::evaluations(identified()), trace.evaluations);
    check(identified());
}

#[test]
fn the_classes_are_the_published_ones_unit_for_unit() {
    #[derive(Deserialize)]
    struct Expected {
        #[serde(rename = "count_by_N")]
        by_number: BTreeMap<usize, usize>,
        #[serde(rename = "selected_with_N0")]
        in_no_set: usize,
        #[serde(rename = "count_by_N_all_neurons")]
        reach: BTreeMap<usize, usize>,
        layer_specific: Vec<usize>,
        layer_related: Vec<usize>,
        layer_general: Vec<usize>,
        general_all_neurons: Vec<(usize, usize)>,
        #[serde(flatten)]
        classified: Classified,
    }
    let expected: Expected = oracle::json("expected_classes.json");
    let (identified, tally) = (identified(), identified().tally());
    expected.classified.check(identified);
    for (n, &count) in tally.by_number.iter().enumerate().skip(1) {
        assert_eq!(count, expected.by_number[&n], "N = {n}");
    }
    assert_eq!(tally.by_number[0], expected.in_no_set);
    assert!(identified.reach().iter().copied().eq(expected.reach.values().copied()));
    let layers = |count: fn(&widedeep::inside::language::classes::LayerTally) -> usize| {
        tally.layers.iter().map(count).collect::<Vec<_>>()
    };
    assert_eq!(layers(|layer| layer.specific), expected.layer_specific);
    assert_eq!(layers(|layer| layer.related), expected.layer_related);
    assert_eq!(layers(|layer| layer.agnostic), expected.layer_general);
    let general: Vec<_> = identified
        .agnostic()
        .iter()
        .map(|unit| (unit.layer, unit.index))
        .collect();
    assert_eq!(general, expected.general_all_neurons);
    assert_eq!(tally.agnostic, 7797);
}

#[test]
fn the_layers_divide_into_the_four_parts_of_the_specification() {
    let expected = Parts::Four {
        understanding: 0..5,
        shared: 5..18,
        transformation: 18..31,
        output: 31,
    };
    assert_eq!(identified().tally().parts(), Some(expected));
}

#[test]
fn the_mistakes_that_the_specification_lists_give_its_wrong_numbers() {
    // Section 4.4. Forgotten factors are the same as another λ.
    let (lambda, harmonic, log) = (0.109_375, 0.292_896_825_396_825_4, 10.0_f64.ln());
    let mistakes = [
        (lambda * harmonic, 1438),
        (lambda / log, 2001),
        (lambda * harmonic / log, 942),
        (0.0, 709),
        (0.1, 5450),
    ];
    for (lambda, pairs) in mistakes {
        assert_eq!(
            identify(counts(), fixed(lambda)).unwrap().pairs(),
            pairs,
            "λ = {lambda}"
        );
    }
}

#[test]
fn lape_and_the_aligned_method_share_the_units_that_the_specification_counts() {
    let lape = identify(counts(), Method::Lape(Lape::default())).unwrap();
    let in_sets = |identified: &Identified| {
        let assigned = identified
            .selected()
            .iter()
            .filter(|assigned| !assigned.languages.is_empty());
        assigned
            .map(|assigned| assigned.unit)
            .collect::<std::collections::BTreeSet<_>>()
    };
    let (lape, aligned) = (in_sets(&lape), in_sets(identified()));
    assert_eq!((lape.len(), aligned.len()), (4588, 3219));
    assert_eq!(lape.intersection(&aligned).count(), 2408);
}

#[test]
fn taking_the_prefix_away_gives_the_published_counts_of_a_layer() {
    let header: serde_json::Value = oracle::json("header.json");
    let layer = usize::try_from(header["subtraction_sample"]["layer"].as_u64().unwrap()).unwrap();
    let bytes = oracle::zstd("subtraction_sample.u32le.bin.zst");
    let values: Vec<u32> = bytes
        .chunks_exact(4)
        .map(|bytes| u32::from_le_bytes(bytes.try_into().unwrap()))
        .collect();
    let whole = counts();
    let width = whole.shape().width;
    let shape = Shape { layers: 1, width };
    let run = |half: usize, tokens: &str| {
        let languages = whole.languages().iter().enumerate().map(|(k, language)| {
            let start = (half * whole.languages().len() + k) * width;
            let tokens = header[tokens][language.name()].as_u64().unwrap();
            LanguageCounts::new(language.name(), tokens, values[start..start + width].to_vec()).unwrap()
        });
        Counts::new(shape, languages.collect(), Origin::default()).unwrap()
    };
    let (answers, clamped) = run(0, "full_tokens").minus(&run(1, "prefix_tokens")).unwrap();
    assert_eq!(clamped.entries, 22);
    for (answer, whole) in answers.languages().iter().zip(whole.languages()) {
        assert_eq!(answer.tokens(), whole.tokens());
        assert_eq!(
            answer.active(),
            &whole.active()[layer * width..(layer + 1) * width],
            "{}",
            whole.name()
        );
    }
}

#[test]
fn stored_results_read_back_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("units.json");
    identified().write(&path).unwrap();
    assert!(Identified::read(&path).unwrap() == *identified());
}

#[test]
fn stored_results_that_someone_edited_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("units.json");
    identified().write(&path).unwrap();
    let value: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    let refused = |change: fn(&mut serde_json::Value)| {
        let mut value = value.clone();
        change(&mut value);
        std::fs::write(&path, value.to_string()).unwrap();
        Identified::read(&path).unwrap_err().to_string()
    };
    assert!(refused(|value| value["format"] = 2.into()).contains("newer version"));
    assert!(refused(|value| value["selected"][0]["unit"]["index"] = 14336.into()).contains("does not have"));
    assert!(refused(|value| value["selected"][0]["languages"] = vec![10].into()).contains("names a language"));
    assert!(refused(|value| value["selected"].as_array_mut().unwrap().swap(0, 1)).contains("out of order"));
    assert!(refused(|value| value["method"] = "other".into()).contains("identify them again"));
}
