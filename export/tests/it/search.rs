//! Searches over an exported scenario, the same on all databases.
//!
//! Expectations are computed from the scenario's numbers. Here: operators, variables, lists, joins;
//! `paging` and `hostile` use the same world.

use ringflow_core::ids::Key;
use ringflow_core::msgpack;
use ringflow_core::record::Blob;
use ringflow_core::record::intent::of;
use ringflow_core::record::value::*;
use ringflow_export::{
    Cell, ElementStatistics, Entity, Filter, KeyLiteral, Literal, Op, Page, Queries,
    QueriesOptions, Query, StatisticsOf,
};

use super::database::{Db, block_on};
use super::export::export;
use super::records::{Scenario, definition, raw, text_value};

const INSTANCES: i64 = 30;

pub(crate) struct World {
    pub(crate) scenario: Scenario,
    pub(crate) instances: Vec<Key>,
    pub(crate) task: Key,
    pub(crate) task_element: Key,
    pub(crate) subscription: Key,
    /// When the first of the instances began, ms.
    pub(crate) first_start: i64,
}

fn world() -> World {
    let mut scenario = Scenario::new(1);
    super::identity::populate(&mut scenario);
    let before = scenario.records.len();
    let instances: Vec<Key> = (0..INSTANCES)
        .map(|number| scenario.instance(number))
        .collect();
    super::agents::populate(&mut scenario, &instances[..3]);
    let first = instances[0];
    let first_start = scenario.records[before].timestamp.0;
    let task_element = scenario.key();
    let task = scenario.key();
    let mut user_task = UserTaskRecord {
        user_task_key: task,
        assignee: "ann".into(),
        candidate_groups: vec!["sales".into(), "back office".into()],
        candidate_users: vec!["bob".into()],
        due_date: "2030-01-01T00:00:00Z".into(),
        bpmn_process_id: "order".into(),
        process_definition_version: 1,
        process_definition_key: definition(),
        process_instance_key: first,
        root_process_instance_key: first,
        element_id: "pack".into(),
        element_instance_key: task_element,
        tags: vec!["all".into(), "t0".into()],
        priority: 70,
        ..UserTaskRecord::default()
    };
    scenario.event(task, of::UserTask::Creating, user_task.clone());
    scenario.event(task, of::UserTask::Created, user_task.clone());
    scenario.event(task, of::UserTask::Assigning, user_task.clone());
    scenario.event(task, of::UserTask::Assigned, user_task.clone());
    let key = scenario.key();
    let local = scenario.variable(first, task_element, "form", text_value("local"));
    scenario.event(key, of::Variable::Created, local);
    let other = scenario.key();
    user_task.user_task_key = other;
    user_task.element_instance_key = scenario.key();
    user_task.candidate_groups.clear();
    user_task.candidate_users.clear();
    user_task.tags.clear();
    user_task.due_date = "".into();
    scenario.event(other, of::UserTask::Creating, user_task.clone());
    scenario.event(other, of::UserTask::Completed, user_task);
    let subscription = scenario.key();
    let mut value = ProcessMessageSubscriptionRecord {
        process_instance_key: first,
        root_process_instance_key: first,
        element_instance_key: task_element,
        bpmn_process_id: "order".into(),
        process_definition_key: definition(),
        message_name: "paid".into(),
        correlation_key: "c-1".into(),
        element_id: "pack".into(),
        ..ProcessMessageSubscriptionRecord::default()
    };
    scenario.event(
        subscription,
        of::ProcessMessageSubscription::Created,
        value.clone(),
    );
    for _ in 0..3 {
        value.message_key = scenario.key();
        scenario.event(
            subscription,
            of::ProcessMessageSubscription::Correlated,
            value.clone(),
        );
    }
    let created = ProcessInstanceCreationRecord {
        bpmn_process_id: "order".into(),
        process_definition_key: definition(),
        process_instance_key: first,
        ..ProcessInstanceCreationRecord::default()
    };
    let creation = scenario.key();
    scenario.asked(
        "ann",
        Key::NONE,
        of::ProcessInstanceCreation::Create,
        created.clone(),
    );
    scenario.caused(
        creation,
        of::ProcessInstanceCreation::Created,
        created,
        None,
    );
    let key = scenario.key();
    let shared = ClusterVariableRecord {
        name: "region".into(),
        value: text_value("north"),
        scope: ClusterVariableScope::Global,
        ..ClusterVariableRecord::default()
    };
    scenario.event(key, of::ClusterVariable::Created, shared.clone());
    let gone = ClusterVariableRecord {
        name: "gone".into(),
        ..shared
    };
    scenario.event(key, of::ClusterVariable::Created, gone.clone());
    scenario.event(key, of::ClusterVariable::Deleted, gone);
    let canceled = scenario.key();
    let mut process = scenario.element(canceled, "order", BpmnElementType::Process);
    process.business_id = r"50%_off\*?['".into();
    scenario.event(
        canceled,
        of::ProcessInstance::ElementActivating,
        process.clone(),
    );
    let key = scenario.key();
    let value = raw(|out| msgpack::write_double(out, 2.5));
    let variable = scenario.variable(canceled, canceled, "ratio", value);
    scenario.event(key, of::Variable::Created, variable);
    let key = scenario.key();
    let long = scenario.variable(canceled, canceled, "long", text_value(&"z".repeat(9000)));
    scenario.event(key, of::Variable::Created, long);
    scenario.event(canceled, of::ProcessInstance::ElementTerminated, process);
    for version in [1, 2] {
        let form = ResourceRecord {
            id: "f".into(),
            version,
            key: scenario.key(),
            resource: Blob::from(b"{}".as_slice()),
            ..ResourceRecord::default()
        };
        let key = form.key;
        scenario.event(key, of::Form::Created, FormRecord::from(form.clone()));
        scenario.event(key, of::Resource::Created, form.clone());
        if version == 2 {
            scenario.event(key, of::Form::Deleted, FormRecord::from(form.clone()));
            scenario.event(key, of::Resource::Deleted, form);
        }
    }
    decisions(&mut scenario, first);
    super::batch::operation(&mut scenario, &instances[..2]);
    World {
        scenario,
        instances,
        task,
        task_element,
        subscription,
        first_start,
    }
}

