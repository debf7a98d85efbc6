//! Numbers over many rows: statistics of definitions, incidents, subscriptions and jobs.
//!
//! Each is a statement of its own whose result is searched like a table, so sort, pages, cursors and
//! totals are those of searches. What runs is read from `active_instances`, what jobs did from
//! `job_metrics_batch`, which the exporter keeps; incidents and subscriptions are few while they are
//! active and are read from partial indexes.
//!
//! | aggregate | reads |
//! |---|---|
//! | instances by definition, by version | `active_instances`, instances with incidents |
//! | subscriptions by definition | open subscriptions |
//! | incidents by error, by definition | active incidents |
//! | jobs, by type, by worker, over time | `job_metrics_batch` |
//! | job errors | failed jobs of a type |
//! | usage, by tenant | `usage_metric`, `usage_metric_tu` |
//! | wait states by element | what active elements wait for |

use super::field::{EntityFields, Field, entity};
use super::filter::{compare, condition};
use super::page::{Source, search_in};
use super::statement::{Bind, Statement};
use super::{Entity, Filter, Literal, Op, Page, PageSpec, Queries, Query, Sort};
use crate::database::Dialect;
use crate::error::QueryError;
use crate::row::job_metrics_batch::{WINDOW_MS, WINDOW_STRIDE};

/// A span of time and the jobs looked at in it; times in milliseconds, both included.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Span {
    /// First instant.
    pub from: i64,
    /// Last instant.
    pub to: i64,
    /// Comparisons that the job type fits.
    pub job_type: Vec<(Op, Vec<Literal>)>,
}

/// What is counted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Aggregate {
    /// Active instances per process id and tenant, of definitions that fit a filter of definitions.
    InstancesByDefinition(Filter),
    /// Active instances per version of one process.
    InstancesByVersion {
        /// Process id.
        process_definition_id: String,
        /// Only of this tenant.
        tenant_id: Option<String>,
        /// Which definitions count.
        visible: Filter,
    },
    /// Open subscriptions that fit a filter of message subscriptions, per definition and tenant.
    SubscriptionsByDefinition(Filter),
    /// Instances with active incidents that fit a filter of incidents, per error message.
    IncidentsByError(Filter),
    /// Instances with active incidents of one error message, per definition.
    IncidentsByDefinition {
        /// Java's hash of the message.
        error_hash: i32,
        /// Which incidents count.
        visible: Filter,
    },
    /// One row of counts.
    Jobs(Span),
    /// Counts per job type.
    JobsByType(Span),
    /// Counts per worker.
    JobsByWorker(Span),
    /// Counts per bucket of time.
    JobsOverTime {
        /// Of what.
        span: Span,
        /// Milliseconds of a bucket; less than a minute counts as one.
        resolution: i64,
    },
    /// Failed jobs per error code and message.
    JobErrors {
        /// Of what.
        span: Span,
        /// Comparisons that the error code fits.
        error_code: Vec<(Op, Vec<Literal>)>,
        /// Comparisons that the error message fits.
        error_message: Vec<(Op, Vec<Literal>)>,
        /// Which jobs count.
        visible: Filter,
    },
    /// One row of what was used, or one per tenant.
    Usage {
        /// First instant, milliseconds.
        from: i64,
        /// Last instant.
        to: i64,
        /// Only of this tenant.
        tenant_id: Option<String>,
        /// A row per tenant.
        by_tenant: bool,
    },
    /// Wait states that fit a filter of wait states, per element.
    WaitStatesByElement(Filter),
}

/// A question for numbers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Aggregation {
    /// What is counted.
    pub of: Aggregate,
    /// In which order; what a row is about is appended.
    pub sort: Vec<Sort>,
    /// Which part.
    pub page: PageSpec,
}

