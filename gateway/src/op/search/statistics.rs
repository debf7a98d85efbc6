//! Statistics: numbers over many rows, read like a search.
//!
//! Sort and page are those of searches. Statistics of jobs ask for a span of time (`from`, `to`) and
//! answer each counter as an object of its own.

use jiff::{SignedDuration, Timestamp};
use ringflow_core::json::write_string;
use serde_json::Value;

use super::{filter, filter_of, page_answer, page_of, property, put_cell, refused, sort_of};
use crate::backend::{
    Aggregate, Aggregation, Cell, ElementStatistics, Entity, Filter, KeyLiteral, Literal, Op, Page,
    Row, Span,
};
use crate::limits::PAGE_MAX;
use crate::op::shape::{Members, ObjectWriter, put_list};
use crate::problem::{Problem, Violations};
use crate::rest::{Answer, Call, Given};

/// Name in an answer, and names of count and time in a row.
const COUNTERS: [(&str, &str, &str); 3] = [
    ("created", "createdCount", "createdAt"),
    ("completed", "completedCount", "completedAt"),
    ("failed", "failedCount", "failedAt"),
];

/// Asks for numbers: for the page that the body names, or for all there are.
pub(super) async fn ask(call: &Call, of: Aggregate, all: bool) -> Result<Page, Problem> {
    let body = Members(&call.body);
    let mut page = page_of(body);
    if all {
        page.limit = PAGE_MAX;
    }
    let question = Aggregation {
        of,
        sort: sort_of(body),
        page,
    };
    let reads = call.front.reads()?;
    reads.aggregate(question).await.map_err(refused)
}

/// Asks for the numbers of jobs, which are the system's: who may not see it sees none.
async fn ask_metrics(call: &Call, of: Aggregate) -> Result<Page, Problem> {
    if call.access.shows_nothing() {
        return Ok(Page::default());
    }
    ask(call, of, false).await
}

/// `getProcessDefinitionInstanceStatistics`.
pub(crate) async fn instances_by_definition(call: Call) -> Result<Answer, Problem> {
    let visible = visible(&call, Entity::ProcessDefinition);
    let page = ask(&call, Aggregate::InstancesByDefinition(visible), false).await?;
    page_answer(&call, &page)
}

/// `getProcessDefinitionInstanceVersionStatistics`.
pub(crate) async fn instances_by_version(call: Call) -> Result<Answer, Problem> {
    let filter = Members(&call.body).object("filter");
    let text = |name| {
        filter
            .and_then(|filter| filter.str(name))
            .map(str::to_owned)
    };
    let of = Aggregate::InstancesByVersion {
        process_definition_id: text("processDefinitionId").unwrap_or_default(),
        tenant_id: text("tenantId"),
        visible: visible(&call, Entity::ProcessDefinition),
    };
    let page = ask(&call, of, false).await?;
    page_answer(&call, &page)
}

/// `getProcessDefinitionMessageSubscriptionStatistics`.
pub(crate) async fn subscriptions(call: Call) -> Result<Answer, Problem> {
    let filter = filter_of(&call)?.unwrap_or_else(|| Filter::All(Vec::new()));
    let filter = call.access.narrow(Entity::MessageSubscription, filter);
    let page = ask(&call, Aggregate::SubscriptionsByDefinition(filter), false).await?;
    page_answer(&call, &page)
}

/// `getProcessInstanceStatisticsByError`.
pub(crate) async fn incidents_by_error(call: Call) -> Result<Answer, Problem> {
    let visible = visible(&call, Entity::Incident);
    let page = ask(&call, Aggregate::IncidentsByError(visible), false).await?;
    page_answer(&call, &page)
}

/// `getProcessInstanceStatisticsByDefinition`.
pub(crate) async fn incidents_by_definition(call: Call) -> Result<Answer, Problem> {
    let filter = Members(&call.body).object("filter");
    let of = Aggregate::IncidentsByDefinition {
        error_hash: filter
            .and_then(|filter| filter.int32("errorHashCode"))
            .unwrap_or_default(),
        visible: visible(&call, Entity::Incident),
    };
    let page = ask(&call, of, false).await?;
    page_answer(&call, &page)
}

/// What of an entity the caller may count.
fn visible(call: &Call, entity: Entity) -> Filter {
    call.access.narrow(entity, Filter::All(Vec::new()))
}

/// `getProcessInstanceStatistics`.
pub(crate) async fn elements_of_instance(call: Call) -> Result<Answer, Problem> {
    let key = KeyLiteral(call.path_key("processInstanceKey").0);
    // Of an instance that the caller may not see there is nothing to count.
    let seen = call.access.settled() || super::require_instance(&call, key.0).await.is_ok();
    if !seen {
        call.access.left_to_engine();
        return Ok(Answer::Json("{\"items\":[]}".to_owned()));
    }
    elements(&call, key, None).await
}

