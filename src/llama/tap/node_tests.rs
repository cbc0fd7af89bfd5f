//! Tensors that are not in order.

use super::*;

/// A small graph on the CPU: a matrix of 3 rows of 2 numbers, 0 to 5.
struct Matrix {
    context: *mut sys::ggml_context,
    backend: sys::ggml_backend_t,
    buffer: sys::ggml_backend_buffer_t,
    original: NonNull<sys::ggml_tensor>,
    transposed: NonNull<sys::ggml_tensor>,
}

impl Matrix {
    fn new() -> Self {
        let params = sys::ggml_init_params {
            mem_size: 1 << 16,
            mem_buffer: std::ptr::null_mut(),
            no_alloc: true,
        };
        // SAFETY: a context of its own, a backend and a buffer that `drop` frees; the data written are as long as the matrix.
        unsafe {
            let context = sys::ggml_init(params);
            let matrix = sys::ggml_new_tensor_2d(context, sys::GGML_TYPE_F32, 2, 3);
            let transposed = sys::ggml_transpose(context, matrix);
            let backend = sys::ggml_backend_cpu_init();
            let buffer = sys::ggml_backend_alloc_ctx_tensors(context, backend);
            let values: [f32; 6] = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0];
            sys::ggml_backend_tensor_set(matrix, values.as_ptr().cast(), 0, size_of_val(&values));
            Self {
                context,
                backend,
                buffer,
                original: NonNull::new_unchecked(matrix),
                transposed: NonNull::new_unchecked(transposed),
            }
        }
    }

    fn original(&self) -> Node<'_> {
        // SAFETY: alive as long as `self`, and changed through nodes alone.
        unsafe { Node::new(self.original) }
    }

    fn transposed(&self) -> Node<'_> {
        // SAFETY: as above.
        unsafe { Node::new(self.transposed) }
    }
}

impl Drop for Matrix {
    fn drop(&mut self) {
        // SAFETY: all three were made in `new` and are freed once.
        unsafe {
            sys::ggml_backend_buffer_free(self.buffer);
            sys::ggml_backend_free(self.backend);
            sys::ggml_free(self.context);
        }
    }
}

#[test]
fn a_transposed_view_is_read_in_its_own_order() {
    let matrix = Matrix::new();
    let node = matrix.transposed();
    assert_eq!(node.shape(), (3, 2));
    assert_eq!(read(node), [0.0, 2.0, 4.0, 1.0, 3.0, 5.0]);
    assert!(node.scale(&[(0, 2.0)], &mut Vec::new()).is_err());
}

#[test]
fn scaling_changes_one_number_of_every_row() {
    let matrix = Matrix::new();
    let node = matrix.original();
    assert_eq!(node.scale(&[(1, -2.0)], &mut Vec::new()), Ok(()));
    assert_eq!(read(node), [0.0, -2.0, 2.0, -6.0, 4.0, -10.0]);
}

fn read(node: Node<'_>) -> Vec<f32> {
    let mut values = vec![9.0; 40];
    assert_eq!(node.read(&mut values), Ok(()));
    values
}
