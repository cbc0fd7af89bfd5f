//! Adapters out of matrices, by singular values.

use faer::Mat;

use super::{Lora, LoraError};
use crate::inside::bricks::{
    Element, Matrix, ShapeError,
    merge::{Method, Weighted, merge},
};

/// An adapter that stands for more than its rank can hold.
#[derive(Debug, Clone, PartialEq)]
pub struct LowRank<T> {
    /// The adapter; its α is its rank, so that scale 1 is the matrix.
    pub adapter: Lora<T>,
    /// `sqrt(Σ_{i>r} σ² / Σ σ²)`: the part that was lost. 0 for a matrix of zeros.
    pub relative_error: f64,
}

/// The singular values of a matrix, falling.
pub fn singular_values<T: Element>(matrix: &Matrix<T>) -> Result<Vec<f64>, LoraError> {
    to_faer(matrix).singular_values().map_err(|_| LoraError::Decomposition)
}

/// The best adapter of this rank for a difference `[outputs][inputs]`, such as tuned − base. A rank above the shorter side is cut to it. Half of each singular value goes to either factor.
pub fn extract<T: Element>(delta: &Matrix<T>, rank: usize) -> Result<LowRank<T>, LoraError> {
    let svd = to_faer(delta).thin_svd().map_err(|_| LoraError::Decomposition)?;
    let (left, right) = (svd.U(), svd.V());
    let values: Vec<f64> = svd.S().column_vector().iter().copied().collect();
    pack(
        &values,
        rank,
        |row, nth| left[(row, nth)],
        delta.rows(),
        |row, nth| right[(row, nth)],
        delta.columns(),
    )
}

/// The best adapter of this rank for `Σ w_j·(α_j/r_j)·B_j A_j / Σ w_j`: averages of products. Costs little whatever the tensor's size: factors are joined, made orthogonal, and
/// only their small product is decomposed.
pub fn average<T: Element>(adapters: &[(&Lora<T>, f64)], rank: usize) -> Result<LowRank<T>, LoraError> {
    let sum: f64 = adapters.iter().map(|(_, weight)| weight).sum();
    if sum == 0.0 && !adapters.is_empty() {
        return Err(crate::inside::bricks::merge::MergeError::NoWeight.into());
    }
    let shares: Vec<(&Lora<T>, f64)> = adapters
        .iter()
        .map(|&(adapter, weight)| (adapter, weight / sum))
        .collect();
    let joined = Lora::joined(&shares)?;
    let b = to_faer(joined.b()).qr();
    let a = to_faer(&joined.a().transposed()).qr();
    let core = (b.thin_R() * a.thin_R().transpose())
        .thin_svd()
        .map_err(|_| LoraError::Decomposition)?;
    let left = b.compute_thin_Q() * core.U();
    let right = a.compute_thin_Q() * core.V();
    let values: Vec<f64> = core.S().column_vector().iter().copied().collect();
    let (outputs, inputs) = (joined.b().rows(), joined.a().columns());
    pack(
        &values,
        rank,
        |row, nth| left[(row, nth)],
        outputs,
        |row, nth| right[(row, nth)],
        inputs,
    )
}

/// Any method of [`merge`] on the adapters' products, with a base of zeros, cut to the rank of the first adapter unless another is given. For linear merging [`average`] and [`Lora::joined`] are cheaper.
pub fn merge_adapters<T: Element>(
    method: Method,
    adapters: &[(&Lora<T>, f64)],
    rank: Option<usize>,
    tensor: u64,
) -> Result<LowRank<T>, LoraError> {
    let (first, _) = adapters.first().ok_or(LoraError::None)?;
    let (outputs, inputs) = (first.b().rows(), first.a().columns());
    let mut products = Vec::new();
    for (adapter, weight) in adapters {
        ShapeError::check("inputs of an adapter", adapter.a().columns(), inputs)?;
        ShapeError::check("outputs of an adapter", adapter.b().rows(), outputs)?;
        products.push((adapter.delta(1.0), *weight));
    }
    let models: Vec<Weighted<'_, f64>> = products
        .iter()
        .map(|(product, weight)| Weighted {
            values: product.values(),
            weight: *weight,
        })
        .collect();
    let zeros = vec![0.0; outputs * inputs];
    let merged = Matrix::new(outputs, inputs, merge(method, Some(&zeros), &models, tensor)?)?;
    let LowRank {
        adapter,
        relative_error,
    } = extract(&merged, rank.unwrap_or(first.rank()))?;
    let narrow = |wide: &Matrix<f64>| Matrix::from_fn(wide.rows(), wide.columns(), |row, column| wide.at(row, column));
    let adapter = Lora::new(narrow(adapter.a()), narrow(adapter.b()), adapter.alpha())?;
    Ok(LowRank {
        adapter,
        relative_error,
    })
}

fn pack<T: Element>(
    values: &[f64],
    rank: usize,
    left: impl Fn(usize, usize) -> f64,
    outputs: usize,
    right: impl Fn(usize, usize) -> f64,
    inputs: usize,
) -> Result<LowRank<T>, LoraError> {
    let rank = rank.min(values.len());
    let squares = |values: &[f64]| values.iter().map(|value| value * value).sum::<f64>();
    let all = squares(values);
    let relative_error = if all > 0.0 {
        (squares(&values[rank..]) / all).sqrt()
    } else {
        0.0
    };
    let a = Matrix::from_fn(rank, inputs, |nth, column| values[nth].sqrt() * right(column, nth));
    let b = Matrix::from_fn(outputs, rank, |row, nth| values[nth].sqrt() * left(row, nth));
    let adapter = Lora::new(a, b, rank as f64)?;
    Ok(LowRank {
        adapter,
        relative_error,
    })
}

fn to_faer<T: Element>(matrix: &Matrix<T>) -> Mat<f64> {
    Mat::from_fn(matrix.rows(), matrix.columns(), |row, column| matrix.at(row, column))
}
