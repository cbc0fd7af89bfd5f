//! Networks of lists of lengths: stars, bipartite weights, edge cases (oracles 01, 02, 03, 12, 17).

use serde_json::Value;
use widedeep::inside::emergence::{
    Lengths, Measure, Moments, SpectrumError, dimension,
    network::{moments, spectrum},
};

use super::oracle::{self, all_close, analysis, close, list, matches, number, numbers};

fn star(oracle: &Value) -> Lengths {
    let nodes = list(&oracle["input"]["nodes"]).iter().map(|node| {
        let pairs = list(node).iter().map(numbers);
        pairs
            .flat_map(|pair| vec![pair[0]; pair[1] as usize])
            .collect::<Vec<f64>>()
    });
    Lengths::of_distances(&Measure::default(), nodes)
}

fn ln_z_matches(found: &Moments, expected: &Value) {
    all_close(&found.radii, &numbers(&expected["radii"]), 1e-9, "radii");
    for (q, expected) in expected["lnZ_at_q"].as_object().unwrap() {
        let q: f64 = q.parse().unwrap();
        let place = found
            .q
            .values()
            .iter()
            .position(|value| (value - q).abs() < 1e-9)
            .unwrap();
        all_close(&found.ln_z[place], &numbers(expected), 1e-9, "ln Z");
    }
}

#[test]
fn stars_whose_masses_are_powers_have_the_spectrum_of_the_oracles() {
    for number in ["01", "02", "03"] {
        let oracle = oracle::file(number);
        let lengths = star(&oracle);
        let found = spectrum(&lengths, &Measure::default(), &analysis()).unwrap();
        matches(&found, &oracle["expected"], &oracle["tolerance"]);
        ln_z_matches(
            &moments(&lengths, &Measure::default(), &analysis()).unwrap(),
            &oracle["expected"],
        );
    }
}

#[test]
fn a_star_of_one_dimension_has_that_dimension_everywhere() {
    for (number, dimension) in [("01", 1.0), ("02", 2.0)] {
        let oracle = oracle::file(number);
        let found = spectrum(&star(&oracle), &Measure::default(), &analysis()).unwrap();
        let theory = oracle::number(&oracle["tolerance"]["theory_abs"]);
        let tau: Vec<f64> = found.q.iter().map(|q| dimension * q).collect();
        all_close(&found.tau, &tau, theory, "τ = Dq");
        close(found.alpha0, dimension, theory, "α0");
        close(
            found.curvature.unwrap(),
            0.0,
            theory,
            "nodes that do not differ have no variance",
        );
    }
}

#[test]
fn a_mixture_of_two_dimensions_has_the_sums_of_the_closed_form() {
    let oracle = oracle::file("03");
    let found = moments(&star(&oracle), &Measure::default(), &analysis()).unwrap();
    for (q, ln_z) in found.q.values().iter().zip(&found.ln_z) {
        let closed = found
            .radii
            .iter()
            .map(|r| (30.0 * (r / 32.0).powf(*q) + 10.0 * (r / 32.0).powf(2.0 * q)).ln());
        all_close(ln_z, &closed.collect::<Vec<f64>>(), 1e-12, "ln Z");
    }
}

fn bipartite() -> (Value, Vec<Vec<f64>>) {
    let oracle = oracle::file("12");
    let weights = oracle::micro(&oracle["input"]["weights_micro"]);
    (oracle, weights)
}

#[test]
fn random_bipartite_weights_have_the_spectrum_of_the_oracle() {
    let (oracle, weights) = bipartite();
    for (measure, expected) in [
        (Measure::default(), &oracle["expected"]),
        (Measure::fixed_grid(), &oracle["variant_fixed_grid"]["expected"]),
    ] {
        let lengths = Lengths::of_weights(&measure, 1.0, weights.iter().map(Vec::as_slice));
        let found = spectrum(&lengths, &measure, &analysis()).unwrap();
        matches(&found, expected, &oracle["tolerance"]);
        ln_z_matches(&moments(&lengths, &measure, &analysis()).unwrap(), expected);
    }
}

#[test]
fn every_node_has_the_dimension_of_the_oracle() {
    let (oracle, weights) = bipartite();
    let found = dimension::node_dimensions(weights.iter().map(Vec::as_slice));
    all_close(
        &found,
        &numbers(&oracle["variant_nfd"]["expected_nfd"]),
        1e-8,
        "node dimension",
    );
}

fn case(id: &str) -> Value {
    let oracle = oracle::file("17");
    list(&oracle["cases"])
        .iter()
        .find(|case| case["id"] == id)
        .unwrap()
        .clone()
}

fn weights(rows: &Value) -> Vec<Vec<f64>> {
    let weight = |value: &Value| {
        value
            .as_str()
            .map_or_else(|| number(value), |text| text.parse().unwrap())
    };
    list(rows)
        .iter()
        .map(|row| list(row).iter().map(weight).collect())
        .collect()
}

fn lengths_of(rows: &Value) -> Lengths {
    Lengths::of_weights(&Measure::default(), 1.0, weights(rows).iter().map(Vec::as_slice))
}

#[test]
fn networks_without_a_usable_node_are_refused() {
    for id in ["all_zero", "too_few_neighbours", "weights_at_or_above_one"] {
        let error = spectrum(&lengths_of(&case(id)["weights"]), &Measure::default(), &analysis()).unwrap_err();
        assert!(
            matches!(error, SpectrumError::NoUsableNode { more_than: 10, .. }),
            "{id}: {error}"
        );
    }
}

#[test]
fn lengths_that_do_not_differ_are_refused() {
    let lengths = lengths_of(&case("single_radius")["weights"]);
    let error = spectrum(&lengths, &Measure::default(), &analysis()).unwrap_err();
    assert_eq!(error, SpectrumError::DegenerateRadii { radii: 1 });
}

#[test]
fn weights_that_are_no_numbers_are_dropped_and_counted() {
    let lengths = lengths_of(&case("nan_inf_skipped")["weights"]);
    assert!(lengths.iter().all(|node| node.len() == 11));
    assert_eq!(
        (lengths.fate.not_finite, lengths.fate.zero, lengths.fate.kept),
        (6, 2, 22)
    );
    let found = spectrum(&lengths, &Measure::default(), &analysis()).unwrap();
    assert!(
        found
            .tau
            .iter()
            .chain(&found.curve.alpha)
            .all(|value| value.is_finite())
    );
}

#[test]
fn lengths_are_filtered_before_they_are_rounded_with_ties_to_even() {
    for id in ["ties_to_even", "threshold_inclusive"] {
        let case = case(id);
        let lengths = Lengths::of_distances(&Measure::default(), std::iter::once(numbers(&case["distances"])));
        assert_eq!(lengths.node(0), numbers(&case["expect_rounded_after_filter"]), "{id}");
    }
}

#[test]
fn the_sign_of_a_weight_does_not_matter() {
    let case = case("sign_ignored");
    assert_eq!(
        lengths_of(&case["weights"]).values(),
        lengths_of(&case["same_as"]).values()
    );
}
