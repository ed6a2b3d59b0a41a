//! The search space: which networks there are, what each is, and what it takes of a device before it is trained.
//!
//! Data flow: [`definition::Definition`] (TOML) -> [`Space`] -> points (indices of choices) <-> [`genotype::Genotype`]
//! (values) -> `bomp_export::ir::Network`. Every genotype of a [`Space`] gives a network that can be packed
//! (weights of 16 bits excepted: they can only be scored), and genotypes
//! that mean the same have one canonical point. Built in are Table I of the paper for CIFAR-10 (`paper`) and CIFAR-100
//! (`paper-cifar100`), and `extended` for microcontrollers.

mod cardinality;
mod check;
mod coding;
pub mod definition;
mod error;
mod features;
mod genes;
pub mod genotype;
mod limits;
mod network;
mod policies;
mod problem;
mod reductions;
mod repair;
mod smallest;
#[cfg(test)]
mod tests;

use std::path::Path;

use bomp_export::files;
use bomp_export::ir::{Bits, Network, Shape};
use serde::{Deserialize, Serialize};

pub use cardinality::Cardinality;
pub use error::{LimitsError, SpaceError};
pub use genes::Gene;
pub use limits::{Limits, Usage};
pub use policies::{NewNetworks, Policies};
pub use problem::SpaceProblem;

use crate::bo::problem::Point;
use definition::{Choice, Definition};
use genes::Genes;
use genotype::Genotype;

/// The built-in spaces, name and definition.
const BUILT_IN: [(&str, &str); 5] = [
    ("paper", include_str!("builtin/paper.toml")),
    ("paper-cifar100", include_str!("builtin/paper-cifar100.toml")),
    ("extended", include_str!("builtin/extended.toml")),
    ("micro", include_str!("builtin/micro.toml")),
    ("small", include_str!("builtin/small.toml")),
];

/// A search space of which every genotype gives a network that can be packed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Definition", into = "Definition")]
pub struct Space {
    definition: Definition,
    genes: Genes,
}

impl Space {
    /// A space from its definition.
    ///
    /// # Errors
    /// The first field that no network could be built from.
    pub fn new(definition: Definition) -> Result<Self, SpaceError> {
        let origin = format!("search space `{}`", definition.name);
        Self::checked(definition, &origin)
    }

    /// The built-in space of this name, or else the one in the TOML file at this path.
    ///
    /// # Errors
    /// As [`Space::load`].
    pub fn open(name_or_path: &str) -> Result<Self, SpaceError> {
        match BUILT_IN.iter().find(|(name, _)| *name == name_or_path) {
            Some((_, text)) => Self::parse(text, Path::new(name_or_path)),
            None => Self::load(Path::new(name_or_path)),
        }
    }

