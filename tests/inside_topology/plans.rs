//! Small networks from files.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use npyz::WriterBuilder;
use serde_json::Value;
use widedeep::inside::topology::{Archive, Convention, Flow, Network, read_network};
use zip::write::SimpleFileOptions;

use crate::oracle::{SMALL, Within, cases, numbers, shape};

/// Writes tensors as `numpy.savez_compressed` does.
fn npz(path: &Path, tensors: &[(&str, Vec<usize>, Vec<f64>)]) {
    let mut zip = zip::ZipWriter::new(File::create(path).unwrap());
    for (name, shape, values) in tensors {
        let mut bytes = Vec::new();
        let shape: Vec<u64> = shape.iter().map(|&axis| axis as u64).collect();
        let mut writer = npyz::WriteOptions::new()
            .default_dtype()
            .shape(&shape)
            .writer(&mut bytes)
            .begin_nd()
            .unwrap();
        writer.extend(values.iter().copied()).unwrap();
        writer.finish().unwrap();
        zip.start_file(format!("{name}.npy"), SimpleFileOptions::default())
            .unwrap();
        zip.write_all(&bytes).unwrap();
    }
    zip.finish().unwrap();
}

/// Writes tensors as f32 safetensors.
fn safetensors(path: &Path, tensors: &[(&str, Vec<usize>, Vec<f64>)]) {
    #[expect(clippy::cast_possible_truncation, reason = "the file holds f32")]
    let bytes = |values: &[f64]| {
        values
            .iter()
            .flat_map(|&value| (value as f32).to_le_bytes())
            .collect::<Vec<u8>>()
    };
    let data: Vec<_> = tensors
        .iter()
        .map(|(name, shape, values)| (*name, shape.clone(), bytes(values)))
        .collect();
    let views = data.iter().map(|(name, shape, bytes)| {
        let view = safetensors::tensor::TensorView::new(safetensors::Dtype::F32, shape.clone(), bytes);
        (*name, view.unwrap())
    });
    std::fs::write(path, safetensors::serialize(views, None).unwrap()).unwrap();
}

fn named<'a>(name: &'a str, value: &Value) -> (&'a str, Vec<usize>, Vec<f64>) {
    (name, shape(value), numbers(value))
}

/// A folder with a plan and its tensors.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new(plan: &str) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        std::fs::write(folder.plan(), plan).unwrap();
        folder
    }

    fn plan(&self) -> std::path::PathBuf {
        self.0.path().join("net.toml")
    }

    fn with_npz(self, tensors: &[(&str, Vec<usize>, Vec<f64>)]) -> Self {
        npz(&self.0.path().join("net.npz"), tensors);
        self
    }

    /// The message of the error that the plan is refused with, without the folder.
    fn refusal(&self) -> String {
        let mut chain = Vec::new();
        let error = read_network(&self.plan()).unwrap_err();
        chain.push(error.to_string());
        let folder = format!("{}/", self.0.path().display());
        chain.join(": ").replace(&folder, "")
    }
}

const CONV: &str = r#"
weights = "net.npz"
input = [2, 6, 6]
inputs = "x"

[[layers]]
kind = "conv"
weights = "k1"
bias = "b1"
activation = "relu"

[[layers]]
kind = "conv"
weights = "k2"
bias = "b2"
activation = "relu"

[[layers]]
kind = "dense"
weights = "w3"
bias = "b3"
activation = "relu"

[[layers]]
kind = "dense"
weights = "w4"
bias = "b4"
activation = "softmax"
"#;

fn conv_tensors(case: &Value) -> Vec<(&'static str, Vec<usize>, Vec<f64>)> {
    vec![
        named("k1", &case["conv"][0]["K"]),
        named("b1", &case["conv"][0]["b"]),
        named("k2", &case["conv"][1]["K"]),
        named("b2", &case["conv"][1]["b"]),
        named("w3", &case["fc"][0]["W"]),
        named("b3", &case["fc"][0]["b"]),
        named("w4", &case["fc"][1]["W"]),
        named("b4", &case["fc"][1]["b"]),
        named("x", &case["inputs_nchw"]),
    ]
}

