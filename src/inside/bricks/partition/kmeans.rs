//! k-means with groups of equal size (MoEfication's expert construction, spec §5.1).

use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::Groups;
use crate::inside::bricks::{Element, Matrix, matrix::norm};

/// How groups are searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KMeans {
    /// How many groups.
    pub groups: usize,
    /// Rounds of one start at the most.
    pub rounds: usize,
    /// Starts; the best one counts.
    pub starts: usize,
    /// What the starts are drawn from.
    pub seed: u64,
}

impl KMeans {
    /// 100 rounds, 4 starts, seed 0.
    pub fn new(groups: usize) -> Self {
        Self {
            groups,
            rounds: 100,
            starts: 4,
            seed: 0,
        }
    }
}

/// Rows that cannot be grouped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KMeansError {
    /// More groups than units, or none.
    #[error("{units} units cannot fill {groups} groups; ask for 1 to {units} groups")]
    Groups {
        /// Rows given.
        units: usize,
        /// Groups asked for.
        groups: usize,
    },
    /// A row is no vector.
    #[error("row {0} holds a value that is not finite; check the tensor that it comes from")]
    NotFinite(usize),
}

/// Every row divided by its length; rows of zeros stay. Directions are what experts are built from.
#[must_use]
pub fn unit_rows<T: Element>(rows: &Matrix<T>) -> Matrix<f64> {
    let lengths: Vec<f64> = rows.each_row().map(norm).collect();
    Matrix::from_fn(rows.rows(), rows.columns(), |row, column| {
        let value = rows.at(row, column);
        if lengths[row] > 0.0 {
            value / lengths[row]
        } else {
            value
        }
    })
}

/// Groups of rows whose sizes differ by one at the most (the first ones are larger). Rounds alternate between assigning rows to centres and moving centres;
/// an assignment is greedy and then mended by exchanges of two rows until none lowers the sum of squared distances.
pub fn balanced_k_means(rows: &Matrix<f64>, settings: &KMeans) -> Result<Groups, KMeansError> {
    let (units, groups) = (rows.rows(), settings.groups);
    if groups == 0 || groups > units {
        return Err(KMeansError::Groups { units, groups });
    }
    if let Some(row) = rows
        .each_row()
        .position(|row| row.iter().any(|value| !value.is_finite()))
    {
        return Err(KMeansError::NotFinite(row));
    }
    let mut rng = ChaCha8Rng::seed_from_u64(settings.seed);
    let mut best: Option<(f64, Vec<usize>)> = None;
    for _ in 0..settings.starts.max(1) {
        let mut centres = spread(rows, groups, &mut rng);
        let mut found = assign(rows, &centres);
        for _ in 0..settings.rounds {
            centres = means(rows, &found.1, groups);
            let next = assign(rows, &centres);
            // Costs fall until the assignment repeats.
            if next.1 == found.1 || next.0 >= found.0 {
                break;
            }
            found = next;
        }
        if best.as_ref().is_none_or(|best| found.0 < best.0) {
            best = Some(found);
        }
    }
    Ok(Groups::new(best.map(|best| best.1).unwrap_or_default()))
}

/// k-means++: each centre is a row, drawn by its squared distance to the centres before.
fn spread(rows: &Matrix<f64>, groups: usize, rng: &mut impl Rng) -> Matrix<f64> {
    let mut chosen = vec![rng.random_range(0..rows.rows())];
    let mut nearest = vec![f64::INFINITY; rows.rows()];
    while chosen.len() < groups {
        let last = chosen[chosen.len() - 1];
        for (row, held) in rows.each_row().zip(&mut nearest) {
            let distance = squared_distance(row, rows.row(last));
            *held = if distance < *held { distance } else { *held };
        }
        let mut left = rng.random::<f64>() * nearest.iter().sum::<f64>();
        let mut drawn = None;
        for (unit, &weight) in nearest.iter().enumerate().filter(|(_, weight)| **weight > 0.0) {
            drawn = Some(unit);
            left -= weight;
            if left < 0.0 {
                break;
            }
        }
        // All rows lie on centres: any will do.
        chosen.push(drawn.unwrap_or_else(|| rng.random_range(0..rows.rows())));
    }
    Matrix::from_fn(groups, rows.columns(), |group, column| rows.at(chosen[group], column))
}

