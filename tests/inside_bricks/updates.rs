use serde_json::Value;
use widedeep::inside::bricks::{
    Matrix,
    grow::{Ffn, GrowError},
    update::{
        UpdateError, covariance, rank_one_edit, replace_as_adapter, replace_values, scale_as_adapter, scale_units,
        scale_values,
    },
};

use crate::oracle::{close, get, matrix, near, read, same};

const TOLERANCE: f64 = 1e-9;

fn ffn(op: &Value) -> Ffn<f64> {
    Ffn::new(Some(matrix(&op["W_gate"])), matrix(&op["W_up"]), matrix(&op["W_down"])).unwrap()
}

#[track_caller]
fn outputs(ffn: &Ffn<f64>, inputs: &Value, expected: &Value, tolerance: f64) {
    for (x, y) in matrix(inputs).each_row().zip(matrix(expected).each_row()) {
        close(&ffn.output(x).unwrap(), y, tolerance);
    }
}

#[test]
fn added_units_add_their_output_as_in_the_reference() {
    let op = &read("ops.json")["ops"]["widen_ffn"];
    let narrow = ffn(op);
    outputs(&narrow, &op["X"], &op["y"], TOLERANCE);
    let new = Ffn::new(
        Some(matrix(&op["new_gate"])),
        matrix(&op["new_up"]),
        matrix(&op["new_down"]),
    )
    .unwrap();
    outputs(
        &narrow.with_units(&new).unwrap(),
        &op["X"],
        &op["expected_y_added"],
        TOLERANCE,
    );
}

#[test]
fn an_ffn_widened_by_neutral_units_puts_out_exactly_what_it_did() {
    let op = &read("ops.json")["ops"]["widen_ffn"];
    let narrow = ffn(op);
    let wide = narrow.widened(32, 1).unwrap();
    assert_eq!(wide.units(), 37);
    for x in matrix(&op["X"]).each_row() {
        assert_eq!(wide.output(x).unwrap(), narrow.output(x).unwrap());
        assert!(
            wide.activations(x).unwrap()[5..].iter().all(|&value| value != 0.0),
            "new units are alive"
        );
    }
    let (old, new) = (
        narrow.up().frobenius() / 30.0_f64.sqrt(),
        wide.up().frobenius() / 222.0_f64.sqrt(),
    );
    near(new / old, 1.0, 0.3);
    assert_eq!(wide, narrow.widened(32, 1).unwrap());
}

#[test]
fn split_units_share_their_columns_as_in_the_reference() {
    let op = &read("ops.json")["ops"]["widen_ffn"];
    let split = &op["function_preserving_split"];
    let wide = ffn(op).split(&get::<Vec<usize>>(&split["map"])).unwrap();
    same(wide.down(), &split["W_down_new"], TOLERANCE);
    outputs(&wide, &op["X"], &split["y"], TOLERANCE);
    outputs(&wide, &op["X"], &op["y"], TOLERANCE);
}

#[test]
fn new_units_that_do_not_fit_are_refused() {
    let op = &read("ops.json")["ops"]["widen_ffn"];
    let narrow = ffn(op);
    let plain = Ffn::new(None, matrix(&op["new_up"]), matrix(&op["new_down"])).unwrap();
    assert_eq!(narrow.with_units(&plain), Err(GrowError::Gate));
    assert_eq!(
        narrow.split(&[0, 1, 2, 3, 5]),
        Err(GrowError::Unknown { unit: 5, units: 5 })
    );
    assert_eq!(narrow.split(&[0, 1, 2, 3, 3]), Err(GrowError::Lost(4)));
}

#[test]
fn scaled_units_put_out_what_the_reference_does_by_rows_columns_and_adapter() {
    let oracle = &read("ops.json")["ops"];
    let (op, scale) = (&oracle["widen_ffn"], &oracle["neuron_scale"]);
    let factors: Vec<(usize, f64)> = get::<Vec<f64>>(&scale["scales"]).into_iter().enumerate().collect();
    let (gate, mut up, down) = ffn(op).into_parts();
    scale_units(&mut up, &factors).unwrap();
    outputs(
        &Ffn::new(gate, up, down).unwrap(),
        &op["X"],
        &scale["expected_y"],
        TOLERANCE,
    );
    let (gate, up, mut down) = ffn(op).into_parts();
    let adapter = scale_as_adapter(&down, &factors[1..4]).unwrap();
    assert_eq!(adapter.rank(), 3);
    let merged = adapter.merged_into(&down, 1.0).unwrap();
    outputs(
        &Ffn::new(gate.clone(), up.clone(), merged).unwrap(),
        &op["X"],
        &scale["expected_y"],
        TOLERANCE,
    );
    scale_values(&mut down, &factors).unwrap();
    outputs(
        &Ffn::new(gate, up, down).unwrap(),
        &op["X"],
        &scale["expected_y"],
        TOLERANCE,
    );
}

