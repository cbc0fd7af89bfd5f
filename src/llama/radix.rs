//! A radix tree over the prompts in the cache: who holds the longest prefix of a new one, and what to give up first.
//!
//! Every sequence is a path from the root. Where two prompts part, the tree has a node; a node remembers when its text was last asked for. Eviction takes
//! the leaf that was asked for least recently and cuts its sequence back to the node above, so that what several prompts began with stays
//! longer than their ends. A node is never merged with the one below it: the text above a former fork has been wanted more often.

use std::collections::HashMap;

use super::Token;

/// A sequence of the cache, by llama.cpp's number.
pub(super) type Id = i32;

/// Index of the root, whose path is empty.
const ROOT: usize = 0;

#[derive(Debug)]
pub(super) struct PrefixTree {
    nodes: Vec<Node>,
    /// Places in `nodes` that are not in use.
    vacant: Vec<usize>,
    /// The node at which each sequence ends.
    ends: HashMap<Id, usize>,
    clock: u64,
}

#[derive(Debug, Default)]
struct Node {
    /// The tokens between the parent and this node.
    edge: Vec<Token>,
    /// Tokens between the root and this node.
    depth: usize,
    parent: usize,
    children: Vec<usize>,
    /// The sequences whose paths pass through this node or end here.
    holders: Vec<Id>,
    /// When this text was last asked for.
    used: u64,
}

/// What a prompt has in common with the sequences in the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Match {
    /// Tokens that some sequence has or will have.
    pub(super) promised: usize,
    /// Tokens that are evaluated already, and who holds them.
    pub(super) ready: Option<(usize, Id)>,
}

/// A cut at a leaf.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    /// The sequence now ends after so many tokens.
    To(usize),
    /// Nothing of it is left that others do not hold.
    Gone,
}

impl PrefixTree {
    pub(super) fn new() -> Self {
        Self {
            nodes: vec![Node::default()],
            vacant: Vec::new(),
            ends: HashMap::new(),
            clock: 0,
        }
    }

    /// The longest prefix of `prompt` in the tree; `evaluated` says how many tokens of a sequence are in the cache by now.
    pub(super) fn longest(&self, prompt: &[Token], evaluated: impl Fn(Id) -> usize) -> Match {
        let mut found = Match {
            promised: 0,
            ready: None,
        };
        let mut at = ROOT;
        while let Some(child) = self.child(at, prompt.get(self.nodes[at].depth)) {
            let node = &self.nodes[child];
            let above = self.nodes[at].depth;
            let common = above + common(&node.edge, &prompt[above..]);
            found.promised = common;
            for &id in &node.holders {
                let ready = common.min(evaluated(id));
                if ready > found.ready.map_or(0, |(length, _)| length) {
                    found.ready = Some((ready, id));
                }
            }
            if common < node.depth {
                break;
            }
            at = child;
        }
        found
    }

    /// Adds a sequence; its whole path counts as asked for now.
    pub(super) fn insert(&mut self, id: Id, tokens: &[Token]) {
        self.clock += 1;
        let mut at = ROOT;
        while self.nodes[at].depth < tokens.len() {
            let above = self.nodes[at].depth;
            at = match self.child(at, tokens.get(above)) {
                None => self.add(at, tokens[above..].to_vec()),
                Some(child) => {
                    let common = common(&self.nodes[child].edge, &tokens[above..]);
                    if common < self.nodes[child].edge.len() {
                        self.split(child, common)
                    } else {
                        child
                    }
                }
            };
            self.nodes[at].holders.push(id);
            self.nodes[at].used = self.clock;
        }
        self.ends.insert(id, at);
    }

    /// Removes a sequence and what only it held.
    pub(super) fn remove(&mut self, id: Id) {
        if let Some(end) = self.ends.remove(&id) {
            self.leave(id, end, ROOT);
        }
    }

    /// Whether another sequence holds all that this one does, as the cache has it by now.
    pub(super) fn is_covered(&self, id: Id, evaluated: impl Fn(Id) -> usize) -> bool {
        let Some(&end) = self.ends.get(&id) else { return false };
        let node = &self.nodes[end];
        node.holders
            .iter()
            .any(|&other| other != id && evaluated(other) >= node.depth)
    }

    /// The leaf that was asked for least recently among those that only idle sequences hold.
    pub(super) fn oldest_leaf(&self, idle: impl Fn(Id) -> bool) -> Option<Id> {
        let leaves = self.nodes.iter().filter(|node| node.children.is_empty());
        leaves
            .filter(|node| !node.holders.is_empty() && node.holders.iter().all(|&id| idle(id)))
            .min_by_key(|node| (node.used, node.holders[0]))
            .map(|node| node.holders[0])
    }

    /// Cuts a sequence back to the fork above its end.
    pub(super) fn cut(&mut self, id: Id) -> Cut {
        let Some(&end) = self.ends.get(&id) else {
            return Cut::Gone;
        };
        let parent = self.nodes[end].parent;
        self.leave(id, end, parent);
        let fork = &self.nodes[parent];
        if fork.holders.iter().any(|&other| other != id) || parent == ROOT {
            self.ends.remove(&id);
            self.leave(id, parent, ROOT);
            return Cut::Gone;
        }
        let depth = fork.depth;
        self.ends.insert(id, parent);
        Cut::To(depth)
    }

    /// Takes a sequence off the nodes from `from` up to, not including, `until`; nodes that nobody holds go.
    fn leave(&mut self, id: Id, from: usize, until: usize) {
        let mut at = from;
        while at != until && at != ROOT {
            let parent = self.nodes[at].parent;
            self.nodes[at].holders.retain(|&holder| holder != id);
            if self.nodes[at].holders.is_empty() {
                self.nodes[parent].children.retain(|&child| child != at);
                self.nodes[at] = Node::default();
                self.vacant.push(at);
            }
            at = parent;
        }
    }

    fn child(&self, at: usize, first: Option<&Token>) -> Option<usize> {
        let first = first?;
        let children = self.nodes[at].children.iter().copied();
        children
            .into_iter()
            .find(|&child| self.nodes[child].edge.first() == Some(first))
    }

    fn add(&mut self, parent: usize, edge: Vec<Token>) -> usize {
        let node = Node {
            depth: self.nodes[parent].depth + edge.len(),
            edge,
            parent,
            ..Node::default()
        };
        let at = self.place(node);
        self.nodes[parent].children.push(at);
        at
    }

    /// Puts a node `length` tokens down the edge to `below`; returns the new one.
    fn split(&mut self, below: usize, length: usize) -> usize {
        let parent = self.nodes[below].parent;
        let rest = self.nodes[below].edge.split_off(length);
        let edge = std::mem::replace(&mut self.nodes[below].edge, rest);
        let node = Node {
            depth: self.nodes[parent].depth + length,
            edge,
            parent,
            children: vec![below],
            holders: self.nodes[below].holders.clone(),
            used: self.nodes[below].used,
        };
        let at = self.place(node);
        self.nodes[below].parent = at;
        for child in &mut self.nodes[parent].children {
            if *child == below {
                *child = at;
            }
        }
        at
    }

    fn place(&mut self, node: Node) -> usize {
        if let Some(at) = self.vacant.pop() {
            self.nodes[at] = node;
            return at;
        }
        self.nodes.push(node);
        self.nodes.len() - 1
    }
}

/// How many tokens both begin with.
pub(super) fn common(a: &[Token], b: &[Token]) -> usize {
    a.iter().zip(b).take_while(|(x, y)| x == y).count()
}

#[cfg(test)]
#[path = "radix_tests.rs"]
mod tests;
