//! The genes of a space that have a choice, in the order of a point.

use super::definition::{Choice, Definition};

/// A gene with at least two choices.
#[derive(Clone, Debug, PartialEq)]
pub struct Gene {
    /// For messages and reports, such as `block2.kernel`.
    pub name: String,
    /// For each choice where it lies on the gene's own scale, strictly ascending; equal distances act about equally.
    pub coordinates: Vec<f64>,
    /// Index of the seed network's choice.
    pub seed: u16,
    pub(super) role: Role,
}

/// What a gene chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Bits,
    Kernel,
    Width,
    Expansion,
    Repetitions,
    Filters,
    StemStride,
    Reduction,
}

/// Index of a gene in a point, `None` if it has no choice.
pub(super) type Locus = Option<usize>;

/// Where the genes of a block are.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct BlockLoci {
    pub(super) kernel: Locus,
    pub(super) width: Locus,
    pub(super) expansion: Locus,
    pub(super) repetitions: Locus,
    pub(super) expand_bits: Locus,
    pub(super) depthwise_bits: Locus,
    pub(super) project_bits: Locus,
}

/// All genes that have a choice.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Genes {
    pub(super) list: Vec<Gene>,
    pub(super) stem_stride: Locus,
    pub(super) stem_bits: Locus,
    pub(super) blocks: Vec<BlockLoci>,
    pub(super) conv2_filters: Locus,
    pub(super) conv2_bits: Locus,
    pub(super) classifier_bits: Locus,
    pub(super) reductions: Vec<Locus>,
}

impl Genes {
    /// The genes of a definition that has passed the check.
    pub(super) fn of(definition: &Definition) -> Self {
        let mut list = List::default();
        let bits = |list: &mut List, slot: String| {
            list.add(format!("{slot}.bits"), &definition.bits, |bits| f64::from(bits.get()), Role::Bits)
        };
        let stem_stride =
            list.add("stem.stride".into(), &definition.stem.stride, |s| (s as f64).ln(), Role::StemStride);
        let stem_bits = bits(&mut list, "stem".into());
        let blocks = definition.blocks.iter().enumerate().map(|(index, block)| {
            let name = |gene: &str| format!("block{}.{gene}", index + 1);
            let rank = |width: f64| block.width.choices.iter().filter(|&&other| other < width).count() as f64;
            let expands = block.expansion.choices.iter().any(|&e| e > 1);
            BlockLoci {
                kernel: list.add(name("kernel"), &block.kernel, |k| k as f64, Role::Kernel),
                width: list.add(name("width"), &block.width, rank, Role::Width),
                expansion: list.add(
                    name("expansion"),
                    &block.expansion,
                    |e| (e as f64).ln(),
                    Role::Expansion,
                ),
                repetitions: list.add(
                    name("repetitions"),
                    &block.repetitions,
                    |n| n as f64,
                    Role::Repetitions,
                ),
                expand_bits: if expands { bits(&mut list, name("expand")) } else { None },
                depthwise_bits: bits(&mut list, name("depthwise")),
                project_bits: bits(&mut list, name("project")),
            }
        });
        let blocks = blocks.collect();
        let filters = &definition.conv2.filters;
        // An absent conv2 lies as far below the fewest filters as half of them would.
        let fewest = filters.choices.iter().find(|&&f| f > 0).map_or(1.0, |&f| f as f64);
        let log_filters = |f: usize| if f == 0 { (fewest / 2.0).ln() } else { (f as f64).ln() };
        let conv2_filters = list.add("conv2.filters".into(), filters, log_filters, Role::Filters);
        let conv2 = filters.choices.iter().any(|&f| f > 0);
        let conv2_bits = if conv2 { bits(&mut list, "conv2".into()) } else { None };
        let classifier_bits = bits(&mut list, "classifier".into());
        let reductions = definition.reductions.iter().enumerate().map(|(index, positions)| {
            list.add(format!("reduction{}", index + 1), positions, |p| p as f64, Role::Reduction)
        });
        let reductions = reductions.collect();
        Self {
            list: list.0,
            stem_stride,
            stem_bits,
            blocks,
            conv2_filters,
            conv2_bits,
            classifier_bits,
            reductions,
        }
    }
}

#[derive(Default)]
struct List(Vec<Gene>);

impl List {
    fn add<T: Copy + PartialEq>(
        &mut self,
        name: String,
        choice: &Choice<T>,
        coordinate: impl Fn(T) -> f64,
        role: Role,
    ) -> Locus {
        let seed = choice.choices.iter().position(|&value| value == choice.seed)?;
        if choice.choices.len() == 1 {
            return None;
        }
        let coordinates = choice.choices.iter().map(|&value| coordinate(value)).collect();
        self.0.push(Gene { name, coordinates, seed: seed as u16, role });
        Some(self.0.len() - 1)
    }
}