const fn of(fields: &'static [Field], key: &'static [&'static str]) -> EntityFields {
    EntityFields {
        from: "",
        fields,
        lists: &[],
        key,
        variables: None,
    }
}

const INSTANCES_BY_DEFINITION: EntityFields = of(
    &[
        Field::text("processDefinitionId", "t.id").present(),
        Field::text("tenantId", "t.tenant").present(),
        Field::text(
            "latestProcessDefinitionName",
            "SELECT n.name FROM process_definition n WHERE n.process_definition_id = t.id \
             AND n.tenant_id = t.tenant ORDER BY n.version DESC LIMIT 1",
        ),
        Field::flag("hasMultipleVersions", "t.versions > 1").present(),
        Field::int("activeInstancesWithIncidentCount", "t.stuck").present(),
        Field::int("activeInstancesWithoutIncidentCount", "t.active - t.stuck").present(),
    ],
    &["processDefinitionId", "tenantId"],
);

const INSTANCES_BY_VERSION: EntityFields = of(
    &[
        Field::text("processDefinitionId", "t.id").present(),
        Field::key("processDefinitionKey", "t.definition").present(),
        Field::text("processDefinitionName", "t.name"),
        Field::text("tenantId", "t.tenant").present(),
        Field::int("processDefinitionVersion", "t.version").present(),
        Field::int("activeInstancesWithIncidentCount", "t.stuck").present(),
        Field::int("activeInstancesWithoutIncidentCount", "t.active - t.stuck").present(),
    ],
    &["processDefinitionKey"],
);

const SUBSCRIPTIONS_BY_DEFINITION: EntityFields = of(
    &[
        Field::text("processDefinitionId", "t.id").present(),
        Field::text("tenantId", "t.tenant").present(),
        Field::key("processDefinitionKey", "t.definition").present(),
        Field::int("processInstancesWithActiveSubscriptions", "t.instances").present(),
        Field::int("activeSubscriptions", "t.subscriptions").present(),
    ],
    &["processDefinitionKey", "tenantId"],
);

const INCIDENTS_BY_ERROR: EntityFields = of(
    &[
        Field::int("errorHashCode", "t.hash").present(),
        Field::text(
            "errorMessage",
            "COALESCE((SELECT i.error_message FROM incident i WHERE i.state = 'ACTIVE' \
             AND i.error_message_hash = t.hash LIMIT 1), '')",
        )
        .present(),
        Field::int("activeInstancesWithErrorCount", "t.instances").present(),
    ],
    &["errorHashCode"],
);

const INCIDENTS_BY_DEFINITION: EntityFields = of(
    &[
        Field::text("processDefinitionId", "t.id").present(),
        Field::key("processDefinitionKey", "t.definition").present(),
        Field::text("processDefinitionName", "t.name").present(),
        Field::int("processDefinitionVersion", "t.version").present(),
        Field::text("tenantId", "t.tenant").present(),
        Field::int("activeInstancesWithErrorCount", "t.instances").present(),
    ],
    &["processDefinitionKey"],
);

/// The counters every statistic of jobs has.
const COUNTERS: [Field; 6] = [
    Field::int("createdCount", "t.created").present(),
    Field::time("createdAt", "t.created_at"),
    Field::int("completedCount", "t.completed").present(),
    Field::time("completedAt", "t.completed_at"),
    Field::int("failedCount", "t.failed").present(),
    Field::time("failedAt", "t.failed_at"),
];
const CREATED: Field = COUNTERS[0];
const CREATED_AT: Field = COUNTERS[1];
const COMPLETED: Field = COUNTERS[2];
const COMPLETED_AT: Field = COUNTERS[3];
const FAILED: Field = COUNTERS[4];
const FAILED_AT: Field = COUNTERS[5];

const JOBS: EntityFields = of(&COUNTERS, &["createdCount"]);
const JOBS_BY_TYPE: EntityFields = of(
    &[
        Field::text("jobType", "t.grouped").present(),
        CREATED,
        CREATED_AT,
        COMPLETED,
        COMPLETED_AT,
        FAILED,
        FAILED_AT,
        Field::int("workers", "t.workers").present(),
    ],
    &["jobType"],
);
const JOBS_BY_WORKER: EntityFields = of(
    &[
        Field::text("worker", "t.grouped").present(),
        CREATED,
        CREATED_AT,
        COMPLETED,
        COMPLETED_AT,
        FAILED,
        FAILED_AT,
    ],
    &["worker"],
);
const JOBS_OVER_TIME: EntityFields = of(
    &[
        Field::time("time", "t.grouped").present(),
        CREATED,
        CREATED_AT,
        COMPLETED,
        COMPLETED_AT,
        FAILED,
        FAILED_AT,
    ],
    &["time"],
);
const JOB_ERRORS: EntityFields = of(
    &[
        Field::text("errorCode", "t.code").present(),
        Field::text("errorMessage", "t.message").present(),
        Field::int("workers", "t.workers").present(),
    ],
    &["errorCode", "errorMessage"],
);

const USAGE: EntityFields = of(
    &[
        Field::int("processInstances", "t.instances").present(),
        Field::int("decisionInstances", "t.decisions").present(),
        Field::int("assignees", "t.assignees").present(),
        Field::int("activeTenants", "t.tenants").present(),
    ],
    &["activeTenants"],
);
const USAGE_BY_TENANT: EntityFields = of(
    &[
        Field::text("tenantId", "t.tenant").present(),
        Field::int("processInstances", "t.instances").present(),
        Field::int("decisionInstances", "t.decisions").present(),
        Field::int("assignees", "t.assignees").present(),
    ],
    &["tenantId"],
);
const WAIT_STATES_BY_ELEMENT: EntityFields = of(
    &[
        Field::text("elementId", "t.element").present(),
        Field::int("waitingCount", "t.waiting").present(),
    ],
    &["elementId"],
);

/// Instances with incidents per definition, joined as `s`.
const STUCK: &str = " LEFT JOIN (SELECT process_definition_key, COUNT(*) AS stuck \
     FROM process_instance WHERE state = 'ACTIVE' AND num_incidents > 0 \
     GROUP BY process_definition_key) s \
     ON s.process_definition_key = d.process_definition_key";

/// One page of the answer.
pub(super) async fn page(queries: &Queries, question: &Aggregation) -> Result<Page, QueryError> {
    let fields: &'static EntityFields = match &question.of {
        Aggregate::InstancesByDefinition(_) => &INSTANCES_BY_DEFINITION,
        Aggregate::InstancesByVersion { .. } => &INSTANCES_BY_VERSION,
        Aggregate::SubscriptionsByDefinition(_) => &SUBSCRIPTIONS_BY_DEFINITION,
        Aggregate::IncidentsByError(_) => &INCIDENTS_BY_ERROR,
        Aggregate::IncidentsByDefinition { .. } => &INCIDENTS_BY_DEFINITION,
        Aggregate::Jobs(_) => &JOBS,
        Aggregate::JobsByType(_) => &JOBS_BY_TYPE,
        Aggregate::JobsByWorker(_) => &JOBS_BY_WORKER,
        Aggregate::JobsOverTime { .. } => &JOBS_OVER_TIME,
        Aggregate::JobErrors { .. } => &JOB_ERRORS,
        Aggregate::Usage {
            by_tenant: false, ..
        } => &USAGE,
        Aggregate::Usage {
            by_tenant: true, ..
        } => &USAGE_BY_TENANT,
        Aggregate::WaitStatesByElement(_) => &WAIT_STATES_BY_ELEMENT,
    };
    let derived = |out: &mut Statement| statement(out, &question.of);
    let query = Query {
        sort: question.sort.clone(),
        page: question.page.clone(),
        // The entity is not looked at: the source says which fields there are.
        ..Query::of(Entity::ProcessDefinition)
    };
    let source = Source {
        entity: fields,
        derived: Some(&derived),
    };
    search_in(queries, &query, source).await
}

