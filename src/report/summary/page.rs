//! Where text goes: headings, notes, and the one way in which a table is set.

use comfy_table::{Cell, CellAlignment, ContentArrangement, LineStyle, Table, TableStyle};

/// A page of a given width that is written from top to bottom.
pub(super) struct Page {
    width: u16,
    /// Before every line of a note: tables pad their cells, and notes below a heading stand under them.
    indent: &'static str,
    text: String,
}

/// A table's column: its header, and what stands in it.
pub(super) enum Column {
    /// Words, aligned to the left.
    Words(String),
    /// Figures, aligned to the right.
    Figures(String),
}

/// A column of words.
pub(super) fn words(header: &str) -> Column {
    Column::Words(header.to_owned())
}

/// A column of figures.
pub(super) fn figures(header: &str) -> Column {
    Column::Figures(header.to_owned())
}

impl Page {
    /// An empty page.
    pub(super) fn new(width: u16) -> Self {
        Self {
            width,
            indent: "",
            text: String::new(),
        }
    }

    /// Starts a block.
    pub(super) fn heading(&mut self, text: &str) {
        self.text.push('\n');
        self.lines(text, "", "");
        self.indent = " ";
    }

    /// A paragraph over the width of the page.
    pub(super) fn note(&mut self, text: &str) {
        self.lines(text, self.indent, self.indent);
    }

    /// A paragraph that is one of several.
    pub(super) fn item(&mut self, text: &str) {
        self.lines(text, " - ", "   ");
    }

    /// A table; a row has as many cells as there are columns.
    pub(super) fn table(&mut self, columns: &[Column], rows: impl IntoIterator<Item = Vec<String>>) {
        const STYLE: TableStyle = TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));
        let mut table = Table::new();
        table
            .load_style(STYLE)
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_width(self.width);
        let cells = |texts: Vec<String>| -> Vec<Cell> {
            let cell = |(text, column): (String, &Column)| {
                Cell::new(plain(&text)).set_alignment(match column {
                    Column::Words(_) => CellAlignment::Left,
                    Column::Figures(_) => CellAlignment::Right,
                })
            };
            texts.into_iter().zip(columns).map(cell).collect()
        };
        let headers = columns.iter().map(|column| match column {
            Column::Words(header) | Column::Figures(header) => header.clone(),
        });
        table.set_header(cells(headers.collect()));
        for row in rows {
            table.add_row(cells(row));
        }
        self.text.push_str(&table.trim_fmt());
        self.text.push('\n');
    }

    /// The text, every line ended.
    pub(super) fn finish(self) -> String {
        self.text
    }

    /// Breaks a paragraph at spaces, so that lines fit the page.
    fn lines(&mut self, text: &str, first: &str, further: &str) {
        let text = plain(text);
        let width = usize::from(self.width);
        let mut line = first.to_owned();
        let mut empty = true;
        for word in text.split(' ') {
            let length = line.chars().count() + word.chars().count() + usize::from(!empty);
            if !empty && length > width {
                self.text.push_str(&line);
                self.text.push('\n');
                further.clone_into(&mut line);
                empty = true;
            }
            if !empty {
                line.push(' ');
            }
            line.push_str(word);
            empty = false;
        }
        self.text.push_str(&line);
        self.text.push('\n');
    }
}

/// Names come from data: a line break would break the table, and an escape sequence would command the terminal.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() {
            plain.extend(character.escape_default());
        } else {
            plain.push(character);
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paragraphs_break_at_spaces_and_are_indented_below_the_first_heading() {
        let mut page = Page::new(16);
        page.note("ten of twelve pairs");
        page.heading("Counts");
        page.note("not so many words");
        page.item("a caveat that is long");
        assert_eq!(
            page.finish(),
            "ten of twelve\npairs\n\nCounts\n not so many\n words\n - a caveat that\n   is long\n"
        );
    }

    #[test]
    fn what_would_command_a_terminal_is_spelled_out() {
        let mut page = Page::new(40);
        page.table(&[words("dataset")], [vec!["a\u{1b}[2Jb\nc".to_owned()]]);
        let text = page.finish();
        assert!(text.contains("a\\u{1b}[2Jb\\nc"), "{text}");
    }

    #[test]
    fn a_long_name_wraps_in_its_own_column() {
        let mut page = Page::new(30);
        page.table(
            &[words("dataset"), figures("kappa"), figures("n")],
            [vec![
                "a name of some length that goes on".into(),
                "0.123".into(),
                "1234".into(),
            ]],
        );
        let text = page.finish();
        assert!(text.contains("0.123") && text.contains("1234"), "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= 30), "{text}");
    }
}
