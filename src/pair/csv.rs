//! The reader's own CSV; columns and labels are documented at [`Format::Csv`](super::Format::Csv).

use csv::ByteRecord;

use super::intake::{Intake, LineCounter, utf8, without_bom};
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

/// Reads records into `intake`; a fault in the header ends reading, because no record can be understood without it.
pub(super) fn read(bytes: &[u8], intake: &mut Intake) -> Result<(), ReadError> {
    let bytes = without_bom(bytes);
    let mut reader = reader(bytes);
    let mut lines = LineCounter::default();
    let mut record = ByteRecord::new();
    if !next(&mut reader, &mut record, intake)? {
        return Ok(());
    }
    let header_line = lines.at(start(bytes, &record), bytes);
    let columns = columns(&record).map_err(|fault| intake.fatal(header_line, fault))?;
    let mut index = 0;
    while next(&mut reader, &mut record, intake)? {
        let start = start(bytes, &record);
        let line = lines.at(start, bytes);
        // A quote that is never closed swallows the rest of the file without an error from the parser.
        let is_last = usize::try_from(reader.position().byte()).is_ok_and(|end| end >= bytes.len());
        let outcome = if is_last && ends_inside_quotes(&bytes[start..]) {
            Err(Fault::OpenQuote)
        } else {
            pair(index, &record, &columns)
        };
        intake.put(line, outcome)?;
        index += 1;
    }
    Ok(())
}

/// Whether the first record names the required columns.
pub(super) fn has_header(bytes: &[u8]) -> bool {
    let mut record = ByteRecord::new();
    matches!(reader(bytes).read_byte_record(&mut record), Ok(true)) && columns(&record).is_ok()
}

fn reader(bytes: &[u8]) -> csv::Reader<&[u8]> {
    // Flexible: a wrong number of cells is our fault to report, with both numbers.
    csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .from_reader(bytes)
}

fn next(reader: &mut csv::Reader<&[u8]>, record: &mut ByteRecord, intake: &Intake) -> Result<bool, ReadError> {
    reader
        .read_byte_record(record)
        .map_err(|error| intake.unreadable(error.into()))
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

/// Byte offset of the record's first cell. The parser's position may lie on line ends in front of it: the LF of a CRLF, blank
/// lines.
fn start(bytes: &[u8], record: &ByteRecord) -> usize {
    let offset = record
        .position()
        .and_then(|position| usize::try_from(position.byte()).ok())
        .unwrap_or(0);
    let blank = bytes[offset..]
        .iter()
        .take_while(|byte| matches!(byte, b'\r' | b'\n'))
        .count();
    offset + blank
}

/// Whether the text of a record ends before its last quote is closed: quotes open at the start of a cell only.
fn ends_inside_quotes(record: &[u8]) -> bool {
    #[derive(PartialEq)]
    enum At {
        CellStart,
        Bare,
        Quoted,
        /// After a quote inside a quoted cell: closed, unless another quote follows.
        Closing,
    }
    let mut at = At::CellStart;
    for &byte in record {
        at = match (at, byte) {
            (At::Quoted, b'"') => At::Closing,
            (At::CellStart | At::Closing, b'"') | (At::Quoted, _) => At::Quoted,
            (_, b',' | b'\n' | b'\r') => At::CellStart,
            _ => At::Bare,
        };
    }
    at == At::Quoted
}
