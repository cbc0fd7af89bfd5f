//! The L1 problem, by working sets.
//!
//! Most columns stay at zero. So the problem is solved over a *working set*: the columns with a weight and those that violate their optimality condition
//! most. Between these solutions one look at all columns, `Xᵀ r`, finds the next violators or that there are none; then the solution is the whole
//! problem's, whatever was left out. Over the working set: Newton steps, whose quadratic models are minimised by cyclic coordinate descent (as
//! liblinear's newGLMNET does), with a line search.

use super::{
    Settings, Stopped,
    newton::newton_step,
    problem::{Loss, Problem},
};
use crate::inside::hallucination::columns::{Value, add_scaled, dot, dot_squares};

/// Columns that a working set has room for beside those with a weight, at least.
const ROOM: usize = 20;
/// Passes over the working set that one quadratic model is worth.
const SWEEPS: usize = 60;
/// Newton steps over one working set.
const STEPS: usize = 60;
/// Halvings of a step.
const HALVINGS: usize = 40;
/// Keeps a column of zeros from a division by zero.
const FLOOR: f64 = 1e-12;

/// Where the solver stands, and the warm start of the next C.
#[derive(Debug, Clone)]
pub(super) struct State {
    /// One per column, that of ones included.
    pub(super) weights: Vec<f64>,
    /// `X w`, `[rows]`.
    pub(super) linear: Vec<f64>,
}

pub(super) struct Outcome {
    pub(super) objective: f64,
    pub(super) violation: f64,
    pub(super) rounds: usize,
    pub(super) stopped: Stopped,
}

impl State {
    pub(super) fn zero(columns: usize, rows: usize) -> Self {
        Self {
            weights: vec![0.0; columns],
            linear: vec![0.0; rows],
        }
    }
}

/// Goes on from `state` to the solution.
pub(super) fn solve<T: Value>(problem: &Problem<'_, T>, state: &mut State, settings: &Settings) -> Outcome {
    let rows = state.linear.len();
    let (mut first, mut second) = (vec![0.0; rows], vec![0.0; rows]);
    let (mut best, mut round) = (f64::INFINITY, 0);
    loop {
        round += 1;
        problem.loss.derivatives(&state.linear, &mut first, &mut second);
        let gradient = problem.products(&first);
        let worst = largest(gradient.iter().zip(&state.weights).map(|(&g, &w)| violation(g, w)));
        // Close to the end, a round that does not help has reached what the arithmetic can tell apart.
        let stalled = worst >= best && round > 3 && worst < 100.0 * settings.tolerance;
        best = if worst < best { worst } else { best };
        if worst <= settings.tolerance || round >= settings.rounds || stalled {
            return Outcome {
                objective: norm(&state.weights) + problem.loss.value(&state.linear),
                violation: worst,
                rounds: round,
                stopped: if worst <= settings.tolerance {
                    Stopped::Converged
                } else {
                    Stopped::Short
                },
            };
        }
        let set = working_set(&gradient, state, problem.constant());
        let (tenth, half) = (0.1 * worst, 0.5 * settings.tolerance);
        over_working_set(problem, &set, state, if tenth > half { tenth } else { half });
    }
}

/// How far a weight is from optimal: the distance of 0 from the subdifferential.
fn violation(gradient: f64, weight: f64) -> f64 {
    if weight == 0.0 {
        let beyond = gradient.abs() - 1.0;
        if beyond > 0.0 { beyond } else { 0.0 }
    } else {
        (gradient + weight.signum()).abs()
    }
}

fn largest(values: impl Iterator<Item = f64>) -> f64 {
    values.max_by(f64::total_cmp).unwrap_or(0.0)
}

/// The columns with a weight, the intercept, and as many again of the worst violators; ascending.
fn working_set(gradient: &[f64], state: &State, constant: Option<usize>) -> Vec<usize> {
    let in_any_case = |column: usize| state.weights[column] != 0.0 || Some(column) == constant;
    let mut set: Vec<usize> = (0..gradient.len()).filter(|&column| in_any_case(column)).collect();
    let mut violators: Vec<usize> = (0..gradient.len())
        .filter(|&column| !in_any_case(column) && gradient[column].abs() > 1.0)
        .collect();
    let room = set.len().max(ROOM);
    if violators.len() > room {
        violators.select_nth_unstable_by(room, |&a, &b| {
            gradient[b].abs().total_cmp(&gradient[a].abs()).then(a.cmp(&b))
        });
        violators.truncate(room);
    }
    set.extend(violators);
    set.sort_unstable();
    set
}

