//! The partition function Z_q(r) = Σ_i u_i(r)^q over source nodes, as sums that parts of a network can add up (spec 4).
//!
//! Masses are counts, so u = N / N_max is a ratio of two integers and u^h, with h the step of q, a ratio of two table entries. From it
//! every u^q follows by multiplication, upwards and downwards from u^0 = 1: no exponential and no logarithm in the inner loop, and
//! τ(0) = 0 to the last bit. After 30 steps the error is some 10^-14, relative. Eight nodes are carried side by side, which the compiler
//! turns into vector instructions; sums stay in one fixed order, so that the number of threads does not change a bit of the result.

use super::{
    bins::Bins,
    config::{Centre, Derivative, Measure, Normaliser, Radii},
    grid::QGrid,
    lengths::Lengths,
    moments::Moments,
    spectrum::SpectrumError,
};

/// Nodes carried side by side.
const LANES: usize = 8;

/// Logarithms, and powers to the step of q, of all counts up to a greatest one.
pub(super) struct Powers {
    logarithm: Vec<f64>,
    root: Vec<f64>,
}

impl Powers {
    pub(super) fn up_to(count: usize, q: QGrid) -> Self {
        let logarithm: Vec<f64> = (0..=count).map(|n| (n as f64).ln()).collect();
        let root = logarithm.iter().map(|ln| (ln * q.step()).exp()).collect();
        Self { logarithm, root }
    }
}

/// How many lengths of each node fall into each bin: `nodes × bins` counts, node by node.
pub(super) struct Histograms {
    bins: usize,
    counts: Vec<u32>,
    /// Lengths that passed the filter, those beyond the last radius included.
    kept: Vec<u32>,
}

impl Histograms {
    /// Empty ones.
    pub(super) fn new(nodes: usize, bins: &Bins) -> Self {
        let bins = bins.count();
        Self {
            bins,
            counts: vec![0; nodes * bins],
            kept: vec![0; nodes],
        }
    }

    /// Those of lists.
    pub(super) fn of(lengths: &Lengths, bins: &Bins) -> Self {
        let mut histograms = Self::new(lengths.nodes(), bins);
        for (node, list) in lengths.iter().enumerate() {
            for &length in list {
                histograms.add(node, length, bins);
            }
        }
        histograms
    }

    pub(super) fn add(&mut self, node: usize, length: f64, bins: &Bins) {
        self.kept[node] += 1;
        if let Some(bin) = bins.place(length) {
            self.counts[node * self.bins + bin] += 1;
        }
    }

    fn most(&self) -> usize {
        self.kept.iter().max().map_or(0, |most| *most as usize)
    }
}

/// The greatest mass that occurs in any of these.
pub(super) fn greatest_mass<'a>(histograms: impl Iterator<Item = &'a Histograms>) -> usize {
    1 + histograms.map(Histograms::most).max().unwrap_or(0)
}

/// Sums over the nodes of a part of a network, at every candidate radius.
#[derive(Clone)]
pub(super) struct Partition {
    q: QGrid,
    bins: usize,
    /// Σ u^q: `bins × q`.
    sums: Vec<f64>,
    /// Σ u^q ln u: `bins × q`; empty unless the exact derivative is asked for.
    slopes: Vec<f64>,
    /// Σ ln u, Σ (ln u)² and the number of non-empty boxes, per bin.
    logarithms: Vec<[f64; 3]>,
    /// Whether a used node has a length in the bin.
    seen: Vec<bool>,
    used: usize,
    sources: usize,
}

impl Partition {
    pub(super) fn empty(bins: &Bins, q: QGrid, derivative: Derivative) -> Self {
        let bins = bins.count();
        let exact = usize::from(derivative == Derivative::Exact);
        Self {
            q,
            bins,
            sums: vec![0.0; bins * q.count()],
            slopes: vec![0.0; exact * bins * q.count()],
            logarithms: vec![[0.0; 3]; bins],
            seen: vec![false; bins],
            used: 0,
            sources: 0,
        }
    }

    /// Adds the nodes of `histograms` that have enough lengths.
    pub(super) fn add(&mut self, histograms: &Histograms, measure: &Measure, powers: &Powers) {
        let masses = Masses::of(histograms, measure);
        self.sources += histograms.kept.len();
        self.used += masses.most.len();
        for (bin, seen) in masses.seen.iter().enumerate() {
            self.seen[bin] |= seen;
        }
        let most: &[u32] = match measure.normaliser {
            Normaliser::OwnMaximum => &masses.most,
            // The number of nodes is not known before the last part is added; `moments` divides by it.
            Normaliser::TotalNodes => &vec![1; masses.most.len()],
        };
        for bin in 0..self.bins {
            let at = &masses.at[bin * most.len()..(bin + 1) * most.len()];
            self.add_radius(bin, at, most, powers);
        }
    }

    fn add_radius(&mut self, bin: usize, at: &[u32], most: &[u32], powers: &Powers) {
        let (below, above, width) = (self.q.below(), self.q.above(), self.q.count());
        let mut sums = vec![[0.0; LANES]; width];
        let mut slopes = vec![[0.0; LANES]; if self.slopes.is_empty() { 0 } else { width }];
        let mut count = 0_u32;
        for (at, most) in at.chunks(LANES).zip(most.chunks(LANES)) {
            // Lanes without a node, and nodes with an empty box, add zero.
            let (mut start, mut up, mut down, mut ln) = ([0.0; LANES], [1.0; LANES], [1.0; LANES], [0.0; LANES]);
            for (lane, (&mass, &most)) in at.iter().zip(most).enumerate() {
                if mass == 0 {
                    continue;
                }
                let (mass, most) = (mass as usize, most as usize);
                start[lane] = 1.0;
                up[lane] = powers.root[mass] / powers.root[most];
                down[lane] = powers.root[most] / powers.root[mass];
                ln[lane] = powers.logarithm[mass] - powers.logarithm[most];
                count += 1;
                self.logarithms[bin][0] += ln[lane];
                self.logarithms[bin][1] += ln[lane] * ln[lane];
            }
            climb(&mut sums[below..=below + above], start, up);
            descend(&mut sums[..below], start, down);
            if !slopes.is_empty() {
                climb(&mut slopes[below..=below + above], ln, up);
                descend(&mut slopes[..below], ln, down);
            }
        }
        self.logarithms[bin][2] += f64::from(count);
        let row = bin * width..(bin + 1) * width;
        gather(&mut self.sums[row.clone()], &sums);
        if !slopes.is_empty() {
            gather(&mut self.slopes[row], &slopes);
        }
    }