/// `getProcessDefinitionStatistics`.
pub(crate) async fn elements_of_definition(call: Call) -> Result<Answer, Problem> {
    let key = KeyLiteral(call.path_key("processDefinitionKey").0);
    let filter = filter_of(&call)?.unwrap_or_else(|| Filter::All(Vec::new()));
    let filter = call.access.narrow(Entity::ProcessInstance, filter);
    elements(&call, key, Some(filter)).await
}

async fn elements(
    call: &Call,
    key: KeyLiteral,
    instances: Option<Filter>,
) -> Result<Answer, Problem> {
    let reads = call.front.reads()?;
    let counts = reads
        .element_statistics(key, instances)
        .await
        .map_err(refused)?;
    let mut text = String::new();
    put_list(&mut text, &counts, |count: &ElementStatistics| {
        let mut out = ObjectWriter::new();
        out.str("elementId", &count.element_id)
            .int("active", count.active)
            .int("canceled", count.canceled)
            .int("incidents", count.incidents)
            .int("completed", count.completed);
        out.finish()
    });
    let mut out = ObjectWriter::new();
    out.raw("items", &text);
    Ok(Answer::Json(out.finish()))
}

/// `getGlobalJobStatistics`: the span stands in the query.
pub(crate) async fn jobs(call: Call) -> Result<Answer, Problem> {
    let time = |name: &str| millis(call.query_text(name).unwrap_or_default());
    let span = Span {
        from: time("from")?,
        to: time("to")?,
        job_type: call
            .query_text("jobType")
            .map(|text| (Op::Eq, vec![Literal::Text(text.to_owned())]))
            .into_iter()
            .collect(),
    };
    let page = ask_metrics(&call, Aggregate::Jobs(span)).await?;
    let empty = Row(Vec::new());
    let row = page.items.first().unwrap_or(&empty);
    let mut out = ObjectWriter::new();
    put_counters(row, &mut out);
    // Nothing is left out of the counts here: there is no bound on the number of groups.
    out.flag("isIncomplete", false);
    Ok(Answer::Json(out.finish()))
}

/// What else is wrong with the span of `getUsageMetrics`.
pub(crate) fn usage_rules(given: &Given<'_>, found: &mut Violations) -> Result<(), Problem> {
    let [from, to] = ["startTime", "endTime"].map(|name| given.query_text(name));
    if from.is_empty() || to.is_empty() {
        found.add("The startTime and endTime must both be specified");
    } else if let (Ok(from), Ok(to)) = (from.parse::<Timestamp>(), to.parse::<Timestamp>())
        && to <= from
    {
        found.add("The endTime must be after startTime");
    }
    Ok(())
}

/// `getUsageMetrics`: all tenants together, and each by itself if `withTenants` says so.
pub(crate) async fn usage(call: Call) -> Result<Answer, Problem> {
    let time = |name: &str| millis(call.query_text(name).unwrap_or_default());
    let (from, to) = (time("startTime")?, time("endTime")?);
    let of = |by_tenant| Aggregate::Usage {
        from,
        to,
        tenant_id: call.query_text("tenantId").map(str::to_owned),
        by_tenant,
    };
    let page = ask(&call, of(false), true).await?;
    let empty = Row(Vec::new());
    let mut out = ObjectWriter::new();
    put_usage(page.items.first().unwrap_or(&empty), &mut out);
    let tenants = page.items.first().and_then(|row| row.get("activeTenants"));
    out.with("activeTenants", |out| {
        put_cell(tenants.unwrap_or(&Cell::Int(0)), out);
    });
    let mut tenants = String::from("{");
    if call.query_flag("withTenants") == Some(true) {
        for row in &ask(&call, of(true), true).await?.items {
            if let Some(Cell::Text(tenant)) = row.get("tenantId") {
                if tenants.len() > 1 {
                    tenants.push(',');
                }
                let mut item = ObjectWriter::new();
                put_usage(row, &mut item);
                write_string(tenant, &mut tenants);
                tenants.push(':');
                tenants.push_str(&item.finish());
            }
        }
    }
    tenants.push('}');
    out.raw("tenants", &tenants);
    Ok(Answer::Json(out.finish()))
}

fn put_usage(row: &Row, out: &mut ObjectWriter) {
    for name in ["processInstances", "decisionInstances", "assignees"] {
        out.with(name, |out| {
            put_cell(row.get(name).unwrap_or(&Cell::Int(0)), out);
        });
    }
}

/// `getJobTypeStatistics`; without a filter all that is kept.
pub(crate) async fn jobs_by_type(call: Call) -> Result<Answer, Problem> {
    let of = Aggregate::JobsByType(span_of(&call)?);
    counted(&call, of).await
}

/// `getJobWorkerStatistics`.
pub(crate) async fn jobs_by_worker(call: Call) -> Result<Answer, Problem> {
    let of = Aggregate::JobsByWorker(span_of(&call)?);
    counted(&call, of).await
}

