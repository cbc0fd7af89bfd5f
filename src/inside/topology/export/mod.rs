//! Measurements as files: JSON of everything, a CSV per table, node values, figures.

mod figures;

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::json;
use thiserror::Error;

use super::compare::{FlowDifference, LinkDifference, NodeDifference, OverviewRow, SampleDifference, overview};
use super::flow::Running;
use super::measure::{ModelMeasurement, NetworkMeasurement};
use super::profile::ProfileRow;
use super::reading::Read;
use super::record::{Record, Subject, flow_values, node_values};
use super::samples::LINKS;
use super::table::{Table, csv, flat_csv};

/// A file that could not be written.
#[derive(Debug, Error)]
#[error("failed to write `{path}`: {source}; check that the folder is writable and has room")]
pub struct ExportError {
    /// The file.
    pub path: PathBuf,
    /// Why.
    pub source: io::Error,
}

/// Two models or networks side by side.
#[derive(Debug, Serialize)]
pub struct Comparison {
    /// The first.
    pub a: Subject,
    /// The second.
    pub b: Subject,
    /// Which block of the second stands beside each of the first.
    pub pairs: Vec<(usize, usize)>,
    /// What was read of either.
    pub read: Vec<Read>,
    /// Weights.
    pub links: Vec<LinkDifference>,
    /// Strengths and disparities.
    pub nodes: Vec<NodeDifference>,
    /// What nodes do over the text.
    pub flows: Vec<FlowDifference>,
    /// Of small networks, their distributions.
    pub samples: Vec<SampleDifference>,
    /// Fluctuations of the first, on a scale that models share.
    pub profile_a: Vec<ProfileRow>,
    /// Those of the second.
    pub profile_b: Vec<ProfileRow>,
}

impl Comparison {
    /// The differences in few lines; of small networks there are few already.
    #[must_use]
    pub fn overview(&self) -> Vec<OverviewRow> {
        overview(&self.links, &self.nodes, &self.flows)
    }

    /// The differences as rows of one table.
    #[must_use]
    pub fn record(&self) -> Record {
        let mut record = Record::new(self.a.clone(), super::nodes::Convention::Strict);
        let (a, b) = (&self.a.file, &self.b.file);
        record.add_link_differences(a, b, &self.links);
        record.add_node_differences(a, b, &self.nodes);
        record.add_flow_differences(a, b, &self.flows);
        record.add_sample_differences(a, b, &self.samples);
        record
    }
}

/// A folder that results go to, with what was written.
struct Folder<'f> {
    path: &'f Path,
    written: Vec<PathBuf>,
}

impl<'f> Folder<'f> {
    fn new(path: &'f Path) -> Result<Self, ExportError> {
        std::fs::create_dir_all(path).map_err(|source| ExportError {
            path: path.to_owned(),
            source,
        })?;
        Ok(Self {
            path,
            written: Vec::new(),
        })
    }

    /// Under a temporary name until it is whole, so that what bears a result's name is one.
    fn write(&mut self, name: &str, content: &[u8]) -> Result<(), ExportError> {
        let path = self.path.join(name);
        let write = || -> io::Result<()> {
            let mut builder = tempfile::Builder::new();
            // Temporary files are private by default; a result is readable as the user's umask says.
            #[cfg(unix)]
            builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
            let mut file = builder.prefix(".writing-").tempfile_in(self.path)?;
            file.write_all(content)?;
            file.persist(&path).map_err(|error| error.error)?;
            Ok(())
        };
        write().map_err(|source| ExportError {
            path: path.clone(),
            source,
        })?;
        self.written.push(path);
        Ok(())
    }

    fn json(&mut self, name: &str, value: &impl Serialize) -> Result<(), ExportError> {
        let text = serde_json::to_vec_pretty(value).map_err(|error| self.failed(name, error.into()))?;
        self.write(name, &text)
    }

    fn csv(&mut self, name: &str, content: Result<Vec<u8>, csv::Error>) -> Result<(), ExportError> {
        let content = content.map_err(|error| self.failed(name, error.into()))?;
        self.write(name, &content)
    }

    fn svg(&mut self, figures: Vec<(&str, Option<String>)>) -> Result<(), ExportError> {
        for (name, figure) in figures {
            if let Some(figure) = figure {
                self.write(&format!("{name}.svg"), figure.as_bytes())?;
            }
        }
        Ok(())
    }

    fn failed(&self, name: &str, source: io::Error) -> ExportError {
        ExportError {
            path: self.path.join(name),
            source,
        }
    }
}

