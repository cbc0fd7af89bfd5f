//! The bytes of a header.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use super::field::{self, LIST};
use super::{Entry, Field, Format, GgufError};

/// A text in a header is no longer than this.
const LONGEST: u64 = 1 << 30;
/// Where no field says otherwise, tensors begin at multiples of this.
const ALIGNMENT: u64 = 32;
const DIMENSIONS: u32 = 4;

pub(super) struct Header {
    pub(super) version: u32,
    pub(super) alignment: u64,
    pub(super) fields: Vec<(String, Field)>,
    pub(super) tensors: Vec<Entry>,
}

/// Reads with a count of the bytes, so that errors can say where.
pub(super) struct Cursor<'p, R> {
    path: &'p Path,
    from: R,
    at: u64,
    end: u64,
}

pub(super) fn read(path: &Path, file: &File) -> Result<Header, GgufError> {
    let failed = |source| GgufError::Read {
        path: path.to_owned(),
        source,
    };
    let end = file.metadata().map_err(failed)?.len();
    Cursor {
        path,
        from: BufReader::with_capacity(1 << 16, file),
        at: 0,
        end,
    }
    .header()
}

impl<R: Read> Cursor<'_, R> {
    fn header(mut self) -> Result<Header, GgufError> {
        if &self.array::<4>()? != b"GGUF" {
            return Err(self.wrong("it does not begin with `GGUF`"));
        }
        let version = self.u32()?;
        if version.trailing_zeros() >= 16 {
            return Err(self.wrong("its numbers are big-endian; convert it (`gguf_convert_endian.py`)"));
        }
        if !(2..=3).contains(&version) {
            return Err(self.wrong(&format!(
                "its version is {version}, and 2 and 3 are known; convert the model anew"
            )));
        }
        let (tensors, fields) = (self.u64()?, self.u64()?);
        let fields = (0..fields).map(|_| self.field()).collect::<Result<Vec<_>, _>>()?;
        let named = fields.iter().find(|(key, _)| key == "general.alignment");
        let alignment = named.map_or(Some(ALIGNMENT), |(_, field)| field.as_number());
        let Some(alignment) = alignment.filter(|&alignment| alignment.is_power_of_two()) else {
            return Err(self.wrong("`general.alignment` is no power of two"));
        };
        let mut tensors = (0..tensors).map(|_| self.tensor()).collect::<Result<Vec<_>, _>>()?;
        let data = self.at.next_multiple_of(alignment);
        for tensor in &mut tensors {
            tensor.offset += data;
            if tensor.offset + tensor.bytes() > self.end {
                return Err(self.wrong(&format!(
                    "`{}` ends at byte {} of {}: the file is truncated; download it again",
                    tensor.name,
                    tensor.offset + tensor.bytes(),
                    self.end
                )));
            }
        }
        Ok(Header {
            version,
            alignment,
            fields,
            tensors,
        })
    }

    fn field(&mut self) -> Result<(String, Field), GgufError> {
        let key = self.text()?;
        let kind = self.u32()?;
        let mut bytes = Vec::new();
        if kind == LIST {
            let (of, count) = (self.u32()?, self.u64()?);
            bytes.extend(of.to_le_bytes());
            bytes.extend(count.to_le_bytes());
            if field::is_text(of) {
                for _ in 0..count {
                    self.text_bytes(&mut bytes)?;
                }
            } else {
                let width = field::width(of).ok_or_else(|| self.wrong(&format!("`{key}` is a list of kind {of}")))?;
                self.take(width.saturating_mul(count), &mut bytes)?;
            }
        } else if field::is_text(kind) {
            self.text_bytes(&mut bytes)?;
        } else {
            let width = field::width(kind).ok_or_else(|| self.wrong(&format!("`{key}` is of kind {kind}")))?;
            self.take(width, &mut bytes)?;
        }
        Ok((key, Field { kind, bytes }))
    }

    fn tensor(&mut self) -> Result<Entry, GgufError> {
        let name = self.text()?;
        let count = self.u32()?;
        if count > DIMENSIONS {
            return Err(self.wrong(&format!("`{name}` has {count} dimensions")));
        }
        let mut dimensions = Vec::new();
        for _ in 0..count {
            let size = self.u64()?;
            let fits = usize::try_from(size).map_err(|_| self.wrong(&format!("`{name}` is too large")))?;
            dimensions.push(fits);
        }
        let number = self.u32()?;
        let format = Format::from_number(number).ok_or_else(|| {
            self.wrong(&format!(
                "`{name}` is stored in format {number}, which this build of ggml does not know"
            ))
        })?;
        let offset = self.u64()?;
        Entry::new(name, dimensions, format, offset).map_err(|error| self.wrong(&error.to_string()))
    }

    fn text(&mut self) -> Result<String, GgufError> {
        let mut bytes = Vec::new();
        self.text_bytes(&mut bytes)?;
        String::from_utf8(bytes.split_off(8)).map_err(|_| self.wrong("a name is not UTF-8"))
    }

    /// A text with its length in front.
    fn text_bytes(&mut self, bytes: &mut Vec<u8>) -> Result<(), GgufError> {
        let length = self.u64()?;
        if length > LONGEST {
            return Err(self.wrong(&format!("a text has {length} bytes")));
        }
        bytes.extend(length.to_le_bytes());
        self.take(length, bytes)
    }

    fn take(&mut self, count: u64, bytes: &mut Vec<u8>) -> Result<(), GgufError> {
        if count > self.end.saturating_sub(self.at) {
            return Err(self.wrong("the file ends before its header does; download it again"));
        }
        let read = self.from.by_ref().take(count).read_to_end(bytes);
        match read {
            Ok(found) if found as u64 == count => {
                self.at += count;
                Ok(())
            }
            Ok(_) => Err(self.failed(io::ErrorKind::UnexpectedEof.into())),
            Err(source) => Err(self.failed(source)),
        }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], GgufError> {
        let mut bytes = Vec::with_capacity(N);
        self.take(N as u64, &mut bytes)?;
        let mut array = [0; N];
        array.copy_from_slice(&bytes);
        Ok(array)
    }

    fn u32(&mut self) -> Result<u32, GgufError> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    fn u64(&mut self) -> Result<u64, GgufError> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    fn wrong(&self, problem: &str) -> GgufError {
        GgufError::Parse {
            path: self.path.to_owned(),
            at: self.at,
            problem: problem.to_owned(),
        }
    }

    fn failed(&self, source: io::Error) -> GgufError {
        GgufError::Read {
            path: self.path.to_owned(),
            source,
        }
    }
}