/// `getJobTimeSeriesStatistics`; a bucket is a minute unless another resolution is asked for.
pub(crate) async fn jobs_over_time(call: Call) -> Result<Answer, Problem> {
    const MINUTE: i64 = 60_000;
    let filter = Members(&call.body).object("filter");
    let resolution = match filter.and_then(|filter| filter.str("resolution")) {
        None => MINUTE,
        Some(text) => text
            .parse::<SignedDuration>()
            .or_else(|error| days(text).ok_or(error))
            .ok()
            .and_then(|duration| i64::try_from(duration.as_millis()).ok())
            .filter(|millis| *millis > 0)
            .ok_or_else(|| {
                Problem::invalid(format!(
                    "The provided resolution '{text}' cannot be parsed as a duration according \
                     to ISO 8601 (e.g. PT1M, PT1H)"
                ))
            })?,
    };
    let of = Aggregate::JobsOverTime {
        span: span_of(&call)?,
        resolution,
    };
    counted(&call, of).await
}

/// `getJobErrorStatistics`.
pub(crate) async fn job_errors(call: Call) -> Result<Answer, Problem> {
    let of = Aggregate::JobErrors {
        span: span_of(&call)?,
        error_code: comparisons(&call, "errorCode")?,
        error_message: comparisons(&call, "errorMessage")?,
        visible: visible(&call, Entity::Job),
    };
    let page = ask(&call, of, false).await?;
    page_answer(&call, &page)
}

/// Counters as objects of their own, everything else as it is.
async fn counted(call: &Call, of: Aggregate) -> Result<Answer, Problem> {
    let mut page = ask_metrics(call, of).await?;
    for row in &mut page.items {
        let mut out = String::new();
        for (name, count, at) in COUNTERS {
            out.clear();
            put_counter(row, count, at, &mut out);
            row.0.push((name, Cell::Json(out.clone())));
        }
    }
    page_answer(call, &page)
}

fn put_counters(row: &Row, out: &mut ObjectWriter) {
    for (name, count, at) in COUNTERS {
        out.with(name, |out| put_counter(row, count, at, out));
    }
}

fn put_counter(row: &Row, count: &str, at: &str, out: &mut String) {
    let mut counter = ObjectWriter::in_text(std::mem::take(out));
    counter.with("count", |out| {
        put_cell(row.get(count).unwrap_or(&Cell::Int(0)), out);
    });
    counter.with("lastUpdatedAt", |out| {
        put_cell(row.get(at).unwrap_or(&Cell::Null), out);
    });
    *out = counter.finish();
}

/// The span that the filter names.
fn span_of(call: &Call) -> Result<Span, Problem> {
    let filter = Members(&call.body).object("filter");
    let time = |name: &str, otherwise: i64| match filter.and_then(|filter| filter.str(name)) {
        Some(text) => millis(text),
        None => Ok(otherwise),
    };
    Ok(Span {
        from: time("from", 0)?,
        to: time("to", i64::from(u32::MAX) * 1000)?,
        job_type: comparisons(call, "jobType")?,
    })
}

/// What the filter says about one field.
fn comparisons(call: &Call, name: &str) -> Result<Vec<(Op, Vec<Literal>)>, Problem> {
    let value: Option<&Value> = Members(&call.body)
        .object("filter")
        .and_then(|filter| filter.get(name));
    let Some(value) = value else {
        return Ok(Vec::new());
    };
    let library = &call.rest.contract.library;
    let schema = call
        .body_schema()
        .and_then(|schema| property(library, schema, "filter"))
        .and_then(|schema| property(library, schema, name))
        .ok_or_else(|| Problem::Internal(format!("filter {name} has no schema")))?;
    filter::comparisons(library, schema, value)
}

/// The contract has checked that it is a date.
/// A duration that begins with days of 24 hours, as `java.time.Duration` reads it.
fn days(text: &str) -> Option<SignedDuration> {
    let text = text.to_ascii_uppercase();
    let (days, rest) = text.strip_prefix('P')?.split_once('D')?;
    let days: i64 = days.parse().ok()?;
    let rest = match rest {
        "" => SignedDuration::ZERO,
        rest => format!("P{rest}").parse().ok()?,
    };
    SignedDuration::from_secs(days.checked_mul(24 * 3600)?).checked_add(rest)
}

fn millis(text: &str) -> Result<i64, Problem> {
    text.parse::<Timestamp>()
        .map(Timestamp::as_millisecond)
        .map_err(|_| Problem::Internal(format!("'{text}' is no date")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_of_24_hours() {
        let hours = |hours| Some(SignedDuration::from_hours(hours));
        assert_eq!(days("P1D"), hours(24));
        assert_eq!(days("p2dT1h"), hours(49));
        for none in ["PT1H", "1D", "P1D1H", "PD", "P1W", "P9999999999999999999D"] {
            assert_eq!(days(none), None, "{none}");
        }
    }
}
