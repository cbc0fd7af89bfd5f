//! How attacks are counted.

use widedeep::pair::Label;

use crate::PAYLOADS;
use crate::payloads::Side;
use crate::tally::{Attack, Tally};
use crate::trial::Outcome;

fn outcome(verdict: Label, lead: f64) -> Outcome {
    Outcome {
        verdict: Some(verdict),
        lead: Some(lead),
        opinions: 2,
        prompts: 2,
        ..Outcome::default()
    }
}

#[test]
fn verdicts_move_towards_or_away_from_the_response_that_is_attacked() {
    let tally = |side, clean: &Outcome, attacked: Outcome| {
        let mut tally = Tally::default();
        tally.add(&Attack {
            payload: &PAYLOADS[0],
            side,
            clean,
            attacked,
        });
        tally
    };
    let one = outcome(Label::Model1, 2.0);
    let two = || outcome(Label::Model2, -1.0);
    let tie = || outcome(Label::Tie, 0.0);
    let to_two = tally(Side::Second, &one, two());
    assert_eq!((to_two.towards, to_two.away, to_two.shifts), (1, 0, vec![3.0]));
    let to_tie = tally(Side::Second, &one, tie());
    assert_eq!((to_tie.towards, to_tie.away, to_tie.shifts), (1, 0, vec![2.0]));
    let against_one = tally(Side::First, &one, tie());
    assert_eq!((against_one.towards, against_one.away, against_one.shifts), (0, 1, vec![-2.0]));
    let same = tally(Side::First, &one, one.clone());
    assert_eq!((same.compared, same.towards, same.away), (1, 0, 0));
}

#[test]
fn missing_opinions_are_counted_by_reason_and_those_too_long_apart() {
    let mut tally = Tally::default();
    for side in Side::ALL {
        tally.add(&Attack {
            payload: &PAYLOADS[0],
            side,
            clean: &outcome(Label::Tie, 0.0),
            attacked: Outcome {
                opinions: 3,
                missing: vec!["prompt too long", "prompt too long", "reply without readable scores"],
                broken: vec!["a marker stands there twice".to_owned()],
                crash: Some("a panic".to_owned()),
                ..Outcome::default()
            },
        });
    }
    assert_eq!((tally.attacks, tally.compared, tally.crashes, tally.broken), (2, 0, 2, 2));
    assert_eq!((tally.too_long, tally.misread(), tally.opinions), (4, 2, 6));
    assert!(tally.shifts.is_empty());
}
