//! Small networks of the four kinds, through the program, against the reference.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::Value;

use crate::folder::{Folder, Tensors, near, npz, numbers, oracle, safetensors, shape};

/// A network's TOML file and its tensors.
pub struct Files {
    pub toml: String,
    pub tensors: Tensors,
}

impl Files {
    fn new(inputs: &Value) -> Self {
        let mut files = Self {
            toml: "weights = \"net.npz\"\ninputs = \"x\"\n".to_owned(),
            tensors: Vec::new(),
        };
        files.tensor("x", inputs);
        files
    }

    fn tensor(&mut self, name: &str, value: &Value) {
        self.tensors.push((name.to_owned(), shape(value), numbers(value)));
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        writeln!(self.toml, "{line}").unwrap();
    }

    fn weights(&mut self, name: &str, weights: &Value, bias: &Value, act: &Value) {
        self.tensor(name, weights);
        self.line(format_args!("weights = \"{name}\"\nactivation = {act}"));
        if !bias.is_null() {
            self.tensor(&format!("{name}.b"), bias);
            self.line(format_args!("bias = \"{name}.b\""));
        }
    }

    fn dense(&mut self, name: &str, layer: &Value) {
        self.line(format_args!("[[layers]]\nkind = \"dense\""));
        self.weights(name, &layer["W"], &layer["b"], &layer["act"]);
    }

    pub fn of_layers(case: &Value) -> Self {
        let mut files = Self::new(&case["inputs"]);
        for (nth, layer) in case["layers"].as_array().unwrap().iter().enumerate() {
            files.dense(&format!("w{nth}"), layer);
        }
        files
    }

    fn of_conv(case: &Value) -> Self {
        let mut files = Self::new(&case["inputs_nchw"]);
        files.line(format_args!("input = {}", case["conv"][0]["in_shape"]));
        for (nth, layer) in case["conv"].as_array().unwrap().iter().enumerate() {
            let (stride, padding) = (&layer["stride"], &layer["padding"]);
            files.line(format_args!(
                "[[layers]]\nkind = \"conv\"\nstride = {stride}\npadding = {padding}"
            ));
            files.weights(&format!("k{nth}"), &layer["K"], &layer["b"], &layer["act"]);
        }
        for (nth, layer) in case["fc"].as_array().unwrap().iter().enumerate() {
            files.dense(&format!("w{nth}"), layer);
        }
        files
    }

    fn of_elman(case: &Value) -> Self {
        let mut files = Self::new(&case["inputs_ntp"]);
        let steps = shape(&case["inputs_ntp"])[1];
        files.line(format_args!(
            "[recurrent]\nsteps = {steps}\ninput_weights = \"Wx\"\nstate_weights = \"Wh\"\nbias = \"b\"\noutput_weights = \"Wo\"\noutput_bias = \
             \"c\"\nactivation = {}",
            case["act"]
        ));
        for name in ["Wx", "Wh", "b", "Wo", "c"] {
            files.tensor(name, &case[name]);
        }
        files
    }

    pub fn put(&self, folder: &Folder, name: &str) {
        folder.write(
            &format!("{name}.toml"),
            self.toml.replace("net.npz", &format!("{name}.npz")),
        );
        npz(&folder.path(&format!("{name}.npz")), &self.tensors);
    }
}

/// What the program found, by place and measure.
/// Means and standard deviations, node by node.
type Flow = (Vec<f64>, Vec<f64>);

struct Found {
    /// (layer, set, measure) → values, node by node.
    nodes: BTreeMap<(usize, String, String), Vec<f64>>,
    /// (layer, set, metric) → means and standard deviations, node by node.
    flows: BTreeMap<(usize, String, String), Flow>,
    record: Value,
}

