//! Cells: operations or connections of a small graph, as the tabular benchmarks of architecture search have them.

use bomp_search::bo::pareto::{Objectives, Reference};

use super::{Chance, Made, Parameter, Told, luck};

/// All of them.
pub(super) fn all() -> Vec<Made> {
    vec![hard_cell(), chance_in_the_box(), measured_latency(), graph()]
}

/// Edges (from, to) of a cell of four nodes.
const EDGES: [(usize, usize); 6] = [(0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3)];
/// Operations: nothing, identity, 1x1, 3x3 convolution, pooling.
const IDENTITY: u16 = 1;
const SMALL: u16 = 2;
const LARGE: u16 = 3;
const POOL: u16 = 4;

/// What a cell of six operations can do.
struct Cell {
    /// Convolutions on a path to the output, 1x1 and 3x3.
    small: f64,
    large: f64,
    /// Most convolutions on one path, `None` if there is no path.
    depth: Option<usize>,
    /// Poolings on a path, and whether a path has neither convolution nor pooling.
    pools: f64,
    shortcut: bool,
    /// Operations on a path, by how long they take.
    work: f64,
}

impl Cell {
    fn of(operations: &[u16]) -> Self {
        let mut depths: [Option<usize>; 4] = [Some(0), None, None, None];
        let mut plain = [true, false, false, false];
        let mut leads = [false, false, false, true];
        // Edges are in the order of their ends, so one pass each way reaches everything.
        for (&(from, to), &op) in EDGES.iter().zip(operations) {
            if op != 0
                && let Some(depth) = depths[from]
            {
                let depth = depth + usize::from(op == SMALL || op == LARGE);
                depths[to] = Some(depths[to].map_or(depth, |other| other.max(depth)));
                plain[to] |= plain[from] && op == IDENTITY;
            }
        }
        for (&(from, to), &op) in EDGES.iter().zip(operations).rev() {
            leads[from] |= op != 0 && leads[to];
        }
        let mut cell =
            Self { small: 0.0, large: 0.0, depth: depths[3], pools: 0.0, shortcut: plain[3], work: 0.0 };
        for (&(from, to), &op) in EDGES.iter().zip(operations) {
            if depths[from].is_none() || !leads[to] {
                continue;
            }
            cell.small += f64::from(u8::from(op == SMALL));
            cell.large += f64::from(u8::from(op == LARGE));
            cell.pools += f64::from(u8::from(op == POOL));
            cell.work += [0.0, 0.05, 0.45, 1.0, 0.3][usize::from(op)];
        }
        cell
    }

    /// Accuracy [%] of a classifier of many classes; `chance` where nothing reaches the output.
    fn accuracy(&self, operations: &[u16], best: f64, chance: f64) -> f64 {
        let Some(depth) = self.depth else { return chance };
        let capacity = 0.55 * self.small + self.large;
        let depth_loss = [26.0, 4.0, 1.0, 0.0][depth.min(3)];
        let no_shortcut = if self.shortcut { 0.0 } else { 0.7 * capacity };
        let rough = 2.2 * (luck(operations, 1) - 0.5);
        best - 14.0 * (-0.7 * capacity).exp() - depth_loss - 1.1 * self.pools - no_shortcut + rough
    }
}

fn operations() -> Vec<Parameter> {
    EDGES.iter().map(|(from, to)| Parameter::nominal(format!("op{from}{to}"), 5)).collect()
}

/// log10 of the size: parameters count wherever they are, connected or not, so there are few sizes and many ties.
fn size(operations: &[u16]) -> f64 {
    let count = |op| operations.iter().filter(|&&o| o == op).count() as f64;
    (0.1 + 0.04 * count(SMALL) + 0.24 * count(LARGE)).log10()
}

fn hard_cell() -> Made {
    Made {
        name: "cell-hard",
        character: "cells of a hard data set: noise, few sizes",
        parameters: operations(),
        told: Told::Accuracy,
        known: true,
        limit: None,
        reference: Reference { value: 50.0, cost: 1.54f64.log10() },
        least: -1.0,
        chance: Chance { value: 0.6, ..Chance::default() },
        formula: Box::new(|ops| {
            Some(Objectives { value: Cell::of(ops).accuracy(ops, 72.0, 1.0), cost: size(ops) })
        }),
    }
}

