use serde_json::Value;
use widedeep::inside::bricks::{
    Matrix,
    sparsity::{
        Indicator, Normalisation, Settings, TailErrors, column_norms, contributions, cumulative_distribution,
        indicators, lowest, measure, tail_cett, units_for_mass, zero_fraction,
    },
};

use crate::oracle::{close, get, matrix, near, read};

const TOLERANCE: f64 = 1e-8;

fn layer() -> (Value, Matrix<f64>, Matrix<f64>) {
    let oracle = read("sparsity.json");
    let (activations, down) = (matrix(&oracle["activations_tn"]), matrix(&oracle["W_down_out_in"]));
    (oracle["expected"].clone(), activations, down)
}

#[test]
fn column_norms_and_indicators_are_those_of_the_reference() {
    let (expected, activations, down) = layer();
    let norms = column_norms(&down);
    close(&norms, &get::<Vec<f64>>(&expected["column_norms"]), TOLERANCE);
    for (name, indicator) in [
        ("activation", Indicator::Activation),
        ("magnitude", Indicator::Magnitude),
    ] {
        let found = indicators(&activations, &norms, indicator).unwrap();
        close(
            found.row(0),
            &get::<Vec<f64>>(&expected[name]["indicator_row0"]),
            TOLERANCE,
        );
        let edges: Vec<f64> = get(&expected[name]["cdf_edges"]);
        let below = cumulative_distribution(&found, Normalisation::TokenMaximum, &edges);
        close(&below, &get::<Vec<f64>>(&expected[name]["cdf"]), TOLERANCE);
        let below = cumulative_distribution(&found, Normalisation::TokenMaximum, &[0.2]);
        near(below[0], get(&expected[name]["frac_below_0p2_token_max"]), TOLERANCE);
        let below = cumulative_distribution(&found, Normalisation::LayerMaximum, &[0.2]);
        near(below[0], get(&expected[name]["frac_below_0p2_global_max"]), TOLERANCE);
    }
}

#[test]
fn masks_of_the_lowest_units_and_their_errors_are_those_of_the_reference() {
    let (expected, activations, down) = layer();
    let norms = column_norms(&down);
    let measured = measure(&activations, &down, &Settings::default()).unwrap();
    for (nth, (name, indicator)) in [
        ("activation", Indicator::Activation),
        ("magnitude", Indicator::Magnitude),
    ]
    .into_iter()
    .enumerate()
    {
        let values = indicators(&activations, &norms, indicator).unwrap();
        for (mask, found) in get::<Vec<Value>>(&expected[name]["mask_lowest"])
            .iter()
            .zip(&measured.distributions[nth].masks)
        {
            let tail = lowest(values.row(0), get(&mask["percent"]));
            assert_eq!(tail, get::<Vec<usize>>(&mask["masked_token0"]));
            assert_eq!(found.masked, get::<usize>(&mask["n_masked"]));
            close(
                &found.cett_per_token,
                &get::<Vec<f64>>(&mask["cett_per_token"]),
                TOLERANCE,
            );
            near(found.mean_cett, get(&mask["mean_cett"]), TOLERANCE);
        }
    }
}

#[test]
fn cett_at_thresholds_and_thresholds_for_a_cett_are_those_of_the_reference() {
    let (expected, activations, down) = layer();
    let tails = TailErrors::new(&activations, &down, &column_norms(&down)).unwrap();
    for case in get::<Vec<Value>>(&expected["cett_at_threshold"]) {
        let found = tails.at(get(&case["epsilon"]));
        near(found.sparsity, get(&case["sparsity"]), TOLERANCE);
        near(found.mean_cett, get(&case["mean_cett"]), TOLERANCE);
        close(
            &found.cett_per_token,
            &get::<Vec<f64>>(&case["cett_per_token"]),
            TOLERANCE,
        );
    }
    for case in get::<Vec<Value>>(&expected["epsilon_for_target_cett"]) {
        let found = tails.targets(&[get(&case["target"])]).unwrap()[0];
        near(
            found.before_first_violation.epsilon,
            get(&case["largest_epsilon_before_first_violation"]),
            TOLERANCE,
        );
        near(found.before_first_violation.sparsity, get(&case["sparsity"]), TOLERANCE);
        near(
            found.before_first_violation.mean_cett,
            get(&case["mean_cett"]),
            TOLERANCE,
        );
        near(
            found.largest_feasible.epsilon,
            get(&case["largest_feasible_epsilon"]),
            TOLERANCE,
        );
        near(
            found.largest_feasible.sparsity,
            get(&case["sparsity_at_largest_feasible"]),
            TOLERANCE,
        );
    }
    assert_eq!(
        tails.is_monotone(),
        get::<bool>(&expected["cett_monotone_over_candidates"])
    );
}

