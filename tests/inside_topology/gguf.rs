//! Just enough of GGUF to read the default model's F32, F16, Q8_0 and Q4_1 tensors without llama.cpp: a second opinion on its dequantisation.

use std::collections::BTreeMap;
use std::error::Error;
use std::ops::Range;
use std::path::PathBuf;

use widedeep::inside::topology::{Shape, Weights};

pub struct Gguf {
    bytes: Vec<u8>,
    tensors: BTreeMap<String, (Shape, u32, usize)>,
}

/// The model that `WIDEDEEP_TEST_MODEL` names.
pub fn default_model() -> Gguf {
    let path = std::env::var_os("WIDEDEEP_TEST_MODEL")
        .map(PathBuf::from)
        .unwrap_or_default();
    assert!(
        path.is_file(),
        "the tests need the default model at $WIDEDEEP_TEST_MODEL (`{}`): run `make test`, or set it to what `widedeep models path smollm2-135m` prints",
        path.display()
    );
    Gguf::parse(std::fs::read(path).unwrap())
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        self.at += N;
        self.bytes[self.at - N..self.at].try_into().unwrap()
    }

    fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.take())
    }

    fn size(&mut self) -> usize {
        usize::try_from(u64::from_le_bytes(self.take())).unwrap()
    }

    fn text(&mut self) -> String {
        let length = self.size();
        self.at += length;
        String::from_utf8_lossy(&self.bytes[self.at - length..self.at]).into_owned()
    }

    /// Passes over a metadata value.
    fn skip(&mut self, kind: u32) {
        match kind {
            0 | 1 | 7 => self.at += 1,
            2 | 3 => self.at += 2,
            4..=6 => self.at += 4,
            8 => drop(self.text()),
            9 => {
                let (kind, count) = (self.u32(), self.size());
                (0..count).for_each(|_| self.skip(kind));
            }
            _ => self.at += 8,
        }
    }
}

impl Gguf {
    fn parse(bytes: Vec<u8>) -> Self {
        let mut reader = Reader { bytes: &bytes, at: 8 };
        let (tensors, pairs) = (reader.size(), reader.size());
        for _ in 0..pairs {
            reader.text();
            let kind = reader.u32();
            reader.skip(kind);
        }
        let mut found = Vec::new();
        for _ in 0..tensors {
            let name = reader.text();
            let axes = reader.u32();
            let lengths: Vec<usize> = (0..axes).map(|_| reader.size()).collect();
            let shape = Shape {
                rows: lengths[1..].iter().product(),
                columns: lengths[0],
            };
            found.push((name, shape, reader.u32(), reader.size()));
        }
        let data = reader.at.next_multiple_of(32);
        let tensors = found
            .into_iter()
            .map(|(name, shape, kind, at)| (name, (shape, kind, data + at)));
        Self {
            tensors: tensors.collect(),
            bytes,
        }
    }
}

fn half(bytes: &[u8]) -> f32 {
    half::f16::from_le_bytes([bytes[0], bytes[1]]).to_f32()
}

impl Weights for Gguf {
    type Value = f32;

    fn shape(&self, tensor: &str) -> Option<Shape> {
        self.tensors.get(tensor).map(|(shape, _, _)| *shape)
    }

    fn read(&self, tensor: &str, rows: Range<usize>, into: &mut Vec<f32>) -> Result<(), Box<dyn Error + Send + Sync>> {
        let &(shape, kind, at) = self.tensors.get(tensor).ok_or("no such tensor")?;
        // Values and bytes of a block.
        let (values, size) = match kind {
            0 => (1, 4),
            1 => (1, 2),
            3 => (32, 20),
            8 => (32, 34),
            kind => return Err(format!("type {kind} is not read here").into()),
        };
        let blocks = rows.start * shape.columns / values..rows.end * shape.columns / values;
        into.clear();
        for block in self.bytes[at + blocks.start * size..at + blocks.end * size].chunks_exact(size) {
            match kind {
                0 => into.push(f32::from_le_bytes(block.try_into()?)),
                1 => into.push(half(block)),
                3 => {
                    let (scale, least) = (half(block), half(&block[2..]));
                    into.extend(block[4..].iter().map(|byte| scale * f32::from(byte & 15) + least));
                    into.extend(block[4..].iter().map(|byte| scale * f32::from(byte >> 4) + least));
                }
                _ => {
                    let scale = half(block);
                    into.extend(block[2..].iter().map(|byte| scale * f32::from(byte.cast_signed())));
                }
            }
        }
        Ok(())
    }
}
