//! Evaluates a decision: what it requires, its knowledge, its logic, and what is told about it.
//!
//! Requirements are evaluated depth first in the order of the file, without seeing each other's
//! results. Knowledge becomes functions. Every decision and every piece of knowledge whose logic
//! ran is noted, in the order in which it ended, also if it failed.
//!
//! A failure ends the decision; inside a function it makes the call null, as in FEEL. A limit ends
//! everything. The texts are the reference engine's.

use std::cell::RefCell;
use std::rc::Rc;

use crate::feel::value::{Context, Text, Value};
use crate::feel::{Environment, Eval, Fatal, Function, Session, Trouble};

use super::graph::{
    Cell, Definition, Graph, Invocation, Kind, Logic, Parameters, RelationRow, Table,
};
use super::table::{self, Matched, Report};

/// Why a decision has no result.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failure {
    /// What to tell, with the decision that was asked for.
    pub message: String,
    /// The decision that failed, as far as known.
    pub decision_id: String,
}

/// A decision or knowledge that was evaluated.
#[derive(Debug)]
pub struct Evaluated<'e> {
    /// Its id.
    pub id: &'e str,
    /// Its name.
    pub name: &'e str,
    /// What its logic is.
    pub kind: Kind,
    /// What came out; null if it failed.
    pub output: Value<'e>,
    /// The table, if it is one.
    pub table: Option<&'e Table>,
    /// Values of the inputs of the table, in their order; none if they failed.
    pub inputs: Vec<Value<'e>>,
    /// Rules of the table that count.
    pub matched: Vec<Matched<'e>>,
}

/// What came of a decision.
#[derive(Debug)]
pub struct Evaluation<'e> {
    /// Its result.
    pub result: Result<Value<'e>, Failure>,
    /// Everything that was evaluated on the way, in the order in which it ended.
    pub evaluated: Vec<Evaluated<'e>>,
}

/// What all parts of one evaluation share.
pub(super) struct Run<'e> {
    pub(super) graph: &'e Graph,
    evaluated: RefCell<Vec<Evaluated<'e>>>,
}

/// Whose logic is evaluated; parts of a logic have no owner.
#[derive(Clone, Copy)]
struct Owner<'e> {
    id: &'e str,
    name: &'e str,
}

impl Graph {
    /// Evaluates the decision at `position`.
    #[must_use]
    pub fn evaluate<'e>(
        &'e self,
        position: usize,
        environment: &'e Environment<'e>,
    ) -> Evaluation<'e> {
        self.evaluate_with(position, environment, &[])
    }

    /// Evaluates the decision at `position` with values under names that hide variables.
    #[must_use]
    pub fn evaluate_with<'e>(
        &'e self,
        position: usize,
        environment: &'e Environment<'e>,
        names: &[(&'e str, Value<'e>)],
    ) -> Evaluation<'e> {
        let run = Rc::new(Run {
            graph: self,
            evaluated: RefCell::default(),
        });
        let mut session = Session::session(environment);
        for (name, value) in names {
            session.bind(name, value.clone());
        }
        let id = self.decisions.get(position).map_or("", |found| &*found.id);
        let result = decision(&run, &mut session, position);
        let evaluated = run.evaluated.take();
        let result = result.map_err(|trouble| {
            let last = evaluated.last();
            let message = match trouble {
                Trouble::Error(why) => format!("Expected to evaluate decision '{id}', but {why}"),
                Trouble::Fatal(Fatal::Depth) => format!(
                    "Expected to evaluate decision '{id}', but the evaluation failed with a \
                     StackOverflowError. This can happen when the decision requirements graph \
                     contains a very long chain of dependent decisions."
                ),
                Trouble::Fatal(Fatal::Size) => {
                    format!("Expected to evaluate decision '{id}', but a value became too large")
                }
                Trouble::Fatal(Fatal::Steps | Fatal::NoInput | Fatal::Thrown(_)) => {
                    format!("Expected to evaluate decision '{id}', but it took too many steps")
                }
            };
            Failure {
                message,
                decision_id: last.map_or(id, |last| last.id).to_owned(),
            }
        });
        Evaluation { result, evaluated }
    }
}

