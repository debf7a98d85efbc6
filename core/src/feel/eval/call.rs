//! Calls of functions: built-in ones, and those an expression defines.
//!
//! A function that an expression defines is found under its name in a scope or in a context; a
//! built-in one was resolved when the expression was compiled and comes after those. Arguments that
//! fit none of the forms of a built-in make the call null with a warning, as does a text from the
//! function; only a failed `assert` fails the evaluation.

use std::borrow::Cow;
use std::fmt;
use std::rc::Rc;

use crate::feel::ast::{Arguments, Call, Expr, Name};
use crate::feel::builtin::{self, Builtin};
use crate::feel::value::{Size, Value};
use crate::feel::{Expression, WarningKind};

use super::{Binding, Eval, Interpreter, Scope, Shown, Trouble, or_null};

/// Why a function gave no value.
#[derive(Debug)]
pub(in crate::feel) enum Refusal {
    /// The arguments fit no form of the function.
    Arguments,
    Message(String),
    Trouble(Trouble),
}

impl From<Trouble> for Refusal {
    fn from(trouble: Trouble) -> Refusal {
        Refusal::Trouble(trouble)
    }
}

pub(in crate::feel) type Outcome<'e> = Result<Value<'e>, Refusal>;

/// Code of the host behind a function.
type Native<'e> = dyn Fn(&[Value<'e>]) -> Result<Value<'e>, String> + 'e;

/// A function as a value.
pub struct Function<'e> {
    parameters: Cow<'e, [Name]>,
    body: Body<'e>,
    size: Size,
}

/// Code of the crate behind a function, which goes on in the evaluation that calls it.
type Host<'e> = dyn Fn(&mut Interpreter<'e>, Vec<Value<'e>>) -> Eval<'e> + 'e;

enum Body<'e> {
    Expression {
        body: &'e Expr,
        scope: Vec<Binding<'e>>,
    },
    Native(Box<Native<'e>>),
    Host {
        body: Box<Host<'e>>,
        scope: Vec<Binding<'e>>,
    },
}

impl<'e> Function<'e> {
    /// A function whose body is code of the host; an error becomes null with a warning.
    pub fn native(
        parameters: Vec<Name>,
        body: impl Fn(&[Value<'e>]) -> Result<Value<'e>, String> + 'e,
    ) -> Function<'e> {
        Function {
            parameters: Cow::Owned(parameters),
            body: Body::Native(Box::new(body)),
            size: Size {
                depth: 1,
                weight: 1,
            },
        }
    }

    /// A function whose body is an expression, as a business knowledge model is one. It sees its
    /// parameters, then the bindings given, then the variables of the evaluation that calls it; its
    /// steps count there too.
    pub fn expression(
        parameters: &'e [Name],
        body: &'e Expression,
        bindings: &[(&'e str, Value<'e>)],
    ) -> Function<'e> {
        let depth = bindings
            .iter()
            .map(|(_, value)| value.size().depth)
            .max()
            .unwrap_or(0);
        let scope = bindings
            .iter()
            .map(|(name, value)| Binding::Named(name, value.clone()))
            .collect();
        Function {
            parameters: Cow::Borrowed(parameters),
            body: Body::Expression {
                body: &body.root,
                scope,
            },
            size: Size {
                depth: depth + 1,
                weight: 1,
            },
        }
    }

