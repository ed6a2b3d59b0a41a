//! Renews the lease of the trial in work, on a thread and a connection of its own, and says when it was lost.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::{Lease, Storage};

/// Renewals for each period of grace: three of four may be late or lost.
const RENEWALS: u32 = 4;

/// What is being renewed, and the flag that tells of its loss.
type Watched = Option<(Lease, Arc<AtomicBool>)>;

/// Beats until it is dropped.
#[derive(Debug)]
pub struct Heartbeat {
    watched: Arc<Mutex<Watched>>,
    /// The thread ends when this is dropped; nobody waits for it, for its server may be away.
    _stop: Sender<()>,
}

impl Heartbeat {
    /// Renews through `storage` four times in each `grace`.
    #[must_use]
    pub fn start(mut storage: Box<dyn Storage>, grace: Duration) -> Self {
        let watched = Arc::new(Mutex::new(None::<(Lease, Arc<AtomicBool>)>));
        let (stop, stopped) = mpsc::channel();
        let shared = Arc::clone(&watched);
        std::thread::spawn(move || {
            while stopped.recv_timeout(grace / RENEWALS) == Err(RecvTimeoutError::Timeout) {
                let now = shared.lock().unwrap_or_else(PoisonError::into_inner).clone();
                let Some((lease, lost)) = now else { continue };
                // A store that cannot be reached says nothing about the lease; it may be back at the next beat.
                if matches!(storage.renew(lease), Ok(false)) {
                    lost.store(true, Ordering::Relaxed);
                }
            }
        });
        Self { watched, _stop: stop }
    }

    /// Renews this lease from now on. The flag is set when another worker has the trial, so that going on is of no use.
    #[must_use]
    pub fn watch(&self, lease: Lease) -> Arc<AtomicBool> {
        let lost = Arc::new(AtomicBool::new(false));
        *self.watched.lock().unwrap_or_else(PoisonError::into_inner) = Some((lease, Arc::clone(&lost)));
        lost
    }

    /// Renews nothing until the next trial.
    pub fn rest(&self) {
        *self.watched.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}
