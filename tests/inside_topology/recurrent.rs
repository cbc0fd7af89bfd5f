//! Elman networks.

use serde_json::Value;
use widedeep::inside::topology::{
    Activation, Convention, Dense, Elman, Flow, Layer, NodeLayer, Outputs, Parts, Running, Stack,
};

use crate::oracle::{SMALL, activation, bias, cases, matrix, numbers, shape};

fn parts(case: &Value) -> Parts {
    Parts {
        input_weights: matrix(&case["Wx"]),
        state_weights: matrix(&case["Wh"]),
        bias: bias(&case["b"]),
        output_weights: matrix(&case["Wo"]),
        output_bias: bias(&case["c"]),
        activation: activation(&case["act"]),
        output_activation: Activation::Linear,
        outputs: Outputs::Last,
    }
}

fn compare_nodes(what: &str, layer: &NodeLayer, expected: &Value) {
    SMALL.all(
        what,
        &layer.incoming.as_ref().unwrap().strength,
        &expected["in_strength"],
    );
    SMALL.all(
        what,
        &layer.outgoing.as_ref().unwrap().strength,
        &expected["out_strength"],
    );
    SMALL.all(what, &layer.strength(Convention::Authors), &expected["strength"]);
    SMALL.one(what, layer.fluctuation().unwrap(), &expected["layer_fluctuation"]);
}

#[test]
fn elman_networks_match_the_reference_folded_and_unfolded() {
    for (name, case) in cases("rnn.json") {
        let (elman, expected) = (Elman::new(parts(&case)).unwrap(), &case["expected"]);
        let links = elman.links().unwrap();
        SMALL.summary(&name, &links.input.with_biases, &expected["links"]["Wx_and_b"]);
        SMALL.summary(&name, &links.state.weights, &expected["links"]["Wh"]);
        SMALL.summary(&name, &links.output.with_biases, &expected["links"]["Wo_and_c"]);

        let steps = expected["unfolded_hidden"].as_array().unwrap();
        for (layer, expected) in elman.unfolded(steps.len()).iter().zip(steps) {
            compare_nodes(&format!("{name}, step {}", expected["t"]), layer, expected);
        }
        compare_nodes(&name, &elman.folded(), &expected["folded_hidden"]);
        let (input, output) = (elman.input_nodes(), elman.output_nodes());
        SMALL.all(&name, &input.strength(Convention::Authors), &expected["input_strength"]);
        SMALL.one(&name, input.fluctuation().unwrap(), &expected["input_fluctuation"]);
        SMALL.all(
            &name,
            &output.strength(Convention::Authors),
            &expected["output_strength"],
        );
        SMALL.one(&name, output.fluctuation().unwrap(), &expected["output_fluctuation"]);
    }
}

#[test]
fn flows_of_elman_networks_match_the_reference_at_every_step() {
    for (name, case) in cases("rnn.json") {
        let (elman, expected) = (Elman::new(parts(&case)).unwrap(), &case["expected"]);
        let inputs = numbers(&case["inputs_ntp"]);
        let [_, steps, features] = shape(&case["inputs_ntp"])[..] else {
            panic!("{name}")
        };
        let flows = elman.flows(steps, inputs.chunks(steps * features), Flow::Both).unwrap();
        for (flows, expected) in flows.steps.iter().zip(expected["unfolded_hidden"].as_array().unwrap()) {
            let what = format!("{name}, step {}", expected["t"]);
            let stds: Vec<f64> = flows.strength.nodes.iter().map(Running::std).collect();
            SMALL.all(&what, &flows.activation.means(), &expected["activation_mean"]);
            SMALL.all(&what, &flows.strength.means(), &expected["neuron_strength_mean"]);
            SMALL.all(&what, &stds, &expected["neuron_strength_std"]);
        }
        SMALL.all(
            &name,
            &flows.output.activation.means(),
            &expected["output_activation_mean"],
        );
        SMALL.all(
            &name,
            &flows.output.strength.means(),
            &expected["output_neuron_strength_mean"],
        );
    }
}

#[test]
fn one_step_makes_an_elman_network_a_fully_connected_one() {
    let (_, case) = cases("rnn.json").remove(0);
    let Parts {
        input_weights,
        bias,
        output_weights,
        output_bias,
        activation,
        ..
    } = parts(&case);
    let dense = |weights, bias, activation| Layer::Dense(Dense::new(weights, bias, activation).unwrap());
    let stack = Stack::new(vec![
        dense(input_weights, bias, activation),
        dense(output_weights, output_bias, Activation::Linear),
    ]);
    let nodes = stack.unwrap().nodes();
    let elman = Elman::new(parts(&case)).unwrap();
    assert_eq!(elman.unfolded(1), [nodes[1].clone()]);
    assert_eq!(
        (elman.input_nodes(), elman.output_nodes()),
        (nodes[0].clone(), nodes[2].clone())
    );
}

#[test]
fn an_output_at_every_step_adds_its_links_to_every_step() {
    let (_, case) = cases("rnn.json").remove(0);
    let out = |outputs| {
        let elman = Elman::new(Parts {
            outputs,
            ..parts(&case)
        })
        .unwrap();
        let step = elman.unfolded(3).swap_remove(1);
        step.outgoing.unwrap().strength.iter().sum::<f64>()
    };
    let added: f64 = matrix(&case["Wo"]).values().iter().sum();
    assert!((out(Outputs::Every) - out(Outputs::Last) - added).abs() < 1e-12);
}

#[test]
fn parts_that_do_not_fit_say_which_and_what_is_wanted() {
    let (_, case) = cases("rnn.json").remove(0);
    let swapped = Parts {
        state_weights: matrix(&case["Wx"]),
        ..parts(&case)
    };
    let error = Elman::new(swapped).unwrap_err().to_string();
    assert_eq!(
        error,
        "`state_weights` has shape 5x3 where the network's hidden size 5 asks for shape 5x5; check which tensor is named"
    );
}
