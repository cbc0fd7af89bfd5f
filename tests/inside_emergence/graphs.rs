//! Graphs, layered weights and the box convention (oracles 04 to 11 and 13).

use serde_json::Value;
use widedeep::inside::emergence::{
    Centre, Config, Curve, Derivative, Group, Hops, Measure, QGrid, Radii, Sample, Spectrum,
    dimension::{self, Convention},
    dissect,
    network::{Graph, box_moments, spectrum},
};

use super::oracle::{self, all_close, analysis, close, list, matches, number, numbers};

fn graph(oracle: &Value) -> Graph {
    let edges = list(&oracle["input"]["edges"]).iter().map(numbers);
    let nodes = usize::try_from(oracle["input"]["n_nodes"].as_u64().unwrap()).unwrap();
    // Unweighted graphs give no third number.
    Graph::new(
        nodes,
        edges.map(|edge| (edge[0] as usize, edge[1] as usize, edge.get(2).copied().unwrap_or(1.0))),
    )
}

fn paths(graph: &Graph, centre: Centre, radii: Radii) -> Spectrum {
    let measure = Measure {
        centre,
        radii,
        ..Measure::shortest_paths()
    };
    spectrum(&graph.shortest_paths(&measure), &measure, &analysis()).unwrap()
}

#[test]
fn cascades_have_the_spectrum_of_the_oracles_and_of_theory() {
    for number in ["04", "05"] {
        let oracle = oracle::file(number);
        let measure = Measure::default();
        let found = spectrum(&graph(&oracle).direct(&measure), &measure, &analysis()).unwrap();
        matches(&found, &oracle["expected"], &oracle["tolerance"]);
        let tolerance = |key: &str| oracle::number(&oracle["tolerance"][key]);
        all_close(
            &found.tau,
            &numbers(&oracle["theory"]["tau"]),
            tolerance("theory_tau_abs"),
            "τ of theory",
        );
        let alpha0 = oracle::number(&oracle["theory"]["alpha0_analytic"]);
        close(found.alpha0, alpha0, tolerance("theory_alpha0_abs"), "α0 of theory");
    }
}

#[test]
fn the_exact_derivative_of_a_cascade_is_that_of_theory() {
    let oracle = oracle::file("04");
    let measure = Measure::default();
    let exact = widedeep::inside::emergence::Analysis {
        derivative: Derivative::Exact,
        peak: widedeep::inside::emergence::Peak::Exact,
        ..analysis()
    };
    let found = spectrum(&graph(&oracle).direct(&measure), &measure, &exact).unwrap();
    all_close(
        &found.curve.alpha,
        &numbers(&oracle["theory"]["alpha_analytic"]),
        1e-9,
        "α of theory",
    );
    all_close(
        &found.curve.f,
        &numbers(&oracle["theory"]["f_analytic"]),
        1e-9,
        "f of theory",
    );
    close(
        found.alpha0,
        number(&oracle["theory"]["alpha0_analytic"]),
        1e-9,
        "α0 of theory",
    );
}

#[test]
fn box_moments_of_a_binomial_measure_match_the_oracle_and_theory() {
    let oracle = oracle::file("06");
    let moments = box_moments(&numbers(&oracle["input"]["masses"]), QGrid::default());
    let found = Spectrum::fit(&moments, &analysis()).unwrap();
    matches(&found, &oracle["expected"], &oracle["tolerance"]);
    let p = number(&oracle["input"]["p"]);
    let theory = found.q.iter().map(|q| -(p.powf(*q) + (1.0 - p).powf(*q)).log2());
    all_close(&found.tau, &theory.collect::<Vec<f64>>(), 1e-9, "τ of theory");
    let alpha = numbers(&oracle["theory"]["alpha_analytic"]);
    let central = Curve::of(&found.q, &found.tau, Derivative::Central);
    all_close(
        &central.alpha,
        &alpha[1..60],
        number(&oracle["tolerance"]["theory_alpha_abs"]),
        "α of theory",
    );
    let information = number(&oracle["theory"]["D1"]);
    let dimensions = dimension::generalised_dimensions(&found.q, &found.tau, Convention::Boxes, information);
    all_close(&dimensions, &numbers(&oracle["expected"]["D_q"]), 1e-7, "D(q)");
    let heat = dimension::specific_heat(&found.q, &found.tau);
    assert!(
        heat.len() == 59 && heat.iter().all(|c| *c > 0.0),
        "τ of a multifractal is concave"
    );
    assert!(dimension::structural_distance(&dimensions, &dimensions).abs() < 1e-15);
}

#[test]
fn a_ring_has_one_point_and_small_worlds_the_spectra_of_the_oracles() {
    let ring = oracle::file("07");
    let found = paths(&graph(&ring), Centre::Excluded, Radii::Observed);
    matches(&found, &ring["expected"], &ring["tolerance"]);
    let theory = number(&ring["tolerance"]["theory_abs"]);
    all_close(&found.tau, &found.q, theory, "τ of theory, which is q");
    let with_centre = paths(&graph(&ring), Centre::Counted, Radii::Observed);
    matches(
        &with_centre,
        &ring["variant_include_self"]["expected"],
        &ring["tolerance"],
    );
    let mut irregularity = found.alpha0;
    for number in ["08", "09"] {
        let oracle = oracle::file(number);
        let found = paths(&graph(&oracle), Centre::Excluded, Radii::Observed);
        matches(&found, &oracle["expected"], &oracle["tolerance"]);
        assert!(found.alpha0 > irregularity, "α0 rises with the share of rewired edges");
        irregularity = found.alpha0;
    }
}

#[test]
fn a_flower_and_a_fractal_network_have_the_spectra_of_the_oracles() {
    for (number, radii) in [("10", Radii::Dyadic), ("11", Radii::Given(vec![8.0, 16.0, 32.0, 64.0]))] {
        let oracle = oracle::file(number);
        let graph = graph(&oracle);
        let found = paths(&graph, Centre::Counted, radii);
        matches(&found, &oracle["expected"], &oracle["tolerance"]);
        let observed = paths(&graph, Centre::Counted, Radii::Observed);
        matches(
            &observed,
            &oracle["variant_union_radii"]["expected"],
            &oracle["tolerance"],
        );
        if number == "11" {
            let within = oracle::number(&oracle["tolerance"]["theory_alpha0_abs"]);
            let dimension = oracle::number(&oracle["theory"]["similarity_dimension"]);
            close(found.alpha0, dimension, within, "α0 near the similarity dimension");
        }
    }
}

#[test]
fn layered_weights_have_the_spectra_of_the_oracle_over_one_two_and_three_hops() {
    let oracle = oracle::file("13");
    let matrices = list(&oracle["input"]["weights_micro"])
        .iter()
        .map(|weights| oracle::matrix(0, Group::MlpHidden, weights));
    let sample = Sample {
        matrices: matrices.collect(),
    };
    for (hops, key) in [(Hops::One, "1"), (Hops::Two, "2"), (Hops::Three, "3")] {
        let config = Config {
            hops,
            analysis: analysis(),
            ..Config::default()
        };
        let found = dissect(&sample, &config).unwrap().whole;
        matches(&found, &oracle["expected"][key], &oracle["tolerance"]);
    }
}