/// A graph of two decisions, evaluated by a process with success and for a client in vain.
fn decisions(scenario: &mut Scenario, instance: Key) {
    let graph = scenario.key();
    scenario.event(
        graph,
        of::DecisionRequirements::Created,
        DecisionRequirementsRecord {
            decision_requirements_id: "drg".into(),
            decision_requirements_name: "Graph".into(),
            decision_requirements_version: 3,
            decision_requirements_key: graph,
            resource_name: "a.dmn".into(),
            resource: Blob::from(&b"<definitions/>"[..]),
            ..DecisionRequirementsRecord::default()
        },
    );
    let keys: Vec<Key> = (0..3).map(|_| scenario.key()).collect();
    for (key, (id, version)) in keys.iter().zip([("first", 1), ("first", 2), ("second", 1)]) {
        scenario.event(
            *key,
            of::Decision::Created,
            DecisionRecord {
                decision_id: id.into(),
                decision_name: id.into(),
                version,
                decision_key: *key,
                decision_requirements_id: "drg".into(),
                decision_requirements_key: graph,
                ..DecisionRecord::default()
            },
        );
    }
    let one = |id: &str, key: Key, place: &str| EvaluatedDecision {
        decision_id: id.into(),
        decision_name: id.into(),
        decision_key: key,
        decision_version: 2,
        decision_type: "DECISION_TABLE".into(),
        decision_output: text_value("out"),
        decision_evaluation_instance_key: place.into(),
        evaluated_inputs: vec![EvaluatedInput {
            input_id: "i".into(),
            input_name: "in".into(),
            input_value: text_value("a\"b"),
        }],
        matched_rules: vec![MatchedRule {
            rule_id: "r".into(),
            rule_index: 1,
            evaluated_outputs: vec![EvaluatedOutput {
                output_id: "o".into(),
                output_name: "out".into(),
                output_value: text_value("out"),
            }],
        }],
        ..EvaluatedDecision::default()
    };
    let called = scenario.key();
    let evaluation = DecisionEvaluationRecord {
        decision_key: keys[2],
        decision_id: "second".into(),
        decision_requirements_id: "drg".into(),
        decision_requirements_key: graph,
        bpmn_process_id: "order".into(),
        process_definition_key: definition(),
        process_instance_key: instance,
        root_process_instance_key: instance,
        element_id: "decide".into(),
        element_instance_key: called,
        evaluated_decisions: vec![
            one("first", keys[1], &format!("{called}-1")),
            one("second", keys[2], &format!("{called}-2")),
        ],
        ..DecisionEvaluationRecord::default()
    };
    scenario.event(
        called,
        of::DecisionEvaluation::Evaluated,
        evaluation.clone(),
    );
    let alone = scenario.key();
    let failed = DecisionEvaluationRecord {
        process_definition_key: Key::NONE,
        process_instance_key: Key::NONE,
        root_process_instance_key: Key::NONE,
        element_instance_key: Key::NONE,
        bpmn_process_id: "".into(),
        element_id: "".into(),
        evaluation_failure_message: "it failed".into(),
        failed_decision_id: "first".into(),
        evaluated_decisions: vec![
            one("knowledge", Key::NONE, &format!("{alone}-1")),
            one("first", keys[1], &format!("{alone}-2")),
        ],
        ..evaluation
    };
    scenario.event(alone, of::DecisionEvaluation::Failed, failed);
}

