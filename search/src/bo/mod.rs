//! Bayesian optimisation of two objectives over discrete spaces: a value to raise, known only by trying, against a cost
//! to lower that is known beforehand (or is not: then it is modelled like the value).
//!
//! It knows nothing of networks. Whoever has a [`problem::Problem`] keeps a [`history::History`] and asks a
//! [`strategy::Strategy`] what to try next. Below that, each module needs only those before it:
//! [`problem`], [`pareto`], [`preference`], [`history`]; [`candidates`]; `cholesky`, `lbfgs`, [`inputs`], [`kernel`], [`warp`], `fit`, [`gp`];
//! [`acquisition`], `failures`, `surrogate`; [`strategy`]; [`diagnosis`] shows what the surrogate believes.
//!
//! Guarantees: what is proposed is canonical, feasible and (but for the baseline `paper`) was not tried before; all randomness comes from the stream
//! that the caller passes, and nothing is remembered between two calls, so equal situations give equal proposals.

pub mod acquisition;
pub mod candidates;
mod cholesky;
pub mod diagnosis;
mod failures;
mod fit;
pub mod gp;
pub mod history;
pub mod inputs;
pub mod kernel;
mod lbfgs;
pub mod pareto;
pub mod preference;
pub mod problem;
pub mod strategy;
mod surrogate;
pub mod warp;