/// Writes a model's measurement; returns the files.
pub fn export_model(folder: &Path, measured: &ModelMeasurement) -> Result<Vec<PathBuf>, ExportError> {
    let mut out = Folder::new(folder)?;
    let record = &measured.record;
    let all = json!({
        "blocks": measured.decoder.blocks.len(),
        "text": measured.read,
        "profile": measured.profile,
        "baselines": measured.baselines,
        "record": record,
    });
    out.json("measurement.json", &all)?;
    out.csv("links.csv", csv(record, Table::Links))?;
    out.csv("nodes.csv", csv(record, Table::Nodes))?;
    out.csv("profile.csv", flat_csv(&measured.profile))?;
    if !measured.baselines.is_empty() {
        out.csv("baselines.csv", flat_csv(&measured.baselines))?;
    }
    let (header, bytes) = node_values(&measured.topology);
    out.json("node_values.json", &header)?;
    out.write("node_values.f32", &bytes)?;
    if measured.read.is_some() {
        out.csv("dynamic.csv", csv(record, Table::Dynamic))?;
        let (header, bytes) = flow_values(&measured.flows);
        out.json("flow_values.json", &header)?;
        out.write("flow_values.f32", &bytes)?;
    }
    let divergences = figures::block_divergences(measured);
    out.csv("block_divergences.csv", blocks_table(&divergences))?;
    out.svg(figures::of_model(measured, &divergences))?;
    Ok(out.written)
}

/// Writes a small network's measurement; returns the files. `seed` thins samples that are too large for a kernel density.
pub fn export_network(folder: &Path, measured: &NetworkMeasurement, seed: u64) -> Result<Vec<PathBuf>, ExportError> {
    let mut out = Folder::new(folder)?;
    let record = &measured.record;
    let divergences = figures::layer_divergences(&measured.samples, seed);
    out.json("measurement.json", &json!({ "kind": measured.kind, "record": record }))?;
    out.csv("links.csv", csv(record, Table::Links))?;
    out.csv("nodes.csv", csv(record, Table::Nodes))?;
    out.csv("node_values.csv", values_table(measured))?;
    out.csv("layers.csv", flat_csv(&divergences))?;
    if !measured.flows.is_empty() {
        out.csv("dynamic.csv", csv(record, Table::Dynamic))?;
        out.csv("flow_values.csv", flows_table(measured))?;
    }
    out.svg(figures::of_network(measured, &divergences, seed))?;
    Ok(out.written)
}

/// Writes a comparison; returns the files.
pub fn export_comparison(folder: &Path, comparison: &Comparison) -> Result<Vec<PathBuf>, ExportError> {
    let mut out = Folder::new(folder)?;
    out.json("comparison.json", comparison)?;
    out.csv("divergences.csv", csv(&comparison.record(), Table::Divergences))?;
    if !comparison.profile_a.is_empty() {
        out.csv("overview.csv", flat_csv(&comparison.overview()))?;
        out.csv("profile_a.csv", flat_csv(&comparison.profile_a))?;
        out.csv("profile_b.csv", flat_csv(&comparison.profile_b))?;
    }
    out.svg(figures::of_comparison(comparison))?;
    Ok(out.written)
}

/// Divergences between blocks, one line per pair; those between neighbours have `block_b` one above `block_a`.
fn blocks_table(divergences: &[Vec<f64>]) -> Result<Vec<u8>, csv::Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(["block_a", "block_b", "what", "jensen_shannon_bits"])?;
    for (a, row) in divergences.iter().enumerate() {
        for (b, bits) in row.iter().enumerate().skip(a + 1).filter(|(_, bits)| bits.is_finite()) {
            let what = "ffn_neuron/strength/folded".to_owned();
            writer.write_record([a.to_string(), b.to_string(), what, bits.to_string()])?;
        }
    }
    writer.into_inner().map_err(|error| error.into_error().into())
}

/// A small network's nodes, one line each.
fn values_table(measured: &NetworkMeasurement) -> Result<Vec<u8>, csv::Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(["block", "set", "side", "node", "value"])?;
    for sample in measured.samples.iter().filter(|sample| sample.set != LINKS) {
        for (node, value) in sample.values.iter().enumerate() {
            let place = [
                sample.block.to_string(),
                sample.set.to_owned(),
                sample.measure.to_owned(),
            ];
            writer.write_record(place.into_iter().chain([node.to_string(), value.to_string()]))?;
        }
    }
    writer.into_inner().map_err(|error| error.into_error().into())
}

/// What a small network's nodes do over its inputs, one line each.
fn flows_table(measured: &NetworkMeasurement) -> Result<Vec<u8>, csv::Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let names = [
        "block",
        "set",
        "metric",
        "reconstruction",
        "node",
        "n_inputs",
        "mean",
        "std",
        "sem",
        "abs_mean",
        "positive",
    ];
    writer.write_record(names)?;
    for layer in &measured.flows {
        let metrics = [
            ("activation", &layer.flows.activation),
            ("in_flow", &layer.flows.in_flow),
            ("out_flow", &layer.flows.out_flow),
            ("neuron_strength", &layer.flows.strength),
        ];
        for (metric, gathered) in metrics {
            for (number, node) in gathered.nodes.iter().enumerate() {
                let place = [
                    layer.block.to_string(),
                    layer.set.to_owned(),
                    metric.to_owned(),
                    "true".to_owned(),
                ];
                let counts = [number.to_string(), node.n().to_string()];
                let figures: [fn(&Running) -> f64; 5] = [
                    Running::mean,
                    Running::std,
                    Running::sem,
                    Running::abs_mean,
                    Running::positive,
                ];
                let figures = figures.map(|of| of(node).to_string());
                writer.write_record(place.into_iter().chain(counts).chain(figures))?;
            }
        }
    }
    writer.into_inner().map_err(|error| error.into_error().into())
}
