//! What several policies of bit widths on each trained network save: whole studies of the space `extended` with real genes
//! and sizes, in which only the accuracies are synthetic. Images trained on are what a trial costs, as in a real study.

use bomp_search::bo::problem::{Kind, Point, Problem};
use bomp_search::front::hypervolume;
use bomp_search::proposal::Proposer;
use bomp_search::recipe::{Mode, QuantisationMethod};
use bomp_search::space::{Limits, Policies, Space, SpaceProblem};
use bomp_search::stream::stream;
use bomp_search::study::{DataConfig, Measured, Preset, StudyConfig, Trial, TrialState};
use rand::RngExt;
use rand_distr::StandardNormal;

/// Networks trained in a study of one policy each; policies on each network in the other.
const NETWORKS: usize = 60;
const POLICIES: u64 = 4;
/// Studies of each kind.
const SEEDS: u64 = 2;
/// Held-out images.
const IMAGES: u64 = 6_000;
/// Training images.
const TRAINING: f64 = 54_000.0;

/// Accuracies of networks and what their quantisation costs.
struct Accuracies {
    problem: SpaceProblem,
    seed: u64,
    /// For each gene the best place and what being 1 away from it costs; for a width, its part in the loss of quantisation.
    genes: Vec<(f64, f64)>,
    /// What the narrowest policy loses.
    loss: f64,
}

impl Accuracies {
    fn new(config: &StudyConfig, loss: f64) -> anyhow::Result<Self> {
        let problem = SpaceProblem::new(config.space.clone(), config.limits)?.with_shared_networks();
        let mut rng = stream(config.seed, 0, "invented networks");
        let architecture = problem.shared().to_vec();
        let gene = |gene: usize| {
            let most = if architecture.contains(&gene) { 0.04 } else { 1.0 };
            (rng.random::<f64>(), most * rng.random::<f64>().powi(3))
        };
        let mut genes: Vec<(f64, f64)> = (0..problem.dimensions().len()).map(gene).collect();
        let total: f64 =
            genes.iter().enumerate().filter(|(g, _)| !architecture.contains(g)).map(|(_, g)| g.1).sum();
        for (index, gene) in genes.iter_mut().enumerate() {
            if !architecture.contains(&index) {
                gene.1 /= total;
            }
        }
        Ok(Self { problem, seed: config.seed, genes, loss })
    }

    /// Accuracy of the float network of `point`, trained in trial `weights_from`, and of `point` itself in trial `number`.
    fn of(&self, point: &Point, weights_from: u64, number: u64) -> (f64, f64) {
        let policies = Policies::new(&self.problem, [point.clone()]);
        let network = self.problem.network(&policies.narrowest(point));
        let bytes = bomp_export::layout::blob_bytes(&network) as f64;
        let macs = bomp_export::cost::macs(&network) as f64;
        let architecture = self.problem.shared();
        let value = |gene: usize| match &self.problem.dimensions()[gene].kind {
            Kind::Ordinal(c) if c.len() > 1 => (c[usize::from(point[gene])] - c[0]) / (c[c.len() - 1] - c[0]),
            _ => 0.0,
        };
        let off: f64 =
            architecture.iter().map(|&g| self.genes[g].1 * (value(g) - self.genes[g].0).powi(2)).sum();
        let small = 0.15 * (-1.3 * (bytes.log10() - 3.0)).exp() + 0.05 * (-(macs.log10() - 4.5)).exp();
        let luck = |number: u64, purpose: &str, deviation: f64| {
            deviation * stream(self.seed, number, purpose).sample::<f64, _>(StandardNormal)
        };
        let float = 0.9 - small - off + luck(weights_from, "training", 0.006);
        let widths = (0..self.genes.len()).filter(|gene| !architecture.contains(gene));
        // Each bit less doubles the step: the loss grows fourfold.
        let lost: f64 = widths.map(|g| self.genes[g].1 * 4f64.powf(-4.0 * value(g))).sum();
        let sensitivity = luck(weights_from, "sensitivity", 0.5).exp();
        let lost = self.loss * sensitivity * lost;
        let accuracy = float - 0.7 * lost / (0.7 + lost) + luck(number, "policy", 0.002);
        (float.clamp(0.1, 1.0), accuracy.clamp(0.1, 1.0))
    }
}