fn measured(files: &Files) -> Found {
    let folder = Folder::new();
    files.put(&folder, "net");
    folder.done(&["measure", "net.toml", "--out", "out"]);
    let (mut nodes, mut flows) = (BTreeMap::new(), BTreeMap::new());
    let number = |row: &BTreeMap<String, String>, column: &str| row[column].parse::<f64>().unwrap();
    for row in folder.csv("out/node_values.csv") {
        let key = (row["block"].parse().unwrap(), row["set"].clone(), row["side"].clone());
        let values: &mut Vec<f64> = nodes.entry(key).or_default();
        assert_eq!(row["node"], values.len().to_string());
        values.push(number(&row, "value"));
    }
    for row in folder.csv("out/flow_values.csv") {
        assert_eq!(row["reconstruction"], "true");
        let key = (row["block"].parse().unwrap(), row["set"].clone(), row["metric"].clone());
        let values: &mut (Vec<f64>, Vec<f64>) = flows.entry(key).or_default();
        values.0.push(number(&row, "mean"));
        values.1.push(number(&row, "std"));
    }
    for figure in [
        "links.svg",
        "strength.svg",
        "fluctuation.svg",
        "strength_divergence.svg",
    ] {
        let svg = std::fs::read_to_string(folder.path("out").join(figure)).unwrap();
        assert!(svg.starts_with("<svg") || svg.contains("<svg "), "{figure}");
    }
    let record = folder.json("out/measurement.json")["record"].clone();
    Found { nodes, flows, record }
}

impl Found {
    fn check(&self, what: &str, layer: usize, set: &str, key: &str, expected: &Value) {
        let at = |measure: &str| (layer, set.to_owned(), measure.to_owned());
        let flow = |metric: &str| self.flows.get(&at(metric));
        let row = |rows: &str, wanted: &[(&str, &str)], figure: &str| {
            let is = |row: &&Value| {
                row["block"] == layer && row["set"] == set && wanted.iter().all(|(key, value)| row[*key] == **value)
            };
            let row = self.record[rows].as_array().unwrap().iter().find(is);
            row.map(|row| vec![row[figure].as_f64().unwrap()])
        };
        let found = match key {
            "in_strength" => self.nodes.get(&at("in")).cloned(),
            "out_strength" => self.nodes.get(&at("out")).cloned(),
            "strength" => self.nodes.get(&at("strength")).cloned(),
            "disparity_in" | "disparity_out" => self.nodes.get(&at(key)).cloned(),
            "in_strength_full_kernel_variant" => self.nodes.get(&at("in_full_kernel")).cloned(),
            "layer_fluctuation" => row("nodes", &[("side", "strength")], "std"),
            "activation_mean" => flow("activation").map(|flow| flow.0.clone()),
            "activation_std" => flow("activation").map(|flow| flow.1.clone()),
            "in_flow_mean" => flow("in_flow").map(|flow| flow.0.clone()),
            "out_flow_mean" => flow("out_flow").map(|flow| flow.0.clone()),
            "neuron_strength_mean" => flow("neuron_strength").map(|flow| flow.0.clone()),
            "neuron_strength_std" => flow("neuron_strength").map(|flow| flow.1.clone()),
            "neuron_fluctuation" => row("dynamic", &[("metric", "neuron_strength")], "std"),
            // Sizes are said by the numbers of values; the strict convention has a run of its own.
            "size" | "shape_chw" | "strength_strict" | "t" => return,
            other => panic!("{what}: no comparison for `{other}`"),
        };
        match found {
            Some(found) => near(&format!("{what}, {key}"), &found, &numbers(expected), 1e-8, 1e-9),
            None => assert!(expected.is_null(), "{what}, {key}"),
        }
    }

    fn check_layers(&self, what: &str, set: &str, layers: &Value) {
        for (layer, expected) in layers.as_array().unwrap().iter().enumerate() {
            for (key, expected) in expected.as_object().unwrap() {
                self.check(&format!("{what}, layer {layer}"), layer, set, key, expected);
            }
        }
    }

    fn check_links(&self, what: &str, layers: &Value) {
        for (layer, expected) in layers.as_array().unwrap().iter().enumerate() {
            let expected = &expected["weights_and_biases"];
            let rows = self.record["links"].as_array().unwrap().iter();
            let row = rows
                .into_iter()
                .find(|row| row["block"] == layer + 1 && row["tensor"] == "weights_and_biases")
                .unwrap();
            for figure in ["n", "mean", "std", "min", "max", "l1", "l2", "skew", "kurtosis_excess"] {
                let found = row[figure].as_f64().unwrap();
                near(
                    &format!("{what}, links {layer}, {figure}"),
                    &[found],
                    &numbers(&expected[figure]),
                    1e-8,
                    1e-9,
                );
            }
        }
    }
}

fn cases(file: &str) -> Vec<(String, Value)> {
    let cases = oracle(file)["cases"].as_array().unwrap().clone();
    cases
        .into_iter()
        .map(|case| (case["name"].as_str().unwrap().to_owned(), case))
        .collect()
}

