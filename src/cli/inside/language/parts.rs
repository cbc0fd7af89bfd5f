//! `widedeep inside language parts`.

use std::path::{Path, PathBuf};

use widedeep::inside::language::parts::divide;
use widedeep::inside::language::{Classes, Identified, Parts, Rate, figures, files, tables};

use super::flags::out;
use super::show;
use crate::cli::{Failure, failed, input, say};

/// Divide a model's layers by where its language units are
///
/// The last layer is the vocabulary output; the shared semantic space is the longest run of layers before it with hardly any language units; what lies before it
/// understands, what lies after it transforms into the output language. The paper (arXiv 2505.21505) draws these borders by eye; this rule is ours, and
/// finds no shared space where there is none.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  widedeep inside language parts units/units.json --empty 0.01")]
pub(crate) struct Arguments {
    /// Units, as `identify` writes them
    units: PathBuf,

    /// At most this share of all language units lies in a layer of the shared semantic space
    #[arg(long, value_name = "SHARE", default_value = "0.005")]
    empty: Rate,

    /// Folder for parts.json, layers.csv and layers.svg
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let identified = Identified::read(&arguments.units).map_err(input)?;
    let classes = identified.tally();
    let language_units: Vec<usize> = classes.layers.iter().map(|layer| layer.language_units()).collect();
    let divided = divide(&language_units, arguments.empty);
    let rows = classes.layers.iter().enumerate().map(|(nth, layer)| {
        let part = divided.as_ref().map_or("", |parts| parts.name(nth));
        vec![
            nth.to_string(),
            part.to_owned(),
            layer.specific.to_string(),
            layer.related.to_string(),
            layer.agnostic.to_string(),
        ]
    });
    let table = show::table(&["layer", "part", "specific", "related", "agnostic"], 2, rows);
    let told = divided.as_ref().map_or_else(
        || "no layer has any language unit, so there is nothing to divide".to_owned(),
        Parts::to_string,
    );
    say(&format!("{table}\n\n{told}"))?;
    let Some(folder) = &arguments.out else { return Ok(()) };
    out(folder)?;
    let path = folder.join("parts.json");
    files::json(&path, &divided).map_err(failed)?;
    let mut written = vec![path];
    write(&classes, divided.as_ref(), folder, &mut written)?;
    show::wrote(&written);
    Ok(())
}

/// Layers as a table and as a figure.
pub(super) fn write(
    classes: &Classes,
    divided: Option<&Parts>,
    folder: &Path,
    written: &mut Vec<PathBuf>,
) -> Result<(), Failure> {
    let path = folder.join("layers.csv");
    tables::layers(&path, classes, divided).map_err(failed)?;
    written.push(path);
    show::figure(folder, "layers.svg", figures::layers(classes, divided), written)
}
