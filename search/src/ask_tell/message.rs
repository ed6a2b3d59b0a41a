//! The lines of the protocol.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A client's line: exactly one of the fields.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Request {
    pub(super) ask: Option<usize>,
    pub(super) tell: Option<Vec<Told>>,
    pub(super) front: Option<bool>,
    pub(super) cost: Option<Vec<Option<f64>>>,
}

/// How a trial ended: exactly one of `values` and `failed`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Told {
    pub(super) id: usize,
    pub(super) values: Option<BTreeMap<String, f64>>,
    pub(super) failed: Option<String>,
}

/// Names of parameters and the choices made.
pub(super) type Params = Map<String, Value>;

/// A trial to be carried out.
#[derive(Debug, Serialize)]
pub(super) struct Asked {
    pub(super) id: usize,
    pub(super) params: Params,
}

/// A member of the front.
#[derive(Debug, Serialize)]
pub(super) struct Member {
    pub(super) id: usize,
    pub(super) params: Params,
    pub(super) values: BTreeMap<String, f64>,
}

/// The server's line.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Answer {
    Trials {
        trials: Vec<Asked>,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        exhausted: bool,
    },
    Cost {
        cost: Vec<Params>,
    },
    Ok {
        ok: bool,
    },
    Front {
        front: Vec<Member>,
        hypervolume: f64,
    },
    Error {
        error: String,
    },
}

impl Answer {
    pub(super) fn error(what: impl Into<String>) -> Self {
        Self::Error { error: what.into() }
    }
}
