//! Two decoder blocks whose every number the reference gives.

use std::collections::BTreeMap;
use std::error::Error;
use std::ops::Range;

use serde_json::Value;
use widedeep::inside::topology::{
    Activation, BlockFlow, Capture, Decoder, FirstPosition, Flow, Gathered, Gathering, Heads, Matrix, Measure, Mode,
    Norm, Running, Set, Shape, Skip, Topology, Weights, Wiring, topology,
};

use crate::oracle::{SMALL, Within, cases, matrix, numbers};

/// Tensors in memory, under GGUF names.
#[derive(Clone, Default)]
pub struct Tensors(pub BTreeMap<String, Matrix>);

impl Weights for Tensors {
    type Value = f64;

    fn shape(&self, tensor: &str) -> Option<Shape> {
        self.0.get(tensor).map(|matrix| Shape {
            rows: matrix.rows(),
            columns: matrix.columns(),
        })
    }

    fn read(&self, tensor: &str, rows: Range<usize>, into: &mut Vec<f64>) -> Result<(), Box<dyn Error + Send + Sync>> {
        let matrix = self.0.get(tensor).ok_or("no such tensor")?;
        into.clear();
        into.extend(rows.flat_map(|row| matrix.row(row)));
        Ok(())
    }
}

pub fn tensors(case: &Value) -> Tensors {
    let tensors = case["tensors"].as_object().unwrap().iter().map(|(name, value)| {
        let matrix = if value[0].is_array() {
            matrix(value)
        } else {
            Matrix::new(1, numbers(value).len(), numbers(value)).unwrap()
        };
        (format!("blk.0.{name}.weight"), matrix)
    });
    Tensors(tensors.collect())
}

pub fn heads(case: &Value) -> Heads {
    let of = |name: &str| usize::try_from(case["config"][name].as_u64().unwrap()).unwrap();
    Heads {
        query: of("n_head"),
        key_value: of("n_head_kv"),
    }
}

fn analysed(tensors: &Tensors, heads: Heads) -> Topology {
    let decoder = Decoder::find(tensors, heads, Wiring::Sequential).unwrap();
    topology(tensors, &decoder, Skip::Left, |_| {}).unwrap()
}

fn set(name: &str) -> Set {
    let name = if name == "resid_into_attn" { "resid_in" } else { name };
    serde_json::from_value(name.into()).unwrap()
}

/// All that an oracle says about node sets in one mode. `check(set, measure, values, expected)`.
pub fn each_measure(
    expected: &Value,
    topology: &Topology,
    block: usize,
    mode: Mode,
    mut check: impl FnMut(&str, &[f64], &Value),
) {
    for (set_name, measures) in expected.as_object().unwrap() {
        for (name, expected) in measures.as_object().unwrap() {
            let what = format!("{mode:?} {set_name} {name}");
            let measure: Measure = match name.as_str() {
                "in_total" => Measure::In,
                "layer_fluctuation" => Measure::Strength,
                name => serde_json::from_value(name.into()).unwrap(),
            };
            let values = topology
                .values(block, set(set_name), measure, mode)
                .unwrap_or_else(|| panic!("{what}"));
            if name == "layer_fluctuation" {
                let std = widedeep::inside::topology::Summary::of(values).unwrap().std;
                check(&what, &[std], expected);
            } else {
                check(&what, values, expected);
            }
        }
    }
}

#[test]
fn strengths_of_toy_blocks_match_the_reference_raw_and_folded() {
    for (name, case) in cases("transformer_toy.json") {
        let found = analysed(&tensors(&case), heads(&case));
        let expected = &case["expected"]["static"];
        for (mode, expected) in [(Mode::Raw, &expected["raw"]), (Mode::Folded, &expected["gamma_folded"])] {
            each_measure(expected, &found, 0, mode, |what, values, expected| {
                SMALL.all(&format!("{name} {what}"), values, expected);
            });
        }
    }
}

/// A forward pass of one block, as plain as can be: what llama.cpp's tap gives for a real model.
struct Pass {
    hidden: Vec<f64>,
    up: Vec<f64>,
    gate: Vec<f64>,
    channels: Vec<f64>,
    resid_mid: Vec<f64>,
    resid_out: Vec<f64>,
}

fn plus(one: &[f64], other: &[f64]) -> Vec<f64> {
    one.iter().zip(other).map(|(one, other)| one + other).collect()
}