    /// A function whose body is code of the crate. It runs in the evaluation that calls it, counts
    /// there, and sees `scope` instead of the caller's names.
    pub(crate) fn host(
        parameters: &'e [Name],
        scope: Scope<'e>,
        body: impl Fn(&mut Interpreter<'e>, Vec<Value<'e>>) -> Eval<'e> + 'e,
    ) -> Function<'e> {
        let depth = scope.depth();
        Function {
            parameters: Cow::Borrowed(parameters),
            body: Body::Host {
                body: Box::new(body),
                scope: scope.0,
            },
            size: Size {
                depth: depth + 1,
                weight: 1,
            },
        }
    }

    pub(in crate::feel) fn parameter_count(&self) -> usize {
        self.parameters.len()
    }

    pub(in crate::feel) fn parameter_list(&self) -> String {
        self.parameters.join(", ")
    }

    /// A function is never written out, but its scope nests values, which ends in recursion when
    /// they are dropped.
    pub(in crate::feel) fn size(&self) -> Size {
        self.size
    }

    fn accepts(&self, arguments: &Arguments) -> bool {
        match arguments {
            Arguments::Positional(values) => values.len() == self.parameters.len(),
            Arguments::Named(values) => values
                .iter()
                .all(|(name, _)| self.parameters.contains(name)),
        }
    }
}

impl fmt::Debug for Function<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "function({})", self.parameter_list())
    }
}

