//! Relations of points and ranges: before, after, meets, overlaps, during and so on.
//!
//! Each function takes points or ranges of one type that has an order, strings excepted. A range
//! knows for each end whether the end itself belongs to it; that decides the cases in which ends
//! are equal.

use std::cmp::Ordering;

use crate::feel::eval::{Interpreter, Outcome, Refusal};
use crate::feel::value::{Bound, Range, Value};

use super::{Builtin, fixed};

pub(super) const FUNCTIONS: &[Builtin] = &[
    fixed("before", &["point1", "point2"], before),
    fixed("before", &["point", "range"], before),
    fixed("before", &["range", "point"], before),
    fixed("before", &["range1", "range2"], before),
    fixed("after", &["point1", "point2"], after),
    fixed("after", &["point", "range"], after),
    fixed("after", &["range", "point"], after),
    fixed("after", &["range1", "range2"], after),
    fixed("meets", &["range1", "range2"], meets),
    fixed("met by", &["range1", "range2"], met_by),
    fixed("overlaps", &["range1", "range2"], overlaps),
    fixed("overlaps before", &["range1", "range2"], overlaps_before),
    fixed("overlaps after", &["range1", "range2"], overlaps_after),
    fixed("finishes", &["point", "range"], finishes),
    fixed("finishes", &["range1", "range2"], finishes),
    fixed("finished by", &["point", "range"], finished_by),
    fixed("finished by", &["range", "point"], finished_by),
    fixed("finished by", &["range1", "range2"], finished_by),
    fixed("includes", &["range", "point"], includes),
    fixed("includes", &["range1", "range2"], includes),
    fixed("during", &["point", "range"], during),
    fixed("during", &["range1", "range2"], during),
    fixed("starts", &["point", "range"], starts),
    fixed("starts", &["range1", "range2"], starts),
    fixed("started by", &["range", "point"], started_by),
    fixed("started by", &["range1", "range2"], started_by),
    fixed("coincides", &["point1", "point2"], coincides),
    fixed("coincides", &["range1", "range2"], coincides),
];

/// The two arguments by their shape.
enum Pair<'v, 'e> {
    Points(&'v Value<'e>, &'v Value<'e>),
    PointRange(&'v Value<'e>, &'v Range<'e>),
    RangePoint(&'v Range<'e>, &'v Value<'e>),
    Ranges(&'v Range<'e>, &'v Range<'e>),
}

fn is_point(value: &Value<'_>) -> bool {
    !matches!(value, Value::String(_)) && value.order(value).is_some()
}

/// The arguments, if they can be compared.
fn pair<'v, 'e>(arguments: &'v [Value<'e>]) -> Result<Pair<'v, 'e>, Refusal> {
    let (pair, x, y) = match arguments {
        [Value::Range(x), Value::Range(y)] => (Pair::Ranges(x, y), &x.start.value, &y.start.value),
        [Value::Range(x), y] => (Pair::RangePoint(x, y), &x.start.value, y),
        [x, Value::Range(y)] => (Pair::PointRange(x, y), x, &y.start.value),
        [x, y] => (Pair::Points(x, y), x, y),
        _ => return Err(Refusal::Arguments),
    };
    if is_point(x) && is_point(y) && x.order(y).is_some() {
        Ok(pair)
    } else {
        Err(Refusal::Arguments)
    }
}

fn order<'e>(a: &Value<'e>, b: &Value<'e>) -> Ordering {
    a.order(b).unwrap_or(Ordering::Equal)
}

fn less<'e>(a: &Value<'e>, b: &Value<'e>) -> bool {
    order(a, b).is_lt()
}

fn equal<'e>(a: &Value<'e>, b: &Value<'e>) -> bool {
    a.equals(b) == Some(true)
}

/// Whether two ends are the same point, treated the same way.
fn same_end<'e>(a: &Bound<'e>, b: &Bound<'e>) -> bool {
    a.closed == b.closed && equal(&a.value, &b.value)
}

