//! Two models side by side, and models beside baselines.

use std::error::Error;
use std::ops::Range;

use widedeep::inside::topology::{
    Decoder, Heads, Matrix, Measure, Mode, Model, Set, Shape, Skip, Topology, Weights, Wiring, baselines,
    compare_links, compare_nodes, divergence_matrix, pair_blocks, steps, topology,
};

use crate::gguf::{Gguf, default_model};
use crate::oracle::{Within, cases, file};
use crate::toy::{Tensors, heads, tensors};

fn first_toy() -> (Tensors, Heads) {
    let (_, case) = cases("transformer_toy.json").remove(0);
    (tensors(&case), heads(&case))
}

/// The first toy block, with one row of one matrix moved.
fn moved(row: usize, by: f64) -> Tensors {
    let (mut tensors, _) = first_toy();
    let matrix = tensors.0.get_mut("blk.0.ffn_up.weight").unwrap();
    let columns = matrix.columns();
    let mut values = matrix.values().to_vec();
    values[row * columns..][..columns]
        .iter_mut()
        .for_each(|value| *value += by);
    *matrix = Matrix::new(matrix.rows(), columns, values).unwrap();
    tensors
}

fn analysed(tensors: &Tensors) -> (Decoder, Topology) {
    let decoder = Decoder::find(tensors, first_toy().1, Wiring::Sequential).unwrap();
    let topology = topology(tensors, &decoder, Skip::Left, |_| {}).unwrap();
    (decoder, topology)
}

#[test]
fn a_model_does_not_differ_from_itself() {
    let (tensors, _) = first_toy();
    let (decoder, topology) = analysed(&tensors);
    let rows = compare_nodes(&topology, &topology, &[(0, 0)]);
    assert_eq!(rows.len(), topology.nodes.len());
    for row in rows {
        let row = row.difference;
        let paired = row.paired.unwrap();
        assert!(row.jensen_shannon_bits + row.wasserstein + row.kolmogorov_smirnov + paired.shift_std < 1e-300);
        assert!((row.kolmogorov_smirnov_p - 1.0).abs() < 1e-12 && (paired.correlation.unwrap() - 1.0).abs() < 1e-12);
        assert!(row.brown_forsythe_p.is_none_or(|p| (p - 1.0).abs() < 1e-9));
    }
    let model = Model {
        weights: &tensors,
        decoder: &decoder,
    };
    let links = compare_links(model, model, &[(0, 0)], 0, |_| {}).unwrap();
    assert_eq!(links.len(), 7);
    assert!(
        links
            .iter()
            .all(|row| row.jensen_shannon_bits + row.wasserstein < 1e-300)
    );
    assert!(links.iter().all(|row| row.rms_difference.unwrap() < 1e-300));
}

#[test]
fn the_unit_that_moved_is_named_with_its_shift() {
    let (one, other) = (first_toy().0, moved(7, 0.5));
    let ((decoder, before), (_, after)) = (analysed(&one), analysed(&other));
    let rows = compare_nodes(&before, &after, &[(0, 0)]);
    let row = |measure| {
        let wanted = |row: &&widedeep::inside::topology::NodeDifference| {
            (row.set, row.measure, row.mode) == (Set::FfnNeuron, measure, Mode::Raw)
        };
        rows.iter().find(wanted).unwrap()
    };
    let (unit, shift) = row(Measure::InUp).difference.paired.as_ref().unwrap().moved[0];
    assert!(unit == 7 && (shift - 0.5 * 12.0).abs() < 1e-9, "{unit} {shift}");
    assert!(row(Measure::Out).difference.paired.as_ref().unwrap().shift_std < 1e-300);

    let model = |weights| Model {
        weights,
        decoder: &decoder,
    };
    let links = compare_links(model(&one), model(&other), &[(0, 0)], 0, |_| {}).unwrap();
    for row in links {
        let expected = if row.tensor == "ffn_up" {
            (0.25_f64 / 20.0).sqrt()
        } else {
            0.0
        };
        assert!((row.rms_difference.unwrap() - expected).abs() < 1e-12, "{}", row.tensor);
        let name = format!("blk.0.{}.weight", row.tensor);
        let found = steps(one.0[&name].values(), other.0[&name].values()).unwrap();
        assert!((row.wasserstein - found.wasserstein).abs() < 1e-12);
    }
}