#[test]
fn decisions_and_their_evaluations_are_found() {
    both(async |queries, _| {
        let latest = is("isLatestVersion", Literal::Bool(true));
        let found = page(queries, Entity::DecisionDefinition, latest).await;
        let shown: Vec<_> = (found.items.iter())
            .map(|row| (row.get("decisionDefinitionId"), row.get("version")))
            .collect();
        let text = |text: &str| Cell::Text(text.into());
        assert_eq!(
            shown,
            [
                (Some(&text("first")), Some(&Cell::Int(2))),
                (Some(&text("second")), Some(&Cell::Int(1))),
            ]
        );
        let row = &found.items[0];
        assert_eq!(row.get("decisionRequirementsName"), Some(&text("Graph")));
        assert_eq!(row.get("decisionRequirementsVersion"), Some(&Cell::Int(3)));
        let Some(Cell::Key(key)) = row.get("decisionDefinitionKey") else {
            panic!("{row:?}");
        };
        let xml = queries.decision_definition_xml(*key).await.unwrap();
        assert_eq!(xml.as_deref(), Some("<definitions/>"));
        assert_eq!(queries.decision_requirements_xml(*key).await.unwrap(), None);

        let failed = is("state", self::text("FAILED"));
        let failed = page(queries, Entity::DecisionInstance, failed).await;
        let [row] = &failed.items[..] else {
            panic!("{failed:?}");
        };
        assert_eq!(row.get("evaluationFailure"), Some(&text("it failed")));
        assert_eq!(row.get("processInstanceKey"), Some(&Cell::Null));
        assert_eq!(
            row.get("evaluatedInputs"),
            Some(&Cell::Json(
                r#"[{"inputId":"i","inputName":"in","inputValue":"\"a\\\"b\""}]"#.into()
            ))
        );
        assert_eq!(
            row.get("matchedRules"),
            Some(&Cell::Json(
                r#"[{"ruleId":"r","ruleIndex":1,"evaluatedOutputs":[{"outputId":"o","outputName":"out","outputValue":"\"out\"","ruleId":"r","ruleIndex":1}]}]"#.into()
            ))
        );
        let Some(Cell::Text(id)) = row.get("decisionEvaluationInstanceKey") else {
            panic!("{row:?}");
        };
        let by_id = is("decisionEvaluationInstanceKey", self::text(id));
        assert_eq!(total(queries, Entity::DecisionInstance, by_id).await, 1);
        // Knowledge has no definition.
        let knowledge = is("decisionDefinitionId", self::text("knowledge"));
        let knowledge = page(queries, Entity::DecisionInstance, knowledge).await;
        assert_eq!(
            knowledge.items[0].get("decisionDefinitionKey"),
            Some(&Cell::Key(-1))
        );
    });
}

pub(crate) fn is(field: &str, value: Literal) -> Filter {
    op(field, Op::Eq, vec![value])
}

