//! What a measurement leaves behind: a page of markdown, the rows behind it, perhaps a figure.

use std::io::Write;
use std::path::Path;

use anyhow::Context;

use super::machine::{machine, today};
use super::setting::Setting;

pub struct Page {
    name: &'static str,
    text: String,
    rows: Vec<Vec<String>>,
    svg: Option<String>,
}

impl Page {
    /// Begins with what was run, where and when; `columns` name the rows of the CSV file, which is not written without them.
    pub fn new(name: &'static str, setting: &Setting, columns: &[&str]) -> Self {
        let typed: Vec<String> = std::env::args()
            .skip(1)
            .filter(|argument| argument != "--bench")
            .collect();
        let text = format!(
            "## `cargo bench --bench engine -- {}`\n\n{}, {} threads; {}; {}.\n\n",
            typed.join(" "),
            setting.model_name,
            setting.threads,
            machine(),
            today(),
        );
        Self {
            name,
            text,
            rows: if columns.is_empty() {
                Vec::new()
            } else {
                vec![columns.iter().map(|&column| column.to_owned()).collect()]
            },
            svg: None,
        }
    }

    pub fn say(&mut self, text: &str) {
        self.text += text;
        self.text.push('\n');
    }

    pub fn table(&mut self, head: &[&str], rows: &[Vec<String>]) {
        self.say(&format!("| {} |", head.join(" | ")));
        self.say(&format!("|{}", " --- |".repeat(head.len())));
        for row in rows {
            self.say(&format!("| {} |", row.join(" | ")));
        }
        self.say("");
    }

    pub fn row(&mut self, cells: Vec<String>) {
        note(&cells.join(" "));
        self.rows.push(cells);
    }

    pub fn figure(&mut self, svg: String) {
        self.svg = Some(svg);
    }

    /// Prints the page; with a folder, writes it and its rows there too.
    pub fn write(&self, folder: Option<&Path>) -> anyhow::Result<()> {
        std::io::stdout().write_all(self.text.as_bytes())?;
        let Some(folder) = folder else { return Ok(()) };
        std::fs::create_dir_all(folder).with_context(|| format!("failed to make `{}`", folder.display()))?;
        let path = |ending: &str| folder.join(format!("{}.{ending}", self.name));
        std::fs::write(path("md"), &self.text)?;
        if !self.rows.is_empty() {
            let mut table = csv::Writer::from_path(path("csv"))?;
            for row in &self.rows {
                table.write_record(row)?;
            }
            table.flush()?;
        }
        if let Some(svg) = &self.svg {
            std::fs::write(path("svg"), svg)?;
        }
        Ok(())
    }
}

/// Progress.
pub fn note(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}