    /// The names of the built-in spaces.
    pub fn names() -> impl Iterator<Item = &'static str> {
        BUILT_IN.iter().map(|(name, _)| *name)
    }

    /// The definition of the built-in space of this name, or else of the file at this path, as text.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn text(name_or_path: &str) -> Result<String, SpaceError> {
        match BUILT_IN.iter().find(|(name, _)| *name == name_or_path) {
            Some((_, text)) => Ok((*text).to_owned()),
            None => Self::read(Path::new(name_or_path)),
        }
    }

    /// Whether `name` is that of a built-in space.
    #[must_use]
    pub fn is_built_in(name: &str) -> bool {
        BUILT_IN.iter().any(|(built_in, _)| *built_in == name)
    }

    /// The space in a TOML file, laid out as [`Definition`].
    ///
    /// # Errors
    /// Names the file, the line or field, and what would be right.
    pub fn load(path: &Path) -> Result<Self, SpaceError> {
        Self::parse(&Self::read(path)?, path)
    }

    fn read(path: &Path) -> Result<String, SpaceError> {
        files::read_untrusted_text(path, files::limit::TEXT).map_err(|source| SpaceError::Read {
            path: path.into(),
            source,
            built_in: BUILT_IN.map(|(name, _)| name).join(", "),
        })
    }

    fn parse(text: &str, path: &Path) -> Result<Self, SpaceError> {
        let definition = toml::from_str(text).map_err(|error| SpaceError::Syntax {
            path: path.into(),
            line: 1 + text[..error.span().map_or(0, |span| span.start)].matches('\n').count(),
            message: match error.message() {
                _ if text.contains("final_training") => "it is a preset: give it to --preset".into(),
                message => message.replace('\n', ", "),
            },
        })?;
        Self::checked(definition, &path.display().to_string())
    }

    fn checked(definition: Definition, origin: &str) -> Result<Self, SpaceError> {
        check::check(&definition).map_err(|(field, problem)| SpaceError::Field {
            origin: origin.into(),
            field,
            problem,
        })?;
        Ok(Self { genes: Genes::of(&definition), definition })
    }

    /// The same space for images of another shape and another number of classes.
    ///
    /// # Errors
    /// If some network of the space could not be packed for them.
    pub fn with_input(self, input: Shape, classes: usize) -> Result<Self, SpaceError> {
        Self::new(Definition { input, classes, ..self.definition })
    }

    /// The same space with other weight widths; the seed network keeps its width if that is among them, else it has the
    /// widest.
    ///
    /// # Errors
    /// If `bits` are not ascending, or not widths.
    pub fn with_bits(self, bits: &[u8]) -> Result<Self, SpaceError> {
        let origin = format!("search space `{}`", self.definition.name);
        let wrong = |problem: String| SpaceError::Field { origin, field: "bits".into(), problem };
        let widths: Result<Vec<Bits>, _> = bits.iter().map(|&bits| Bits::try_from(bits)).collect();
        let choices = widths.map_err(|error| wrong(error.to_string()))?;
        let kept = choices.iter().find(|&&width| width == self.definition.bits.seed);
        let seed = kept.or(choices.last()).copied().unwrap_or(Bits::MAX);
        Self::new(Definition { bits: Choice { choices, seed }, ..self.definition })
    }

    /// What the space was made from.
    #[must_use]
    pub fn definition(&self) -> &Definition {
        &self.definition
    }

    /// The genes that have a choice, in the order of a point.
    #[must_use]
    pub fn genes(&self) -> &[Gene] {
        &self.genes.list
    }

    /// The number of bit-width slots, one for each (block, layer kind) that some network of the space has.
    #[must_use]
    pub fn slots(&self) -> u32 {
        cardinality::slots(&self.definition)
    }

    /// How many networks the space holds.
    #[must_use]
    pub fn cardinality(&self) -> Cardinality {
        Cardinality::of(&self.definition)
    }

    /// The seed network: trial 0 of every study.
    #[must_use]
    pub fn seed(&self) -> Genotype {
        let point: Point = self.genes.list.iter().map(|gene| gene.seed).collect();
        self.genotype(&point)
    }

    /// The genotype of a point.
    ///
    /// # Panics
    /// If the point is not of this space.
    #[must_use]
    pub fn genotype(&self, point: &[u16]) -> Genotype {
        self.genes.genotype(&self.definition, point)
    }

    /// The canonical point of a genotype: the same for all genotypes that give the same network.
    ///
    /// # Errors
    /// The first gene whose value the space does not offer.
    pub fn point(&self, genotype: &Genotype) -> Result<Point, SpaceError> {
        self.genes.point(&self.definition, genotype)
    }

    /// Replaces a point by the canonical one that gives the same network. Idempotent.
    ///
    /// # Panics
    /// If the point is not of this space.
    pub fn canonicalise(&self, point: &mut [u16]) {
        let canonical = self.point(&self.genotype(point)).expect("a decoded genotype is of its space");
        point.copy_from_slice(&canonical);
    }

    /// The network of a genotype of this space. It passes `Network::validate`.
    #[must_use]
    pub fn network(&self, genotype: &Genotype) -> Network {
        network::network(&self.definition, genotype)
    }
}

impl TryFrom<Definition> for Space {
    type Error = SpaceError;

    fn try_from(definition: Definition) -> Result<Self, SpaceError> {
        Self::new(definition)
    }
}

impl From<Space> for Definition {
    fn from(space: Space) -> Self {
        space.definition
    }
}
