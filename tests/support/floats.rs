//! A copy of a GGUF file in 32-bit floats: llama.cpp rounds what it multiplies with quantised matrices to 8 bits, and nothing here.

use std::path::Path;

use widedeep::llama::{Draft, Format, Gguf, Weights};

/// Writes the copy: the same fields, the same tensors.
pub fn write(path: &Path, out: &Path) {
    let (file, weights) = (Gguf::open(path).unwrap(), Weights::open(path).unwrap());
    let mut draft = Draft::of(&file);
    for tensor in file.tensors() {
        let weights = &weights;
        draft
            .reshape(&tensor.name, &tensor.dimensions, Format::F32, move |rows| {
                let mut result = Ok(());
                weights.stream(&tensor.name, |_, values| {
                    if result.is_ok() {
                        result = rows.values(values);
                    }
                })?;
                Ok(result?)
            })
            .unwrap();
    }
    draft.write(out).unwrap();
}