impl<'e> Interpreter<'e> {
    #[inline(never)]
    pub(super) fn closure(&mut self, parameters: &'e [Name], body: &'e Expr) -> Eval<'e> {
        let scope = self.scope.clone();
        self.charge(scope.len() / 16)?;
        let depth = scope.iter().map(|binding| {
            let (Binding::Named(_, value) | Binding::Item(value)) = binding;
            value.size().depth
        });
        let size = Size {
            depth: 1 + depth.max().unwrap_or(0),
            weight: 1,
        };
        self.measured(Value::Function(Rc::new(Function {
            parameters: Cow::Borrowed(parameters),
            body: Body::Expression { body, scope },
            size,
        })))
    }

    #[inline(never)]
    pub(super) fn call(&mut self, call: &'e Call) -> Eval<'e> {
        if let Some(path) = &call.path {
            return self.call_in_context(path, call);
        }
        if let Some(function) = self.scoped_function(call) {
            return self.call_function(&function, call);
        }
        match call.builtin.map(builtin::get) {
            Some(builtin) => or_null(self.call_builtin(builtin, &call.arguments)),
            None => or_null(Err(self.no_function(call))),
        }
    }

    fn no_function(&mut self, call: &Call) -> Trouble {
        let message = match &call.arguments {
            Arguments::Positional(values) => {
                format!(
                    "No function found with name '{}' and {} parameters",
                    call.name,
                    values.len()
                )
            }
            Arguments::Named(values) => {
                let names: Vec<&str> = values.iter().map(|(name, _)| &**name).collect();
                format!(
                    "No function found with name '{}' and parameters: {}",
                    call.name,
                    names.join(",")
                )
            }
        };
        self.error(WarningKind::NoFunctionFound, message)
    }

    fn scoped_function(&self, call: &Call) -> Option<Rc<Function<'e>>> {
        for binding in self.scope.iter().rev() {
            let function = match binding {
                Binding::Named(name, value) if **name == *call.name => Some(value.clone()),
                Binding::Named(..) => None,
                Binding::Item(item) => item
                    .as_context()
                    .and_then(|context| context.function(&call.name)),
            };
            if let Some(Value::Function(function)) = function
                && function.accepts(&call.arguments)
            {
                return Some(function);
            }
        }
        None
    }

    fn call_in_context(&mut self, path: &'e Expr, call: &'e Call) -> Eval<'e> {
        let holder = self.eval(path)?;
        let Value::Context(context) = &holder else {
            return Err(self.unexpected("context", &holder));
        };
        match context.function(&call.name) {
            Some(Value::Function(function)) if function.accepts(&call.arguments) => {
                let arguments = self.arguments(&function.parameters, false, &call.arguments)?;
                self.invoke(&function, arguments)
            }
            _ => Err(self.no_function(call)),
        }
    }

    fn call_function(&mut self, function: &Rc<Function<'e>>, call: &'e Call) -> Eval<'e> {
        let arguments = self.arguments(&function.parameters, false, &call.arguments);
        let result = arguments.and_then(|arguments| self.invoke(function, arguments));
        or_null(match result {
            Err(Trouble::Error(why)) => {
                let message = format!("Failed to invoke function '{}': {why}", call.name);
                Err(self.error(WarningKind::FunctionInvocationFailure, message))
            }
            other => other,
        })
    }

    /// Calls a function that is a value.
    pub(in crate::feel) fn invoke(
        &mut self,
        function: &Rc<Function<'e>>,
        arguments: Vec<Value<'e>>,
    ) -> Eval<'e> {
        match &function.body {
            Body::Native(native) => native(&arguments).map_err(|why| Trouble::Error(why.into())),
            Body::Expression { body, scope } => {
                let Cow::Borrowed(names) = function.parameters else {
                    return Err(Trouble::Error("the function has no body".into()));
                };
                self.charge(1 + scope.len() / 16)?;
                let mut inner = scope.clone();
                inner.extend(
                    names
                        .iter()
                        .zip(arguments)
                        .map(|(name, value)| Binding::Named(name, value)),
                );
                let outer = std::mem::replace(&mut self.scope, inner);
                let result = self.eval(body);
                self.scope = outer;
                result
            }
            Body::Host { body, scope } => {
                self.charge(1 + scope.len() / 16)?;
                let depth = self.depth;
                let outer = std::mem::replace(&mut self.scope, scope.clone());
                let result = self.enter().and_then(|()| body(self, arguments));
                self.scope = outer;
                self.depth = depth;
                result
            }
        }
    }

    /// The values of arguments in the order of parameters; what is not named is null.
    fn arguments(
        &mut self,
        parameters: &[impl AsRef<str>],
        variadic: bool,
        arguments: &'e Arguments,
    ) -> Result<Vec<Value<'e>>, Trouble> {
        match arguments {
            Arguments::Named(values) => {
                let mut result = Vec::with_capacity(parameters.len());
                for parameter in parameters {
                    // The last one of a name counts.
                    let given = values
                        .iter()
                        .rev()
                        .find(|(name, _)| **name == *parameter.as_ref());
                    result.push(match given {
                        Some((_, expr)) => self.eval(expr)?,
                        None => Value::Null,
                    });
                }
                Ok(result)
            }
            Arguments::Positional(values) => {
                let mut result = Vec::with_capacity(values.len());
                for expr in values {
                    result.push(self.eval(expr)?);
                }
                if variadic && !parameters.is_empty() {
                    let fixed = parameters.len() - 1;
                    let rest = result.split_off(fixed.min(result.len()));
                    // A single list stands for its items if there is nothing before it.
                    let single = fixed == 0 && matches!(rest.as_slice(), [Value::List(_)]);
                    match rest.first() {
                        Some(list) if single => result.push(list.clone()),
                        _ => result.push(Value::list(rest)),
                    }
                }
                Ok(result)
            }
        }
    }

    fn call_builtin(&mut self, builtin: &Builtin, arguments: &'e Arguments) -> Eval<'e> {
        let values = self.arguments(builtin.parameters, builtin.variadic, arguments)?;
        // Functions look at all of their arguments, or at least may.
        let weight: usize = values
            .iter()
            .map(|value| value.size().weight as usize)
            .sum();
        self.charge(weight / 64)?;
        let message = match (builtin.call)(self, &values) {
            Ok(value) => return self.measured(value),
            Err(Refusal::Trouble(trouble)) => return Err(trouble),
            Err(Refusal::Message(message)) => message,
            Err(Refusal::Arguments) => {
                let shown: Vec<String> = values
                    .iter()
                    .map(|value| format!("'{}'", Shown(value)))
                    .collect();
                format!("Illegal arguments: {}", shown.join(", "))
            }
        };
        if builtin.name == "assert" {
            self.assertion.get_or_insert_with(|| message.clone().into());
            return Err(self.error(WarningKind::AssertFailure, message));
        }
        let message = format!("Failed to invoke function '{}': {message}", builtin.name);
        Err(self.error(WarningKind::FunctionInvocationFailure, message))
    }
}
