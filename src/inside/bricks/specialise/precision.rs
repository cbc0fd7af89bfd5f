//! Average precision of every unit for every function.

use serde::{Deserialize, Serialize};

use super::{LabelError, Labels};
use crate::inside::bricks::{Element, Matrix, part_of};

/// What a unit's score for a function is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Predictivity {
    /// The average precision for the function's instances.
    Precision,
    /// The larger of this and the average precision of the *same* scores for all other instances (Emergent Modularity). Its chance level is
    /// max(prevalence, 1 − prevalence), so compare functions of equal prevalence only.
    EitherSide,
}

/// Scores `[units][functions]` of one layer.
#[derive(Debug, Clone, PartialEq)]
pub struct FunctionScores(pub Matrix<f64>);

/// One function in one layer, as the paper plots it (spec §4.3).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// The function's name.
    pub function: String,
    /// The best unit's index; the lower of equal ones.
    pub best_unit: usize,
    /// Its score.
    pub best: f64,
    /// The mean over the best 5 ‰ of the units, one at the least.
    pub best_half_percent: f64,
    /// The mean over all units.
    pub mean: f64,
}

/// Average precision in steps, without interpolation: `Σ_g (R_g − R_{g−1})·P_g` over groups of equal scores, highest first. `None` without a positive instance, or where
/// lengths differ.
pub fn average_precision<T: Element>(scores: &[T], positive: &[bool]) -> Option<f64> {
    let positives = positive.iter().filter(|&&positive| positive).count();
    if positives == 0 || scores.len() != positive.len() {
        return None;
    }
    let ranked = Ranked::new(scores.iter().map(|&score| score.into()));
    let mut precision = vec![0.0; 2];
    let of_instance: Vec<usize> = positive.iter().map(|&positive| usize::from(!positive)).collect();
    // The other class may be empty; its sum is then never touched.
    ranked.precisions(
        &of_instance,
        &[positives, scores.len() - positives],
        &mut precision,
        None,
    );
    Some(precision[0])
}

/// The scores of every unit: `instance_scores` `[instances][units]`.
pub fn function_scores<T: Element>(
    instance_scores: &Matrix<T>,
    labels: &Labels,
    predictivity: Predictivity,
) -> Result<FunctionScores, LabelError> {
    labels.check(instance_scores.rows())?;
    let functions = labels.functions().len();
    let mut scores = Matrix::from_fn(instance_scores.columns(), functions, |_, _| 0.0);
    for unit in 0..instance_scores.columns() {
        let ranked = rank(instance_scores, unit)?;
        let (mut on, mut off) = (vec![0.0; functions], vec![0.0; functions]);
        let either = (predictivity == Predictivity::EitherSide).then_some(&mut off[..]);
        ranked.precisions(labels.of_instance(), labels.counts(), &mut on, either);
        let cells = scores.row_mut(unit).iter_mut();
        for (score, (on, off)) in cells.zip(on.into_iter().zip(off)) {
            *score = if off > on { off } else { on };
        }
    }
    Ok(FunctionScores(scores))
}

impl FunctionScores {
    /// One unit's score for one function.
    ///
    /// # Panics
    /// If there is no such unit or function.
    pub fn of(&self, unit: usize, function: usize) -> f64 {
        self.0.at(unit, function)
    }

    /// The layer's width.
    pub fn units(&self) -> usize {
        self.0.rows()
    }

    /// All units' scores for one function.
    pub fn for_function(&self, function: usize) -> Vec<f64> {
        (0..self.units()).map(|unit| self.of(unit, function)).collect()
    }

    /// The figures of each function; empty for a layer without units.
    pub fn summaries(&self, functions: &[String]) -> Vec<Summary> {
        let each = functions.iter().enumerate().map(|(nth, name)| {
            let scores = self.for_function(nth);
            let mut order: Vec<usize> = (0..scores.len()).collect();
            order.sort_by(|&left, &right| scores[right].total_cmp(&scores[left]));
            let &best_unit = order.first()?;
            let few = part_of(0.005, scores.len()).max(1);
            let sum: f64 = order[..few].iter().map(|&unit| scores[unit]).sum();
            Some(Summary {
                function: name.clone(),
                best_unit,
                best: scores[best_unit],
                best_half_percent: sum / few as f64,
                mean: scores.iter().sum::<f64>() / scores.len() as f64,
            })
        });
        each.flatten().collect()
    }
}

/// The instances of one unit, by falling score.
pub(super) struct Ranked {
    order: Vec<u32>,
    /// Where each group of equal scores ends in `order`.
    ends: Vec<usize>,
}

/// Ranks the instances of one unit, which must be numbers.
pub(super) fn rank<T: Element>(instance_scores: &Matrix<T>, unit: usize) -> Result<Ranked, LabelError> {
    let scores = || (0..instance_scores.rows()).map(|instance| instance_scores.at(instance, unit));
    match scores().position(|score| !score.is_finite()) {
        Some(instance) => Err(LabelError::NotFinite { instance, unit }),
        None => Ok(Ranked::new(scores())),
    }
}

impl Ranked {
    fn new(scores: impl Iterator<Item = f64>) -> Self {
        // −0 and 0 are one score; adding 0 makes them one pattern.
        let mut pairs: Vec<(f64, u32)> = scores.map(|score| score + 0.0).zip(0..).collect();
        pairs.sort_by(|left, right| right.0.total_cmp(&left.0));
        let is_end = |&nth: &usize| pairs.get(nth).is_none_or(|next| next.0 < pairs[nth - 1].0);
        let ends = (1..=pairs.len()).filter(is_end).collect();
        Self {
            order: pairs.into_iter().map(|(_, instance)| instance).collect(),
            ends,
        }
    }

    /// Adds to `on[f]` the average precision for the instances of f, and to `off[f]` that for all others. `counts` are the instances per function.
    pub(super) fn precisions(
        &self,
        of_instance: &[usize],
        counts: &[usize],
        on: &mut [f64],
        mut off: Option<&mut [f64]>,
    ) {
        let mut seen = vec![0_usize; counts.len()];
        let mut group = vec![0_usize; counts.len()];
        let mut start = 0;
        for &end in &self.ends {
            for &instance in &self.order[start..end] {
                group[of_instance[instance as usize]] += 1;
            }
            let (total, size) = (end as f64, end - start);
            for function in 0..counts.len() {
                let new = std::mem::take(&mut group[function]);
                seen[function] += new;
                if new > 0 {
                    on[function] += new as f64 / counts[function] as f64 * (seen[function] as f64 / total);
                }
                if let Some(off) = off.as_deref_mut()
                    && new < size
                {
                    let others = (self.order.len() - counts[function]) as f64;
                    off[function] += (size - new) as f64 / others * ((end - seen[function]) as f64 / total);
                }
            }
            start = end;
        }
    }
}