/// Strengths of all layers, and mean strengths under the file's inputs.
fn compare(folder: &Folder, case: &Value, within: Within) {
    let planned = read_network(&folder.plan()).unwrap();
    let Network::Stack(stack) = planned.network else {
        panic!("a stack was planned")
    };
    let nodes = stack.nodes();
    let inputs = planned.inputs.unwrap();
    let flows = stack.flows(inputs.values.chunks(nodes[0].size()), Flow::Both).unwrap();
    let expected = case["expected"]["nodes"].as_array().unwrap();
    for ((nodes, flows), expected) in nodes.iter().zip(&flows).zip(expected) {
        within.all("strength", &nodes.strength(Convention::Authors), &expected["strength"]);
        within.all("flow", &flows.strength.means(), &expected["neuron_strength_mean"]);
    }
}

#[test]
fn a_convolutional_network_reads_from_npz_as_the_reference_has_it() {
    let (_, case) = cases("cnn.json").remove(0);
    compare(&Folder::new(CONV).with_npz(&conv_tensors(&case)), &case, SMALL);
}

#[test]
fn a_convolutional_network_reads_from_safetensors_to_the_precision_of_f32() {
    let (_, case) = cases("cnn.json").remove(0);
    let folder = Folder::new(&CONV.replace("net.npz", "net.safetensors"));
    safetensors(&folder.0.path().join("net.safetensors"), &conv_tensors(&case));
    compare(&folder, &case, Within(1e-6, 1e-5));
}

#[test]
fn keras_order_of_axes_gives_the_same_network() {
    let (_, case) = cases("cnn.json").remove(0);
    let plan = CONV
        .replace("kind = \"conv\"", "kind = \"conv\"\nlayout = \"hwio\"")
        .replace("kind = \"dense\"", "kind = \"dense\"\nlayout = \"in-out\"")
        .replace("weights = \"w3\"", "weights = \"w3\"\nflatten = \"channels-last\"");
    let turned = conv_tensors(&case).into_iter().map(|(name, shape, values)| {
        let mut tensor = widedeep::inside::topology::Tensor { shape, values };
        tensor = match name {
            "k1" | "k2" => tensor.with_axes(&[2, 3, 1, 0]),
            // [out][c, y, x] to [y, x, c][out].
            "w3" => {
                tensor.shape = vec![5, 2, 2, 2];
                let mut turned = tensor.with_axes(&[2, 3, 1, 0]);
                turned.shape = vec![8, 5];
                turned
            }
            "w4" => tensor.with_axes(&[1, 0]),
            _ => tensor,
        };
        (name, tensor.shape, tensor.values)
    });
    let turned: Vec<_> = turned.collect();
    compare(&Folder::new(&plan).with_npz(&turned), &case, SMALL);
}

const RECURRENT: &str = r#"
weights = "net.npz"

[recurrent]
steps = 4
input_weights = "Wx"
state_weights = "Wh"
bias = "b"
output_weights = "Wo"
output_bias = "c"
activation = "tanh"
"#;

#[test]
fn a_recurrent_network_reads_from_npz_as_the_reference_has_it() {
    let (name, case) = cases("rnn.json").remove(0);
    let tensors = ["Wx", "Wh", "b", "Wo", "c"].map(|tensor| named(tensor, &case[tensor]));
    let planned = read_network(&Folder::new(RECURRENT).with_npz(&tensors).plan()).unwrap();
    let Network::Recurrent { elman, steps } = planned.network else {
        panic!("a recurrent network was planned")
    };
    assert_eq!(steps, 4);
    let expected = &case["expected"]["folded_hidden"]["strength"];
    SMALL.all(&name, &elman.folded().strength(Convention::Authors), expected);
}

