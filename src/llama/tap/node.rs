//! An operation of the graph, as the callback sees it.
#![expect(
    unsafe_code,
    reason = "ggml's tensors are C structs, and their data may be on a device"
)]

use std::ffi::CStr;
use std::marker::PhantomData;
use std::ptr::NonNull;

use llama_cpp_sys_2 as sys;

use super::place::{Place, feed_forward_norm, layer_of_attention_output, original};

/// A tensor of the graph while ggml waits for the callback to return; the lifetime is that call's.
#[derive(Debug, Clone, Copy)]
pub(super) struct Node<'g> {
    tensor: NonNull<sys::ggml_tensor>,
    graph: PhantomData<&'g sys::ggml_tensor>,
}

impl<'g> Node<'g> {
    /// # Safety
    ///
    /// The tensor is one of a live graph, nobody changes it or its data during `'g`, and when its data are read or written it has been computed.
    pub(super) unsafe fn new(tensor: NonNull<sys::ggml_tensor>) -> Self {
        Self {
            tensor,
            graph: PhantomData,
        }
    }

    fn get(self) -> &'g sys::ggml_tensor {
        // SAFETY: `new`'s caller vouches for `'g`; ggml's own calls below change data, but not this struct.
        unsafe { self.tensor.as_ref() }
    }

    /// Its name, or that of the tensor that it copies.
    pub(super) fn name(self) -> &'g str {
        // SAFETY: an array of bytes seen as bytes.
        let bytes = unsafe { &*(&raw const self.get().name).cast::<[u8; 64]>() };
        let name = CStr::from_bytes_until_nul(bytes).unwrap_or_default();
        original(name.to_str().unwrap_or_default())
    }

    /// The feed-forward weights that this operation multiplies with, if it is such a product.
    pub(super) fn place(self) -> Option<Place> {
        if self.get().op != sys::GGML_OP_MUL_MAT {
            return None;
        }
        Place::of_weight(self.operand(0)?.name())
    }

    /// The layer whose attention output this operation projects, if it is such a product.
    pub(super) fn attention_output(self) -> Option<usize> {
        if self.get().op != sys::GGML_OP_MUL_MAT {
            return None;
        }
        layer_of_attention_output(self.operand(0)?.name())
    }

    /// The layer whose feed-forward norm multiplies with its gain here, and what that norm reads.
    pub(super) fn normed(self) -> Option<(usize, Node<'g>)> {
        if self.get().op != sys::GGML_OP_MUL {
            return None;
        }
        let layer = feed_forward_norm(self.operand(1)?.name())?;
        let norm = self.operand(0)?;
        let is_norm = [sys::GGML_OP_RMS_NORM, sys::GGML_OP_NORM].contains(&norm.get().op);
        is_norm.then_some((layer, norm.operand(0)?.source()))
    }

    /// What the operation reads.
    pub(super) fn operand(self, number: usize) -> Option<Node<'g>> {
        let tensor = NonNull::new(*self.get().src.get(number)?)?;
        // SAFETY: operands belong to the same graph. The first one of a product is a weight, whose data nobody here reads; the second was computed
        // before the product and is kept for it.
        Some(unsafe { Node::new(tensor) })
    }

    /// The operation that made the data, which a view only looks at.
    pub(super) fn source(self) -> Node<'g> {
        match NonNull::new(self.get().view_src) {
            // SAFETY: a view and what it looks at belong to the same graph and share their data.
            Some(source) => unsafe { Node::new(source) },
            None => self,
        }
    }

    /// Numbers per row and rows, counting over all further dimensions.
    pub(super) fn shape(self) -> (usize, usize) {
        let size = self.get().ne.map(|n| usize::try_from(n).unwrap_or(0));
        (size[0], size[1] * size[2] * size[3])
    }

    /// Copies its numbers into `room`, row by row.
    pub(super) fn read(self, room: &mut Vec<f32>) -> Result<(), String> {
        self.fetch(room)?;
        if !self.is_contiguous() {
            *room = self.gather(room);
        }
        Ok(())
    }

    /// Multiplies numbers of each row.
    pub(super) fn scale(self, factors: &[(usize, f32)], room: &mut Vec<f32>) -> Result<(), String> {
        if !self.is_contiguous() {
            return Err("its numbers are not in order".to_owned());
        }
        let bytes = self.fetch(room)?;
        for row in room.chunks_exact_mut(self.shape().0.max(1)) {
            for &(unit, factor) in factors {
                row[unit] *= factor;
            }
        }
        // SAFETY: the room has as many bytes as the tensor (`fetch`), whose data are in a buffer; ggml waits for the callback, so that whatever reads
        // the tensor next reads what is written here.
        unsafe { sys::ggml_backend_tensor_set(self.tensor.as_ptr(), room.as_ptr().cast(), 0, bytes) };
        Ok(())
    }

    /// Copies the memory that the tensor spans, from whatever device it is on; returns how many bytes that is.
    fn fetch(self, room: &mut Vec<f32>) -> Result<usize, String> {
        self.check()?;
        // SAFETY: plain arithmetic on a live tensor.
        let bytes = unsafe { sys::ggml_nbytes(self.tensor.as_ptr()) };
        // Strides are whole numbers of floats (checked), so the span is too.
        room.clear();
        room.resize(bytes / size_of::<f32>(), 0.0);
        // SAFETY: the room has `bytes` bytes, which is what the tensor spans; it has a buffer (checked), has been computed, and ggml waits for the copy.
        unsafe { sys::ggml_backend_tensor_get(self.tensor.as_ptr(), room.as_mut_ptr().cast(), 0, bytes) };
        Ok(bytes)
    }

    fn is_contiguous(self) -> bool {
        // SAFETY: plain arithmetic on a live tensor.
        unsafe { sys::ggml_is_contiguous(self.tensor.as_ptr()) }
    }

    /// Whether the data can be read as floats at all.
    fn check(self) -> Result<(), String> {
        let tensor = self.get();
        if tensor.type_ != sys::GGML_TYPE_F32 {
            // SAFETY: a live tensor's type has a name, which is a static text.
            let name = unsafe { CStr::from_ptr(sys::ggml_type_name(tensor.type_)) };
            return Err(format!("its numbers are `{}`, not `f32`", name.to_string_lossy()));
        }
        if tensor.nb.iter().any(|stride| !stride.is_multiple_of(size_of::<f32>())) {
            return Err("its numbers are not aligned".to_owned());
        }
        // A view's data are in the buffer of what it looks at.
        if tensor.data.is_null() || self.source().get().buffer.is_null() {
            return Err("it has no data".to_owned());
        }
        Ok(())
    }

    /// Rows in order, from numbers that lie as the strides say.
    fn gather(self, span: &[f32]) -> Vec<f32> {
        let tensor = self.get();
        let size = tensor.ne.map(|n| usize::try_from(n).unwrap_or(0));
        let stride = tensor.nb.map(|bytes| bytes / size_of::<f32>());
        let mut values = Vec::with_capacity(size.iter().product());
        for i3 in 0..size[3] {
            for i2 in 0..size[2] {
                for i1 in 0..size[1] {
                    let row = i3 * stride[3] + i2 * stride[2] + i1 * stride[1];
                    values.extend((0..size[0]).map(|i0| span[row + i0 * stride[0]]));
                }
            }
        }
        values
    }
}

#[cfg(test)]
#[path = "node_tests.rs"]
mod tests;