    /// Adds the sums of another part, over the same candidate radii.
    pub(super) fn merge(&mut self, other: &Self) {
        for (sum, more) in self.sums.iter_mut().zip(&other.sums) {
            *sum += more;
        }
        for (sum, more) in self.slopes.iter_mut().zip(&other.slopes) {
            *sum += more;
        }
        for (sum, more) in self.logarithms.iter_mut().zip(&other.logarithms) {
            sum.iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
        }
        for (seen, also) in self.seen.iter_mut().zip(&other.seen) {
            *seen |= also;
        }
        self.used += other.used;
        self.sources += other.sources;
    }

    /// ln Z_q at the radii that count.
    pub(super) fn moments(&self, bins: &Bins, measure: &Measure) -> Result<Moments, SpectrumError> {
        if self.used == 0 {
            return Err(SpectrumError::NoUsableNode {
                sources: self.sources,
                more_than: measure.more_than,
            });
        }
        // A radius of zero has no logarithm, and one at which every box is empty no Z.
        let counts = |bin: &usize| {
            let asked_for = measure.radii != Radii::Observed || self.seen[*bin];
            asked_for && bins.radius(*bin) > 0.0 && self.logarithms[*bin][2] > 0.0
        };
        let places: Vec<usize> = (0..self.bins).filter(counts).collect();
        if places.len() < 2 {
            return Err(SpectrumError::DegenerateRadii { radii: places.len() });
        }
        let shift = match measure.normaliser {
            Normaliser::OwnMaximum => 0.0,
            Normaliser::TotalNodes => (self.sources as f64).ln(),
        };
        let width = self.q.count();
        let ln_z = self.q.values().into_iter().enumerate().map(|(nth, q)| {
            let at = |place: &usize| self.sums[place * width + nth].ln() - q * shift;
            places.iter().map(at).collect()
        });
        let slope_at = |nth: usize| {
            let ratio = |place: &usize| self.slopes[place * width + nth] / self.sums[place * width + nth] - shift;
            places.iter().map(ratio).collect()
        };
        let mean = |place: &usize| {
            let [sum, _, count] = self.logarithms[*place];
            sum / count - shift
        };
        let variance = |place: &usize| {
            let [sum, squares, count] = self.logarithms[*place];
            squares / count - (sum / count) * (sum / count)
        };
        Ok(Moments {
            q: self.q,
            radii: places.iter().map(|place| bins.radius(*place)).collect(),
            ln_z: ln_z.collect(),
            d_ln_z: (!self.slopes.is_empty()).then(|| (0..width).map(slope_at).collect()),
            mean_ln_u: Some(places.iter().map(mean).collect()),
            variance_ln_u: Some(places.iter().map(variance).collect()),
            nodes: self.used,
        })
    }
}

/// Adds `start · step^k` to the k-th entry.
fn climb(sums: &mut [[f64; LANES]], start: [f64; LANES], step: [f64; LANES]) {
    let mut power = start;
    for sum in sums {
        for lane in 0..LANES {
            sum[lane] += power[lane];
            power[lane] *= step[lane];
        }
    }
}

/// Adds `start · step^k` to the k-th entry from the end, counted from 1.
fn descend(sums: &mut [[f64; LANES]], start: [f64; LANES], step: [f64; LANES]) {
    let mut power = start;
    for sum in sums.iter_mut().rev() {
        for lane in 0..LANES {
            power[lane] *= step[lane];
            sum[lane] += power[lane];
        }
    }
}

fn gather(into: &mut [f64], lanes: &[[f64; LANES]]) {
    for (sum, lanes) in into.iter_mut().zip(lanes) {
        *sum += lanes.iter().sum::<f64>();
    }
}

/// The masses of the nodes that count.
struct Masses {
    /// N(r): `bins × nodes`.
    at: Vec<u32>,
    /// N at the last radius.
    most: Vec<u32>,
    seen: Vec<bool>,
}

impl Masses {
    fn of(histograms: &Histograms, measure: &Measure) -> Self {
        let bins = histograms.bins;
        let centre = u32::from(measure.centre == Centre::Counted);
        let row = |node: usize| &histograms.counts[node * bins..(node + 1) * bins];
        let counts = |node: &usize| {
            let enough = histograms.kept[*node] as usize > measure.more_than;
            enough && centre + row(*node).iter().sum::<u32>() > 0
        };
        let used: Vec<usize> = (0..histograms.kept.len()).filter(counts).collect();
        let mut masses = Self {
            at: vec![0; bins * used.len()],
            most: vec![0; used.len()],
            seen: vec![false; bins],
        };
        for (place, &node) in used.iter().enumerate() {
            let mut mass = centre;
            for (bin, count) in row(node).iter().enumerate() {
                mass += count;
                masses.seen[bin] |= *count > 0;
                masses.at[bin * used.len() + place] = mass;
            }
            masses.most[place] = mass;
        }
        masses
    }
}
