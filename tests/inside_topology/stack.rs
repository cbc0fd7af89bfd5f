//! Fully connected, autoencoder and convolutional networks.

use serde_json::Value;
use widedeep::inside::topology::{
    Conv, Convention, Dense, Flow, Image, Kernel, Layer, NodeFlows, NodeLayer, Running, Stack, Stride,
};

use crate::oracle::{SMALL, activation, bias, cases, matrix, numbers};

fn dense(layer: &Value) -> Layer {
    Layer::Dense(Dense::new(matrix(&layer["W"]), bias(&layer["b"]), activation(&layer["act"])).unwrap())
}

fn conv(layer: &Value) -> Layer {
    let size = |name: &str| usize::try_from(layer[name].as_u64().unwrap()).unwrap();
    let [channels, height, width] = serde_json::from_value(layer["in_shape"].clone()).unwrap();
    let kernel = Kernel {
        shape: crate::oracle::shape(&layer["K"]).try_into().unwrap(),
        values: numbers(&layer["K"]),
    };
    let input = Image {
        channels,
        height,
        width,
    };
    let stride = Stride {
        step: size("stride"),
        padding: size("padding"),
    };
    Layer::Conv(Conv::new(kernel, bias(&layer["b"]), input, stride, activation(&layer["act"])).unwrap())
}

/// Everything that an oracle says about the layers of nodes. Keys of the oracle that are not known here fail.
fn compare_nodes(name: &str, nodes: &[NodeLayer], flows: &[NodeFlows], expected: &Value) {
    let expected = expected.as_array().unwrap();
    assert_eq!(nodes.len(), expected.len(), "{name}");
    for (at, ((layer, flows), expected)) in nodes.iter().zip(flows).zip(expected).enumerate() {
        for (key, expected) in expected.as_object().unwrap() {
            let what = format!("{name}, layer {at}, {key}");
            let (incoming, outgoing) = (layer.incoming.as_ref(), layer.outgoing.as_ref());
            let values: Option<Vec<f64>> = match key.as_str() {
                "size" => Some(vec![layer.size() as f64]),
                "shape_chw" => {
                    let nodes: f64 = numbers(expected).iter().product();
                    assert!((nodes - layer.size() as f64).abs() < 0.5, "{what}");
                    continue;
                }
                "in_strength" => incoming.map(|side| side.strength.clone()),
                "out_strength" => outgoing.map(|side| side.strength.clone()),
                "strength" => Some(layer.strength(Convention::Authors)),
                "strength_strict" => Some(layer.strength(Convention::Strict)),
                "layer_fluctuation" => layer.fluctuation().map(|value| vec![value]),
                "disparity_in" => incoming.map(|side| side.disparity.clone()),
                "disparity_out" => outgoing.map(|side| side.disparity.clone()),
                "in_strength_full_kernel_variant" => layer.full_kernel.clone(),
                "activation_mean" => Some(flows.activation.means()),
                "activation_std" => Some(flows.activation.nodes.iter().map(Running::std).collect()),
                "in_flow_mean" => Some(flows.in_flow.means()),
                "out_flow_mean" => Some(flows.out_flow.means()),
                "neuron_strength_mean" => Some(flows.strength.means()),
                "neuron_strength_std" => Some(flows.strength.nodes.iter().map(Running::std).collect()),
                "neuron_fluctuation" => flows.neuron_fluctuation().map(|value| vec![value]),
                other => panic!("{what}: no comparison for `{other}`"),
            };
            match values {
                Some(values) => SMALL.all(&what, &values, expected),
                None => assert!(expected.is_null(), "{what}"),
            }
        }
        assert_eq!(
            layer.full_kernel.is_some(),
            expected.get("in_strength_full_kernel_variant").is_some(),
            "{name}, layer {at}: the full-kernel variant stands where it differs and nowhere else"
        );
    }
}

fn compare(name: &str, stack: &Stack, inputs: &[f64], expected: &Value) {
    let links = stack.links();
    assert_eq!(links.len(), expected["links"].as_array().unwrap().len());
    for (links, expected) in links.iter().zip(expected["links"].as_array().unwrap()) {
        let links = links.as_ref().unwrap();
        SMALL.summary(name, &links.with_biases, &expected["weights_and_biases"]);
        if let Some(weights) = expected.get("weights") {
            SMALL.summary(name, &links.weights, weights);
        }
    }
    let nodes = stack.nodes();
    let flows = stack.flows(inputs.chunks(nodes[0].size()), Flow::Both).unwrap();
    compare_nodes(name, &nodes, &flows, &expected["nodes"]);
}

#[test]
fn fully_connected_networks_and_autoencoders_match_the_reference() {
    for file in ["fc.json", "ae.json"] {
        for (name, case) in cases(file) {
            let layers = case["layers"].as_array().unwrap().iter().map(dense).collect();
            let stack = Stack::new(layers).unwrap();
            compare(&name, &stack, &numbers(&case["inputs"]), &case["expected"]);
        }
    }
}

#[test]
fn convolutional_networks_match_the_reference() {
    for (name, case) in cases("cnn.json") {
        let convs = case["conv"].as_array().unwrap().iter().map(conv);
        let layers = convs.chain(case["fc"].as_array().unwrap().iter().map(dense)).collect();
        let stack = Stack::new(layers).unwrap();
        compare(&name, &stack, &numbers(&case["inputs_nchw"]), &case["expected"]);
    }
}
