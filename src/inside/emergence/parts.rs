//! A network's sums of powers, part by part: groups and blocks are spectra of their own, and the whole is their sum.

use rayon::prelude::*;

use super::{
    bins::Bins,
    config::{Config, Scale},
    lengths::Fate,
    partition::{Histograms, Partition, Powers, greatest_mass},
    sample::{Group, Sample},
    spectrum::{Spectrum, SpectrumError},
};

/// One repetition's sums, by block and group.
pub(super) struct Parts {
    pub(super) bins: Bins,
    pub(super) sums: Vec<(usize, Group, Partition)>,
    pub(super) fate: Fate,
    /// Of the weights as they are in the model.
    pub(super) rms: f64,
}

/// What weights are multiplied by.
pub(super) fn factor(scale: Scale, rms: f64) -> f64 {
    match scale {
        Scale::RootMeanSquare(target) if rms > 0.0 => target / rms,
        Scale::Absolute | Scale::RootMeanSquare(_) => 1.0,
    }
}

impl Parts {
    /// Those of a sampled network.
    pub(super) fn of(sample: &Sample, config: &Config) -> Self {
        let rms = sample.rms();
        let lists = sample.lengths(config, factor(config.scale, rms));
        let bins = Bins::of(&config.measure, lists.iter());
        let histograms: Vec<Histograms> = lists.par_iter().map(|lengths| Histograms::of(lengths, &bins)).collect();
        let mut fate = Fate::default();
        for lengths in &lists {
            fate.add(lengths.fate);
        }
        let analysis = &config.analysis;
        let powers = Powers::up_to(greatest_mass(histograms.iter()), analysis.q);
        let sums = histograms.par_iter().map(|histograms| {
            let mut partition = Partition::empty(&bins, analysis.q, analysis.derivative);
            partition.add(histograms, &config.measure, &powers);
            partition
        });
        let sums: Vec<Partition> = sums.collect();
        let places = sample.matrices.iter().map(|matrix| (matrix.block(), matrix.group()));
        let parts = places
            .zip(sums)
            .map(|((block, group), sums)| (block, group, sums))
            .collect();
        Self {
            bins,
            sums: parts,
            fate,
            rms,
        }
    }

    /// The spectrum of the parts that `belongs` picks.
    pub(super) fn spectrum(
        &self,
        config: &Config,
        belongs: impl Fn(usize, Group) -> bool,
    ) -> Result<Spectrum, SpectrumError> {
        let mut sum = Partition::empty(&self.bins, config.analysis.q, config.analysis.derivative);
        for (block, group, part) in &self.sums {
            if belongs(*block, *group) {
                sum.merge(part);
            }
        }
        Spectrum::fit(&sum.moments(&self.bins, &config.measure)?, &config.analysis)
    }

    pub(super) fn dissect(&self, config: &Config) -> Result<Dissection, SpectrumError> {
        let last = self.sums.iter().map(|(block, ..)| *block).max().unwrap_or(0);
        Ok(Dissection {
            whole: self.spectrum(config, |_, _| true)?,
            groups: Group::ALL
                .iter()
                .map(|one| (*one, self.spectrum(config, |_, group| group == *one)))
                .collect(),
            blocks: (0..=last)
                .map(|one| self.spectrum(config, |block, _| block == one))
                .collect(),
        })
    }
}

/// The spectrum of one repetition, and those of its parts.
#[derive(Clone, Debug)]
pub struct Dissection {
    /// Of all nodes.
    pub whole: Spectrum,
    /// Of the nodes of each group; a part may lack a spectrum where the whole has one.
    pub groups: Vec<(Group, Result<Spectrum, SpectrumError>)>,
    /// Of the nodes of each block.
    pub blocks: Vec<Result<Spectrum, SpectrumError>>,
}

/// Spectra of a sampled network and of its groups and blocks.
pub fn dissect(sample: &Sample, config: &Config) -> Result<Dissection, SpectrumError> {
    Parts::of(sample, config).dissect(config)
}