/// Whether everything up to one end lies before everything from another.
fn ends_before<'e>(end: &Bound<'e>, start: &Bound<'e>) -> bool {
    less(&end.value, &start.value)
        || ((!end.closed || !start.closed) && equal(&end.value, &start.value))
}

/// Whether an end reaches a start, so that both share a point.
fn reaches<'e>(end: &Bound<'e>, start: &Bound<'e>) -> bool {
    less(&start.value, &end.value)
        || (equal(&end.value, &start.value) && end.closed && start.closed)
}

/// Whether start `a` is not later than start `b`.
fn starts_no_later<'e>(a: &Bound<'e>, b: &Bound<'e>) -> bool {
    less(&a.value, &b.value) || (equal(&a.value, &b.value) && (a.closed || !b.closed))
}

/// Whether end `a` is not earlier than end `b`.
fn ends_no_earlier<'e>(a: &Bound<'e>, b: &Bound<'e>) -> bool {
    less(&b.value, &a.value) || (equal(&a.value, &b.value) && (a.closed || !b.closed))
}

fn holds<'e>(range: &Range<'e>, point: &Value<'e>) -> bool {
    (less(&range.start.value, point) && less(point, &range.end.value))
        || (range.start.closed && equal(&range.start.value, point))
        || (range.end.closed && equal(&range.end.value, point))
}

fn covers<'e>(outer: &Range<'e>, inner: &Range<'e>) -> bool {
    starts_no_later(&outer.start, &inner.start) && ends_no_earlier(&outer.end, &inner.end)
}

fn truth<'e>(holds: bool) -> Outcome<'e> {
    Ok(Value::Bool(holds))
}

fn point_end<'e>(point: &Value<'e>) -> Bound<'e> {
    Bound {
        value: point.clone(),
        closed: true,
    }
}

fn precedes(pair: &Pair<'_, '_>) -> bool {
    match pair {
        Pair::Points(x, y) => less(x, y),
        Pair::PointRange(x, y) => ends_before(&point_end(x), &y.start),
        Pair::RangePoint(x, y) => ends_before(&x.end, &point_end(y)),
        Pair::Ranges(x, y) => ends_before(&x.end, &y.start),
    }
}

fn before<'e>(_: &mut Interpreter<'e>, arguments: &[Value<'e>]) -> Outcome<'e> {
    match pair(arguments)? {
        Pair::Points(x, y) => truth(less(x, y)),
        other => truth(precedes(&other)),
    }
}

fn after<'e>(_: &mut Interpreter<'e>, arguments: &[Value<'e>]) -> Outcome<'e> {
    truth(precedes(&match pair(arguments)? {
        Pair::Points(x, y) => Pair::Points(y, x),
        Pair::PointRange(x, y) => Pair::RangePoint(y, x),
        Pair::RangePoint(x, y) => Pair::PointRange(y, x),
        Pair::Ranges(x, y) => Pair::Ranges(y, x),
    }))
}

/// Both arguments as ranges.
fn ranges<'v, 'e>(arguments: &'v [Value<'e>]) -> Result<(&'v Range<'e>, &'v Range<'e>), Refusal> {
    if let Pair::Ranges(x, y) = pair(arguments)? {
        Ok((x, y))
    } else {
        Err(Refusal::Arguments)
    }
}

fn touch<'e>(end: &Bound<'e>, start: &Bound<'e>) -> bool {
    end.closed && start.closed && equal(&end.value, &start.value)
}