fn means(rows: &Matrix<f64>, of_unit: &[usize], groups: usize) -> Matrix<f64> {
    let mut sums = Matrix::<f64>::from_fn(groups, rows.columns(), |_, _| 0.0);
    let mut counts = vec![0.0; groups];
    for (row, &group) in rows.each_row().zip(of_unit) {
        counts[group] += 1.0;
        sums.row_mut(group)
            .iter_mut()
            .zip(row)
            .for_each(|(sum, value)| *sum += value);
    }
    for (group, count) in counts.into_iter().enumerate() {
        sums.row_mut(group).iter_mut().for_each(|sum| *sum /= count);
    }
    sums
}

/// The cost and the group of every row.
fn assign(rows: &Matrix<f64>, centres: &Matrix<f64>) -> (f64, Vec<usize>) {
    let (units, groups) = (rows.rows(), centres.rows());
    let costs = Matrix::<f64>::from_fn(units, groups, |unit, group| {
        squared_distance(rows.row(unit), centres.row(group))
    });
    let mut room: Vec<usize> = (0..groups)
        .map(|group| units / groups + usize::from(group < units % groups))
        .collect();
    // Rows that lose most where their best group is full go first.
    let mut order: Vec<(f64, usize)> = (0..units).map(|unit| (regret(costs.row(unit)), unit)).collect();
    order.sort_by(|left, right| right.0.total_cmp(&left.0).then(left.1.cmp(&right.1)));
    let mut of_unit = vec![0; units];
    for (_, unit) in order {
        let open = (0..groups).filter(|&group| room[group] > 0);
        let nearest = open.min_by(|&left, &right| costs.at(unit, left).total_cmp(&costs.at(unit, right)));
        let group = nearest.expect("groups have room for all rows together");
        of_unit[unit] = group;
        room[group] -= 1;
    }
    exchange(&costs, &mut of_unit);
    let cost = of_unit
        .iter()
        .enumerate()
        .map(|(unit, &group)| costs.at(unit, group))
        .sum();
    (cost, of_unit)
}

fn regret(costs: &[f64]) -> f64 {
    let (mut first, mut second) = (f64::INFINITY, f64::INFINITY);
    for &cost in costs {
        if cost < first {
            (first, second) = (cost, first);
        } else if cost < second {
            second = cost;
        }
    }
    if second.is_finite() { second - first } else { 0.0 }
}

/// Exchanges two rows of two groups while that lowers the cost. For each pair of groups only the row that gains most by going over matters.
fn exchange(costs: &Matrix<f64>, of_unit: &mut [usize]) {
    let groups = costs.columns();
    let mut members = vec![Vec::new(); groups];
    of_unit
        .iter()
        .enumerate()
        .for_each(|(unit, &group)| members[group].push(unit));
    let leaver = |members: &[usize], from: usize, to: usize| {
        let losses = members
            .iter()
            .enumerate()
            .map(|(nth, &unit)| (costs.at(unit, to) - costs.at(unit, from), nth));
        losses.min_by(|left, right| left.0.total_cmp(&right.0))
    };
    loop {
        let mut improved = false;
        for left in 0..groups {
            for right in left + 1..groups {
                while let (Some((lost, first)), Some((other, second))) = (
                    leaver(&members[left], left, right),
                    leaver(&members[right], right, left),
                ) {
                    // Rounding must not make it run for ever.
                    if lost + other >= -1e-12 {
                        break;
                    }
                    let (low, high) = members.split_at_mut(right);
                    std::mem::swap(&mut low[left][first], &mut high[0][second]);
                    improved = true;
                }
            }
        }
        if !improved {
            break;
        }
    }
    for (group, members) in members.iter().enumerate() {
        for &unit in members {
            of_unit[unit] = group;
        }
    }
}

fn squared_distance(left: &[f64], right: &[f64]) -> f64 {
    left.iter()
        .zip(right)
        .map(|(left, right)| (left - right) * (left - right))
        .sum()
}
