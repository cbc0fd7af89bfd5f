//! The networks that come with the program.

/// Name and TOML text of every shipped network.
pub const SHIPPED: [(&str, &str); 8] = [
    ("widedeep", include_str!("../../prompts/networks/widedeep.toml")),
    (
        "widedeep-unanimous",
        include_str!("../../prompts/networks/widedeep-unanimous.toml"),
    ),
    (
        "widedeep-sequential",
        include_str!("../../prompts/networks/widedeep-sequential.toml"),
    ),
    (
        "widedeep-compat",
        include_str!("../../prompts/networks/widedeep-compat.toml"),
    ),
    (
        "widedeep-whitebox",
        include_str!("../../prompts/networks/widedeep-whitebox.toml"),
    ),
    ("faireval", include_str!("../../prompts/networks/faireval.toml")),
    ("single", include_str!("../../prompts/networks/single.toml")),
    ("jury", include_str!("../../prompts/networks/jury.toml")),
];

/// The text of the shipped network of this name.
pub fn shipped(name: &str) -> Option<&'static str> {
    SHIPPED
        .iter()
        .find(|(shipped, _)| *shipped == name)
        .map(|(_, text)| *text)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::super::spec::Network;
    use super::*;

    #[test]
    fn every_shipped_network_can_run_and_carries_its_own_name() {
        for (name, text) in SHIPPED {
            assert_eq!(Network::parse(text, name, &[]).unwrap().name, name);
        }
    }
}
