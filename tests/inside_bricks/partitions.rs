use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;
use widedeep::inside::bricks::{
    Matrix, ShapeError,
    partition::{
        Activity, CommunityError, Draw, Graph, Groups, KMeans, KMeansError, absolute_correlation, against_memberships,
        against_null, agreement, balanced_k_means, captured_mass, communities, cut, expert_baseline, expert_mass,
        functional_experts, jaccard, modularity, positive_products, random_groups, strongest, unit_rows,
        with_similar_rows,
    },
};

use crate::oracle::{close, get, matrix, near, read, same};

const TOLERANCE: f64 = 1e-9;

struct Case {
    oracle: Value,
    activations: Matrix<f64>,
    activity: Activity,
    planted: Groups,
}

fn case() -> Case {
    let oracle = read("partition.json");
    let activations = matrix(&oracle["activations_tn"]);
    let activity = Activity::positive(&activations);
    let planted = Groups::new(get(&oracle["planted"]));
    Case {
        oracle,
        activations,
        activity,
        planted,
    }
}

#[test]
fn graphs_are_those_of_the_reference() {
    let case = case();
    let expected = &case.oracle["expected"];
    same(
        Graph::coactivation(&case.activity).weights(),
        &expected["coactivation_counts"],
        0.0,
    );
    let row = |name: &str| get::<Vec<f64>>(&expected[name]);
    close(
        positive_products(&case.activations).weights().row(0),
        &row("relu_weighted_row0"),
        TOLERANCE,
    );
    close(
        jaccard(&case.activity).weights().row(0),
        &row("jaccard_row0"),
        TOLERANCE,
    );
    // The reference has a diagonal of ones.
    let mut correlations = row("abs_pearson_row0");
    correlations[0] = 0.0;
    close(
        absolute_correlation(&case.activations).weights().row(0),
        &correlations,
        TOLERANCE,
    );
}

#[test]
fn modularity_cut_and_agreement_of_given_groups_are_those_of_the_reference() {
    let case = case();
    let counts = Graph::coactivation(&case.activity);
    let products = positive_products(&case.activations);
    for name in ["planted", "contiguous", "random", "single", "two_merged"] {
        let groups = Groups::new(get(&case.oracle["partitions"][name]));
        let expected = &case.oracle["expected"]["partitions"][name];
        let value = |field: &str| get::<f64>(&expected[field]);
        near(
            modularity(&counts, &groups, 1.0).unwrap(),
            value("modularity_binary_coactivation"),
            TOLERANCE,
        );
        near(
            modularity(&counts, &groups, 2.0).unwrap(),
            value("modularity_binary_coactivation_resolution2"),
            TOLERANCE,
        );
        near(
            modularity(&products, &groups, 1.0).unwrap(),
            value("modularity_relu_weighted"),
            TOLERANCE,
        );
        let found = cut(&counts, &groups).unwrap();
        near(found.between, value("cut_weight"), TOLERANCE);
        near(found.within_fraction, value("within_fraction"), TOLERANCE);
        let found = agreement(&groups, &case.planted).unwrap();
        near(found.adjusted_rand, value("ari_vs_planted"), TOLERANCE);
        near(found.normalised_information, value("nmi_vs_planted"), TOLERANCE);
    }
}

#[test]
fn communities_and_balanced_k_means_find_the_planted_modules() {
    let case = case();
    let counts = Graph::coactivation(&case.activity);
    let planted = modularity(&counts, &case.planted, 1.0).unwrap();
    let by_community = communities(&counts, 1.0, 0).unwrap();
    let by_means = balanced_k_means(&unit_rows(counts.weights()), &KMeans::new(4)).unwrap();
    for groups in [&by_community, &by_means] {
        assert!(agreement(groups, &case.planted).unwrap().adjusted_rand >= 0.95);
        assert!(modularity(&counts, groups, 1.0).unwrap() >= planted - 0.005);
    }
    assert_eq!(
        by_community.count(),
        get::<usize>(&case.oracle["expected"]["louvain_reference"]["n_communities"])
    );
    assert_eq!(by_means.sizes(), [12; 4]);
    assert_eq!(
        by_community,
        communities(&counts, 1.0, 0).unwrap(),
        "the same seed gives the same groups"
    );
}

