//! The end of the process: who is told, in which order, and how long each may take.
//!
//! SIGTERM and SIGINT ask for an orderly end; a second one ends the process at once, which is safe
//! at any moment because everything acknowledged is on disk. Order: the gateway refuses new requests
//! and finishes what it has; the broker drains, takes a snapshot and closes; the exporter writes what
//! it received. A part that hangs does not keep the process: after [`END_WITHIN`] it ends anyway,
//! with an error code.

use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Longest orderly end.
pub const END_WITHIN: Duration = Duration::from_secs(30);

/// The signals that end the process.
#[derive(Debug)]
pub struct EndSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl EndSignals {
    /// Takes the signals over; call before anything is started that must be stopped.
    ///
    /// # Errors
    /// If the system refuses the handlers.
    pub fn register() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Waits for the next signal and names it.
    pub async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }

    /// Ends the process with code 1 after [`END_WITHIN`], or at the next signal.
    pub async fn end_anyway(mut self) {
        let why = match tokio::time::timeout(END_WITHIN, self.next()).await {
            Ok(signal) => signal,
            Err(_elapsed) => "the orderly end took too long",
        };
        tracing::error!(why, "the process ends at once");
        std::process::exit(1);
    }
}
