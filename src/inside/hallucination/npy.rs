//! An array of `f32` in NumPy's format whose first axis grows.
//!
//! The header has room for any number of rows, so that it is rewritten in place after rows have been added. It never says more than there is: a file
//! whose writer was killed holds whole rows as far as the header counts them.

use std::io::{self, Read, Seek, SeekFrom, Write};

/// Bytes of the header: data begin at a multiple of 64, as NumPy has it.
pub(super) const HEADER: usize = 128;

/// Rewrites the header at the start of the file; the position afterwards is the start of the data.
pub(super) fn write_header(file: &mut (impl Write + Seek), rows: usize, axes: [usize; 2]) -> io::Result<()> {
    let [layers, units] = axes;
    let dictionary = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {layers}, {units}), }}");
    // Version 1.0: magic, two bytes of version, two of length, the dictionary, spaces, a line feed.
    let width = HEADER - 10 - 1;
    if dictionary.len() > width {
        return Err(io::Error::other("the array is too large for the header's room"));
    }
    let length = u16::try_from(width + 1).map_err(io::Error::other)?;
    let mut header = b"\x93NUMPY\x01\x00".to_vec();
    header.extend(length.to_le_bytes());
    header.extend(format!("{dictionary:width$}\n").bytes());
    file.seek(SeekFrom::Start(0))?;
    file.write_all(&header)
}

/// What a header says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    /// The lengths of the axes.
    pub(super) shape: Vec<u64>,
    /// Where the data begin.
    pub(super) data: u64,
}

/// Reads the header of a file of little-endian `f32` in C order, whoever wrote it.
pub(super) fn read_header(file: &mut (impl Read + Seek)) -> io::Result<Found> {
    file.seek(SeekFrom::Start(0))?;
    let header = npyz::NpyHeader::from_reader(&mut *file)?;
    let wrong = |what: &str| Err(io::Error::new(io::ErrorKind::InvalidData, what.to_owned()));
    if header.dtype().descr() != "'<f4'" {
        return wrong(&format!(
            "its numbers are {} and must be '<f4' (`array.astype('<f4')`)",
            header.dtype().descr()
        ));
    }
    if header.order() != npyz::Order::C {
        return wrong("its order is Fortran's and must be C's (`numpy.ascontiguousarray(array)`)");
    }
    Ok(Found {
        shape: header.shape().to_vec(),
        data: file.stream_position()?,
    })
}