fn meets<'e>(_: &mut Interpreter<'e>, arguments: &[Value<'e>]) -> Outcome<'e> {
    let (x, y) = ranges(arguments)?;
    truth(touch(&x.end, &y.start))
}

fn met_by<'e>(_: &mut Interpreter<'e>, arguments: &[Value<'e>]) -> Outcome<'e> {
    let (x, y) = ranges(arguments)?;
    truth(touch(&y.end, &x.start))
}

fn overlaps<'e>(_: &mut Interpreter<'e>, arguments: &[Value<'e>]) -> Outcome<'e> {
    let (x, y) = ranges(arguments)?;
    truth(reaches(&x.end, &y.start) && reaches(&y.end, &x.start))
}

fn overlaps_first<'e>(x: &Range<'e>, y: &Range<'e>) -> bool {
    let starts_first = less(&x.start.value, &y.start.value)
        || (equal(&x.start.value, &y.start.value) && x.start.closed && !y.start.closed);
    starts_first && reaches(&x.end, &y.start) && ends_no_earlier(&y.end, &x.end)
}

fn overlaps_before<'e>(_: &mut Interpreter<'e>, arguments: &[Value<'e>]) -> Outcome<'e> {
    let (x, y) = ranges(arguments)?;
    truth(overlaps_first(x, y))
}

fn overlaps_after<'e>(_: &mut Interpreter<'e>, arguments: &[Value<'e>]) -> Outcome<'e> {
    let (x, y) = ranges(arguments)?;
    truth(overlaps_first(y, x))
}

fn finishes<'e>(_: &mut Interpreter<'e>, arguments: &[Value<'e>]) -> Outcome<'e> {
    match pair(arguments)? {
        Pair::Ranges(x, y) => {
            truth(same_end(&x.end, &y.end) && starts_no_later(&y.start, &x.start))
        }
        Pair::PointRange(x, y) => truth(same_end(&point_end(x), &y.end)),
        Pair::RangePoint(..) | Pair::Points(..) => Err(Refusal::Arguments),
    }
}

fn finished_by<'e>(_: &mut Interpreter<'e>, arguments: &[Value<'e>]) -> Outcome<'e> {
    match pair(arguments)? {
        Pair::Ranges(x, y) => {
            truth(same_end(&x.end, &y.end) && starts_no_later(&x.start, &y.start))
        }
        Pair::RangePoint(x, y) => truth(same_end(&x.end, &point_end(y))),
        Pair::PointRange(..) | Pair::Points(..) => Err(Refusal::Arguments),
    }
}

fn includes<'e>(_: &mut Interpreter<'e>, arguments: &[Value<'e>]) -> Outcome<'e> {
    match pair(arguments)? {
        Pair::Ranges(x, y) => truth(covers(x, y)),
        Pair::RangePoint(x, y) => truth(holds(x, y)),
        Pair::PointRange(..) | Pair::Points(..) => Err(Refusal::Arguments),
    }
}

fn during<'e>(_: &mut Interpreter<'e>, arguments: &[Value<'e>]) -> Outcome<'e> {
    match pair(arguments)? {
        Pair::Ranges(x, y) => truth(covers(y, x)),
        Pair::PointRange(x, y) => truth(holds(y, x)),
        Pair::RangePoint(..) | Pair::Points(..) => Err(Refusal::Arguments),
    }
}

fn starts<'e>(_: &mut Interpreter<'e>, arguments: &[Value<'e>]) -> Outcome<'e> {
    match pair(arguments)? {
        Pair::Ranges(x, y) => {
            truth(same_end(&x.start, &y.start) && ends_no_earlier(&y.end, &x.end))
        }
        Pair::PointRange(x, y) => truth(same_end(&point_end(x), &y.start)),
        Pair::RangePoint(..) | Pair::Points(..) => Err(Refusal::Arguments),
    }
}

fn started_by<'e>(_: &mut Interpreter<'e>, arguments: &[Value<'e>]) -> Outcome<'e> {
    match pair(arguments)? {
        Pair::Ranges(x, y) => {
            truth(same_end(&x.start, &y.start) && ends_no_earlier(&x.end, &y.end))
        }
        Pair::RangePoint(x, y) => truth(same_end(&x.start, &point_end(y))),
        Pair::PointRange(..) | Pair::Points(..) => Err(Refusal::Arguments),
    }
}

fn coincides<'e>(_: &mut Interpreter<'e>, arguments: &[Value<'e>]) -> Outcome<'e> {
    match pair(arguments)? {
        Pair::Ranges(x, y) => truth(same_end(&x.start, &y.start) && same_end(&x.end, &y.end)),
        Pair::Points(x, y) => truth(equal(x, y)),
        Pair::PointRange(..) | Pair::RangePoint(..) => truth(false),
    }
}