pub(crate) fn op(field: &str, op: Op, values: Vec<Literal>) -> Filter {
    Filter::Field {
        field: field.into(),
        op,
        values,
    }
}

pub(crate) fn text(text: &str) -> Literal {
    Literal::Text(text.into())
}

async fn page(queries: &Queries, entity: Entity, filter: Filter) -> Page {
    let query = Query {
        filter,
        ..Query::of(entity)
    };
    queries.search(&query).await.unwrap()
}

pub(crate) async fn total(queries: &Queries, entity: Entity, filter: Filter) -> u64 {
    let page = page(queries, entity, filter).await;
    assert_eq!(page.total, page.items.len() as u64);
    page.total
}

pub(crate) fn both(check: impl AsyncFn(&Queries, &World)) {
    for db in Db::all() {
        let world = world();
        export(&db, &[&world.scenario]);
        block_on(async {
            let queries = Queries::open(&QueriesOptions::new(db.database())).unwrap();
            check(&queries, &world).await;
        });
    }
}

fn count(numbers: impl Fn(i64) -> bool) -> u64 {
    (0..INSTANCES).filter(|number| numbers(*number)).count() as u64
}

fn completes(number: i64) -> bool {
    number % 6 != 0 && number % 5 != 0
}

#[test]
fn every_operator_finds_what_it_should() {
    both(async |queries, world| {
        let find = async |filter: Filter| total(queries, Entity::ProcessInstance, filter).await;
        let all = INSTANCES as u64 + 1;
        assert_eq!(find(Filter::All(vec![])).await, all);
        assert_eq!(find(Filter::Any(vec![])).await, 0);
        let key = world.instances[4].0;
        assert_eq!(find(is("processInstanceKey", Literal::Int(key))).await, 1);
        assert_eq!(
            find(is("processInstanceKey", text(&key.to_string()))).await,
            1
        );
        assert_eq!(
            find(op("processInstanceKey", Op::Neq, vec![Literal::Int(key)])).await,
            all - 1
        );
        let some = vec![
            Literal::Int(key),
            Literal::Int(world.instances[5].0),
            Literal::Int(1),
        ];
        assert_eq!(
            find(op("processInstanceKey", Op::In, some.clone())).await,
            2
        );
        assert_eq!(
            find(op("processInstanceKey", Op::NotIn, some)).await,
            all - 2
        );
        assert_eq!(find(op("processInstanceKey", Op::In, vec![])).await, 0);
        assert_eq!(find(op("processInstanceKey", Op::NotIn, vec![])).await, all);
        let finished = count(completes) + 1;
        assert_eq!(
            find(op("endDate", Op::Exists, vec![Literal::Bool(true)])).await,
            finished
        );
        assert_eq!(
            find(op("endDate", Op::Exists, vec![Literal::Bool(false)])).await,
            all - finished
        );
        assert_eq!(find(is("endDate", Literal::Null)).await, all - finished);
        assert_eq!(
            find(op("endDate", Op::Neq, vec![Literal::Null])).await,
            finished
        );
        let first = Literal::Time(world.first_start);
        assert_eq!(find(is("startDate", first.clone())).await, 1);
        assert_eq!(
            find(op("startDate", Op::Gt, vec![first.clone()])).await,
            all - 1
        );
        assert_eq!(
            find(op("startDate", Op::Gte, vec![first.clone()])).await,
            all
        );
        assert_eq!(find(op("startDate", Op::Lt, vec![first.clone()])).await, 0);
        assert_eq!(find(op("startDate", Op::Lte, vec![first])).await, 1);
        assert_eq!(
            find(op("businessId", Op::Like, vec![text("order-1?")])).await,
            10
        );
        assert_eq!(
            find(op("businessId", Op::Like, vec![text("ORDER-1?")])).await,
            0
        );
        assert_eq!(
            find(op("businessId", Op::Like, vec![text("order-*")])).await,
            all - 1
        );
        assert_eq!(
            find(op("businessId", Op::Like, vec![text(r"50%_off\\\*\?['")])).await,
            1
        );
        assert_eq!(
            find(op("businessId", Op::Like, vec![text("50?_off*")])).await,
            1
        );
        assert_eq!(
            find(op("businessId", Op::Like, vec![text("_order%")])).await,
            0
        );
        assert_eq!(
            find(op("businessId", Op::Neq, vec![text("order-1")])).await,
            all - 1
        );
        assert_eq!(find(is("state", text("TERMINATED"))).await, 1);
        assert_eq!(find(op("state", Op::Like, vec![text("TERM*")])).await, 1);
        assert_eq!(
            find(op(
                "state",
                Op::In,
                vec![text("TERMINATED"), text("COMPLETED")]
            ))
            .await,
            finished
        );
        assert_eq!(
            find(op("state", Op::Neq, vec![text("TERMINATED")])).await,
            all - 1
        );
        let broken = count(|number| number % 6 == 0);
        assert_eq!(find(is("hasIncident", Literal::Bool(true))).await, broken);
        assert_eq!(
            find(is("hasIncident", Literal::Bool(false))).await,
            all - broken
        );
        assert_eq!(find(is("errorMessage", text("BOOM hap"))).await, broken);
        assert_eq!(find(is("errorMessage", text("boom%"))).await, 0);
        assert_eq!(find(is("processDefinitionName", text("Order"))).await, all);
        assert_eq!(
            find(op(
                "processDefinitionVersion",
                Op::Gt,
                vec![Literal::Int(1)]
            ))
            .await,
            0
        );
        assert_eq!(
            find(is("processDefinitionVersionTag", text("v1"))).await,
            all
        );
        let tags = op("tags", Op::Eq, vec![text("all"), text("t1")]);
        assert_eq!(find(tags).await, count(|number| number % 4 == 1));
        let active = count(|number| !completes(number));
        let element = |state: &str| {
            Filter::All(vec![
                is("elementId", text("pack")),
                is("elementInstanceState", text(state)),
            ])
        };
        assert_eq!(find(element("ACTIVE")).await, active);
        // Another element of those instances is completed, but not this one.
        assert_eq!(find(element("COMPLETED")).await, count(completes));
        assert_eq!(
            find(Filter::Any(vec![
                is("state", text("TERMINATED")),
                element("ACTIVE")
            ]))
            .await,
            active + 1
        );
    });
}

