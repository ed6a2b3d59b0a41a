//! The smallest that a space reaches in bytes, RAM and MACs, and a network within given limits.
//!
//! Both are found by dynamic programming over the chain of blocks. Bytes and MACs add up over the layers, and the
//! arena's lower bound is the largest over the blocks, because only one tensor passes from block to block. What a block
//! takes depends on the rest of the network through the shape that enters it and its stride alone. With those and the
//! block's width fixed, the output is fixed too, and a smaller kernel, expansion, repetition (at least 1) or bit width
//! never takes more of anything, so the smallest of each is optimal. All other genes are enumerated: presence, widths,
//! conv2, the stem's stride, the positions of the reductions. (They are not monotone: an absent block may cost bytes,
//! because the next one then expands more channels.) So the bytes and MACs found are the minimum, and so is the RAM
//! wherever the planner meets its lower bound on the network found.

use std::collections::{BTreeMap, HashMap};

use bomp_export::arena::ArenaPlan;
use bomp_export::cost::layer_macs;
use bomp_export::ir::{Network, Shape};
use bomp_export::layout::Layout;

use super::definition::Definition;
use super::error::LimitsError;
use super::genotype::{
    BlockGenes, ClassifierGenes, Conv2Genes, DepthwiseGenes, ExpandGenes, Genotype, ProjectGenes, StemGenes,
};
use super::limits::{Limits, Usage};
use super::network::Chain;
use super::{Space, reductions};

/// Trade-offs between bytes and MACs that are tried where both are limited.
const TRADE_OFFS: u32 = 16;

impl Space {
    /// The least bytes, RAM and MACs that networks of this space take; in general each of another network.
    #[must_use]
    pub fn smallest(&self) -> Usage {
        Search::new(self.definition()).smallest(self)
    }

    /// A network within the limits, as small as they ask for.
    ///
    /// # Errors
    /// With the smallest values that can be reached, if no network is within the limits.
    pub(super) fn within(&self, limits: &Limits) -> Result<Genotype, LimitsError> {
        let mut search = Search::new(self.definition());
        let smallest = search.smallest(self);
        let impossible = |what, limit: Option<u64>, smallest: u64| match limit {
            Some(limit) if limit < smallest => {
                Err(LimitsError::Impossible { what, limit, smallest, space: self.definition().name.clone() })
            }
            _ => Ok(()),
        };
        impossible("bytes", limits.max_size.map(|n| n as u64), smallest.bytes as u64)?;
        impossible("bytes of RAM", limits.max_ram.map(|n| n as u64), smallest.ram as u64)?;
        impossible("MACs", limits.max_macs, smallest.macs)?;
        let cap = limits.max_ram.unwrap_or(usize::MAX);
        let per_byte = 1.0 / limits.max_size.unwrap_or(smallest.bytes) as f64;
        let per_mac = 1.0 / limits.max_macs.unwrap_or(smallest.macs).max(1) as f64;
        let trade_offs = (0..=TRADE_OFFS)
            .map(|i| f64::from(i) / f64::from(TRADE_OFFS))
            .map(|part| Objective::Sum { per_byte: (1.0 - part) * per_byte, per_mac: part * per_mac });
        let mut nearest: Option<(f64, Genotype)> = None;
        for objective in trade_offs.chain([Objective::Peak]) {
            let Some(genotype) = search.best(objective, cap) else { continue };
            let excess = limits.excess(&self.network(&genotype));
            if excess == 0.0 {
                return Ok(genotype);
            }
            if nearest.as_ref().is_none_or(|(least, _)| excess < *least) {
                nearest = Some((excess, genotype));
            }
        }
        let nearest = nearest.map_or(smallest, |(_, genotype)| Usage::of(&self.network(&genotype)));
        Err(LimitsError::Together { space: self.definition().name.clone(), nearest, smallest })
    }
}

/// What is to be as small as possible.
#[derive(Clone, Copy)]
enum Objective {
    /// A weighted sum of bytes and MACs.
    Sum { per_byte: f64, per_mac: f64 },
    /// The largest sum of tensors that live at one time.
    Peak,
}

impl Objective {
    fn extend(self, value: f64, part: &Part) -> f64 {
        match self {
            Self::Sum { per_byte, per_mac } => {
                value + per_byte * part.bytes as f64 + per_mac * part.macs as f64
            }
            Self::Peak => value.max(part.peak as f64),
        }
    }
}

/// What some consecutive layers take, and the shape of their output.
#[derive(Clone, Copy)]
struct Part {
    bytes: usize,
    macs: u64,
    peak: usize,
    output: Shape,
}

/// The part of the first `layers` layers of a network in which every tensor but the last has a reader.
fn measure(network: &Network, layers: usize) -> Part {
    Part {
        bytes: Layout::of(network).layers[..layers].iter().map(|layer| layer.record + layer.data()).sum(),
        macs: layer_macs(network)[..layers].iter().sum(),
        peak: ArenaPlan::of(network).lower_bound,
        output: network.shapes()[layers],
    }
}

/// The part of a chain that goes on: its last tensor is still to be read, here by a pool that is not counted.
fn measure_open(mut chain: Chain) -> Part {
    let layers = chain.network.layers.len();
    chain.pool();
    measure(&chain.network, layers)
}

/// The best way to a state: its value, and for each block the width if present.
#[derive(Clone)]
struct Route {
    value: f64,
    widths: Vec<Option<f64>>,
}

/// What the rest of the network depends on: the tensor (height, width, channels) and the stride that is still to be
/// made by the next block.
type State = (usize, usize, usize, usize);

struct Search<'a> {
    definition: &'a Definition,
    /// Blocks already measured, by index, input, stride and width (its bits).
    blocks: HashMap<(usize, Shape, usize, u64), Part>,
}

