//! The whole procedure on shuffled labels.

use super::{
    super::{
        columns::Columns,
        evaluate::{Permutation, auroc, shuffled},
        example::Truth,
        logistic::{Class, Gram, Labels, Penalty, Settings},
        split::Question,
    },
    Event, Listener, Plan, Stage, StudyError,
    fitting::{choose, final_fit},
    scored::TrainingRows,
};

/// How much looser shuffled fits are: what counts is their AUROC and not their set.
const LOOSER: f64 = 100.0;

/// Training and test material of the permutation test.
#[derive(Clone, Copy)]
pub(super) struct Shuffling<'a> {
    pub(super) questions: &'a [Question],
    pub(super) train: &'a [usize],
    pub(super) test: &'a [usize],
    pub(super) x: &'a Columns<f32>,
    pub(super) rows: &'a TrainingRows,
    pub(super) test_x: &'a Columns<f32>,
    pub(super) plan: &'a Plan,
}

impl Shuffling<'_> {
    /// Shuffles the truths of training and test questions within strata, chooses C and fits as for the detector, and measures the AUROC against the shuffled
    /// truths of the test questions.
    pub(super) fn run(&self, observed: f64, listen: Listener<'_>) -> Result<Option<Permutation>, StudyError> {
        let draws = self.plan.permutations;
        if draws == 0 {
            return Ok(None);
        }
        let places: Vec<usize> = self.train.iter().chain(self.test).copied().collect();
        let truths: Vec<Truth> = places.iter().map(|&nth| self.questions[nth].truth).collect();
        let strata: Vec<usize> = places.iter().map(|&nth| self.questions[nth].stratum).collect();
        let gram = (self.plan.penalty == Penalty::L2).then(|| Gram::of(self.x));
        let settings = Settings {
            tolerance: LOOSER * self.plan.settings.tolerance,
            ..self.plan.settings
        };
        let plan = Plan { settings, ..*self.plan };
        let mut permuted = Vec::with_capacity(draws);
        for nth in 0..draws {
            listen(Event {
                stage: Stage::Permuting,
                done: nth,
                of: draws,
            });
            let truths = shuffled(&truths, &strata, self.plan.split.seed, nth as u64);
            let (train, test) = truths.split_at(self.train.len());
            let classes = self.rows.classes_with(train);
            let labels = Labels::equal(&classes);
            let test: Vec<Class> = test.iter().map(|&truth| truth.into()).collect();
            let found = match choose(self.x, gram.as_ref(), &classes, &labels, self.rows, &plan) {
                Ok((_, chosen)) => final_fit(self.x, gram.as_ref(), &labels, chosen.c, plan.penalty, &settings)?,
                // No set sparse enough has any unit: the procedure would have found nothing.
                Err(StudyError::NoUnits) => {
                    permuted.push(0.5);
                    continue;
                }
                Err(error) => return Err(error),
            };
            permuted.push(auroc(&found.decisions(self.test_x), &test).unwrap_or(0.5));
        }
        Ok(Some(Permutation::of(observed, permuted)))
    }
}
