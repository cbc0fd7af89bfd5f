//! A file to be.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::error::Problem;
use super::{Entry, Field, Format, Gguf, GgufError, Rows};

/// Bytes that are copied at once.
const PIECE: usize = 1 << 20;
/// Where tensors begin in a file that is not a copy.
const ALIGNMENT: u64 = 32;
const VERSION: u32 = 3;
/// ggml keeps names in 64 bytes, with a zero at the end.
const LONGEST_NAME: usize = 63;

type Make<'a> = Box<dyn FnOnce(&mut Rows<'_>) -> Result<(), Problem> + 'a>;

enum Source<'a> {
    /// Bytes of the original.
    Copied,
    /// Made when it is written.
    Made(Make<'a>),
}

/// Fields and tensors of a new file.
pub struct Draft<'a> {
    original: Option<&'a Gguf>,
    version: u32,
    alignment: u64,
    fields: Vec<(String, Field)>,
    tensors: Vec<(Entry, Source<'a>)>,
}

impl<'a> Draft<'a> {
    /// A file with nothing in it.
    pub fn empty() -> Self {
        Self {
            original: None,
            version: VERSION,
            alignment: ALIGNMENT,
            fields: Vec::new(),
            tensors: Vec::new(),
        }
    }

    /// A copy of a file, of which parts can be replaced.
    pub fn of(original: &'a Gguf) -> Self {
        let copied = |tensor: &Entry| (tensor.clone(), Source::Copied);
        Self {
            original: Some(original),
            version: original.header.version,
            alignment: original.header.alignment,
            fields: original.header.fields.clone(),
            tensors: original.header.tensors.iter().map(copied).collect(),
        }
    }

    /// A file with another's fields and no tensors.
    pub fn empty_like(original: &'a Gguf) -> Self {
        Self {
            tensors: Vec::new(),
            ..Self::of(original)
        }
    }

    /// Sets a field, in its old place where there was one.
    pub fn set(&mut self, key: &str, field: Field) {
        match self.fields.iter_mut().find(|(name, _)| name == key) {
            Some((_, old)) => *old = field,
            None => self.fields.push((key.to_owned(), field)),
        }
    }