fn chance_in_the_box() -> Made {
    Made {
        name: "cell-chance",
        character: "the same measured from 0 %, so that failures at chance level count; one trial in 25 fails",
        reference: Reference { value: 0.0, cost: 1.54f64.log10() },
        chance: Chance { value: 0.6, failure: 0.04, ..Chance::default() },
        ..hard_cell()
    }
}

fn measured_latency() -> Made {
    Made {
        name: "cell-latency",
        character: "cells of an easy data set, against a latency that is measured",
        known: false,
        reference: Reference { value: 80.0, cost: 0.8 },
        chance: Chance { value: 0.25, cost: 0.02, ..Chance::default() },
        formula: Box::new(|ops| {
            let cell = Cell::of(ops);
            let accuracy = 100.0 - 0.35 * (100.0 - cell.accuracy(ops, 83.0, -157.0));
            let latency = 1.0 + cell.work + 0.2 * luck(ops, 2);
            Some(Objectives { value: accuracy, cost: latency.log10() })
        }),
        ..hard_cell()
    }
}

/// Seven nodes, any of the 21 connections but at most 9, three operations: most points are not allowed, and many mean
/// the same because parts hang loose.
fn graph() -> Made {
    let edges = || (0..7usize).flat_map(|to| (0..to).map(move |from| (from, to)));
    let connections = edges().map(|(from, to)| Parameter::nominal(format!("edge{from}{to}"), 2));
    let nodes = (1..6).map(|node| Parameter::nominal(format!("node{node}"), 3));
    Made {
        name: "graph",
        character: "graphs of at most 9 edges; one random point in ten is allowed, parts may hang loose",
        parameters: connections.chain(nodes).collect(),
        reference: Reference { value: 80.0, cost: 1.3 },
        least: -0.3,
        chance: Chance { value: 0.3, ..Chance::default() },
        formula: Box::new(move |point| {
            let (connections, nodes) = point.split_at(21);
            let present: Vec<(usize, usize)> =
                edges().zip(connections).filter(|(_, c)| **c == 1).map(|(edge, _)| edge).collect();
            if present.len() > 9 {
                return None;
            }
            let (mut reached, mut leads) = ([false; 7], [false; 7]);
            (reached[0], leads[6]) = (true, true);
            present.iter().for_each(|&(from, to)| reached[to] |= reached[from]);
            present.iter().rev().for_each(|&(from, to)| leads[from] |= leads[to]);
            if !reached[6] {
                return None;
            }
            let live: Vec<(usize, usize)> =
                present.into_iter().filter(|&(from, to)| reached[from] && leads[to]).collect();
            let mut depth = [0usize; 7];
            live.iter().for_each(|&(from, to)| depth[to] = depth[to].max(depth[from] + 1));
            let active: Vec<(usize, u16)> =
                (1..6).filter(|&n| reached[n] && leads[n]).map(|n| (n, nodes[n - 1])).collect();
            // Operations: 1x1, 3x3 convolution, pooling.
            let count = |op| active.iter().filter(|(_, o)| *o == op).count() as f64;
            let direct = live.contains(&(0, 6));
            let capacity = 0.5 * count(0) + count(1);
            let shape: Vec<u16> = live.iter().map(|&(from, to)| (7 * from + to) as u16).collect();
            let value =
                94.6 - 9.0 * (-0.6 * capacity).exp() - 0.8 * count(2) - 0.5 * (depth[6] as f64 - 3.5).abs()
                    + if direct { 0.8 } else { 0.0 }
                    - if active.is_empty() { 12.0 } else { 0.0 }
                    + 0.8 * (luck(&shape, 3) - 0.5);
            let width = live.iter().filter(|(_, to)| *to == 6).count().max(1) as f64;
            let size = 0.4 + (1.2 * count(0) + 5.5 * count(1)) / width.sqrt() + 0.15 * live.len() as f64;
            Some(Objectives { value, cost: size.log10() })
        }),
        ..hard_cell()
    }
}
