//! Divergences between samples.

use proptest::collection::vec;
use proptest::prelude::*;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use widedeep::inside::topology::{
    Kde, brown_forsythe, jeffreys, jensen_shannon, jensen_shannon_noise, kolmogorov_smirnov, steps,
};

use crate::oracle::{Within, cases, numbers};

#[test]
fn divergences_match_the_reference() {
    let within = Within(1e-6, 1e-12);
    for (name, case) in cases("divergence.json") {
        let (one, other) = (numbers(&case["x1"]), numbers(&case["x2"]));
        let expected = &case["expected"];
        let found = jeffreys(&one, &other).unwrap();
        within.one(&name, found.sum, &expected["kde_jeffreys"]["jeffreys_sum"]);
        within.one(&name, found.integral, &expected["kde_jeffreys"]["jeffreys_integral"]);
        let bins = usize::try_from(expected["hist_js"]["bins"].as_u64().unwrap()).unwrap();
        let bits = jensen_shannon(&one, &other, bins).unwrap();
        within.one(&name, bits, &expected["hist_js"]["js_bits"]);
        let found = steps(&one, &other).unwrap();
        within.one(&name, found.wasserstein, &expected["wasserstein1"]);
        within.one(&name, found.kolmogorov_smirnov, &expected["ks_statistic"]);

        let (kde, expected) = (Kde::scott(&one).unwrap(), &expected["kde_x1"]);
        within.one(&name, kde.bandwidth(), &expected["bandwidth"]);
        let densities: Vec<f64> = numbers(&expected["grid"]).iter().map(|&x| kde.at(x)).collect();
        within.all(&name, &densities, &expected["density"]);
    }
}

#[test]
fn tests_see_the_shifted_pair_and_not_the_near_one() {
    for (name, case) in cases("divergence.json") {
        let p = kolmogorov_smirnov(&numbers(&case["x1"]), &numbers(&case["x2"]))
            .unwrap()
            .p;
        match name.as_str() {
            "near" => assert!(p > 0.2, "{p}"),
            "shifted" => assert!(p < 1e-6, "{p}"),
            _ => {}
        }
    }
}

#[test]
fn samples_of_one_distribution_are_as_far_apart_as_the_noise_says() {
    let mut random = ChaCha8Rng::seed_from_u64(7);
    let mut draw = || -> Vec<f64> { (0..1536).map(|_| StandardNormal.sample(&mut random)).collect() };
    let (mut found, mut expected) = (0.0, 0.0);
    for _ in 0..40 {
        let (one, other) = (draw(), draw());
        found += jensen_shannon(&one, &other, 32).unwrap();
        expected += jensen_shannon_noise(&one, &other, 32).unwrap();
    }
    assert!((found / expected - 1.0).abs() < 0.15, "{found} {expected}");
}

#[test]
fn a_wider_spread_is_seen_whatever_the_means() {
    let one: Vec<f64> = (0..60).map(|i| f64::from(i * 37 % 61) - 30.0).collect();
    let shifted: Vec<f64> = one.iter().map(|value| value + 1000.0).collect();
    let wider: Vec<f64> = one.iter().map(|value| value * 2.0).collect();
    assert!(brown_forsythe(&one, &shifted).unwrap().p > 0.99);
    assert!(brown_forsythe(&one, &wider).unwrap().p < 1e-4);
}

proptest! {
    #[test]
    fn divergences_are_symmetric_and_vanish_between_equal_samples(
        one in vec(-5.0..5.0f64, 2..40),
        other in vec(-5.0..5.0f64, 2..40),
    ) {
        let bits = jensen_shannon(&one, &other, 16).unwrap();
        prop_assert!((0.0..=1.0).contains(&bits));
        prop_assert!((bits - jensen_shannon(&other, &one, 16).unwrap()).abs() < 1e-12);
        prop_assert_eq!(jensen_shannon(&one, &one, 16), Some(0.0));
        let (there, back) = (jeffreys(&one, &other).unwrap(), jeffreys(&other, &one).unwrap());
        prop_assert!((there.sum - back.sum).abs() <= 1e-9 * there.sum);
        prop_assert!(jeffreys(&one, &one).unwrap().sum.abs() < 1e-300);
        prop_assert_eq!(steps(&one, &other), steps(&other, &one));
        prop_assert!(steps(&one, &one).unwrap().wasserstein.abs() < 1e-300);
    }

    #[test]
    fn a_shift_is_a_wasserstein_distance_of_its_own_size(one in vec(-5.0..5.0f64, 1..40), by in 0.0..9.0f64) {
        let other: Vec<f64> = one.iter().map(|value| value + by).collect();
        prop_assert!((steps(&one, &other).unwrap().wasserstein - by).abs() < 1e-9);
    }
}