#[test]
fn variables_are_found_by_kind() {
    both(async |queries, world| {
        let variable = |name: &str, op: Op, values: &[&str], local: bool| Filter::Variable {
            name: name.into(),
            op,
            values: values.iter().map(|value| text(value)).collect(),
            local,
        };
        let find = async |filter: Filter| total(queries, Entity::ProcessInstance, filter).await;
        assert_eq!(find(variable("number", Op::Eq, &["7"], false)).await, 1);
        assert_eq!(find(variable("number", Op::Eq, &["\"7\""], false)).await, 0);
        assert_eq!(
            find(variable("number", Op::In, &["7", "8", "900"], false)).await,
            2
        );
        assert_eq!(
            find(variable("number", Op::Neq, &["7"], false)).await,
            INSTANCES as u64 - 1
        );
        assert_eq!(find(variable("ratio", Op::Eq, &["2.5"], false)).await, 1);
        assert_eq!(find(variable("ratio", Op::Eq, &["2.50"], false)).await, 1);
        assert_eq!(
            find(variable("result", Op::Eq, &["\"done\""], false)).await,
            count(completes)
        );
        assert_eq!(
            find(variable("result", Op::Like, &["\"do?e*"], false)).await,
            count(completes)
        );
        let long = format!("\"{}\"", "z".repeat(9000));
        assert_eq!(find(variable("long", Op::Eq, &[&long], false)).await, 1);
        assert_eq!(
            find(variable("long", Op::Eq, &[&long[..8191]], false)).await,
            0
        );
        let exists = |there| Filter::Variable {
            name: "ratio".into(),
            op: Op::Exists,
            values: vec![Literal::Bool(there)],
            local: false,
        };
        assert_eq!(find(exists(true)).await, 1);
        assert_eq!(find(exists(false)).await, INSTANCES as u64);
        let both = Filter::All(vec![
            variable("number", Op::Eq, &["7"], false),
            variable("result", Op::Eq, &["\"done\""], false),
        ]);
        assert_eq!(find(both).await, 1);
        let tasks = async |filter: Filter| total(queries, Entity::UserTask, filter).await;
        assert_eq!(
            tasks(variable("form", Op::Eq, &["\"local\""], true)).await,
            1
        );
        assert_eq!(
            tasks(variable("form", Op::Eq, &["\"local\""], false)).await,
            2,
            "a variable of any scope of the instance"
        );
        assert_eq!(tasks(variable("number", Op::Eq, &["0"], false)).await, 2);
        assert!(world.task.is_some());
        // Searches show previews and say so; asked for whole values, they show those.
        let mut query = Query {
            filter: is("name", text("long")),
            ..Query::of(Entity::Variable)
        };
        for full in [false, true] {
            query.full_values = full;
            let page = queries.search(&query).await.unwrap();
            let Some(Cell::Text(value)) = page.items[0].get("value") else {
                panic!("no value")
            };
            assert_eq!(value.len(), if full { 9002 } else { 8191 });
            assert_eq!(page.items[0].get("isTruncated"), Some(&Cell::Bool(!full)));
        }
        let Some(Cell::Key(key)) = queries.search(&query).await.unwrap().items[0]
            .get("variableKey")
            .cloned()
        else {
            panic!("no key")
        };
        let row = queries.get(Entity::Variable, key).await.unwrap().unwrap();
        assert_eq!(row.get("value"), Some(&Cell::Text(long)));
    });
}