#[test]
fn models_with_other_numbers_of_blocks_are_paired_by_depth() {
    assert_eq!(pair_blocks(3, 3), [(0, 0), (1, 1), (2, 2)]);
    assert_eq!(pair_blocks(3, 5), [(0, 0), (1, 2), (2, 4)]);
    assert_eq!(pair_blocks(5, 3), [(0, 0), (1, 1), (2, 1), (3, 2), (4, 2)]);
    assert_eq!(pair_blocks(1, 4), [(0, 0)]);
    assert_eq!(pair_blocks(4, 1), [(0, 0), (1, 0), (2, 0), (3, 0)]);

    let (one, _) = first_toy();
    let (decoder, topology) = analysed(&one);
    let twice = Decoder {
        blocks: [&decoder.blocks[..], &decoder.blocks[..]].concat(),
        ..decoder.clone()
    };
    let model = |decoder| Model { weights: &one, decoder };
    let pairs = pair_blocks(2, 1);
    let rows = compare_links(model(&twice), model(&decoder), &pairs, 0, |_| {}).unwrap();
    assert_eq!(rows.len(), 14);
    assert_eq!((rows[13].block, rows[13].block_b), (1, 0));
    assert_eq!(
        compare_nodes(&topology, &topology, &[]).len(),
        0,
        "what has no partner is left out"
    );
}

#[test]
fn a_matrix_of_divergences_is_symmetric_with_zeros_on_its_diagonal() {
    let samples: [&[f64]; 3] = [&[0.0, 1.0, 2.0], &[0.0, 1.0, 9.0], &[5.0, 6.0, 7.0]];
    let cells = divergence_matrix(&samples, 256);
    for (row, one) in cells.iter().enumerate() {
        for (column, cell) in one.iter().enumerate() {
            assert!((cell - cells[column][row]).abs() < 1e-12);
            assert_eq!(*cell < 1e-12, row == column);
        }
    }
    assert!(
        (cells[0][2] - 1.0).abs() < 1e-12,
        "samples that share no bin are a bit apart"
    );
}

/// One block of the default model as a model of its own.
struct One<'a> {
    model: &'a Gguf,
    block: usize,
}

impl One<'_> {
    fn name(&self, tensor: &str) -> String {
        tensor.replace("blk.0.", &format!("blk.{}.", self.block))
    }
}

impl Weights for One<'_> {
    type Value = f32;

    fn shape(&self, tensor: &str) -> Option<Shape> {
        tensor
            .starts_with("blk.0.")
            .then(|| self.model.shape(&self.name(tensor)))
            .flatten()
    }

    fn read(&self, tensor: &str, rows: Range<usize>, into: &mut Vec<f32>) -> Result<(), Box<dyn Error + Send + Sync>> {
        self.model.read(&self.name(tensor), rows, into)
    }
}

const SMOLLM2: Heads = Heads { query: 9, key_value: 3 };

#[test]
fn weights_of_two_real_blocks_are_as_far_apart_as_the_reference_says() {
    let model = default_model();
    let expected = file("smollm2_blk15.json")["between"].clone();
    let one = |block| One { model: &model, block };
    for (block, name) in [
        (14, "ffn_down_blk15_vs_blk14_js_bits"),
        (0, "ffn_down_blk15_vs_blk0_js_bits"),
    ] {
        let (a, b) = (one(15), one(block));
        let decoder = Decoder::find(&a, SMOLLM2, Wiring::Sequential).unwrap();
        let (a, b) = (
            Model {
                weights: &a,
                decoder: &decoder,
            },
            Model {
                weights: &b,
                decoder: &decoder,
            },
        );
        let rows = compare_links(a, b, &[(0, 0)], 0, |_| {}).unwrap();
        let row = rows.iter().find(|row| row.tensor == "ffn_down").unwrap();
        Within(0.02, 0.0).one(name, row.jensen_shannon_bits, &expected[name]["js_bits"]);
    }
}

#[test]
fn shuffled_weights_have_the_strengths_of_independent_ones() {
    let model = default_model();
    let decoder = Decoder::find(&model, SMOLLM2, Wiring::Sequential).unwrap();
    let rows = baselines(&model, &decoder, 15, 1).unwrap();
    assert_eq!(rows.len(), 4);
    for row in &rows {
        // A standard deviation over n nodes has a relative standard error of about 1 / sqrt(2 n), 3 % for 576.
        for (shuffled, independent) in [
            (row.in_std_shuffled, row.in_std_independent),
            (row.out_std_shuffled, row.out_std_independent),
        ] {
            assert!((shuffled / independent - 1.0).abs() < 0.12, "{row:?}");
        }
        assert!(row.normal_bits < 0.01, "{row:?}");
    }
    // Beside them stand the matrix's own strengths, as the reference has them.
    let down = rows.iter().find(|row| row.tensor == "ffn_down").unwrap();
    let expected = &file("smollm2_blk15.json")["layer"]["nodes"]["raw"];
    let within = Within(1e-5, 0.0);
    within.one("in", down.in_std, &expected["resid_out"]["in"]["std"]);
    within.one("out", down.out_std, &expected["ffn_neuron"]["out"]["std"]);
}

#[test]
fn results_are_the_same_to_the_last_bit_with_any_number_of_threads() {
    let model = default_model();
    let one = One {
        model: &model,
        block: 3,
    };
    let decoder = Decoder::find(&one, SMOLLM2, Wiring::Sequential).unwrap();
    let with = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| topology(&one, &decoder, Skip::Left, |_| {}).unwrap())
    };
    assert_eq!(with(1), with(5));
}
