//! Names of GGUF files (spec 3.3): `attn_q`, `attn_k`, `attn_v` or a stacked `attn_qkv`; `attn_output`; `ffn_gate` and `ffn_up`, apart or stacked;
//! `ffn_down`; the same with `_exps` for mixtures of experts, whose router and shared experts are left out.

use super::{Listed, Mapped, NameError, Rows};
use crate::{
    inside::emergence::shape::Projection,
    llama::{Tensor, Weights},
};

/// The blocks of a file.
pub(in crate::inside::emergence) fn blocks(weights: &Weights) -> Result<Vec<Mapped>, NameError> {
    let head_size = head_size(weights);
    let starts = (0..).map(|block: usize| format!("blk.{block}."));
    let blocks: Vec<String> = starts
        .take_while(|start| weights.tensors().any(|tensor| tensor.name.starts_with(start)))
        .collect();
    if blocks.is_empty() {
        return Err(NameError::NoBlocks);
    }
    let each = blocks.into_iter().enumerate();
    each.map(|(number, start)| {
        let names = Names { weights, number, start };
        names.block(head_size)
    })
    .collect()
}

/// Rows of the value map per head.
fn head_size(weights: &Weights) -> Option<usize> {
    let number = |key: &str| usize::try_from(weights.hyperparameter(key).ok()?).ok();
    let heads = || number("attention.head_count").filter(|heads| *heads > 0);
    number("attention.value_length").or_else(|| Some(number("embedding_length")? / heads()?))
}

/// The tensors of one block.
struct Names<'a> {
    weights: &'a Weights,
    number: usize,
    start: String,
}

impl<'a> Names<'a> {
    fn full(&self, name: &str) -> String {
        format!("{}{name}.weight", self.start)
    }

    fn has(&self, name: &str) -> bool {
        self.weights.has(&self.full(name))
    }

    fn get(&self, name: &str) -> Result<&'a Tensor, NameError> {
        let full = self.full(name);
        self.weights.tensor(&full).map_err(|_| NameError::OtherBlock {
            block: self.number,
            tensor: full,
        })
    }

    fn block(&self, head_size: Option<usize>) -> Result<Mapped, NameError> {
        let mut mapped = Mapped::empty(head_size);
        let output = self.whole(&mut mapped, Projection::Output, "attn_output")?;
        if self.has("attn_qkv") {
            let tensor = self.get("attn_qkv")?;
            mapped.stacked(&tensor.name, &listed(tensor), output.columns())?;
        } else {
            self.whole(&mut mapped, Projection::Query, "attn_q")?;
            self.whole(&mut mapped, Projection::Key, "attn_k")?;
            self.whole(&mut mapped, Projection::Value, "attn_v")?;
        }
        if self.has("ffn_down_exps") {
            self.experts(&mut mapped)?;
        } else {
            self.dense(&mut mapped)?;
        }
        Ok(mapped)
    }

    fn dense(&self, mapped: &mut Mapped) -> Result<(), NameError> {
        let down = self.whole(mapped, Projection::Down(0), "ffn_down")?;
        let up = self.get("ffn_up")?;
        if self.has("ffn_gate") {
            self.whole(mapped, Projection::Gate(0), "ffn_gate")?;
        } else if up.rows() == 2 * down.columns() {
            let width = down.columns();
            mapped.put(Projection::Gate(0), &up.name, &listed(up), width, Rows::From(0));
            mapped.put(Projection::Up(0), &up.name, &listed(up), width, Rows::From(width));
            return Ok(());
        }
        self.whole(mapped, Projection::Up(0), "ffn_up")?;
        Ok(())
    }

    /// Experts are slices of one tensor: the rows of the first, then those of the second, and so on.
    fn experts(&self, mapped: &mut Mapped) -> Result<(), NameError> {
        let down = self.get("ffn_down_exps")?;
        let gate = self
            .has("ffn_gate_exps")
            .then(|| self.get("ffn_gate_exps"))
            .transpose()?;
        let up = self.get("ffn_up_exps")?;
        let maps = [
            (Some(down), Projection::Down as fn(usize) -> Projection),
            (gate, Projection::Gate),
            (Some(up), Projection::Up),
        ];
        for (tensor, projection) in maps {
            let Some(tensor) = tensor else { continue };
            let [_, rows, experts, _] = tensor.dimensions;
            for expert in 0..experts {
                let first = Rows::From(expert * rows);
                mapped.put(projection(expert), &tensor.name, &listed(tensor), rows, first);
            }
        }
        Ok(())
    }

    /// A map that is a tensor of its own.
    fn whole(&self, mapped: &mut Mapped, projection: Projection, name: &str) -> Result<&'a Tensor, NameError> {
        let tensor = self.get(name)?;
        mapped.put(projection, &tensor.name, &listed(tensor), tensor.rows(), Rows::From(0));
        Ok(tensor)
    }
}

fn listed(tensor: &Tensor) -> Listed {
    Listed {
        rows: tensor.rows(),
        columns: tensor.columns(),
        precision: tensor.format_name(),
    }
}
