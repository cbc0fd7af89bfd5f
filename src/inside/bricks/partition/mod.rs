//! Which units work together (functional partition, spec §5).
//!
//! [`Activity`] holds on which tokens each unit is active; [`Graph`] connects units by how often they are so together. Groups come from communities of the
//! graph ([`communities`], of any size) or from [`balanced_k_means`] over rows of weights or of the graph (all of one size: the experts of MoEfication).
//! [`modularity`] says how good groups are, [`against_null`] whether units that fire independently at the same rates would do as well, [`agreement`]
//! how far two groupings are the same, and [`experts`](functional_experts) whether groups serve functions.

mod activity;
mod agreement;
mod community;
mod experts;
mod graph;
mod groups;
mod kmeans;
mod modularity;
mod null;
mod similarity;

pub use activity::Activity;
pub use agreement::{Agreement, agreement};
pub use community::{CommunityError, communities};
pub use experts::{Baseline, Draw, FunctionalExperts, expert_baseline, functional_experts};
pub use graph::{Graph, absolute_correlation, jaccard, positive_products};
pub use groups::{Groups, random_groups};
pub use kmeans::{KMeans, KMeansError, balanced_k_means, unit_rows};
pub use modularity::{Cut, cut, modularity};
pub use null::{NullTest, against_memberships, against_null};
pub use similarity::{Routed, captured_mass, expert_mass, strongest, with_similar_rows};