/// Hypervolume after each trial, by images trained on.
fn study(mode: Mode, policies: u64, loss: f64, seed: u64) -> anyhow::Result<Vec<(u64, f64)>> {
    let preset = Preset {
        mode,
        policies_per_network: policies,
        reference_accuracy: Some("60".parse().map_err(anyhow::Error::msg)?),
        ..Preset::open("two-cores")?
    };
    let data = DataConfig {
        path: "synthetic".into(),
        format: "auto".into(),
        validation: "0.1".into(),
        name: "synthetic".into(),
        sha256: String::new(),
        summary: None,
        input: None,
    };
    let limits = Limits { max_size: Some(10_000), max_macs: Some(250_000), ..Limits::default() };
    let mut config = preset.config(seed, Space::open("extended")?, limits, data);
    config.training.float.epochs = 0.5;
    config.training.qaft.epochs = 0.025;
    let accuracies = Accuracies::new(&config, loss)?;
    let proposer = Proposer::new(&config)?;
    let mut trials: Vec<Trial> = Vec::new();
    let (mut images, mut seen) = (0, Vec::new());
    let qaft = if mode.in_the_loop() == QuantisationMethod::Qaft { config.training.qaft.epochs } else { 0.0 };
    let most = (NETWORKS as f64 * TRAINING * (config.training.float.epochs + qaft)) as u64;
    while images < most {
        let last = trials.last().map(|trial| trial.weights_from.unwrap_or(trial.number));
        let Some(proposal) = proposer.next(&trials, last, &|_| true)? else { break };
        let number = trials.len() as u64;
        let weights_from = proposal.weights_from.unwrap_or(number);
        let (float, accuracy) = accuracies.of(&config.space.point(&proposal.genotype)?, weights_from, number);
        let epochs = qaft + if proposal.weights_from.is_none() { config.training.float.epochs } else { 0.0 };
        let trained_images = (TRAINING * epochs) as u64;
        images += trained_images;
        let count = |accuracy: f64| (accuracy * IMAGES as f64).round() as u64;
        let measured = Measured {
            correct: count(accuracy),
            float_correct: count(float),
            images: IMAGES,
            trained_images,
            seconds: 1.0,
            halfway: None,
            by_class: Vec::new(),
        };
        let state = TrialState::Finished(measured);
        let trial = Trial {
            number,
            genotype: proposal.genotype,
            usage: proposal.usage,
            weights_from: proposal.weights_from,
            worker: None,
            state,
        };
        trials.push(trial);
        seen.push((images, hypervolume(&config, &trials)));
    }
    Ok(seen)
}

/// Prints, for each seed, the part of the images after which several policies have what one policy has at the end.
pub(crate) fn run() -> anyhow::Result<()> {
    for (mode, loss, name) in [(Mode::QaftMp, 0.015, "QAFT, 20:1"), (Mode::PtqMp, 0.25, "PTQ")] {
        println!(
            "\nINVENTED accuracies: images to the hypervolume of {NETWORKS} networks of one policy, {POLICIES} policies, {name}"
        );
        for seed in 0..SEEDS {
            let one = study(mode, 1, loss, seed)?;
            let several = study(mode, POLICIES, loss, seed)?;
            let (whole, end) = one[one.len() - 1];
            let part = |of: &[(u64, f64)]| {
                of.iter().find(|(_, h)| *h >= end).map(|(images, _)| *images as f64 / whole as f64)
            };
            let at_half = |of: &[(u64, f64)]| {
                of.iter().take_while(|(i, _)| 2 * i <= whole).last().map_or(0.0, |(_, h)| *h)
            };
            println!(
                "seed {seed}: one {end:.4} (half {:.4}), several {:.4} (half {:.4}), {} trials; reached after {:.2?} of the images",
                at_half(&one),
                several[several.len() - 1].1,
                at_half(&several),
                several.len(),
                part(&several),
            );
        }
    }
    Ok(())
}
