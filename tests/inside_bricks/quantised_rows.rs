use proptest::prelude::*;
use serde_json::Value;
use widedeep::inside::bricks::requantise::{BlockFormat, RowError, dequantise, quantise, scale_row, zero_row};

use crate::oracle::{get, read};

const LEGACY: [BlockFormat; 5] = [
    BlockFormat::Q4_0,
    BlockFormat::Q4_1,
    BlockFormat::Q5_0,
    BlockFormat::Q5_1,
    BlockFormat::Q8_0,
];

fn bytes(hex: &Value) -> Vec<u8> {
    let hex = hex.as_str().unwrap();
    (0..hex.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
        .collect()
}

/// The reference prints 10 digits of f32 values, which name them.
fn values(list: &Value) -> Vec<f32> {
    get(list)
}

/// Within one unit in the last place.
#[track_caller]
fn ulp(found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        let off = (f64::from(*found) - f64::from(*expected)).abs();
        assert!(
            off <= f64::from(expected.abs()) * f64::from(f32::EPSILON),
            "{found} is not {expected}"
        );
    }
}

#[test]
fn rows_are_quantised_and_read_byte_for_byte_as_by_the_reference() {
    let oracle = read("quant_rows.json");
    for format in LEGACY {
        let expected = &oracle["formats"][format.name()];
        assert_eq!(format.block_bytes(), get::<usize>(&expected["block_bytes"]));
        for nth in 0..4 {
            let row = bytes(&expected["bytes_hex"][nth]);
            assert_eq!(
                quantise(format, &values(&oracle["rows"][nth])).unwrap(),
                row,
                "{} row {nth}",
                format.name()
            );
            ulp(
                &dequantise(format, &row).unwrap(),
                &values(&expected["dequantised"][nth]),
            );
        }
    }
}

#[test]
fn a_zeroed_row_reads_as_zeros() {
    let oracle = read("quant_rows.json");
    for format in LEGACY {
        let expected = &oracle["formats"][format.name()];
        let mut row = bytes(&expected["bytes_hex"][1]);
        zero_row(&mut row);
        assert_eq!(row, bytes(&expected["row1_zeroed_hex"]));
        assert!(dequantise(format, &row).unwrap().iter().all(|&value| value == 0.0));
    }
}

#[test]
fn a_row_scaled_by_half_is_that_of_the_reference_and_keeps_its_quants() {
    let oracle = read("quant_rows.json");
    for format in LEGACY {
        let expected = &oracle["formats"][format.name()];
        let mut row = bytes(&expected["bytes_hex"][2]);
        let before = row.clone();
        scale_row(format, &mut row, 0.5).unwrap();
        assert_eq!(row, bytes(&expected["row2_scaled_half_hex"]));
        ulp(
            &dequantise(format, &row).unwrap(),
            &values(&expected["row2_scaled_half_dequantised"]),
        );
        scale_row(format, &mut row, 2.0).unwrap();
        assert_eq!(row, before, "powers of two are undone exactly");
    }
}

proptest! {
    #[test]
    fn requantising_what_was_read_changes_no_value_by_more_than_a_step(
        row in prop::collection::vec(-10.0_f32..10.0, 64)
    ) {
        for (format, step) in LEGACY.into_iter().zip([10.0 / 8.0, 20.0 / 15.0, 10.0 / 16.0, 20.0 / 31.0, 10.0 / 127.0]) {
            let read = dequantise(format, &quantise(format, &row).unwrap()).unwrap();
            for (found, value) in read.iter().zip(&row) {
                // Half a step and the rounding of f16; Q4_0 and Q5_0 have no code for the far end, where it is a whole one.
                prop_assert!((found - value).abs() <= step * 1.02, "{}: {} of {}", format.name(), found, value);
            }
        }
    }

    #[test]
    fn plain_formats_keep_what_they_can_hold(row in prop::collection::vec(-10.0_f32..10.0, 1..20)) {
        for (format, tolerance) in [(BlockFormat::F32, 0.0), (BlockFormat::F16, 5e-4), (BlockFormat::BF16, 4e-3)] {
            let read = dequantise(format, &quantise(format, &row).unwrap()).unwrap();
            for (found, value) in read.iter().zip(&row) {
                prop_assert!((found - value).abs() <= tolerance * value.abs() + tolerance * 1e-3);
            }
        }
    }
}

#[test]
fn scaling_super_blocks_changes_their_scales_alone() {
    for (format, at) in [
        (BlockFormat::Q2_K, &[80, 82][..]),
        (BlockFormat::Q3_K, &[108]),
        (BlockFormat::Q4_K, &[0, 2]),
        (BlockFormat::Q5_K, &[0, 2]),
        (BlockFormat::Q6_K, &[208]),
    ] {
        // 0x3c3c is a number of f16, about 1.06; halving it takes 1 from the exponent.
        let mut row = vec![0x3c; 2 * format.block_bytes()];
        scale_row(format, &mut row, 0.5).unwrap();
        for (place, byte) in row.into_iter().enumerate() {
            let within = place % format.block_bytes();
            let is_high = at.iter().any(|&start: &usize| within == start + 1);
            assert_eq!(
                byte,
                if is_high { 0x38 } else { 0x3c },
                "{} byte {place}",
                format.name()
            );
        }
    }
}

#[test]
fn a_factor_beyond_f16_is_refused_and_leaves_the_row() {
    let mut row = quantise(BlockFormat::Q8_0, &[100.0; 32]).unwrap();
    let before = row.clone();
    assert!(matches!(
        scale_row(BlockFormat::Q8_0, &mut row, 1e6),
        Err(RowError::Overflow { .. })
    ));
    assert_eq!(row, before);
}

#[test]
fn rows_that_are_no_whole_blocks_are_refused_with_the_step() {
    let failed = quantise(BlockFormat::Q4_1, &[0.0; 40]).unwrap_err();
    assert_eq!(
        failed.to_string(),
        "a Q4_1 row holds a multiple of 32 values, and not 40; widen in steps of 32, or keep the tensor in F16"
    );
    assert!(matches!(
        dequantise(BlockFormat::Q8_0, &[0; 33]),
        Err(RowError::Bytes { .. })
    ));
    assert_eq!(
        quantise(BlockFormat::Q6_K, &[0.0; 256]),
        Err(RowError::Unsupported("Q6_K"))
    );
    assert_eq!(
        quantise(BlockFormat::F16, &[1.0, f32::INFINITY]),
        Err(RowError::NotFinite(1))
    );
    assert_eq!(quantise(BlockFormat::F16, &[1e6]), Err(RowError::TooLarge("F16")));
    assert_eq!(BlockFormat::named("Q4_K"), Some(BlockFormat::Q4_K));
    assert_eq!(BlockFormat::Q4_K.row_bytes(512), Ok(288));
}
