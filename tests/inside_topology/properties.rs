//! Properties that hold for any network (specification section 9).

use proptest::collection::vec;
use proptest::prelude::*;
use widedeep::inside::topology::{
    Activation, Conv, Convention, Dense, Flow, Image, Kernel, Layer, Matrix, NodeLayer, Pool, Pooling, Stack, Stride,
};

fn dense(rows: usize, columns: usize, values: &[f64], bias: Option<&[f64]>, activation: Activation) -> Layer {
    let weights = Matrix::new(rows, columns, values.to_vec()).unwrap();
    Layer::Dense(Dense::new(weights, bias.map(<[f64]>::to_vec), activation).unwrap())
}

fn incoming(layer: &NodeLayer) -> &[f64] {
    &layer.incoming.as_ref().unwrap().strength
}

fn outgoing(layer: &NodeLayer) -> &[f64] {
    &layer.outgoing.as_ref().unwrap().strength
}

fn close(one: f64, other: f64) -> bool {
    (one - other).abs() <= 1e-9 * (1.0 + one.abs())
}

const STEP: Stride = Stride { step: 1, padding: 0 };

proptest! {
    #[test]
    fn both_sides_of_a_layer_sum_to_its_weights(weights in vec(-2.0..2.0f64, 15), bias in vec(-2.0..2.0f64, 5)) {
        let nodes = Stack::new(vec![dense(5, 3, &weights, Some(&bias), Activation::Relu)]).unwrap().nodes();
        let total: f64 = weights.iter().sum();
        prop_assert!(close(outgoing(&nodes[0]).iter().sum(), total));
        prop_assert!(close(incoming(&nodes[1]).iter().sum(), total + bias.iter().sum::<f64>()));
    }

    #[test]
    fn permuting_hidden_nodes_permutes_strengths_and_leaves_the_fluctuation(
        first in vec(-2.0..2.0f64, 12),
        second in vec(-2.0..2.0f64, 8),
        turn in 1..4usize,
    ) {
        let layers = |first: &[f64], second: &[f64]| {
            let layers = vec![dense(4, 3, first, None, Activation::Tanh), dense(2, 4, second, None, Activation::Linear)];
            Stack::new(layers).unwrap().nodes().swap_remove(1)
        };
        let (mut rows, mut columns) = (first.clone(), second.clone());
        rows.rotate_left(3 * turn);
        columns.chunks_mut(4).for_each(|row| row.rotate_left(turn));
        let (one, other) = (layers(&first, &second), layers(&rows, &columns));
        let mut strengths = one.strength(Convention::Authors);
        strengths.rotate_left(turn);
        prop_assert_eq!(strengths, other.strength(Convention::Authors));
        prop_assert!(close(one.fluctuation().unwrap(), other.fluctuation().unwrap()));
    }

    #[test]
    fn disparity_ignores_scale_and_sign_and_lies_between_equal_and_single_links(
        weights in vec(-2.0..2.0f64, 6),
        scale in -9.0..-0.1f64,
    ) {
        let of = |weights: &[f64]| {
            let nodes = Stack::new(vec![dense(1, 6, weights, None, Activation::Linear)]).unwrap().nodes();
            nodes[1].incoming.as_ref().unwrap().disparity[0]
        };
        let scaled: Vec<f64> = weights.iter().map(|weight| weight * scale).collect();
        prop_assert!(close(of(&weights), of(&scaled)));
        prop_assert!((1.0 / 6.0 - 1e-12..=1.0 + 1e-12).contains(&of(&weights)));
    }

    #[test]
    fn a_linear_network_has_the_mean_inputs_strengths(
        weights in vec(-2.0..2.0f64, 12),
        more in vec(-2.0..2.0f64, 8),
        inputs in vec(-2.0..2.0f64, 15),
    ) {
        let layers = vec![dense(4, 3, &weights, None, Activation::Linear), dense(2, 4, &more, None, Activation::Linear)];
        let stack = Stack::new(layers).unwrap();
        let mean: Vec<f64> = (0..3).map(|at| inputs.iter().skip(at).step_by(3).sum::<f64>() / 5.0).collect();
        let sampled = stack.flows(inputs.chunks(3), Flow::Both).unwrap();
        let once = stack.flows([&mean[..]], Flow::Both).unwrap();
        for (sampled, once) in sampled.iter().zip(&once) {
            for (one, other) in sampled.strength.means().iter().zip(once.strength.means()) {
                prop_assert!(close(*one, other));
            }
        }
    }

    #[test]
    fn activations_of_one_reduce_data_dependent_strength_to_topological_strength(
        weights in vec(-2.0..2.0f64, 3),
        more in vec(-2.0..2.0f64, 2),
    ) {
        // One hidden node whose bias makes its activation 1 for the input of ones.
        let bias = [1.0 - weights.iter().sum::<f64>()];
        let layers = vec![
            dense(1, 3, &weights, Some(&bias), Activation::Linear),
            dense(2, 1, &more, None, Activation::Linear),
        ];
        let stack = Stack::new(layers).unwrap();
        let flows = stack.flows([&[1.0; 3][..]], Flow::Both).unwrap();
        for (flows, nodes) in flows.iter().zip(stack.nodes()).take(2) {
            for (found, strength) in flows.strength.means().iter().zip(nodes.strength(Convention::Authors)) {
                prop_assert!(close(*found, strength));
            }
        }
    }

    #[test]
    fn repeated_inputs_leave_means_unchanged(weights in vec(-2.0..2.0f64, 6), inputs in vec(-2.0..2.0f64, 6)) {
        let stack = Stack::new(vec![dense(2, 3, &weights, None, Activation::Sigmoid)]).unwrap();
        let once = stack.flows(inputs.chunks(3), Flow::Both).unwrap();
        let twice = stack.flows(inputs.chunks(3).chain(inputs.chunks(3)), Flow::Both).unwrap();
        for (once, twice) in once.iter().zip(&twice) {
            for (one, other) in once.strength.means().iter().zip(twice.strength.means()) {
                prop_assert!(close(*one, other));
            }
        }
    }
}