#[test]
fn balanced_k_means_over_weights_finds_the_planted_modules() {
    let case = case();
    let rows = unit_rows(&matrix(&case.oracle["weight_clustering"]["W_in"]));
    let groups = balanced_k_means(&rows, &KMeans::new(4)).unwrap();
    assert_eq!(groups.sizes(), [12; 4]);
    assert!(agreement(&groups, &case.planted).unwrap().adjusted_rand >= 0.95);
}

#[test]
fn groups_of_a_count_that_does_not_divide_differ_by_one_at_the_most() {
    let rows = Matrix::from_fn(10, 2, |row, column| ((row * 7 + column * 3) % 5) as f64);
    assert_eq!(balanced_k_means(&rows, &KMeans::new(3)).unwrap().sizes(), [4, 3, 3]);
    assert_eq!(
        balanced_k_means(&rows, &KMeans::new(11)).unwrap_err(),
        KMeansError::Groups { units: 10, groups: 11 }
    );
}

#[test]
fn functional_experts_are_those_of_the_reference() {
    let case = case();
    let tests = &case.oracle["functional_expert_tests"];
    let alpha: f64 = get(&tests["alpha"]);
    for name in ["f0", "f1", "f2"] {
        let top: Vec<usize> = get(&tests["top_sets"][name]);
        let expected = &tests["expected"][name];
        let found = functional_experts(&case.planted, &top, Draw::Hypergeometric, alpha).unwrap();
        assert_eq!(found.counts, get::<Vec<usize>>(&expected["counts_per_expert"]));
        assert_eq!(found.thresholds, [get::<u64>(&expected["hypergeom_threshold"]); 4]);
        assert_eq!(
            found.functional,
            get::<Vec<usize>>(&expected["functional_experts_hypergeom"])
        );
        close(
            &found.p_values,
            &get::<Vec<f64>>(&expected["p_value_hypergeom_ge"]),
            TOLERANCE,
        );
        match get::<Option<f64>>(&expected["modularization_degree"]) {
            Some(degree) => near(found.modularisation_degree.unwrap(), degree, TOLERANCE),
            None => assert_eq!(found.modularisation_degree, None),
        }
        let pooled = functional_experts(&case.planted, &top, Draw::Binomial, alpha).unwrap();
        assert_eq!(pooled.thresholds, [get::<u64>(&expected["binomial_threshold"]); 4]);
        assert_eq!(
            pooled.functional,
            get::<Vec<usize>>(&expected["functional_experts_binomial"])
        );
    }
}

#[test]
fn random_groups_have_hardly_any_functional_experts() {
    let case = case();
    let top: Vec<usize> = get(&case.oracle["functional_expert_tests"]["top_sets"]["f0"]);
    let found = expert_baseline(&case.planted, &top, Draw::Hypergeometric, 0.001, 200, 0).unwrap();
    // Four experts, each functional with probability 0.001 at the most.
    assert!(found.functional <= 0.04, "{found:?}");
}

#[test]
fn similarity_routing_is_that_of_the_reference() {
    let case = case();
    let routing = &case.oracle["routing"];
    let (input, x) = (matrix(&case.oracle["weight_clustering"]["W_in"]), matrix(&routing["x"]));
    let rows: Vec<Vec<f64>> = x
        .each_row()
        .map(|x| {
            input
                .times(x)
                .unwrap()
                .into_iter()
                .map(|value| if value > 0.0 { value } else { 0.0 })
                .collect()
        })
        .collect();
    let mass = expert_mass(&Matrix::from_rows(&rows).unwrap(), &case.planted).unwrap();
    let expected = &routing["expected"];
    same(&mass, &expected["expert_mass"], TOLERANCE);
    let best = strongest(&mass, 1);
    let similar = with_similar_rows(&input, &case.planted, &x, 1).unwrap();
    let first = |chosen: &[Vec<usize>]| chosen.iter().map(|experts| experts[0]).collect::<Vec<usize>>();
    assert_eq!(first(&best), get::<Vec<usize>>(&expected["oracle_top1"]));
    assert_eq!(first(&similar), get::<Vec<usize>>(&expected["similarity_top1"]));
    let share = |chosen: &[Vec<usize>]| captured_mass(&mass, chosen);
    near(
        share(&best).mean_share,
        get(&expected["captured_mass_oracle_top1"]),
        TOLERANCE,
    );
    near(
        share(&similar).mean_share,
        get(&expected["captured_mass_similarity_top1"]),
        TOLERANCE,
    );
}

