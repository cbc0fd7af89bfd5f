//! A copy of a GGUF file in 32-bit floats: llama.cpp rounds what it multiplies with quantised matrices to 8 bits, and nothing here.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use widedeep::llama::Weights;

/// Where the fields of the header begin.
const FIELDS: usize = 24;

fn number(file: &[u8], at: usize) -> usize {
    usize::try_from(u64::from_le_bytes(file[at..at + 8].try_into().unwrap())).unwrap()
}

fn kind(file: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(file[at..at + 4].try_into().unwrap())
}

/// Where a value of a kind ends.
fn end(file: &[u8], kind_of: u32, at: usize) -> usize {
    match kind_of {
        0 | 1 | 7 => at + 1,
        2 | 3 => at + 2,
        4..=6 => at + 4,
        8 => at + 8 + number(file, at),
        9 => {
            let (of, count) = (kind(file, at), number(file, at + 4));
            (0..count).fold(at + 12, |at, _| end(file, of, at))
        }
        _ => at + 8,
    }
}

/// Writes the copy: the same fields, the same tensors.
pub fn write(from: &Path, to: &Path) {
    let file = std::fs::read(from).unwrap();
    let (tensors, fields) = (number(&file, 8), number(&file, 16));
    let mut at = FIELDS;
    for _ in 0..fields {
        at += 8 + number(&file, at);
        at = end(&file, kind(&file, at), at + 4);
    }
    let weights = Weights::open(from).unwrap();
    assert_eq!(weights.tensors().count(), tensors);
    let mut out = BufWriter::new(File::create(to).unwrap());
    let mut header = file[..at].to_vec();
    let mut offset = 0;
    for tensor in weights.tensors() {
        let axes: Vec<usize> = match tensor.rows() {
            1 => vec![tensor.columns()],
            rows => vec![tensor.columns(), rows],
        };
        header.extend((tensor.name.len() as u64).to_le_bytes());
        header.extend(tensor.name.as_bytes());
        header.extend(u32::try_from(axes.len()).unwrap().to_le_bytes());
        header.extend(axes.iter().flat_map(|&axis| (axis as u64).to_le_bytes()));
        header.extend(0_u32.to_le_bytes());
        header.extend((offset as u64).to_le_bytes());
        offset = (offset + 4 * axes.iter().product::<usize>()).next_multiple_of(32);
    }
    header.resize(header.len().next_multiple_of(32), 0);
    out.write_all(&header).unwrap();
    for tensor in weights.tensors() {
        let mut written = 0;
        weights
            .stream(&tensor.name, |_, values| {
                let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
                written += bytes.len();
                out.write_all(&bytes).unwrap();
            })
            .unwrap();
        out.write_all(&vec![0; written.next_multiple_of(32) - written]).unwrap();
    }
    out.flush().unwrap();
}
