//! The whole network over direct edges: one histogram of lengths per source node, filled while rows stream by (spec 7, `scope = full`).
//!
//! Nothing larger than one map's histograms is kept: their sums of powers add up, over all maps.

use rayon::prelude::*;

use super::{
    bins::Bins,
    config::{Config, ConfigError, Scale},
    error::EmergenceError,
    lengths::Fate,
    partition::{Histograms, Partition, Powers},
    parts::{Parts, factor},
    sample::{Group, group_maps},
    shape::{Projection, Shape},
    weights::{ReadError, Weights},
};

/// The maps that lead away from one set of source nodes.
struct Sources {
    block: usize,
    group: Group,
    maps: Vec<Projection>,
    nodes: usize,
    targets: usize,
}

fn sources(shape: &Shape, config: &Config) -> Vec<Sources> {
    let mut all: Vec<Sources> = Vec::new();
    for (block, of) in shape.blocks().iter().enumerate() {
        for (group, map) in group_maps(shape, block, config.gated) {
            let joins = group != Group::MlpHidden;
            match all.last_mut() {
                Some(last) if joins && last.block == block && last.group == group => {
                    last.maps.push(map);
                    last.targets += of.rows(map);
                }
                _ => all.push(Sources {
                    block,
                    group,
                    maps: vec![map],
                    nodes: of.columns(map),
                    targets: of.rows(map),
                }),
            }
        }
    }
    all
}

impl Sources {
    fn visit(&self, weights: &dyn Weights, visit: &mut dyn FnMut(&[f32])) -> Result<(), ReadError> {
        for &map in &self.maps {
            let rows: Vec<usize> = (0..weights.shape().blocks()[self.block].rows(map)).collect();
            weights.visit_rows(self.block, map, &rows, &mut |_, row| visit(row))?;
        }
        Ok(())
    }
}

/// Sums over every node of the model.
pub(super) fn parts(weights: &dyn Weights, config: &Config) -> Result<Parts, EmergenceError> {
    let bins = Bins::known(&config.measure).ok_or(ConfigError::FullNeedsBins)?;
    let all = sources(weights.shape(), config);
    let rms = rms(weights, &all)?;
    let factor = match config.scale {
        Scale::Absolute => 1.0,
        Scale::RootMeanSquare(_) => factor(config.scale, rms),
    };
    let q = config.analysis.q;
    let greatest = all.iter().map(|sources| sources.targets).max().unwrap_or(0);
    let powers = Powers::up_to(1 + greatest, q);
    let sums = all.par_iter().map(|sources| {
        let (histograms, fate) = count(weights, sources, config, factor, &bins)?;
        let mut partition = Partition::empty(&bins, q, config.analysis.derivative);
        partition.add(&histograms, &config.measure, &powers);
        Ok((sources.block, sources.group, partition, fate))
    });
    let sums: Vec<(usize, Group, Partition, Fate)> = sums.collect::<Result<_, ReadError>>()?;
    let mut fate = Fate::default();
    let parts = sums.into_iter().map(|(block, group, partition, more)| {
        fate.add(more);
        (block, group, partition)
    });
    Ok(Parts {
        sums: parts.collect(),
        bins,
        fate,
        rms,
    })
}

fn count(
    weights: &dyn Weights,
    sources: &Sources,
    config: &Config,
    factor: f64,
    bins: &Bins,
) -> Result<(Histograms, Fate), ReadError> {
    let measure = &config.measure;
    let mut histograms = Histograms::new(sources.nodes, bins);
    let mut fate = Fate::default();
    sources.visit(weights, &mut |row| {
        for (node, &weight) in row.iter().enumerate() {
            fate.total += 1;
            match measure.length(f64::from(weight) * factor) {
                Some(length) => {
                    if let Some(kept) = measure.keep(length) {
                        fate.kept += 1;
                        histograms.add(node, kept, bins);
                    }
                }
                None if weight == 0.0 => fate.zero += 1,
                None => fate.not_finite += 1,
            }
        }
    })?;
    Ok((histograms, fate))
}

/// The root mean square of all weights that are numbers.
fn rms(weights: &dyn Weights, all: &[Sources]) -> Result<f64, ReadError> {
    let squares = all.par_iter().map(|sources| {
        let (mut sum, mut count) = (0.0, 0_u64);
        sources.visit(weights, &mut |row| {
            for weight in row.iter().filter(|weight| weight.is_finite()) {
                sum += f64::from(*weight) * f64::from(*weight);
                count += 1;
            }
        })?;
        Ok((sum, count))
    });
    let squares: Vec<(f64, u64)> = squares.collect::<Result<_, ReadError>>()?;
    let (sum, count) = squares
        .iter()
        .fold((0.0, 0), |(sum, count), (more, n)| (sum + more, count + n));
    Ok(if count == 0 { 0.0 } else { (sum / count as f64).sqrt() })
}
