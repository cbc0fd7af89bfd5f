//! The area under the ROC curve: P(score of a positive > score of a negative) + ½ P(equal) (spec 2.12).

use super::super::logistic::Class;

/// The AUROC; `None` where one class is missing.
pub fn auroc(scores: &[f64], classes: &[Class]) -> Option<f64> {
    Ranking::of(scores, classes).auroc(|_| 1)
}

/// The curve as points (false positive rate, true positive rate), from (0, 0) to (1, 1), one per distinct score; `None` where one class is missing.
pub fn roc(scores: &[f64], classes: &[Class]) -> Option<Vec<(f64, f64)>> {
    let ranking = Ranking::of(scores, classes);
    let total = |class: Class| classes.iter().filter(|&&of| of == class).count() as f64;
    let (positive, negative) = (total(Class::Positive), total(Class::Negative));
    if positive == 0.0 || negative == 0.0 {
        return None;
    }
    let mut points = vec![(0.0, 0.0)];
    let (mut hits, mut alarms) = (0_usize, 0_usize);
    for run in ranking.runs().collect::<Vec<_>>().into_iter().rev() {
        for &(_, class) in run {
            match class {
                Class::Positive => hits += 1,
                Class::Negative => alarms += 1,
            }
        }
        points.push((alarms as f64 / negative, hits as f64 / positive));
    }
    Some(points)
}

/// Rows in ascending order of score, sorted once and counted with other multiplicities for every resample.
#[derive(Debug, Clone)]
pub(super) struct Ranking {
    /// Row and class.
    order: Vec<(usize, Class)>,
    /// Where runs of equal scores end.
    ends: Vec<usize>,
}

impl Ranking {
    pub(super) fn of(scores: &[f64], classes: &[Class]) -> Self {
        let mut rows: Vec<usize> = (0..scores.len().min(classes.len())).collect();
        rows.sort_by(|&a, &b| scores[a].total_cmp(&scores[b]));
        let mut ends: Vec<usize> = (1..rows.len())
            .filter(|&nth| scores[rows[nth - 1]] < scores[rows[nth]])
            .collect();
        ends.push(rows.len());
        Self {
            order: rows.into_iter().map(|row| (row, classes[row])).collect(),
            ends,
        }
    }

    /// Rows of equal scores, ascending.
    fn runs(&self) -> impl Iterator<Item = &[(usize, Class)]> {
        let mut from = 0;
        self.ends.iter().map(move |&end| {
            let run = &self.order[from..end];
            from = end;
            run
        })
    }

    /// The AUROC of rows that count several times or not at all.
    pub(super) fn auroc(&self, times: impl Fn(usize) -> u32) -> Option<f64> {
        // Twice the number of pairs in order, so that ties stay whole numbers.
        let (mut below, mut positives, mut twice) = (0_u64, 0_u64, 0_u64);
        for run in self.runs() {
            let (mut hits, mut others) = (0_u64, 0_u64);
            for &(row, class) in run {
                match class {
                    Class::Positive => hits += u64::from(times(row)),
                    Class::Negative => others += u64::from(times(row)),
                }
            }
            twice += hits * (2 * below + others);
            below += others;
            positives += hits;
        }
        (positives > 0 && below > 0).then(|| twice as f64 / (2 * positives * below) as f64)
    }
}
