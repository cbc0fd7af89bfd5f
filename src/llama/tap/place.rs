//! Names of tensors: which layer's, and which part's.

/// A weight matrix of a feed-forward layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Down,
    Gate,
    Up,
}

impl Part {
    fn name(self) -> &'static str {
        match self {
            Part::Down => "ffn_down",
            Part::Gate => "ffn_gate",
            Part::Up => "ffn_up",
        }
    }

    /// `blk.3.ffn_down.weight` and the like.
    pub(super) fn tensor(self, layer: usize, kind: &str) -> String {
        format!("blk.{layer}.{}.{kind}", self.name())
    }
}

/// A weight matrix of a certain layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) part: Part,
    pub(super) layer: usize,
}

impl Place {
    /// From the name of a weight, exactly: adapters and experts have longer ones.
    pub(super) fn of_weight(name: &str) -> Option<Self> {
        let (layer, rest) = original(name).strip_prefix("blk.")?.split_once('.')?;
        let part = match rest.strip_suffix(".weight")? {
            "ffn_down" => Part::Down,
            "ffn_gate" => Part::Gate,
            "ffn_up" => Part::Up,
            _ => return None,
        };
        Some(Self {
            part,
            layer: layer.parse().ok()?,
        })
    }

    pub(super) fn weight(self) -> String {
        self.part.tensor(self.layer, "weight")
    }
}

/// The layer of an `attn_output` weight.
pub(super) fn layer_of_attention_output(name: &str) -> Option<usize> {
    layer_of(name, "attn_output.weight")
}

/// The layer of a norm before a feed-forward layer.
pub(super) fn feed_forward_norm(name: &str) -> Option<usize> {
    layer_of(name, "ffn_norm.weight")
}

fn layer_of(name: &str, part: &str) -> Option<usize> {
    let (layer, rest) = original(name).strip_prefix("blk.")?.split_once('.')?;
    if rest == part { layer.parse().ok() } else { None }
}

/// The name of a tensor, of which ggml's scheduler may have made a copy for another device, called `DEVICE#NAME#NUMBER`.
pub(super) fn original(name: &str) -> &str {
    match name.split_once('#').zip(name.rsplit_once('#')) {
        Some(((device, _), (front, _))) if front.len() > device.len() => &front[device.len() + 1..],
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_told_from_adapters_experts_and_biases() {
        let down = Place::of_weight("blk.12.ffn_down.weight");
        assert_eq!(
            down,
            Some(Place {
                part: Part::Down,
                layer: 12
            })
        );
        assert_eq!(down.map(Place::weight).as_deref(), Some("blk.12.ffn_down.weight"));
        for other in [
            "blk.12.ffn_down.weight.lora_a",
            "blk.12.ffn_down_exps.weight",
            "blk.12.ffn_down.bias",
            "blk.x.ffn_down.weight",
            "blk.12.ffn_norm.weight",
            "output.weight",
        ] {
            assert_eq!(Place::of_weight(other), None, "{other}");
        }
    }

    #[test]
    fn copies_on_other_devices_are_recognised() {
        let copy = Place::of_weight("CUDA0#blk.3.ffn_gate.weight#0");
        assert_eq!(
            copy,
            Some(Place {
                part: Part::Gate,
                layer: 3
            })
        );
        assert_eq!(original("CUDA0#ffn_swiglu-3#0"), "ffn_swiglu-3");
        assert_eq!(original("ffn_swiglu-3"), "ffn_swiglu-3");
        assert_eq!(original("odd#name"), "odd#name");
    }
}
