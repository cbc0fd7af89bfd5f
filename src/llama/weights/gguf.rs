//! The header of one GGUF file, read by ggml.
#![expect(unsafe_code, reason = "ggml's reader of GGUF headers is a C interface")]

use std::collections::BTreeMap;
use std::ffi::{CStr, CString, c_char};
use std::path::Path;
use std::ptr::NonNull;

use llama_cpp_sys_2 as sys;

use super::WeightsError;
use crate::llama::log;

/// A field of the header.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A whole number.
    Number(i128),
    /// A floating-point number.
    Float(f64),
    /// True or false.
    Flag(bool),
    /// A text.
    Text(String),
    /// A list, of which only the length is kept: vocabularies are long.
    List(usize),
}

impl Value {
    /// The value, if it is a whole number and not negative.
    pub fn as_number(&self) -> Option<u64> {
        match self {
            Value::Number(number) => u64::try_from(*number).ok(),
            _ => None,
        }
    }

    /// The value, if it is a text.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }
}

/// What a file says about a tensor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tensor {
    /// Its name, such as `blk.0.ffn_down.weight`.
    pub name: String,
    /// Numbers per dimension, the contiguous one first.
    pub dimensions: [usize; 4],
    pub(super) format: sys::ggml_type,
    /// Which of the model's files, and where in it.
    pub(super) file: usize,
    pub(super) offset: u64,
}

impl Tensor {
    /// Numbers in a row: the width of what a weight matrix reads.
    pub fn columns(&self) -> usize {
        self.dimensions[0]
    }

    /// Rows, over all further dimensions: the width of what a weight matrix writes.
    pub fn rows(&self) -> usize {
        self.dimensions[1..].iter().product()
    }

    /// Number format, such as `f32` or `q4_1`.
    pub fn format_name(&self) -> String {
        // SAFETY: ggml's own type number, from its reader; the name is a static text.
        text(unsafe { sys::ggml_type_name(self.format) })
    }

    pub(super) fn row_bytes(&self) -> usize {
        let columns = i64::try_from(self.columns()).unwrap_or(i64::MAX);
        // SAFETY: arithmetic on a type number that ggml's reader accepted; the reader refuses rows that are no whole number of blocks.
        unsafe { sys::ggml_row_size(self.format, columns) }
    }
}

pub(super) struct Header {
    pub(super) metadata: BTreeMap<String, Value>,
    pub(super) tensors: Vec<Tensor>,
}

/// Frees ggml's own copy of a header.
struct Reader(NonNull<sys::gguf_context>);

impl Drop for Reader {
    fn drop(&mut self) {
        // SAFETY: made by `gguf_init_from_file`, freed once.
        unsafe { sys::gguf_free(self.0.as_ptr()) };
    }
}

/// Reads the header of a file, which is the model's `file`th.
pub(super) fn read(path: &Path, file: usize) -> Result<Header, WeightsError> {
    let fail = |reason: String| WeightsError::Header {
        path: path.to_owned(),
        reason,
    };
    let name = path
        .to_str()
        .and_then(|path| CString::new(path).ok())
        .ok_or_else(|| fail("its path is not valid UTF-8".to_owned()))?;
    log::install();
    log::forget();
    let params = sys::gguf_init_params {
        no_alloc: true,
        ctx: std::ptr::null_mut(),
    };
    // SAFETY: the name is NUL-terminated; without `ctx`, only the header is read and no tensor is made.
    let raw = unsafe { sys::gguf_init_from_file(name.as_ptr(), params) };
    let reader = Reader(NonNull::new(raw).ok_or_else(|| fail(log::complaints()))?);
    let raw = reader.0.as_ptr();

    let mut metadata = BTreeMap::new();
    // SAFETY: a live context.
    for id in 0..unsafe { sys::gguf_get_n_kv(raw) } {
        // SAFETY: an id below the number of fields; the text lives as long as the context.
        let key = text(unsafe { sys::gguf_get_key(raw, id) });
        metadata.insert(key, value(&reader, id));
    }
    let mut tensors = Vec::new();
    // SAFETY: a live context.
    let (count, data) = unsafe { (sys::gguf_get_n_tensors(raw), sys::gguf_get_data_offset(raw)) };
    for id in 0..count {
        // SAFETY: an id below the number of tensors; texts and the four dimensions live as long as the context.
        let (name, format, offset, dimensions) = unsafe {
            (
                text(sys::gguf_get_tensor_name(raw, id)),
                sys::gguf_get_tensor_type(raw, id),
                sys::gguf_get_tensor_offset(raw, id),
                *sys::gguf_get_tensor_ne(raw, id).cast::<[i64; 4]>(),
            )
        };
        tensors.push(Tensor {
            name,
            dimensions: dimensions.map(|n| usize::try_from(n).unwrap_or(0)),
            format,
            file,
            offset: data as u64 + offset as u64,
        });
    }
    Ok(Header { metadata, tensors })
}

fn value(reader: &Reader, id: i64) -> Value {
    let raw = reader.0.as_ptr();
    // SAFETY: the caller's id is below the number of fields, and each getter is called for the type that the field has, which ggml checks.
    unsafe {
        match sys::gguf_get_kv_type(raw, id) {
            sys::GGUF_TYPE_UINT8 => Value::Number(sys::gguf_get_val_u8(raw, id).into()),
            sys::GGUF_TYPE_INT8 => Value::Number(sys::gguf_get_val_i8(raw, id).into()),
            sys::GGUF_TYPE_UINT16 => Value::Number(sys::gguf_get_val_u16(raw, id).into()),
            sys::GGUF_TYPE_INT16 => Value::Number(sys::gguf_get_val_i16(raw, id).into()),
            sys::GGUF_TYPE_UINT32 => Value::Number(sys::gguf_get_val_u32(raw, id).into()),
            sys::GGUF_TYPE_INT32 => Value::Number(sys::gguf_get_val_i32(raw, id).into()),
            sys::GGUF_TYPE_UINT64 => Value::Number(sys::gguf_get_val_u64(raw, id).into()),
            sys::GGUF_TYPE_INT64 => Value::Number(sys::gguf_get_val_i64(raw, id).into()),
            sys::GGUF_TYPE_FLOAT32 => Value::Float(sys::gguf_get_val_f32(raw, id).into()),
            sys::GGUF_TYPE_FLOAT64 => Value::Float(sys::gguf_get_val_f64(raw, id)),
            sys::GGUF_TYPE_BOOL => Value::Flag(sys::gguf_get_val_bool(raw, id)),
            sys::GGUF_TYPE_STRING => Value::Text(text(sys::gguf_get_val_str(raw, id))),
            // Fields are checked when the header is read: only lists are left.
            _ => Value::List(sys::gguf_get_arr_n(raw, id)),
        }
    }
}

fn text(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: ggml's texts are NUL-terminated, and the callers hold what owns them.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}