#[test]
fn lists_and_joins_are_part_of_results() {
    both(async |queries, world| {
        let row = queries
            .get(Entity::UserTask, world.task.0)
            .await
            .unwrap()
            .unwrap();
        let list = |values: &[&str]| {
            Some(Cell::List(
                values
                    .iter()
                    .map(|value| Cell::Text((*value).into()))
                    .collect(),
            ))
        };
        assert_eq!(
            row.get("candidateGroups").cloned(),
            list(&["back office", "sales"])
        );
        assert_eq!(row.get("candidateUsers").cloned(), list(&["bob"]));
        assert_eq!(row.get("tags").cloned(), list(&["all", "t0"]));
        assert_eq!(row.get("assignee"), Some(&Cell::Text("ann".into())));
        assert_eq!(row.get("state"), Some(&Cell::Text("CREATED".into())));
        assert_eq!(row.get("name"), Some(&Cell::Text("Pack it".into())));
        assert_eq!(row.get("processName"), Some(&Cell::Text("Order".into())));
        assert_eq!(row.get("businessId"), Some(&Cell::Text("order-0".into())));
        assert_eq!(row.get("dueDate"), Some(&Cell::Time(1_893_456_000_000)));
        assert_eq!(
            row.get("elementInstanceKey"),
            Some(&Cell::Key(world.task_element.0))
        );
        let tasks = async |filter: Filter| total(queries, Entity::UserTask, filter).await;
        assert_eq!(tasks(is("candidateGroup", text("sales"))).await, 1);
        assert_eq!(
            tasks(op("candidateGroup", Op::Neq, vec![text("sales")])).await,
            1
        );
        assert_eq!(
            tasks(op("candidateUser", Op::Exists, vec![Literal::Bool(false)])).await,
            1
        );
        assert_eq!(
            tasks(op("candidateUser", Op::Like, vec![text("b*")])).await,
            1
        );
        let row = queries
            .get(Entity::ProcessInstance, world.instances[1].0)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(row.get("tags").cloned(), list(&["all", "t1"]));
        assert_eq!(
            row.get("processDefinitionName"),
            Some(&Cell::Text("Order".into()))
        );
        assert_eq!(row.get("parentProcessInstanceKey"), Some(&Cell::Null));
        let page_of = async |entity, filter| page(queries, entity, filter).await;
        let rows = page_of(Entity::MessageSubscription, Filter::All(vec![])).await;
        assert_eq!(
            rows.items[0].get("messageSubscriptionState"),
            Some(&Cell::Text("CORRELATED".into()))
        );
        assert_eq!(
            rows.items[0].get("processDefinitionVersion"),
            Some(&Cell::Int(1))
        );
        let correlated = page_of(
            Entity::CorrelatedMessageSubscription,
            is("subscriptionKey", Literal::Int(world.subscription.0)),
        )
        .await;
        assert_eq!(correlated.total, 3);
        let flows = page_of(
            Entity::SequenceFlow,
            is("processInstanceKey", Literal::Int(world.instances[0].0)),
        )
        .await;
        let id = format!("{}_flow1", world.instances[0]);
        assert_eq!(flows.items[0].get("sequenceFlowId"), Some(&Cell::Text(id)));
        let unnamed = page_of(Entity::ElementInstance, is("elementName", text("start"))).await;
        assert_eq!(unnamed.total, INSTANCES as u64);
        let jobs = page_of(Entity::Job, is("state", text("FAILED"))).await;
        assert_eq!(
            jobs.total,
            count(|number| number % 6 == 0 || (number % 3 == 0 && number % 5 == 0))
        );
        assert_eq!(
            jobs.items[0].get("errorMessage"),
            Some(&Cell::Text("Boom happened".into()))
        );
        assert_eq!(
            jobs.items[0].get("customHeaders"),
            Some(&Cell::Json("{}".into()))
        );
        let latest = is("isLatestVersion", Literal::Bool(true));
        let definitions = page_of(Entity::ProcessDefinition, latest).await;
        assert_eq!(
            definitions.items[0].get("hasStartForm"),
            Some(&Cell::Bool(false))
        );
        assert_eq!(
            definitions.items[0].get("state"),
            Some(&Cell::Text("ACTIVE".into()))
        );
        let xml = queries
            .process_definition_xml(definition().0)
            .await
            .unwrap()
            .unwrap();
        assert!(xml.contains("Pack it"));
        assert_eq!(queries.process_definition_xml(1).await.unwrap(), None);
        assert_eq!(queries.get(Entity::Job, 1).await.unwrap(), None);
    });
}