/// Solves the problem over some columns, until none of them violates its condition by more than `tolerance`.
fn over_working_set<T: Value>(problem: &Problem<'_, T>, set: &[usize], state: &mut State, tolerance: f64) {
    let columns: Vec<&[T]> = set.iter().map(|&column| problem.column(column)).collect();
    let mut weights: Vec<f64> = set.iter().map(|&column| state.weights[column]).collect();
    let rows = state.linear.len();
    let (mut first, mut second) = (vec![0.0; rows], vec![0.0; rows]);
    let mut objective = problem.loss.value(&state.linear) + norm(&weights);
    for step in 0..STEPS {
        problem.loss.derivatives(&state.linear, &mut first, &mut second);
        let gradient: Vec<f64> = columns.iter().map(|column| dot(column, &first)).collect();
        let worst = largest(gradient.iter().zip(&weights).map(|(&g, &w)| violation(g, w)));
        if worst <= tolerance {
            break;
        }
        let go = |target: Vec<f64>| {
            let line = Line::new(problem.loss, &columns, &state.linear, &weights, target);
            line.search(objective, dot(&gradient, &line.change))
        };
        // Where coordinate descent creeps along a valley of correlated columns, the whole step at once does not.
        let direct = (step % 2 == 1)
            .then(|| newton_step(&columns, &gradient, &second, &weights))
            .flatten();
        let moved = direct
            .and_then(go)
            .or_else(|| go(quadratic(&columns, &gradient, &second, &weights, 0.1 * worst)));
        let Some(moved) = moved else {
            break;
        };
        (weights, state.linear, objective) = (moved.weights, moved.linear, moved.objective);
    }
    for (&column, weight) in set.iter().zip(weights) {
        state.weights[column] = weight;
    }
    // Sums of many small changes drift; from the weights they are exact again.
    state.linear.fill(0.0);
    for (column, &at) in columns.iter().zip(set) {
        add_scaled(&mut state.linear, column, state.weights[at]);
    }
}

fn norm(weights: &[f64]) -> f64 {
    weights.iter().map(|weight| weight.abs()).sum()
}

/// Minimises the quadratic model `g·d + ½ dᵀ H d + ‖w + d‖₁` and returns w + d.
fn quadratic<T: Value>(
    columns: &[&[T]],
    gradient: &[f64],
    second: &[f64],
    weights: &[f64],
    tolerance: f64,
) -> Vec<f64> {
    let curvature: Vec<f64> = columns
        .iter()
        .map(|column| dot_squares(column, second) + FLOOR)
        .collect();
    let mut target = weights.to_vec();
    // H X d, the change of the first derivatives, `[rows]`.
    let mut pushed = vec![0.0; second.len()];
    for _ in 0..SWEEPS {
        let mut worst = 0.0;
        for (nth, column) in columns.iter().enumerate() {
            let slope = gradient[nth] + dot(column, &pushed);
            let off = violation(slope, target[nth]);
            worst = if off > worst { off } else { worst };
            let q = curvature[nth];
            let to = shrink(q * target[nth] - slope) / q;
            let change = to - target[nth];
            if change != 0.0 {
                for ((pushed, &x), second) in pushed.iter_mut().zip(*column).zip(second) {
                    *pushed += change * second * x.into();
                }
                target[nth] = to;
            }
        }
        if worst <= tolerance {
            break;
        }
    }
    target
}

/// Towards zero by 1.
fn shrink(value: f64) -> f64 {
    if value > 1.0 {
        value - 1.0
    } else if value < -1.0 {
        value + 1.0
    } else {
        0.0
    }
}

/// From the weights to others.
struct Line<'a> {
    loss: Loss<'a>,
    linear: &'a [f64],
    weights: &'a [f64],
    target: Vec<f64>,
    change: Vec<f64>,
    /// X d, `[rows]`.
    linear_change: Vec<f64>,
}

/// Where a line search ended.
struct Moved {
    weights: Vec<f64>,
    linear: Vec<f64>,
    objective: f64,
}

impl<'a> Line<'a> {
    fn new<T: Value>(
        loss: Loss<'a>,
        columns: &[&[T]],
        linear: &'a [f64],
        weights: &'a [f64],
        target: Vec<f64>,
    ) -> Self {
        let change: Vec<f64> = target.iter().zip(weights).map(|(to, from)| to - from).collect();
        let mut linear_change = vec![0.0; linear.len()];
        for (column, &scale) in columns.iter().zip(&change) {
            if scale != 0.0 {
                add_scaled(&mut linear_change, column, scale);
            }
        }
        Self {
            loss,
            linear,
            weights,
            target,
            change,
            linear_change,
        }
    }

    /// The first of 1, ½, ¼ … of the way at which the objective falls enough; `slope` is the loss's along the whole way. `None` where it
    /// does not fall, as far as the arithmetic can tell.
    fn search(&self, objective: f64, slope: f64) -> Option<Moved> {
        if self.change.iter().all(|&change| change == 0.0) {
            return None;
        }
        let slope = slope + norm(&self.target) - norm(self.weights);
        let rounding = 1e-14 * objective.abs();
        let mut share = 1.0;
        for _ in 0..HALVINGS {
            let along = |from: &[f64], change: &[f64]| -> Vec<f64> {
                from.iter()
                    .zip(change)
                    .map(|(from, change)| from + share * change)
                    .collect()
            };
            // The whole way ends on exact zeros, which from + (to − from) might miss.
            let weights = if share >= 1.0 {
                self.target.clone()
            } else {
                along(self.weights, &self.change)
            };
            let linear = along(self.linear, &self.linear_change);
            let reached = self.loss.value(&linear) + norm(&weights);
            if reached - objective <= 0.01 * share * slope + rounding {
                return Some(Moved {
                    weights,
                    linear,
                    objective: reached,
                });
            }
            share *= 0.5;
        }
        None
    }
}