#[test]
fn mistakes_are_refused_with_the_line_they_stand_on() {
    let (_, case) = cases("cnn.json").remove(0);
    let tensors = conv_tensors(&case);
    let refusal = |from: &str, to: &str| Folder::new(&CONV.replacen(from, to, 1)).with_npz(&tensors).refusal();
    let cases = [
        (
            refusal("activation = \"relu\"", "activaton = \"relu\""),
            "net.toml:10: unknown field `activaton`",
        ),
        (
            refusal("\"softmax\"", "\"softmx\""),
            "net.toml:28: unknown variant `softmx`",
        ),
        (
            refusal("weights = \"k1\"", "weights = \"k9\""),
            "net.toml:8: `net.npz` has no tensor `k9`; it has `b1`, `b2`",
        ),
        (
            refusal("weights = \"k1\"", "weights = \"w3\""),
            "net.toml:8: tensor `w3` has shape [5, 8] where 4 axes",
        ),
        (
            refusal("weights = \"w3\"", "weights = \"w4\""),
            "net.toml:18: the bias has 5 numbers for 3 output nodes",
        ),
        (
            refusal("weights = \"w3\"\nbias = \"b3\"", "weights = \"w4\""),
            "net.toml:18: layer 3 (from 1) reads 5 nodes",
        ),
        (
            refusal("weights = \"w3\"", "weights = \"w3\"\nstride = 2"),
            "net.toml:21: a `dense` layer does not take this `stride`",
        ),
        (
            refusal("weights = \"k1\"", "layout = \"in-out\"\nweights = \"k1\""),
            "net.toml:8: a `conv` layer does not take this `layout`",
        ),
        (
            refusal("weights = \"k1\"\n", ""),
            "net.toml:6: a `conv` layer needs `weights`",
        ),
        (
            refusal("input = [2, 6, 6]\n", ""),
            "net.toml:5: a `conv` layer reads an image, but no image's size is given",
        ),
        (
            refusal("input = [2, 6, 6]", "input = [3, 6, 6]"),
            "net.toml:6: the kernel reads 2 channels, but 3 arrive",
        ),
        (refusal("net.npz", "none.npz"), "net.toml:2: cannot read `none.npz`"),
        (
            refusal("net.npz", "net.toml"),
            "net.toml:2: `net.toml` is neither `.npz` nor `.safetensors`",
        ),
        (refusal("[2, 6, 6]", "[2, 6, 6"), "net.toml:"),
    ];
    for (found, expected) in cases {
        assert!(
            found.starts_with(expected),
            "{found}\nwhere this is expected\n{expected}"
        );
    }
}

#[test]
fn numbers_that_are_none_are_refused_with_their_tensor() {
    let (_, case) = cases("cnn.json").remove(0);
    let mut tensors = conv_tensors(&case);
    tensors[0].2[3] = f64::INFINITY;
    let found = Folder::new(CONV).with_npz(&tensors).refusal();
    assert!(
        found.starts_with("net.toml:8: tensor `k1` of `net.npz` holds a value that is not finite"),
        "{found}"
    );
}

#[test]
fn columns_first_arrays_and_damaged_files_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("net.npz");
    let mut bytes = Vec::new();
    let options = npyz::WriteOptions::new()
        .default_dtype()
        .shape(&[2, 3])
        .order(npyz::Order::Fortran);
    let mut writer = options.writer(&mut bytes).begin_nd().unwrap();
    writer.extend([1_i32, 4, 2, 5, 3, 6]).unwrap();
    writer.finish().unwrap();
    let mut zip = zip::ZipWriter::new(File::create(&path).unwrap());
    zip.start_file("a.npy", SimpleFileOptions::default()).unwrap();
    zip.write_all(&bytes).unwrap();
    zip.finish().unwrap();
    let tensor = Archive::open(&path).unwrap().tensor("a").unwrap();
    assert_eq!(
        (tensor.shape, tensor.values),
        (vec![2, 3], vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    );

    for name in ["bad.npz", "bad.safetensors"] {
        let bad = folder.path().join(name);
        std::fs::write(&bad, b"no tensors").unwrap();
        let error = Archive::open(&bad).unwrap_err().to_string();
        assert!(error.contains(name) && error.contains("does not read as"), "{error}");
    }
}
