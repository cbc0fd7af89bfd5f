//! The reader's own CSV; columns and labels are documented at [`Format::Csv`](super::Format::Csv).

use std::io::{self, BufRead};
use std::path::Path;

use csv::ByteRecord;

use super::input::{Input, skip_bom, without_bom};
use super::intake::{Entry, utf8};
use super::jsonl::{DEFAULT_DATASET, LABEL, REQUIRED, parse_label};
use super::{Fault, Pair, ReadError};

/// Where the columns are.
struct Columns {
    query: usize,
    response1: usize,
    response2: usize,
    label: Option<usize>,
    dataset: Option<usize>,
    id: Option<usize>,
    count: usize,
}

/// The records behind a header.
pub(super) struct Table {
    pub records: Records<Input>,
    columns: Option<Columns>,
    index: usize,
}

impl Table {
    /// Reads the header; a fault in it ends reading, because no record can be understood without it.
    pub fn new(mut input: Input, path: &Path) -> Result<Self, ReadError> {
        let unreadable = |source| ReadError::open(path, source);
        skip_bom(&mut input).map_err(unreadable)?;
        let mut records = Records::new(input);
        let header = records.next().map_err(unreadable)?;
        let columns = header
            .map(|header| columns(&header.cells).map_err(|fault| ReadError::at(path, header.line, fault)))
            .transpose()?;
        Ok(Self {
            records,
            columns,
            index: 0,
        })
    }

    pub fn next(&mut self) -> io::Result<Option<Entry>> {
        let Some(columns) = &self.columns else {
            return Ok(None);
        };
        let Some(record) = self.records.next()? else {
            return Ok(None);
        };
        let outcome = match record.end {
            End::InsideQuotes => Err(Fault::OpenQuote),
            End::Proper => pair(self.index, &record.cells, columns),
        };
        self.index += 1;
        Ok(Some(Entry {
            line: record.line,
            outcome,
        }))
    }
}

/// Whether the first record names the required columns.
pub(super) fn has_header(bytes: &[u8]) -> bool {
    let first = Records::new(without_bom(bytes)).next();
    first.is_ok_and(|first| first.is_some_and(|header| columns(&header.cells).is_ok()))
}

fn columns(header: &ByteRecord) -> Result<Columns, Fault> {
    let names = header
        .iter()
        .map(|name| utf8(name).map(str::to_owned))
        .collect::<Result<Vec<_>, _>>()?;
    let find = |name: &str| names.iter().position(|there| there == name);
    let require = |field| {
        find(field).ok_or_else(|| Fault::MissingField {
            field,
            present: names.clone(),
        })
    };
    for (i, name) in names.iter().enumerate() {
        if names[..i].contains(name) && !name.is_empty() {
            return Err(Fault::RepeatedField { field: name.clone() });
        }
    }
    let [query, response1, response2] = REQUIRED;
    Ok(Columns {
        query: require(query)?,
        response1: require(response1)?,
        response2: require(response2)?,
        label: LABEL.iter().find_map(|name| find(name)),
        dataset: find("dataset"),
        id: find("id"),
        count: names.len(),
    })
}

fn pair(index: usize, record: &ByteRecord, columns: &Columns) -> Result<Pair, Fault> {
    if record.len() != columns.count {
        return Err(Fault::CellCount {
            found: record.len(),
            expected: columns.count,
        });
    }
    let cell = |column: usize| utf8(record.get(column).unwrap_or_default());
    let optional = |column: Option<usize>| match column.map(cell).transpose()? {
        Some("") | None => Ok(None),
        Some(text) => Ok(Some(text.to_owned())),
    };
    Ok(Pair {
        index,
        id: optional(columns.id)?,
        query: cell(columns.query)?.to_owned(),
        response1: cell(columns.response1)?.to_owned(),
        response2: cell(columns.response2)?.to_owned(),
        label: columns
            .label
            .map(|column| cell(column).and_then(parse_label))
            .transpose()?
            .flatten(),
        dataset: optional(columns.dataset)?.unwrap_or_else(|| DEFAULT_DATASET.to_owned()),
    })
}

/// One record.
struct Record {
    /// 1-based line of its first cell.
    line: usize,
    cells: ByteRecord,
    end: End,
}

/// How a record ends.
#[derive(Clone, Copy)]
enum End {
    /// At a line end, or with the file.
    Proper,
    /// With the file, in a quoted cell that nothing closes; the parser gives no error for that.
    InsideQuotes,
}

/// Cuts the text of a file into records, which the parser then takes apart: it knows neither on which line a record's first cell is nor
/// whether its last quote was closed.
pub(super) struct Records<R> {
    pub input: R,
    line_ends: usize,
    raw: Vec<u8>,
}

impl<R: BufRead> Records<R> {
    fn new(input: R) -> Self {
        Self {
            input,
            line_ends: 0,
            raw: Vec::new(),
        }
    }

    fn next(&mut self) -> io::Result<Option<Record>> {
        self.raw.clear();
        let mut line = self.line_ends + 1;
        let mut at = At::CellStart;
        let mut done = false;
        while !done {
            let chunk = self.input.fill_buf()?;
            if chunk.is_empty() {
                break;
            }
            let mut used = 0;
            for &byte in chunk {
                used += 1;
                self.line_ends += usize::from(byte == b'\n');
                let ends_line = at != At::Quoted && matches!(byte, b'\n' | b'\r');
                if ends_line && self.raw.is_empty() {
                    // The LF of a CRLF, or a blank line.
                    line = self.line_ends + 1;
                } else if ends_line {
                    done = true;
                    break;
                } else {
                    at = at.after(byte);
                    self.raw.push(byte);
                }
            }
            self.input.consume(used);
        }
        if self.raw.is_empty() {
            return Ok(None);
        }
        let mut cells = ByteRecord::new();
        // Flexible: a wrong number of cells is our fault to report, with both numbers.
        csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .buffer_capacity(self.raw.len())
            .from_reader(self.raw.as_slice())
            .read_byte_record(&mut cells)?;
        let end = if at == At::Quoted {
            End::InsideQuotes
        } else {
            End::Proper
        };
        Ok(Some(Record { line, cells, end }))
    }
}

/// Where in a record: quotes open at the start of a cell only.
#[derive(Clone, Copy, PartialEq)]
enum At {
    CellStart,
    Bare,
    Quoted,
    /// After a quote inside a quoted cell: closed, unless another quote follows.
    Closing,
}

impl At {
    fn after(self, byte: u8) -> Self {
        match (self, byte) {
            (At::Quoted, b'"') => At::Closing,
            (At::CellStart | At::Closing, b'"') | (At::Quoted, _) => At::Quoted,
            (_, b',') => At::CellStart,
            _ => At::Bare,
        }
    }
}