#[test]
fn the_sweep_over_thresholds_says_what_each_threshold_says_alone() {
    let (_, activations, down) = layer();
    let tails = TailErrors::new(&activations, &down, &column_norms(&down)).unwrap();
    for target in tails.targets(&[0.05, 0.15, 0.4]).unwrap() {
        for found in [target.before_first_violation, target.largest_feasible] {
            let alone = tails.at(found.epsilon);
            near(found.mean_cett, alone.mean_cett, 1e-12);
            near(found.sparsity, alone.sparsity, 1e-12);
        }
    }
}

#[test]
fn contributions_mass_and_zeros_are_those_of_the_reference() {
    let (expected, activations, down) = layer();
    let norms = column_norms(&down);
    let found = contributions(activations.row(0), &down, &norms).unwrap();
    close(&found, &get::<Vec<f64>>(&expected["h_neuron_cett_token0"]), TOLERANCE);
    let counts: Vec<usize> = activations.each_row().map(|row| units_for_mass(row, 0.9)).collect();
    assert_eq!(
        counts,
        get::<Vec<usize>>(&expected["neurons_for_90pct_l1_mass_per_token"])
    );
    let cuts: Vec<f64> = norms.iter().map(|norm| 0.2 / norm).collect();
    close(
        &cuts,
        &get::<Vec<f64>>(&expected["abs_activation_threshold_for_epsilon_0p2"]),
        TOLERANCE,
    );
    let gate = matrix(&read("sparsity.json")["gate_preactivation_tn"]);
    let relu = Matrix::<f64>::from_fn(gate.rows(), gate.columns(), |token, unit| {
        if gate.at(token, unit) > 0.0 {
            gate.at(token, unit)
        } else {
            0.0
        }
    });
    near(zero_fraction(&relu), get(&expected["relu_zero_fraction"]), TOLERANCE);
}

#[test]
fn masking_nothing_costs_nothing_and_masking_everything_costs_all() {
    let (_, activations, down) = layer();
    let all: Vec<usize> = (0..activations.columns()).collect();
    for row in activations.each_row() {
        assert_eq!(tail_cett(row, &down, &[]).unwrap().to_bits(), 0.0_f64.to_bits());
        near(tail_cett(row, &down, &all).unwrap(), 1.0, 1e-15);
    }
    assert!(lowest(&[1.0, 2.0], 0.0).is_empty());
    assert_eq!(lowest(&[1.0, 2.0], 100.0), [0, 1]);
}

#[test]
fn of_equal_indicators_the_lower_index_is_masked_first() {
    assert_eq!(lowest(&[1.0, 0.5, 0.5, 0.5], 50.0), [1, 2]);
}

#[test]
fn a_mask_is_the_floor_of_its_percentage_where_the_product_is_whole() {
    for percent in 1..=100_u32 {
        let found = lowest(&vec![0.0; 1536], f64::from(percent)).len();
        assert_eq!(found, percent as usize * 1536 / 100, "{percent} %");
    }
}

#[test]
fn a_quantile_makes_a_massive_activation_count_less_than_the_maximum_does() {
    let mut values = vec![1.0; 999];
    values.push(1000.0);
    let indicators = Matrix::new(10, 100, values).unwrap();
    let below = |by| cumulative_distribution(&indicators, by, &[0.2])[0];
    near(below(Normalisation::LayerMaximum), 0.999, 1e-12);
    near(below(Normalisation::LayerQuantile(0.99)), 0.0, 1e-12);
}

#[test]
fn tensors_of_another_layer_are_refused() {
    let (_, activations, _) = layer();
    let other = Matrix::<f64>::from_fn(20, 63, |_, _| 1.0);
    let refused = measure(&activations, &other, &Settings::default()).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "`columns of ffn_down` is 63, but 64 is needed to fit the other tensors; check that all are of the same layer and model"
    );
}
