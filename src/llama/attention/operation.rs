//! The operation as ggml describes it: `dst = softmax(scale · Q Kᵀ + mask) V` for every head, queries sharing keys in groups.

use std::ffi::c_void;
use std::ops::Range;
use std::slice;

use half::f16;
use llama_cpp_sys_2 as sys;

use super::tile::{Cells, GROUPS, Heads, LANES};

/// Sizes, strides in bytes and addresses of one operation that this back end computes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Attention {
    pub(super) heads: Heads,
    pub(super) scale: f32,
    pub(super) tokens: usize,
    pub(super) cells: usize,
    /// Heads of keys and values.
    pub(super) key_heads: usize,
    /// Heads of queries to one of keys.
    pub(super) alike: usize,
    q: Matrix,
    k: Matrix,
    v: Matrix,
    mask: Matrix,
    dst: Matrix,
}

/// Rows of numbers: `at + row · stride + head · head_stride`.
#[derive(Debug, Clone, Copy)]
struct Matrix {
    at: *mut c_void,
    row: usize,
    head: usize,
}

// SAFETY: the addresses are of ggml's tensors, which stay where they are and which nobody else touches while ggml waits for the operation; sources are only
// read, and who writes to `dst` is said at `Attention::write`.
unsafe impl Sync for Attention {}

impl Attention {
    /// The operation, if it is one of these: tokens of one stream, queries in single precision over a cache in half precision, with a mask, no soft
    /// cap, no sinks and no slopes (ALiBi). Reads no data.
    ///
    /// # Safety
    ///
    /// `op` and its sources are tensors as ggml makes them.
    pub(super) unsafe fn of(op: &sys::ggml_tensor) -> Option<Self> {
        if op.op != sys::GGML_OP_FLASH_ATTN_EXT {
            return None;
        }
        // SAFETY: a source is null or a tensor, says the caller.
        let [q, k, v, mask] = [0, 1, 2, 3].map(|i| unsafe { op.src[i].as_ref() });
        let (q, k, v, mask) = (q?, k?, v?, mask?);
        let [scale, slope, cap] = [0, 1, 2].map(|i| f32::from_bits(op.op_params[i].cast_unsigned()));
        let types = [q, k, v, mask, op].map(|tensor| tensor.type_);
        let sizes = |tensor: &sys::ggml_tensor| tensor.ne.map(|n| usize::try_from(n).unwrap_or(0));
        let (of_q, of_k, of_v, of_mask, of_dst) = (sizes(q), sizes(k), sizes(v), sizes(mask), sizes(op));
        let [key, tokens, query_heads, streams] = of_q;
        let [value, cells, key_heads, _] = of_v;
        let alike = query_heads.checked_div(key_heads)?;
        let plain = types
            == [
                sys::GGML_TYPE_F32,
                sys::GGML_TYPE_F16,
                sys::GGML_TYPE_F16,
                sys::GGML_TYPE_F16,
                sys::GGML_TYPE_F32,
            ]
            && slope == 0.0
            && cap == 0.0
            && op.src[4].is_null()
            && streams == 1
            && tokens > 0;
        let fits = key > 0
            && key.is_multiple_of(LANES)
            && value > 0
            && value.is_multiple_of(LANES)
            && (1..=GROUPS * LANES).contains(&alike)
            && alike * key_heads == query_heads
            && of_k == [key, cells, key_heads, 1]
            && of_v[3] == 1
            && of_mask[0] >= cells
            && of_mask[1] >= tokens
            && of_mask[2..] == [1, 1]
            && of_dst == [value, query_heads, tokens, 1];
        let packed = q.nb[0] == 4
            && [k, v, mask].iter().all(|tensor| tensor.nb[0] == 2)
            && op.nb[0] == 4
            && [q, op]
                .iter()
                .all(|tensor| tensor.nb.iter().all(|stride| stride.is_multiple_of(4)))
            && [k, v, mask]
                .iter()
                .all(|tensor| tensor.nb.iter().all(|stride| stride.is_multiple_of(2)));
        let matrix = |tensor: &sys::ggml_tensor, row: usize, head: usize| Matrix {
            at: tensor.data,
            row: tensor.nb[row],
            head: tensor.nb[head],
        };
        (plain && fits && packed).then(|| Self {
            heads: Heads { key, value },
            scale,
            tokens,
            cells,
            key_heads,
            alike,
            q: matrix(q, 1, 2),
            k: matrix(k, 1, 2),
            v: matrix(v, 1, 2),
            mask: matrix(mask, 1, 2),
            dst: matrix(op, 2, 1),
        })
    }