fn forward(tensors: &Tensors, heads: Heads, inputs: &[f64], eps: f64) -> Pass {
    let tensor = |name: &str| &tensors.0[&format!("blk.0.{name}.weight")];
    let width = tensor("attn_output").rows();
    let head = tensor("attn_output").columns() / heads.query;
    let normed = |row: &[f64], norm: &str| -> Vec<f64> {
        let size = (row.iter().map(|x| x * x).sum::<f64>() / row.len() as f64 + eps).sqrt();
        row.iter()
            .zip(tensor(norm).values())
            .map(|(x, gain)| x / size * gain)
            .collect()
    };
    let mut pass = Pass {
        hidden: Vec::new(),
        up: Vec::new(),
        gate: Vec::new(),
        channels: Vec::new(),
        resid_mid: Vec::new(),
        resid_out: Vec::new(),
    };
    let (mut keys, mut values): (Vec<Vec<f64>>, Vec<Vec<f64>>) = (Vec::new(), Vec::new());
    for row in inputs.chunks(width) {
        let x = normed(row, "attn_norm");
        let query = tensor("attn_q").times(&x);
        keys.push(tensor("attn_k").times(&x));
        values.push(tensor("attn_v").times(&x));
        let mut channels = vec![0.0; heads.query * head];
        for h in 0..heads.query {
            let from = h / (heads.query / heads.key_value) * head;
            let dot = |key: &Vec<f64>| (0..head).map(|e| query[h * head + e] * key[from + e]).sum::<f64>();
            let mut shares: Vec<f64> = keys.iter().map(|key| dot(key) / (head as f64).sqrt()).collect();
            Activation::Softmax.apply(&mut shares);
            for (share, value) in shares.iter().zip(&values) {
                for e in 0..head {
                    channels[h * head + e] += share * value[from + e];
                }
            }
        }
        let mid = plus(row, &tensor("attn_output").times(&channels));
        let y = normed(&mid, "ffn_norm");
        let (up, gate) = (tensor("ffn_up").times(&y), tensor("ffn_gate").times(&y));
        let mut hidden = gate.clone();
        Activation::Silu.apply(&mut hidden);
        hidden.iter_mut().zip(&up).for_each(|(hidden, up)| *hidden *= up);
        pass.resid_out.extend(plus(&mid, &tensor("ffn_down").times(&hidden)));
        pass.resid_mid.extend(mid);
        pass.channels.extend(channels);
        pass.hidden.extend(hidden);
        pass.up.extend(up);
        pass.gate.extend(gate);
    }
    pass
}

impl Pass {
    fn capture(&self) -> Capture<'_, f64> {
        Capture {
            position: 0,
            hidden: Some(&self.hidden),
            up: Some(&self.up),
            gate: Some(&self.gate),
            channels: Some(&self.channels),
            resid_mid: Some(&self.resid_mid),
            resid_out: Some(&self.resid_out),
        }
    }
}

fn gathering(case: &Value, first: FirstPosition) -> Gathering {
    Gathering {
        flow: Flow::Both,
        first,
        norm: Norm::Rms {
            eps: case["config"]["rms_eps"].as_f64().unwrap(),
        },
    }
}

#[test]
fn flows_of_toy_blocks_match_the_reference() {
    for (name, case) in cases("transformer_toy.json") {
        let (tensors, heads) = (tensors(&case), heads(&case));
        let pass = forward(
            &tensors,
            heads,
            &numbers(&case["inputs_td"]),
            case["config"]["rms_eps"].as_f64().unwrap(),
        );
        let expected = &case["expected"]["dynamic"];
        SMALL.all("resid_mid", &pass.resid_mid, &expected["resid_mid"]);
        SMALL.all("resid_out", &pass.resid_out, &expected["resid_out"]);

        let mut flow = BlockFlow::new(&analysed(&tensors, heads), 0, gathering(&case, FirstPosition::Kept));
        flow.observe(&pass.capture()).unwrap();
        for set_name in ["ffn_neuron", "attn_channel"] {
            let flow = flow.sets().iter().find(|flow| flow.set == set(set_name)).unwrap();
            for (key, expected) in expected[set_name].as_object().unwrap() {
                let metric = |name: &str| flow.metrics().find(|(metric, _)| *metric == name).unwrap().1;
                let map = |gathered: &Gathered, f: fn(&Running) -> f64| gathered.nodes.iter().map(f).collect();
                let values: Vec<f64> = match key.as_str() {
                    "in_flow_up_mean" => metric("in_flow_up").means(),
                    "in_flow_gate_mean" => metric("in_flow_gate").means(),
                    "activation_mean" => metric("activation").means(),
                    "activation_abs_mean" => map(metric("activation"), Running::abs_mean),
                    "activation_std" => map(metric("activation"), Running::std),
                    "out_flow_mean" => metric("out_flow").means(),
                    "neuron_strength_mean" => metric("neuron_strength").means(),
                    "neuron_strength_std" => map(metric("neuron_strength"), Running::std),
                    "neuron_fluctuation" => vec![metric("neuron_strength").over_nodes().unwrap().std],
                    other => panic!("no comparison for `{other}`"),
                };
                SMALL.all(&format!("{name} {set_name} {key}"), &values, expected);
            }
        }
    }
}