fn decision<'e>(run: &Rc<Run<'e>>, session: &mut Session<'e>, at: usize) -> Eval<'e> {
    let graph = run.graph;
    let Some(this) = graph.decisions.get(at) else {
        return Err(failure("no such decision found"));
    };
    session.enter()?;
    let mut names = Vec::with_capacity(this.requires.len() + this.knowledge.len());
    for required in &this.requires {
        let value = decision(run, session, *required as usize)?;
        let name = graph.decisions.get(*required as usize);
        names.push((name.map_or("", |found| &*found.result_name), value));
    }
    for knowledge in &this.knowledge {
        names.push(function(run, session, *knowledge)?);
    }
    let level = session.level();
    for (name, value) in names {
        session.bind(name, value);
    }
    let owner = Owner {
        id: &this.id,
        name: &this.name,
    };
    let value = logic(run, session, &this.logic, Some(owner))?;
    session.unbind(level);
    session.leave();
    typed(value, this.result_type.as_deref())
}

/// Knowledge as a function under its name.
fn function<'e>(
    run: &Rc<Run<'e>>,
    session: &mut Session<'e>,
    at: u32,
) -> Result<(&'e str, Value<'e>), Trouble> {
    let Some(this) = run.graph.knowledge.get(at as usize) else {
        return Err(failure("no such business knowledge model found"));
    };
    session.enter()?;
    let mut scope = session.capture()?;
    for required in &this.requires {
        let (name, value) = function(run, session, *required)?;
        scope.bind(name, value);
    }
    session.leave();
    let shared = Rc::clone(run);
    let owner = Owner {
        id: &this.id,
        name: &this.name,
    };
    let body = Function::host(
        &this.parameters.names,
        scope,
        move |session: &mut Session<'e>, arguments| {
            bind(session, &this.parameters, arguments)?;
            logic(&shared, session, &this.logic, Some(owner))
        },
    );
    let value = session.built(Value::Function(Rc::new(body)))?;
    Ok((&this.name, value))
}

/// Arguments become names, if their types are right.
fn bind<'e>(
    session: &mut Session<'e>,
    parameters: &'e Parameters,
    arguments: Vec<Value<'e>>,
) -> Result<(), Trouble> {
    let typed_parameters = parameters.names.iter().zip(&parameters.types);
    for ((name, of_type), argument) in typed_parameters.zip(arguments) {
        let argument = typed(argument, of_type.as_deref())?;
        session.bind(name, argument);
    }
    Ok(())
}

/// Evaluates logic, and notes it if it is the whole of something.
fn logic<'e>(
    run: &Rc<Run<'e>>,
    session: &mut Session<'e>,
    this: &'e Logic,
    owner: Option<Owner<'e>>,
) -> Eval<'e> {
    session.enter()?;
    let mut report = Report::default();
    let result = match this {
        Logic::Table(table) => table::evaluate(run.graph, session, table, &mut report),
        Logic::Literal(cell) => evaluate_cell(run.graph, session, *cell),
        Logic::Nothing => Ok(Value::Null),
        Logic::Context(entries, result) => context(run, session, entries, result.as_deref()),
        Logic::List(items) => list(run, session, items),
        Logic::Relation(rows) => relation(run, session, rows),
        Logic::Invocation(call) => invoke(run, session, call),
        Logic::Function(definition) => define(run, session, definition),
        Logic::Refused(at) => Err(refused(run.graph, *at)),
    };
    session.leave();
    if let Some(owner) = owner
        && !matches!(this, Logic::Function(_))
    {
        let table = match this {
            Logic::Table(table) => Some(&**table),
            Logic::Literal(_)
            | Logic::Nothing
            | Logic::Context(..)
            | Logic::List(_)
            | Logic::Relation(_)
            | Logic::Invocation(_)
            | Logic::Function(_)
            | Logic::Refused(_) => None,
        };
        run.evaluated.borrow_mut().push(Evaluated {
            id: owner.id,
            name: owner.name,
            kind: this.kind(),
            output: result.as_ref().map_or(Value::Null, Value::clone),
            table,
            inputs: report.inputs,
            matched: report.matched,
        });
    }
    result
}

/// The value of a cell that is an expression.
pub(super) fn evaluate_cell<'e>(
    graph: &'e Graph,
    session: &mut Session<'e>,
    cell: Cell,
) -> Eval<'e> {
    match cell {
        Cell::Expression(at) => match graph.expressions.get(at as usize) {
            Some(expression) => session.evaluate(expression),
            None => Err(failure("the expression is missing")),
        },
        Cell::Any => Ok(Value::Bool(true)),
        Cell::Refused(at) => Err(refused(graph, at)),
        Cell::Tests(_) => Err(failure("unary tests stand where an expression is expected")),
    }
}

