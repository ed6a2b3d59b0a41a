//! The nodes that a value depends on, in an order in which they can be computed. Files list nodes in such an order, which is
//! kept; one that does not is sorted, and one whose nodes read from each other in a circle is refused.
//!
//! Steps are in proportion to the number of nodes and of their inputs, whatever the graph is.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use crate::onnx::proto::NodeProto;

use super::walk::name_of;

/// Nodes of a circle that an error names.
const NAMED: usize = 8;

/// The nodes that `output` depends on, each after those that it reads from. `given` says which values no node has to make.
pub(super) fn needed(
    nodes: Vec<NodeProto>,
    output: &str,
    given: impl Fn(&str) -> bool,
) -> Result<Vec<NodeProto>, String> {
    let makers = makers(&nodes, given)?;
    let made_by = |node: &NodeProto| -> Vec<usize> {
        node.input.iter().filter_map(|name| makers.get(name.as_str()).copied()).collect()
    };
    let Some(&last) = makers.get(output) else { return Err("no node makes its output".into()) };
    let mut wanted = vec![false; nodes.len()];
    wanted[last] = true;
    let mut open = vec![last];
    // The nodes that read from each node, and from how many nodes each one still waits to read.
    let (mut readers, mut waiting) = (vec![Vec::new(); nodes.len()], vec![0usize; nodes.len()]);
    while let Some(at) = open.pop() {
        for from in made_by(&nodes[at]) {
            readers[from].push(at);
            waiting[at] += 1;
            if !std::mem::replace(&mut wanted[from], true) {
                open.push(from);
            }
        }
    }
    let count = wanted.iter().filter(|&&wanted| wanted).count();
    let ready = (0..nodes.len()).filter(|&at| wanted[at] && waiting[at] == 0).map(Reverse);
    let mut ready: BinaryHeap<Reverse<usize>> = ready.collect();
    let mut order = Vec::with_capacity(count);
    while let Some(Reverse(at)) = ready.pop() {
        order.push(at);
        for &reader in &readers[at] {
            waiting[reader] -= 1;
            if waiting[reader] == 0 {
                ready.push(Reverse(reader));
            }
        }
    }
    if order.len() < count {
        let start = (0..nodes.len()).find(|&at| waiting[at] > 0).unwrap_or(last);
        let names = circle(start, &waiting, |at| made_by(&nodes[at]));
        let names: Vec<String> = names.iter().map(|&at| format!("`{}`", name_of(&nodes[at]))).collect();
        let more =
            if names.len() > NAMED { format!(" and {} more", names.len() - NAMED) } else { String::new() };
        return Err(format!(
            "its nodes {}{more} read from each other in a circle: nothing can compute that, so export it again",
            names[..names.len().min(NAMED)].join(", ")
        ));
    }
    let mut nodes: Vec<Option<NodeProto>> = nodes.into_iter().map(Some).collect();
    Ok(order.into_iter().filter_map(|at| nodes[at].take()).collect())
}

/// The node that makes each value.
fn makers(nodes: &[NodeProto], given: impl Fn(&str) -> bool) -> Result<HashMap<&str, usize>, String> {
    let mut makers = HashMap::new();
    for (at, node) in nodes.iter().enumerate() {
        for name in node.output.iter().filter(|name| !name.is_empty()) {
            if given(name) || makers.insert(name.as_str(), at).is_some() {
                return Err(format!(
                    "node `{}` makes `{name}`, which there is already: the names of a file's values must differ",
                    name_of(node)
                ));
            }
        }
    }
    Ok(makers)
}

/// The nodes of a circle that is met by going back from `start`, all of whose nodes wait for one that waits.
fn circle(start: usize, waiting: &[usize], made_by: impl Fn(usize) -> Vec<usize>) -> Vec<usize> {
    let mut path = Vec::new();
    let mut place: HashMap<usize, usize> = HashMap::new();
    let mut at = start;
    loop {
        if let Some(&first) = place.get(&at) {
            path.drain(..first);
            path.reverse();
            return path;
        }
        place.insert(at, path.len());
        path.push(at);
        match made_by(at).into_iter().find(|&from| waiting[from] > 0) {
            Some(from) => at = from,
            None => return path,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(name: &str, reads: &[&str]) -> NodeProto {
        let input = reads.iter().map(|&name| name.into()).collect();
        NodeProto { name: name.into(), input, output: vec![name.into()], ..NodeProto::default() }
    }

    fn names(nodes: Vec<NodeProto>) -> Result<String, String> {
        let order = needed(nodes, "y", |name| name == "x")?;
        Ok(order.iter().map(|node| node.name.as_str()).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn nodes_come_after_what_they_read_and_the_rest_is_left_out() {
        let sorted =
            vec![node("b", &["x"]), node("a", &["x"]), node("lost", &["a"]), node("y", &["a", "b", "a"])];
        assert_eq!(names(sorted.clone()), Ok("b a y".into()));
        assert_eq!(names(sorted.into_iter().rev().collect()), Ok("a b y".into()));
        assert!(names(vec![node("b", &["x"])]).unwrap_err().contains("no node makes its output"));
    }

    #[test]
    fn circles_and_values_made_twice_are_refused_by_name() {
        let problem = names(vec![node("y", &["y"])]).unwrap_err();
        assert!(problem.contains("nodes `y` read"), "{problem}");
        // `in` leads into the circle and `y` out of it.
        let circle = vec![
            node("in", &["x"]),
            node("a", &["in", "c"]),
            node("b", &["a"]),
            node("c", &["b"]),
            node("y", &["c"]),
        ];
        let problem = names(circle).unwrap_err();
        assert!(["`a`", "`b`", "`c`"].iter().all(|name| problem.contains(name)), "{problem}");
        assert!(!problem.contains("`in`") && !problem.contains("`y`"), "{problem}");
        let long = (0..1000).map(|at| node(&format!("n{at}"), &[&format!("n{}", (at + 1) % 1000)]));
        let problem = names(long.chain([node("y", &["n0"])]).collect()).unwrap_err();
        assert!(problem.contains("and 992 more") && problem.len() < 300, "{problem}");
        assert!(names(vec![node("y", &["x"]), node("y", &["x"])]).unwrap_err().contains("makes `y`"));
        assert!(names(vec![node("x", &[]), node("y", &["x"])]).unwrap_err().contains("makes `x`"));
    }

    #[test]
    fn a_long_chain_takes_no_longer_than_its_length() {
        const LENGTH: usize = 200_000;
        let mut nodes: Vec<NodeProto> =
            (1..LENGTH).rev().map(|at| node(&format!("n{at}"), &[&format!("n{}", at - 1)])).collect();
        nodes.push(node("y", &[&format!("n{}", LENGTH - 1)]));
        assert_eq!(needed(nodes, "y", |_| false).unwrap().len(), LENGTH);
    }
}
