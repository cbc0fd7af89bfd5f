//! The L2 problem, by Newton steps: over the weights where there are fewer columns than rows, otherwise over one number α per row, `w = Xᵀ α`, which is
//! where the solution lies (Rasmussen and Williams, *Gaussian Processes for Machine Learning*, algorithm 3.1, with a line search).

use faer::{Mat, Side, prelude::Solve};

use super::{
    Fit, FitError, Gram, Intercept, Labels, Penalty, Settings, Stopped,
    problem::{Loss, Problem},
};
use crate::inside::hallucination::columns::{Value, add_scaled, dot};

/// Halvings of a step.
const HALVINGS: usize = 40;

/// A solution over rows: the linear predictor of any row is `Σ αᵢ (xᵢ · x + 1)`, without the 1 where there is no intercept.
#[derive(Debug, Clone)]
pub(super) struct OverRows {
    /// `[rows]`; 0 for rows without importance.
    pub(super) alpha: Vec<f64>,
    pub(super) objective: f64,
    pub(super) violation: f64,
    pub(super) rounds: usize,
    pub(super) stopped: Stopped,
}

impl OverRows {
    /// The weights of the columns.
    pub(super) fn fit<T: Value>(&self, problem: &Problem<'_, T>, columns: usize, c: f64) -> Fit {
        let mut weights = problem.products(&self.alpha);
        let bias = if problem.constant().is_some() {
            weights.pop().unwrap_or(0.0)
        } else {
            0.0
        };
        debug_assert_eq!(weights.len(), columns);
        Fit {
            penalty: Penalty::L2,
            c,
            weights,
            bias,
            objective: self.objective,
            violation: self.violation,
            rounds: self.rounds,
            stopped: self.stopped,
        }
    }
}

/// Solves over rows, from α of an earlier C where there is one.
pub(super) fn over_rows(
    gram: &Gram,
    labels: &Labels,
    c: f64,
    settings: &Settings,
    start: Option<&[f64]>,
) -> Result<OverRows, FitError> {
    labels.check(gram.rows())?;
    if !(c.is_finite() && c > 0.0) {
        return Err(FitError::C(c));
    }
    let active: Vec<usize> = (0..gram.rows()).filter(|&row| labels.importance[row] > 0.0).collect();
    let n = active.len();
    let one = match settings.intercept {
        Intercept::Penalised => 1.0,
        Intercept::Absent => 0.0,
    };
    let kernel = Mat::from_fn(n, n, |i, j| gram.at(active[i], active[j]) + one);
    let pick = |values: &[f64]| active.iter().map(|&row| values[row]).collect::<Vec<f64>>();
    let own = Labels {
        signs: pick(&labels.signs),
        importance: pick(&labels.importance),
    };
    let loss = Loss { labels: &own, c };

    let mut alpha = start.map_or_else(|| vec![0.0; n], pick);
    let mut linear = times(&kernel, &alpha);
    let (mut first, mut second) = (vec![0.0; n], vec![0.0; n]);
    let mut objective = 0.5 * dot(&alpha, &linear) + loss.value(&linear);
    let (mut rounds, mut violation) = (0, f64::INFINITY);
    let mut stopped = Stopped::Short;
    while rounds < settings.rounds {
        rounds += 1;
        loss.derivatives(&linear, &mut first, &mut second);
        // w + g = Xᵀ(α + first): its norm bounds every column's violation.
        let gap: Vec<f64> = alpha.iter().zip(&first).map(|(alpha, first)| alpha + first).collect();
        let square = dot(&gap, &times(&kernel, &gap));
        violation = if square > 0.0 { square.sqrt() } else { 0.0 };
        if violation <= settings.tolerance {
            stopped = Stopped::Converged;
            break;
        }
        let target = newton_over_rows(&kernel, &linear, &first, &second)?;
        let change: Vec<f64> = target.iter().zip(&alpha).map(|(to, from)| to - from).collect();
        let change_linear = times(&kernel, &change);
        let moved = descend(objective, |share| {
            let alpha = along(&alpha, &change, share);
            let linear = along(&linear, &change_linear, share);
            let objective = 0.5 * dot(&alpha, &linear) + loss.value(&linear);
            (objective, (alpha, linear))
        });
        let Some((reached, (new_alpha, new_linear))) = moved else {
            break;
        };
        (objective, alpha, linear) = (reached, new_alpha, new_linear);
    }

    let mut all = vec![0.0; gram.rows()];
    for (&row, alpha) in active.iter().zip(&alpha) {
        all[row] = *alpha;
    }
    Ok(OverRows {
        alpha: all,
        objective,
        violation,
        rounds,
        stopped,
    })
}