impl<'a> Search<'a> {
    fn new(definition: &'a Definition) -> Self {
        Self { definition, blocks: HashMap::new() }
    }

    fn smallest(&mut self, space: &Space) -> Usage {
        let mut usage = |objective| {
            let genotype = self.best(objective, usize::MAX).expect("without a cap every network is admitted");
            Usage::of(&space.network(&genotype))
        };
        Usage {
            bytes: usage(Objective::Sum { per_byte: 1.0, per_mac: 0.0 }).bytes,
            ram: usage(Objective::Peak).ram,
            macs: usage(Objective::Sum { per_byte: 0.0, per_mac: 1.0 }).macs,
        }
    }

    /// The best network with no more than `cap` bytes in tensors at any time, the first found of equals.
    fn best(&mut self, objective: Objective, cap: usize) -> Option<Genotype> {
        let mut best: Option<(f64, Genotype)> = None;
        for &stride in &self.definition.stem.stride.choices {
            for positions in reductions::combinations(&self.definition.reductions) {
                for (state, route) in self.routes(objective, cap, stride, &positions) {
                    for &filters in &self.definition.conv2.filters.choices {
                        let genotype = self.smallest_with(stride, &positions, &route.widths, filters);
                        let part = self.head(Shape::new(state.0, state.1, state.2), &genotype);
                        let value = objective.extend(route.value, &part);
                        if part.peak <= cap && best.as_ref().is_none_or(|(least, _)| value < *least) {
                            best = Some((value, genotype));
                        }
                    }
                }
            }
        }
        best.map(|(_, genotype)| genotype)
    }

    /// The best ways through all blocks to each state behind them.
    fn routes(
        &mut self,
        objective: Objective,
        cap: usize,
        stride: usize,
        positions: &[usize],
    ) -> BTreeMap<State, Route> {
        let definition = self.definition;
        let mut routes = BTreeMap::new();
        for (index, block) in definition.blocks.iter().enumerate() {
            let halved = 1 << positions.iter().filter(|&&position| position == index).count();
            let mut next: BTreeMap<State, Route> = BTreeMap::new();
            let mut offer = |state: State, route: Route| {
                if next.get(&state).is_none_or(|known| route.value < known.value) {
                    next.insert(state, route);
                }
            };
            for &width in
                block.width.choices.iter().filter(|_| block.repetitions.choices.iter().any(|&n| n > 0))
            {
                // The stem belongs to block 1, which gives it its width.
                let before =
                    if index == 0 { self.stem(objective, cap, stride, width) } else { routes.clone() };
                for ((height, breadth, channels, pending), route) in before {
                    let input = Shape::new(height, breadth, channels);
                    let part = self.block(index, input, pending * halved, width);
                    if part.peak <= cap {
                        let Shape { height, width: breadth, channels } = part.output;
                        let value = objective.extend(route.value, &part);
                        let widths = [&route.widths[..], &[Some(width)]].concat();
                        offer((height, breadth, channels, 1), Route { value, widths });
                    }
                }
            }
            if block.is_optional() {
                for ((height, breadth, channels, pending), route) in routes {
                    let widths = [&route.widths[..], &[None]].concat();
                    offer((height, breadth, channels, pending * halved), Route { widths, ..route });
                }
            }
            routes = next;
        }
        routes
    }

    fn stem(&self, objective: Objective, cap: usize, stride: usize, width: f64) -> BTreeMap<State, Route> {
        let mut chain = Chain::new(self.definition.input);
        chain.stem(self.definition, StemGenes { stride, bits: self.definition.bits.choices[0] }, width);
        let part = measure_open(chain);
        let Shape { height, width: breadth, channels } = part.output;
        let route = Route { value: objective.extend(0.0, &part), widths: Vec::new() };
        BTreeMap::from_iter((part.peak <= cap).then_some(((height, breadth, channels, 1), route)))
    }

    fn block(&mut self, index: usize, input: Shape, stride: usize, width: f64) -> Part {
        let definition = self.definition;
        *self.blocks.entry((index, input, stride, width.to_bits())).or_insert_with(|| {
            let mut chain = Chain::new(input);
            chain.block(definition, index, &smallest_block(definition, index, width), stride);
            measure_open(chain)
        })
    }

    fn head(&self, input: Shape, genotype: &Genotype) -> Part {
        let mut chain = Chain::new(input);
        chain.head(self.definition, genotype.conv2, genotype.classifier.bits);
        measure(&chain.network, chain.network.layers.len())
    }

    fn smallest_with(
        &self,
        stride: usize,
        positions: &[usize],
        widths: &[Option<f64>],
        filters: usize,
    ) -> Genotype {
        let bits = self.definition.bits.choices[0];
        let block =
            |(index, width): (usize, &Option<f64>)| width.map(|w| smallest_block(self.definition, index, w));
        Genotype {
            stem: StemGenes { stride, bits },
            blocks: widths.iter().enumerate().map(block).collect(),
            conv2: (filters > 0).then_some(Conv2Genes { filters, bits }),
            classifier: ClassifierGenes { bits },
            reductions_after: positions.to_vec(),
        }
    }
}

/// Block `index` with the smallest kernel, expansion, repetition and bit widths.
fn smallest_block(definition: &Definition, index: usize, width: f64) -> BlockGenes {
    let (block, bits) = (&definition.blocks[index], definition.bits.choices[0]);
    let expansion = block.expansion.choices[0];
    BlockGenes {
        repetitions: block.repetitions.choices.iter().copied().find(|&n| n > 0).unwrap_or(1),
        expand: (expansion > 1).then_some(ExpandGenes { expansion, bits }),
        depthwise: DepthwiseGenes { kernel: block.kernel.choices[0], bits },
        project: ProjectGenes { width, bits },
    }
}
