//! Networks over a limit made smaller, gene by gene, until they are within it.
//!
//! Every reduction lowers the excess over the limits, so repair ends; where no reduction does, which is possible close to
//! the smallest networks, it ends at a network that is known to be within the limits.

use std::ops::Range;

use rand::RngExt;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::bo::problem::Point;

use super::Space;
use super::genes::Role;
use super::limits::Limits;

/// Readiness to reduce a gene that saves little, relative to one that saves much.
const LITTLE: f64 = 0.1;

/// What points are repaired to.
pub(super) struct Repair<'a> {
    pub(super) space: &'a Space,
    pub(super) limits: Limits,
    /// A canonical point within the limits.
    pub(super) fallback: &'a Point,
}

impl Repair<'_> {
    /// `point`, canonical, reduced at random: each time a gene that may help is set to any smaller choice. So networks
    /// just within tight limits stay as different as the ones they came from.
    pub(super) fn random(&self, mut point: Point, rng: &mut ChaCha8Rng) -> Point {
        let mut excesses = self.excesses(&point);
        while excesses.iter().any(|&excess| excess > 0.0) {
            let helpful = self.draw(excesses.map(|excess| excess > 0.0), rng).into_iter().find_map(|gene| {
                let smaller = self.smaller(&point, gene);
                let level = if smaller.is_empty() { None } else { Some(rng.random_range(smaller)) };
                let (reduced, left) = self.set(&point, gene, level?);
                (total(left) < total(excesses)).then_some((reduced, left))
            });
            match helpful {
                Some(reduced) => (point, excesses) = reduced,
                None => return self.approach(point, rng),
            }
        }
        point
    }

    /// `point`, canonical, reduced one choice at a time, each time by what lowers the excess most. Width multipliers and
    /// bit widths are spared while anything else helps: a block of a single channel would cut off all before it.
    pub(super) fn steepest(&self, mut point: Point) -> Point {
        let mut excess = total(self.excesses(&point));
        while excess > 0.0 {
            let reductions = |spared: bool| {
                let genes = (0..point.len()).filter(move |&gene| self.is_spared(gene) == spared);
                let reduced = genes.filter_map(|gene| {
                    let next = self.smaller(&point, gene).min_by_key(|level| level.abs_diff(point[gene]))?;
                    let (reduced, left) = self.set(&point, gene, next);
                    Some((total(left), reduced)).filter(|(left, _)| *left < excess)
                });
                reduced.min_by(|a, b| a.0.total_cmp(&b.0))
            };
            match reductions(false).or_else(|| reductions(true)) {
                Some(reduced) => (excess, point) = reduced,
                None => return self.fallback.clone(),
            }
        }
        point
    }

    fn is_spared(&self, gene: usize) -> bool {
        matches!(self.space.genes()[gene].role, Role::Width | Role::Bits)
    }

    /// The genes whose reduction may help where size, RAM, MACs are over the limits, in random order. Bit widths and
    /// depthwise kernels save little; as likely as the others, they would all end at their lowest choice for nothing.
    fn draw(&self, over: [bool; 3], rng: &mut ChaCha8Rng) -> Vec<usize> {
        let [bytes, ram, macs] = over;
        let weight = |role| match role {
            Role::Bits => (bytes, LITTLE),
            Role::Kernel => (bytes || macs, LITTLE),
            Role::StemStride | Role::Reduction => (ram || macs, 1.0),
            Role::Width | Role::Expansion | Role::Repetitions | Role::Filters => (true, 1.0),
        };
        let weights = self.space.genes().iter().enumerate().map(|(index, gene)| (index, weight(gene.role)));
        // Of exponential variables each is the smallest with a probability proportional to its rate.
        let mut timed: Vec<(f64, usize)> = weights
            .filter(|(_, (helps, _))| *helps)
            .map(|(index, (_, weight))| (-(1.0 - rng.random::<f64>()).ln() / weight, index))
            .collect();
        timed.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        timed.into_iter().map(|(_, gene)| gene).collect()
    }

    /// The choices of `gene` that nearly always take less than that of `point`.
    fn smaller(&self, point: &Point, gene: usize) -> Range<u16> {
        let (level, gene) = (point[gene], &self.space.genes()[gene]);
        if gene.role == Role::StemStride { level + 1..gene.coordinates.len() as u16 } else { 0..level }
    }

    /// The canonical form of `point` with another choice of `gene`, and its excesses.
    fn set(&self, point: &Point, gene: usize, level: u16) -> (Point, [f64; 3]) {
        let mut point = point.clone();
        point[gene] = level;
        self.space.canonicalise(&mut point);
        let excesses = self.excesses(&point);
        (point, excesses)
    }

    /// Sets genes of `point` in random order to those of the fallback until it is within the limits.
    fn approach(&self, mut point: Point, rng: &mut ChaCha8Rng) -> Point {
        let mut genes: Vec<usize> = (0..point.len()).collect();
        genes.shuffle(rng);
        for gene in genes {
            point[gene] = self.fallback[gene];
            let mut canonical = point.clone();
            self.space.canonicalise(&mut canonical);
            if total(self.excesses(&canonical)) == 0.0 {
                return canonical;
            }
        }
        self.fallback.clone()
    }

    fn excesses(&self, point: &Point) -> [f64; 3] {
        self.limits.excesses(&self.space.network(&self.space.genotype(point)))
    }
}

fn total(excesses: [f64; 3]) -> f64 {
    excesses.iter().sum()
}
