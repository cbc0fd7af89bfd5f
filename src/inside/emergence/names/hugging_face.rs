//! Names of Hugging Face checkpoints.

use std::collections::BTreeMap;

use super::{Heads, Listed, Mapped, NameError, Rows};
use crate::inside::emergence::shape::{KeyValueIndices, Projection};

/// The last map of a block, by which a family and its prefix are found: towers for images name theirs otherwise.
const DOWN: [&str; 3] = [
    "mlp.down_proj.weight",
    "mlp.experts.0.down_proj.weight",
    "mlp.dense_4h_to_h.weight",
];

/// The part of the names before the block's number, such as `model.layers.`.
fn prefix(tensors: &BTreeMap<String, Listed>) -> Result<&str, NameError> {
    let names = tensors.keys().filter_map(|name| {
        let rest = DOWN.iter().find_map(|down| name.strip_suffix(down))?;
        rest.strip_suffix("0.")
            .filter(|prefix| prefix.ends_with('.') || prefix.is_empty())
    });
    // The shortest, where a second model (a draft, a tower) hangs below the first.
    names.min_by_key(|prefix| prefix.len()).ok_or(NameError::UnknownFamily)
}

/// The blocks of a checkpoint with these tensors.
pub(in crate::inside::emergence) fn blocks(
    tensors: &BTreeMap<String, Listed>,
    heads: Heads,
) -> Result<Vec<Mapped>, NameError> {
    let prefix = prefix(tensors)?;
    let count = (0..).take_while(|block| {
        let start = format!("{prefix}{block}.");
        tensors
            .range(start.clone()..)
            .next()
            .is_some_and(|(name, _)| name.starts_with(&start))
    });
    count
        .map(|block: usize| {
            Names {
                tensors,
                start: format!("{prefix}{block}."),
                heads,
            }
            .block()
        })
        .collect()
}

/// The tensors of one block.
struct Names<'a> {
    tensors: &'a BTreeMap<String, Listed>,
    start: String,
    heads: Heads,
}

impl Names<'_> {
    fn has(&self, name: &str) -> bool {
        self.tensors.contains_key(&format!("{}{name}.weight", self.start))
    }

    fn get(&self, name: &str) -> Result<(String, &Listed), NameError> {
        let full = format!("{}{name}.weight", self.start);
        match self.tensors.get(&full) {
            Some(listed) => Ok((full, listed)),
            None => Err(NameError::Missing(full)),
        }
    }

    fn block(&self) -> Result<Mapped, NameError> {
        let mut mapped = Mapped::empty(self.heads.size);
        if self.has("attention.query_key_value") {
            self.neox(&mut mapped)?;
            return Ok(mapped);
        }
        let output = self.whole(&mut mapped, Projection::Output, "self_attn.o_proj")?;
        if self.has("self_attn.qkv_proj") {
            let (tensor, listed) = self.get("self_attn.qkv_proj")?;
            mapped.stacked(&tensor, listed, output.columns)?;
        } else {
            self.whole(&mut mapped, Projection::Query, "self_attn.q_proj")?;
            self.whole(&mut mapped, Projection::Key, "self_attn.k_proj")?;
            self.whole(&mut mapped, Projection::Value, "self_attn.v_proj")?;
        }
        if self.has("mlp.gate_up_proj") {
            let down = self.whole(&mut mapped, Projection::Down(0), "mlp.down_proj")?;
            let (tensor, listed) = self.get("mlp.gate_up_proj")?;
            if listed.rows != 2 * down.columns {
                return Err(NameError::Indivisible {
                    tensor,
                    rows: listed.rows,
                });
            }
            let width = down.columns;
            mapped.put(Projection::Gate(0), &tensor, listed, width, Rows::From(0));
            mapped.put(Projection::Up(0), &tensor, listed, width, Rows::From(width));
            return Ok(mapped);
        }
        if self.has("mlp.down_proj") {
            self.expert(&mut mapped, 0, "mlp.")?;
            return Ok(mapped);
        }
        let of = |expert: usize| format!("mlp.experts.{expert}.");
        let experts = (0..self.tensors.len())
            .take_while(|expert| self.has(&format!("{}down_proj", of(*expert))))
            .count();
        for expert in 0..experts {
            self.expert(&mut mapped, expert, &of(expert))?;
        }
        if experts == 0 {
            return Err(NameError::Missing(format!("{}mlp.down_proj.weight", self.start)));
        }
        Ok(mapped)
    }

    fn expert(&self, mapped: &mut Mapped, expert: usize, start: &str) -> Result<(), NameError> {
        if self.has(&format!("{start}gate_proj")) {
            self.whole(mapped, Projection::Gate(expert), &format!("{start}gate_proj"))?;
        }
        self.whole(mapped, Projection::Up(expert), &format!("{start}up_proj"))?;
        self.whole(mapped, Projection::Down(expert), &format!("{start}down_proj"))?;
        Ok(())
    }

    /// A map that is a tensor of its own.
    fn whole(&self, mapped: &mut Mapped, projection: Projection, name: &str) -> Result<&Listed, NameError> {
        let (tensor, listed) = self.get(name)?;
        mapped.put(projection, &tensor, listed, listed.rows, Rows::From(0));
        Ok(listed)
    }

    fn neox(&self, mapped: &mut Mapped) -> Result<(), NameError> {
        let (tensor, listed) = self.get("attention.query_key_value")?;
        let rows = listed.rows / 3;
        let heads = self
            .heads
            .count
            .ok_or(NameError::UnknownHeads { tensor: tensor.clone() })?;
        if heads == 0 || listed.rows % (3 * heads) != 0 {
            return Err(NameError::Indivisible {
                tensor,
                rows: listed.rows,
            });
        }
        let head = rows / heads;
        for (part, projection) in [Projection::Query, Projection::Key, Projection::Value]
            .into_iter()
            .enumerate()
        {
            mapped.put(projection, &tensor, listed, rows, Rows::PerHead { head, part });
        }
        mapped.shape.key_value_indices = KeyValueIndices::Query;
        mapped.shape.head_size = Some(head);
        self.whole(mapped, Projection::Output, "attention.dense")?;
        self.whole(mapped, Projection::Up(0), "mlp.dense_h_to_4h")?;
        self.whole(mapped, Projection::Down(0), "mlp.dense_4h_to_h")?;
        Ok(())
    }
}
