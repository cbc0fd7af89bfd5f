//! The whole of LLMEval² through a store: trivial judges have known scores (spec 10.4).

use std::path::Path;

use widedeep::pair::{self, BadLines, Source};
use widedeep::run::Baseline;

use super::runs::Run;

fn llmeval2() -> Vec<pair::Pair> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/llmeval2/LLMEval2_benchmark.json");
    assert!(
        path.exists(),
        "this test needs `{}`, which is not part of the project",
        path.display()
    );
    pair::read(&Source { path, format: None }, BadLines::Stop)
        .unwrap()
        .pairs
}

#[track_caller]
fn assert_near(actual: f64, expected: f64, digits: i32, what: &str) {
    assert!(
        (actual - expected).abs() < 0.51 * 10_f64.powi(-digits),
        "{what}: {actual} is not {expected}"
    );
}

#[test]
fn stored_baselines_over_llmeval2_have_their_known_scores() {
    let pairs = llmeval2();
    let metrics = Run::baseline(Baseline::AlwaysModel1, &pairs).metrics();
    let overall = metrics.overall.unwrap();
    assert_near(overall.accuracy, 0.411_281, 6, "always model1, accuracy");
    assert_near(overall.macro_f1_all, 0.194_283, 6, "always model1, macro-F1");
    assert_eq!(overall.kappa, Some(0.0));

    let metrics = Run::baseline(Baseline::Longer, &pairs).metrics();
    let overall = metrics.overall.unwrap();
    assert_eq!((overall.n, overall.n_without_tie), (2553, 2071));
    assert_near(overall.accuracy, 0.450_842, 6, "longer, accuracy");
    assert_near(overall.macro_f1_all, 0.337_302, 6, "longer, macro-F1");
    assert_near(overall.kappa.unwrap(), 0.078_481, 6, "longer, kappa");
    assert_eq!(
        overall.confusion.counts(),
        [[572, 471, 7], [440, 575, 6], [237, 241, 4]]
    );
    assert_eq!(metrics.length.verdicts.share, Some(1.0));

    let datasets = [
        ("bagel", 175, 0.4171, -0.0531),
        ("code-contests", 45, 0.5111, 0.0407),
        ("eli5", 149, 0.5101, 0.0168),
        ("hellaswag", 160, 0.4625, -0.0681),
        ("hh-rlhf", 140, 0.5929, 0.1907),
        ("mt-bench", 275, 0.3745, 0.1537),
        ("openmeva", 245, 0.2245, -0.0380),
        ("pku-saferlhf", 160, 0.4500, -0.0932),
        ("reward-aira-portuguese", 160, 0.5875, 0.1750),
        ("rlhf-reward-chinese", 160, 0.6000, 0.2000),
        ("rlhf-reward-russian", 160, 0.5938, 0.1980),
        ("shp", 160, 0.5938, 0.1925),
        ("summarizefeedback", 282, 0.3369, 0.0736),
        ("summeval", 91, 0.3956, 0.1207),
        ("webgpt", 191, 0.4241, 0.0999),
    ];
    assert_eq!(metrics.datasets.len(), datasets.len());
    for (group, (name, n, accuracy, kappa)) in metrics.datasets.iter().zip(datasets) {
        let found = group.agreement.unwrap();
        assert_eq!((group.name.as_str(), found.n), (name, n));
        assert_near(found.accuracy, accuracy, 4, name);
        assert_near(found.kappa.unwrap(), kappa, 4, name);
    }

    // Spec 9.
    let sizes: Vec<(&str, usize)> = metrics
        .task_types
        .iter()
        .map(|group| (group.name.as_str(), group.judged))
        .collect();
    assert_eq!(
        sizes,
        [
            ("Commonsense NLI", 160),
            ("Data-to-Text Generation", 175),
            ("Dialogue", 575),
            ("Open-domain QA", 789),
            ("Programming", 45),
            ("Retrieval QA", 191),
            ("Story Generation", 245),
            ("Text Summarization", 373),
        ]
    );
    assert_eq!(metrics.abilities.len(), 8);
}