#[test]
fn activations_may_come_in_pieces_and_the_first_position_is_left_out() {
    let (_, case) = cases("transformer_toy.json").remove(1);
    let (tensors, heads) = (tensors(&case), heads(&case));
    let pass = forward(&tensors, heads, &numbers(&case["inputs_td"]), 1e-5);
    let topology = analysed(&tensors, heads);
    let mut whole = BlockFlow::new(&topology, 0, gathering(&case, FirstPosition::Dropped));
    whole.observe(&pass.capture()).unwrap();
    let mut pieces = BlockFlow::new(&topology, 0, gathering(&case, FirstPosition::Dropped));
    let width = tensors.0["blk.0.ffn_up.weight"].rows();
    for (position, hidden) in pass.hidden.chunks(width).enumerate() {
        let row = position * width..(position + 1) * width;
        let capture = Capture {
            position,
            hidden: Some(hidden),
            up: Some(&pass.up[row.clone()]),
            gate: Some(&pass.gate[row]),
            ..Capture::default()
        };
        pieces.observe(&capture).unwrap();
    }
    assert_eq!(whole.sets()[0], pieces.sets()[0]);
    let positions = pass.hidden.len() / width;
    assert_eq!(whole.sets()[0].activation.nodes[0].n(), positions as u64 - 1);
    let odd = Capture {
        hidden: Some(&pass.hidden[1..]),
        ..Capture::default()
    };
    let error = pieces.observe(&odd).unwrap_err().to_string();
    assert!(error.starts_with("block 0: `hidden` came as 79 values"), "{error}");
}

#[test]
fn rescaling_a_norm_against_its_matrices_leaves_folded_strengths() {
    let (_, case) = cases("transformer_toy.json").remove(0);
    let (stored, heads) = (tensors(&case), heads(&case));
    let mut rescaled = stored.clone();
    let factor = |column: usize| 1.5 + 0.25 * column as f64;
    for (norm, matrices) in [
        ("attn_norm", &["attn_q", "attn_k", "attn_v"][..]),
        ("ffn_norm", &["ffn_up", "ffn_gate"]),
    ] {
        let mut scale = |name: &str, power: i32| {
            let matrix = rescaled.0.get_mut(&format!("blk.0.{name}.weight")).unwrap();
            let columns = matrix.columns();
            let values = matrix.values().iter().enumerate();
            let values = values
                .map(|(at, value)| value * factor(at % columns).powi(power))
                .collect();
            *matrix = Matrix::new(matrix.rows(), columns, values).unwrap();
        };
        scale(norm, -1);
        for name in matrices {
            scale(name, 1);
        }
    }
    let (one, other) = (analysed(&stored, heads), analysed(&rescaled, heads));
    let mut raw_differs = false;
    for (one, other) in one.nodes.iter().zip(&other.nodes) {
        let close = one
            .values
            .iter()
            .zip(&other.values)
            .all(|(one, other)| (one - other).abs() < 1e-9);
        match one.mode {
            Mode::Folded => assert!(close, "{:?} {:?}", one.set, one.measure),
            Mode::Raw => raw_differs |= !close,
        }
    }
    assert!(raw_differs);
}