fn statement(out: &mut Statement, of: &Aggregate) -> Result<(), QueryError> {
    match of {
        Aggregate::InstancesByDefinition(visible) => {
            out.push(
                "SELECT d.process_definition_id AS id, d.tenant_id AS tenant, \
                 SUM(a.active) AS active, SUM(COALESCE(s.stuck, 0)) AS stuck, \
                 COUNT(*) AS versions FROM (SELECT process_definition_key, \
                 SUM(active_count) AS active FROM active_instances \
                 GROUP BY process_definition_key HAVING SUM(active_count) > 0) a \
                 JOIN process_definition d \
                 ON d.process_definition_key = a.process_definition_key",
            );
            out.push(STUCK);
            out.push(" WHERE ");
            definitions(out, visible)?;
            out.push(" GROUP BY d.process_definition_id, d.tenant_id");
        }
        Aggregate::InstancesByVersion {
            process_definition_id,
            tenant_id,
            visible,
        } => {
            out.push(
                "SELECT d.process_definition_id AS id, d.process_definition_key AS definition, \
                 d.name AS name, d.tenant_id AS tenant, d.version AS version, \
                 a.active AS active, COALESCE(s.stuck, 0) AS stuck \
                 FROM process_definition d JOIN (SELECT process_definition_key, \
                 SUM(active_count) AS active FROM active_instances \
                 GROUP BY process_definition_key HAVING SUM(active_count) > 0) a \
                 ON a.process_definition_key = d.process_definition_key",
            );
            out.push(STUCK);
            out.push(" WHERE ");
            definitions(out, visible)?;
            out.push(" AND d.process_definition_id = ");
            out.bind(Bind::Text(process_definition_id.clone()));
            if let Some(tenant) = tenant_id {
                out.push(" AND d.tenant_id = ");
                out.bind(Bind::Text(tenant.clone()));
            }
        }
        Aggregate::SubscriptionsByDefinition(filter) => {
            let subscriptions = entity(Entity::MessageSubscription);
            out.push(
                "SELECT t.process_definition_key AS definition, t.tenant_id AS tenant, \
                 MIN(t.process_definition_id) AS id, \
                 COUNT(DISTINCT t.process_instance_key) AS instances, \
                 COUNT(DISTINCT t.flow_node_instance_key) AS subscriptions FROM ",
            );
            out.push(subscriptions.from);
            out.push(
                " WHERE t.message_subscription_state = 'CREATED' \
                 AND t.flow_node_instance_key IS NOT NULL AND (",
            );
            condition(out, subscriptions, filter, 0)?;
            out.push(") GROUP BY t.process_definition_key, t.tenant_id");
        }
        Aggregate::IncidentsByError(visible) => {
            out.push(
                "SELECT t.error_message_hash AS hash, \
                 COUNT(DISTINCT t.process_instance_key) AS instances ",
            );
            incidents(out, visible)?;
            out.push(" GROUP BY t.error_message_hash");
        }
        Aggregate::IncidentsByDefinition {
            error_hash,
            visible,
        } => {
            out.push(
                "SELECT g.definition AS definition, g.instances AS instances, \
                 d.process_definition_id AS id, COALESCE(d.name, d.process_definition_id) AS name, \
                 d.version AS version, d.tenant_id AS tenant FROM (SELECT \
                 t.process_definition_key AS definition, \
                 COUNT(DISTINCT t.process_instance_key) AS instances ",
            );
            incidents(out, visible)?;
            out.push(" AND t.error_message_hash = ");
            out.bind(Bind::Int(i64::from(*error_hash)));
            out.push(
                " GROUP BY t.process_definition_key) g JOIN process_definition d \
                 ON d.process_definition_key = g.definition",
            );
        }
        Aggregate::Jobs(span) => {
            out.push("SELECT ");
            counters(out);
            metrics(out, span)?;
        }
        Aggregate::JobsByType(span) => {
            out.push("SELECT job_type AS grouped, COUNT(DISTINCT NULLIF(worker, '')) AS workers, ");
            counters(out);
            metrics(out, span)?;
            out.push(" GROUP BY job_type");
        }
        Aggregate::JobsByWorker(span) => {
            out.push("SELECT worker AS grouped, ");
            counters(out);
            metrics(out, span)?;
            // A job that was created and not yet taken has no worker.
            out.push(" AND worker <> '' GROUP BY worker");
        }
        Aggregate::JobsOverTime { span, resolution } => {
            let minutes = (resolution / WINDOW_MS).max(1);
            let millis = minutes * WINDOW_MS;
            let stride = WINDOW_STRIDE * minutes;
            let whole = format!("(window_key / {stride}) * {millis}");
            let bucket = match out.dialect {
                Dialect::Postgres => format!("to_timestamp({whole} / 1000.0)"),
                // Division yields decimals there.
                Dialect::Mysql => format!(
                    "TIMESTAMP'1970-01-01 00:00:00' \
                     + INTERVAL (window_key DIV {stride}) * {} MICROSECOND",
                    millis * 1000
                ),
                Dialect::Sqlite => whole,
            };
            out.push("SELECT ");
            out.push(&bucket);
            out.push(" AS grouped, ");
            counters(out);
            metrics(out, span)?;
            out.push(&format!(" GROUP BY {bucket}"));
        }
        Aggregate::JobErrors {
            span,
            error_code,
            error_message,
            visible,
        } => {
            out.push(
                "SELECT COALESCE(t.error_code, '') AS code, COALESCE(t.error_message, '') AS \
                 message, COUNT(DISTINCT NULLIF(t.worker, '')) AS workers FROM job t \
                 WHERE t.state IN ('FAILED', 'ERROR_THROWN') AND t.last_update_time >= ",
            );
            out.bind(Bind::Time(span.from));
            out.push(" AND t.last_update_time <= ");
            out.bind(Bind::Time(span.to));
            let fields = [
                (Field::text("jobType", "t.type"), &span.job_type),
                (Field::text("errorCode", "t.error_code"), error_code),
                (
                    Field::text("errorMessage", "t.error_message"),
                    error_message,
                ),
            ];
            for (field, comparisons) in fields {
                comparisons_of(out, &field, comparisons)?;
            }
            out.push(" AND (");
            condition(out, entity(Entity::Job), visible, 0)?;
            out.push(") GROUP BY t.error_code, t.error_message");
        }
        Aggregate::Usage {
            from,
            to,
            tenant_id,
            by_tenant,
        } => usage(out, *from, *to, tenant_id.as_deref(), *by_tenant),
        Aggregate::WaitStatesByElement(filter) => {
            let fields = entity(Entity::WaitState);
            out.push("SELECT t.element_id AS element, COUNT(*) AS waiting FROM ");
            out.push(fields.from);
            out.push(" WHERE (");
            condition(out, fields, filter, 0)?;
            out.push(") GROUP BY t.element_id");
        }
    }
    Ok(())
}

