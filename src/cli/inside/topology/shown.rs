//! Measurements as text.

use comfy_table::{CellAlignment, Table, presets};
use widedeep::inside::topology::{
    Baseline, Comparison, FEW_TOKENS, FlowRow, LEVEL, LinkRow, Mode, ModelMeasurement, NetworkMeasurement, OverviewRow,
    ProfileRow, Read, Set,
};

use crate::cli::note;

/// What stands where there is no figure.
const NOTHING: &str = "–";

/// Four significant digits.
fn figure(value: f64) -> String {
    let size = value.abs();
    if size == 0.0 {
        "0".to_owned()
    } else if !(1e-3..1e5).contains(&size) {
        format!("{value:.2e}")
    } else if size < 1.0 {
        format!("{value:.4}")
    } else if size < 10.0 {
        format!("{value:.3}")
    } else {
        format!("{value:.1}")
    }
}

fn optional(value: Option<f64>) -> String {
    value.map_or_else(|| NOTHING.to_owned(), figure)
}

/// A table whose first columns are words and whose others are figures.
fn table(words: usize, header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(header.iter().copied());
    for row in rows {
        table.add_row(row);
    }
    for column in words..header.len() {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.trim_fmt()
}

/// A network's measurement.
pub(super) fn network(measured: &NetworkMeasurement) -> String {
    let record = &measured.record;
    let mut text = vec![format!("{}: {}", record.model.file, measured.kind)];
    text.push(String::from("\nLink weights"));
    let links = record.links.iter().map(|row: &LinkRow| {
        let figures = [row.summary.mean, row.summary.std, row.summary.min, row.summary.max].map(figure);
        let place = [
            row.block.map_or_else(|| NOTHING.to_owned(), |layer| layer.to_string()),
            row.tensor.clone(),
            row.summary.n.to_string(),
        ];
        place
            .into_iter()
            .chain(figures)
            .chain([optional(row.summary.kurtosis_excess)])
            .collect()
    });
    text.push(table(
        2,
        &["layer", "links", "n", "mean", "std", "least", "greatest", "kurtosis"],
        links,
    ));
    text.push(String::from(
        "\nNodes (F, the fluctuation of a layer, is the std of its strengths)",
    ));
    let nodes = record
        .nodes
        .iter()
        .filter(|row| !row.side.contains("legacy"))
        .map(|row| {
            let place = [
                row.block.to_string(),
                row.set.clone(),
                row.side.clone(),
                row.summary.n.to_string(),
            ];
            let figures = [row.summary.mean, row.summary.std, row.summary.min, row.summary.max].map(figure);
            place.into_iter().chain(figures).collect()
        });
    text.push(table(
        3,
        &["layer", "nodes", "measure", "n", "mean", "std", "least", "greatest"],
        nodes,
    ));
    if !record.dynamic.is_empty() {
        text.push(String::from(
            "\nOver the inputs (a reconstruction: the paper's equations could not be read)",
        ));
        text.push(dynamic(&record.dynamic));
    }
    text.join("\n")
}

fn dynamic(rows: &[FlowRow]) -> String {
    let rows = rows.iter().map(|row| {
        let place = [
            row.block.to_string(),
            row.set.clone(),
            row.metric.clone(),
            row.n_inputs.to_string(),
        ];
        let figures = [row.mean, row.std, row.sem, row.abs_mean, row.positive, row.min, row.max].map(figure);
        place.into_iter().chain(figures).collect()
    });
    let header = [
        "layer",
        "nodes",
        "metric",
        "inputs",
        "mean",
        "std over nodes",
        "mean SE",
        "mean size",
        "> 0",
        "least",
        "greatest",
    ];
    table(3, &header, rows)
}

/// A model's measurement.
pub(super) fn model(measured: &ModelMeasurement) -> String {
    let (record, heads) = (&measured.record, measured.decoder.heads);
    let mut text = vec![format!(
        "{} ({}): {} blocks, {} query and {} key/value heads",
        record.model.file,
        record.model.architecture.as_deref().unwrap_or(NOTHING),
        measured.decoder.blocks.len(),
        heads.query,
        heads.key_value
    )];
    text.push(String::from(
        "\nFluctuation of strengths per block, norms folded in (per link: divided by the root of in- and outgoing links; index: against independent \
         weights, as stored)",
    ));
    text.push(profile(&measured.profile));
    text.push(String::from("\nLink weights, over blocks"));
    text.push(links(&record.links));
    if !measured.baselines.is_empty() {
        text.push(String::from(
            "\nBeside the same weights shuffled, and beside independent weights of their spread (as stored)",
        ));
        text.push(baselines(&measured.baselines));
    }
    if let Some(read) = &measured.read {
        text.push(format!("\n{}", read_words(read)));
        text.push(flows(&record.dynamic));
    }
    text.join("\n")
}

fn profile(rows: &[ProfileRow]) -> String {
    let find = |block: usize, set: Set, mode: Mode| {
        rows.iter()
            .find(|row| (row.block, row.set, row.mode) == (block, set, mode))
    };
    let blocks = rows.iter().map(|row| row.block + 1).max().unwrap_or(0);
    let lines = (0..blocks).map(|block| {
        let folded = |set| find(block, set, Mode::Folded);
        let raw = |set| find(block, set, Mode::Raw);
        let (ffn, stored) = (folded(Set::FfnNeuron), raw(Set::FfnNeuron));
        let (attention, mid) = (folded(Set::AttnChannel), folded(Set::ResidMid));
        vec![
            block.to_string(),
            optional(ffn.map(|row| row.in_std)),
            optional(ffn.map(|row| row.out_std)),
            optional(ffn.map(|row| row.fluctuation)),
            optional(ffn.map(|row| row.per_link)),
            optional(stored.and_then(|row| row.in_index)),
            optional(stored.and_then(|row| row.out_index)),
            optional(attention.map(|row| row.fluctuation)),
            optional(attention.map(|row| row.per_link)),
            optional(mid.map(|row| row.fluctuation)),
            optional(mid.map(|row| row.per_link)),
        ]
    });
    let header = [
        "block",
        "FFN in std",
        "out std",
        "F",
        "per link",
        "in index",
        "out index",
        "attention F",
        "per link",
        "stream F",
        "per link",
    ];
    table(0, &header, lines)
}

/// Least and greatest over blocks.
fn links(rows: &[LinkRow]) -> String {
    let mut names: Vec<&str> = Vec::new();
    for row in rows {
        if !names.contains(&row.tensor.as_str()) {
            names.push(&row.tensor);
        }
    }
    let lines = names.into_iter().map(|name| {
        let of = || rows.iter().filter(move |row| row.tensor == name);
        let range = |figure_of: fn(&LinkRow) -> Option<f64>| {
            let values: Vec<f64> = of().filter_map(figure_of).collect();
            let least = values.iter().copied().min_by(f64::total_cmp);
            let greatest = values.iter().copied().max_by(f64::total_cmp);
            match (least, greatest) {
                (Some(least), Some(greatest)) if values.len() > 1 => {
                    format!("{} to {}", figure(least), figure(greatest))
                }
                (least, _) => optional(least),
            }
        };
        vec![
            name.to_owned(),
            of().count().to_string(),
            of().map(|row| row.summary.n).sum::<u64>().to_string(),
            range(|row| Some(row.summary.mean)),
            range(|row| Some(row.summary.std)),
            range(|row| row.summary.kurtosis_excess),
        ]
    });
    table(
        1,
        &["matrix", "blocks", "weights", "mean", "std", "excess kurtosis"],
        lines,
    )
}

fn baselines(rows: &[Baseline]) -> String {
    let lines = rows.iter().map(|row| {
        let figures = [
            row.in_std,
            row.in_std_shuffled,
            row.in_std_independent,
            row.out_std,
            row.out_std_shuffled,
            row.out_std_independent,
            row.normal_bits,
        ];
        let expert = row
            .expert
            .map_or_else(String::new, |expert| format!(" of expert {expert}"));
        let place = [row.block.to_string(), format!("{}{expert}", row.tensor)];
        place.into_iter().chain(figures.map(figure)).collect()
    });
    let header = [
        "block",
        "matrix",
        "in std",
        "shuffled",
        "independent",
        "out std",
        "shuffled",
        "independent",
        "bits from normal",
    ];
    table(2, &header, lines)
}

fn read_words(read: &Read) -> String {
    let first = if read.first_dropped {
        "position 0 of each left out"
    } else {
        "position 0 of each counted"
    };
    format!(
        "Over {}: {} tokens in {} windows of {}, {first} (a reconstruction, and an extension to transformers)",
        read.text, read.tokens, read.windows, read.window
    )
}

fn flows(rows: &[FlowRow]) -> String {
    let find = |block: usize, set: &str, metric: &str| {
        rows.iter()
            .find(|row| row.block == block && row.set == set && row.metric == metric)
    };
    let blocks = rows.iter().map(|row| row.block + 1).max().unwrap_or(0);
    let lines = (0..blocks).map(|block| {
        let activation = find(block, "ffn_neuron", "activation");
        let strength = find(block, "ffn_neuron", "neuron_strength");
        let channels = find(block, "attn_channel", "activation");
        let stream = find(block, "resid_out", "activation");
        let greatest = |row: &FlowRow| if row.max > -row.min { row.max } else { -row.min };
        vec![
            block.to_string(),
            optional(activation.map(|row| row.abs_mean)),
            optional(activation.map(|row| row.positive)),
            optional(activation.map(greatest)),
            optional(strength.map(|row| row.mean)),
            optional(strength.map(|row| row.std)),
            optional(channels.map(|row| row.rms)),
            optional(stream.map(|row| row.rms)),
        ]
    });
    let header = [
        "block",
        "FFN E|a|",
        "share > 0",
        "greatest |a|",
        "E S",
        "neuron fluctuation",
        "attention rms",
        "stream rms",
    ];
    table(0, &header, lines)
}

/// Two models or networks.
pub(super) fn comparison(compared: &Comparison) -> String {
    let mut text = vec![format!("a {}, b {}", compared.a.file, compared.b.file)];
    if compared.samples.is_empty() {
        let same = compared.pairs.iter().all(|(a, b)| a == b);
        let last = compared.pairs.last().map_or(0, |(_, b)| b + 1);
        if !same || last != compared.pairs.len() {
            text.push(format!(
                "{} and {last} blocks: each block of a beside the one of b at the same share of the depth; widths and scales differ, so look at shapes \
                 and at fluctuation per link",
                compared.pairs.len()
            ));
        }
        text.extend(compared.read.iter().map(read_words));
        text.push(String::from(
            "\nMedians over blocks; tests count blocks with p ≤ 0.05 after Holm's correction",
        ));
        text.push(overview(&compared.overview()));
    } else {
        text.push(String::from("\nPer layer; p-values by Holm's correction"));
        text.push(layers(compared));
    }
    text.push(String::from(
        "\nNodes of a layer share weights and training and are no independent draws: p-values measure a difference against sampling noise.",
    ));
    text.join("\n")
}

fn overview(rows: &[OverviewRow]) -> String {
    let count = |found: Option<usize>, blocks: usize| {
        found.map_or_else(|| NOTHING.to_owned(), |found| format!("{found}/{blocks}"))
    };
    let lines = rows.iter().map(|row| {
        vec![
            row.what.clone(),
            figure(row.jensen_shannon_bits),
            optional(row.jensen_shannon_noise_bits),
            figure(row.kolmogorov_smirnov),
            optional(row.standardised_kolmogorov_smirnov),
            count(row.kolmogorov_smirnov_found, row.blocks),
            count(row.brown_forsythe_found, row.blocks),
            optional(row.std_ratio),
            optional(row.correlation),
            optional(row.rms_difference),
        ]
    });
    let header = [
        "what",
        "JS bits",
        "noise",
        "KS",
        "KS of shape",
        "KS differs",
        "spread differs",
        "std b/a",
        "correlation",
        "rms difference",
    ];
    table(1, &header, lines)
}

fn layers(compared: &Comparison) -> String {
    let p = |p: f64| {
        if p <= LEVEL {
            format!("{} *", figure(p))
        } else {
            figure(p)
        }
    };
    let lines = compared.samples.iter().map(|row| {
        let difference = &row.difference;
        vec![
            row.block.to_string(),
            format!("{} {}", row.set, row.measure),
            figure(difference.std_a),
            figure(difference.std_b),
            optional(row.jeffreys),
            figure(difference.jensen_shannon_bits),
            figure(difference.jensen_shannon_noise_bits),
            figure(difference.wasserstein),
            figure(difference.kolmogorov_smirnov),
            p(difference.kolmogorov_smirnov_p_holm),
            difference.brown_forsythe_p_holm.map_or_else(|| NOTHING.to_owned(), p),
        ]
    });
    let header = [
        "layer",
        "what",
        "std a",
        "std b",
        "Jeffreys",
        "JS bits",
        "noise",
        "Wasserstein",
        "KS",
        "p",
        "p of spread",
    ];
    table(2, &header, lines)
}

/// Few tokens make unsteady statistics.
pub(super) fn warn_of_few_tokens<'r>(reads: impl Iterator<Item = &'r Read>) {
    for read in reads.filter(|read| read.counted < FEW_TOKENS) {
        note(&format!(
            "note: {} tokens of {} were counted; statistics are steady from {FEW_TOKENS} on",
            read.counted, read.text
        ));
    }
}
