//! Handing pairs to people.

use widedeep::agreement::Share;
use widedeep::report;
use widedeep::report::compare::{Human, Terms, compare};
use widedeep::run::Baseline;

use crate::stored::{assert_near, baseline, folders, free_machine, judged};

#[test]
fn the_pairs_on_which_a_judge_contradicts_itself_go_to_people() {
    // Torn on pairs 5 and 10, where the verdict for response 1 is wrong.
    let run = judged("one", 0, "11221xT121x2");
    let longer = baseline(Baseline::Longer);
    let terms = Terms {
        tariff: free_machine(),
        human: Human {
            usd_per_pair: Some(0.5),
            seconds_per_pair: Some(60.0),
        },
        hand_over: Some(Share::new(0.2).unwrap()),
    };
    let found = compare(&folders(&[&longer, &run]), &terms).unwrap();
    let [of] = found.hand_over.as_slice() else {
        panic!("a baseline has no opinions to contradict each other")
    };
    let handed: Vec<(usize, Option<&str>)> = of.pairs.iter().map(|pair| (pair.index, pair.id.as_deref())).collect();
    // A fifth of 12 pairs is 2.
    assert_eq!(handed, [(5, Some("q5")), (10, Some("q10"))]);
    assert_near(of.pairs[0].bpde, std::f64::consts::LN_2, "one call for each side");
    assert_near(of.before.accuracy, 10.0 / 12.0, "alone");
    assert_near(of.after.accuracy, 1.0, "with people");
    assert_near(of.after.kappa, 1.0, "with people");
    assert_eq!((of.before.n, of.after.n), (12, 12));
    // Two of twelve pairs at 50 cents.
    assert_near(of.after.usd_per_thousand, 1000.0 * 0.5 * 2.0 / 12.0, "cost");
    assert_near(
        of.after.usd_saved(Some(0.5)),
        1.0 - 2.0 / 12.0,
        "saved against people alone",
    );
    let text = report::comparison(&found, 100);
    assert!(text.contains("Hand-over of 20 %"), "{text}");
}