    /// Replaces a tensor's numbers by what `make` gives, row by row, when the file is written.
    pub fn replace(
        &mut self,
        name: &str,
        make: impl FnOnce(&mut Rows<'_>) -> Result<(), Problem> + 'a,
    ) -> Result<(), GgufError> {
        let (_, source) = self.find(name)?;
        *source = Source::Made(Box::new(make));
        Ok(())
    }

    /// Replaces a tensor by one of another shape or format.
    pub fn reshape(
        &mut self,
        name: &str,
        dimensions: &[usize],
        format: Format,
        make: impl FnOnce(&mut Rows<'_>) -> Result<(), Problem> + 'a,
    ) -> Result<(), GgufError> {
        let entry = entry(name, dimensions, format)?;
        let place = self.find(name)?;
        *place = (entry, Source::Made(Box::new(make)));
        Ok(())
    }

    /// Gives a tensor another name.
    pub fn rename(&mut self, name: &str, new: &str) -> Result<(), GgufError> {
        if self.tensors.iter().any(|(tensor, _)| tensor.name == new) {
            return Err(GgufError::Repeated(new.to_owned()));
        }
        let (tensor, _) = self.find(name)?;
        new.clone_into(&mut tensor.name);
        Ok(())
    }

    /// Adds a tensor.
    pub fn add(
        &mut self,
        name: &str,
        dimensions: &[usize],
        format: Format,
        make: impl FnOnce(&mut Rows<'_>) -> Result<(), Problem> + 'a,
    ) -> Result<(), GgufError> {
        if self.tensors.iter().any(|(tensor, _)| tensor.name == name) {
            return Err(GgufError::Repeated(name.to_owned()));
        }
        let entry = entry(name, dimensions, format)?;
        self.tensors.push((entry, Source::Made(Box::new(make))));
        Ok(())
    }

    /// Writes the file; it appears under its name when it is complete, and replaces what was there.
    pub fn write(self, path: &Path) -> Result<(), GgufError> {
        if let Some(original) = self.original
            && same(original.path(), path)
        {
            return Err(GgufError::Same(path.to_owned()));
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let temporary = NamedTempFile::new_in(folder.unwrap_or(Path::new("."))).map_err(failed(path))?;
        let temporary = self.fill(path, temporary)?;
        open_to_all(temporary.as_file()).map_err(failed(path))?;
        temporary.persist(path).map_err(|error| failed(path)(error.error))?;
        Ok(())
    }

    fn fill(self, path: &Path, temporary: NamedTempFile) -> Result<NamedTempFile, GgufError> {
        let mut out = Counted {
            into: BufWriter::with_capacity(PIECE, temporary),
            at: 0,
        };
        out.write_all(&self.head()).map_err(failed(path))?;
        for (tensor, source) in self.tensors {
            out.pad(self.alignment).map_err(failed(path))?;
            match source {
                Source::Copied => copy(self.original, &tensor, &mut out, path)?,
                Source::Made(make) => {
                    let mut rows = Rows::new(&tensor, &mut out);
                    let made = make(&mut rows);
                    let written = rows.written();
                    made.map_err(|source| GgufError::Made {
                        name: tensor.name.clone(),
                        source,
                    })?;
                    if written != tensor.bytes() {
                        return Err(GgufError::Tensor {
                            problem: format!("{written} bytes were made, and it has {}", tensor.bytes()),
                            name: tensor.name,
                        });
                    }
                }
            }
        }
        // llama.cpp wants the padding of the last tensor too.
        out.pad(self.alignment).map_err(failed(path))?;
        out.into.into_inner().map_err(|error| failed(path)(error.into_error()))
    }

    /// All before the first tensor, without the padding.
    fn head(&self) -> Vec<u8> {
        let mut head = b"GGUF".to_vec();
        head.extend(self.version.to_le_bytes());
        head.extend((self.tensors.len() as u64).to_le_bytes());
        head.extend((self.fields.len() as u64).to_le_bytes());
        for (key, field) in &self.fields {
            text(&mut head, key);
            head.extend(field.kind.to_le_bytes());
            head.extend(&field.bytes);
        }
        let mut offset = 0u64;
        for (tensor, _) in &self.tensors {
            text(&mut head, &tensor.name);
            let count = u32::try_from(tensor.dimensions.len()).unwrap_or(u32::MAX);
            head.extend(count.to_le_bytes());
            for &size in &tensor.dimensions {
                head.extend((size as u64).to_le_bytes());
            }
            head.extend(tensor.format.number().to_le_bytes());
            head.extend(offset.to_le_bytes());
            offset = (offset + tensor.bytes()).next_multiple_of(self.alignment);
        }
        head
    }

    fn find(&mut self, name: &str) -> Result<&mut (Entry, Source<'a>), GgufError> {
        let found = self.tensors.iter_mut().find(|(tensor, _)| tensor.name == name);
        found.ok_or_else(|| GgufError::NoTensor {
            path: self
                .original
                .map(|original| original.path().to_owned())
                .unwrap_or_default(),
            name: name.to_owned(),
            similar: Vec::new(),
        })
    }
}

fn entry(name: &str, dimensions: &[usize], format: Format) -> Result<Entry, GgufError> {
    if name.is_empty() || name.len() > LONGEST_NAME {
        return Err(GgufError::Tensor {
            name: name.to_owned(),
            problem: format!("its name has {} bytes, and ggml holds 1 to {LONGEST_NAME}", name.len()),
        });
    }
    Entry::new(name.to_owned(), dimensions.to_vec(), format, 0).map_err(|source| GgufError::Stored {
        name: name.to_owned(),
        source,
    })
}

fn copy(original: Option<&Gguf>, tensor: &Entry, out: &mut Counted<impl Write>, path: &Path) -> Result<(), GgufError> {
    let Some(original) = original else { return Ok(()) };
    let (mut offset, end) = (tensor.offset, tensor.offset + tensor.bytes());
    let mut bytes = vec![0; PIECE];
    while offset < end {
        let count = usize::try_from(end - offset).unwrap_or(PIECE).min(PIECE);
        original.fetch(offset, &mut bytes[..count])?;
        out.write_all(&bytes[..count]).map_err(failed(path))?;
        offset += count as u64;
    }
    Ok(())
}

/// Knows how many bytes have been written.
struct Counted<W> {
    into: W,
    at: u64,
}

impl<W: Write> Counted<W> {
    fn pad(&mut self, alignment: u64) -> io::Result<()> {
        let missing = self.at.next_multiple_of(alignment) - self.at;
        self.write_all(&vec![0; usize::try_from(missing).unwrap_or(0)])
    }
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.into.write(bytes)?;
        self.at += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.into.flush()
    }
}

fn text(head: &mut Vec<u8>, text: &str) {
    head.extend((text.len() as u64).to_le_bytes());
    head.extend(text.as_bytes());
}

fn failed(path: &Path) -> impl Fn(io::Error) -> GgufError + use<> {
    let path: PathBuf = path.to_owned();
    move |source| GgufError::Write {
        path: path.clone(),
        source,
    }
}

fn same(left: &Path, right: &Path) -> bool {
    match (left.canonicalize(), right.canonicalize()) {
        (Ok(left), Ok(right)) => left == right,
        _ => false,
    }
}

/// Temporary files may be read by their owner alone; a model is a file like others.
#[cfg(unix)]
fn open_to_all(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(std::fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn open_to_all(_: &File) -> io::Result<()> {
    Ok(())
}
