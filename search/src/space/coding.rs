//! The way between points (indices of choices) and genotypes (values).
//!
//! [`Genes::genotype`] is the one function that knows which genes act: it reads no others. [`Genes::point`] sets the others
//! to the seed's value, merges width multipliers that give the same numbers of filters and reductions that have the same
//! effect. So `point(genotype(p))` is the canonical form of p.

use super::definition::{BlockDefinition, Choice, Definition, Value, list};
use super::error::SpaceError;
use super::genes::{BlockLoci, Genes, Locus};
use super::genotype::{
    BlockGenes, ClassifierGenes, Conv2Genes, DepthwiseGenes, ExpandGenes, Genotype, ProjectGenes, StemGenes,
};
use super::reductions;

impl Genes {
    /// The genotype of a point, from the genes that act.
    ///
    /// # Panics
    /// If the point is not of this space.
    pub(super) fn genotype(&self, definition: &Definition, point: &[u16]) -> Genotype {
        assert_eq!(point.len(), self.list.len(), "a point of another search space");
        let bits = |locus| definition.bits.value(locus, point);
        let block = |(block, loci): (&BlockDefinition, &BlockLoci)| {
            let repetitions = block.repetitions.value(loci.repetitions, point);
            let expansion = || block.expansion.value(loci.expansion, point);
            (repetitions > 0).then(|| BlockGenes {
                repetitions,
                expand: Some(expansion())
                    .filter(|&expansion| expansion > 1)
                    .map(|expansion| ExpandGenes { expansion, bits: bits(loci.expand_bits) }),
                depthwise: DepthwiseGenes {
                    kernel: block.kernel.value(loci.kernel, point),
                    bits: bits(loci.depthwise_bits),
                },
                project: ProjectGenes {
                    width: block.width.value(loci.width, point),
                    bits: bits(loci.project_bits),
                },
            })
        };
        let filters = definition.conv2.filters.value(self.conv2_filters, point);
        Genotype {
            stem: StemGenes {
                stride: definition.stem.stride.value(self.stem_stride, point),
                bits: bits(self.stem_bits),
            },
            blocks: definition.blocks.iter().zip(&self.blocks).map(block).collect(),
            conv2: (filters > 0).then(|| Conv2Genes { filters, bits: bits(self.conv2_bits) }),
            classifier: ClassifierGenes { bits: bits(self.classifier_bits) },
            reductions_after: definition
                .reductions
                .iter()
                .zip(&self.reductions)
                .map(|(positions, &locus)| positions.value(locus, point))
                .collect(),
        }
    }

    /// The canonical point of a genotype.
    ///
    /// # Errors
    /// The first value that the space does not offer.
    pub(super) fn point(
        &self,
        definition: &Definition,
        genotype: &Genotype,
    ) -> Result<Box<[u16]>, SpaceError> {
        let mut point: Box<[u16]> = self.list.iter().map(|gene| gene.seed).collect();
        let mut put = Writer { space: &definition.name, block: None, point: &mut point };
        let bits = &definition.bits;
        put.set("stem.stride", self.stem_stride, &definition.stem.stride, genotype.stem.stride)?;
        put.set("stem.bits", self.stem_bits, bits, genotype.stem.bits)?;
        put.length("blocks", genotype.blocks.len(), definition.blocks.len())?;
        for (index, (genes, (block, loci))) in
            genotype.blocks.iter().zip(definition.blocks.iter().zip(&self.blocks)).enumerate()
        {
            put.block = Some(index + 1);
            let Some(genes) = genes else {
                put.set("repetitions", loci.repetitions, &block.repetitions, 0)?;
                continue;
            };
            put.set("repetitions", loci.repetitions, &block.repetitions, genes.repetitions)?;
            put.set("kernel", loci.kernel, &block.kernel, genes.depthwise.kernel)?;
            put.set("depthwise.bits", loci.depthwise_bits, bits, genes.depthwise.bits)?;
            put.set("project.bits", loci.project_bits, bits, genes.project.bits)?;
            put.set("expansion", loci.expansion, &block.expansion, genes.expand.map_or(1, |e| e.expansion))?;
            if let Some(expand) = genes.expand {
                if expand.expansion == 1 {
                    return Err(put.refuse(
                        "expand.expansion",
                        1_usize,
                        "no `expand` at expansion 1: leave it out".into(),
                    ));
                }
                put.set("expand.bits", loci.expand_bits, bits, expand.bits)?;
            }
            put.set("width", loci.width, &block.width, genes.project.width)?;
            put.set(
                "width",
                loci.width,
                &block.width,
                narrowest_alike(definition, index, genes.project.width),
            )?;
        }
        put.block = None;
        let filters = genotype.conv2.map_or(0, |conv2| conv2.filters);
        put.set("conv2.filters", self.conv2_filters, &definition.conv2.filters, filters)?;
        if let Some(conv2) = genotype.conv2 {
            put.set("conv2.bits", self.conv2_bits, bits, conv2.bits)?;
        }
        put.set("classifier.bits", self.classifier_bits, bits, genotype.classifier.bits)?;
        put.length("reductions_after", genotype.reductions_after.len(), definition.reductions.len())?;
        let positions = definition.reductions.iter().zip(&self.reductions);
        for (&position, (choice, &locus)) in genotype.reductions_after.iter().zip(positions.clone()) {
            put.set("reductions_after", locus, choice, position)?;
        }
        let present: Vec<bool> = genotype.blocks.iter().map(Option::is_some).collect();
        let canonical = reductions::canonical(&definition.reductions, &present, &genotype.reductions_after);
        for (position, (choice, &locus)) in canonical.into_iter().zip(positions) {
            put.set("reductions_after", locus, choice, position)?;
        }
        Ok(point)
    }
}

/// The least of the width multipliers that give block `index`, and for block 1 the stem, as many filters as `width`.
fn narrowest_alike(definition: &Definition, index: usize, width: f64) -> f64 {
    let block = &definition.blocks[index];
    let filters = |width| {
        let stem = if index == 0 { definition.stem.channels(width) } else { 0 };
        (stem, block.channels(width))
    };
    block.width.choices.iter().copied().find(|&other| filters(other) == filters(width)).unwrap_or(width)
}

impl<T: Copy> Choice<T> {
    fn value(&self, locus: Locus, point: &[u16]) -> T {
        self.choices[locus.map_or(0, |locus| usize::from(point[locus]))]
    }
}

/// Writes values into a point as the indices of their choices.
struct Writer<'a> {
    space: &'a str,
    /// Number of the block whose genes are written.
    block: Option<usize>,
    point: &'a mut [u16],
}

impl Writer<'_> {
    fn set<T: Value>(
        &mut self,
        gene: &str,
        locus: Locus,
        choice: &Choice<T>,
        value: T,
    ) -> Result<(), SpaceError> {
        let level = choice.choices.iter().position(|&other| other == value);
        let level =
            level.ok_or_else(|| self.refuse(gene, value, format!("only {}", list(&choice.choices))))?;
        if let Some(locus) = locus {
            self.point[locus] = level as u16;
        }
        Ok(())
    }

    fn length(&self, list: &str, found: usize, expected: usize) -> Result<(), SpaceError> {
        let refuse = || self.refuse(&format!("the length of `{list}`"), found, expected.to_string());
        if found == expected { Ok(()) } else { Err(refuse()) }
    }

    fn refuse(&self, gene: &str, value: impl Value, offered: String) -> SpaceError {
        let gene = self.block.map_or_else(|| gene.into(), |block| format!("block{block}.{gene}"));
        SpaceError::Gene { gene, value: value.text(), space: self.space.into(), offered }
    }
}