#[test]
fn a_fused_tensor_and_experts_are_split_before_use() {
    let (_, case) = cases("transformer_toy.json").remove(0);
    let (stored, heads) = (tensors(&case), heads(&case));
    let stack = |names: &[&str]| {
        let parts = names.iter().map(|name| &stored.0[&format!("blk.0.{name}.weight")]);
        let values = parts.clone().flat_map(|part| part.values().to_vec()).collect();
        let rows = parts.clone().map(Matrix::rows).sum();
        Matrix::new(rows, parts.clone().next().unwrap().columns(), values).unwrap()
    };
    let mut other = stored.clone();
    for name in ["attn_q", "attn_k", "attn_v", "ffn_up", "ffn_gate", "ffn_down"] {
        other.0.remove(&format!("blk.0.{name}.weight"));
    }
    let mut put = |name: &str, matrix| other.0.insert(format!("blk.0.{name}.weight"), matrix);
    put("attn_qkv", stack(&["attn_q", "attn_k", "attn_v"]));
    put("ffn_up_exps", stack(&["ffn_up", "ffn_gate"]));
    put("ffn_gate_exps", stack(&["ffn_gate", "ffn_up"]));
    put("ffn_down_exps", stack(&["ffn_down", "ffn_down"]));
    put("ffn_gate_inp", Matrix::new(2, 12, vec![0.5; 24]).unwrap());
    let (one, other) = (analysed(&stored, heads), analysed(&other, heads));
    for set in [Set::QNode, Set::KNode, Set::VNode] {
        let of = |topology: &Topology| topology.values(0, set, Measure::In, Mode::Folded).unwrap().to_vec();
        assert_eq!(of(&one), of(&other));
    }
    let expert = |expert, measure| {
        let wanted = |nodes: &&widedeep::inside::topology::NodeValues| {
            (nodes.set, nodes.measure, nodes.mode, nodes.expert) == (Set::FfnNeuron, measure, Mode::Raw, Some(expert))
        };
        other.nodes.iter().find(wanted).unwrap().values.clone()
    };
    let up = one.values(0, Set::FfnNeuron, Measure::InUp, Mode::Raw).unwrap();
    assert_eq!(expert(0, Measure::InUp), up);
    assert_eq!(expert(1, Measure::InGate), up);
    assert_eq!(
        other.values(0, Set::Router, Measure::In, Mode::Raw),
        Some(&[6.0, 6.0][..])
    );
}

#[test]
fn blocks_are_chained_through_the_stream() {
    let (_, case) = cases("transformer_toy.json").remove(0);
    let (mut stored, heads) = (tensors(&case), heads(&case));
    let second: Vec<_> = stored
        .0
        .iter()
        .map(|(name, matrix)| (name.replace("blk.0", "blk.1"), matrix.clone()))
        .collect();
    stored.0.extend(second);
    let found = analysed(&stored, heads);
    let of = |block, set, measure| found.values(block, set, measure, Mode::Folded);
    assert_eq!(found.blocks(), 2);
    assert_eq!(of(1, Set::ResidIn, Measure::In), of(0, Set::ResidOut, Measure::In));
    assert_eq!(of(0, Set::ResidOut, Measure::Out), of(1, Set::ResidIn, Measure::Out));
    assert_eq!(
        (of(0, Set::ResidIn, Measure::In), of(1, Set::ResidOut, Measure::Out)),
        (None, None)
    );
    let decoder = Decoder::find(&stored, heads, Wiring::Sequential).unwrap();
    let skipped = topology(&stored, &decoder, Skip::Counted, |_| {}).unwrap();
    let shifted: Vec<f64> = of(1, Set::ResidIn, Measure::Strength)
        .unwrap()
        .iter()
        .map(|value| value + 2.0)
        .collect();
    let expected = serde_json::to_value(shifted).unwrap();
    let counted = skipped
        .values(1, Set::ResidIn, Measure::Strength, Mode::Folded)
        .unwrap();
    Within(1e-12, 1e-12).all("skip", counted, &expected);
}

#[test]
fn a_damaged_or_unknown_model_is_refused_with_the_tensor_named() {
    let (_, case) = cases("transformer_toy.json").remove(0);
    let (stored, heads) = (tensors(&case), heads(&case));
    let mut odd = stored.clone();
    let mut values = odd.0["blk.0.ffn_up.weight"].values().to_vec();
    values[7] = f64::NAN;
    odd.0
        .insert("blk.0.ffn_up.weight".into(), Matrix::new(20, 12, values).unwrap());
    let decoder = Decoder::find(&odd, heads, Wiring::Sequential).unwrap();
    let error = topology(&odd, &decoder, Skip::Left, |_| {}).unwrap_err().to_string();
    assert!(
        error.contains("`blk.0.ffn_up.weight`") && error.contains("not finite"),
        "{error}"
    );

    let five = Heads { query: 5, ..heads };
    let error = Decoder::find(&stored, five, Wiring::Sequential)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("`blk.0.attn_output.weight`") && error.contains("5 query heads"),
        "{error}"
    );
    let error = Decoder::find(&Tensors::default(), heads, Wiring::Sequential)
        .unwrap_err()
        .to_string();
    assert!(error.contains("decoder transformer"), "{error}");
}
