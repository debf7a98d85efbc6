//! A network of its own for each test: a namespace per broker, a bridge between them, ways that can be
//! cut in one direction.
//!
//! A cut is silent, as a cut cable is: the sender believes in a neighbour that does not exist, so its
//! packets leave and arrive nowhere, while those of the other direction go through. Needs the right to
//! make namespaces; where the kernel refuses, the tests that want it say so and end.

use std::net::Ipv4Addr;
use std::process::{Command, Stdio};

/// The tool that makes networks.
pub(crate) const IP: &str = "/usr/sbin/ip";
/// Hardware address of nobody.
const NOBODY: &str = "02:00:00:00:de:ad";

/// See the module; everything is taken down when it is dropped.
pub(crate) struct Network {
    name: String,
    subnet: u8,
    size: usize,
}

fn ip(arguments: &[&str]) -> Result<(), String> {
    let output = Command::new(IP)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("{IP}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(format!("ip {}: {said}", arguments.join(" ")))
}

impl Network {
    /// Makes namespaces for `size` brokers.
    ///
    /// # Errors
    /// Why the kernel refuses.
    pub(crate) fn new(size: usize) -> Result<Self, String> {
        let process = std::process::id();
        let mut refused = String::new();
        // Somebody else may have the first.
        for attempt in 0..8 {
            let subnet = ((process + attempt * 31) % 250) as u8;
            let network = Self {
                name: format!("rf{process}x{attempt}"),
                subnet,
                size,
            };
            match network.make() {
                Ok(()) => return Ok(network),
                Err(why) => refused = why,
            }
        }
        Err(refused)
    }

    fn make(&self) -> Result<(), String> {
        let bridge = self.bridge();
        ip(&["link", "add", &bridge, "type", "bridge"])?;
        let outside = format!("{}/24", self.address(self.size));
        ip(&["address", "add", &outside, "dev", &bridge])?;
        ip(&["link", "set", &bridge, "up"])?;
        for node in 0..self.size {
            let space = self.space(node);
            let outer = format!("{bridge}v{node}");
            ip(&["netns", "add", &space])?;
            ip(&[
                "link", "add", &outer, "type", "veth", "peer", "name", "eth0", "netns", &space,
            ])?;
            ip(&["link", "set", &outer, "master", &bridge, "up"])?;
            let inside = format!("{}/24", self.address(node));
            ip(&["-n", &space, "address", "add", &inside, "dev", "eth0"])?;
            ip(&["-n", &space, "link", "set", "eth0", "up"])?;
            ip(&["-n", &space, "link", "set", "lo", "up"])?;
        }
        Ok(())
    }

    fn bridge(&self) -> String {
        self.name.clone()
    }

    /// Name of a broker's namespace.
    pub(crate) fn space(&self, node: usize) -> String {
        format!("{}n{node}", self.name)
    }

    /// Address of a broker; the one behind the last is this process's own.
    pub(crate) fn address(&self, node: usize) -> Ipv4Addr {
        Ipv4Addr::new(10, 213, self.subnet, 1 + node as u8)
    }

    /// Cuts the way from one broker to another.
    pub(crate) fn cut(&self, from: usize, to: usize) {
        let (space, to) = (self.space(from), self.address(to).to_string());
        ip(&[
            "-n",
            &space,
            "neigh",
            "replace",
            &to,
            "lladdr",
            NOBODY,
            "dev",
            "eth0",
            "nud",
            "permanent",
        ])
        .unwrap();
    }

    /// Cuts a broker off from all others, in both directions; clients still reach it.
    pub(crate) fn isolate(&self, node: usize) {
        for other in (0..self.size).filter(|other| *other != node) {
            self.cut(node, other);
            self.cut(other, node);
        }
    }

    /// Opens every way.
    pub(crate) fn mend(&self) {
        for from in 0..self.size {
            let space = self.space(from);
            for to in (0..self.size).filter(|to| *to != from) {
                // It is only there if it was cut.
                let to = self.address(to).to_string();
                let _ = ip(&["-n", &space, "neigh", "del", &to, "dev", "eth0"]);
            }
        }
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for node in 0..self.size {
            // What was not made cannot be taken down.
            let _ = ip(&["netns", "del", &self.space(node)]);
        }
        let _ = ip(&["link", "del", &self.bridge()]);
    }
}
