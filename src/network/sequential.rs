//! The votes of layer 1, counted as they come in.
//!
//! Each neuron votes for `model1`, `model2` or a tie: the verdict of its own calls, as in the cells `vote-neuron`. A neuron without scores does
//! not vote. Neurons are asked in their order, and it is enough as soon as one of two things holds.
//!
//! **Curtailed.** The neurons that are left cannot change the plurality of the votes, whatever they say. This is exact: the layer at its full
//! width would decide the same.
//!
//! **Sequential.** One class leads each of the two others so far that Wald's sequential probability ratio test decides for it both times. Of the
//! votes for the class or for the rival, the test compares *a share of `p1` are for the class* with *a share of `p1` are for the rival*: each
//! vote of lead multiplies the likelihood ratio by `p1 / (1 - p1)`, and at `2 / error` it stops (`error / 2` for each of two rivals; a
//! tie is a class like the others). At the defaults, `error` 0.1 and `p1` 0.8, that is a lead of three votes.
//!
//! *What is guaranteed*: let neurons vote independently, and let one class be at least `p1 / (1 - p1)` times as probable as each other. Then the
//! probability of stopping with another class is at most `error`, since the likelihood ratio of a rival over that class is a supermartingale
//! and passes `2 / error` with probability `error / 2` at most (Ville 1939; Wald 1945). *What is not*: neurons of one model are not independent, so
//! this is the error against more neurons of the same kind, not against people. A lead of d votes is always curtailed where there are
//! fewer than 2·d neurons: at the defaults, up to five neurons decide as at full width.
//!
//! When every neuron has been asked, nothing was decided early, and deeper layers follow at full width. They are skipped otherwise: prompts
//! of fewer reviews would be other calls than the full network's.

use super::aggregate::{Cell, Layers, Method, Tally, Vote, tally};
use super::evaluate::{EvaluateError, Setting};
use super::layer::{Ground, run_layer};
use super::opinion::Opinion;
use super::spec::{Aggregate, Sequential};
use super::stop::Stopped;

/// Layer 1, neuron by neuron. Neurons that are needed in any case are asked together: that saves rounds, and changes nothing else.
pub(super) async fn in_sequence(
    ground: &Ground<'_>,
    setting: &Setting<'_>,
) -> Result<(Vec<Opinion>, Option<Stopped>), EvaluateError> {
    let test = setting.network.sequential.unwrap_or_default();
    let width = ground.roles.len();
    let mut opinions = Vec::new();
    let mut asked = 0;
    while asked < width {
        let votes = votes(&opinions, setting.network.aggregate);
        if let Some(stopped) = test.decided(votes, asked, width) {
            return Ok((opinions, Some(stopped)));
        }
        let next = asked + test.needed(votes, asked, width);
        opinions.extend(run_layer(0, asked..next, ground, setting).await?);
        asked = next;
    }
    Ok((opinions, None))
}

fn votes(opinions: &[Opinion], by: Aggregate) -> Tally {
    let votes: Vec<Vote> = opinions.iter().map(Opinion::vote).collect();
    let cell = Cell {
        method: Method::VotePerNeuron,
        layers: Layers::All,
        reading: by.cell.reading,
    };
    tally(&votes, cell, by.tie_margin).unwrap_or_default()
}

/// Likelihood ratios are compared on a logarithmic scale; a lead that meets the bound exactly must not miss it by rounding.
const ROUNDING: f64 = 1e-9;

impl Sequential {
    /// Whether the votes of the first `asked` of `width` neurons, of which some may not vote, decide; never before the first neuron, nor after
    /// the last, when nothing is left to be skipped.
    pub fn decided(&self, votes: Tally, asked: usize, width: usize) -> Option<Stopped> {
        if asked == 0 || asked >= width {
            None
        } else if curtailed(votes, width - asked) {
            Some(Stopped::Curtailed { neurons: asked })
        } else if self.far_enough(votes) {
            Some(Stopped::Sequential { neurons: asked })
        } else {
            None
        }
    }

    /// How many more neurons have to be asked before the votes can decide at the earliest: all of them agreeing.
    fn needed(&self, votes: Tally, asked: usize, width: usize) -> usize {
        let left = width - asked;
        let decides = |more: &usize| {
            let with = |model1: usize, model2: usize, tie: usize| Tally {
                model1: votes.model1 + model1,
                model2: votes.model2 + model2,
                tie: votes.tie + tie,
            };
            [with(*more, 0, 0), with(0, *more, 0), with(0, 0, *more)]
                .into_iter()
                .any(|votes| self.decided(votes, asked + more, width).is_some())
        };
        (1..left).find(decides).unwrap_or(left)
    }