#[test]
fn fully_connected_networks_and_autoencoders_match_the_reference() {
    for file in ["fc.json", "ae.json"] {
        for (name, case) in cases(file) {
            let found = measured(&Files::of_layers(&case));
            found.check_links(&name, &case["expected"]["links"]);
            found.check_layers(&name, "layer", &case["expected"]["nodes"]);
            let family = found.record["model"]["architecture"].as_str().unwrap();
            assert_eq!(
                family,
                if file == "fc.json" {
                    "fully-connected"
                } else {
                    "autoencoder"
                }
            );
        }
    }
}

#[test]
fn convolutional_networks_match_the_reference() {
    for (name, case) in cases("cnn.json") {
        let found = measured(&Files::of_conv(&case));
        found.check_links(&name, &case["expected"]["links"]);
        found.check_layers(&name, "layer", &case["expected"]["nodes"]);
    }
}

#[test]
fn recurrent_networks_match_the_reference_folded_and_unfolded() {
    for (name, case) in cases("rnn.json") {
        let found = measured(&Files::of_elman(&case));
        let expected = &case["expected"];
        found.check_layers(&name, "hidden", &expected["unfolded_hidden"]);
        for (key, expected) in expected["folded_hidden"].as_object().unwrap() {
            if !key.contains("mean") && !key.contains("std") {
                found.check(&name, 0, "hidden_folded", key, expected);
            }
        }
        found.check(&name, 0, "input", "strength", &expected["input_strength"]);
        found.check(&name, 0, "input", "layer_fluctuation", &expected["input_fluctuation"]);
        found.check(&name, 0, "output", "strength", &expected["output_strength"]);
        found.check(&name, 0, "output", "layer_fluctuation", &expected["output_fluctuation"]);
        found.check(
            &name,
            0,
            "output",
            "activation_mean",
            &expected["output_activation_mean"],
        );
        found.check(
            &name,
            0,
            "output",
            "neuron_strength_mean",
            &expected["output_neuron_strength_mean"],
        );
    }
}

#[test]
fn the_strict_graph_leaves_unit_links_out_and_in_flow_alone_is_the_preactivation() {
    let (_, case) = cases("fc.json").remove(0);
    let folder = Folder::new();
    Files::of_layers(&case).put(&folder, "net");
    folder.done(&["measure", "net.toml", "--strict", "--flow", "in", "--out", "out"]);
    let values = |file: &str, wanted: &[(&str, &str)], column: &str| -> Vec<f64> {
        let rows = folder.csv(file).into_iter();
        rows.filter(|row| wanted.iter().all(|(key, value)| row[*key] == **value))
            .map(|row| row[column].parse().unwrap())
            .collect()
    };
    for (layer, expected) in case["expected"]["nodes"].as_array().unwrap().iter().enumerate() {
        let layer = layer.to_string();
        let found = values(
            "out/node_values.csv",
            &[("block", &layer), ("side", "strength")],
            "value",
        );
        near("strict", &found, &numbers(&expected["strength_strict"]), 1e-8, 1e-9);
        let found = values(
            "out/flow_values.csv",
            &[("block", &layer), ("metric", "neuron_strength")],
            "mean",
        );
        near("in-flow", &found, &numbers(&expected["in_flow_mean"]), 1e-8, 1e-9);
    }
}

#[test]
fn safetensors_serve_as_well_as_npz_and_the_summary_needs_no_folder() {
    let (_, case) = cases("fc.json").remove(1);
    let files = Files::of_layers(&case);
    let folder = Folder::new();
    files.put(&folder, "net");
    folder.write("other.toml", files.toml.replace("net.npz", "other.safetensors"));
    safetensors(
        &folder.path("other.safetensors"),
        safetensors::Dtype::F32,
        &files.tensors,
    );
    let (one, other) = (
        folder.done(&["measure", "net.toml"]),
        folder.done(&["measure", "other.toml"]),
    );
    assert!(one.contains("fully-connected, nodes 5 → 7 → 3"), "{one}");
    assert!(one.contains("a reconstruction"), "{one}");
    // f32 keeps seven digits, of which the summary shows four.
    assert_eq!(one.replace("net.toml", ""), other.replace("other.toml", ""));
    assert_eq!(
        std::fs::read_dir(folder.path(".")).unwrap().count(),
        4,
        "nothing else was written"
    );
}