#[inline(never)]
fn context<'e>(
    run: &Rc<Run<'e>>,
    session: &mut Session<'e>,
    entries: &'e [(Box<str>, Logic)],
    result: Option<&'e Logic>,
) -> Eval<'e> {
    let level = session.level();
    let mut values = Vec::with_capacity(entries.len());
    for (name, entry) in entries {
        let value = logic(run, session, entry, None)?;
        session.bind(name, value.clone());
        values.push((Text::Borrowed(name), value));
    }
    let value = match result {
        Some(result) => logic(run, session, result, None)?,
        None => Value::Context(Context::new(values)),
    };
    session.unbind(level);
    session.built(value)
}

#[inline(never)]
fn list<'e>(run: &Rc<Run<'e>>, session: &mut Session<'e>, items: &'e [Logic]) -> Eval<'e> {
    let mut values = Vec::with_capacity(items.len());
    for item in items {
        values.push(logic(run, session, item, None)?);
    }
    session.built(Value::list(values))
}

#[inline(never)]
fn relation<'e>(run: &Rc<Run<'e>>, session: &mut Session<'e>, rows: &'e [RelationRow]) -> Eval<'e> {
    let mut values = Vec::with_capacity(rows.len());
    for row in rows {
        let mut columns = Vec::with_capacity(row.len());
        for (name, cell) in row {
            columns.push((Text::Borrowed(name), logic(run, session, cell, None)?));
        }
        values.push(Value::Context(Context::new(columns)));
    }
    session.built(Value::list(values))
}

/// Calls knowledge: it sees the names of the caller, the bindings, then what it requires.
#[inline(never)]
fn invoke<'e>(run: &Rc<Run<'e>>, session: &mut Session<'e>, call: &'e Invocation) -> Eval<'e> {
    let Some(this) = run.graph.knowledge.get(call.knowledge as usize) else {
        return Err(failure("no such business knowledge model found"));
    };
    let mut names = Vec::with_capacity(call.bindings.len() + this.requires.len());
    for (name, cell) in &call.bindings {
        names.push((&**name, evaluate_cell(run.graph, session, *cell)?));
    }
    let level = session.level();
    for (name, value) in names {
        session.bind(name, value);
    }
    let mut functions = Vec::with_capacity(this.requires.len());
    for required in &this.requires {
        functions.push(function(run, session, *required)?);
    }
    for (name, value) in functions {
        session.bind(name, value);
    }
    for (name, of_type) in this.parameters.names.iter().zip(&this.parameters.types) {
        let Some(value) = session.find(name) else {
            let why = format!("no parameter found with name '{name}'");
            return Err(Trouble::Error(why.into()));
        };
        typed(value, of_type.as_deref())?;
    }
    let owner = Owner {
        id: &this.id,
        name: &this.name,
    };
    let value = logic(run, session, &this.logic, Some(owner))?;
    session.unbind(level);
    Ok(value)
}

#[inline(never)]
fn define<'e>(run: &Rc<Run<'e>>, session: &mut Session<'e>, this: &'e Definition) -> Eval<'e> {
    let scope = session.capture()?;
    let graph = run.graph;
    let body = Function::host(
        &this.parameters.names,
        scope,
        move |session: &mut Session<'e>, arguments| {
            bind(session, &this.parameters, arguments)?;
            evaluate_cell(graph, session, this.body)
        },
    );
    session.built(Value::Function(Rc::new(body)))
}

/// The value, if it is of a type or the type is none that is checked; null is of every type.
fn typed<'e>(value: Value<'e>, of_type: Option<&str>) -> Eval<'e> {
    let Some(of_type) = of_type else {
        return Ok(value);
    };
    let name = of_type.replace("feel:", "");
    let fits = match &*name {
        _ if value.is_null() => true,
        "string" => matches!(value, Value::String(_)),
        "number" => matches!(value, Value::Number(_)),
        "boolean" => matches!(value, Value::Bool(_)),
        "time" => matches!(value, Value::Time(_) | Value::LocalTime(_)),
        "date" => matches!(value, Value::Date(_)),
        "dateTime" => matches!(value, Value::DateTime(_) | Value::LocalDateTime(_)),
        "dayTimeDuration" => matches!(value, Value::DayTime(_)),
        "yearMonthDuration" => matches!(value, Value::YearMonths(_)),
        _ => true,
    };
    if fits {
        return Ok(value);
    }
    let why = format!("expected '{name}' but found '{value}'");
    Err(Trouble::Error(why.into()))
}

#[cold]
fn failure(why: &str) -> Trouble {
    Trouble::Error(why.into())
}

#[cold]
fn refused(graph: &Graph, at: u32) -> Trouble {
    failure(
        graph
            .refusals
            .get(at as usize)
            .map_or("the expression was refused", |text| text),
    )
}
