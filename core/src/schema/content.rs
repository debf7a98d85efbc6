//! What may follow what inside an element: an automaton over the places of a content model.
//!
//! A state is the place (leaf) that took the last child; the model says which places may come next.
//! Content models are deterministic by definition, so the first place that takes a child is the
//! only one. Places that may be taken between `min` and `max` times are counted, not repeated.

use super::{Name, Namespace, Schema, TypeId};

/// One place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Leaf {
    pub what: What,
    pub min: u32,
    pub max: Option<u32>,
}

/// What a place takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum What {
    /// A global element or what may stand for it.
    Global(Name),
    /// An element that exists in this type only.
    Local { name: Name, type_id: TypeId },
    /// Any element, or any of another namespace than this.
    Wildcard {
        other_than: Option<Namespace>,
        /// The element has to be declared.
        strict: bool,
    },
}

/// A content model before it is an automaton.
#[derive(Clone, Debug)]
pub(super) enum Particle {
    Leaf(Leaf),
    /// Sequences of which one has to be there.
    Group(Vec<Vec<Particle>>),
}

impl Particle {
    pub(super) fn leaf(leaf: Leaf) -> Self {
        Self::Leaf(leaf)
    }

    pub(super) fn group(alternatives: Vec<Vec<Self>>) -> Self {
        Self::Group(alternatives)
    }
}

/// The automaton.
#[derive(Debug, Default)]
pub(super) struct Content {
    leaves: Vec<Leaf>,
    /// Places that may come first.
    first: Vec<usize>,
    /// Places that may come after each place, itself included if it repeats.
    follow: Vec<Vec<usize>>,
    /// Places after which nothing is missing.
    last: Vec<usize>,
    /// True if nothing has to be there.
    nullable: bool,
}

/// The places at the edges of a part.
#[derive(Default)]
struct Edges {
    first: Vec<usize>,
    last: Vec<usize>,
    nullable: bool,
}

/// Where a walk through a content model stands.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct State {
    at: Option<usize>,
    /// How often the place was taken in a row.
    count: u32,
}

/// Why a child may not stand where it stands, or why children are missing.
#[derive(Debug)]
pub(super) enum Mismatch {
    /// One of these places is next; none if nothing may follow.
    Expected(Vec<What>),
    /// This place was not taken often enough.
    TooFew { what: What, min: u32, missing: u32 },
    /// This place was taken as often as it may be; then one of these.
    TooMany {
        what: What,
        max: u32,
        next: Vec<What>,
    },
}

impl Content {
    pub(super) fn new(particles: &[Particle]) -> Self {
        let mut content = Self::default();
        let edges = content.sequence(particles);
        content.first = edges.first;
        content.last = edges.last;
        content.nullable = edges.nullable;
        content
    }

    fn sequence(&mut self, particles: &[Particle]) -> Edges {
        let mut all = Edges {
            nullable: true,
            ..Edges::default()
        };
        for particle in particles {
            let part = match particle {
                Particle::Leaf(leaf) => self.place(*leaf),
                Particle::Group(alternatives) => {
                    let mut group = Edges::default();
                    for alternative in alternatives {
                        let edges = self.sequence(alternative);
                        group.first.extend(edges.first);
                        group.last.extend(edges.last);
                        group.nullable |= edges.nullable;
                    }
                    group
                }
            };
            for last in &all.last {
                self.follow[*last].extend(&part.first);
            }
            if all.nullable {
                all.first.extend(&part.first);
            }
            if part.nullable {
                all.last.extend(&part.last);
            } else {
                all.last = part.last;
            }
            all.nullable &= part.nullable;
        }
        all
    }

    fn place(&mut self, leaf: Leaf) -> Edges {
        let at = self.leaves.len();
        self.leaves.push(leaf);
        self.follow.push(if leaf.max == Some(1) {
            Vec::new()
        } else {
            vec![at]
        });
        Edges {
            first: vec![at],
            last: vec![at],
            nullable: leaf.min == 0,
        }
    }

    /// True if no element may be inside.
    pub(super) fn is_empty(&self) -> bool {
        self.leaves.is_empty()
    }

    /// The places that may come next, in their order, each once.
    fn next(&self, state: State) -> Vec<usize> {
        let mut next = match state.at {
            Some(at) => self.follow[at].clone(),
            None => self.first.clone(),
        };
        next.sort_unstable();
        next.dedup();
        next
    }

    fn expected(&self, places: impl IntoIterator<Item = usize>) -> Vec<What> {
        let mut expected: Vec<What> = Vec::new();
        for place in places {
            let what = self.leaves[place].what;
            if !expected.contains(&what) {
                expected.push(what);
            }
        }
        expected
    }

    /// Takes a child; says which place took it.
    pub(super) fn take(
        &self,
        schema: &Schema,
        state: &mut State,
        namespace: Option<&str>,
        name: &str,
    ) -> Result<What, Mismatch> {
        let next = self.next(*state);
        let found = next
            .iter()
            .copied()
            .find(|place| takes(schema, self.leaves[*place].what, namespace, name));
        let current = state.at.map(|at| (at, self.leaves[at]));
        let Some(place) = found else {
            if let Some((_, leaf)) = current
                && state.count < leaf.min
            {
                return Err(too_few(leaf, state.count));
            }
            return Err(Mismatch::Expected(self.expected(next)));
        };
        match current {
            Some((at, leaf)) if at == place => {
                if let Some(max) = leaf.max
                    && state.count == max
                {
                    let others = next.into_iter().filter(|place| *place != at);
                    return Err(Mismatch::TooMany {
                        what: leaf.what,
                        max,
                        next: self.expected(others),
                    });
                }
                state.count += 1;
            }
            Some((_, leaf)) if state.count < leaf.min => {
                return Err(too_few(leaf, state.count));
            }
            Some(_) | None => {
                *state = State {
                    at: Some(place),
                    count: 1,
                };
            }
        }
        Ok(self.leaves[place].what)
    }

    /// Says whether anything is missing at the end.
    pub(super) fn end(&self, state: State) -> Result<(), Mismatch> {
        let complete = match state.at {
            None => self.nullable,
            Some(at) => {
                let leaf = self.leaves[at];
                if state.count < leaf.min {
                    return Err(too_few(leaf, state.count));
                }
                self.last.contains(&at)
            }
        };
        if complete {
            Ok(())
        } else {
            Err(Mismatch::Expected(self.expected(self.next(state))))
        }
    }
}

fn too_few(leaf: Leaf, count: u32) -> Mismatch {
    Mismatch::TooFew {
        what: leaf.what,
        min: leaf.min,
        missing: leaf.min - count,
    }
}

fn takes(schema: &Schema, what: What, namespace: Option<&str>, name: &str) -> bool {
    match what {
        What::Global(head) => schema
            .global(namespace, name)
            .is_some_and(|found| schema.stands_for(found.name, head)),
        What::Local {
            name: (of, local), ..
        } => local == name && namespace == Some(schema.address(of)),
        What::Wildcard { other_than, .. } => match other_than {
            Some(of) => namespace.is_some_and(|found| found != schema.address(of)),
            None => true,
        },
    }
}