#[test]
fn a_deleted_form_is_still_shown_a_deleted_resource_is_not() {
    both(async |queries, _| {
        let search = async |entity, filter| {
            let query = Query {
                filter,
                ..Query::of(entity)
            };
            queries.search(&query).await.unwrap().items
        };
        let forms = search(Entity::Form, Filter::All(vec![])).await;
        assert_eq!(forms.len(), 2);
        assert_eq!(forms[1].get("schema"), Some(&Cell::Text("{}".into())));
        let living = op("isDeleted", Op::Eq, vec![Literal::Bool(false)]);
        let living = search(Entity::Form, living).await;
        assert_eq!(living.len(), 1);
        assert_eq!(living[0].get("version"), Some(&Cell::Int(1)));
        let definition = vec![Literal::Int(definition().0)];
        let start = op("processDefinitionKey", Op::Eq, definition);
        assert!(search(Entity::Form, start).await.is_empty());
        assert_eq!(search(Entity::Resource, Filter::All(vec![])).await.len(), 1);
    });
}

#[test]
fn elements_are_counted_by_what_became_of_them() {
    both(async |queries, world| {
        let pack = |active: u64, incidents: u64, completed: u64| ElementStatistics {
            element_id: "pack".into(),
            active: active as i64,
            canceled: 0,
            incidents: incidents as i64,
            completed: completed as i64,
        };
        let count_of = async |of: StatisticsOf<'_>| queries.element_statistics(of).await.unwrap();
        let all = Filter::All(vec![]);
        let definition = KeyLiteral(definition().0);
        let counts = count_of(StatisticsOf::Definition(definition, &all)).await;
        let stuck = count(|number| number % 6 == 0);
        let waiting = count(|number| number % 6 != 0 && number % 5 == 0);
        assert_eq!(counts[0], pack(waiting, stuck, count(completes)));
        assert_eq!(counts[1].element_id, "start");
        assert_eq!(counts[1].completed, INSTANCES);
        let tagged = op("tags", Op::Eq, vec![text("t1")]);
        let counts = count_of(StatisticsOf::Definition(definition, &tagged)).await;
        assert_eq!(counts[1].completed as u64, count(|number| number % 4 == 1));
        let counts = count_of(StatisticsOf::Instance(KeyLiteral(world.instances[0].0))).await;
        assert_eq!(counts[0], pack(0, 1, 0));
        assert!(
            count_of(StatisticsOf::Instance(KeyLiteral(1)))
                .await
                .is_empty()
        );
    });
}