    /// Whether all tensors have memory, as they have when the operation is to be computed.
    pub(super) fn is_ready(&self) -> bool {
        [self.q, self.k, self.v, self.mask, self.dst]
            .iter()
            .all(|matrix| !matrix.at.is_null())
    }

    /// The query of a row of a block: head `key_head · alike + row % alike` of token `first + row / alike`.
    pub(super) fn query(&self, key_head: usize, first: usize, row: usize) -> &[f32] {
        let (token, head) = self.of_row(key_head, first, row);
        // SAFETY: `of` found as many numbers in a row, `tokens` rows and `key_heads · alike` heads, within which `of_row` stays; the strides are multiples of
        // a number's size, and ggml aligns the beginning; `is_ready` held.
        unsafe { slice::from_raw_parts(self.q.row_at(token, head).cast(), self.heads.key) }
    }

    /// Writes numbers of the result for a row of a block, from `at` on.
    ///
    /// # Safety
    ///
    /// No other thread writes to the same row.
    pub(super) unsafe fn write(&self, key_head: usize, first: usize, row: usize, at: usize, values: &[f32]) {
        let (token, head) = self.of_row(key_head, first, row);
        assert!(at + values.len() <= self.heads.value);
        // SAFETY: as for `query`, with `value` numbers in a row; the row is this thread's, says the caller, and no source overlaps it.
        let to = unsafe { slice::from_raw_parts_mut(self.dst.row_at(token, head).cast::<f32>(), self.heads.value) };
        to[at..at + values.len()].copy_from_slice(values);
    }

    fn of_row(&self, key_head: usize, first: usize, row: usize) -> (usize, usize) {
        let (token, head) = (first + row / self.alike, key_head * self.alike + row % self.alike);
        assert!(token < self.tokens && key_head < self.key_heads);
        (token, head)
    }

    /// What a block of rows that begins with token `first` attends to.
    pub(super) fn cells_of(&self, key_head: usize, first: usize) -> CellsOf<'_> {
        CellsOf {
            attention: self,
            key_head,
            first,
        }
    }
}

impl Matrix {
    fn row_at(&self, row: usize, head: usize) -> *mut c_void {
        self.at.wrapping_byte_add(row * self.row + head * self.head)
    }

    /// # Safety
    ///
    /// The row and the head are the tensor's, and a row has `size` numbers in half precision.
    unsafe fn halves(&self, row: usize, head: usize, span: Range<usize>) -> &[f16] {
        // SAFETY: says the caller; `f16` is transparent over `u16`, strides are multiples of its size, and ggml aligns the beginning.
        unsafe {
            slice::from_raw_parts(
                self.row_at(row, head).cast::<f16>().wrapping_add(span.start),
                span.len(),
            )
        }
    }
}

pub(super) struct CellsOf<'a> {
    attention: &'a Attention,
    key_head: usize,
    first: usize,
}

impl Cells for CellsOf<'_> {
    fn key(&self, cell: usize) -> &[f16] {
        let of = self.attention;
        assert!(cell < of.cells && self.key_head < of.key_heads);
        // SAFETY: `Attention::of` found `cells` rows of `key` numbers and `key_heads` heads.
        unsafe { of.k.halves(cell, self.key_head, 0..of.heads.key) }
    }

    fn value(&self, cell: usize) -> &[f16] {
        let of = self.attention;
        assert!(cell < of.cells && self.key_head < of.key_heads);
        // SAFETY: as above, with rows of `value` numbers.
        unsafe { of.v.halves(cell, self.key_head, 0..of.heads.value) }
    }

    fn mask(&self, row: usize, cells: Range<usize>) -> &[f16] {
        let of = self.attention;
        let token = self.first + row / of.alike;
        assert!(token < of.tokens && cells.start <= cells.end && cells.end <= of.cells);
        // SAFETY: `Attention::of` found at least `tokens` rows of at least `cells` numbers, for all heads the same.
        unsafe { of.mask.halves(token, 0, cells) }
    }
}
