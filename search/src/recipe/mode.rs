//! The modes of the search: which bit widths there are, and how a network is quantised in the loop
//! and after it.
//!
//! They are the rows that the paper compares (van Son et al., "BOMP-NAS", 2023, figures 5 and 8,
//! tables III and IV).

use serde::{Deserialize, Serialize};

/// A row of the paper.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// BOMP-NAS itself: mixed precision, with quantisation-aware fine-tuning in each trial.
    #[default]
    QaftMp,
    /// Quantisation-aware fine-tuning in each trial, every layer at 4 bits.
    #[value(name = "qaft-4")]
    #[serde(rename = "qaft-4")]
    Qaft4,
    /// Quantisation-aware fine-tuning in each trial, every layer at 8 bits.
    #[value(name = "qaft-8")]
    #[serde(rename = "qaft-8")]
    Qaft8,
    /// Mixed precision by post-training quantisation; `finalise --quantisation qaft` fine-tunes the
    /// networks that were found.
    PtqMp,
    /// Every layer at 8 bits, by post-training quantisation.
    #[value(name = "ptq-8")]
    #[serde(rename = "ptq-8")]
    Ptq8,
    /// Searched in float; quantised to 8 bits only afterwards ("post-NAS").
    Float,
    /// JASQ (Chen et al. 2018) as the paper reproduces it: 4, 8 or 16 bits by post-training
    /// quantisation. 16-bit weights are scored, but no device runs them.
    Jasq,
}

/// How a trained float network becomes a quantised one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum QuantisationMethod {
    /// It does not: the float network is scored.
    None,
    /// Post-training quantisation.
    Ptq,
    /// Post-training quantisation, then quantisation-aware fine-tuning.
    Qaft,
}

impl QuantisationMethod {
    /// Its name on the command line and in files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Ptq => "ptq",
            Self::Qaft => "qaft",
        }
    }
}

impl Mode {
    /// The weight widths of every layer; `None` leaves them to the space.
    #[must_use]
    pub fn bits(self) -> Option<&'static [u8]> {
        match self {
            Self::QaftMp | Self::PtqMp => None,
            Self::Qaft4 => Some(&[4]),
            Self::Qaft8 | Self::Ptq8 | Self::Float => Some(&[8]),
            Self::Jasq => Some(&[4, 8, 16]),
        }
    }

    /// What is done to a trial's network before it is scored.
    #[must_use]
    pub fn in_the_loop(self) -> QuantisationMethod {
        match self {
            Self::QaftMp | Self::Qaft4 | Self::Qaft8 => QuantisationMethod::Qaft,
            Self::PtqMp | Self::Ptq8 | Self::Jasq => QuantisationMethod::Ptq,
            Self::Float => QuantisationMethod::None,
        }
    }

    /// What is done to a network of the front, unless the user says otherwise. A device needs some
    /// quantisation.
    #[must_use]
    pub fn afterwards(self) -> QuantisationMethod {
        match self.in_the_loop() {
            QuantisationMethod::Qaft => QuantisationMethod::Qaft,
            QuantisationMethod::Ptq | QuantisationMethod::None => QuantisationMethod::Ptq,
        }
    }
}
