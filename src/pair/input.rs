//! Bytes that are read more than once without being held, and hashed on the way.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::ReadError;

/// The marker that some editors write at the start of a UTF-8 file.
const BOM: &[u8] = b"\xEF\xBB\xBF";
/// Bytes that are read at a time.
const CHUNK: usize = 64 << 10;

/// Where bytes are.
#[derive(Debug, Clone)]
pub(super) enum Content {
    /// In a file, which is read anew every time.
    File(PathBuf),
    /// Here: they are part of the program, or came out of a pipe, which gives them once.
    Held(Arc<[u8]>),
}

impl Content {
    /// What stands at a path.
    pub fn at(path: &Path) -> Result<Self, ReadError> {
        let fault = |source| ReadError::open(path, source);
        if std::fs::metadata(path).map_err(fault)?.is_file() {
            return Ok(Self::File(path.to_owned()));
        }
        let bytes = std::fs::read(path).map_err(fault)?;
        Ok(Self::Held(bytes.into()))
    }

    /// The bytes from the start on.
    pub fn open(&self) -> io::Result<Input> {
        let bytes: Box<dyn Read> = match self {
            Self::File(path) => Box::new(File::open(path)?),
            Self::Held(bytes) => Box::new(io::Cursor::new(Arc::clone(bytes))),
        };
        let hashed = Hashed {
            bytes,
            hasher: blake3::Hasher::new(),
        };
        Ok(BufReader::with_capacity(CHUNK, hashed))
    }

    /// At most so many bytes from the start on.
    pub fn head(&self, length: usize) -> io::Result<Vec<u8>> {
        let mut head = Vec::new();
        self.open()?.take(length as u64).read_to_end(&mut head)?;
        Ok(head)
    }

    /// BLAKE3 of all bytes.
    pub fn hash(&self) -> io::Result<blake3::Hash> {
        let mut input = self.open()?;
        read_out(&mut input)?;
        Ok(input.get_ref().hash())
    }
}

/// A content that is being read.
pub(super) type Input = BufReader<Hashed>;

/// Bytes with the hash of those that have passed.
pub(super) struct Hashed {
    bytes: Box<dyn Read>,
    hasher: blake3::Hasher,
}

impl Hashed {
    /// BLAKE3 of what was read so far, in advance reads included.
    pub fn hash(&self) -> blake3::Hash {
        self.hasher.finalize()
    }
}

impl Read for Hashed {
    /// Fills the buffer unless the bytes end: whoever looks for a mark at the start sees all of it.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.bytes.read(&mut buffer[filled..]) {
                Ok(0) => break,
                Ok(n) => filled += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.hasher.update(&buffer[..filled]);
        Ok(filled)
    }
}

/// Steps over a byte order mark at the start.
pub(super) fn skip_bom(input: &mut impl BufRead) -> io::Result<()> {
    if input.fill_buf()?.starts_with(BOM) {
        input.consume(BOM.len());
    }
    Ok(())
}

/// The content behind a byte order mark, if there is one.
pub(super) fn without_bom(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(BOM).unwrap_or(bytes)
}

/// Reads what is left, for the hash.
pub(super) fn read_out(input: &mut impl BufRead) -> io::Result<()> {
    loop {
        let n = input.fill_buf()?.len();
        if n == 0 {
            return Ok(());
        }
        input.consume(n);
    }
}