/// What was used in a span; somebody who was assigned tasks of two tenants counts once in all.
fn usage(out: &mut Statement, from: i64, to: i64, tenant_id: Option<&str>, by_tenant: bool) {
    const COUNTED: &str = "COALESCE(SUM(CASE WHEN event_type = 0 THEN event_value ELSE 0 END), 0) \
         AS instances, \
         COALESCE(SUM(CASE WHEN event_type = 1 THEN event_value ELSE 0 END), 0) AS decisions";
    let within = |out: &mut Statement| {
        out.push(" WHERE start_time >= ");
        out.bind(Bind::Time(from));
        out.push(" AND end_time <= ");
        out.bind(Bind::Time(to));
        if let Some(tenant) = tenant_id {
            out.push(" AND tenant_id = ");
            out.bind(Bind::Text(tenant.to_owned()));
        }
    };
    if by_tenant {
        out.push(
            "SELECT u.tenant_id AS tenant, SUM(u.instances) AS instances, \
             SUM(u.decisions) AS decisions, SUM(u.assignees) AS assignees FROM \
             (SELECT tenant_id, ",
        );
        out.push(COUNTED);
        out.push(", 0 AS assignees FROM usage_metric");
        within(out);
        out.push(
            " GROUP BY tenant_id UNION ALL SELECT tenant_id, 0, 0, \
             COUNT(DISTINCT assignee_hash) FROM usage_metric_tu",
        );
        within(out);
        out.push(" GROUP BY tenant_id) u GROUP BY u.tenant_id");
    } else {
        out.push("SELECT m.instances AS instances, m.decisions AS decisions, ");
        out.push("m.tenants AS tenants, a.assignees AS assignees FROM (SELECT ");
        out.push(COUNTED);
        out.push(", COUNT(DISTINCT tenant_id) AS tenants FROM usage_metric");
        within(out);
        out.push(
            ") m CROSS JOIN (SELECT COUNT(DISTINCT assignee_hash) AS assignees \
             FROM usage_metric_tu",
        );
        within(out);
        out.push(") a");
    }
}