#[test]
fn scaling_rows_of_the_gate_is_another_change() {
    let oracle = &read("ops.json")["ops"];
    let op = &oracle["widen_ffn"];
    let (gate, up, down) = ffn(op).into_parts();
    let mut gate = gate.unwrap();
    scale_units(&mut gate, &[(3, 2.5)]).unwrap();
    let changed = Ffn::new(Some(gate), up, down).unwrap();
    let mut scaled = ffn(op).into_parts();
    scale_units(&mut scaled.1, &[(3, 2.5)]).unwrap();
    let scaled = Ffn::new(scaled.0, scaled.1, scaled.2).unwrap();
    let x = matrix(&op["X"]);
    assert!((changed.output(x.row(0)).unwrap()[0] - scaled.output(x.row(0)).unwrap()[0]).abs() > 1e-3);
}

#[test]
fn a_replaced_value_is_what_the_unit_writes_in_the_file_and_through_an_adapter() {
    let op = &read("ops.json")["ops"]["widen_ffn"];
    let (_, _, mut down) = ffn(op).into_parts();
    let values = vec![(2, vec![1.0, -1.0, 0.5, 0.0, 2.0, 3.0])];
    let adapter = replace_as_adapter(&down, &values).unwrap();
    let merged = adapter.merged_into(&down, 1.0).unwrap();
    replace_values(&mut down, &values).unwrap();
    close(merged.values(), down.values(), 1e-12);
    let column: Vec<f64> = (0..6).map(|row| down.at(row, 2)).collect();
    assert_eq!(column, values[0].1);
}

#[test]
fn units_that_do_not_exist_or_come_twice_are_refused() {
    let mut up = Matrix::<f32>::from_fn(3, 2, |_, _| 1.0);
    assert_eq!(
        scale_units(&mut up, &[(3, 0.0)]),
        Err(UpdateError::Unknown { unit: 3, units: 3 })
    );
    assert_eq!(scale_units(&mut up, &[(1, 0.0), (1, 2.0)]), Err(UpdateError::Twice(1)));
    assert_eq!(
        up,
        Matrix::from_fn(3, 2, |_, _| 1.0),
        "a refused change changes nothing"
    );
}

#[test]
fn rank_one_edits_are_those_of_the_reference_and_hit_their_value() {
    let oracle = read("ops.json");
    let (op, weight) = (&oracle["ops"]["rank_one_edit"], matrix(&oracle["base"]));
    let (key, value): (Vec<f64>, Vec<f64>) = (get(&op["k"]), get(&op["v"]));
    let inner = matrix(&op["C"]);
    for (covariance, name) in [(Some(&inner), "expected_covariance"), (None, "expected_identity")] {
        let edit = rank_one_edit(&weight, &key, &value, covariance).unwrap();
        assert_eq!(edit.rank(), 1);
        let edited = edit.merged_into(&weight, 1.0).unwrap();
        same(&edited, &op[name], 1e-7);
        close(&edited.times(&key).unwrap(), &value, 1e-9);
    }
}

#[test]
fn an_edit_needs_a_key_and_a_covariance_with_an_inverse() {
    let weight = Matrix::<f64>::from_fn(2, 2, |row, column| (row + column) as f64);
    assert_eq!(
        rank_one_edit(&weight, &[0.0, 0.0], &[1.0, 1.0], None).unwrap_err(),
        UpdateError::NoKey
    );
    // One token leaves all directions but its own unseen; a ridge mends it.
    let token = Matrix::<f64>::new(1, 2, vec![1.0, 1.0]).unwrap();
    let edit = |ridge| rank_one_edit(&weight, &[1.0, 0.0], &[1.0, 1.0], Some(&covariance(&token, ridge)));
    assert_eq!(edit(0.0).unwrap_err(), UpdateError::Singular);
    let edited = edit(1e-4).unwrap().merged_into(&weight, 1.0).unwrap();
    close(&edited.times(&[1.0, 0.0]).unwrap(), &[1.0, 1.0], 1e-9);
}

#[test]
fn a_covariance_is_the_mean_of_products_with_a_ridge_on_the_diagonal() {
    let inputs = Matrix::<f32>::new(2, 2, vec![1.0, 2.0, 3.0, 4.0]).unwrap();
    close(covariance(&inputs, 0.0).values(), &[5.0, 7.0, 7.0, 10.0], 1e-12);
    close(covariance(&inputs, 0.1).values(), &[5.75, 7.0, 7.0, 10.75], 1e-12);
}
