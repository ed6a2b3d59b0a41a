//! A space within limits as the optimiser sees it: the cost of a point is log10 of the bytes of its blob, exact.

use bomp_export::cost::macs;
use bomp_export::ir::Network;
use bomp_export::layout::blob_bytes;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::bo::problem::{Dimension, Point, Problem};

use super::Space;
use super::error::LimitsError;
use super::features::features;
use super::limits::Limits;
use super::repair::Repair;

/// The networks of a space that are within limits.
#[derive(Clone, Debug)]
pub struct SpaceProblem {
    space: Space,
    limits: Limits,
    dimensions: Vec<Dimension>,
    /// A network within the limits, small: where repair ends if all else fails.
    fallback: Point,
    fallback_bytes: usize,
    fallback_macs: u64,
    /// The genes of a trained float network, if several trials share one.
    shared: Vec<usize>,
}

impl SpaceProblem {
    /// The networks of `space` within `limits`.
    ///
    /// # Errors
    /// With the smallest values that can be reached, if no network is within the limits.
    pub fn new(space: Space, limits: Limits) -> Result<Self, LimitsError> {
        let genotype = space.within(&limits)?;
        let fallback = space.point(&genotype).expect("the search for it stays within the space");
        let network = space.network(&genotype);
        let (fallback_bytes, fallback_macs) = (blob_bytes(&network), macs(&network));
        let dimensions = space
            .genes()
            .iter()
            .map(|gene| Dimension::ordinal(&*gene.name, gene.coordinates.iter().copied()));
        Ok(Self {
            dimensions: dimensions.collect(),
            fallback,
            fallback_bytes,
            fallback_macs,
            shared: Vec::new(),
            limits,
            space,
        })
    }

    /// The same problem, in which trials of equal architecture share a trained float network.
    #[must_use]
    pub fn with_shared_networks(self) -> Self {
        Self { shared: super::policies::architecture(&self), ..self }
    }

    /// The space.
    #[must_use]
    pub fn space(&self) -> &Space {
        &self.space
    }

    /// The limits.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The network of a point.
    ///
    /// # Panics
    /// If the point is not of this space.
    #[must_use]
    pub fn network(&self, point: &[u16]) -> Network {
        self.space.network(&self.space.genotype(point))
    }

    /// The seed network, if necessary reduced to the limits: always to the same network.
    #[must_use]
    pub fn seed(&self) -> Point {
        let seed = self.space.point(&self.space.seed()).expect("the seed is of the space");
        self.repair().steepest(seed)
    }

    fn repair(&self) -> Repair<'_> {
        Repair { space: &self.space, limits: self.limits, fallback: &self.fallback }
    }
}

impl Problem for SpaceProblem {
    fn dimensions(&self) -> &[Dimension] {
        &self.dimensions
    }

    fn canonicalise(&self, point: &mut [u16]) {
        self.space.canonicalise(point);
    }

    fn costs(&self, points: &[Point]) -> Vec<Option<f64>> {
        let cost = |point: &Point| {
            let network = self.network(point);
            self.limits.admit(&network).then(|| (blob_bytes(&network) as f64).log10())
        };
        points.iter().map(cost).collect()
    }

    /// What is known of a network before it is trained.
    fn features(&self, points: &[Point]) -> Vec<Vec<f64>> {
        points.iter().map(|point| features(&self.network(point))).collect()
    }

    fn shared(&self) -> &[usize] {
        &self.shared
    }

    /// Each gene uniform, then reduced where necessary: half of the points to the limits, half to a size drawn
    /// log-uniformly below that, because the front to be found spans all sizes and uniform genes give large networks; and
    /// half of either to MACs drawn in the same way, because large networks of few MACs are rare among uniform genes, too,
    /// and often the best of their size.
    fn sample(&self, rng: &mut ChaCha8Rng) -> Point {
        let mut point: Point =
            self.dimensions.iter().map(|d| rng.random_range(0..d.levels()) as u16).collect();
        self.canonicalise(&mut point);
        let network = self.network(&point);
        let mut repair = self.repair();
        let mut draw = |least: f64, most: f64| {
            let (least, most) = (least.ln(), most.ln());
            rng.random_bool(0.5).then(|| (least + (most - least).max(0.0) * rng.random::<f64>()).exp().ceil())
        };
        let bytes = blob_bytes(&network).min(self.limits.max_size.unwrap_or(usize::MAX));
        if let Some(size) = draw(self.fallback_bytes as f64, bytes as f64) {
            repair.limits.max_size = Some(size as usize);
        }
        let operations = macs(&network).min(self.limits.max_macs.unwrap_or(u64::MAX));
        if let Some(most) = draw(self.fallback_macs as f64, operations as f64) {
            repair.limits.max_macs = Some(most as u64);
        }
        repair.random(point, rng)
    }
}