/// The condition that a definition, named `d` around it, fits a filter.
fn definitions(out: &mut Statement, visible: &Filter) -> Result<(), QueryError> {
    if *visible == Filter::All(Vec::new()) {
        out.push("1 = 1");
        return Ok(());
    }
    let fields = entity(Entity::ProcessDefinition);
    out.push("d.process_definition_key IN (SELECT t.process_definition_key FROM ");
    out.push(fields.from);
    out.push(" WHERE (");
    condition(out, fields, visible, 0)?;
    out.push("))");
    Ok(())
}

/// Active incidents that fit a filter, as far as `WHERE`.
fn incidents(out: &mut Statement, visible: &Filter) -> Result<(), QueryError> {
    let fields = entity(Entity::Incident);
    out.push("FROM ");
    out.push(fields.from);
    out.push(" WHERE t.state = 'ACTIVE' AND (");
    condition(out, fields, visible, 0)?;
    out.push(")");
    Ok(())
}

fn counters(out: &mut Statement) {
    out.push(
        "COALESCE(SUM(created_count), 0) AS created, MAX(last_created_at) AS created_at, \
         COALESCE(SUM(completed_count), 0) AS completed, MAX(last_completed_at) AS completed_at, \
         COALESCE(SUM(failed_count), 0) AS failed, MAX(last_failed_at) AS failed_at",
    );
}

fn metrics(out: &mut Statement, span: &Span) -> Result<(), QueryError> {
    out.push(" FROM job_metrics_batch WHERE start_time >= ");
    out.bind(Bind::Time(span.from));
    out.push(" AND end_time <= ");
    out.bind(Bind::Time(span.to));
    comparisons_of(out, &Field::text("jobType", "job_type"), &span.job_type)
}

fn comparisons_of(
    out: &mut Statement,
    field: &Field,
    comparisons: &[(Op, Vec<Literal>)],
) -> Result<(), QueryError> {
    for (op, values) in comparisons {
        out.push(" AND (");
        compare(out, field, *op, values)?;
        out.push(")");
    }
    Ok(())
}
