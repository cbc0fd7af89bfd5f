//! Results as text.

use std::path::{Path, PathBuf};

use comfy_table::{CellAlignment, Table, presets};
use widedeep::inside::language::figures;

use crate::cli::{Failure, failed, note};

/// Rows under headings, numbers to the right: the first `left` columns hold words.
pub(super) fn table(head: &[&str], left: usize, rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(head);
    for row in rows {
        table.add_row(row);
    }
    for column in table.column_iter_mut().skip(left) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
        .to_string()
        .lines()
        .map(str::trim_end)
        .collect::<Vec<_>>()
        .join("\n")
}

/// Writes a figure where there is something to draw; remembers that it was written.
pub(super) fn figure(
    folder: &Path,
    name: &str,
    svg: Option<String>,
    written: &mut Vec<PathBuf>,
) -> Result<(), Failure> {
    let Some(svg) = svg else { return Ok(()) };
    let path = folder.join(name);
    figures::write(&path, &svg).map_err(failed)?;
    written.push(path);
    Ok(())
}

/// Says which files there are now.
pub(super) fn wrote(files: &[PathBuf]) {
    let files: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
    note(&format!("wrote {}", files.join(", ")));
}
