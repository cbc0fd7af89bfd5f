//! Agreement and tests of four judges, against independent implementations.

use widedeep::report::compare::{CompareError, Terms, compare};
use widedeep::report::{self};
use widedeep::run::Baseline;

use crate::runs::Run;
use crate::stored::{ONE, TWO, assert_near, baseline, compared, configuration, folders, judged, judged_as};

fn four() -> [Run; 4] {
    [
        baseline(Baseline::AlwaysModel1),
        baseline(Baseline::Longer),
        judged("one", 0, ONE),
        judged("two", 0, TWO),
    ]
}

#[test]
fn the_agreement_of_every_configuration_is_what_scikit_learn_says() {
    let runs = four();
    let found = compared(&[&runs[0], &runs[1], &runs[2], &runs[3]]);
    let expected = [
        ("always-model1", 0.416_667, 0.196_078, 0.0),
        ("longer", 0.416_667, 0.303_030, 0.0),
        ("one@tiny", 0.833_333, 0.796_296, 0.724_138),
        ("two@tiny", 0.666_667, 0.722_222, 0.466_667),
    ];
    for (configuration, (name, accuracy, macro_f1, kappa)) in found.configurations.iter().zip(expected) {
        assert_eq!(configuration.name, name);
        let agreement = configuration.agreement.unwrap();
        assert_near(agreement.accuracy, accuracy, name);
        assert_near(agreement.macro_f1_all, macro_f1, name);
        assert_near(agreement.kappa, kappa, name);
        assert!(agreement.intervals.accuracy.contains(accuracy));
        assert_eq!(
            (configuration.pairs, configuration.judged, configuration.compared),
            (12, 12, 12)
        );
    }
}

#[test]
fn mcnemars_test_and_holms_correction_are_what_scipy_and_statsmodels_say() {
    let runs = four();
    let found = compared(&[&runs[0], &runs[1], &runs[2], &runs[3]]);
    let expected = [
        ("always-model1", "longer", 3, 3, 1.0, 1.0),
        ("always-model1", "one@tiny", 0, 5, 0.0625, 0.375),
        ("always-model1", "two@tiny", 1, 4, 0.375, 1.0),
        ("longer", "one@tiny", 1, 6, 0.125, 0.625),
        ("longer", "two@tiny", 2, 5, 0.453_125, 1.0),
        ("one@tiny", "two@tiny", 4, 2, 0.6875, 1.0),
    ];
    assert_eq!(found.versus.len(), expected.len());
    for (versus, (first, second, only_first, only_second, p, holm)) in found.versus.iter().zip(expected) {
        assert_eq!((versus.first.as_str(), versus.second.as_str()), (first, second));
        let comparison = versus.comparison.unwrap();
        assert_eq!(comparison.n, 12);
        let test = comparison.mcnemar;
        assert_eq!(
            (test.only_first, test.only_second),
            (only_first, only_second),
            "{first} {second}"
        );
        assert_near(test.p_value, p, first);
        assert_near(versus.mcnemar_holm, holm, second);
        assert!(versus.kappa_holm >= comparison.kappa.difference.map(|kappa| kappa.p_value));
    }
}

#[test]
fn preferences_and_parsed_shares_are_counted() {
    let run = judged("one", 0, "111111111xxx");
    let found = compared(&[&baseline(Baseline::Longer), &run]);
    let [longer, one] = found.configurations.as_slice() else {
        panic!()
    };
    assert_near(longer.longer.share, 1.0, "the longer one always wins");
    assert_eq!((longer.first.share, longer.parsed), (None, None));
    assert_near(
        one.longer.share,
        0.5,
        "response 1 is the longer one in half of the pairs",
    );
    // Nine pairs prefer response 1 in both orders, three what is shown first.
    assert_near(one.first.share, 15.0 / 24.0, "calls that prefer the first");
    assert_near(one.parsed, 1.0, "all replies could be read");
}

#[test]
fn only_pairs_that_both_finished_are_compared() {
    let whole = judged("one", 0, ONE);
    let part = judged("two", 0, "1122");
    let found = compared(&[&whole, &part]);
    assert_eq!(found.configurations[1].judged, 4);
    assert_eq!(found.versus[0].comparison.unwrap().n, 4);
    let text = report::comparison(&found, 100);
    assert!(text.contains("two@tiny has finished 4 of 12 pairs"), "{text}");
}

#[test]
fn runs_that_cannot_be_compared_are_refused() {
    let one = judged("one", 0, ONE);
    let twin = judged("one", 0, TWO);
    let mut other = configuration("two", 0);
    other.data.blake3 = "another".into();
    let other = judged_as(&other, ONE);
    let refused = |runs: &[&Run]| compare(&folders(runs), &Terms::default()).unwrap_err();
    assert!(matches!(refused(&[&one, &twin]), CompareError::Twice { .. }));
    let error = refused(&[&one, &other]);
    assert!(matches!(error, CompareError::OtherData { .. }));
    assert!(error.to_string().contains("only runs over the same pairs"), "{error}");
    assert!(matches!(refused(&[]), CompareError::NoRuns { .. }));
}

#[test]
fn configurations_of_one_name_are_told_apart_by_their_folders() {
    let one = judged("one", 0, ONE);
    let mut other = configuration("one", 0);
    other.prompts = "other texts".into();
    let other = judged_as(&other, TWO);
    let found = compared(&[&one, &other]);
    let name = format!("one@tiny ({})", other.path().display());
    assert_eq!(found.configurations[1].name, name);
}
