//! Several runs of one configuration.

use widedeep::report;
use widedeep::run::Baseline;

use crate::stored::{ONE, TWO, assert_near, baseline, compared, judged};

#[test]
fn runs_that_differ_in_their_seed_only_are_one_configuration() {
    // Right on 10, 8 and 10 of 12; on pair 10 the first and third are wrong together.
    let runs = [judged("one", 2, ONE), judged("one", 0, ONE), judged("one", 1, TWO)];
    let longer = baseline(Baseline::Longer);
    let found = compared(&[&runs[0], &longer, &runs[1], &runs[2]]);
    assert_eq!(found.configurations.len(), 2);
    let one = &found.configurations[0];
    let seeds: Vec<u64> = one.seeds.iter().map(|of| of.seed).collect();
    assert_eq!(seeds, [0, 1, 2]);
    assert_near(one.agreement.unwrap().accuracy, 28.0 / 36.0, "over all runs");
    let spread = one.spread.unwrap();
    // The main verdict is that of seeds 0 and 2; TWO departs from ONE in 6 of 12 pairs.
    let differing = ONE.chars().zip(TWO.chars()).filter(|(a, b)| a != b).count();
    assert_near(spread.bias, 2.0 / 12.0, "bias");
    assert_near(spread.variance, differing as f64 / 36.0, "variance");
    // statistics.stdev([10/12, 8/12, 10/12])
    assert_near(spread.accuracy_sd, 0.096_225, "deviation of accuracy");
    assert_near(one.seeds[1].kappa, 0.466_667, "kappa of seed 1");
    let versus = found.versus[0].comparison.unwrap();
    assert_eq!(versus.n, 12, "pairs, not verdicts");
    assert_near(versus.accuracy.second, 5.0 / 12.0, "the baseline");
    let text = report::comparison(&found, 100);
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
}
