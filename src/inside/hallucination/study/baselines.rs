//! What a detector has to beat (spec 10.4): random units, all units, and what is known about an answer without looking inside.

use std::collections::BTreeSet;

use rand::{SeedableRng, seq::index::sample};
use rand_chacha::ChaCha8Rng;

use super::{
    super::{
        columns::Columns,
        detector::Detector,
        evaluate::auroc,
        evaluation::{Draws, Scorer},
        logistic::{Class, Gram, Labels, Penalty},
    },
    Choice, Event, Listener, Plan, Stage, StudyError,
    candidate::{Candidate, Linear, Model},
    fitting::{choose, final_fit},
    scored::TrainingRows,
};
use crate::inside::language::{Unit, random};

/// Training and test features, in which baselines are fitted and compared.
#[derive(Clone, Copy)]
pub(super) struct Material<'a> {
    pub(super) x: &'a Columns<f32>,
    pub(super) rows: &'a TrainingRows,
    pub(super) test: &'a Columns<f32>,
    pub(super) test_classes: &'a [Class],
    pub(super) plan: &'a Plan,
}

/// Draws units, the nth time; nothing where there are too few.
type Draw<'a> = &'a dyn Fn(usize) -> Option<Vec<usize>>;

impl Material<'_> {
    /// Chosen units with an L2 penalty, C by cross-validation: the same procedure for H-units, random units and all units.
    fn refit(&self, positions: &[usize]) -> Result<Linear, StudyError> {
        let x = self.x.select(positions);
        let linear = self.with_l2(&x)?;
        Ok(Linear {
            weights: linear
                .weights
                .into_iter()
                .map(|(column, weight)| (positions[column], weight))
                .collect(),
            bias: linear.bias,
        })
    }

    fn with_l2(&self, x: &Columns<f32>) -> Result<Linear, StudyError> {
        let plan = Plan {
            penalty: Penalty::L2,
            choice: Choice::BestAuroc,
            ..*self.plan
        };
        let gram = (x.columns() >= x.rows()).then(|| Gram::of(x));
        let labels = Labels::equal(&self.rows.classes);
        let (_, chosen) = choose(x, gram.as_ref(), &self.rows.classes, &labels, self.rows, &plan)?;
        let fit = final_fit(x, gram.as_ref(), &labels, chosen.c, Penalty::L2, &plan.settings)?;
        let all: Vec<usize> = (0..x.columns()).collect();
        Ok(Linear::of(&fit, &all))
    }

    /// All units, L2.
    pub(super) fn all_units(&self) -> Result<Candidate, StudyError> {
        Ok(Candidate {
            scorer: Scorer::AllUnits,
            model: Model::Units(self.with_l2(self.x)?),
        })
    }

    /// The H-units fitted anew, and draws of as many random units, uniform and within layers, each with the outcomes of all its draws.
    pub(super) fn random_units(
        &self,
        detector: &Detector,
        listen: Listener<'_>,
    ) -> Result<Vec<(Candidate, Option<Draws>)>, StudyError> {
        let own = detector.h_units();
        if own.is_empty() {
            return Ok(Vec::new());
        }
        let shape = detector.shape;
        let positions: Vec<usize> = own.iter().map(|&unit| shape.position(unit)).collect();
        let refitted = self.refit(&positions)?;
        let reference = auroc(&refitted.scores(self.test), self.test_classes).unwrap_or(0.5);
        let mut found = vec![(
            Candidate {
                scorer: Scorer::HUnits,
                model: Model::Units(refitted),
            },
            None,
        )];

        let spared: BTreeSet<Unit> = detector.units().collect();
        let free: Vec<usize> = (0..shape.units())
            .filter(|&position| !spared.contains(&shape.unit(position)))
            .collect();
        let draws = self.plan.random_draws;
        let seed = self.plan.split.seed;
        let uniform = |nth: usize| -> Option<Vec<usize>> {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            rng.set_stream(nth as u64);
            (free.len() >= own.len()).then(|| {
                sample(&mut rng, free.len(), own.len())
                    .iter()
                    .map(|at| free[at])
                    .collect()
            })
        };
        let in_layers = |nth: usize| -> Option<Vec<usize>> {
            // A layer may have too few units without a weight; then there is no such baseline.
            let units = random::matched(&own, shape, &spared, seed.wrapping_add(nth as u64)).ok()?;
            Some(units.into_iter().map(|unit| shape.position(unit)).collect())
        };
        let kinds: [(Scorer, Draw<'_>); 2] = [(Scorer::RandomUnits, &uniform), (Scorer::RandomInLayers, &in_layers)];
        for (kind, (scorer, draw)) in kinds.into_iter().enumerate() {
            let mut fitted: Vec<(f64, Linear)> = Vec::new();
            for nth in 0..draws {
                listen(Event {
                    stage: Stage::RandomUnits,
                    done: kind * draws + nth,
                    of: 2 * draws,
                });
                let Some(positions) = draw(nth) else { break };
                let linear = self.refit(&positions)?;
                fitted.push((
                    auroc(&linear.scores(self.test), self.test_classes).unwrap_or(0.5),
                    linear,
                ));
            }
            found.extend(median(scorer, fitted, reference));
        }
        Ok(found)
    }
}

/// The draw with the median AUROC, for the table, and the outcomes of all.
fn median(scorer: Scorer, mut fitted: Vec<(f64, Linear)>, reference: f64) -> Option<(Candidate, Option<Draws>)> {
    let n = fitted.len();
    if n == 0 {
        return None;
    }
    let aurocs: Vec<f64> = fitted.iter().map(|(auroc, _)| *auroc).collect();
    let mean = aurocs.iter().sum::<f64>() / n as f64;
    let sd =
        (aurocs.iter().map(|auroc| (auroc - mean).powi(2)).sum::<f64>() / n.saturating_sub(1).max(1) as f64).sqrt();
    let reached = aurocs.iter().filter(|&&auroc| auroc >= reference).count();
    fitted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (_, linear) = fitted.swap_remove(n / 2);
    let draws = Draws {
        aurocs,
        mean,
        sd,
        p_value: (1 + reached) as f64 / (1 + n) as f64,
    };
    Some((
        Candidate {
            scorer,
            model: Model::Units(linear),
        },
        Some(draws),
    ))
}