#[derive(Debug)]
#[expect(dead_code, reason = "shown where a test fails")]
enum Failed {
    Shape(ShapeError),
    Community(CommunityError),
}

impl From<ShapeError> for Failed {
    fn from(failed: ShapeError) -> Self {
        Self::Shape(failed)
    }
}

fn leiden(graph: &Graph<f32>) -> Result<Groups, Failed> {
    communities(graph, 1.0, 0).map_err(Failed::Community)
}

#[test]
fn planted_modules_are_far_above_both_null_models() {
    let case = case();
    let (groups, test) = against_null(&case.activity, 1.0, 20, 0, leiden).unwrap();
    assert!(test.z().unwrap() > 20.0, "{test:?}");
    near(test.p_value(), 1.0 / 21.0, 1e-12);
    let graph = Graph::coactivation(&case.activity);
    let members = against_memberships(&graph, &groups, 1.0, 20, 0).unwrap();
    near(members.observed, test.observed, 1e-12);
    assert!(members.z().unwrap() > 20.0);
    assert!(
        test.mean() > members.mean(),
        "any graph has some groups, so looking for them beats random members"
    );
}

#[test]
fn independent_units_are_not_above_the_null_model() {
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let random = Matrix::<f32>::from_fn(300, 30, |_, _| rng.random_range(-1.0..0.2));
    let (_, test) = against_null(&Activity::positive(&random), 1.0, 40, 0, leiden).unwrap();
    assert!(test.p_value() > 0.01, "{test:?}");
}

#[test]
fn one_group_has_modularity_one_minus_the_resolution() {
    let case = case();
    let graph = Graph::coactivation(&case.activity);
    for resolution in [0.5, 1.0, 2.0] {
        near(
            modularity(&graph, &Groups::new(vec![0; 48]), resolution).unwrap(),
            1.0 - resolution,
            1e-12,
        );
    }
}

#[test]
fn a_graph_of_the_heaviest_edges_keeps_the_planted_modules() {
    let case = case();
    let graph = Graph::coactivation(&case.activity);
    let sparse = graph.heaviest(6);
    assert!(sparse.edges().count() < graph.edges().count() / 3);
    let found = communities(&sparse, 1.0, 0).unwrap();
    assert!(agreement(&found, &case.planted).unwrap().adjusted_rand >= 0.95);
    let pruned = graph.without_weakest();
    let share = pruned.edges().count() as f64 / graph.edges().count() as f64;
    assert!((0.85..=0.95).contains(&share), "{share}");
}

#[test]
fn magnitudes_above_a_threshold_are_active() {
    let activations = Matrix::new(2, 2, vec![0.5_f32, -2.0, -1.0, 0.1]).unwrap();
    let activity = Activity::strong(&activations, &[1.0, 2.0], 1.0).unwrap();
    assert_eq!(
        (activity.count(0), activity.count(1), activity.together(0, 1)),
        (1, 1, 0)
    );
}

#[test]
fn silent_units_have_no_communities() {
    let silent = Activity::positive(&Matrix::new(2, 3, vec![0.0_f32; 6]).unwrap());
    assert!(matches!(
        communities(&Graph::coactivation(&silent), 1.0, 0),
        Err(CommunityError::NoEdge(3))
    ));
}

#[test]
fn random_groups_are_balanced_and_come_from_their_seed() {
    let groups = random_groups(50, 4, 9);
    assert_eq!(groups.sizes(), [13, 13, 12, 12]);
    assert_eq!(groups, random_groups(50, 4, 9));
    assert_ne!(groups, random_groups(50, 4, 10));
}

#[test]
fn units_that_are_all_connected_alike_are_one_group() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let noise = Matrix::<f64>::from_fn(40, 40, |_, _| rng.random_range(70.0..74.0));
    let graph = Graph::<f32>::symmetric(40, |left, right| noise.at(left, right));
    assert_eq!(communities(&graph, 1.0, 0).unwrap(), Groups::new(vec![0; 40]));
}