/// The α that minimises the quadratic model: `b − √W B⁻¹ √W K b` with `b = W f − first` and `B = 1 + √W K √W`, which is well conditioned.
fn newton_over_rows(kernel: &Mat<f64>, linear: &[f64], first: &[f64], second: &[f64]) -> Result<Vec<f64>, FitError> {
    let n = linear.len();
    let roots: Vec<f64> = second.iter().map(|value| value.sqrt()).collect();
    let b: Vec<f64> = (0..n).map(|row| second[row] * linear[row] - first[row]).collect();
    let pushed = times(kernel, &b);
    let right = Mat::from_fn(n, 1, |row, _| roots[row] * pushed[row]);
    let inner = Mat::from_fn(n, n, |i, j| {
        f64::from(u8::from(i == j)) + roots[i] * kernel[(i, j)] * roots[j]
    });
    let solved = inner.llt(Side::Lower).map_err(|_| FitError::Singular)?.solve(right);
    Ok((0..n).map(|row| b[row] - roots[row] * solved[(row, 0)]).collect())
}

/// Solves over the columns.
pub(super) fn over_columns<T: Value>(
    problem: &Problem<'_, T>,
    settings: &Settings,
    weights: &mut Vec<f64>,
) -> Result<Fit, FitError> {
    let (rows, columns) = (problem.loss.labels.len(), problem.columns());
    weights.resize(columns, 0.0);
    let predict = |weights: &[f64]| {
        let mut linear = vec![0.0; rows];
        for (column, &weight) in weights.iter().enumerate() {
            add_scaled(&mut linear, problem.column(column), weight);
        }
        linear
    };
    let mut linear = predict(weights);
    let (mut first, mut second) = (vec![0.0; rows], vec![0.0; rows]);
    let mut objective = 0.5 * dot(weights, weights) + problem.loss.value(&linear);
    let (mut rounds, mut violation) = (0, f64::INFINITY);
    let mut stopped = Stopped::Short;
    while rounds < settings.rounds {
        rounds += 1;
        problem.loss.derivatives(&linear, &mut first, &mut second);
        let gradient: Vec<f64> = (0..columns)
            .map(|column| dot(problem.column(column), &first) + weights[column])
            .collect();
        violation = gradient.iter().map(|g| g.abs()).max_by(f64::total_cmp).unwrap_or(0.0);
        if violation <= settings.tolerance {
            stopped = Stopped::Converged;
            break;
        }
        let roots: Vec<f64> = second.iter().map(|value| value.sqrt()).collect();
        let scaled = Mat::from_fn(rows, columns, |row, column| {
            let x: f64 = problem.column(column)[row].into();
            roots[row] * x
        });
        let mut hessian = scaled.transpose() * &scaled;
        for column in 0..columns {
            hessian[(column, column)] += 1.0;
        }
        let right = Mat::from_fn(columns, 1, |column, _| -gradient[column]);
        let step = hessian.llt(Side::Lower).map_err(|_| FitError::Singular)?.solve(right);
        let change: Vec<f64> = (0..columns).map(|column| step[(column, 0)]).collect();
        let change_linear = predict(&change);
        let moved = descend(objective, |share| {
            let weights = along(weights, &change, share);
            let linear = along(&linear, &change_linear, share);
            (
                0.5 * dot(&weights, &weights) + problem.loss.value(&linear),
                (weights, linear),
            )
        });
        let Some((reached, (new_weights, new_linear))) = moved else {
            break;
        };
        (objective, *weights, linear) = (reached, new_weights, new_linear);
    }
    let mut own = weights.clone();
    let bias = if problem.constant().is_some() {
        own.pop().unwrap_or(0.0)
    } else {
        0.0
    };
    let c = problem.loss.c;
    Ok(Fit {
        penalty: Penalty::L2,
        c,
        weights: own,
        bias,
        objective,
        violation,
        rounds,
        stopped,
    })
}

fn times(kernel: &Mat<f64>, v: &[f64]) -> Vec<f64> {
    let mut product = vec![0.0; v.len()];
    for (column, &value) in v.iter().enumerate() {
        for (sum, &k) in product.iter_mut().zip(kernel.col_as_slice(column)) {
            *sum += value * k;
        }
    }
    product
}

fn along(from: &[f64], change: &[f64], share: f64) -> Vec<f64> {
    from.iter()
        .zip(change)
        .map(|(from, change)| from + share * change)
        .collect()
}

/// The first of 1, ½, ¼ … that does not raise a convex objective, where it led, and the objective there.
fn descend<S>(objective: f64, at: impl Fn(f64) -> (f64, S)) -> Option<(f64, S)> {
    let rounding = 1e-14 * objective.abs();
    let mut share = 1.0;
    for _ in 0..HALVINGS {
        let (reached, place) = at(share);
        if reached <= objective + rounding {
            return Some((reached, place));
        }
        share *= 0.5;
    }
    None
}