    /// Whether a class leads both others by the evidence asked for.
    fn far_enough(&self, votes: Tally) -> bool {
        let mut counts = [votes.model1, votes.model2, votes.tie];
        counts.sort_unstable();
        let lead = (counts[2] - counts[1]) as f64;
        lead * (self.p1 / (1.0 - self.p1)).ln() >= (2.0 / self.error).ln() - ROUNDING
    }
}

/// Whether `left` more votes, or fewer, cannot change the plurality.
fn curtailed(votes: Tally, left: usize) -> bool {
    let Tally { model1, model2, tie } = votes;
    let fixed = |leader: usize, others: usize| leader > others + left;
    let hopeless = |loser: usize, others: usize| loser + left <= others;
    fixed(model1, model2.max(tie))
        || fixed(model2, model1.max(tie))
        // A shared top count is a tie, so a tie is fixed when neither response can come out alone on top.
        || (hopeless(model1, model2.max(tie)) && hopeless(model2, model1.max(tie)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pair::Label::{self, Model1, Model2, Tie};
    use proptest::prelude::*;

    /// A neuron's vote; `None` if it has no scores.
    type Ballot = Option<Label>;

    fn count(votes: &[Ballot]) -> Tally {
        votes.iter().flatten().copied().collect()
    }

    /// All ways in which `left` neurons may vote.
    fn completions(left: usize) -> Vec<Vec<Ballot>> {
        (0..left).fold(vec![vec![]], |all, _| {
            let each = |votes: &Vec<Ballot>| {
                [None, Some(Model1), Some(Model2), Some(Tie)].map(|vote| [votes.as_slice(), &[vote]].concat())
            };
            all.iter().flat_map(each).collect()
        })
    }

    /// Where it stops if neurons are asked strictly one at a time.
    fn one_at_a_time(test: Sequential, votes: &[Ballot]) -> Option<Stopped> {
        (1..votes.len()).find_map(|asked| test.decided(count(&votes[..asked]), asked, votes.len()))
    }

    /// Where it stops if those that are needed in any case are asked together.
    fn together(test: Sequential, votes: &[Ballot]) -> Option<Stopped> {
        let mut asked = 0;
        while asked < votes.len() {
            let known = count(&votes[..asked]);
            if let Some(stopped) = test.decided(known, asked, votes.len()) {
                return Some(stopped);
            }
            asked += test.needed(known, asked, votes.len());
        }
        None
    }

    fn asked(stopped: Option<Stopped>, width: usize) -> usize {
        match stopped {
            Some(Stopped::Curtailed { neurons } | Stopped::Sequential { neurons }) => neurons,
            _ => width,
        }
    }

    fn is_by_test(stopped: Option<Stopped>) -> bool {
        matches!(stopped, Some(Stopped::Sequential { .. }))
    }

    fn ballots() -> impl Strategy<Value = Vec<Ballot>> {
        let vote = prop_oneof![
            1 => Just(None),
            4 => Just(Some(Model1)),
            4 => Just(Some(Model2)),
            3 => Just(Some(Tie)),
        ];
        proptest::collection::vec(vote, 1..8)
    }

    proptest! {
        #[test]
        fn votes_are_curtailed_exactly_when_no_completion_changes_the_majority(
            votes in ballots(),
            left in 0_usize..5,
        ) {
            let now = count(&votes).plurality();
            let same = completions(left)
                .iter()
                .all(|rest| count(&[votes.as_slice(), rest].concat()).plurality() == now);
            prop_assert_eq!(curtailed(count(&votes), left), same);
        }

        #[test]
        fn without_accepted_error_the_majority_is_that_of_the_full_width(votes in ballots()) {
            let exact = Sequential { error: 0.0, ..Sequential::default() };
            let stopped = one_at_a_time(exact, &votes);
            prop_assert!(!is_by_test(stopped));
            let heard = &votes[..asked(stopped, votes.len())];
            prop_assert_eq!(count(heard).plurality(), count(&votes).plurality());
        }

        #[test]
        fn up_to_five_neurons_are_never_decided_by_the_test_alone(votes in ballots()) {
            prop_assume!(votes.len() <= 5);
            let stopped = one_at_a_time(Sequential::default(), &votes);
            prop_assert!(!is_by_test(stopped));
        }

        #[test]
        fn asking_together_stops_where_asking_one_at_a_time_does(
            votes in ballots(),
            error in prop_oneof![Just(0.0), 0.01..0.49],
            p1 in 0.51..0.99,
        ) {
            let test = Sequential { error, p1 };
            prop_assert_eq!(together(test, &votes), one_at_a_time(test, &votes));
        }
    }

    fn far_enough(error: f64, p1: f64, model1: usize, model2: usize, tie: usize) -> bool {
        Sequential { error, p1 }.far_enough(Tally { model1, model2, tie })
    }

    /// By hand. `error` 0.1: ln(2 / 0.1) = 2.9957. `p1` 0.8: ln 4 = 1.3863 for each vote of lead, 2.7726 for two, 4.1589 for three.
    /// `p1` 0.9: ln 9 = 2.1972, 4.3944. `error` 0.125, `p1` 0.8: ln 16 is two votes to the last bit.
    #[test]
    fn a_class_must_lead_both_rivals_by_the_votes_that_wald_asks_for() {
        assert!(!far_enough(0.1, 0.8, 2, 0, 0));
        assert!(far_enough(0.1, 0.8, 3, 0, 0));
        assert!(far_enough(0.1, 0.8, 1, 4, 0));
        assert!(!far_enough(0.1, 0.8, 1, 5, 3));
        assert!(far_enough(0.1, 0.8, 1, 2, 5));
        assert!(!far_enough(0.1, 0.9, 1, 0, 0));
        assert!(far_enough(0.1, 0.9, 2, 0, 0));
        assert!(!far_enough(0.125, 0.8, 1, 0, 0));
        assert!(far_enough(0.125, 0.8, 2, 0, 0));
        assert!(!far_enough(0.0, 0.99, 1000, 0, 0));
    }

    #[test]
    fn what_is_needed_in_any_case_is_known_beforehand() {
        let test = Sequential::default();
        let needed = |model1, model2, tie, asked, width| test.needed(Tally { model1, model2, tie }, asked, width);
        assert_eq!(needed(0, 0, 0, 0, 1), 1);
        assert_eq!(
            needed(0, 0, 0, 0, 2),
            1,
            "after a tie, one vote for a response makes another tie"
        );
        assert_eq!(needed(1, 0, 0, 1, 2), 1);
        assert_eq!(needed(0, 0, 0, 0, 3), 2, "two of three are a majority");
        assert_eq!(needed(0, 0, 0, 0, 8), 3, "three of eight are a lead of three");
        assert_eq!(needed(1, 1, 0, 2, 8), 3);
        assert_eq!(needed(2, 1, 0, 3, 8), 2);
    }

    /// The probability of stopping with another class than the first, over votes that are drawn independently.
    fn wrong(test: Sequential, p: [f64; 3], width: usize) -> f64 {
        let mut states = vec![(Tally::default(), 1.0)];
        let mut wrong = 0.0;
        for asked in 1..width {
            let mut next: std::collections::BTreeMap<[usize; 3], f64> = std::collections::BTreeMap::new();
            for (votes, probability) in states {
                let counts = [votes.model1, votes.model2, votes.tie];
                for class in 0..3 {
                    let mut counts = counts;
                    counts[class] += 1;
                    *next.entry(counts).or_default() += probability * p[class];
                }
            }
            states = Vec::new();
            for ([model1, model2, tie], probability) in next {
                let votes = Tally { model1, model2, tie };
                match test.decided(votes, asked, width) {
                    None => states.push((votes, probability)),
                    Some(_) if votes.plurality() == Model1 => {}
                    Some(_) => wrong += probability,
                }
            }
        }
        wrong
    }

    #[test]
    fn the_probability_of_a_wrong_stop_is_within_the_accepted_error() {
        for (error, p1) in [(0.1, 0.8), (0.05, 0.7), (0.2, 0.6), (0.3, 0.9)] {
            let test = Sequential { error, p1 };
            let odds = p1 / (1.0 - p1);
            // Both rivals as probable as is allowed, and one rival alone.
            for p in [[odds, 1.0, 1.0], [odds, 1.0, 0.0]] {
                let sum: f64 = p.iter().sum();
                let p = p.map(|weight| weight / sum);
                // So wide that curtailing, which is never wrong about the layer, has no part in the early stops.
                let found = wrong(test, p, 60);
                assert!(found > 0.0 && found <= error, "{error} {p1} {p:?}: {found}");
            }
        }
        // Two classes, a lead of three at 0.8: the ruin of a gambler, 1 / (1 + 4³), as far as sixty votes go.
        let found = wrong(Sequential::default(), [0.8, 0.2, 0.0], 60);
        assert!((found - 1.0 / 65.0).abs() < 1e-6, "{found}");
    }
}
