//! Figures from the folder alone.

use widedeep::pair::Label::{self, Model1, Model2, Tie};
use widedeep::pair::Taxonomy;
use widedeep::report::{Reaggregate, RecomputeError, WIDTH, recompute, summary};
use widedeep::run::{Baseline, StoreError};

use super::runs::{Run, examples, pair};

fn again(cell: Option<&str>, margin: Option<&str>) -> Reaggregate {
    Reaggregate {
        cell: cell.map(|cell| cell.parse().unwrap()),
        tie_margin: margin.map(|margin| margin.parse().unwrap()),
    }
}

#[test]
fn the_figures_of_a_run_are_the_same_whoever_computes_them() {
    for run in [
        examples([Tie, Model1, Model2]),
        super::summary::with_gaps(),
        Run::baseline(Baseline::Longer, &[pair(0, "shp", Some(Model1), [2, 1])]),
    ] {
        let found = recompute(run.path(), &Taxonomy::embedded(), Reaggregate::default()).unwrap();
        assert_eq!(found.metrics, run.metrics());
        assert_eq!(found.judged().unwrap(), run.store.judged().unwrap());
    }
}

#[test]
fn another_cell_or_margin_decides_again_and_leaves_the_store_alone() {
    let run = examples([Model1, Tie, Model2]);
    let before = run.store.judged().unwrap();
    let verdicts = |again| -> Vec<Option<Label>> {
        let found = recompute(run.path(), &Taxonomy::embedded(), again).unwrap();
        found.judged().unwrap().iter().map(|judged| judged.verdict).collect()
    };
    assert_eq!(verdicts(again(None, None)), [Some(Tie), Some(Model2), Some(Model1)]);
    assert_eq!(
        verdicts(again(Some("vote-call/all/argmax"), None)),
        [Some(Model1), Some(Tie), Some(Model2)]
    );
    // Spec 14.4: the means of C differ by 0.041667.
    assert_eq!(
        verdicts(again(None, Some("0.05"))),
        [Some(Tie), Some(Model2), Some(Tie)]
    );
    assert_eq!(run.store.judged().unwrap(), before);
}

#[test]
fn figures_of_another_cell_say_so() {
    let run = examples([Model1, Tie, Model2]);
    let found = recompute(
        run.path(),
        &Taxonomy::embedded(),
        again(Some("vote-call/all/argmax"), None),
    )
    .unwrap();
    let metrics = found.metrics;
    assert_eq!(metrics.overall.unwrap().accuracy, 1.0);
    assert_eq!(
        metrics.grid.as_ref().unwrap().chosen.to_string(),
        "vote-call/all/argmax"
    );
    assert_eq!(
        metrics.run.reaggregated_from.unwrap().cell.to_string(),
        "mean/all/argmax"
    );
    let text = summary(&metrics, WIDTH);
    assert!(
        text.contains("verdicts by vote-call/all/argmax, tie margin 0"),
        "{text}"
    );
    assert!(
        text.contains("the run itself decided by mean/all/argmax, tie margin 0"),
        "{text}"
    );

    let same = recompute(
        run.path(),
        &Taxonomy::embedded(),
        again(Some("mean/all/argmax"), Some("0")),
    )
    .unwrap();
    assert_eq!(same.metrics.run.reaggregated_from, None);
}

#[test]
fn what_cannot_be_decided_again_is_refused_with_the_remedy() {
    let baseline = Run::baseline(Baseline::Longer, &[pair(0, "shp", Some(Model1), [2, 1])]);
    let error = recompute(baseline.path(), &Taxonomy::embedded(), again(None, Some("0.1"))).unwrap_err();
    assert!(matches!(error, RecomputeError::NoOpinions { .. }));
    assert!(
        error.to_string().contains("leave out the cell and the tie margin"),
        "{error}"
    );

    let run = examples([Tie, Tie, Tie]);
    let error = recompute(
        run.path(),
        &Taxonomy::embedded(),
        again(Some("mean/all/expected"), None),
    )
    .unwrap_err();
    assert!(matches!(error, RecomputeError::NoDistributions { .. }));
    assert!(
        error.to_string().contains("name a cell that ends in `argmax`"),
        "{error}"
    );

    let empty = tempfile::tempdir().unwrap();
    let error = recompute(empty.path(), &Taxonomy::embedded(), Reaggregate::default()).unwrap_err();
    assert!(matches!(error, RecomputeError::Store(StoreError::NoRun { .. })));
}