#[test]
fn a_convolution_over_one_pixel_is_a_fully_connected_layer() {
    let (weights, bias) = ([0.5, -1.0, 2.0, 0.25, 3.0, -0.125], [0.1, -0.2]);
    let pixel = Image {
        channels: 3,
        height: 1,
        width: 1,
    };
    let kernel = Kernel {
        shape: [2, 3, 1, 1],
        values: weights.to_vec(),
    };
    let conv = Conv::new(kernel, Some(bias.to_vec()), pixel, STEP, Activation::Relu).unwrap();
    let nodes = |layer| Stack::new(vec![layer]).unwrap().nodes();
    assert_eq!(
        nodes(Layer::Conv(conv)),
        nodes(dense(2, 3, &weights, Some(&bias), Activation::Relu))
    );
}

#[test]
fn windows_side_by_side_cover_each_input_once() {
    let kernel = Kernel {
        shape: [1, 1, 2, 2],
        values: vec![1.0, 2.0, 3.0, 4.0],
    };
    let image = Image {
        channels: 1,
        height: 4,
        width: 4,
    };
    let stride = Stride { step: 2, padding: 0 };
    let conv = Conv::new(kernel, None, image, stride, Activation::Linear).unwrap();
    let nodes = Stack::new(vec![Layer::Conv(conv)]).unwrap().nodes();
    let row = [[1.0, 2.0, 1.0, 2.0], [3.0, 4.0, 3.0, 4.0]];
    assert_eq!(outgoing(&nodes[0]), [row[0], row[1], row[0], row[1]].concat());
}

#[test]
fn pooling_passes_on_through_links_of_its_own() {
    let image = Image {
        channels: 1,
        height: 2,
        width: 2,
    };
    let stack = |pooling| {
        let pool = Pool::new(pooling, 2, image, Stride { step: 2, padding: 0 }).unwrap();
        Stack::new(vec![Layer::Pool(pool)]).unwrap()
    };
    let input = [1.0, 5.0, -2.0, 4.0];
    let (max, mean) = (stack(Pooling::Max), stack(Pooling::Mean));
    assert_eq!(outgoing(&max.nodes()[0]), [1.0; 4]);
    assert_eq!(outgoing(&mean.nodes()[0]), [0.25; 4]);
    let out_flow = |stack: &Stack| stack.flows([&input[..]], Flow::Both).unwrap()[0].out_flow.means();
    assert_eq!(
        out_flow(&max),
        [0.0, 5.0, 0.0, 0.0],
        "the winner alone carries anything"
    );
    assert_eq!(out_flow(&mean), [0.25, 1.25, -0.5, 1.0]);
    let passed = |stack: &Stack| stack.flows([&input[..]], Flow::Both).unwrap()[1].activation.means();
    assert_eq!((passed(&max), passed(&mean)), (vec![5.0], vec![2.0]));
}

#[test]
fn in_flow_alone_is_the_pre_activation() {
    let stack = Stack::new(vec![dense(1, 2, &[1.0, 2.0], Some(&[0.5]), Activation::Relu)]).unwrap();
    let flows = stack.flows([&[3.0, -4.0][..]], Flow::In).unwrap();
    assert_eq!(
        (flows[1].strength.means(), flows[1].activation.means()),
        (vec![-4.5], vec![0.0])
    );
}

#[test]
fn layers_and_inputs_that_do_not_fit_say_where() {
    let layers = vec![
        dense(4, 3, &[0.0; 12], None, Activation::Relu),
        dense(2, 5, &[0.0; 10], None, Activation::Relu),
    ];
    let error = Stack::new(layers).unwrap_err().to_string();
    assert_eq!(error, "layer 2 (from 1) reads 5 nodes, but the layer before it has 4");
    let stack = Stack::new(vec![dense(1, 2, &[0.0; 2], None, Activation::Relu)]).unwrap();
    let error = stack
        .flows([&[0.0; 2][..], &[0.0; 3][..]], Flow::Both)
        .unwrap_err()
        .to_string();
    assert_eq!(error, "input 1 (from 0) has 3 numbers where the network reads 2");
}
