//! `spectrum`: the default model, tiny ones, and what is refused.

use super::{checkpoints, folder::Folder, support};

fn default_model() -> String {
    support::default_model().to_str().unwrap().to_owned()
}

#[test]
fn the_default_model_has_a_spectrum_with_controls_parts_and_files() {
    let folder = Folder::new();
    let model = default_model();
    let ended = folder.works(&format!(
        "spectrum {model} --mode fixed-grid-rms --nodes 16 --repetitions 2 --out found"
    ));
    for words in [
        "llama with 30 blocks; 16 nodes per group, 2 repetitions",
        "irregularity α0",
        "heterogeneity w",
        "30 radii from 15.000 to 150.000",
        "shuffled in each matrix",
        "Gaussian in each matrix",
        "MLP hidden",
    ] {
        assert!(ended.out.contains(words), "{words}\n{}", ended.out);
    }
    assert!(ended.err.contains("reading 30 blocks") && ended.err.contains("spectrum.svg"));
    let document = folder.json("found/spectrum.json");
    assert_eq!(document["format"], 1);
    assert_eq!(document["config"]["scope"]["sampled"]["size"], 16);
    let file = &document["origin"]["files"][0];
    assert_eq!(file["path"], model.as_str());
    assert_eq!(file["blake3"].as_str().unwrap().len(), 64);
    let (header, rows) = folder.csv("found/spectrum.csv");
    assert!(header.contains(&"r2".to_owned()) && rows.len() == 61);
    assert_eq!(folder.csv("found/parts.csv").1.len(), 4 + 30);
    assert_eq!(folder.csv("found/surrogates.csv").1.len(), 2);
    assert_eq!(folder.csv("found/companions.csv").1.len(), 4 * 30);
    assert!(folder.read("found/blocks.svg").contains("by block"));
}

#[test]
fn weights_far_from_the_thresholds_are_refused_with_the_way_out() {
    let folder = Folder::new();
    let flags = format!("spectrum {} --nodes 16 --repetitions 2", default_model());
    let error = folder.fails(1, &flags);
    for words in ["do not scale", "R² is", "--mode compat-rms", "--report-anyway"] {
        assert!(error.contains(words), "{words}\n{error}");
    }
    let ended = folder.works(&format!("{flags} --report-anyway"));
    assert!(ended.out.contains("R² 0."), "{}", ended.out);
}

#[test]
fn a_later_seed_draws_the_later_samples() {
    let folder = checkpoints::growing();
    folder.works("spectrum step-00000 --nodes 24 --repetitions 3 --out three");
    folder.works("spectrum step-00000 --nodes 24 --repetitions 1 --seed 2 --out one");
    let alpha0 = |name: &str, nth: usize| {
        folder.json(name)["measurement"]["repetitions"][nth]["spectrum"]["alpha0"]
            .as_f64()
            .unwrap()
    };
    let (three, one) = (alpha0("three/spectrum.json", 2), alpha0("one/spectrum.json", 0));
    assert!((three - one).abs() < 1e-12, "{three} {one}");
    assert!((alpha0("three/spectrum.json", 0) - one).abs() > 1e-6);
}

#[test]
fn every_choice_is_recorded_as_it_was_made() {
    let folder = checkpoints::growing();
    let flags = "spectrum step-00000 --nodes 20 --repetitions 2 --seed 5 --hops 2 --gated up-only --scale rms --target-rms 0.03 --exponent 1.5 \
         --longer-than 2 --at-most 900 --more-than 4 --rounding none --radii log:30:900:12 --normaliser total-nodes --centre excluded \
         --q -2:2:5 --peak exact --derivative central --line through-origin --window 40:800 --average spectra --report-anyway \
         --threads 1 --out found";
    folder.works(flags);
    let config = folder.json("found/spectrum.json")["config"].clone();
    let expected = serde_json::json!({
        "scope": {"sampled": {"size": 20, "repetitions": 2, "seed": 5}},
        "hops": "two",
        "gated": "up-only",
        "scale": {"root-mean-square": 0.03},
        "measure": {
            "exponent": 1.5, "longer_than": 2.0, "at_most": 900.0, "more_than": 4, "rounding": "none",
            "radii": {"log-grid": {"low": 30.0, "high": 900.0, "count": 12}},
            "normaliser": "total-nodes", "centre": "excluded",
        },
        "analysis": {
            "q": {"low": -10, "high": 10, "per_unit": 5}, "peak": "exact", "derivative": "central", "line": "through-origin",
            "window": {"low": 40.0, "high": 800.0}, "reject": "none", "average": "spectra", "scaling": "report-anyway",
        },
    });
    let scale = config["scale"].clone();
    assert!(scale.to_string().contains("0.03"), "{scale}");
    for part in ["scope", "hops", "gated", "measure", "analysis"] {
        assert_eq!(config[part], expected[part], "{part}");
    }
    // So far from the paper's choices, f is positive somewhere.
    let error = folder.fails(1, &format!("{flags} --reject both"));
    assert!(error.contains("all 2 repetitions were rejected"), "{error}");
}

#[test]
fn the_full_network_needs_no_sample() {
    let folder = checkpoints::growing();
    let ended = folder.works("spectrum step-00000/model.safetensors --scope full --out found");
    assert!(ended.out.contains("the full network"), "{}", ended.out);
    assert!(!folder.path("found/surrogates.csv").exists());
    assert_eq!(folder.json("found/spectrum.json")["size"], serde_json::Value::Null);
}

#[test]
fn a_small_model_says_that_fewer_nodes_were_drawn() {
    let folder = checkpoints::growing();
    let ended = folder.works("spectrum step-00000");
    assert!(ended.out.contains("32 nodes per group"), "{}", ended.out);
    assert!(
        ended.err.contains("32 nodes per group were drawn, not 64"),
        "{}",
        ended.err
    );
}

#[test]
fn what_cannot_be_read_or_is_contradictory_is_bad_input() {
    let folder = checkpoints::growing();
    std::fs::create_dir(folder.path("empty")).unwrap();
    std::fs::write(folder.path("notes.gguf"), "no model").unwrap();
    for (flags, words) in [
        ("spectrum gemma3-270", "gemma3-270m"),
        ("spectrum empty", "no `.safetensors` file"),
        ("spectrum ./absent.gguf", "absent.gguf"),
        ("spectrum ./notes.gguf", "notes.gguf"),
        ("spectrum step-00000 --line through-origin", "free intercept"),
        ("spectrum step-00000 --scope full --hops 2", "direct edges only"),
        ("spectrum step-00000 --window 9:3", "between `9` and `3`"),
        ("spectrum step-00000 --radii 5,4", "ascending"),
        ("spectrum step-00000 --peak highest", "centred"),
    ] {
        let error = folder.fails(2, flags);
        assert!(error.contains(words), "{flags}: {error}");
    }
}
