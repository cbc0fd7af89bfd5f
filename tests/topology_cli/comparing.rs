//! Two networks or models side by side, through the program.

use serde_json::Value;

use crate::folder::{Folder, near, npz, numbers, oracle};
use crate::support::default_model;
use crate::support::gguf;

/// A network of one layer whose weights are a sample of the oracle's.
fn of_sample(folder: &Folder, name: &str, values: &Value) {
    let values = numbers(values);
    folder.write(
        &format!("{name}.toml"),
        format!("weights = \"{name}.npz\"\n[[layers]]\nkind = \"dense\"\nweights = \"w\"\n"),
    );
    npz(
        &folder.path(&format!("{name}.npz")),
        &vec![("w".to_owned(), vec![1, values.len()], values)],
    );
}

#[test]
fn divergences_of_weights_match_the_reference() {
    for case in oracle("divergence.json")["cases"].as_array().unwrap() {
        let folder = Folder::new();
        let (x1, x2) = (&case["x1"], &case["x2"]);
        of_sample(&folder, "one", x1);
        of_sample(&folder, "other", x2);
        folder.done(&["compare", "one.toml", "other.toml", "--out", "out"]);
        let rows = folder.csv("out/divergences.csv");
        let found = |measure: &str| -> f64 {
            let row = rows
                .iter()
                .find(|row| row["what"] == "links/weights" && row["measure"] == measure);
            row.unwrap()["value"].parse().unwrap()
        };
        let expected = &case["expected"];
        for (measure, expected) in [
            ("jeffreys_integral", &expected["kde_jeffreys"]["jeffreys_integral"]),
            ("wasserstein", &expected["wasserstein1"]),
            ("kolmogorov_smirnov", &expected["ks_statistic"]),
        ] {
            near(measure, &[found(measure)], &numbers(expected), 1e-6, 0.0);
        }
    }
}

#[test]
fn networks_of_other_depth_are_not_compared() {
    let folder = Folder::new();
    of_sample(&folder, "one", &serde_json::json!([0.5, -1.0, 2.0]));
    folder.write(
        "deep.toml",
        "weights = \"deep.npz\"\n[[layers]]\nkind = \"dense\"\nweights = \"a\"\n[[layers]]\nkind = \"dense\"\nweights = \"b\"\n",
    );
    let tensors = [("a", vec![2, 3]), ("b", vec![1, 2])];
    let tensors = tensors.map(|(name, shape)| (name.to_owned(), shape.clone(), vec![0.5; shape.iter().product()]));
    npz(&folder.path("deep.npz"), &tensors.to_vec());
    let told = folder.refused(2, &["compare", "one.toml", "deep.toml"]);
    assert!(
        told.contains("compare networks of one kind and depth") && told.contains("3 → 2 → 1"),
        "{told}"
    );
}

#[test]
fn a_model_does_not_differ_from_itself_but_texts_do() {
    let folder = Folder::new();
    gguf::llama().write(&folder.path("model.gguf"));
    folder
        .write("one.txt", "HELLO,WORLD!".repeat(30))
        .write("other.txt", "12345678:THE-END".repeat(30));
    let said = folder.done(&[
        "compare",
        "./model.gguf",
        "./model.gguf",
        "--text",
        "one.txt",
        "--text-b",
        "other.txt",
        "--window",
        "64",
        "--threads",
        "1",
        "--out",
        "out",
    ]);
    assert!(
        said.contains("Over one.txt") && said.contains("Over other.txt"),
        "{said}"
    );
    let rows = folder.csv("out/divergences.csv");
    let (mut of_weights, mut of_texts) = (0, 0.0);
    for row in &rows {
        let value: f64 = row["value"].parse().unwrap();
        if row["what"].ends_with("/text") {
            if row["measure"] == "values_jensen_shannon_bits" {
                of_texts += value;
            }
        } else if [
            "jensen_shannon_bits",
            "wasserstein",
            "kolmogorov_smirnov",
            "rms_difference",
            "shift_std",
        ]
        .contains(&row["measure"].as_str())
        {
            assert!(value.abs() < 1e-300, "{row:?}");
            of_weights += 1;
        }
        if !row["p"].is_empty() {
            let (p, holm): (f64, f64) = (row["p"].parse().unwrap(), row["p_holm"].parse().unwrap());
            assert!(holm >= p, "a corrected p-value is no smaller: {row:?}");
        }
    }
    assert!(of_weights > 100 && of_texts > 0.01, "{of_weights} {of_texts}");
    let comparison = folder.json("out/comparison.json");
    assert_eq!(comparison["pairs"], serde_json::json!([[0, 0], [1, 1]]));
    assert!(folder.path("out/fluctuation_per_link.svg").is_file() && folder.path("out/overview.csv").is_file());
}

#[test]
fn models_of_other_depth_and_width_stand_beside_each_other_by_depth() {
    let folder = Folder::new();
    gguf::llama().write(&folder.path("small.gguf"));
    let model = default_model();
    let said = folder.done(&["compare", model.to_str().unwrap(), "./small.gguf", "--out", "out"]);
    assert!(said.contains("30 and 2 blocks"), "{said}");
    let comparison = folder.json("out/comparison.json");
    let pairs = comparison["pairs"].as_array().unwrap();
    assert_eq!(
        (pairs.len(), &pairs[0], &pairs[29]),
        (30, &serde_json::json!([0, 0]), &serde_json::json!([29, 1]))
    );
    let rows = comparison["nodes"].as_array().unwrap();
    assert!(
        rows.iter().all(|row| row["paired"].is_null()),
        "units of other models are no partners"
    );
    assert!(
        rows.iter()
            .any(|row| row["standardised_kolmogorov_smirnov"].as_f64().is_some())
    );
    assert!(
        comparison["links"]
            .as_array()
            .unwrap()
            .iter()
            .all(|row| row["rms_difference"].is_null())
    );
}
